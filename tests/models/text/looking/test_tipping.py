"""Tipping points: against real runs in every stretch of a setting's range; edges, words, what is refused."""

from itertools import pairwise

import pytest

from models.blobs import Blobs
from models.errors import BadInput, BadParam
from models.params import describe
from models.text.looking import tipping
from models.text.settings import CausalLMParams
from tests.tiny import ask, final_of

FIELDS = {item.name: item for item in describe(CausalLMParams)}
PROMPT = "Once upon a"


def views(final):
    return [one for one in final.outputs if one.meta.get("what") == "logits"]


def tip(engine, request, setting, output=0, step=None, forced=0):
    final = final_of(engine, request)
    view = views(final)[output]
    Blobs(engine._settings.data_dir).put_bytes(view.data)
    data = {"ref": f"sha256:{view.sha256}", "request": request.model_dump(), "output": output, "forced": forced,
            "setting": setting, "step": step}  # fmt: skip
    return engine.call(request.model, "tipping", data), view


def ids_at(engine, request, name, value, output=0):
    changed = request.model_copy(update={"params": {**request.params, name: value}})
    return views(final_of(engine, changed))[output].meta["ids"]


@pytest.mark.parametrize(
    ("model", "setting", "params", "output"),
    [
        ("llama", "temperature", {"temperature": 0.6}, 0),
        ("llama", "top_p", {"temperature": 1.0, "top_p": 0.8}, 0),
        ("gpt2", "repetition_penalty", {"temperature": 0.8}, 0),
        ("qwen2", "top_k", {"temperature": 1.0, "top_k": 12}, 0),
        ("qwen2", "min_p", {"temperature": 1.0}, 0),
        ("gpt2", "typical_p", {"temperature": 0.9, "typical_p": 0.8}, 0),
        ("gpt2", "frequency_penalty", {"temperature": 0.9, "presence_penalty": 0.2}, 0),
        ("llama", "temperature", {"temperature": 0.9, "num_variants": 2}, 1),
        ("gpt2", "repetition_penalty", {"do_sample": False}, 0),
        ("lstm", "temperature", {"temperature": 0.7, "xtc_probability": 0.3, "mirostat_tau": 4.0}, 0),
    ],
)
# none of these texts has two tokens that half precision cannot tell apart; see `tipping.how`
def test_each_stretch_is_what_a_run_in_its_middle_writes_first(engine, model, setting, params, output):
    request = ask(PROMPT, model, 3, max_new_tokens=16, **params)
    answer, view = tip(engine, request, setting, output)
    own = view.meta["ids"]
    item = FIELDS[setting]
    assert len(answer["segments"]) > 1
    for one in answer["segments"]:
        if params.get("num_variants") and setting == "temperature" and one["to"] == 0:
            continue  # greedy: one text alone
        middle = (one["from"] + one["to"]) / 2
        value = round(middle) if item.type == "integer" else max(round(middle, 4), one["from"])
        found = ids_at(engine, request, setting, value, output)
        if one["at"] is None:
            assert found == own, (value, one)
            continue
        assert found[: one["at"]] == own[: one["at"]], (value, one)
        assert found[one["at"]] == one["id"] != own[one["at"]], (value, one)


def test_the_range_is_told_without_a_gap_and_the_own_value_stays_the_same(engine):
    answer, _ = tip(engine, ask(PROMPT, "llama", 3, max_new_tokens=16, temperature=0.633), "temperature")
    segments = answer["segments"]
    assert (segments[0]["from"], segments[-1]["to"]) == (0.0, 2.0)
    assert answer["finest"] == 0.001
    for one, other in pairwise(segments):
        # an own value between two of the finest ones is a point too
        assert 0 < other["from"] - one["to"] <= 0.001 + 1e-9
        assert (one["at"], one.get("id")) != (other["at"], other.get("id"))
    own = segments[answer["own"]]
    assert own["at"] is None
    assert own["from"] <= 0.633 <= own["to"]
    assert answer["sentence"].startswith("This text stays the same with temperature")


