"""What every engine adds to a run: which settings had an effect, in place of the families."""

import hashlib
import json
from typing import ClassVar

import pytest
from pydantic import Field

from models.blobs import Blobs
from models.catalog import Catalog
from models.events import Final, Preview
from models.family import Family, Loaded
from models.params import Params, hint
from models.runtime import memory
from models.runtime.engine import run_request
from models.runtime.registry import Registry
from models.settings import Settings
from models.spec import ModelSpec
from models.types import Output, Request
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
