"""What is under a finished picture, over an engine that draws flat colours: steps, words, walks, comparison."""

import json
import time

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from components import presence, services, theatre
from models import images
from models.catalog import load_catalog
from models.engine import StopSignal
from models.errors import BadInput
from models.events import Final, Preview, Progress
from models.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Output, Request
from tests.fakes import FakeEngine

OWNER = "ann"
CATALOG = load_catalog(Settings(), strict=False)
DIFFUSION = next(spec.id for spec in CATALOG.values() if spec.family == "text_to_image")
VAE = next(spec.id for spec in CATALOG.values() if spec.family == "vae")
FAMILY = [spec.id for spec in CATALOG.values() if spec.collection == CATALOG[DIFFUSION].collection]
SIDE = 64
COUNT = 5


def flat(shade, width=SIDE):
    return np.full((SIDE, width, 3), shade % 256, dtype=np.uint8)


class Pictures(FakeEngine):
    """Draw one flat picture per seed, in three steps; serve the studies. Runs from number `hold_from` on wait."""

    settled = 3
    fail_models = ()
    hold_from = 10_000

    def held(self):
        return not self.gate.is_set() or len(self.ran) > self.hold_from

    def generate(self, request, stop=None):
        stop = stop or StopSignal()
        self.ran.append(request)
        for step in range(3):
            yield Progress("denoise", step + 1, 3)
            preview = images.preview_output(flat(step), 0, {"step": step + 1, "total": 3})
            yield Preview((preview,))
            while self.held():
                time.sleep(0.005)
                if stop.asked:
                    half = images.image_output(flat(1), {}, 0, {"finish": "stopped", "seed": request.seed})
                    yield Final((half,), {"stopped": True, "seconds": 0.1})
                    return
        if self.fail_with is not None or request.model in self.fail_models:
            raise self.fail_with or BadInput("No *such* word.")
        outputs = {"": self.pictures, "steps": self.strips, "words": self.heats}[request.study](request)
        yield Final(tuple(outputs), {"stopped": False, "seconds": 0.5, "notes": [], "in_effect": {}})

    def pictures(self, request):
        count = request.params.get("num_images", 1)
        made = [
            images.image_output(flat(10 * (request.seed + place)), {}, place, {"seed": request.seed + place})
            for place in range(count)
        ]
        if CATALOG[request.model].family != "text_to_image":
            return made
        meta = {"index_of": 0, "count": COUNT, "timesteps": [900.0, 700.0, 500.0, 300.0, 100.0],
                "change": [1.0, 0.5, 0.2, 0.01, 0.0], "settled": self.settled}  # fmt: skip
        data = f"steps of {request.canonical()}".encode()
        return [*made, Output("steps", 0, "", data, "application/safetensors", meta=meta)]

    def strips(self, request):
        meta = {"count": COUNT, "tile": [SIDE, SIDE]}
        return [images.image_output(flat(90, COUNT * SIDE), {}, index, {"what": what, **meta})
                for index, what in enumerate(("x0", "x_t"))]  # fmt: skip

    def heats(self, request):
        words = request.inputs["prompt"].split()
        heat = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
        return [images.image_output(flat(40), {}, 0, {"what": "picture"}),
                *(images.heat_output(heat, index, {"word": word, "what": "heat"})
                  for index, word in enumerate(words, 1))]  # fmt: skip


def page():
    """Draw what the Image page draws of the newest job and its runs."""
    import streamlit as st

    from components import image_after, presence, services, state
    from components.runtime import catalog
    from components.words import plain

    jobs, owner = services.jobs(), presence.session_id()
    views = [view for view in jobs.jobs_of(owner) if not view.requests[0].study]
    for notice in state.notices():
        st.warning(plain(notice["message"]))
    view = views[-1]
    if view.purpose:
        image_after.draw_job(jobs, owner, catalog(), view, view.id)
    else:
        for run in view.runs:
            image_after.draw(jobs, owner, catalog(), run, f"after-{run.id}")


class Desk:
    """Hold one session: its jobs, its page."""

    def __init__(self, folder):
        settings = Settings(data_dir=folder)
        self.engine = Pictures()
        self.store = Store(settings)
        self.jobs = Jobs(self.engine, self.store, settings, CATALOG.validate)
        self.page = AppTest.from_function(page, default_timeout=20)

    def submit(self, *requests, purpose=""):
        job = self.jobs.submit(OWNER, list(requests), purpose)
        return job

    def wait(self):
        limit = time.monotonic() + 10
        while any(not view.finished for view in self.jobs.jobs_of(OWNER)):
            assert time.monotonic() < limit
            time.sleep(0.005)

    def draw(self):
        self.page.run()
        assert not self.page.exception, self.page.exception
        return self.page

    def finished(self, **more):
        """Run one request to its end and draw it."""
        self.submit(asked(**more))
        self.wait()
        return self.draw()

    def open(self, name):
        widget(self.page, "button_group", "-choice").set_value(name)
        self.page.run()

    def settle(self):
        """Wait for what was begun, and draw again."""
        self.wait()
        self.draw()
        self.wait()
        return self.draw()

    def newest(self):
        return self.jobs.jobs_of(OWNER)[-1]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    desk = Desk(tmp_path)
    monkeypatch.setattr(services, "jobs", lambda: desk.jobs)
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)
    yield desk
    desk.engine.gate.set()
    desk.jobs.close()


