"""Measure a story model: bits per character on held-out stories, and how much it copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


@torch.inference_mode()
def bits_per_character(model: Any, tokenizer: Any, stories: Sequence[str], batch_tokens: int = 16_384) -> float:
    """Return the sum of −log2 p over every story's tokens and its end token, over its Unicode characters.

    The start token is given, not counted. A story longer than the context is scored in windows that overlap by half
    the context, each token in the first window that holds it. `model` is a causal LM; runs in float32 on its device.
    """
    context = model.config.max_position_embeddings
    device = next(model.parameters()).device
    windows: list[tuple[list[int], int]] = []  # token ids of a window, and how many of its last ones count
    for story in stories:
        ids = [tokenizer.bos_token_id, *tokenizer.encode(story, add_special_tokens=False), tokenizer.eos_token_id]
        done = 1
        while done < len(ids):
            end = min(len(ids), context if done == 1 else done + context // 2)
            windows.append((ids[max(0, end - context) : end], end - done))
            done = end
    windows.sort(key=lambda window: len(window[0]))
    bits = 0.0
    batch: list[tuple[list[int], int]] = []
    for position, window in enumerate(windows):
        batch.append(window)
        if position + 1 == len(windows) or (len(batch) + 1) * len(windows[position + 1][0]) > batch_tokens:
            bits += _bits(model, batch, device)
            batch = []
    return bits / sum(len(story) for story in stories)


def validate(model: Any, tokenizer: Any, stories: Sequence[str]) -> float:
    """Return bits per character in evaluation mode; leave the model in training mode."""
    model.eval()
    bpc = bits_per_character(model, tokenizer, stories)
    model.train()
    return bpc


def _bits(model: Any, batch: list[tuple[list[int], int]], device: torch.device) -> float:
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)  # rows × tokens, padded on the right
    counts = torch.zeros(len(batch), longest - 1, dtype=torch.bool)  # which targets count
    for row, (window, last) in enumerate(batch):
        ids[row, : len(window)] = torch.tensor(window)
        counts[row, len(window) - 1 - last : len(window) - 1] = True
    # right padding cannot reach back: attention is causal
    logits = model(ids[:, :-1].to(device), use_cache=False).logits.float()  # rows × tokens × vocabulary
    losses = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:].to(device), reduction="none")
    return float((losses * counts.to(device)).sum()) / math.log(2)


def longest_copies(samples: Sequence[Sequence[int]], training: Sequence[Sequence[int]], length: int = 60) -> list[bool]:
    """Say for each sample (token ids) whether a run of `length` of its tokens stands in a training story."""
    weights = np.random.default_rng(0).integers(1, 2**62, length, dtype=np.uint64)
    known = np.unique(np.concatenate([_hashes(story, weights) for story in training] or [np.empty(0, np.uint64)]))
    return [bool(np.isin(_hashes(sample, weights), known).any()) for sample in samples]


def _hashes(ids: Sequence[int], weights: np.ndarray) -> np.ndarray:
    """Return one 64-bit hash for each run of `len(weights)` tokens; sums wrap around, which hashes may."""
    if len(ids) < len(weights):
        return np.empty(0, np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(np.asarray(ids, np.uint64), len(weights))  # runs × length
    return (runs * weights).sum(axis=1, dtype=np.uint64)
