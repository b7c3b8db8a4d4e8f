"""Weights of words in a prompt: `(word:1.2)`, `(word)` and `[word]`, for models that read by a CLIP encoder.

The way to write them is that of stable-diffusion-webui: parentheses multiply by 1.1, brackets divide by it, both nest,
`(word:1.2)` names the weight, a backslash keeps a bracket as it is. What a weight does is compel's: above 1 the word's
embeddings move away from those of an empty prompt, below 1 the prompt moves towards one in which the word is masked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from models.image.families.text_to_image import TextToImageParams

STEP = 1.1  # what one pair of parentheses multiplies by, and one of brackets divides by
DEPTH_MAX = 20  # deeper ones are text
MARKS_MAX = 2_000  # of a prompt: with more, all are text. The grammar takes half a millisecond for each
_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]*)>", re.IGNORECASE)
_MARKS = re.compile(r"[()\[\]\\]")
_GRAMMAR_MARKS = re.compile(r"[()\[\]\\:]")  # what begins a word of the grammar


@dataclass(frozen=True)
class Prompt:
    """Hold a prompt's words with their weights, and the tags of add-on weights that it names."""

    parts: tuple[tuple[str, float], ...]
    tags: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """Return the words without their weights."""
        return "".join(text for text, _ in self.parts)

    @property
    def weighted(self) -> bool:
        """Say whether any word has a weight of its own."""
        return any(weight != 1 and text.strip() for text, weight in self.parts)


def read(text: str, *, weights: bool = True) -> Prompt:
    """Return the words of a prompt with their weights; with `weights` false, brackets are text like any other."""
    tags = tuple(found[0] for found in _TAG.finditer(text))
    bare = _TAG.sub("", text) if tags else text
    if not weights or not _MARKS.search(bare):
        return Prompt(((bare, 1.0),), tags)
    deepest = depth = marks = 0
    for mark in _GRAMMAR_MARKS.finditer(bare):
        marks += 1
        depth = max(0, depth + (mark[0] in "([") - (mark[0] in ")]"))  # what closes nothing is text
        deepest = max(deepest, depth)
    plain = deepest > DEPTH_MAX or marks > MARKS_MAX
    parts = ((bare, 1.0),) if plain else _joined(_grammar().parse_string(bare, parse_all=True).as_list())
    return Prompt(parts, tags)


@cache
def _grammar() -> Any:
    """Return the grammar. A bracket that is not closed, and one that closes nothing, is text."""
    import pyparsing as pp

    def leaf(pattern: str) -> Any:
        return pp.Regex(pattern).leave_whitespace()

    kept = leaf(r"\\[()\[\]\\]").set_parse_action(lambda found: found[0][1])
    plain = leaf(r"[^()\[\]\\:]+|:(?!\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*\))|\\")
    number = leaf(r":\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*\)").set_parse_action(lambda found: float(found[0][1:-1]))
    text = (kept | plain).leave_whitespace().set_parse_action(lambda found: [(found[0], 1.0)])
    item = pp.Forward().leave_whitespace()
    more = pp.Group(item[1, ...].leave_whitespace())
    up = pp.Suppress(leaf(r"\(")) + more + (number | pp.Suppress(leaf(r"\)")))
    down = pp.Suppress(leaf(r"\[")) + more + pp.Suppress(leaf(r"\]"))
    item <<= up.set_parse_action(_weigh_up) | down.set_parse_action(_weigh_down) | text
    stray = leaf(r"[()\[\]:]").set_parse_action(lambda found: [(found[0], 1.0)])
    whole = (item | stray)[...].leave_whitespace()
    whole.enable_packrat()
    return whole


def _weigh_up(found: Any) -> list[tuple[str, float]]:
    weight = min(10.0, max(0.0, float(found[1]))) if len(found) > 1 else STEP
    return [(text, own * weight) for text, own in found[0]]


def _weigh_down(found: Any) -> list[tuple[str, float]]:
    return [(text, own / STEP) for text, own in found[0]]


def _joined(found: list[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Return neighbours of one weight as one part."""
    parts: list[tuple[str, float]] = []
    for text, weight in found:
        if parts and parts[-1][1] == round(weight, 4):
            parts[-1] = (parts[-1][0] + text, parts[-1][1])
        else:
            parts.append((text, round(weight, 4)))
    return tuple(parts) or (("", 1.0),)


def takes(pipeline: Any) -> bool:
    """Say whether a pipeline reads its prompt by one CLIP encoder and takes embeddings in its place."""
    encoder = type(getattr(pipeline, "text_encoder", None)).__name__
    alone = getattr(pipeline, "text_encoder_2", None) is None
    return alone and encoder == "CLIPTextModel" and hasattr(pipeline, "encode_prompt")


def embeddings(pipeline: Any, prompt: Prompt, negative: Prompt, params: TextToImageParams) -> dict[str, torch.Tensor]:
    """Return the call's arguments for a weighted prompt: each 1 × tokens × width of the encoder."""
    found = {"prompt_embeds": _encoded(_reader(pipeline, params.clip_skip), prompt)}
    if params.guidance_scale > 1:  # diffusers reads the negative prompt without clip skip
        found["negative_prompt_embeds"] = _encoded(_reader(pipeline, None), negative)
    return found


def notes(pipeline: Any, text: str) -> list[str]:
    """Return what is to be said of a prompt: tags that were left out, weights that this model does not read."""
    found = read(text)
    told = [f"{tag} was left out: add-on weights (LoRA, hypernetworks) are not loaded here." for tag in found.tags]
    if not takes(pipeline) and any(weight not in (1, STEP, round(1 / STEP, 4)) for _, weight in found.parts):
        told.append("This model does not weigh words: the brackets are read as part of the prompt.")
    return told


def _encoded(reader: Any, prompt: Prompt) -> torch.Tensor:
    said = [part for part in prompt.parts if part[0].strip()] or [("", 1.0)]
    texts, weights = zip(*said, strict=True)
    encoded: torch.Tensor = reader.get_embeddings_for_weighted_prompt_fragments([list(texts)], [list(weights)])
    return encoded


def _reader(pipeline: Any, clip_skip: int | None) -> Any:
    from compel.embeddings_provider import EmbeddingsProvider

    class Reader(EmbeddingsProvider):
        """Read with the last `clip_skip` layers left out, as diffusers does."""

        def _encode_token_ids_to_embeddings(self, token_ids: Any, attention_mask: Any = None) -> Any:
            told = self.text_encoder(token_ids, attention_mask, output_hidden_states=True, return_dict=True)
            if clip_skip is None:
                return told.last_hidden_state
            return self.text_encoder.text_model.final_layer_norm(told.hidden_states[-(clip_skip + 1)])

    return Reader(pipeline.tokenizer, pipeline.text_encoder)