def asked(model=DIFFUSION, prompt="red *heart*", seed=7, **params):
    return Request(model=model, inputs={"prompt": prompt}, params=params, seed=seed)


def widget(page, kind, key):
    return next(item for item in page.get(kind) if item.key.endswith(key))


def choices(page):
    found = [item for item in page.get("button_group") if item.key.endswith("-choice")]
    return [option.content for option in found[0].proto.options] if found else []


def components(page):
    """Return the data of every component drawn."""
    return [json.loads(item.proto.json) for item in page.get("bidi_component")]


def players(page):
    return [data for data in components(page) if "captions" in data]


def said(page):
    kinds = ("error", "warning", "info", "caption", "markdown", "text")
    return " | ".join(str(item.value) for kind in kinds for item in getattr(page, kind)).replace("\\", "")


def test_nothing_runs_until_something_is_opened(desk):
    page = desk.finished()
    assert [name for name in choices(page) if name in ("Steps", "Words", "Walk")] == ["Steps", "Words", "Walk"]
    desk.draw()
    assert [request.study for request in desk.engine.ran] == [""]


def test_only_what_a_model_can_is_offered(desk):
    page = desk.finished(model=VAE)
    assert "Walk" in choices(page)
    assert not {"Steps", "Words"} & set(choices(page))


def test_the_steps_are_decoded_once_and_shown_in_step(desk):
    desk.finished()
    kept = next(one for one in desk.newest().runs[0].outputs if one.kind == "steps")
    reference = desk.store.get_run(desk.newest().runs[0].id).outputs[-1].sha256
    desk.open("Steps")
    page = desk.settle()
    study = desk.engine.ran[-1]
    assert (study.study, study.seed, study.inputs["prompt"]) == ("steps", 7, "red *heart*")
    assert study.inputs["steps"] in (f"sha256:{reference}", f"sha256:{kept.sha256}")
    player = players(page)[0]
    assert len(player["urls"]) == 2
    assert player["count"] == COUNT
    assert player["captions"][1] == "step 2 of 5 · t = 700"
    assert player["marker"] == 2  # the third tile is where it stood still
    assert "3 of 5 steps would have done" in said(page)
    desk.draw()
    assert [request.study for request in desk.engine.ran] == ["", "steps"]


def test_a_picture_that_changed_until_the_end_has_no_mark(desk):
    desk.engine.settled = None
    desk.finished()
    desk.open("Steps")
    page = desk.settle()
    assert players(page)[0]["marker"] is None
    assert "until the" in said(page)


def test_the_sentence_and_the_curve():
    output = Output("steps", meta={"settled": 14, "count": 20})
    assert theatre.sentence(output).startswith("14 of 20 steps would have done")


def test_the_words_are_shown_as_text_over_the_picture(desk):
    desk.finished(prompt="red *heart*")
    desk.open("Words")
    page = desk.settle()
    assert desk.engine.ran[-1] == asked().model_copy(update={"study": "words"})
    pills = widget(page, "button_group", "-word")
    assert [option.content for option in pills.proto.options] == ["red", r"\*heart\*"]
    pills.set_value(1)
    page.run()
    assert not page.exception
    labels = [one["label"] for data in components(page) if "pictures" in data for one in data["pictures"]]
    assert "*heart*" in labels
    assert "cross-attention" in said(page)
    assert [request.study for request in desk.engine.ran] == ["", "words"]


@pytest.mark.parametrize("name", ["Steps", "Words"])
def test_a_page_drawn_anew_while_a_study_runs_shows_how_far_it_is(desk, name):
    desk.finished()
    desk.engine.gate.clear()
    desk.open(name)
    page = desk.draw()  # a whole-page draw, as after any widget elsewhere
    assert "1 of 3" in said(page) or page.get("progress")
    assert [request.study for request in desk.engine.ran] == ["", name.lower()]


def test_a_study_that_fails_says_why_and_is_begun_again_on_a_press_alone(desk):
    desk.finished()
    desk.engine.fail_with = BadInput("The kept *steps* are damaged.")
    desk.open("Steps")
    page = desk.settle()
    assert "The kept *steps* are damaged." in said(page)
    desk.draw()
    assert [request.study for request in desk.engine.ran] == ["", "steps"]
    desk.engine.fail_with = None
    next(button for button in page.button if button.label == "Try again").click()
    page.run()
    page = desk.settle()
    assert players(page)


