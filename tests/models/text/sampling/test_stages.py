"""Every stage of ours against straight-line code; processors of generate() and microscope against each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

from models.errors import BadInput  # noqa: E402
from models.text.kept import Kept  # noqa: E402
from models.text.looking.microscope import position, score  # noqa: E402
from models.text.sampling import (  # noqa: E402
    cuts,
    processors,
    replay,
    stages,
)
from models.text.sampling.rows import Rows  # noqa: E402
from models.text.sampling.schema import Constraint  # noqa: E402
from models.text.sampling.spelling import Spelling  # noqa: E402
from models.text.sampling.stages import STAGES  # noqa: E402
from models.text.settings import NEUTRAL, CausalLMParams, read_bias  # noqa: E402
from tests.tiny import make_tokenizer  # noqa: E402

TOKENIZER = make_tokenizer()
WORDS = Spelling(TOKENIZER.backend_tokenizer)
SIZE = len(TOKENIZER)
END = TOKENIZER.eos_token_id
ENDS = [END, *WORDS.line_end()]
SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}'
SAID = TOKENIZER.encode("the cat and the hat: the cat and the sea\n", add_special_tokens=False)

OURS = {
    "bias": st.sampled_from([["the: 3"], ["cat: -4.5", " hat: +1"], ["dragon: 2", "e: -1"]]),
    "frequency_penalty": st.floats(-2, 2), "presence_penalty": st.floats(-2, 2),
    "dry_multiplier": st.floats(0, 5), "dry_base": st.floats(1, 4), "dry_allowed_length": st.integers(1, 6),
    "banned": st.sampled_from([["the"], ["cat and", "x"], ["e", " "]]),
    "json_schema": st.just(SCHEMA), "top_n_sigma": st.floats(0.1, 5),
    "dynatemp_range": st.floats(0, 2), "dynatemp_exponent": st.floats(0.1, 5),
    "xtc_probability": st.floats(0, 1), "xtc_threshold": st.floats(0.01, 0.5),
    "mirostat_tau": st.floats(0.1, 10), "mirostat_eta": st.floats(0.01, 1),
}  # fmt: skip
THEIRS = {
    "repetition_penalty": st.floats(1.0, 2.0), "no_repeat_ngram_size": st.integers(2, 4),
    "temperature": st.floats(0.05, 2.0), "top_k": st.integers(1, 200), "top_p": st.floats(0.05, 1.0),
    "min_p": st.floats(0.01, 1.0), "typical_p": st.floats(0.05, 0.99),
}  # fmt: skip
ANY = st.fixed_dictionaries({}, optional={**OURS, **THEIRS})


def random_text(seed, tokens=7, json=False):
    """Return kept logits behind a prompt that says things twice; the answer goes on with pieces of it, or is JSON."""
    chance = np.random.default_rng(seed)
    start = int(chance.integers(3, len(SAID)))
    if json:
        ids = TOKENIZER.encode('{"a": "the cat"}', add_special_tokens=False)[:tokens]
    else:
        at = int(chance.integers(0, len(SAID) - tokens))
        ids = SAID[at : at + tokens]
        ids[int(chance.integers(0, tokens))] = int(chance.integers(3, SIZE))
    logits = chance.normal(0, 3, (len(ids), SIZE))
    return Kept(
        logits.astype(np.float16), np.array(ids, np.int32), np.array(SAID[:start], np.int32),
        seed=np.array([seed]), end=np.array([END], np.int32),
    )  # fmt: skip


def by_processors(kept, params, row=0, rows=1):
    """Return the scores that generate() would draw each of a text's tokens from (tokens × vocabulary), in a batch."""
    constraint = Constraint(params["json_schema"], WORDS, SIZE, END) if params.get("json_schema") else None
    build = processors.build(params, len(kept.prompt), int(kept.seed[0]) - row, WORDS, constraint, ends=ENDS)
    found = []
    for at in range(len(kept.ids)):
        # the other rows say something else
        others = [[*kept.prompt.tolist(), *np.roll(kept.ids, one + 1)[:at].tolist()] for one in range(rows)]
        others[row] = [*kept.prompt.tolist(), *kept.ids[:at].tolist()]
        logits = np.random.default_rng(at).normal(0, 3, (rows, SIZE)).astype(np.float32)
        logits[row] = kept.logits[at]
        given_ = torch.from_numpy(logits.copy())
        found.append(build(torch.tensor(others), given_)[row].numpy().copy())
        if not any(name in THEIRS for name in params):
            assert np.array_equal(given_.numpy(), logits)  # ours write on nothing that is not theirs
    return np.stack(found)


