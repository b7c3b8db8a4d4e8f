"""`python -m models sensitivity MODEL`: which settings of a request move its result most, in units of seed noise.

What was made before, here or on the pages, is taken from the store; so a trial that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING

from models import sensitivity_making, shell
from models.errors import BadInput
from models.runtime.engine import LocalEngine, StopSignal
from models.sweeps import sensitivity
from models.types import Request

if TYPE_CHECKING:
    from models.settings import Settings

_ALONE = ("out", "export")  # of one result


def run(options: argparse.Namespace, settings: Settings, engine: LocalEngine, request: Request) -> int:
    """Try a request's settings and print the ranking; return the exit code: 1 where all failed, 130 where stopped.

    Raises `BadInput` and `BadParam` before anything runs.
    """
    if given := [f"--{name}" for name in _ALONE if getattr(options, name)]:
        raise BadInput(f"{given[0]} does not go with sensitivity: its results are kept, and `run` makes each again.")
    budget_s = sensitivity.BUDGET_S if options.budget_s is None else options.budget_s
    if not 0 < budget_s < math.inf:
        raise BadInput(f"--budget-s is {budget_s:g}; it must be a number of seconds above 0.")
    stop = StopSignal()

    def ask() -> bool:
        stop.request()
        return True

    shell.on_interrupt(ask)
    found = sensitivity_making.tell(engine, settings, request, budget_s, stop, shell.tell, shell.show)
    if not options.json:
        for sentence in (*(one["words"] for one in found["settings"]), *found["said"]):
            shell.say(sentence)
        if found["failed"]:
            shell.say(f"{found['failed']} runs failed: {found['error']}")
    shell.say(json.dumps(found, ensure_ascii=True))
    return shell.INTERRUPTED if stop.asked else 0 if found["settings"] else shell.FAILED