def test_a_walk_is_queued_shown_and_can_be_taken_along(desk):
    desk.finished(num_images=2)
    desk.open("Walk")
    widget(desk.page, "slider", "-frames").set_value(4)
    widget(desk.page, "number_input", "-seed").set_value(9)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    page = desk.settle()
    view = desk.newest()
    assert (view.purpose, len(view.requests)) == ("walk", 4)
    assert view.requests[0] == asked(num_images=1)
    assert view.requests[-1].params == {"num_images": 1, "variation_seed": 9, "variation_strength": 1.0}
    player = players(page)[0]
    assert (player["count"], player["captions"][0], player["captions"][-1]) == (4, "seed 7", "seed 9")
    labels = [item.proto.label for item in page.get("download_button")]
    assert len(labels) == 2


def test_a_walk_to_where_the_run_is_is_a_sentence(desk):
    desk.finished()
    desk.open("Walk")
    widget(desk.page, "number_input", "-seed").set_value(7)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    assert not desk.page.exception
    assert "no way to walk" in said(desk.page)
    assert len(desk.engine.ran) == 1


def test_the_kinds_of_walk_bring_their_own_targets(desk):
    desk.finished()
    desk.open("Walk")
    widget(desk.page, "button_group", "-kind").set_value("prompt")
    desk.page.run()
    widget(desk.page, "text_input", "-prompt").set_value("blue <b>heart</b>")
    widget(desk.page, "slider", "-frames").set_value(3)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    page = desk.settle()
    assert [one.params.get("prompt_mix", 0) for one in desk.newest().requests] == [0, 0.5, 1.0]
    assert players(page)[0]["captions"][-1] == "“blue <b>heart</b>”"


def test_a_living_walk_draws_and_a_stopped_one_shows_its_whole_frames(desk):
    walk = [asked(variation_seed=9, variation_strength=share) for share in (0.0, 0.5, 0.8, 1.0)]
    desk.engine.hold_from = 2
    job = desk.submit(*walk, purpose="walk")
    limit = time.monotonic() + 5
    while len(desk.jobs.view(OWNER, job).runs) < 2:
        assert time.monotonic() < limit
        time.sleep(0.005)
    page = desk.draw()
    assert any(button.label == "Stop" for button in page.button)
    desk.jobs.stop(OWNER, job)
    desk.wait()
    assert [run.status for run in desk.newest().runs] == ["done", "done", "stopped"]
    page = desk.draw()
    assert "2 of 4 frames" in said(page)
    assert players(page)[0]["captions"] == ["seed 7", "50 % seed 7, 50 % seed 9"]  # a half-drawn picture is no frame


def test_a_living_walk_shows_the_frames_so_far(desk):
    walk = [asked(variation_seed=9, variation_strength=share) for share in (0.0, 0.5, 1.0)]
    desk.engine.hold_from = 2
    job = desk.submit(*walk, purpose="walk")
    limit = time.monotonic() + 5
    while len(desk.jobs.view(OWNER, job).runs) < 2:
        assert time.monotonic() < limit
        time.sleep(0.005)
    labels = [one["label"] for data in components(desk.draw()) for one in data.get("pictures", [])]
    assert {"seed 7", "50 % seed 7, 50 % seed 9"} <= set(labels)


def test_a_walk_stopped_before_its_turn_says_so(desk):
    desk.engine.gate.clear()
    desk.submit(asked())
    job = desk.submit(asked(), asked(seed=8), purpose="walk")
    desk.jobs.stop(OWNER, job)
    page = desk.draw()
    assert "stopped before its first frame" in said(page)


def test_a_walk_whose_files_were_cleared_leaves_the_page_whole(desk, tmp_path):
    walk = [asked(variation_seed=9, variation_strength=share) for share in (0.0, 0.5, 1.0)]
    desk.submit(*walk, purpose="walk")
    desk.wait()
    for run in desk.newest().runs:
        run.outputs[:] = desk.store.get_run(run.id).outputs
    for path in (tmp_path / "artifacts").glob("??/*"):
        path.unlink()
    desk.page.run()
    assert not desk.page.exception, desk.page.exception


def test_one_prompt_is_drawn_by_every_model_of_the_collection(desk):
    page = desk.finished(prompt="red *heart*")
    desk.open(next(name for name in choices(page) if "architectures" in name or "Compare" in name))
    widget(desk.page, "button", "-compare").click()
    desk.page.run()
    page = desk.settle()
    view = desk.newest()
    assert view.purpose == "compare"
    assert [one.model for one in view.requests] == FAMILY
    assert {(one.inputs["prompt"], one.seed, json.dumps(one.params)) for one in view.requests} == {
        ("red *heart*", 7, "{}")
    }
    words = said(page)
    for model in FAMILY:
        assert CATALOG[model].name in words
        assert f"{CATALOG[model].parameters / 1e6:.1f} million" in words
        assert CATALOG[model].trained_on.split("(")[0].strip() in words, "how it was trained names what on"
    assert words.count("0.50 s") == len(FAMILY)


def test_a_model_that_fails_leaves_the_others(desk):
    desk.engine.fail_models = (VAE,)
    desk.submit(*[Request(model=model, inputs={"prompt": "sun"}) for model in FAMILY], purpose="compare")
    desk.wait()
    page = desk.draw()
    assert "No *such* word." in said(page)
    assert sum("pictures" in data for data in components(page)) == len(FAMILY) - 1
