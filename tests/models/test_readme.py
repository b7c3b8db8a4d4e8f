"""The README names what a catalogue entry must hold."""

import re

import pytest

from models.params import Narrowing
from models.settings import Settings
from models.spec import ModelSpec
from tests.fresh import ROOT


def test_the_keys_of_a_catalogue_entry_are_those_that_are_read():
    words = " ".join((ROOT / "README.md").read_text("utf-8").split())
    required, rest = words.split("Required keys: ", 1)[1].split(" Optional: ", 1)
    optional = rest.split("Ranges may be narrowed", 1)[0]
    for name, info in ModelSpec.model_fields.items():
        if name in ("file", "kept", "owned"):
            continue
        assert bool(re.search(rf"`\[?{name}\b", required)) == info.is_required(), name
        assert bool(re.search(rf"`\[?{name}\b", optional)) != info.is_required(), name
    for name in Narrowing.model_fields:
        assert f"`{name}`" in optional


@pytest.mark.parametrize("file", ["README.md", "SECURITY.md"])
def test_every_setting_that_is_named_is_one(file):
    named = {name.lower() for name in re.findall(r"PLAYGROUND_([A-Z_]+)", (ROOT / file).read_text("utf-8"))}
    assert named
    assert named <= set(Settings.model_fields)
