"""Votes of blind comparisons: what is kept of each, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from models.sweeps.quiz import Quiz, Round

if TYPE_CHECKING:
    from models.sweeps.cells import Plan

CHOICES = ("A", "B", "no difference")
COLUMNS = ("voted_at", "sitting", "pair", "model", "axis", "value_1", "value_2", "shown_as_a", "vote", "preferred",
           "alike", "cause_of_a", "cause_of_b")  # fmt: skip


def content(
    plan: Plan, quiz: Quiz, round_: Round, choice: str, causes: Mapping[int, str]
) -> dict[str, Any]:  # fmt: skip
    """Return what is kept of a vote, plain JSON: the two values, which one was A, what was alike, which was preferred.

    `choice` is one of `CHOICES`; `causes` are of the cells, by their numbers.
    """
    axis = quiz.sweep.axes.index(quiz.varied)
    place = next(cell.place for cell in plan.cells if cell.same_as == round_.cells[0] and quiz.axis not in cell.idle)
    alike = {
        one.name: one.values[place[at]] for at, one in enumerate(quiz.sweep.axes) if at != axis
    }  # fmt: skip
    shown = [quiz.values[at] for at in round_.places]
    preferred = shown[CHOICES.index(choice)] if choice != CHOICES[2] else None
    return {
        "model": quiz.sweep.request.model, "axis": quiz.axis, "value_1": quiz.values[0], "value_2": quiz.values[1],
        "shown_as_a": shown[0], "vote": choice, "preferred": preferred, "alike": alike,
        "causes": [causes.get(cell, "") for cell in round_.cells],
    }  # fmt: skip


def rows(kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each vote as the store keeps it, in its order; values and what was alike are JSON texts."""
    found = []
    for one in kept:
        vote = one["content"]
        causes = [*vote.get("causes", ()), "", ""]
        row = {
            "voted_at": datetime.fromtimestamp(one["voted_at"], UTC).isoformat(timespec="seconds"),
            "sitting": one["sitting"], "pair": one["pair"], **{name: vote.get(name) for name in COLUMNS[3:11]},
            "cause_of_a": causes[0], "cause_of_b": causes[1],
        }  # fmt: skip
        row["alike"] = json.dumps(row["alike"] or {}, ensure_ascii=False, sort_keys=True)
        found.append(row)
    return found


def counts(kept: Iterable[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Return how many votes were for the first value, for the second, and for neither."""
    votes = [one["content"] for one in kept]
    first = sum(one["vote"] != CHOICES[2] and one["preferred"] == one["value_1"] for one in votes)
    second = sum(one["vote"] != CHOICES[2] and one["preferred"] == one["value_2"] for one in votes)
    return first, second, sum(one["vote"] == CHOICES[2] for one in votes)