def test_a_beginning_that_was_given_is_passed_over(engine):
    request = ask(PROMPT, "llama", 3, max_new_tokens=10, temperature=0.9)
    request = request.model_copy(update={"inputs": {**request.inputs, "forced": "[5, 6, 7]"}})
    answer, view = tip(engine, request, "temperature", forced=3)
    assert view.meta["ids"][:3] == [5, 6, 7]
    assert all(one["at"] is None or one["at"] >= 3 for one in answer["segments"])
    wild = answer["segments"][-1]
    assert ids_at(engine, request, "temperature", 2.0)[wild["at"]] == wild["id"]


def test_a_setting_without_effect_says_so_and_changes_nothing(engine):
    answer, _ = tip(engine, ask(PROMPT, "llama", 3, max_new_tokens=6, do_sample=False), "top_p")
    assert not answer["acts"]
    assert [one["at"] for one in answer["segments"]] == [None]
    assert answer["sentence"].startswith("Top-p has no effect under this text's other settings")


def test_a_setting_that_was_off_is_told_as_off(engine):
    answer, _ = tip(engine, ask(PROMPT, "llama", 3, max_new_tokens=16, temperature=1.0, top_p=1.0), "top_k")
    assert answer["value"] is None
    assert answer["own"] is None
    assert answer["off"]["at"] is None
    assert answer["segments"][0]["at"] is not None  # the likeliest token alone
    assert answer["sentence"].startswith("This text was written with top-k off. ")


@pytest.mark.parametrize(
    ("setting", "step", "words"),
    [
        ("max_new_tokens", None, "“max_new_tokens” has no tipping points. Choose a setting that acts on each draw: "),
        ("no_such", None, "“no_such” has no tipping points"),
        ("temperature", 0, "step is 0; for temperature it must be 0.001 to 2"),
        ("temperature", -1, "step is -1"),
        ("temperature", 1e-9, "step is 1e-09"),
        ("temperature", float("nan"), "step is nan"),
        ("temperature", 3, "step is 3"),
        ("top_k", 1.5, "top_k is a whole number, so its step must be one too"),
    ],
)
def test_a_wrong_setting_or_step_is_a_sentence(engine, setting, step, words):
    with pytest.raises(BadParam) as raised:
        tip(engine, ask(PROMPT, "llama", 3, max_new_tokens=2), setting, step=step)
    assert words in raised.value.message


def test_a_file_that_holds_no_text_is_a_sentence(engine):
    request = ask(PROMPT, "llama", 3, max_new_tokens=2)
    ref = Blobs(engine._settings.data_dir).put_bytes(b"no logits")
    with pytest.raises(BadInput, match="saved logits of this text are damaged"):
        engine.call(request.model, "tipping", {"ref": ref, "request": request.model_dump(), "setting": "top_p"})


def test_the_values_looked_at_are_the_sliders_and_its_end():
    assert tipping.looked_at(FIELDS["temperature"])[:3] == [0.0, 0.05, 0.1]
    assert len(tipping.looked_at(FIELDS["temperature"])) == 41
    assert tipping.looked_at(FIELDS["typical_p"])[-1] == 0.99
    assert tipping.looked_at(FIELDS["temperature"], 0.3)[-2:] == [1.8, 2.0]
    assert tipping.looked_at(FIELDS["top_k"])[:2] == [1, 2]
    assert [tipping.finest(FIELDS[name]) for name in ("temperature", "top_p", "frequency_penalty", "top_k")] == (
        pytest.approx([0.001, 0.001, 0.01, 1])
    )


