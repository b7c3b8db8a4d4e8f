"""Help texts a learner can read: short, in the field's terms; see docs/glossary.md."""

import re

import pytest

from models.catalog import load_catalog
from models.settings import Settings

CATALOG = load_catalog(Settings(), strict=False)
MOST_WORDS = 25
RETIRED = ("odds", "anew", "daring", "doubt", "drowns", "critic", "near relative")


def helps():
    for family in CATALOG.families.values():
        for name, info in family.Params.model_fields.items():
            yield f"{family.name}.{name}", info.description or ""
        for item in family.inputs:
            yield f"{family.name}.inputs.{item.name}", item.help


@pytest.mark.parametrize(("place", "text"), [(place, text) for place, text in helps() if text])
def test_a_help_text_is_short_and_in_the_field_s_terms(place, text):
    assert len(text.split()) <= MOST_WORDS, text
    text = text.replace("halves the odds", "")  # of the bias, where odds are what is meant
    for word in RETIRED:
        assert not re.search(rf"\b{word}\b", text.lower()), (word, text)