def by_microscope(kept, params):
    rows = replay.table(kept, WORDS, params)
    for name in STAGES:
        stages.apply(name, rows, params)
    return rows.x


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10_000), ANY, st.booleans())
def test_the_microscope_sees_what_generate_drew_from_under_any_settings(seed, params, json):
    kept = random_text(seed, json=json)
    wanted, found = by_processors(kept, params), by_microscope(kept, params)
    same = np.isfinite(wanted) == np.isfinite(found)
    assert same.mean() > 0.99  # where a sum lies on the edge itself, the last bit decides
    rows = same.all(axis=1)
    both = np.isfinite(wanted[rows])
    assert np.allclose(wanted[rows][both], found[rows][both], atol=1e-3, rtol=1e-4)
    # and the numbers that are shown are those: also where columns were left out on the way
    scored = score(kept, params, WORDS)
    p = torch.from_numpy(wanted).softmax(-1).numpy()[np.arange(len(kept.ids)), kept.ids]
    assert np.allclose(scored.after[rows], p[rows], atol=1e-4)
    assert np.array_equal(scored.left[rows], np.isfinite(wanted).sum(1)[rows])
    forbidden = ~np.isfinite(wanted[np.arange(len(kept.ids)), kept.ids])
    assert np.array_equal(scored.stage[rows] >= 0, forbidden[rows])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), ANY, st.integers(0, 2))
def test_a_text_among_others_meets_what_it_meets_alone(seed, params, row):
    kept = random_text(seed + 5)
    alone, among = by_processors(kept, params), by_processors(kept, params, row, rows=3)
    assert (np.isfinite(alone) == np.isfinite(among)).mean() > 0.99
    both = np.isfinite(alone) & np.isfinite(among)
    assert np.allclose(alone[both], among[both], atol=1e-4)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 999), ANY, st.integers(0, 6))
def test_one_position_says_what_the_whole_text_says_of_it(seed, params, at):
    kept = random_text(seed)
    whole, one = score(kept, params, WORDS), position(kept, params, at, words=WORDS)
    drawn = next(token for token in one["tokens"] if token["id"] == kept.ids[at])
    assert drawn["p"][-1] == pytest.approx(whole.after[at], abs=1e-4)
    assert abs(one["left"] - whole.left[at]) <= 1
    assert one["stages"] == [name for name in STAGES if stages.acts(name, params)]


# ---- each stage of ours, written down once more: one row, one token at a time


def softmax(x):
    most = max(x)
    e = [math.exp(one - most) for one in x]
    return [one / sum(e) for one in e]


