"""`python -m models quiz SPEC.json` and `votes`: a sweep as a quiz by link, and what was voted in blind comparisons."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from models import shell
from models.catalog import load_catalog
from models.errors import BadInput
from models.sweeps import cells, quiz, spec, votes
from models.sweeps.quiz import Quiz
from models.sweeps.results import to_csv
from models.types import SEED_MAX

if TYPE_CHECKING:
    from models.settings import Settings


def add(commands: Any) -> None:
    """Add both commands to the parser's."""
    asked = commands.add_parser("quiz", help="make a link to a quiz, or a blind comparison, of a sweep")
    asked.add_argument("file", metavar="SPEC.json", help="a sweep's file")
    asked.add_argument("--kind", choices=quiz.KINDS, default="guess", help="what is asked (default guess)")
    asked.add_argument("--axis", metavar="NAME", help="what is asked for (default: the first axis that can be)")
    asked.add_argument(
        "--value", action="append", default=[], metavar="VALUE", help="of blind, two of the axis's values"
    )
    asked.add_argument("--seed", type=int, default=0, help="draws the order (default 0)")
    asked.add_argument("--page", metavar="ADDRESS", help="the address of the model's page, for the link")
    asked.add_argument("--json", action="store_true", help="print one JSON object with questions and answers")
    asked.set_defaults(command=_quiz)
    told = commands.add_parser("votes", help="print your votes of blind comparisons")
    told.add_argument("--json", action="store_true", help="print one JSON list")
    told.add_argument("--csv", action="store_true", help="print a table as CSV")
    told.set_defaults(command=_votes)


def _quiz(options: argparse.Namespace, settings: Settings) -> int:
    file = Path(options.file)
    try:
        with file.open("rb") as opened:
            data = opened.read(spec.FILE_MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"The file {file} cannot be read ({error.strerror}).") from error
    sweep = spec.read(data, str(file))
    axis = options.axis or next((one.name for one in sweep.axes if not quiz.axis_problem(one, options.kind)), None)
    if axis is None:
        raise BadInput(f"--kind {options.kind} fits no axis of {file}: vary a setting, a text or the model.")
    asked = quiz.checked(Quiz(sweep, options.kind, axis, _values(sweep, axis, options), _seed(options.seed)))
    catalog = load_catalog(settings, strict=False)
    plan = cells.plan(catalog, asked.sweep)
    rounds = quiz.rounds(plan, asked)
    link = quiz.link_to(options.page, asked) if options.page else None
    told = {"title": quiz.title(catalog, asked), "questions": len(rounds), "link": link,
            "cells": len({cell for one in rounds for cell in one.cells})}  # fmt: skip
    if options.json:
        shell.say(json.dumps({**told, "quiz": json.loads(asked.to_json()), "rounds": [
            {"cells": list(one.cells), "places": list(one.places)} for one in rounds
        ]}, ensure_ascii=True))  # fmt: skip
        return 0
    shell.say(f"{told['title']} · {told['questions']} questions · {told['cells']} cells")
    shell.say(link or "--page ADDRESS makes a link: give the address of the page of the sweep's model.")
    return 0


def _seed(seed: int) -> int:
    if not 0 <= seed <= SEED_MAX:
        raise BadInput(f"--seed is {seed}; it must be a whole number from 0 to {SEED_MAX}.")
    return seed


def _values(sweep: spec.Sweep, name: str, options: argparse.Namespace) -> tuple[Any, ...]:
    """Return the axis's values that `--value` names; of a blind comparison without any, its ends."""
    axis = sweep.axis(name)
    if axis is None or options.kind != "blind":
        if options.value:
            raise BadInput("--value goes with --kind blind and an axis of the sweep alone.")
        return ()
    if not options.value:
        return axis.values[0], axis.values[-1]
    return tuple(_value(axis, text) for text in options.value)


def _value(axis: spec.Axis, text: str) -> Any:
    """Return the value of an axis that was written so: as JSON writes it, as a text, off for none."""
    for value in axis.values:
        if text in (value, json.dumps(value, ensure_ascii=False)) or (value is None and text == "off"):
            return value
        try:
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isclose(float(text), value):
                return value
        except ValueError:
            continue
    listed = ", ".join(json.dumps(value, ensure_ascii=False) for value in axis.values)
    raise BadInput(f"--value {text} is not among the values of {axis.name}: {listed[:200]}. Give two of them.")


def _votes(options: argparse.Namespace, settings: Settings) -> int:
    if options.json and options.csv:
        raise BadInput("--json and --csv exclude each other; give one of them.")
    found = models.votes()
    if options.json:
        shell.say(json.dumps(found, ensure_ascii=True))
    elif options.csv:
        shell.say(to_csv(found) if found else ",".join(votes.COLUMNS) + "\n", end="")
    elif not found:
        shell.say("There are no votes yet: make a quiz of the kind “Which is better?” from a sweep, and vote.")
    else:
        for one in found:
            pair = f"{one['axis']}: {json.dumps(one['value_1'])} or {json.dumps(one['value_2'])}"
            won = json.dumps(one["preferred"]) if one["vote"] != votes.CHOICES[2] else votes.CHOICES[2]
            shell.say(f"{one['voted_at']}  {pair}  → {won}  {one['alike']}")
    return 0
