"""What may be written after `python -m models`: commands and their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from models import code_command, preset_command, quiz_command, receipt_command, runs_command, shell, tipping
from models.settings import Settings


class _Parser(argparse.ArgumentParser):
    """Print as every command does: argparse itself says nothing of a help that could not be written."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stderr:
            shell.tell(message.rstrip())
        elif message:
            shell.say(message, end="")


def parser(description: str, **does: Callable[[argparse.Namespace, Settings], int]) -> argparse.ArgumentParser:
    """Return the parser of the command line; `does` names what each command does, `votes` and `quiz` apart."""
    parser = _Parser(
        prog="python -m models", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list the models")
    listing.set_defaults(command=does["list"])
    show = commands.add_parser("show", help="show a model's card and settings")
    show.add_argument("model", metavar="MODEL")
    show.set_defaults(command=does["show"])
    describe = commands.add_parser("describe", help="print the facts that depend on a model's weights")
    describe.add_argument("model", metavar="MODEL")
    describe.add_argument("--write", action="store_true", help="write them into the model's catalogue file")
    describe.set_defaults(command=does["describe"])
    saved = commands.add_parser("settings", help="print what a saved result says of its making")
    saved.add_argument("file", metavar="FILE", help="a result saved here, or by another program")
    saved.add_argument("--json", action="store_true", help="print one JSON object")
    saved.set_defaults(command=does["settings"])
    code_command.add_options(commands)
    quiz_command.add(commands)
    receipt_command.add(commands)
    preset_command.add(commands)
    runs_command.add(commands)
    for name, given_as, told in (
        ("run", "MODEL", "generate once and print or save the result"),
        ("sweep", "MODEL|SPEC.json", "generate at several values of one setting, all else alike"),
        ("sensitivity", "MODEL", "rank the settings by how far a step of each moves the result"),
        ("tipping", "MODEL|FILE|RUN_ID", tipping.TOLD),
    ):
        made = commands.add_parser(name, help=told)
        made.add_argument("model", metavar=given_as)
        made.add_argument("--prompt", help="text to start from: the model's main text")
        made.add_argument(
            "--in", dest="file", metavar="FILE", help="the file to work on: a text, or what its ending says"
        )
        made.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="file input, repeatable")
        made.add_argument(
            "--text", action="append", default=[], metavar="NAME=TEXT", help="input that is a few words, repeatable"
        )
        made.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="setting, repeatable; see show"
        )
        made.add_argument("--preset", metavar="NAME", help="settings under a name, see presets; --param goes over it")
        made.add_argument("--seed", type=int, default=0, help="random seed (default 0; -1: a new one)")
        made.add_argument("--out", metavar="FILE", help="save the result, with its settings, as the ending says")
        made.add_argument("--export", metavar="FILE", help="save the result with all that led to it, such as talk.md")
        made.add_argument("--json", action="store_true", help="print only the final JSON line")
        made.add_argument("--full", action="store_true", help="print long details of outputs in it too: a wave's peaks")
        made.add_argument("--bare", action="store_true", help="give the prompt alone, without what the page adds to it")
        made.add_argument("--as-written", action="store_true", help="draw no lists in the prompt, such as {red|blue}")
        if name == "tipping":
            tipping.add_options(made)
        if name == "sweep":
            made.add_argument("--over", metavar="NAME", help="the setting")
            made.add_argument(
                "--value", action="append", default=[], metavar="VALUE",
                help="one of its values, repeatable (default: three, its own and one to each side)",
            )  # fmt: skip
            made.add_argument("--sheets", choices=("png", "jpg"), default="png", help="the kind of contact sheets")
        if name in ("sweep", "sensitivity"):
            made.add_argument(
                "--budget-s",
                type=float,
                metavar="N",
                help="begin no more runs after N seconds; of a sweep those where outputs differ most",
            )
        made.set_defaults(command=does[name])
    return parser