def test_edges_are_found_on_both_sides_of_what_comes_and_goes():
    # not monotone: the text comes back, and a third outcome lies between two values that are looked at
    edges = [(0.4321, None), (0.4444, (3, 9)), (0.5999, (3, 8)), (1.2345, None), (2.1, (1, 5))]
    asked = []

    def outcome(value):
        asked.append(value)
        return next(flip for until, flip in edges if value < until)

    item = FIELDS["temperature"]
    found = tipping.search(outcome, tipping.looked_at(item), item, 0.001)
    assert [value for value, _ in found] == sorted({value for value, _ in found})
    for until, _ in edges[:-1]:
        below = max(value for value, _ in found if value < until)
        above = min(value for value, _ in found if value >= until)
        assert above - below == pytest.approx(0.001)
    assert len(asked) < 100  # 41 values and about six for each edge


def test_a_whole_number_is_looked_at_value_by_value():
    item = FIELDS["no_repeat_ngram_size"]
    found = tipping.search(lambda value: (0, value % 3), tipping.looked_at(item), item, 1)
    assert [value for value, _ in found] == [2, 3, 4, 5, 6, 7, 8, 9, 10]


def answer_of(*segments, value=0.5, own=0, off=None, **more):
    made = [{"from": low, "to": high, **flip} for low, high, flip in segments]
    return {"label": "Top-p", "acts": True, "low": 0.1, "high": 1, "segments": made, "value": value, "own": own,
            "off": off, **more}  # fmt: skip


SAME = {"at": None}
CAVE = {"at": 13, "text": " cave", "was": " wood", "ends": False}
END = {"at": 8, "text": "<|end|>", "was": "\n", "ends": True}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answer_of((0.1, 0.7, END), (0.71, 0.78, SAME), (0.79, 1, CAVE), value=0.75, own=1),
         "This text stays the same with top-p from 0.71 to 0.78. At 0.79 token 14 becomes “cave” (was “wood”). At 0.7 "
         "the text ends at token 9 (was “⏎”)."),
        (answer_of((0.1, 1, SAME)), "This text stays the same at every value of top-p, from 0.1 to 1."),
        (answer_of((0.1, 0.5, SAME), (0.51, 0.8, CAVE), (0.81, 1, SAME)),
         "This text stays the same with top-p from 0.1 to 0.5. At 0.51 token 14 becomes “cave” (was “wood”). It is "
         "also the same at 0.81 to 1."),
        (answer_of((0.1, 1, CAVE), value=None, own=None, off=SAME),
         "This text was written with top-p off. Every value of top-p from 0.1 to 1 changes it."),
        (answer_of((0.1, 0.5, SAME), (0.51, 1, CAVE), off=CAVE),
         "This text stays the same with top-p from 0.1 to 0.5. At 0.51 token 14 becomes “cave” (was “wood”). Off: "
         "token 14 becomes “cave” (was “wood”)."),
        (answer_of((0.1, 0.5, CAVE), (0.6, 0.6, SAME), (0.7, 1, END), value=0.6, own=1),
         "This text stays the same with top-p only at 0.6. At 0.7 the text ends at token 9 (was “⏎”). At 0.5 token 14 "
         "becomes “cave” (was “wood”)."),
    ],
)  # fmt: skip
def test_the_sentence_names_the_stretch_and_both_ends(answer, words):
    assert tipping.sentence(answer) == words


def test_how_it_was_found_is_told_with_its_limits():
    told = {"step": 0.05, "finest": 0.001, "whole": True, "unsure": []}
    assert tipping.how(told).startswith(
        "Looked at every 0.05, with edges found to 0.001; what changes and changes back"
    )
    assert "half precision" in tipping.how(told)
    assert tipping.how({**told, "step": 1, "finest": 1}).startswith("Looked at every 1. Computed")
    assert "a rarer one may come in earlier" in tipping.how({**told, "whole": False})
    assert tipping.how({**told, "unsure": [3, 1200]}).endswith("passed over: token 4, 1,201.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [(" cave", "“cave”"), ("s", "“s”"), (" ", "“␣”"), ("\n\t", "“⏎⇥”"), ("", "“∅”"), ("  a b", "“␣a␣b”")],
)
def test_a_token_is_shown_so_that_it_can_be_seen(text, shown):
    assert tipping.seen(text) == shown
