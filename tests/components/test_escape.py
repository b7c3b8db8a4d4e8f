"""What the page says while it waits, and text that markdown would read otherwise."""

import re
import time
from dataclasses import replace

import pytest

from components import guide, job_panel, status_line
from components.escape import plain
from models.events import Progress, share
from models.runtime.engine import EngineState
from models.runtime.job_view import JobView
from models.types import Request
from tests.stored import make_run

NOW = 1_000.0
PICTURE = Request(model="image/x", inputs={"prompt": "x"})
SOUND = Request(model="audio/x", inputs={"prompt": "x"})
PICTURES = Request(model="image/x", inputs={"prompt": "x"}, params={"num_images": 8})
VIEW = JobView(
    "job", "ann", "running", 0, (Request(model="text/x", inputs={"prompt": "x"}),), 0, None, None, (), None, False,
    NOW - 5, NOW - 4, NOW - 2, 0.0, None, 1,
)  # fmt: skip
READY = EngineState("ready")
MADE = make_run("one", stats={"seconds": 33.0, "load_s": 28.0})


@pytest.mark.parametrize(
    ("change", "engine", "words"),
    [
        ({"state": "queued", "place": 2}, READY, "Waiting in the queue, place 2 · 5 s"),
        ({}, EngineState("warming"), "Starting: loading the libraries, about 12 s · 2 s"),
        ({}, READY, "Starting · 2 s"),
        ({"progress": Progress("load", 0, 8_500_000, "Story GPT")}, READY, "Loading Story GPT (8.5 MB) · 2 s"),
        (
            {"progress": Progress("load", 0, 8_500_000, "Story GPT"), "stopping": True},
            READY,
            "Force unloads all models",
        ),
        ({"progress": Progress("prompt", 0, 1234, unit="tokens")}, READY, "Reading the prompt (1,234 tokens) · 2.0 s"),
        ({"progress": Progress("generate", 1, 160, unit="tokens")}, READY, "1 of 160 tokens · 2.0 s"),
        (
            {"progress": Progress("generate", 60, 160, unit="tokens"), "steps_per_s": 50.0},
            READY,
            "60 of 160 tokens · 50 tokens/s · 2.0 s · at most 2 s left",
        ),
        (
            {"progress": Progress("denoise", 7, 20), "steps_per_s": 9.0, "requests": (PICTURE,)},
            READY,
            "7 of 20 steps · 9 steps/s · 2.0 s · about 1.4 s left",
        ),
        (
            {
                "progress": Progress("generate", 158, 160, unit="tokens"),
                "steps_per_s": 50.0,
                "requests": (Request(model="text/x"),) * 3,
                "index": 1,
            },
            READY,
            "run 2 of 3 · 158 of 160 tokens · 50 tokens/s · 2.0 s · at most 1 s left for this run",
        ),
        (
            {"progress": Progress("denoise", 2, 20, "image 5 of 8"), "steps_per_s": 0.4, "requests": (PICTURES,)},
            READY,
            "image 5 of 8 · 2 of 20 steps · 2.5 s per step · 2.0 s · about 45 s left for these images",
        ),
        (
            {"progress": Progress("generate", 1, 4, unit="images"), "requests": (PICTURE,)},
            READY,
            "1 of 4 images · 2.0 s",
        ),
        (
            {"progress": Progress("generate", 2, 7, unit="sentences"), "steps_per_s": 0.5, "requests": (SOUND,)},
            READY,
            "2 of 7 sentences · 2.0 s per sentence · 2.0 s · about 10 s left",
        ),
        (
            {"progress": Progress("generate", 4, 38_422, unit="parts"), "steps_per_s": 2.0},
            READY,
            "4 of 38,422 parts · 0.5 s per part · 2.0 s · about 5 hours left",
        ),
        ({"progress": Progress("listen", 0, 1, unit="parts"), "requests": (SOUND,)}, READY, "0 of 1 part · 2.0 s"),
        (
            {"progress": Progress("listen", 37, 100, unit="%"), "steps_per_s": 12.0, "requests": (SOUND,)},
            READY,
            "37% · 2.0 s · about 5.2 s left",
        ),
        ({"progress": Progress("dream", 5, unit="sheep"), "steps_per_s": 2.0}, READY, "5 sheep · 2.0 s"),
        ({"progress": Progress("dream")}, READY, "Working · 2.0 s"),
        ({"progress": Progress("decode", 0, 1), "requests": (PICTURE,)}, READY, "Decoding latents to pixels · 2.0 s"),
        (
            {"progress": Progress("resting", 7, 20), "steps_per_s": 9.0, "requests": (PICTURE,)},
            READY,
            "Set aside for a shorter run of somebody else, goes on after it · 7 of 20 steps done · 2 s",
        ),
        (
            {"progress": Progress("decode", 0, 1), "requests": (PICTURE,) * 4, "index": 1, "runs": (MADE,)},
            READY,
            "run 2 of 4, about 13 s left for all · Decoding latents to pixels · 2.0 s",  # 5 s each, 2 s are over
        ),
        (
            {
                "progress": Progress("denoise", 7, 20),
                "steps_per_s": 9.0,
                "requests": (PICTURES,) * 4,
                "index": 1,
                "state": "running",
                "runs": (MADE,),
            },
            READY,
            "run 2 of 4, about 13 s left for all · 7 of 20 steps · 9 steps/s · 2.0 s · about 1.4 s left for this run",
        ),
        ({"progress": Progress("resting")}, READY, "somebody else, goes on after it · 2 s"),
    ],
)
def test_a_living_job_says_what_happens_and_for_how_long(change, engine, words):
    assert words in job_panel.words(replace(VIEW, **change), engine, NOW)


