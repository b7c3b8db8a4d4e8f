"""The microphone writes prompts, over a fake engine: what is said joins what was typed, and nothing runs or is kept."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from components import runtime, services, writers
from models.audio import sounds
from models.catalog import Catalog, load_catalog
from models.errors import QueueFull
from models.settings import Settings
from models.types import WRITING
from tests.components.audio.test_speech_page import EAR
from tests.components.page_steps import owner, press, said, settle, widget
from tests.fake_sounds import FakeSounds

ENGINE = FakeSounds
STORY, PROMPT = "pages/text.py", "text-prompt"
NOTHING = "Nothing was heard."


def recording(seconds=0.5):
    row = 0.3 * np.sin(np.arange(int(seconds * 16000)) / 20)
    return sounds.encode(row.astype(np.float32), 16000)


@pytest.fixture
def ear(tmp_path, monkeypatch):
    """Put an ear for any words into the catalogue."""
    folder = tmp_path / "more"
    (folder / "nowhere").mkdir(parents=True)
    (folder / "nowhere" / "model.safetensors").write_bytes(b"x")
    (folder / "ear.toml").write_text(EAR)
    dirs = [str(one) for one in (*Settings().catalog_dirs, folder)]
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps(dirs))


def say(page, data=None, at=0):
    page.audio_input[at].set_value(("said.wav", data or recording(), "audio/wav")).run()
    assert not page.exception, page.exception
    return page


def heard(pages, page):
    """Wait until no job writes, and draw the page again, as the panel does then."""
    limit = time.monotonic() + 5
    while any(job.purpose == WRITING and job.finished_at is None for job in list(pages.jobs._jobs.values())):
        assert time.monotonic() < limit
        time.sleep(0.01)
    page.run()
    assert not page.exception, page.exception
    return page


def prompt(page, key=PROMPT):
    return widget(page, "text_area", key).value


def write(page, text, key=PROMPT):
    widget(page, "text_area", key).set_value(text)
    page.run()
    return page


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [("", "a cat", "a cat"), ("  ", "a cat", "a cat"), ("Once", "a cat", "Once a cat"),
     ("Once\n", "a cat", "Once\na cat"), ("Once ", "a cat", "Once a cat")],
)  # fmt: skip
def test_words_join_a_text_at_its_end(before, words, after):
    assert writers.joined(before, words) == after


def test_what_is_said_joins_the_prompt_and_nothing_runs(ear, pages):
    page = write(pages.open(STORY, model="text/story-gpt"), "Once upon a time")
    pages.engine.hears = "there was a cat"
    page = heard(pages, say(page))
    assert prompt(page) == "Once upon a time there was a cat"
    assert [request.model for request in pages.engine.ran] == ["audio/tiny-ear"]
    page = write(page, "")
    assert prompt(heard(pages, say(page))) == "there was a cat"


def test_neither_the_recording_nor_a_run_is_kept(ear, pages):
    heard(pages, say(pages.open(STORY, model="text/story-gpt")))
    assert pages.store.runs() == []
    [request] = pages.engine.ran
    assert not pages.store.path(request.inputs["audio"]).exists()


@pytest.mark.parametrize(
    ("file", "model", "key"),
    [("pages/image.py", "image/emoji-diffusion", "image-prompt"),
     ("pages/audio.py", "audio/digits-diffusion", "audio-spectrogram_diffusion-prompt"),
     ("pages/text_tasks.py", "text/translate-en-fr", "text/text_tasks-Translate-prompt")],
)  # fmt: skip
def test_every_page_with_a_prompt_can_be_told_it(ear, pages, file, model, key):
    page = write(pages.open(file, model=model), "red", key)
    pages.engine.hears = "heart"
    assert prompt(heard(pages, say(page)), key) == "red heart"


def test_while_it_is_heard_there_is_progress_and_stop_and_the_box_waits(ear, pages):
    pages.engine.gate.clear()
    page = write(pages.open(STORY, model="text/story-gpt"), "Once")
    page = press(page, "run")  # a run of theirs goes first: what is said waits behind it
    page = say(page)
    assert widget(page, "text_area", PROMPT).disabled
    assert "Waiting in the queue, place 1" in "".join(bar.proto.text for bar in page.get("progress"))
    job = next(job.id for job in pages.jobs._jobs.values() if job.purpose == WRITING)
    page = heard(pages, press(page, f"stop-{job}"))
    assert "Stopped before there were words." in said(page)
    assert prompt(page) == "Once"
    assert not widget(page, "text_area", PROMPT).disabled
    pages.engine.gate.set()
    settle(pages, page)
    uploads = [request.inputs for request in pages.engine.ran if "audio" in request.inputs]
    assert uploads == []


def test_a_run_of_the_page_stays_while_somebody_speaks(ear, pages):
    page = settle(pages, press(pages.open(STORY, model="text/story-gpt"), "run"))
    [made] = pages.jobs.jobs_of(owner(pages))
    heard(pages, say(page))
    assert [view.id for view in pages.jobs.jobs_of(owner(pages))] == [made.id]


def test_silence_is_a_sentence(ear, pages):
    pages.engine.hears = ""
    page = heard(pages, say(write(pages.open(STORY, model="text/story-gpt"), "Once")))
    assert NOTHING in said(page)
    assert prompt(page) == "Once"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"RIFF no sound at all", "recording"), (b"\0" * 51_000_000, "50 MB"), (None, "10 minutes")],
    ids=["broken", "large", "long"],
)  # fmt: skip
def test_a_bad_recording_is_a_sentence_and_the_prompt_stays(ear, pages, data, words):
    if data is None:
        data = sounds.encode(np.zeros(1000 * 601, np.float32), 1000)
    page = say(write(pages.open(STORY, model="text/story-gpt"), "Once"), data)
    assert words in said(page)
    assert prompt(page) == "Once"
    assert pages.engine.ran == []


def test_a_failed_run_and_a_full_queue_are_sentences(ear, pages, monkeypatch):
    pages.engine.die()
    page = heard(pages, say(write(pages.open(STORY, model="text/story-gpt"), "Once")))
    assert "worker process was ended" in said(page)

    def full(*given, **named):
        raise QueueFull("Too many wait. Try again.")

    monkeypatch.setattr(pages.jobs, "submit", full)
    page = say(page)
    assert "Too many wait. Try again." in said(page)
    assert prompt(page) == "Once"


def test_where_no_recogniser_is_here_a_button_gets_one(pages, monkeypatch, tmp_path):
    read = load_catalog(Settings(data_dir=tmp_path / "empty"))
    monkeypatch.setattr(runtime, "catalog", lambda: Catalog(list(read.values()), read.families))
    started = []

    class Gets:
        def stage(self, model):
            return None

        def error(self, model):
            return ""

        def start(self, spec, by=""):
            started.append(spec.id)

    monkeypatch.setattr(services, "gets", Gets)
    page = pages.open(STORY, model="text/story-gpt")
    assert len(page.audio_input) == 0
    assert "“Dictate” needs Whisper tiny, which is to be downloaded once." in said(page)
    assert "English only" in said(page)
    press(page, f"get-audio/whisper-tiny-en-{PROMPT}")
    assert started == ["audio/whisper-tiny-en"]


def test_a_chat_box_has_a_microphone_and_sends_what_is_typed(ear, pages):
    page = pages.open(STORY, model="text/story-chat")
    assert "English only" in said(page)
    assert page.chat_input[0].proto.accept_audio
    settle(pages, page.chat_input[0].set_value("Hello").run())
    assert [request.inputs["prompt"] for request in pages.engine.ran] == ["Hello"]


def test_a_system_prompt_can_be_said_too(ear, pages):
    pages.engine.hears = "be brief"
    page = heard(pages, say(pages.open(STORY, model="text/story-chat")))
    assert prompt(page, "chat-system") == "be brief"


def test_what_a_box_with_a_send_button_waits_for_is_left_to_the_page_that_draws_it(ear, pages):
    pages.engine.gate.clear()
    page = say(press(write(pages.open(STORY, model="text/story-gpt"), "Once"), "run"))  # it waits behind the run
    [going] = page.session_state["writers-going"].values()
    page.session_state["writers-going"] = {PROMPT: going, "chat-input": replace(going, before="Tell")}
    pages.engine.gate.set()
    page = heard(pages, page)
    assert prompt(page) == "Once 407"
    assert list(page.session_state["writers-going"]) == ["chat-input"]
