"""A page's sweep: what is varied, what it costs, what is run, what the grid is sent, and what is left to make."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from components import desk as desks
from components import links, rooms, state, sweep_grid, sweep_life, sweep_page, sweep_state
from components.owners import Owner
from components.session import Session
from components.sweep_grid import Wanted
from models.catalog import load_catalog
from models.errors import BadInput
from models.runtime.job import Job
from models.sweeps import cells, kept
from models.sweeps.spec import Axis, Sweep
from models.types import Request
from tests.components.page_steps import messages, owner, press, said, settle, widget
from tests.models.runtime.world import until

PAGE = "pages/text.py"
MODEL = "text/story-gpt"


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """Let the box be open: AppTest opens none."""
    monkeypatch.setattr(sweep_page, "_is_open", lambda box: True)


def vary(page, *names):
    for name in names:
        widget(page, "selectbox", f"{MODEL}-sweep-add").set_value(name)
        page.run()
        assert not page.exception, page.exception
    return page


def write(page, name, text):
    kinds = ("text_input", "text_area", "multiselect")
    box = next(item for kind in kinds for item in getattr(page, kind) if item.key == f"{MODEL}-sweep-axis-{name}")
    box.set_value(text)
    page.run()
    return page


def labels(page):
    return [item.label for item in page.text_input]


def grid(page):
    """Return what the grid was handed last."""
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return next(data for data in found if "states" in data)


def ran(pages):
    return [(request.params.get("temperature"), request.seed) for request in pages.engine.ran]


def test_what_is_varied_makes_a_grid_and_nothing_is_made_twice(pages):
    page = vary(pages.open(PAGE), "temperature", "seed")
    page = write(write(page, "temperature", "0.5, 1"), "seed", "0, 1")
    assert "4 cells" in said(page)
    settle(pages, press(page, "text-sweep-run"))
    assert sorted(ran(pages)) == [(0.5, 0), (0.5, 1), (1.0, 0), (1.0, 1)]
    assert {run.purpose for run in pages.store.runs(owner(pages))} == {"sweep"}
    data = grid(page)
    assert [(axis["label"], axis["values"]) for axis in data["axes"]] == [
        ("Temperature", ["Temperature 0.5", "Temperature 1"]), ("Seed", ["seed 0", "seed 1"]),
    ]  # fmt: skip
    assert data["states"].replace("k", "c") == "cccc"
    page = write(page, "seed", "0, 1, 2")
    assert "6 cells · 4 already here" in said(page)
    settle(pages, press(page, "text-sweep-run"))
    assert sorted(ran(pages)[4:]) == [(0.5, 2), (1.0, 2)]
    assert grid(page)["states"].replace("k", "c") == "cccccc"


def test_a_sweep_whose_cells_are_all_there_shows_its_grid_and_runs_nothing(pages):
    page = write(vary(pages.open(PAGE), "temperature"), "temperature", "0.5, 1")
    settle(pages, press(page, "text-sweep-run"))
    settle(pages, press(page, "run"))  # another run takes the place
    assert not [item for item in page.get("bidi_component") if "states" in json.loads(item.proto.json)]
    many = len(pages.engine.ran)
    press(page, "text-sweep-run")
    assert grid(page)["states"] in ("kk", "cc")
    assert len(pages.engine.ran) == many


def test_what_was_stopped_goes_on_where_it_was(pages):
    pages.engine.hold_from = 2
    page = write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2, 3")
    press(page, "text-sweep-run")
    me = owner(pages)
    until(lambda: len(pages.engine.ran) == 3)  # the third is held
    pages.jobs.stop(me, pages.jobs.jobs_of(me)[-1].id)
    settle(pages, page)
    assert sorted(grid(page)["states"]) == [".", "c", "c", "x"]
    pages.engine.hold_from = None
    button = widget(page, "button", "text-sweep-go-on")
    assert button.label == "Go on: 2 cells left"
    settle(pages, press(page, "text-sweep-go-on"))
    assert grid(page)["states"].replace("k", "c") == "cccc"
    assert len(pages.engine.ran) == 5  # the one that was stopped is made again, the finished ones are not


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "Temperature has no values"), ("0.5, warm", "temperature is 'warm'"),
     ("0.5, 99, cold", "; temperature is 'cold'"), ("1, 1", "more than once")],
)  # fmt: skip
def test_values_that_are_none_are_told_beside_their_axis_and_nothing_can_be_run(pages, text, words):
    page = write(vary(pages.open(PAGE), "temperature"), "temperature", text)
    assert words in said(page)
    assert widget(page, "button", "text-sweep-run").disabled


def test_what_does_nothing_and_what_is_the_same_is_said_before_run(pages):
    page = write(vary(pages.open(PAGE), "do_sample", "temperature"), "temperature", "0.5, 1")
    assert "does nothing while Sampling is off: that is so in 2 of 4 cells" in said(page)
    settle(pages, press(page, "text-sweep-run"))
    assert len(pages.engine.ran) == 3
    assert grid(page)["states"].count("s") == 1


def test_prompts_by_lines_and_models_are_axes_too(pages):
    page = vary(pages.open(PAGE), "inputs.prompt", "model")
    page = write(page, "inputs.prompt", "A cat\nA dog")
    page = write(page, "model", [MODEL, "text/story-lstm"])
    settle(pages, press(page, "text-sweep-run"))
    assert sorted((one.model, one.inputs["prompt"]) for one in pages.engine.ran) == [
        (MODEL, "A cat"), (MODEL, "A dog"), ("text/story-lstm", "A cat"), ("text/story-lstm", "A dog"),
    ]  # fmt: skip
    assert grid(page)["axes"][1]["values"] == ["Story GPT", "Story LSTM"]


def test_an_axis_moves_up_and_goes_and_no_more_than_four_are_there(pages):
    page = vary(pages.open(PAGE), "temperature", "seed", "top_p", "top_k")
    assert not [item for item in page.selectbox if item.key == f"{MODEL}-sweep-add"]
    press(page, f"{MODEL}-sweep-axis-seed-up")
    assert labels(page)[:2] == ["Rows: Seed", "Columns: Temperature"]
    press(page, f"{MODEL}-sweep-axis-temperature-remove")
    assert widget(page, "selectbox", f"{MODEL}-sweep-add")
    assert "Columns: Top-p" in labels(page)


def test_a_range_fills_in_its_values(pages):
    page = vary(pages.open(PAGE), "temperature")
    key = f"{MODEL}-sweep-axis-temperature"
    for part, value in (("from", 0.5), ("to", 1.5), ("count", 3)):
        widget(page, "number_input", f"{key}-{part}").set_value(value)
    page.run()
    press(page, f"{key}-fill")
    assert widget(page, "text_input", key).value == "0.5, 1, 1.5"
    widget(page, "number_input", f"{key}-to").set_value(0.2)
    page.run()
    assert any("is no range" in one for one in messages(press(page, f"{key}-fill")))


def test_a_budget_makes_cells_from_all_over_the_grid_and_leaves_the_rest(pages, monkeypatch):
    page = write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2, 3, 4")
    given = []
    submit = pages.jobs.submit
    monkeypatch.setattr(pages.jobs, "submit", lambda *args: given.append(args) or submit(*args))
    widget(page, "number_input", "text-sweep-seconds").set_value(5)
    page.run()
    settle(pages, press(page, "text-sweep-run"))
    assert given[0][3] == 5.0
    assert [request.seed for request in given[0][1]][:3] == [2, 0, 4]  # the middle, then the ends


def test_the_sweep_is_there_again_in_a_new_tab_and_the_axes_too(pages, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    page = write(vary(pages.open(PAGE), "temperature"), "temperature", "0.5, 1")
    settle(pages, press(page, "text-sweep-run"))
    again = pages.open(PAGE)
    assert grid(again)["states"].replace("k", "c") == "cc"
    assert widget(again, "text_input", f"{MODEL}-sweep-axis-temperature").value == "0.5, 1"


def swept(pages, name="temperature", text="0.5, 1"):
    page = write(vary(pages.open(PAGE), name), name, text)
    return settle(pages, press(page, "text-sweep-run"))


def has_grid(page):
    return any("states" in json.loads(item.proto.json) for item in page.get("bidi_component"))


def test_the_last_sweep_is_shown_again_after_another_run_and_what_is_being_written_stays(pages):
    page = swept(pages)
    assert not [item for item in page.button if item.key == "text-sweep-last"]
    page = settle(pages, press(write(page, "temperature", "0.7, 0.9"), "run"))
    assert not has_grid(page)
    page = press(page, "text-sweep-last")
    assert grid(page)["axes"][0]["values"] == ["Temperature 0.5", "Temperature 1"]
    assert widget(page, "text_input", f"{MODEL}-sweep-axis-temperature").value == "0.7, 0.9"
    assert "What you wrote in the box “Sweep” stayed" in said(page)
    page = settle(pages, press(press(page, f"{MODEL}-sweep-axis-temperature-remove"), "run"))
    page = press(page, "text-sweep-last")
    assert widget(page, "text_input", f"{MODEL}-sweep-axis-temperature").value == "0.5, 1"  # nothing was being written


def test_how_much_of_a_sweep_is_there_is_said_whatever_job_made_it(pages):
    pages.engine.hold_from = 2
    page = write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2, 3")
    press(page, "text-sweep-run")
    me = owner(pages)
    until(lambda: len(pages.engine.ran) == 3)
    pages.jobs.stop(me, pages.jobs.jobs_of(me)[-1].id)
    page = settle(pages, page)
    assert "2 of 4 cells are there" in said(page)
    assert "Story GPT, “" in said(page)
    pages.engine.hold_from = None
    page = settle(pages, press(page, "text-sweep-go-on"))
    assert "All 4 cells are there" in said(page)


def test_the_box_counts_what_was_just_made_before_the_store_is_asked_again(pages, monkeypatch):
    monkeypatch.setattr(sweep_life, "LOOK_S", 3600.0)
    page = settle(pages, press(write(vary(pages.open(PAGE), "seed"), "seed", "0, 1"), "text-sweep-run"))
    assert "2 cells · 2 already here" in said(page)


def test_cells_that_failed_are_tried_again_and_not_gone_on_with(pages):
    pages.engine.fail_with = BadInput("It is too long.")
    page = settle(pages, press(write(vary(pages.open(PAGE), "seed"), "seed", "0, 1"), "text-sweep-run"))
    assert "0 of 2 cells are there, 2 failed" in said(page)
    assert widget(page, "button", "text-sweep-go-on").label == "Try 2 cells again"


def test_a_second_sweep_queues_behind_the_first(pages):
    pages.engine.hold_from = 0
    page = write(vary(pages.open(PAGE), "temperature"), "temperature", "0.5, 1")
    press(page, "text-sweep-run")
    until(lambda: len(pages.engine.ran) == 1)
    page = write(page, "temperature", "0.7, 0.9")
    page = press(page, "text-sweep-run")
    assert [view.state for view in pages.jobs.jobs_of(owner(pages))] == ["running", "queued"]
    assert grid(page)["axes"][0]["values"] == ["Temperature 0.7", "Temperature 0.9"]
    pages.engine.hold_from = None
    page = settle(pages, page)
    assert sorted(one for one, _ in ran(pages)) == [0.5, 0.7, 0.9, 1.0]


def test_cells_that_are_made_at_once_with_the_one_at_hand_are_being_made(pages, monkeypatch):
    told = Job.view
    monkeypatch.setattr(Job, "view", lambda self, place: replace(told(self, place), at_once=(0, 1)))
    pages.engine.hold_from = 0
    page = press(write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2"), "text-sweep-run")
    until(lambda: len(pages.engine.ran) == 1)
    page.run()
    assert grid(page)["states"] == "rr."
    pages.engine.hold_from = None
    assert grid(settle(pages, page))["states"] == "ccc"


def test_after_stop_what_is_not_made_does_not_wait(pages):
    pages.engine.hold_from = 0
    page = press(write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2"), "text-sweep-run")
    until(lambda: len(pages.engine.ran) == 1)
    page.run()
    assert grid(page)["live"]
    pages.jobs.stop(owner(pages), pages.jobs.jobs_of(owner(pages))[-1].id)
    assert not grid(settle(pages, page))["live"]


def test_a_cell_that_is_there_opens_while_the_others_are_made(pages):
    def is_open(page):
        return any(item.key.startswith("sweep-use-") for item in page.button)

    pages.engine.hold_from = 1
    page = press(write(vary(pages.open(PAGE), "seed"), "seed", "0, 1, 2"), "text-sweep-run")
    until(lambda: len(pages.engine.ran) == 2)
    page.run()
    assert not is_open(page)
    data = grid(page)
    page.session_state[state.key(data["id"], "chosen")] = data["states"].index("c")
    page.run()
    assert grid(page)["live"]
    assert is_open(page)
    pages.jobs.stop(owner(pages), pages.jobs.jobs_of(owner(pages))[-1].id)
    assert is_open(settle(pages, page))


def test_what_is_kept_stands_above_a_sweep(pages):
    page = settle(pages, press(pages.open(PAGE), "run"))
    press(page, next(item.key for item in page.button if item.key.startswith("keep-")))
    page = write(vary(page, "temperature"), "temperature", "0.5, 1")
    page = settle(pages, press(page, "text-sweep-run"))
    assert has_grid(page)
    assert any(item.key.startswith("let-go-") for item in page.button)


def test_a_link_that_waits_to_be_run_is_not_hidden_by_a_sweep(pages, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    swept(pages)
    assert has_grid(pages.open(PAGE))
    shared = Request(model=MODEL, inputs={"prompt": "Shared"}, seed=3)
    page = pages.open(PAGE, r=links.link_to("http://x/text", shared).split("r=")[1])
    assert not has_grid(page)
    assert "Press Run to see what was shared" in said(page)


def test_a_sweep_of_another_tab_is_shown_with_its_own_job(pages, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    first = swept(pages)
    second = write(vary(pages.open(PAGE), "seed"), "seed", "5, 6, 7")
    widget(second, "button", f"{MODEL}-sweep-axis-temperature-remove").click()
    second.run()
    settle(pages, press(second, "text-sweep-run"))
    first.run()
    assert [axis["label"] for axis in grid(first)["axes"]] == ["Seed"]
    assert grid(first)["states"].replace("k", "c") == "ccc"


def test_a_sweep_is_there_after_the_app_was_started_again(pages, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    swept(pages)
    with monkeypatch.context() as started_again:
        started_again.setattr(pages.jobs, "jobs_of", lambda owner: [])  # what is left is in the store
        assert grid(pages.open(PAGE))["states"].replace("k", "c") == "cc"
    settle(pages, press(pages.open(PAGE), "run"))
    monkeypatch.setattr(pages.jobs, "jobs_of", lambda owner: [])
    assert not has_grid(pages.open(PAGE))  # a run came after it


# -- what is sent to the browser -------------------------------------------------------------------------------------


def test_what_a_browser_makes_up_is_no_wish(monkeypatch):
    for given, found in [
        (None, Wanted()), ("x", Wanted()), ({"mount": 3, "cells": []}, Wanted()),
        ({"mount": "m", "ask": True, "cells": [1, "2", None, -4, 10**30], "pin": 1e400},
         Wanted("m", 0, (1, -1, -1, -4, -1), -1)),
        ({"mount": "m", "ask": 2, "cells": list(range(1000)), "pin": 7}, Wanted("m", 2, tuple(range(400)), 7)),
    ]:  # fmt: skip
        slot = SimpleNamespace(get=lambda given=given: SimpleNamespace(want=given))
        monkeypatch.setattr(sweep_grid.state, "at", lambda key, slot=slot: slot)
        assert sweep_grid.wanted("key") == found


def planned(pages):
    """Return the desk of the page, and a sweep over the seed that was run there."""
    swept(pages, "seed", "0, 1, 2")
    known = Owner(owner(pages), "session")
    desk = desks.of(Session(pages.jobs, known, load_catalog(pages.jobs.settings)), rooms.room("text"), MODEL)
    request = pages.engine.ran[0].model_copy(update={"seed": 0})
    plan = cells.plan(desk.session.catalog, Sweep(request, (Axis("seed", (0, 1, 2)),)))
    found = sweep_state.Planned(plan, kept.causes_of(desk.session.catalog, plan))
    found.look(desk)
    return desk, found


def test_tiles_are_sent_as_long_as_the_browser_lacks_them(pages, monkeypatch):
    desk, found = planned(pages)
    assert sorted(found.there) == [0, 1, 2]

    def tiles(*want):
        return [(one.mount, one.look, one.cell) for one in
                sweep_page._tiles(desk, found.plan, found.there, Wanted(*want))]  # fmt: skip

    for _ in range(2):  # what was sent may not have been drawn
        assert tiles("m", 1, (0, 2)) == [("m", -1, 0), ("m", -1, 2)]
    assert tiles("m", 2, ()) == []
    assert tiles("n", 1, (1, 99, -5), 0) == [("n", 0, 1)]
    monkeypatch.setattr(sweep_page, "TILES_S", -1.0)  # no time is left: the browser asks again
    assert tiles("m", 3, (0, 2)) == []


def test_what_was_deleted_is_not_shown_any_longer(pages):
    desk, found = planned(pages)
    pages.store.forget(desk.session.owner)
    found.look(desk)
    assert found.there == {}
    assert len(found.left) == 3


def test_axes_of_another_version_are_left_out(pages, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    page = press(vary(pages.open(PAGE), "temperature"), "run")
    odd = [{"name": "gone", "text": "1"}, 7, {"name": "seed", "text": "1, 2"}]
    pages.store.save_note(owner(pages), f"{MODEL}-sweep-axes", odd)
    assert labels(settle(pages, page))[:1] == ["Columns: Temperature"]
    assert labels(pages.open(PAGE))[:1] == ["Columns: Seed"]
