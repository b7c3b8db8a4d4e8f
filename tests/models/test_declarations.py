"""What a file from elsewhere declares wrongly is a sentence, and takes nothing else away."""

import json
import os
import subprocess
import sys
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from models.catalog import current_catalog, load_catalog
from models.errors import CatalogError
from models.events import Final
from models.family import Family, InputField, Loaded
from models.params import Params, hint
from models.settings import Settings
from models.stamps import file_name
from tests.odd import FAMILIES, odd_settings

GOOD = (FAMILIES / "odd.py").read_text("utf-8").replace('"odd"', '"fine"')
BAD = {
    "syntax": ("def broken(:", "SyntaxError, line 1"),
    "import": ("\n\nimport nowhere_to_be_found", "ModuleNotFoundError, line 3: No module named 'nowhere"),
    "condition": (
        GOOD.replace("required=False)", 'required=False, shown_if={"tusk": (1,)})'),
        "unknown fields ['tusk']",
    ),
    "bounds": (GOOD.replace("ge=1, le=10_000, ", ""), "a number needs both bounds"),
    "name": (GOOD.replace('name: ClassVar[str] = "fine"', ""), "Odd.name is None"),
    "exit": ("raise SystemExit(3)", "SystemExit"),
    "lines": ('raise ValueError("one\\ntwo")', "(ValueError, line 1: one)"),
    "constructor": (GOOD + "\n    def __init__(self):\n        raise RuntimeError('no')\n", "RuntimeError, line"),
    "taken": (GOOD.replace('"fine"', '"odd"'), "the family name 'odd' is taken by odd.py"),
}


@pytest.fixture
def settings(tmp_path):
    return odd_settings(tmp_path)


