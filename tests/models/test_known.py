"""A prompt that names nothing a model learnt is told before a run, with the nearest names."""

import pytest

from models.catalog import load_catalog
from models.errors import CatalogError
from models.known import named, unseen
from models.settings import Settings
from models.spec import ModelSpec, Names

LINES = "cat face\tcat\ncat with tears of joy\tjoy cat\nred heart\theart\nrocket\n1st place medal\n"


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "names.txt").write_text(LINES)
    return ModelSpec(
        id="image/x", name="X", family="gan", summary="x", architecture="x", trained_on="x", licence="x", parameters=1,
        weights={"path": "x"}, file=tmp_path / "x.toml",
        names=Names(file="names.txt", what="emoji", modifiers=("purple",)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "prompt",
    [
        "cat face",
        " Cat  Face!",
        "cat",
        "purple rocket",
        "a red heart",
        "",
        "  ",
        "☕",
        "(red heart:1.2)",
        "{xyzzy|cat}",
        "__xyzzy__",
    ],
)
def test_nothing_is_said_of_a_name_a_caption_or_one_in_a_learnt_colour(spec, prompt):
    assert unseen(spec, prompt) is None


def test_the_nearest_names_hold_the_words_of_the_prompt(spec):
    said = unseen(spec, "cat on the moon")
    assert set(said.nearest) == {"cat face", "cat with tears of joy"}
    assert said.sentence.startswith(
        "“cat on the moon” is not among the emoji names it has seen, and “moon” is not a word it learnt"
    )
    assert said.sentence.endswith("nearest: cat face, cat with tears of joy.")


def test_a_misspelt_name_finds_its_own(spec):
    assert unseen(spec, "rocet").nearest == ("rocket",)
    assert unseen(spec, "red hart").nearest[0] == "red heart"


def test_what_is_like_nothing_has_no_chips(spec):
    said = unseen(spec, "xyzzy")
    assert said.nearest == ()
    assert "is not among the emoji names it has seen." in said.sentence


def test_a_model_without_a_list_of_names_says_nothing(spec):
    assert unseen(spec.model_copy(update={"names": None}), "xyzzy") is None


def test_a_changed_list_is_read_again(spec):
    assert unseen(spec, "xyzzy") is not None
    (spec.file.parent / "names.txt").write_text(LINES + "xyzzy\n")
    assert unseen(spec, "xyzzy") is None


def test_a_missing_list_is_a_sentence(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (tmp_path / "x.toml").write_text(
        'id = "image/x"\nname = "X"\nfamily = "gan"\nsummary = "x"\narchitecture = "x"\ntrained_on = "x"\n'
        'licence = "x"\nparameters = 1\n[weights]\npath = "w"\n[names]\nfile = "none.txt"\nwhat = "emoji"\n'
    )
    with pytest.raises(CatalogError, match=r"list of names none\.txt is missing"):
        load_catalog(Settings(catalog_dirs=(tmp_path,)))


def test_every_shipped_model_tells_its_limits_and_every_example_is_a_name_it_learnt():
    for spec in load_catalog(Settings()).values():
        assert spec.limits, spec.id
        assert len(spec.limits) <= 160, spec.id
        assert [prompt for prompt in spec.examples if unseen(spec, prompt)] == [], spec.id


def test_of_a_long_prompt_the_first_words_say_what_is_nearest(spec):
    assert unseen(spec, "cat face " * 5000) is not None
    told = unseen(spec, "rockett " + "x" * 100_000)
    assert told.nearest[0] == "rocket"
    assert len(told.sentence) < 300


@pytest.mark.parametrize("prompt", ["two rockets", "rocket and cat", "purple cat faces", "red heart and two rockets"])
def test_nothing_is_said_of_several_or_of_one_beside_another(spec, prompt):
    spec = spec.model_copy(update={"names": spec.names.model_copy(update={"modifiers": ("purple", "two")})})
    assert unseen(spec, prompt) is None


@pytest.mark.parametrize("prompt", ["rocket and xyzzy", "xyzzys and rocket", "xyzzys", "two and"])
def test_beside_a_name_an_unknown_one_is_still_told(spec, prompt):
    assert unseen(spec, prompt) is not None


@pytest.mark.parametrize(
    "prompt, name",
    [("cat", "cat face"), (" Red  Heart!", "red heart"), ("rockets", "rocket"), ("purple rocket", "rocket"),
     ("the red heart, purple", "red heart"), ("(heart:1.3)", "red heart"), ("cat and rocket", ""), ("hen", ""),
     ("", ""), ("purple", "")],
)  # fmt: skip
def test_one_name_is_found_for_what_was_asked_for(spec, prompt, name):
    assert named(spec, prompt) == name


def test_a_name_that_holds_a_colour_is_known_beside_another_word(spec, tmp_path):
    (tmp_path / "names.txt").write_text("red circle\n")
    spec = spec.model_copy(update={"names": Names(file="names.txt", what="emoji", modifiers=("red", "flat"))})
    assert named(spec, "red circle, flat") == "red circle"
    assert unseen(spec, "red circle, flat") is None


def test_a_model_without_a_list_has_no_name_for_anything(spec):
    assert named(spec.model_copy(update={"names": None}), "red heart") == ""
