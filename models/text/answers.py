"""How the labels of a text are told: the likeliest above the threshold, and all of them as numbers. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "not sure"


def ranked(labels: Sequence[str], chances: Sequence[float]) -> dict[str, float]:
    """Return each label's probability, the likeliest first; of equal ones the first declared."""
    order = sorted(range(len(labels)), key=lambda at: (-chances[at], at))
    return {labels[at]: round(float(chances[at]), 6) for at in order}


def told(scores: Mapping[str, float], threshold: float, several: bool) -> str:
    """Return the label above the threshold, for `several` all of them, as words; `NONE` where there is none."""
    above = [readable(label) for label, chance in scores.items() if chance >= threshold]
    return ", ".join(above if several else above[:1]) or NONE


def readable(label: str) -> str:
    """Return a label as words."""
    return label.replace("_", " ").strip() or label


def meta(
    scores: Mapping[str, float], threshold: float, top: int, several: bool, by_part: Sequence[Mapping[str, Any]],
    unread: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return what there is to say of a labelled text beside its words.

    `scores` is the whole distribution, `top` the likeliest of them as pairs of words and probability; `parts` tells of
    each part of a long text its beginning and likeliest label. `unread` says why the model cannot read it, and so does
    not answer.
    """
    sure = max(scores.values(), default=0.0)
    return {
        "prompt_chars": 0, "scores": dict(scores), "threshold": threshold,
        "abstained": bool(unread) or sure < threshold,
        "top": [[readable(label), chance] for label, chance in list(scores.items())[:top]], "several": several,
        **({"parts": list(by_part)} if len(by_part) > 1 else {}), **({"unread": unread} if unread else {}),
    }  # fmt: skip


def as_csv(scores: Mapping[str, float]) -> bytes:
    """Return the distribution of one text as CSV: a label and its probability a line."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([("label", "probability"), *scores.items()])
    return file.getvalue().encode()


def part_notes(read: int, total: int) -> list[str]:
    """Return what to tell of a text that was read in parts."""
    if total < 2:
        return []
    if read < total:
        return [f"Stopped after {read:,} of {total:,} parts: the probabilities are the mean over these."]
    return [f"The text was read in {total:,} parts; the probabilities are their mean."]
