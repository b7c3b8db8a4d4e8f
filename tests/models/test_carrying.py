"""Source that is carried: whole, once, in an order in which it runs, under names that mean one thing."""

import ast
import os
from collections.abc import Sequence

import pytest

from models import carrying, sources

DEEP = '''"""Deep."""
from math import sqrt
BASE, REST = 2, 3  # two at once


def size(x):
    """Say how large."""
    return sqrt(x) * BASE


def unused():
    return REST
'''
SIDE = '''"""Side."""
import math as m


def size(x: Thing) -> Other:
    return m.floor(x)
'''
TOP = '''"""Top.

Source: A 1999.
"""
from __future__ import annotations
from collections.abc import Sequence
from typing import TYPE_CHECKING
from apart import deep
from apart.side import size
if TYPE_CHECKING:
    from apart.deep import unused


# what stands above it
class Both:
    """Do both."""

    def __init__(self, given: unused):
        self.given = given  # type: ignore[misc]

    def run(self, x):
        from apart.deep import REST

        deep_size = [size(one) for one in x]
        return deep_size, deep.size(4) + REST


Sequence.register(Both)
print(unused)
'''
PARTS = {"deep.py": DEEP, "side.py": SIDE, "top.py": TOP}


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """Make a package of three files the one from which source is carried."""
    folder = tmp_path / "apart"
    folder.mkdir()
    for name, text in PARTS.items():
        (folder / name).write_text(text)
    for module in (carrying, sources):
        monkeypatch.setattr(module, "ROOT", folder)
    sources._read.cache_clear()
    yield folder
    sources._read.cache_clear()


def as_text(found):
    return "\n".join(["from __future__ import annotations", *found.imports, *(text for _, _, text in found.files)])


def test_what_is_needed_is_carried_and_runs(apart):
    found = carrying.carry(["apart.top:Both"])
    text, space = as_text(found), {}
    exec(text, space)
    assert space["Both"](1).run([4.5]) == ([4], 7.0)
    assert isinstance(space["Both"](1), Sequence)  # what is registered with a library at the import is so here too
    assert [file for file, _, _ in found.files][-1] == "apart/top.py"
    assert "def unused" not in text and "print" not in text
    assert "type: ignore" not in text
    assert "# what stands above it\nclass Both:" in text
    assert "apart" not in text  # no import of the package is left
    assert found.files[-1][1] == "Top.\n\nSource: A 1999."


def test_one_name_for_two_things_is_two_names(apart):
    text = as_text(carrying.carry(["apart.top:Both"]))
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    # the second is not called what a variable of the function that uses it is called
    assert len(set(names)) == 2 and "size" in names and "deep_size" not in names


def test_names_of_the_text_around_are_left_to_it_but_for_what_is_wanted(apart):
    found = carrying.carry(["apart.deep:size"], frozenset({"BASE", "size"}))
    assert {"size", "deep_BASE"} <= found.names
    assert "return sqrt(x) * deep_BASE" in as_text(found)
    assert "unused" not in as_text(found)


def test_what_is_not_there_is_told(apart):
    with pytest.raises(LookupError, match=r"apart\.deep defines no nothing"):
        carrying.carry(["apart.deep:nothing"])


def test_a_file_that_changed_is_read_again(apart):
    carrying.carry(["apart.deep:size"])
    file = apart / "deep.py"
    file.write_text(DEEP.replace("* BASE", "+ BASE"))
    os.utime(file, ns=(1, 1))
    assert "sqrt(x) + BASE" in as_text(carrying.carry(["apart.deep:size"]))


def test_imports_from_one_module_are_joined():
    lines = ["from a import b", "import c", "from a import d as e", "from a import b"]
    assert carrying.merged(lines) == ["import c", "from a import b, d as e"]
