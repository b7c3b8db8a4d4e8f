"""Texts drawn again from their logits: against the sampler at 200 values of each setting, rounding, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

from models.errors import BadInput  # noqa: E402
from models.text.kept import Kept  # noqa: E402
from models.text.sampling.redraw import Drawn, Redraw, noise  # noqa: E402
from models.text.settings import CausalLMParams  # noqa: E402
from tests.tiny.drawn_texts import VOCABULARY, drawn, first_difference, made  # noqa: E402

BUSY = {"temperature": 0.9, "top_p": 0.9, "dry_multiplier": 0.4, "repetition_penalty": 1.1}
# settings that another one switches on
WITH = {
    "dynatemp_exponent": {"dynatemp_range": 0.5}, "xtc_threshold": {"xtc_probability": 0.5},
    "mirostat_eta": {"mirostat_tau": 1.0}, "dry_base": {"dry_multiplier": 0.5, "dry_allowed_length": 1},
    "dry_allowed_length": {"dry_multiplier": 1.0},
}  # fmt: skip
FEW = ("no_repeat_ngram_size", "dry_multiplier", "dry_base", "dry_allowed_length")  # act where much is said again
RANGES = {
    "temperature": (0.0, 2.0), "top_p": (0.05, 1.0), "top_k": (1, 200), "min_p": (0.01, 1.0),
    "typical_p": (0.05, 0.99), "top_n_sigma": (0.1, 5.0), "xtc_probability": (0.0, 1.0), "xtc_threshold": (0.01, 0.5),
    "dynatemp_range": (0.0, 2.0), "dynatemp_exponent": (0.1, 5.0), "mirostat_tau": (0.1, 10.0),
    "mirostat_eta": (0.01, 1.0), "repetition_penalty": (1.0, 2.0), "no_repeat_ngram_size": (2, 10),
    "frequency_penalty": (-2.0, 2.0), "presence_penalty": (-2.0, 2.0), "dry_multiplier": (0.0, 5.0),
    "dry_base": (1.0, 4.0), "dry_allowed_length": (1, 20),
}  # fmt: skip


def full(**params):
    return CausalLMParams(**params).model_dump()


def values(name, count=200):
    low, high = RANGES[name]
    if isinstance(low, int):
        return list(range(low, high + 1))
    return [round(float(one), 6) for one in np.linspace(low, high, count)]


@pytest.mark.parametrize("name", RANGES)
def test_two_hundred_values_give_what_the_sampler_draws(name):
    differing = set()
    for seed in (1, 2):
        params = full(**{**BUSY, **WITH.get(name, {})})
        size = 4 if name in FEW else VOCABULARY
        kept = made(seed, params, 30 if name in FEW else 12, vocabulary=size)
        redraw = Redraw(kept, params, name, Drawn(seed, size))
        assert redraw.first_flip(params[name]) is None
        assert redraw.unsure == frozenset()
        for value in values(name):
            changed = {**params, name: value}
            wanted = first_difference(kept, drawn(kept, changed, seed))
            assert redraw.first_flip(value) == wanted, value
            differing.add(wanted)
    assert len(differing) > 1  # it did act


def test_a_setting_that_can_be_off_is_followed_there_too():
    params = full(temperature=1.2, top_k=4)
    kept = made(5, params)
    wanted = first_difference(kept, drawn(kept, {**params, "top_k": None}, 5))
    assert wanted is not None
    assert Redraw(kept, params, "top_k", Drawn(5, VOCABULARY)).first_flip(None) == wanted


@pytest.mark.parametrize("row", [0, 1, 2])
def test_one_of_several_variants_has_its_own_draws(row):
    params = full(num_variants=3)
    kept = made(8, params, texts=3, row=row)
    redraw = Redraw(kept, params, "temperature", Drawn(8, VOCABULARY, 3, row))
    for value in (0.3, 0.7, 0.9, 1.4):
        assert redraw.first_flip(value) == first_difference(
            kept, drawn(kept, {**params, "temperature": value}, 8, 3, row)
        )
    with pytest.raises(BadInput, match="draws of this text cannot be repeated"):
        Redraw(kept, params, "temperature", Drawn(8, VOCABULARY, 3, (row + 1) % 3))


def test_given_tokens_were_not_drawn_and_never_differ():
    params = full(temperature=1.0)
    kept = made(4, params)
    given = replace(kept, ids=np.array([7, 7, 7, *kept.ids[3:]], np.int32))
    ids = list(drawn(given, params, 4, forced=3))
    given = replace(given, ids=np.array(ids, np.int32))
    redraw = Redraw(given, params, "temperature", Drawn(4, VOCABULARY, forced=3))
    for value in (0.05, 0.5, 1.0, 2.0):
        wanted = first_difference(given, drawn(given, {**params, "temperature": value}, 4, forced=3))
        assert redraw.first_flip(value) == wanted
        assert wanted is None or wanted[0] >= 3


def test_greedy_text_differs_where_another_token_gets_the_highest_score():
    params = full(do_sample=False)
    kept = made(3, params, vocabulary=12)
    redraw = Redraw(kept, params, "repetition_penalty", Drawn(3, 12))
    found = {value: redraw.first_flip(value) for value in (1.0, 1.1, 1.5, 2.0)}
    for value, flip in found.items():
        assert flip == first_difference(kept, drawn(kept, {**params, "repetition_penalty": value}, 3))
    assert found[1.0] is None
    assert found[2.0] is not None


def test_a_token_that_rounding_took_away_is_found_again():
    params = full(temperature=1.0, top_p=1.0)
    seed, size = 11, 6
    race = noise(Kept(np.zeros((1, size), np.float16), np.zeros(1, np.int32), np.zeros(1, np.int32)), Drawn(seed, size))
    chance = np.random.default_rng(0)
    for _ in range(10_000):
        exact = chance.normal(9, 0.01, size).astype(np.float32)
        exact += np.log(race[0])  # all nearly equal in the race
        rounded = exact.astype(np.float16)
        won = int((np.exp(exact) / race[0]).argmax())
        if int((np.exp(rounded.astype(np.float32)) / race[0]).argmax()) != won:
            break
    else:
        pytest.fail("no rounding changed a draw")
    kept = Kept(rounded[None], np.array([won], np.int32), np.zeros(1, np.int32))
    redraw = Redraw(kept, params, "temperature", Drawn(seed, size))
    assert redraw.first_flip(1.0) is None or redraw.unsure == {0}
    assert redraw.unsure == frozenset()


def test_a_text_of_other_draws_is_refused_and_one_odd_token_is_passed_over():
    params = full(temperature=1.0)
    kept = made(6, params)
    with pytest.raises(BadInput, match=r"of its 24 tokens come out differently from its seed"):
        Redraw(kept, params, "temperature", Drawn(7, VOCABULARY))
    odd = kept.ids.copy()
    odd[-1] = int(kept.logits[-1].argmin())  # the last one: nothing follows from it
    redraw = Redraw(replace(kept, ids=odd), params, "temperature", Drawn(6, VOCABULARY))
    assert redraw.unsure == {23}
    assert redraw.first_flip(1.0) is None


def part_of(kept, count):
    """Return the record as a large vocabulary's: the likeliest `count` tokens of each position, and the rest's sum."""
    columns = np.argsort(-kept.logits, axis=1, kind="stable")[:, :count].astype(np.int32)
    named = np.take_along_axis(kept.logits, columns, axis=1)
    others = kept.logits.astype(np.float32).copy()
    np.put_along_axis(others, columns, -np.inf, axis=1)
    rest = torch.from_numpy(others).logsumexp(-1).numpy()
    return replace(kept, logits=named, columns=columns, rest=rest)


def test_the_likeliest_tokens_are_enough_where_a_cut_leaves_no_others():
    params = full(temperature=1.0, top_k=12)
    kept = made(9, params)
    redraw = Redraw(part_of(kept, 40), params, "top_k", Drawn(9, VOCABULARY))
    for value in (1, 3, 6, 12, 20):
        assert redraw.first_flip(value) == first_difference(kept, drawn(kept, {**params, "top_k": value}, 9))


def test_a_drawn_token_that_was_not_saved_is_named():
    params = full(temperature=2.0, top_p=1.0)
    kept = made(9, params)
    with pytest.raises(BadInput, match=r"likeliest tokens were saved, and token \d+ is not among them"):
        Redraw(part_of(kept, 3), params, "temperature", Drawn(9, VOCABULARY))
