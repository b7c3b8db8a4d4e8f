"""What every engine adds to a run: which settings had an effect, in place of the families."""

import hashlib
import json
from typing import ClassVar

import pytest
from pydantic import Field

from models.blobs import Blobs
from models.catalog import Catalog
from models.errors import BadRequest, NotNow
from models.events import Final, Preview
from models.family import Family, Loaded
from models.params import Params, hint
from models.runtime import memory
from models.runtime.engine import LocalEngine, StopSignal, run_request
from models.runtime.registry import Registry
from models.settings import Settings
from models.spec import ModelSpec
from models.types import Output, Request
from tests.models.runtime.scripted import Clock
from tests.odd import odd_settings


class DiceParams(Params):
    chance: bool = Field(True, description="Roll.")
    sides: int = Field(6, ge=2, le=20, description="Sides.", json_schema_extra=hint(shown_if={"chance": [True]}))
    extra: float = Field(0.0, ge=0, le=1, description="More.", json_schema_extra=hint(neutral=0.0))
    quick: bool = Field(False, description="Quick.", json_schema_extra=hint(neutral=False))


class Dice(Family):
    name: ClassVar[str] = "dice"
    title: ClassVar[str] = "Dice"
    modality: ClassVar[str] = "text"
    Params: ClassVar[type[Params]] = DiceParams
    seed_shown_if: ClassVar[dict] = {"chance": (True,)}
    studies: ClassVar[dict] = {"look": "look"}

    def load(self, spec):
        return Loaded({})

    def generate(self, spec, request, params, loaded, context):
        yield Preview(())
        bare = Output("dice", 0, "", b"a file", "text/plain")
        stamped = Output("dice", 1, "", json.dumps(context.stamp).encode(), "application/json")
        yield Final(
            (bare, stamped, Output("steps", 2, "", b"aside", sha256="given")),
            {"notes": ["rolled"], **({"unused": ["quick"]} if params.sides == 2 else {})},
        )

    def look(self, spec, request, params, loaded, context):
        yield Final((), {"stopped": context.stopped()})


@pytest.fixture
def roll(tmp_path):
    folder = odd_settings(tmp_path).catalog_dirs[0]
    entry = {
        "id": "text/dice", "name": "Dice", "family": "dice", "summary": "-", "architecture": "-", "trained_on": "-",
        "licence": "-", "parameters": 1, "weights": {"path": "weights"},
    }  # fmt: skip
    catalog = Catalog([ModelSpec(**entry, file=folder / "dice.toml")], {"dice": Dice()})
    registry, blobs = Registry(catalog, memory.budget_bytes(Settings())), Blobs(tmp_path / "blobs")

    def run(seed=4, study="", settings=Settings(), **params):
        request = Request(model="text/dice", inputs={"prompt": "x"}, params=params, seed=seed, study=study)
        events = run_request(request, catalog, registry, settings, stopped=lambda: False, open_ref=blobs.get_bytes)
        *_, final = events
        made.append(final.outputs)
        return final.stats

    made = run.made = []
    return run


@pytest.mark.parametrize(
    ("params", "acted"),
    [
        ({}, {"chance": True, "sides": 6, "seed": 4}),
        ({"chance": False, "extra": 0.5}, {"chance": False, "extra": 0.5}),
        ({"quick": True}, {"chance": True, "sides": 6, "quick": True, "seed": 4}),
        ({"quick": True, "sides": 2}, {"chance": True, "sides": 2, "seed": 4}),  # the family says it could not
    ],
)
def test_what_was_in_effect_is_read_from_the_declaration(roll, params, acted):
    stats = roll(**params)
    assert stats["in_effect"] == acted
    assert "unused" not in stats
    assert stats["notes"] == ["rolled"]
    assert not stats["stopped"]


def test_a_seed_of_zero_acts_like_any_other(roll):
    assert roll(seed=0)["in_effect"]["seed"] == 0


def test_a_file_is_hashed_and_one_without_its_settings_is_told(roll):
    stats = roll()
    bare, stamped, aside = roll.made[0]
    assert bare.sha256 == hashlib.sha256(b"a file").hexdigest()
    assert stamped.sha256 == hashlib.sha256(stamped.data).hexdigest()
    assert aside.sha256 == "given"
    assert stats["bare"] == [0]


def test_of_a_study_nothing_is_in_effect(roll):
    assert roll(study="look")["in_effect"] == {}


def test_a_study_past_its_time_is_stopped_and_says_so(roll):
    assert not roll(study="look")["stopped"]
    late = roll(study="look", settings=Settings(study_max_s=1e-9))
    assert late["stopped"]
    assert late["notes"] == [
        "This analysis took longer than 0 s, the most allowed, and was stopped. Choose a shorter result."
    ]


class Seconds(Dice):
    """Take seconds of a clock: 2 for the load, 3 before each of three previews, 5 before the end."""

    name: ClassVar[str] = "seconds"
    clock: ClassVar[Clock] = Clock(0.0)

    def load(self, spec):
        self.clock.pass_s(2.0)
        return Loaded({})

    def generate(self, spec, request, params, loaded, context):
        for _ in range(3):
            self.clock.pass_s(3.0)
            yield Preview(())
        self.clock.pass_s(5.0)
        yield Final((), {"stopped": False, "tokens": 70, "tokens_per_s": 5.0, "steps": 7, "steps_per_s": 0.5})


