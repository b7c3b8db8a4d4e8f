"""Texts drawn by `generate()`'s own processors and torch's own draw, from logits made by chance: no model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from models.text.kept import Kept
from models.text.sampling import processors
from models.text.sampling.spelling import Spelling

VOCABULARY = 60


def made(seed: int, params: Mapping[str, Any], tokens: int = 24, texts: int = 1, row: int = 0, vocabulary: int =
         VOCABULARY, words: Spelling | None = None) -> Kept:  # fmt: skip
    """Return a text that the sampler drew from random logits: `row` of `texts` that are drawn side by side."""
    chance = np.random.default_rng(seed)
    # all different: which of equal ones goes first at a cut's edge is the sorting's own affair
    pool = np.unique(chance.normal(0, 2, 12 * vocabulary).astype(np.float16))
    logits = np.stack([chance.permutation(pool)[:vocabulary] for _ in range(tokens)])
    kept = Kept(logits, np.zeros(0, np.int32), chance.integers(0, 9, 4, dtype=np.int32),
                seed=np.array([seed + row]), end=np.zeros(0, np.int32))  # fmt: skip
    ids = drawn(kept, params, seed, texts, row, words=words)
    return Kept(logits, np.array(list(ids), np.int32), kept.prompt, seed=kept.seed, end=kept.end)


def drawn(
    kept: Kept, params: Mapping[str, Any], seed: int, texts: int = 1, row: int = 0, forced: int = 0,
    words: Spelling | None = None,
) -> Iterator[int]:  # fmt: skip
    """Yield the ids that the sampler draws from a text's logits, each after the tokens of `kept` where it has them.

    So the first that differs from `kept` is what a run would draw there; those after it are no run's.
    """
    prompt = kept.prompt.tolist()
    steps = processors.build(params, len(prompt), seed + row, words)
    greedy = params.get("do_sample") is False or params.get("temperature") == 0
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    for at, logits in enumerate(kept.logits):
        said = kept.ids.tolist()[:at] if len(kept.ids) else ids
        if at < forced:
            token = int(kept.ids[at])
        else:
            scores = torch.from_numpy(logits.astype(np.float32))[None]
            scores = steps(torch.tensor([[*prompt, *said]]), scores)
            if greedy:
                token = int(scores.argmax(-1))
            else:
                p = scores.softmax(-1).expand(texts, -1)
                token = int(torch.multinomial(p, num_samples=1, generator=generator)[row])
        ids.append(token)
        yield token


def first_difference(kept: Kept, ids: Iterable[int]) -> tuple[int, int] | None:
    """Return the place and the id of the first token of `ids` that is not the text's; None: none."""
    return next(((at, token) for at, token in enumerate(ids) if token != kept.ids[at]), None)
