"""What nests or runs on without end is a sentence wherever JSON and TOML from outside are read; it hides nothing."""

import json

import pytest

from models import given, outside
from models.catalog import load_catalog
from models.errors import BadInput, BadParam
from models.params import ParamField, check
from models.settings import Settings
from models.text import conversations, prompts
from tests.odd import odd_settings

DEEP = outside.DEPTH_MAX + 1
NESTED = ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * 100_000, '[{"a":' * 50_000]


@pytest.mark.parametrize("text", NESTED)
def test_what_nests_too_deep_is_not_read(text):
    with pytest.raises(outside.Unreadable, match="nests lists or objects more than 100 deep|is not valid JSON"):
        outside.read_json(text)


def test_what_nests_as_deep_as_is_allowed_is_read():
    text = "[" * outside.DEPTH_MAX + "]" * outside.DEPTH_MAX
    assert json.dumps(outside.read_json(text)) == text
    assert outside.read_json(f'["{"[" * 5000}", {{}}]') == ["[" * 5000, {}]  # brackets in a text are a text


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [("[1, 2]", {"most": 5}, "is 6 characters long; at most 5"), ("{", {}, r"not valid JSON \(line 1, column 2\)"),
     ("9" * 5000, {}, "cannot|can be read"), ("[NaN]", {"constants": False}, "NaN is not JSON"),
     (b"\xff", {}, "not text in UTF-8"), ('{"a": 1}'.encode("utf-16"), {}, "not text in UTF-8"),
     (b'"\xed\xa0\x80"', {}, "not text in UTF-8")],
)  # fmt: skip
def test_other_texts_that_are_not_json_say_why(text, options, words):
    with pytest.raises(outside.Unreadable, match=words):
        outside.read_json(text, **options)


def test_a_mark_of_byte_order_is_passed_over():
    assert outside.read_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize("text", NESTED)
def test_a_setting_of_a_command_that_nests_is_told_as_the_text_it_is(text):
    item = ParamField("heat", "Heat", "number", 1.0, "How hot.", ge=0, le=2, step=0.1)
    found = given.params([f"heat={text}"], {"heat": item})
    with pytest.raises(BadParam, match=r"heat is '.*…; it must be 0 to 2") as caught:
        check(_Heat, (item,), found)
    assert len(caught.value.message) < 150


class _Heat:
    """Stand for a class of settings that is not asked: what is wrong is told before."""


@pytest.mark.parametrize("text", NESTED)
def test_turns_and_conversations_that_nest_are_a_sentence(text):
    for read in (prompts.read_messages, lambda text: prompts.read_forced(text, 9),
                 lambda text: conversations.read_conversations(text.encode())):  # fmt: skip
        with pytest.raises(BadInput):
            read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nests"),
        (f"a = {'{a=' * 300}1{'}' * 300}", "nests"),
        ("[" + "a." * 20_000 + "a]", "more than 64 parts"),
        ("'a'." * 20_000 + "a = 1", "more than 64 parts"),
        ("a = " + "9" * 5000, "TOML"),
        ("# " + "x" * outside.TOML_MAX_CHARS, "characters long"),
        ("# " + "é" * outside.TOML_MAX_CHARS * 3, "bytes"),
        ("a = '", "TOML"),
        ("\0", "TOML"),
        ("".join(f"k{at} = 1\n" for at in range(5000)), "and 5,"),
        (f"id = {'[' * 90}{']' * 90}", "id"),
        ('id = "text/x"\nfacts = 1979-05-27', "facts"),
        (f"order = {'9' * 400}", "order"),
        ("order = nan\nparameters = inf", "parameters"),
        (f"[params.step_s]\nle = {'9' * 400}", "le"),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_a_catalogue_file_that_cannot_be_read_hides_no_other(tmp_path, text, words):
    settings = odd_settings(tmp_path)
    folder = settings.catalog_dirs[0]
    (folder / "aaa.toml").write_text(text, "utf-8")
    catalog = load_catalog(settings, strict=False)
    assert "text/odd" in catalog
    (problem,) = catalog.problems
    assert problem.message.startswith("aaa.toml")
    assert words in problem.message
    assert len(problem.message) < 2000


def test_an_entry_that_breaks_its_reader_hides_no_other(tmp_path, monkeypatch):
    settings = odd_settings(tmp_path)
    folder = settings.catalog_dirs[0]
    (folder / "aaa.toml").write_bytes((folder / "odd.toml").read_bytes().replace(b"text/odd", b"text/aaa"))

    def broken(self):
        if self.id == "text/aaa":
            raise RecursionError("maximum recursion depth exceeded")
        return None

    monkeypatch.setattr("models.spec.ModelSpec.base_folder", broken)
    catalog = load_catalog(settings, strict=False)
    assert "text/odd" in catalog
    assert "aaa.toml cannot be used (RecursionError" in catalog.problems[0].message


def test_every_entry_that_ships_is_far_below_the_limits():
    for folder in Settings().catalog_dirs:
        for file in folder.glob("*.toml"):
            assert len(file.read_text("utf-8")) * 10 < outside.TOML_MAX_CHARS
