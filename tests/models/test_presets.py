"""Settings under a name: what they change, what a model cannot take, files of them, and the shell."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import __main__ as command
from models import presets
from models.catalog import load_catalog
from models.errors import BadInput
from models.params import check
from models.presets import Preset
from models.settings import Settings

CATALOG = load_catalog(Settings(), strict=False)
STORY = "text/story-gpt"
FIELDS = CATALOG.family(STORY).fields(CATALOG[STORY])
NOW = {item.name: item.default for item in FIELDS}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12,
)  # fmt: skip


def file(*given, **more):
    return json.dumps({"v": 1, "family": "causal_lm", "presets": list(given), **more})


def test_a_preset_changes_what_it_names_and_no_more():
    found, said = presets.fit(FIELDS, Preset("a", {"temperature": 0.3, "top_k": 5, "top_p": NOW["top_p"]}), NOW)
    assert [(one.item.name, one.now, one.then) for one in found] == [("temperature", 0.8, 0.3), ("top_k", None, 5)]
    assert said == []
    assert presets.fit(FIELDS, Preset("a", {"top_k": None}), {**NOW, "top_k": 5})[0][0].then is None


def test_what_a_model_cannot_take_is_told_and_left_out():
    found, said = presets.fit(FIELDS, Preset("a", {"temperature": 9, "steps": 3, "top_k": 5, "seed": 1}), NOW)
    assert [one.item.name for one in found] == ["top_k"]
    assert said == [
        "temperature is 9; it must be 0 to 2", "steps: this model has no such setting",
        "seed: this model has no such setting",
    ]  # fmt: skip


@pytest.mark.parametrize("model", list(CATALOG))
def test_every_preset_of_ours_fits_its_model_says_what_it_does_and_has_a_name_of_its_own(model):
    spec, family = CATALOG[model], CATALOG.family(model)
    ours = [*spec.recommended(), *family.presets]
    fields = family.fields(spec)
    for one in ours:
        changes, said = presets.fit(fields, one, {})
        assert said == []
        check(family.Params, fields, {change.item.name: change.then for change in changes})
        assert one.about
    assert len({one.name.lower() for one in ours}) == len(ours)
    assert len(spec.recommended()) == len(spec.presets)


def test_presets_go_into_a_file_and_out_again():
    own = presets.of_settings("  My   own ", FIELDS, {**NOW, "temperature": 0.3, "stop": ["x"], "seed": 9})
    assert own == Preset("My own", {"temperature": 0.3, "stop": ["x"]})
    other = Preset("Ä „x“", {"unknown": 3, "top_k": None}, "About", "Somebody")
    assert presets.read(presets.to_json("causal_lm", [own, other]), "causal_lm") == ([own, other], [])
    assert presets.read_kept([own.to_plain(), {"name": 3}, other.to_plain()]) == [own, other]


def test_a_name_that_is_none_is_refused():
    for name in ("", "   ", "x" * 41, "\ud800"):
        with pytest.raises(BadInput, match="it must be a text of 1 to 40 characters"):
            presets.of_settings(name, FIELDS, {**NOW, "temperature": 0.3})


def test_new_ones_take_the_place_of_those_of_the_same_name():
    one, two, new = Preset("a", {"x": 1}), Preset("b"), Preset("a", {"x": 2})
    assert presets.joined([one, two], [new]) == [new, two]
    many = [Preset(str(number)) for number in range(presets.MOST)]
    with pytest.raises(BadInput, match="at most 50 are kept"):
        presets.joined(many, [new])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no file of presets"),
        ("[]", "must be an object with a list"),
        ('{"presets": 3}', "must be an object with a list"),
        (file(v=2), "is of version 2; this app reads version 1"),
        (file(family="vae"), "is for models of the family 'vae'; this one is causal_lm"),
        ("x" * 100_001, "is 100,001 bytes long"),
    ],
)
def test_what_is_no_file_of_presets_gets_a_sentence(text, said):
    with pytest.raises(BadInput, match=said):
        presets.read(text, "causal_lm")


def test_each_part_that_is_wrong_is_named_and_the_others_are_taken():
    good = {"name": "ok", "params": {"top_k": 4}}
    found, said = presets.read(
        file(good, {"name": ""}, 7, {"name": "x", "params": {"a": {}}}, {"name": "y", "params": {}, "z": 1}, more=1),
        "causal_lm",
    )
    assert found == [Preset("ok", {"top_k": 4})]
    assert said[0] == "unknown part 'more'"
    assert [one.partition(" ")[0:1] for one in said[1:]] == [("Preset",)] * 4
    assert "a setting is a number" in said[3]
    many = presets.read(file(*[good] * 60), "causal_lm")
    assert (len(many[0]), many[1]) == (50, ["Only the first 50 of 60 presets are taken."])


@given(PLAIN)
def test_no_content_breaks_the_reader(content):
    for body in (content, {"v": 1, "family": "f", "presets": content}, {"v": 1, "family": "f", "presets": [content]},
                 {"v": 1, "family": "f", "presets": [{"name": "a", "params": content}]},
                 {"v": 1, "family": "f", "presets": [{"name": "a", "params": {"temperature": content}}]}):  # fmt: skip
        try:
            found, said = presets.read(json.dumps(body), "f")
        except BadInput:
            continue
        assert all(isinstance(one, str) and one for one in said)
        for one in found:
            changes, _ = presets.fit(FIELDS, one, NOW)
            check(CATALOG.family(STORY).Params, FIELDS, {change.item.name: change.then for change in changes})
        assert presets.read(presets.to_json("f", found), "f") == (found, [])
        presets.read_kept(content)


def test_a_wrong_declaration_fails_at_import():
    with pytest.raises(TypeError, match="name"):
        Preset("")
    with pytest.raises(TypeError, match="a setting is a number"):
        Preset("a", {"x": object()})


# -- from a shell ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))

    def run(*given):
        capsys.readouterr()
        code = command.main(list(map(str, given)))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_shell_lists_takes_and_deletes_presets(shell, tmp_path):
    code, out, _ = shell("presets", STORY)
    assert code == 0
    assert "Greedy: Always the likeliest token" in out
    assert "--param do_sample=false   Sampling on → off" in out
    (tmp_path / "mine.json").write_text(file({"name": "Calm", "params": {"temperature": 0.2, "odd": 1}}, {"name": 1}))
    code, out, err = shell("presets", STORY, "--import", tmp_path / "mine.json")
    assert (code, out) == (0, "1 kept.\n")
    assert "Left out: Preset 2" in err
    out = shell("presets", STORY)[1]
    assert "Calm\n  --param temperature=0.2   Temperature 0.8 → 0.2\n  not for this model: odd" in out
    assert json.loads(shell("presets", STORY, "--json")[1])["presets"][0]["name"] == "Calm"
    assert shell("presets", STORY, "--delete", "Calm")[:2] == (0, "Deleted.\n")
    assert shell("presets", STORY, "--delete", "Calm")[0] == 2


def test_a_run_takes_a_preset_and_its_own_settings_go_over_it(shell):
    asked = ["run", STORY, "--prompt", "Once", "--param", "max_new_tokens=2", "--json"]
    code, out, _ = shell(*asked, "--preset", "min-p, hot", "--param", "temperature=0.5")
    params = json.loads(out)["params"]
    assert code == 0
    assert (params["temperature"], params["min_p"]) == (0.5, 0.1)
    code, _, err = shell(*asked, "--preset", "Nobody's")
    assert code == 2
    assert "choose one of: Greedy" in err
