"""One pass of an encoder-decoder over a text and what was made of it: confidence by word, and who attends to what.

The decoder is given what it wrote (teacher forcing), so that row i of what comes out belongs to token i.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.text import glossary
from models.text.glossary import Entry


def private_copy(model: Any) -> Any:
    """Return a copy of a model's modules with shared weights: hooks and settings on it do not reach the original.

    One in half precision is cast to float32, which all that looks inside reads: it has weights of its own.
    """
    if model.dtype != torch.float32:
        return copy.deepcopy(model).float()
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


@dataclass(frozen=True)
class Words:
    """Hold a text's words, each with the space before it, and how many tokens each has; the tokens are in order.

    Joined, the words are the text.
    """

    texts: list[str]
    counts: list[int]


def words_of(tokenizer: Any, ids: Sequence[int]) -> Words:
    """Return the words that token ids spell; a special token, as at the end, is a word "" of its own."""
    special = set(tokenizer.all_special_ids)
    texts: list[str] = []
    counts: list[int] = []
    before = ""
    for end, token in enumerate(ids, 1):
        said = str(tokenizer.decode(ids[:end], skip_special_tokens=True)).rstrip("\ufffd")  # half of a character
        piece, before = (said[len(before) :], said) if said.startswith(before) else ("", before)
        if texts and token not in special and texts[-1] and not (piece[:1].isspace() and texts[-1].strip()):
            texts[-1] += piece
            counts[-1] += 1
        else:
            texts.append(piece)
            counts.append(1)
    return Words(texts, counts)


def by_word(values: np.ndarray, counts: Sequence[int], how: Any = np.add) -> np.ndarray:
    """Return values of tokens (… × tokens) put together by word (… × words) with a ufunc; a sum by default."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    found: np.ndarray = how.reduceat(values[..., : sum(counts)], starts, axis=-1)
    return found


@torch.inference_mode()
def log_probabilities(model: Any, given: Any, ids: Sequence[int]) -> np.ndarray:
    """Return log p of each written token (float64), by the model itself: no penalty or temperature in it.

    `given` is the tokenized source (1 × tokens), `ids` the written tokens behind the first, which is given.
    """
    out = model(**given, decoder_input_ids=_shifted(model, ids), use_cache=False)
    logits = out.logits[0].double()  # tokens × vocabulary
    found: np.ndarray = logits.log_softmax(-1)[torch.arange(len(ids)), torch.tensor(list(ids))].numpy()
    return found


@torch.inference_mode()
def cross_attention(private: Any, given: Any, ids: Sequence[int]) -> np.ndarray:
    """Return what each written token attends to in the source: layers × written × source, the mean of all heads.

    `private` is a copy of the model that may be set to eager attention. Bahdanau et al. 2015, Vaswani et al. 2017.
    """
    private.set_attn_implementation("eager")
    out = private(**given, decoder_input_ids=_shifted(private, ids), use_cache=False, output_attentions=True)
    found: np.ndarray = np.stack([one[0].float().mean(0).numpy() for one in out.cross_attentions])
    return found


def _shifted(model: Any, ids: Sequence[int]) -> torch.Tensor:
    start = model.config.decoder_start_token_id
    if start is None:
        start = model.generation_config.decoder_start_token_id
    return torch.tensor([[int(start), *ids[:-1]]])  # 1 × written


def keep_words(
    entries: Sequence[Entry], source: Words, target: Sequence[str], attention: np.ndarray
) -> tuple[list[str], set[int]]:
    """Put glossary words where the translation's words attend to their sources most.

    `attention` is written words × source words. Returns the words and the places of those that were put in. A word
    that stands there already stays.
    """
    words, kept, put = list(target), set[int](), set[int]()
    for entry in entries:
        there = glossary.places(words, entry.target)
        kept |= {at for place in there for at in place}
        for place in glossary.places(source.texts, entry.source)[len(there) :]:
            free = [at for at in range(min(len(words), len(attention))) if at not in kept and words[at].strip()]
            if free:
                best = max(free, key=lambda at: float(attention[at, list(place)].sum()))
                words[best] = glossary.put(words[best], entry.target)
            else:
                words.append((" " if words else "") + entry.target)
                best = len(words) - 1
            kept.add(best)
            put.add(best)
    return words, put
