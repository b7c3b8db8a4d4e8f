"""`python -m models check RUN_ID|FILE`: make a result again, and say whether it is the same."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import given, measuring, outside, own_runs, readers, receipts, shell, whose
from models.errors import BadInput
from models.events import count_words, is_stepping
from models.plain_text import read_text_artifact
from models.receipts import Receipt
from models.runtime.engine import LocalEngine, StopSignal
from models.stamps import ending
from models.store import Store
from models.types import ASIDE, Output, Request, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.events import Final
    from models.settings import Settings


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    asked = commands.add_parser("check", help="make a result again, and say whether it is the same")
    asked.add_argument("made", metavar="RUN_ID|FILE", help="a run of yours by its id, or a result saved here")
    asked.add_argument("--json", action="store_true", help="print one JSON object")
    asked.set_defaults(command=_check)


def _check(options: argparse.Namespace, settings: Settings) -> int:
    engine = LocalEngine(settings)
    receipt = check(engine, settings, options.made)
    if options.json:
        shell.say(json.dumps(receipt.to_plain(), ensure_ascii=True))
    else:
        for line in (receipt.sentence, *receipt.differences, *receipt.made_with):
            shell.say(line)
    return 0 if receipt.alike else shell.FAILED


def check(engine: LocalEngine, settings: Settings, made: str) -> Receipt:
    """Make a stored run's or a saved file's result again and compare it. Raises `BadInput` for what is neither."""
    store = Store(settings)
    try:
        file = Path(made)
        before = _of_file(file, settings) if file.is_file() else own_runs.run_of(store, made)
        if before is None:
            raise BadInput(
                f"“{made[:80]}” is neither a saved file nor the id of a run of yours. python -m models runs lists them."
            )
        if before.status != "done":
            raise BadInput(
                "This run was stopped or failed: what it would have made is not known. Run it again instead."
            )
        if file.is_file() and (noted := _noted(file)) is not None and not noted.get("output_sha256"):
            raise BadInput(
                "This file does not say what came out: only a result can be compared. Run its request instead."
            )
        request = engine.catalog.current(before.request)
        final = _made(engine, request)
        again = Run(uuid.uuid4().hex, whose.machine_owner(), "", request, "stopped" if final.stats.get("stopped")
                    else "done", time.time(), list(final.outputs), final.stats)  # fmt: skip
        if file.is_file() and (noted := _noted(file)) is not None:
            return receipts.by_hash(noted, again)
        if file.is_file():
            before, again = _paired(engine.catalog, before, again, file)

        def read(output: Output) -> bytes:
            return output.data or store.get_bytes(output.sha256)

        return receipts.compare(engine.catalog, settings, before, again, read, measuring.here)
    finally:
        store.close()


def _of_file(file: Path, settings: Settings) -> Run:
    """Return what a saved file says of its making, as a run; its outputs are found when it is made again."""
    kind, found = readers.read_settings(given.file_bytes(str(file)), settings)
    if found is None or not found.own or found.model is None or found.seed is None:
        raise BadInput(f"This {kind} does not say which model and seed made it. Name a result that was saved here.")
    request = Request(model=found.model, inputs=found.inputs, params=found.params, seed=found.seed)
    return Run("file", "", "", request, "done", 0.0, stats={"made_with": found.facts} if found.facts else {})


def _noted(file: Path) -> dict[str, Any] | None:
    """Return what a run's downloaded settings (JSON) note of its result; None for a file that is a result."""
    data = file.read_bytes()
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        found = outside.read_json(data)
    except outside.Unreadable:
        return None
    return found if isinstance(found, dict) else None


def _paired(catalog: Catalog, before: Run, again: Run, file: Path) -> tuple[Run, Run]:
    """Return both runs with the one result that the file is: of several the one with its bytes, else the first.

    A file of another kind that the family saves (a sound as FLAC) is compared with the result saved as that kind. Of
    what made them both is told what the file notes.
    """
    data, kind = file.read_bytes(), file.suffix[1:].lower()
    results = [one for one in again.outputs if one.kind not in ASIDE]
    if not results:
        return before, again
    sha256 = hashlib.sha256(data).hexdigest()
    now = next((one for one in results if one.sha256 == sha256), None)
    if now is None:  # its ending may be another kind's
        kinds = [kind, *catalog.family(again.request.model).saves]
        saved = (_saved_as(catalog, again.request, one, each) for each in kinds for one in results)
        now = next((one for one in saved if one.sha256 == sha256), None)
    now = now or _saved_as(catalog, again.request, results[0], kind)
    try:
        text = read_text_artifact(data)[1]
    except BadInput:  # no file of text: what it shows lies in its bytes
        text = now.text
    then = Output(now.kind, now.index, text, data, now.media_type, sha256, now.meta)
    before.outputs, again.outputs = [then], [now]
    if noted := before.stats.get("made_with"):
        made_with = again.stats.get("made_with", {})
        again.stats["made_with"] = {name: value for name, value in made_with.items() if name in noted}
    return before, again


def _saved_as(catalog: Catalog, request: Request, output: Output, kind: str) -> Output:
    """Return an output with the bytes of a file of a kind, where its family saves one; else as it is."""
    family = catalog.family(request.model)
    if kind not in family.saves or kind == ending(output.media_type):
        return output
    data = family.save(catalog.full(request), output, kind)
    return replace(output, data=data, sha256=hashlib.sha256(data).hexdigest())


def _made(engine: LocalEngine, request: Request) -> Final:
    stop, final = StopSignal(), None
    shell.on_interrupt(lambda: False)
    for event in engine.generate(request, stop):
        if event.kind == "progress":
            shell.show(count_words(event) if is_stepping(event) else "")
        final = event if event.kind == "final" else final
    shell.show("")
    assert final is not None
    return final