def straight(name, x, prompt, answer, seed, params):
    """Return what a stage makes of one list of scores."""
    x = list(x)
    said = [*prompt, *answer]
    text = b"".join(WORDS.texts[token] for token in said)
    out = -math.inf
    if name == "frequency_penalty":
        return [one - params[name] * answer.count(token) for token, one in enumerate(x)]
    if name == "presence_penalty":
        return [one - params[name] * (token in answer) for token, one in enumerate(x)]
    if name == "dry_multiplier":
        for token in range(SIZE):
            longest = 0
            for end in range(1, len(said)):
                if said[end] != token or any(c in WORDS.texts[token] for c in (b"\n", b":", b'"', b"*")):
                    continue
                run = 0
                while (
                    run < end and run < 50 and said[end - 1 - run] == said[-1 - run]
                    and not any(c in WORDS.texts[said[-1 - run]] for c in (b"\n", b":", b'"', b"*"))
                ):  # fmt: skip
                    run += 1
                longest = max(longest, run)
            if longest and longest >= params["dry_allowed_length"]:
                x[token] -= params["dry_multiplier"] * params["dry_base"] ** (longest - params["dry_allowed_length"])
        return x
    if name == "banned":
        words = [one.encode() for one in params["banned"]]
        new = [text[-30:] + one for one in WORDS.texts]
        begin = len(text[-30:])
        return [
            out
            if any(word in new[token][max(0, begin - len(word) + 1) :] for word in words if WORDS.texts[token])
            else one
            for token, one in enumerate(x)
        ]
    if name == "top_n_sigma":
        mean = sum(x) / len(x)
        sigma = math.sqrt(sum((one - mean) ** 2 for one in x) / len(x))
        return [one if one >= max(x) - params[name] * sigma else out for one in x]
    p = softmax(x)
    if name == "dynatemp_range":
        share = -sum(one * math.log(one) for one in p if one) / math.log(len(x))
        low = max(0.05, params["temperature"] - params[name])
        high = params["temperature"] + params[name]
        return [one / (low + (high - low) * share ** params["dynatemp_exponent"]) for one in x]
    if name == "xtc_probability":
        coin = cuts._uniform(seed, len(answer))
        above = [token for token, one in enumerate(p) if one >= params["xtc_threshold"]]
        if coin >= params[name] or len(above) < 2:
            return x
        above.remove(min(above, key=lambda token: p[token]))
        if set(above) & set(ENDS):
            return x
        return [out if token in above else one for token, one in enumerate(x)]
    raise AssertionError(name)


SET = {
    "frequency_penalty": [{}, -1.5], "presence_penalty": [{}, 0.7],
    "dry_multiplier": [{"dry_base": 1.5, "dry_allowed_length": 2}, 0.8],
    "banned": [{}, ["the", "at and", "x"]], "top_n_sigma": [{}, 1.3],
    "dynatemp_range": [{"temperature": 0.9, "dynatemp_exponent": 1.7}, 0.6],
    "xtc_probability": [{"xtc_threshold": 0.05}, 0.5],
}  # fmt: skip


@pytest.mark.parametrize("name", SET)
def test_each_stage_of_ours_is_what_its_definition_says(name):
    others, value = SET[name]
    params = {**others, name: value}
    acted = 0
    for seed in range(12):
        kept = random_text(seed)
        found = by_microscope(kept, params)
        for at in range(len(kept.ids)):
            raw = kept.logits[at].astype(np.float64).tolist()
            wanted = straight(name, raw, kept.prompt.tolist(), kept.ids[:at].tolist(), seed, params)
            finite = np.isfinite(wanted)
            assert np.array_equal(np.isfinite(found[at]), finite)
            assert np.allclose(found[at][finite], np.array(wanted)[finite], atol=2e-3)
            acted += not np.allclose(found[at], raw)
    assert acted


def test_mirostat_is_algorithm_2_of_its_paper():
    params = {"mirostat_tau": 3.0, "mirostat_eta": 0.4}
    for seed in range(10):
        kept = random_text(seed)
        mu = 6.0
        found = by_microscope(kept, params)
        for at, token in enumerate(kept.ids):
            p = softmax(kept.logits[at].astype(np.float64).tolist())
            keep = [-math.log2(one) <= mu or one == max(p) for one in p]
            assert np.array_equal(np.isfinite(found[at]), keep)
            mu -= 0.4 * (-math.log2(p[token]) - 3.0)
        assert replay.mu_after(kept, params, None) == pytest.approx(mu, abs=1e-3)