@pytest.mark.parametrize(
    ("progress", "part", "heard"),
    [
        (Progress("listen", 37, 100, unit="%"), 0.37, "A quarter is done"),
        (Progress("sing", 3, 4, unit="verses"), 0.75, "Three quarters are done"),
        (Progress("denoise", 9, 8), 1.0, "Three quarters are done"),
        (Progress("sing", 3), 0.0, "Started"),
        (Progress("load", 3, 4), 0.0, "Started"), (Progress("prompt", 3, 4), 0.0, "Started"),
        (Progress("decode", 3, 4), 0.0, "Started"), (None, 0.0, "Started"),
    ],
)  # fmt: skip
def test_the_bar_and_what_is_read_out_follow_every_stage_that_says_its_total(progress, part, heard):
    assert share(progress) == part
    assert guide.words(replace(VIEW, progress=progress)) == heard


def test_the_status_line_says_memory_models_and_who_waits():
    loaded = ({"model": "text/x", "bytes": 17_000_000, "leases": 0},)
    state = EngineState("ready", 0.0, 1, loaded, 17_000_000, 1_200_000_000)
    assert status_line.words(state, 2).endswith("17 MB of 1.2 GB · 1 model loaded · 2 waiting")
    assert "no model loaded · nobody waiting" in status_line.words(EngineState("ready"), 0)
    assert "Starting: loading the libraries, 3 s" in status_line.words(EngineState("warming", time.time() - 3), 0)
    assert "a new one is starting" in status_line.words(EngineState("stopped", time.time() - 1), 0)
    assert "does not start" in status_line.words(EngineState("stopped", time.time() - 60), 0)
    failed = EngineState("stopped", time.time(), problem="No *Python*.", retry_at=time.time() + 8)
    assert r"The worker does not start. No \*Python\*\. Tried again in 8 s · 2 waiting" in status_line.words(failed, 2)


@pytest.mark.parametrize(
    "text", [":material/home: x", ":material_home:", ":streamlit:", "a -> b", "<- b", "a <->", "--", ">= <=", "a ~= b"]
)
def test_plain_text_keeps_nothing_that_streamlit_replaces_after_the_escapes_were_read(text):
    read = plain(text).replace("\\", "")  # as the browser has it before it puts icons and arrows in
    assert not re.search(r":material[/_]\w+:|:streamlit:|(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)", read)
    assert read.replace("\u2060", "") == text


@pytest.mark.parametrize(
    "text",
    [":material/home:", "a :material_home: b", ":streamlit:", "a -> b", "a <-> b", "a <- b", "a -- b", "a >= b",
     "a <= b", "a ~= b"],
)  # fmt: skip
def test_what_streamlit_makes_of_plain_text_stays_as_it_is(text):
    # as in its StreamlitMarkdown: on the source, then on the text that markdown leaves
    read = re.sub(r"\\(?=[!-/:-@\[-`{-~])", "", plain(text).replace(":material/", ":material_"))
    for found in (r":material_(\w+):", ":streamlit:", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"):
        assert not re.search(found, read), (found, read)
    assert read.replace("\u2060", "") == text


@pytest.mark.parametrize(
    "text",
    ["**bold**", "# title", "[a](http://b.c)", "![x](y)", ":smile:", ":red[x]", "$x^2$", "<b>", "`a`", "- a"],
)
def test_plain_text_keeps_no_character_that_means_something(text):
    escaped = plain(text)
    assert escaped.replace("\\", "").replace("\u2060", "") == text
    for place, letter in enumerate(escaped):
        if letter in "*#[]()!:$<>`_":
            assert escaped[place - 1] == "\\"


@pytest.mark.parametrize("text", ["http://b.c", "HTTPS://b.c/d", "www.b.c", "WWW.b.c", "see a@b.org", "javascript://x"])
def test_an_address_in_plain_text_is_no_link(text):
    shown = plain(text).replace("\\", "")
    assert not re.search(r"https?://|www\.|\w@\w|:/", shown, re.IGNORECASE)
    assert shown.replace("\u2060", "") == text
