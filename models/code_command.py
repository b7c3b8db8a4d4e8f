"""`python -m models code`: the code that makes a result again, from a request, a saved result or a stored run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import coding, given, outfile, outside, own_runs, readers, shell
from models.catalog import load_catalog
from models.errors import BadInput
from models.stamps import NoRequest, own_request
from models.store import Store
from models.types import Request

if TYPE_CHECKING:
    from models.settings import Settings

TOLD = "print code that makes a result again"


def add_options(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("code", help=TOLD)
    parser.add_argument(
        "made", metavar="REQUEST.json|FILE|RUN_ID",
        help="what `run --json` printed, the page's “Download JSON”, a saved result, or the id of your run",
    )  # fmt: skip
    parser.add_argument("--style", default="libraries", metavar="STYLE", help=f"{', '.join(coding.STYLES)}")
    parser.add_argument("--out", metavar="FILE", help="write it into a file")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print or write the code of what `options.made` names."""
    out = Path(options.out) if options.out else None
    if out is not None:
        outfile.check_target(out)
    request, facts = found(options.made, settings)
    text = coding.write(load_catalog(settings, strict=False), settings, request, options.style, facts)
    if out is not None:
        shell.write_file(out, text.encode())
    else:
        shell.say(text, end="")
    return 0


def found(name: str, settings: Settings) -> tuple[Request, Mapping[str, Any] | None]:
    """Return the request that a file or a stored run holds, and under what it was made, None where that is not told.

    Raises `BadInput`.
    """
    if Path(name).is_file():
        data = given.file_bytes(name)
        if data.lstrip()[:1] == b"{" and (request := _json_request(data)) is not None:
            return request, None
        kind, recovered = readers.read_settings(data, settings)
        if recovered is None and data.lstrip()[:1] == b"{":
            raise BadInput("This file begins as JSON and cannot be read: it is cut off or damaged. Save it again.")
        if recovered is None:
            raise BadInput(f"This {kind} contains no settings: it was not made here, or they were removed.")
        return coding.requested(recovered), recovered.facts or None
    store = Store(settings)
    try:
        made = own_runs.run_of(store, name)
        if made is None:
            raise BadInput(
                f"“{name[:80]}” is neither a file nor the id of a run of yours. Name a request as JSON, a result that "
                "was saved here, or a run's id: python -m models runs lists them."
            )
        return made.request, coding.facts_of(made, store, settings)
    finally:
        store.close()


def _json_request(data: bytes) -> Request | None:
    """Return the request in JSON: alone, as `run --json` prints it, or as the page's download holds it; None: no JSON.

    Raises `BadInput` for JSON that is none.
    """
    try:
        whole = outside.read_json(data.decode("utf-8"), most=given.FILE_MAX_BYTES)
    except (UnicodeDecodeError, outside.Unreadable):
        return None
    try:
        return coding.requested(own_request(whole.get("request", whole)))
    except NoRequest as error:
        raise BadInput(
            f"This JSON is not a request: {error}. It needs “model”, “inputs”, “params” and “seed”, as `run --json` "
            "prints them and the page's “Download JSON” holds them."
        ) from error