@pytest.mark.parametrize(("tau", "spread"), [(2.0, 3.0), (4.0, 2.0)])
def test_mirostat_steers_the_mean_surprise_to_tau(tau, spread):
    chance = np.random.default_rng(0)
    logits = chance.normal(0, spread, 400)
    params = {"mirostat_tau": tau, "mirostat_eta": 0.1}
    step, said, bits = processors.Mirostat(params, 1, None), [0], []
    p = np.array(softmax(logits.tolist()))
    for _ in range(600):
        x = step(torch.tensor([said]), torch.from_numpy(logits[None].astype(np.float32)))[0].double().softmax(0).numpy()
        said.append(int(chance.choice(400, p=x / x.sum())))
        bits.append(-math.log2(p[said[-1]]))
    assert np.mean(bits[100:]) == pytest.approx(tau, abs=0.25)


def test_mirostat_behind_a_given_beginning_is_as_if_that_had_been_drawn():
    params = {"mirostat_tau": 2.0, "top_k": 30}
    kept = random_text(4)
    whole = by_processors(kept, params)
    begun = Kept(kept.logits[:3], kept.ids[:3], kept.prompt, seed=kept.seed, end=kept.end)
    mu = replay.mu_after(begun, params, WORDS)
    build = processors.build(params, len(kept.prompt), 4, WORDS, None, mu)
    for at in range(3, 7):
        said = torch.tensor([[*kept.prompt.tolist(), *kept.ids[:at].tolist()]])
        found = build(said, torch.from_numpy(kept.logits[at : at + 1].astype(np.float32)))[0].numpy()
        assert np.array_equal(np.isfinite(found), np.isfinite(whole[at]))


def test_a_bias_raises_a_word_piece_by_piece_and_lowers_only_what_completes_it():
    pieces = TOKENIZER.encode(" dragon", add_special_tokens=False)
    assert len(pieces) > 1
    prompt = TOKENIZER.encode("a", add_special_tokens=False)
    for at in range(len(pieces)):
        rows = Rows(np.zeros((1, SIZE), np.float32), [np.array([*prompt, *pieces[:at]])], 1, SIZE, words=WORDS)
        stages.apply("bias", rows, {"bias": ["dragon: +2.5"]})
        assert rows.x[0, pieces[at]] == 2.5
        assert set(np.flatnonzero(rows.x[0])) == {pieces[at]}  # once begun, it goes on first
        rows = Rows(np.zeros((1, SIZE), np.float32), [np.array([*prompt, *pieces[:at]])], 1, SIZE, words=WORDS)
        stages.apply("bias", rows, {"bias": ["dragon: -2.5"]})
        assert (rows.x[0, pieces[at]] == -2.5) == (at == len(pieces) - 1)


def test_two_entries_of_one_word_add_up():
    token = TOKENIZER.encode(" the", add_special_tokens=False)[0]
    rows = Rows(np.zeros((1, SIZE), np.float32), [np.array([70])], 1, SIZE, words=WORDS)
    stages.apply("bias", rows, {"bias": ["the: 1", "the: 2"]})
    assert rows.x[0, token] == 3


@pytest.mark.parametrize(("entry", "found"), [
    ("dragon: +2.5", ("dragon", 2.5)), ("a:b:-3", ("a:b", -3.0)), (" the : 1e1", ("the", 10.0)),
    ("x:\u22122", ("x", -2.0)),
])  # fmt: skip
def test_a_bias_is_read(entry, found):
    assert read_bias([entry]) == [found]


@pytest.mark.parametrize(
    "entry", ["dragon", "dragon:", ": 2", "a: b", "a: 101", "a: nan", "a: inf", ":", "", "a" * 101 + ": 1"]
)
def test_what_is_no_bias_is_refused_in_a_sentence(entry):
    with pytest.raises(BadInput) as caught:
        read_bias([entry])
    assert caught.value.message.endswith(".")


def test_bans_that_would_leave_nothing_leave_what_there_was():
    everything = [chr(one) for one in range(32, 127)]
    rows = Rows(np.full((1, SIZE), -np.inf, np.float32), [np.array([70])], 1, SIZE, words=WORDS)
    rows.x[0, 70] = 1.0
    stages.apply("banned", rows, {"banned": [WORDS.texts[70].decode(), *everything]})
    assert np.flatnonzero(np.isfinite(rows.x[0])).tolist() == [70]


