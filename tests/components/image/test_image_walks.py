"""Walks and comparisons from a finished picture."""

import json
import time

from components import inputs
from models.errors import BadInput
from models.types import Request
from tests.components.image_desk import (
    CATALOG,
    FAMILY,
    OWNER,
    VAE,
    asked,
    choices,
    components,
    players,
    widget,
)
from tests.components.page_steps import said
from tests.stored import kept_run


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
    assert labels[:2] == ["Download GIF", "Download strip"]


def test_one_frame_of_a_walk_is_used_on(desk):
    desk.submit(*[asked(variation_seed=9, variation_strength=share) for share in (0.0, 0.5, 1.0)], purpose="walk")
    desk.wait()
    page = desk.draw()
    widget(page, "selectbox", "-frame").set_value(2)
    page.run()
    next(button for button in page.button if button.label == "Use as input").click()
    page.run()
    assert not page.exception
    used = page.session_state[inputs.ref_key("image", "image")]
    assert used == f"sha256:{desk.newest().runs[2].outputs[0].sha256}"


def test_a_walk_begins_at_any_picture_of_a_batch(desk):
    desk.finished(num_images=3)
    desk.open("Walk")
    widget(desk.page, "button_group", "-first").set_value(2)
    widget(desk.page, "number_input", "-seed").set_value(20)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    assert not desk.page.exception
    assert desk.newest().requests[0] == asked(seed=9, num_images=1)


def test_a_walk_from_any_picture_of_a_batch_keeps_its_strip(desk):
    desk.finished(num_images=3)
    desk.open("Walk")
    widget(desk.page, "button_group", "-first").set_value(2)
    widget(desk.page, "number_input", "-seed").set_value(20)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    desk.settle()
    desk.finished(num_images=3)  # the look is open under the run again
    widget(desk.page, "button_group", "-first").set_value(2)
    page = desk.page.run()
    assert "Your last walk from this image" in said(page)
    widget(page, "button_group", "-first").set_value(1)
    assert "Your last walk from this image" not in said(page.run())


def test_a_walk_to_where_the_run_is_is_a_sentence(desk):
    desk.finished()
    desk.open("Walk")
    widget(desk.page, "number_input", "-seed").set_value(7)
    widget(desk.page, "button", "-walk").click()
    desk.page.run()
    assert not desk.page.exception
    assert "Choose another target" in said(desk.page)
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
    assert players(page)[0]["captions"] == ["seed 7", "50% seed 7, 50% seed 9"]  # a half-drawn picture is no frame


def test_a_living_walk_shows_the_frames_so_far(desk):
    walk = [asked(variation_seed=9, variation_strength=share) for share in (0.0, 0.5, 1.0)]
    desk.engine.hold_from = 2
    job = desk.submit(*walk, purpose="walk")
    limit = time.monotonic() + 5
    while len(desk.jobs.view(OWNER, job).runs) < 2:
        assert time.monotonic() < limit
        time.sleep(0.005)
    labels = [one["label"] for data in components(desk.draw()) for one in data.get("pictures", [])]
    assert {"seed 7", "50% seed 7, 50% seed 9"} <= set(labels)


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
        run.outputs[:] = kept_run(desk.store, run.id).outputs
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
    desk.engine.fail_with, desk.engine.fail_models = BadInput("No *such* word."), (VAE,)
    desk.submit(*[Request(model=model, inputs={"prompt": "sun"}) for model in FAMILY], purpose="compare")
    desk.wait()
    page = desk.draw()
    assert "No *such* word." in said(page)
    assert sum("pictures" in data for data in components(page)) == len(FAMILY) - 1
