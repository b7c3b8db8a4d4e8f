"""What training wrote of a model of texts beside its weights: how it learnt, and how well. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models import outside
from models.errors import WeightsError, restore
from models.types import is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.spec import ModelSpec

_MOST_BYTES = 100_000
LEARNT = ("text", "supervised", "preferred")


def read(spec: ModelSpec) -> dict[str, Any]:
    """Return what training wrote to marks.json beside the weights, {} where there is none. Raises `WeightsError`.

    `learnt` is "text" (the next word), "supervised" (answers shown) or "preferred" (answers preferred); `marks` are
    numbers by name: shares of held-out instructions (`passed`, …, of `instructions`), `bits_per_character`,
    `divergence` (KL from the supervised model in nats, 1.44 bits each, per token).
    """
    file = spec.folder() / "marks.json"
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
        marks = {str(name): value for name, value in found["marks"].items()}
        if found["learnt"] not in LEARNT or not all(type(value) in (int, float) for value in marks.values()):
            raise ValueError("not of this form")
        return {"learnt": found["learnt"], "marks": marks}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{spec.id}: marks.json is damaged. {restore()}") from error


@dataclass(frozen=True)
class Score:
    """Hold BLEU (0 … 100) on held-out sentences of a length in words ("6-10"), and half of its 95% interval."""

    words: str
    bleu: float
    half: float
    sentences: int

    def __post_init__(self) -> None:
        """Refuse what is no score, such as what a damaged file says."""
        shares = all(is_number(one) and 0 <= one <= 100 for one in (self.bleu, self.half))
        counted = type(self.sentences) is int and 0 < self.sentences < 10**9
        if not shares or not counted or not is_text(self.words) or not 0 < len(self.words.strip()) < 20:
            raise ValueError("not a score")


@dataclass(frozen=True)
class Translated:
    """Hold a translator's scores, on all sentences and by their length, short ones first; `minutes` of training."""

    every: Score
    by_words: tuple[Score, ...]
    minutes: float | None


def translated(spec: ModelSpec) -> Translated | None:
    """Return what training wrote to a translator's marks.json beside its weights; None where there is none.

    Raises `WeightsError` for a file that is damaged.
    """
    if not spec.here or not (file := spec.folder() / "marks.json").exists():
        return None
    try:
        found = outside.read_json(file.read_bytes(), most=_MOST_BYTES, constants=False)
        lengths = tuple(_score(words, one) for words, one in found["by_words"].items())
        minutes = found.get("training", {}).get("minutes")
        return Translated(_score("all", found), lengths, float(minutes) if is_number(minutes) else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise WeightsError(f"{spec.id}: marks.json is damaged. {restore()}") from error


def _score(words: str, told: Mapping[str, Any]) -> Score:
    return Score(words, told["bleu"], told["bleu_half"], told["sentences"])