@pytest.fixture
def timed(tmp_path, monkeypatch):
    clock = Clock(50.0)
    monkeypatch.setattr(Seconds, "clock", clock)
    for name in ("running", "together"):
        monkeypatch.setattr(f"models.runtime.{name}.time", clock)
    folder = odd_settings(tmp_path).catalog_dirs[0]
    entry = {
        "id": "text/seconds", "name": "Seconds", "family": "seconds", "summary": "-", "architecture": "-",
        "trained_on": "-", "licence": "-", "parameters": 1, "weights": {"path": "weights"},
    }  # fmt: skip
    catalog = Catalog([ModelSpec(**entry, file=folder / "seconds.toml")], {"seconds": Seconds()})
    registry = Registry(catalog, 10**9)

    def run(study="", settings=Settings(), **more):
        request = Request(model="text/seconds", inputs={"prompt": "x"}, study=study)
        return list(run_request(request, catalog, registry, settings, stopped=lambda: False, open_ref=bytes, **more))

    run.clock = clock
    return run


def test_times_count_from_the_arrival_and_the_first_preview_is_the_first_output(timed):
    first = timed()
    assert [event.kind for event in first] == ["progress", "preview", "preview", "preview", "final"]
    assert (first[0].stage, first[0].step, first[0].note) == ("load", 0, "Seconds")
    assert first[0].total > 0
    stats = first[-1].stats
    assert (stats["load_s"], stats["first_output_s"], stats["seconds"]) == (2.0, 5.0, 16.0)
    assert "aside_s" not in stats
    again = timed()
    assert [event.kind for event in again] == ["preview", "preview", "preview", "final"]
    stats = again[-1].stats
    assert "load_s" not in stats
    assert (stats["first_output_s"], stats["seconds"]) == (3.0, 14.0)


def test_seconds_set_aside_count_in_no_time_and_no_speed(timed):
    timed()
    begun = timed.clock.now

    def aside_s():  # it rests in the last of the fourteen seconds: four of the five before the end
        return max(0.0, min(4.0, timed.clock.now - begun - 9.0))

    stats = timed(aside_s=aside_s)[-1].stats
    assert (stats["first_output_s"], stats["seconds"], stats["aside_s"]) == (3.0, 10.0, 4.0)
    assert stats["tokens_per_s"] == 7.0  # 70 in 14 s that were 10
    assert stats["steps_per_s"] == 0.7
    assert timed()[-1].stats["tokens_per_s"] == 5.0


@pytest.mark.parametrize(
    ("most_s", "rested_s", "late"), [(3.0, 0.0, True), (3.0, 1.5, False), (9.0, 0.0, False), (4.0, 0.0, False)]
)
def test_a_study_s_time_is_measured_without_the_rest(timed, monkeypatch, most_s, rested_s, late):
    def look(self, spec, request, params, loaded, context):
        self.clock.pass_s(4.0)
        yield Final((), {"stopped": context.stopped(), "notes": ["own"]})

    monkeypatch.setattr(Seconds, "look", look)
    timed()
    stats = timed("look", Settings(study_max_s=most_s), aside_s=lambda: rested_s)[-1].stats
    assert stats["stopped"] == late
    assert stats["notes"] == ["own", *["This analysis took longer than 3 s, the most allowed, and was stopped. Choose "
                                       "a shorter result."] * late]  # fmt: skip


def test_a_run_without_a_preview_has_its_first_output_at_its_end(timed, monkeypatch):
    def generate(self, spec, request, params, loaded, context):
        self.clock.pass_s(4.0)
        yield Final((), {})

    monkeypatch.setattr(Seconds, "generate", generate)
    timed()
    assert timed()[-1].stats["first_output_s"] == 4.0


def test_skip_is_taken_once_for_each_press_and_a_second_stop_insists():
    stop = StopSignal("ann")
    assert (stop.asker, stop.ahead, stop.asked, stop.forced, stop.take_skip()) == ("ann", False, False, False, False)
    stop.skip()
    stop.skip()
    assert (stop.take_skip(), stop.take_skip()) == (True, False)
    stop.request()
    assert (stop.asked, stop.forced) == (True, False)
    stop.request()
    assert stop.forced


def test_a_bad_request_is_told_so_without_a_turn_or_a_load(tmp_path, monkeypatch):
    engine = LocalEngine(odd_settings(tmp_path))
    ahead = StopSignal()
    ahead.ahead = True
    good = Request(model="text/odd", inputs={"prompt": "x"}, params={"steps": 1, "step_s": 0})
    bad = good.model_copy(update={"params": {"steps": "many"}})
    monkeypatch.setattr(LocalEngine, "_ready", lambda self: pytest.fail("it was made ready for a bad request"))
    with engine._turn, pytest.raises(BadRequest, match="steps is 'many'"):
        next(iter(engine.generate(bad, ahead)))
    with pytest.raises(BadRequest, match="steps is 'many'"):
        next(iter(engine.generate(bad)))


def test_a_run_that_would_go_ahead_is_put_off_here_only_while_another_has_its_turn(tmp_path):
    engine = LocalEngine(odd_settings(tmp_path))
    request = Request(model="text/odd", inputs={"prompt": "x"}, params={"steps": 3, "step_s": 0})
    ahead = StopSignal()
    ahead.ahead = True
    events = engine.generate(request)
    assert next(events).stage == "load"
    with pytest.raises(NotNow, match="cannot go ahead"):
        list(engine.generate(request, ahead))
    *_, final = events
    assert final.outputs[0].text == "x-0-0 x-0-1 x-0-2"
    assert list(engine.generate(request, ahead))[-1].outputs[0].text == "x-0-0 x-0-1 x-0-2"
    assert [one["model"] for one in engine.state().loaded] == ["text/odd"]
    engine.close()
    assert engine.state().loaded == ()