def beside(settings, tmp_path, text):
    """Return settings with a second folder of families, which holds one file of this text."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "zebra.py").write_text(text, "utf-8")
    return settings.model_copy(update={"family_dirs": (*settings.family_dirs, folder)}), folder / "zebra.py"


@pytest.mark.parametrize("kind", list(BAD))
def test_one_bad_family_file_is_left_out_with_a_sentence(settings, tmp_path, kind):
    text, words = BAD[kind]
    there, _ = beside(settings, tmp_path, text)
    catalog = load_catalog(there, strict=False)
    assert list(catalog) == ["text/odd"]
    (problem,) = catalog.problems
    assert problem.message.startswith("zebra.py: ")
    assert words in problem.message
    assert "\n" not in problem.message
    with pytest.raises(CatalogError, match=r"zebra\.py"):
        load_catalog(there)


def test_a_bad_family_file_that_was_mended_is_there_at_the_next_look(settings, tmp_path):
    there, file = beside(settings, tmp_path, "def broken(:")
    assert current_catalog(there).problems
    file.write_text(GOOD, "utf-8")
    catalog = current_catalog(there)
    assert catalog.problems == ()
    assert set(catalog.families) == {"odd", "odd_ear", "slow_tool", "fine"}


def test_the_command_line_says_the_same(tmp_path):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "zebra.py").write_text("def broken(:", "utf-8")
    dirs = json.dumps([*map(str, Settings().family_dirs), str(folder)])
    run = subprocess.run(
        [sys.executable, "-m", "models", "list"], capture_output=True, text=True, check=False,
        env={**os.environ, "PLAYGROUND_FAMILY_DIRS": dirs},
    )  # fmt: skip
    assert "zebra.py: this family file cannot be used" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_family_whose_table_cannot_be_made_takes_its_own_models_alone(settings, tmp_path):
    text = GOOD + "\n    def fields(self, spec):\n        return spec.facts['marks']\n"
    there, _ = beside(settings, tmp_path, text)
    odd = settings.catalog_dirs[0] / "odd.toml"
    odd.with_name("fine.toml").write_text(odd.read_text().replace("text/odd", "text/fine").replace('"odd"', '"fine"'))
    catalog = load_catalog(there, strict=False)
    assert list(catalog) == ["text/odd"]
    assert "fine.toml: the family 'fine' gives no table of settings" in catalog.problems[0].message


class WayParams(Params):
    way: Literal["sing", "read"] = Field("sing", description="What to do.")


def family(**declared):
    """Make a family with these declarations over good ones."""
    good: dict[str, Any] = {
        "name": "toy", "title": "Toy", "modality": "text", "Params": WayParams, "inputs": (InputField("prompt"),),
        "load": lambda self, spec: Loaded({}), "generate": lambda self, *given: iter([Final(())]),
    }  # fmt: skip
    return type("Toy", (Family,), {**good, **declared})


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"name": ""}, r"Toy\.name is ''; a family needs one, such as 'causal_lm'"),
        ({"modality": None}, r"Toy\.modality is None"),
        ({"modality": "Text!"}, r"Toy\.modality is 'Text!'"),
        ({"modality": "text-tasks"}, r"Toy\.modality is 'text-tasks'; it must be small letters, digits and _, as"),
        ({"modality": "import"}, r"Toy\.modality is 'import'; it must be .* what the folder of a Python package"),
        ({"title": 3}, r"Toy\.title is 3"),
        ({"Params": dict}, r"Toy\.Params is .*must be a subclass"),
        ({"inputs": (InputField("a"), InputField("a"))}, "two inputs named a"),
        ({"inputs": (InputField("way"),)}, "inputs way: a setting has this name"),
        ({"inputs": (InputField("seed"),)}, "inputs seed: a setting has this name"),
        ({"inputs": ("prompt",)}, "every input must be an InputField"),
        ({"inputs": (InputField("a", main=True), InputField("b", main=True))}, "declares a and b as the main text"),
        ({"inputs": (InputField("a", shown_if={"way": ["shout"]}),)}, "way is 'shout'; it must be one of sing, read"),
        ({"seed_shown_if": {"tusk": (True,)}}, r"seed_shown_if names unknown fields \['tusk'\]"),
        ({"seed_shown_if": {"way": "sing"}}, "must be a list of values"),
        ({"tools": {"count": "count_them"}}, r"tools 'count' names 'count_them', which is not a method"),
        ({"studies": {"look": "name"}}, r"studies 'look' names 'name', which is not a method"),
        ({"length_tool": "count"}, r"length_tool is 'count'; it must be one of its tools: none"),
    ],
)
def test_a_wrong_family_fails_when_the_class_is_made(declared, words):
    with pytest.raises(TypeError, match=words):
        family(**declared)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "my input"}, "name is 'my input'"),
        ({"name": None}, "name is None"),
        ({"type": 3}, "type is 3"),
        ({"type": " "}, "type is ' '"),
        ({"accept": "csv"}, "accept is 'csv'; it must be a tuple of file endings"),
        ({"accept": (".csv",)}, "without the dot"),
        ({"shown_if": {"x": True}}, "shown_if 'x' is True; it must be a list of values"),
        ({"shown_if": {"x": "abc"}}, "shown_if 'x' is 'abc'"),
        ({"max_bytes": 0}, "max_bytes is 0"),
        ({"max_chars": "9"}, "max_chars is '9'"),
        ({"main": "yes"}, "main is 'yes'"),
        ({"main": True, "type": "image"}, "its type 'image'; only a text can be the main one"),
    ],
)
def test_a_wrong_input_fails_when_it_is_declared(given, words):
    with pytest.raises(TypeError, match=words):
        InputField(**{"name": "x", **given})


@pytest.mark.parametrize(
    ("shown_if", "words"),
    [
        ({"way": True}, "must be a list of values"),
        ({"way": "sing"}, "must be a list of values"),
        ({"way": ["shout"]}, "way is 'shout'; it must be one of sing, read"),
    ],
)
def test_a_wrong_condition_of_a_setting_fails_at_import(shown_if, words):
    with pytest.raises(TypeError, match=words):

        class Bad(WayParams):
            loud: bool = Field(False, description="Loud.", json_schema_extra=hint(shown_if=shown_if))


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [("text/csv", "csv"), ("image/webp", "webp"), ("video/mp4", "mp4"), ("image/svg+xml", "svg"), ("audio/wav", "wav"),
     ("audio/midi", "mid"), ("text/vnd.abc", "abc"), ("text/csv; charset=utf-8", "csv"), ("x/unheard-of", "bin")],
)  # fmt: skip
def test_a_download_is_named_by_its_media_type(media_type, ending):
    assert file_name("dance/waltz", 7, 0, media_type) == f"waltz-seed7.{ending}"


def test_a_base_of_families_may_leave_things_out():
    class Base(Family):
        modality: ClassVar[str] = "text"
        tools: ClassVar[dict[str, str]] = {"count": "count_them"}

    assert Base.tools


def test_a_second_model_whose_last_part_is_taken_is_refused(settings):
    odd = settings.catalog_dirs[0] / "odd.toml"
    family = settings.catalog_dirs[0].parent / "more"
    family.mkdir()
    (family / "other.py").write_text(GOOD.replace('"text"', '"smell"'), "utf-8")
    there = settings.model_copy(update={"family_dirs": (*settings.family_dirs, family)})
    odd.with_name("smell.toml").write_text(odd.read_text().replace("text/odd", "smell/odd").replace('"odd"', '"fine"'))
    catalog = load_catalog(there, strict=False)
    assert list(catalog) == ["text/odd"]
    assert "'smell/odd' ends as 'text/odd' of odd.toml does" in catalog.problems[0].message
    assert "give it another one" in catalog.problems[0].message
