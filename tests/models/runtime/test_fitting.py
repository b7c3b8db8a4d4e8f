"""What a refusal for want of memory says would fit."""

from typing import ClassVar

import pytest
from pydantic import Field

from models.catalog import Catalog
from models.errors import NotEnoughMemory
from models.events import Final
from models.family import Family, Loaded
from models.params import Params, hint
from models.runtime import fitting
from models.runtime.engine import run_request
from models.runtime.registry import Registry
from models.settings import Settings
from models.spec import ModelSpec
from models.types import Request
from tests.odd import odd_settings

MB = 1_000_000


class PictureParams(Params):
    num: int = Field(1, ge=1, le=8, description="How many.", json_schema_extra=hint(label="Images"))
    width: int = Field(512, ge=16, le=1024, description="Width.", json_schema_extra=hint(label="Width", step=16))
    tempo: float | None = Field(None, ge=40, le=260, description="Tempo.", json_schema_extra=hint(label="Tempo"))
    strength: float = Field(0.5, ge=0, le=1, description="No matter.")


class Pictures(Family):
    name: ClassVar[str] = "pictures"
    title: ClassVar[str] = "Pictures"
    modality: ClassVar[str] = "image"
    Params: ClassVar[type[Params]] = PictureParams
    libraries_bytes: ClassVar[int] = 0

    def load(self, spec):
        return Loaded({})

    def needed_bytes(self, spec):
        return 2 * MB

    def run_bytes(self, spec, request, params):
        if spec.id == "image/small":
            return MB
        slow = 0 if params.tempo is None else int(1000 * MB / params.tempo)
        return params.num * 10 * MB + params.width * MB // 100 + slow

    def generate(self, spec, request, params, loaded, context):
        yield Final((), {"stopped": False})


@pytest.fixture
def catalog(tmp_path):
    folder = odd_settings(tmp_path).catalog_dirs[0]
    entry = {
        "name": "P", "family": "pictures", "summary": "-", "architecture": "-", "trained_on": "-", "licence": "-",
        "parameters": 1, "weights": {"path": "weights"},
    }  # fmt: skip
    specs = [ModelSpec(**entry, id=f"image/{name}", file=folder / "x.toml") for name in ("large", "small")]
    return Catalog(specs, {"pictures": Pictures()})


def asked(**params):
    return Request(model="image/large", inputs={"prompt": "x"}, params=params)


@pytest.mark.parametrize(
    ("params", "room", "found"),
    [
        ({"num": 8, "width": 512}, 50, ["Images 4"]),
        ({"num": 3, "width": 1024}, 36, ["Images 2", "Width 592"]),
        ({"num": 2, "width": 500}, 20, ["Images 1"]),
        ({"num": 1, "width": 1024}, 12, ["Width 192"]),
        ({"num": 1, "width": 16, "tempo": 50}, 16, ["Tempo 172"]),  # more of it takes less
        ({"num": 8, "width": 1024}, 5, []),
    ],
)
def test_each_setting_is_named_with_the_nearest_value_that_fits(catalog, params, room, found):
    request = asked(**params)
    assert fitting.settings_that_fit(catalog, request, catalog.validate(request), room * MB) == found
    family, spec = catalog.family(request.model), catalog[request.model]
    for change in found:  # and it does fit
        label, value = change.split()
        name = {"Images": "num", "Width": "width", "Tempo": "tempo"}[label]
        kind = float if name == "tempo" else int
        changed = catalog.validate(asked(**{**params, name: kind(value)}))
        assert family.run_bytes(spec, request, changed) <= room * MB


@pytest.mark.parametrize(("less", "found"), [(0, ["Width 16"]), (1, [])])
def test_room_is_counted_to_the_byte(catalog, less, found):
    request = asked(num=1, width=1024)
    room = 10 * MB + 16 * MB // 100 - less
    assert fitting.settings_that_fit(catalog, request, catalog.validate(request), room) == found


def test_a_run_that_does_not_fit_is_refused_with_what_would(catalog):
    registry = Registry(catalog, 30 * MB)

    def run(**params):
        request = asked(**params)
        return [*run_request(request, catalog, registry, Settings(), stopped=lambda: False, open_ref=lambda ref: b"")]

    assert run(num=1)[-1].kind == "final"
    assert registry.held_bytes == 0  # no tensors
    with pytest.raises(NotEnoughMemory) as caught:
        run(num=8)
    assert caught.value.message == (
        "image/large needs about 85 MB for this run, 30 MB is free of 30 MB. This would fit: Images 2."
    )
    assert caught.value.details["settings"] == ["Images 2"]


def test_where_no_setting_helps_other_models_are_named(catalog):
    registry = Registry(catalog, 8 * MB)
    request = asked()
    with pytest.raises(NotEnoughMemory) as caught:
        [*run_request(request, catalog, registry, Settings(), stopped=lambda: False, open_ref=lambda ref: b"")]
    assert caught.value.message == (
        "image/large needs 2 MB and about 15 MB for this run, 8 MB is free of 8 MB. These models would fit: "
        "image/small."
    )
    assert caught.value.details["models"] == ["image/small"]


@pytest.mark.parametrize(("budget", "named"), [(3 * MB, ["image/small"]), (3 * MB - 1, None)])
def test_another_model_has_the_room_of_both_load_and_run(catalog, budget, named):
    registry = Registry(catalog, budget)
    with pytest.raises(NotEnoughMemory) as caught:
        [*run_request(asked(), catalog, registry, Settings(), stopped=lambda: False, open_ref=lambda ref: b"")]
    assert caught.value.details.get("models") == named


def test_a_run_that_ran_out_midway_is_told_what_is_lighter(catalog):
    midway = NotEnoughMemory("It needed more.", midway=True)
    said = fitting.lighter(midway, catalog, asked(num=6, width=16))
    assert said.message == "This needed more memory than the playground may use. Lighter: Images 3."
    assert said.details == {"midway": True, "settings": ["Images 3"]}
    said = fitting.lighter(midway, catalog, asked(num=1, width=16))
    assert said.message.endswith("may use. Choose smaller settings or a smaller model.")
    other = NotEnoughMemory("No room.")
    assert fitting.lighter(other, catalog, asked()) is other


def test_a_refusal_of_a_load_alone_and_one_that_a_fresh_worker_mends_stay_as_they_are(catalog):
    request = asked()
    for details in ({}, {"room_bytes": 30 * MB, "fresh": True}):
        error = NotEnoughMemory("It is large. Choose a smaller model.", **details)
        assert fitting.explained(error, catalog, request, catalog.validate(request)) is error
