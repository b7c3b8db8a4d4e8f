"""Ranges begin where a setting has an effect; what was made when they were wider still loads."""

import pytest
from pydantic import Field

from models.catalog import current_catalog
from models.errors import BadParam
from models.params import Narrowing, Params, check, describe, hint
from models.settings import Settings
from models.types import Request

CATALOG = current_catalog(Settings())


class Sample(Params):
    guidance: float = Field(4.0, ge=1, le=20, description="How close.", json_schema_extra=hint(was=(0, 30)))
    count: int = Field(2, ge=2, le=4, description="How many.", json_schema_extra=hint(was=(1, 4)))
    plain: float = Field(1.0, ge=1, le=2, description="Another.")


@pytest.mark.parametrize(
    ("given", "found"), [({"guidance": 0}, 1), ({"guidance": 0.5}, 1), ({"guidance": 25}, 20), ({"guidance": 1.5}, 1.5),
                         ({"count": 1}, 2)],
)  # fmt: skip
def test_a_value_of_a_wider_range_is_its_nearest_end_of_today(given, found):
    params = check(Sample, describe(Sample), given)
    assert getattr(params, next(iter(given))) == found


@pytest.mark.parametrize(
    "given", [{"guidance": -1}, {"guidance": 31}, {"guidance": "0"}, {"plain": 0}, {"count": True}]
)
def test_what_no_range_ever_held_is_refused(given):
    with pytest.raises(BadParam, match="it must be"):
        check(Sample, describe(Sample), given)


def test_a_catalogue_entry_of_a_wider_range_still_loads():
    item = describe(Sample, {"guidance": Narrowing(ge=0, le=10, default=0)})[0]
    assert (item.ge, item.le, item.default) == (1, 10, 1)


def test_no_guidance_is_asked_for_where_it_has_no_effect():
    old = Request(model="image/emoji-diffusion", inputs={"prompt": "red heart"}, params={"guidance_scale": 0.0})
    assert CATALOG.validate(old).guidance_scale == 1
    item = next(one for one in CATALOG.family(old.model).fields(CATALOG[old.model]) if one.name == "guidance_scale")
    assert item.ge == 1