def test_xtc_acts_as_often_as_it_says_and_each_place_and_seed_has_a_chance_of_its_own():
    uniforms = np.array([[cuts._uniform(seed, at) for at in range(100)] for seed in range(100)])
    assert (uniforms < 0.3).mean() == pytest.approx(0.3, abs=0.02)
    assert len(np.unique(uniforms)) == 10_000
    assert abs(np.corrcoef(uniforms[:-1].ravel(), uniforms[1:].ravel())[0, 1]) < 0.05


def test_greedy_text_meets_no_stage_of_chance():
    for name in stages.CHANCE:
        assert not stages.acts(name, {name: 0.5, "do_sample": False})
    assert stages.acts("frequency_penalty", {"frequency_penalty": 0.5, "do_sample": False})


def test_the_dynamic_temperature_takes_the_place_of_the_temperature():
    assert stages.acts("temperature", {"temperature": 0.5})
    assert not stages.acts("temperature", {"temperature": 0.5, "dynatemp_range": 0.2})


def test_at_neutral_values_nothing_is_built_and_every_stage_is_a_setting():
    values = {**CausalLMParams().model_dump(), "temperature": 1.0, "top_p": 1.0}
    assert len(processors.build(values, 1, 0, None)) == 0
    assert set(STAGES) | set(stages.BESIDE) <= set(values)
    assert {name for name in NEUTRAL if name in STAGES} <= set(STAGES)


def partly(kept, count):
    """Return a text of which the likeliest tokens alone were kept."""
    x = kept.logits.astype(np.float32)
    order = np.argsort(-x, axis=1, kind="stable")
    columns, others = order[:, :count], order[:, count:]
    rest = np.log(np.exp(np.take_along_axis(x, others, 1)).sum(1)).astype(np.float32)
    return Kept(np.take_along_axis(kept.logits, columns, 1), kept.ids, kept.prompt, columns.astype(np.int32), rest,
                kept.seed, kept.end)  # fmt: skip


@pytest.mark.parametrize("params", [
    {"frequency_penalty": 1.0}, {"presence_penalty": 1.0}, {"dry_multiplier": 1.0}, {"banned": ["the"]},
    {"bias": ["cat: 2", "the: -2"]}, {"json_schema": SCHEMA}, {"xtc_probability": 1.0}, {"mirostat_tau": 3.0},
    {"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 2},
    {"frequency_penalty": 0.5, "top_k": 9, "xtc_probability": 1.0},
])  # fmt: skip
def test_of_a_large_vocabulary_what_was_kept_says_nearly_the_same(params):
    seen = 0
    for seed in range(20):
        kept = random_text(seed, json="json_schema" in params)
        whole, part = score(kept, params, WORDS), score(partly(kept, 250), params, WORDS)
        named = (partly(kept, 250).columns == kept.ids[:, None]).any(1)
        if "json_schema" in params:
            assert np.array_equal((whole.stage >= 0)[named], (part.stage >= 0)[named])
            assert (part.after <= whole.after + 1e-3)[named].all()
        else:
            assert np.allclose(whole.after[named], part.after[named], atol=2e-2)
        seen += named.sum()
    assert seen > 50


def test_the_settings_that_do_something_are_those_of_acting_stages_and_what_they_read():
    off = {
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": None,
        "dry_multiplier": 0.0,
        "dry_base": 1.75,
        "xtc_threshold": 0.1,
    }
    assert stages.effective(off) == {}
    on = {**off, "temperature": 0.7, "dry_multiplier": 0.8}
    assert stages.effective(on) == {"temperature": 0.7, "dry_multiplier": 0.8, "dry_base": 1.75}
    dynamic = {"temperature": 0.7, "dynatemp_range": 0.3, "dynatemp_exponent": 1.0}
    assert stages.effective(dynamic) == dynamic
    assert {stages.beside(name) for name in stages.BESIDE} <= set(stages.STAGES)
    assert stages.beside("top_p") == ""
