"""Give the text encoder of image/emoji-diffusion vectors for words, from a sentence encoder that read the web.

    python -m training.image.word_vectors --encoder all-MiniLM-L6-v2 --tokenizer work/tokenizer --out work/vectors.pt

Fourteen hundred names teach no net that a violin is like a guitar. A word that is one token of the tokenizer gets the
vector of all-MiniLM-L6-v2 (Reimers & Gurevych 2019, Wang et al. 2020; Apache-2.0), turned to its principal components,
each divided by the fourth root of its variance, so that the common direction of all words does not drown the rest. Such
tokens keep their vectors while the nets learn (as GloVe's and CLIP's frozen encoders are kept), so that a word that was
never shown lies among those that were. Pieces of words and all else of the encoder are learnt.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import loop

SPREAD = 0.05  # root mean square of a vector's numbers
JITTER = 0.3  # of that: noise on the vectors in training, so that nearby words act alike
AT_ONCE = 256
END = "</w>"


def main() -> None:
    """Write the vectors of a tokenizer's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--size", type=int, default=192, help="numbers of a vector (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="file for ids and vectors")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    from transformers import AutoModel, AutoTokenizer, CLIPTokenizer

    words = whole_words(CLIPTokenizer.from_pretrained(options.tokenizer).get_vocab())
    encoder = AutoModel.from_pretrained(options.encoder).float().eval()
    vectors = condensed(encode(list(words), AutoTokenizer.from_pretrained(options.encoder), encoder), options.size)
    loop.save(options.out, {"ids": torch.tensor(list(words.values())), "vectors": vectors.half()})
    print(f"{len(words)} words of {options.size} numbers")


def whole_words(vocabulary: dict[str, int]) -> dict[str, int]:
    """Return the tokens that are words of two letters or more, without the mark of their end, and their ids."""
    found = {token.removesuffix(END): number for token, number in vocabulary.items() if token.endswith(END)}
    return {word: number for word, number in found.items() if len(word) > 1 and word.isascii() and word.isalnum()}


@torch.inference_mode()
def encode(words: list[str], tokenizer: Any, encoder: Any) -> torch.Tensor:
    """Return the encoder's vector of each word, words × 384: the mean over its tokens, at length 1."""
    parts = []
    for at in range(0, len(words), AT_ONCE):
        given = tokenizer(words[at : at + AT_ONCE], padding=True, return_tensors="pt")
        states = encoder(**given).last_hidden_state  # words × tokens × 384
        mask = given.attention_mask[:, :, None].float()
        parts.append(nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1))
    return torch.cat(parts)


def condensed(vectors: torch.Tensor, size: int) -> torch.Tensor:
    """Return the first `size` principal components, words × size, evened out, at a root mean square of `SPREAD`."""
    centred = (vectors - vectors.mean(0)).double()
    variance, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    variance, axes = variance.flip(0)[:size], axes.flip(1)[:, :size]
    found = centred @ axes / variance.clamp(min=1e-12) ** 0.25
    return (nn.functional.normalize(found, dim=1) * SPREAD * size**0.5).float()


def give(embedding: nn.Embedding, ids: torch.Tensor, vectors: torch.Tensor) -> None:
    """Set these rows of an embedding and keep them as they are; while it learns, each look-up is a little off."""
    with torch.no_grad():
        embedding.weight.normal_(std=SPREAD)
        embedding.weight[ids] = vectors.to(embedding.weight)
    learnt = torch.ones(len(embedding.weight), 1, device=embedding.weight.device)
    learnt[ids] = 0
    embedding.weight.register_hook(lambda slope: slope * learnt.to(slope))
    embedding.register_forward_hook(_jitter)


def _jitter(embedding: nn.Module, _: Any, found: torch.Tensor) -> torch.Tensor | None:
    return found + torch.randn_like(found) * JITTER * SPREAD if embedding.training else None


if __name__ == "__main__":
    main()
