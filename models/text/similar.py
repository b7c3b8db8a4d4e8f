"""Which texts are compared with which, and how it is told: as a ranking, and all similarities as numbers. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from models.errors import BadInput
from models.text import parts

if TYPE_CHECKING:
    from models.types import Request

TEXTS_MOST = 2_000
GRID_MOST = 40  # texts each of which is compared with each
WHAT = "similarities"  # in an output's meta
SHOWN_CHARS = 200
# how the vectors of tokens become one, with their names in the files of sentence-transformers
POOLINGS: Mapping[str, str] = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
}
POOLING_FILE, LENGTH_FILE = "1_Pooling/config.json", "sentence_bert_config.json"

By = Literal["lines", "sentences"]


def given(request: Request, by: By) -> tuple[str, list[str]]:
    """Return the text of a request and those that it is compared with, without blank ones.

    Where no others are given, the first line (or sentence) of the text is compared with its others. Raises `BadInput`.
    """
    text, others = request.inputs.get("prompt", ""), pieces(request.inputs.get("texts", ""), by)
    if not text.strip():
        raise BadInput("There is no text. Write or paste one, such as “A man is eating pasta.”")
    if not others:
        text, *others = pieces(text, by)
    if not others:
        raise BadInput(
            "There is nothing to compare the text with. Write other texts below, one per "
            f"{by.removesuffix('s')}; or several {by} as the text: the first is then compared with the others."
        )
    if len(others) > TEXTS_MOST:
        raise BadInput(f"These are {len(others):,} texts; at most {TEXTS_MOST:,} are compared at once. Leave some out.")
    return text.strip(), others


def pooling(told: Mapping[str, Any]) -> str | None:
    """Return the one pooling that a file of sentence-transformers names; None for none that is known, or several."""
    used = [name for name, key in POOLINGS.items() if told.get(key)]
    return used[0] if len(used) == 1 else None


def pieces(text: str, by: By) -> list[str]:
    """Return the lines or sentences of a text, without blank ones and the spaces around them."""
    lines = [line.strip() for line in text.splitlines()]
    found = [one.strip() for line in lines for one, _ in parts.sentences(line)] if by == "sentences" else lines
    return [one for one in found if one]


def ranked(scores: Sequence[float], threshold: float | None) -> list[int]:
    """Return the places of scores that are not below a threshold, the greatest first; of equal ones the first."""
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    return [at for at in order if threshold is None or scores[at] >= threshold]


def told(texts: Sequence[str], scores: Sequence[float], threshold: float | None, top: int) -> str:
    """Return the nearest texts, one a line behind its number, or how near the nearest is that is left out."""
    listed = ranked(scores, threshold)[:top]
    if not listed:
        return f"No text is as near as {number(threshold or 0)}: the nearest has {number(max(scores))}."
    return "\n".join(f"{number(scores[at])}  {texts[at]}" for at in listed)


def number(score: float) -> str:
    """Return a score with two digits behind the point: "0.62", "−0.05"."""
    return f"{score:.2f}".replace("-0.00", "0.00").replace("-", "−")


def as_csv(texts: Sequence[str], scores: Sequence[float]) -> bytes:
    """Return all texts that were compared as CSV, the nearest first: rank, similarity and text a line."""
    file = io.StringIO()
    rows = [(rank, scores[at], texts[at]) for rank, at in enumerate(ranked(scores, None), 1)]
    csv.writer(file, lineterminator="\n").writerows([("rank", "similarity", "text"), *rows])
    return file.getvalue().encode()


def meta(
    text: str, texts: Sequence[str], scores: Sequence[float], grid: Sequence[Sequence[float]], *, cosine: bool,
    threshold: float | None, top: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what there is to say of a comparison beside its words.

    `similarities` are all of them, in the order of the texts; `top` the nearest as pairs of similarity and text; `grid`
    is how near each of the first texts is to each, the text itself first, and `named` what these are.
    """
    listed = ranked(scores, threshold)[:top]
    return {
        "prompt_chars": 0, "what": WHAT, "text": text[:SHOWN_CHARS], "cosine": cosine, "threshold": threshold,
        "texts": len(texts), "similarities": [*scores], "top": [[scores[at], texts[at][:SHOWN_CHARS]] for at in listed],
        "grid": [[*row] for row in grid], "named": [one[:SHOWN_CHARS] for one in (text, *texts)][: len(grid)],
    }  # fmt: skip
