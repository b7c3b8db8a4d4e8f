"""Lists in a prompt: what is drawn, and what is left as it is."""

import pytest

from models import lists
from models.catalog import load_catalog
from models.errors import BadInput
from models.settings import Settings


@pytest.fixture
def places(tmp_path):
    (tmp_path / "animal.txt").write_text("# a comment\ncat\ndog\n\nfox\n")
    (tmp_path / "painted.txt").write_text("{red|blue} __animal__\n")
    return (tmp_path,)


def draws(text, places=(), seeds=range(40)):
    return {lists.draw(text, seed, places).text for seed in seeds}


@pytest.mark.parametrize(
    "text",
    [
        "", "plain words", 'a # {"json": [1, 2]}', "{", "}{", "a {b|", "{no list}", "\\{a|b\\}", "${x=1|2}", "%{a|b}",
        "x  y\n z", "def __init__(self)", "(red:1.3) [heart] <lora:a:1>", "a | b",
    ],
)  # fmt: skip
def test_text_without_a_list_is_left_byte_for_byte(text, places):
    assert lists.draw(text, 1, places).text == text


def test_one_of_a_list_is_drawn_and_the_rest_stays(places):
    assert draws("a  {red|green}  heart # 1") == {"a  red  heart # 1", "a  green  heart # 1"}
    assert draws("{a|{b|c}} x") == {"a x", "b x", "c x"}
    assert draws("{a #1|b}") == {"a #1", "b"}


def test_the_seed_decides(places):
    text = "{a|b|c|d|e|f} __animal__ {1|2|3|4}"
    assert [lists.draw(text, seed, places) for seed in range(5)] == [
        lists.draw(text, seed, places) for seed in range(5)
    ]
    assert len(draws(text, places)) > 10


def test_several_of_a_list_and_how_likely(places):
    assert draws("{2$$ and $$a|b}") == {"a and b", "b and a"}
    often = [lists.draw("{9::a|b}", seed, places).text for seed in range(200)]
    assert 140 < often.count("a") < 200


def test_named_lists_may_hold_lists(places):
    assert draws("__animal__", places) == {"cat", "dog", "fox"}
    assert draws("__painted__", places) == {
        f"{colour} {animal}" for colour in ("red", "blue") for animal in ("cat", "dog", "fox")
    }


def test_a_name_that_nobody_knows_stays_and_is_told(places):
    drawn = lists.draw("__animal__ and __robot__ and {__ghost__|__ghost__}", 1, places)
    assert drawn.text.endswith("and __robot__ and __ghost__")
    assert drawn.unknown == ("robot", "ghost")
    assert "__robot__ and __ghost__" in drawn.said
    assert lists.draw("a {b|c}", 1, places).said == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{" * 500 + "a|b" + "}" * 500, "more than 8 deep"),
        ("{a|b}" * 101, "101 lists; at most 100"),
        ("{100000$$a|b}", "draws 100,000 times; at most 100"),
    ],
)
def test_too_much_is_refused_with_what_is_allowed(text, words):
    with pytest.raises(BadInput, match=words):
        lists.draw(text, 1, ())


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"bad\.txt"):
        lists.draw("__bad__", 1, (tmp_path,))


def test_only_inputs_that_may_have_lists_are_drawn(tmp_path):
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mine.txt").write_text("only this\n")
    catalog = load_catalog(settings)
    picture, tune = catalog.family("image/emoji-diffusion"), catalog.family("audio/folk-gpt")
    given = {"prompt": "{red|red} __mine__", "image": "sha256:{a|b}"}
    assert lists.draw_inputs(picture, given, 1, settings) == ({**given, "prompt": "red only this"}, "")
    assert lists.draw_inputs(tune, {"prompt": "{g}A|B|"}, 1, settings) == ({"prompt": "{g}A|B|"}, "")


def test_our_own_lists_have_entries():
    found = lists.names(lists.folders(Settings()))
    assert {"animal", "colour", "food", "name"} <= set(found)
    for name in found:
        assert len(draws(f"__{name}__", (lists.OWN,), range(100))) >= 5


def test_a_prompt_of_very_many_entries_is_a_sentence(places):
    most = lists.ENTRIES_MAX
    assert draws(f"{{{'a|' * 50}a}}") == {"a"}
    for text in (f"{{{'a|' * most}a}}", "__animal__ " * (most + 1)):
        with pytest.raises(BadInput, match=r"entries; at most 1,000 are allowed"):
            lists.draw(text, 1, places)


def test_braces_within_braces_that_hold_no_list_are_text():
    text = "{" * 5000 + "a" + "}" * 5000
    assert lists.draw(text, 1, ()).text == text


def test_a_count_of_any_length_is_a_sentence():
    with pytest.raises(BadInput, match="draws 999,999,999 times"):
        lists.draw(f"{{{'9' * 5000}$$a|b}}", 1, ())
    assert lists.draw("{0002$$a|a}", 1, ()).text in ("a,a", "a, a", "a")
