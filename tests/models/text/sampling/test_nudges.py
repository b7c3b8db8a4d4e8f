"""Draws that are near a flip are found: against brute force, under any settings, and seldom for nothing."""

import random

import numpy as np
import pytest
import torch

from models.text.sampling import processors
from models.text.sampling.nudges import NEAR, Nudges
from models.text.settings import CausalLMParams

NEUTRAL = {"temperature": 1.0, "top_p": 1.0}
CHOICES = {
    "temperature": [0.0, 0.1, 0.3, 0.8, 1.7], "top_p": [0.05, 0.4, 0.8, 0.95], "top_k": [1, 2, 5, 40],
    "min_p": [0.01, 0.1, 0.3], "typical_p": [0.2, 0.5, 0.9], "top_n_sigma": [0.5, 1.0, 2.0],
    "xtc_probability": [0.5, 1.0], "dynatemp_range": [0.5, 1.5], "mirostat_tau": [1.0, 3.0, 5.0],
    "repetition_penalty": [1.3, 2.0], "no_repeat_ngram_size": [2], "frequency_penalty": [-1.0, 0.7],
    "presence_penalty": [0.5], "dry_multiplier": [0.8],
}  # fmt: skip
PLAIN = [name for name in CHOICES if name not in ("typical_p", "xtc_probability", "dynatemp_range", "mirostat_tau")]


class Draw:
    """One draw: scores, settings, the noise of the race, and what came of it."""

    def __init__(self, scores, near=NEAR, noise=None, seen=(1, 2, 3), seed=0, **params):
        self.params, self.seed = CausalLMParams(**(NEUTRAL | params)), seed
        self.seen = np.array(seen)
        self.scores = torch.tensor(np.asarray(scores, np.float32))[None]
        chance = torch.Generator().manual_seed(seed)
        samples = self.params.samples
        self.noise = torch.empty_like(self.scores).exponential_(1, generator=chance) if samples else None
        if noise is not None:
            self.noise = torch.tensor(noise, dtype=torch.float32)[None]
        self.nudges = Nudges(self.params.model_dump(), 1, seed, near=near)
        sampled, kept, mu = self.stages(self.scores)
        self.token = self.won(kept)
        self.given = (
            self.seen, sampled[0].numpy(), (kept[0] > -torch.inf).numpy(), self.token,
            None if self.noise is None else self.noise[0].numpy(), mu,
        )  # fmt: skip
        self.flagged = self.nudges.flip(*self.given)

    def stages(self, scores):
        stages = processors.build(self.params.model_dump(), 1, self.seed, None)
        sampled = scores
        for at, stage in enumerate(stages):
            sampled = scores if at == len(stages) - len(self.nudges.stages) else sampled
            scores = stage(torch.from_numpy(self.seen)[None], scores)
        mu = next((one.bound for one in stages if isinstance(one, processors.Mirostat)), None)
        return sampled if self.nudges.stages else scores, scores, mu

    def won(self, kept):
        return int((kept if self.noise is None else kept.softmax(-1) / self.noise).argmax())

    def flips(self, error):
        """Say whether scores that are off by `error` give another token."""
        return self.won(self.stages(self.scores + error)[1]) != self.token


def draws(many, seed, near, names=tuple(CHOICES)):
    chance = random.Random(seed)
    for at in range(many):
        params = {name: chance.choice(CHOICES[name]) for name in names if chance.random() < 0.25}
        size = chance.choice([20, 100, 300])
        own = np.random.default_rng([seed, at])
        scores = own.normal(size=size) * chance.choice([0.5, 1.5, 3.0])
        yield Draw(scores, near, seen=own.integers(0, size, chance.randint(3, 30)), seed=at, **params), own


def test_whenever_scores_with_an_error_would_give_another_token_the_draw_was_flagged():
    near, flips, missed = 0.1, 0, []
    for draw, own in draws(700, 1, near):
        size = draw.scores.shape[1]
        for error in (own.choice([-1.0, 1.0], size), own.choice([-1.0, 1.0], size), own.uniform(-1, 1, size)):
            if draw.flips(torch.tensor(error * near / 10, dtype=torch.float32)):
                flips += 1
                if not draw.flagged:
                    missed.append(draw.params)
                break
    assert flips > 15
    assert not missed


def test_what_is_sure_without_nudges_is_sure_with_them():
    passed = 0
    for draw, _ in draws(600, 2, 1e-3, PLAIN):
        if draw.noise is not None and draw.nudges._plain and not draw.flagged:
            draw.nudges._plain = False
            assert not draw.nudges.flip(*draw.given)
            passed += 1
    assert passed > 200


def test_few_draws_are_flagged():
    assert sum(draw.flagged for draw, _ in draws(600, 3, NEAR)) <= 3


EVEN = [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("scores, noise, params, flagged", [
    ([2.0, 2.0 + NEAR / 2], None, {"temperature": 0.0}, True),  # greedy
    ([2.0, 2.1], None, {"temperature": 0.0}, False),
    ([0.0, NEAR / 2], [1.0, 1.0], {}, True),  # the race
    ([0.0, 5 * NEAR], [1.0, 1.0], {}, False),
    ([0.0, 5 * NEAR], [1.0, 1.0], {"temperature": 0.05}, False),  # the noise's part is not magnified …
    ([0.0, 0.01], [1.0, float(np.exp(0.2 - 2 * NEAR))], {"temperature": 0.05}, True),  # … the scores' is
    ([3.0, 2.0, 1.0, 1.0 - NEAR / 2], [1.0, 1.0, 1.0, 0.01], {"top_k": 3}, True),  # one nearly kept would win
    ([3.0, 2.0, 1.0, 1.0 - NEAR / 2], [1.0, 1.0, 1.0, 9.0], {"top_k": 3}, False),  # it would not
    ([3.0, 2.0, 1.0, 0.9], [1.0, 1.0, 1.0, 0.01], {"top_k": 3}, False),
    ([1.0, 0.9, 0.8, 0.8 - NEAR / 2], [3.0, 3.0, 3.0, 0.5], {"top_k": 3}, True),  # nor is its noise small
    (EVEN, [1.0, 1.0, 1.0, 0.1], {"top_p": 0.75 + 1e-6}, True),  # the winner is barely kept
    ([2.0, 0.0], [1.0, 0.01], {"min_p": float(np.exp(-2)) + 1e-6}, True),
])  # fmt: skip
def test_edges(scores, noise, params, flagged):
    assert Draw(scores, noise=noise, **params).flagged is flagged
