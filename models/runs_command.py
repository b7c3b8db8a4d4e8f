"""`python -m models runs`: what was made before, listed, found, named, deleted and exported, as on the Runs page."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from models import export, labels, outfile, own_runs, retention, shell, whose
from models.amounts import ago
from models.catalog import load_catalog
from models.errors import BadInput
from models.finding import TEXT_MAX_CHARS, Filter
from models.shelf import UNDO_S
from models.store import Store

if TYPE_CHECKING:
    from models.settings import Settings
    from models.sharing import Share
    from models.types import Output

ID_CHARS, PROMPT_CHARS, LINK_RUNS = 12, 50, 4
WORDS = {"star": "given a star", "unstar": "without a star now", "delete": "deleted", "restore": "back",
         "name": "named", "note": "noted", "tag": "tagged"}  # fmt: skip
Change = Callable[[Store, str, list[str], list[str]], int]
CHANGES: dict[str, Change] = {
    "star": lambda store, owner, ids, words: store.star(owner, ids),
    "unstar": lambda store, owner, ids, words: store.star(owner, ids, False),
    "delete": lambda store, owner, ids, words: store.delete(owner, ids),
    "restore": lambda store, owner, ids, words: store.restore(owner, ids),
    "name": lambda store, owner, ids, words: store.rename(owner, ids[0], " ".join(words)),
    "note": lambda store, owner, ids, words: store.write_note(owner, ids[0], " ".join(words)),
    "tag": lambda store, owner, ids, words: store.tag(owner, ids[0], words),
}
_ONE = ("name", "note", "tag")  # of one run, with words that follow its id


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    told = commands.add_parser("runs", help="list what was made before, or change what is said of it")
    told.add_argument(
        "does", nargs="*", metavar="WHAT",
        help="star|unstar|delete|restore ID …, name|note ID TEXT, tag ID TAG …, show ID, export (with --out), "
        "share ID … (several: side by side), shared, revoke LINK, kept (how much there is, the limits and what goes "
        "next); nothing: list. The beginning of an ID is enough",
    )  # fmt: skip
    told.add_argument("--search", default="", metavar="WORDS", help="words of prompts, results, names, notes, tags")
    told.add_argument("--model", action="append", default=[], metavar="MODEL", help="of this model, repeatable")
    told.add_argument("--modality", action="append", default=[], metavar="NAME", help="of this modality, repeatable")
    told.add_argument("--task", action="append", default=[], metavar="TASK", help="of this task, repeatable")
    told.add_argument("--tag", action="append", default=[], metavar="TAG", help="with this tag, repeatable: with all")
    told.add_argument("--seed", type=int, help="of this seed")
    told.add_argument("--starred", action="store_true", help="with a star")
    told.add_argument("--deleted", action="store_true", help="those too that were deleted in the last ten minutes")
    told.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default 20)")
    told.add_argument("--out", metavar="FILE.zip", help="of export: the file")
    told.add_argument("--days", type=float, metavar="N", help="of share: the link is open so long (default: for good)")
    told.add_argument("--page", default="", metavar="URL", help="of share and shared: where the app is reached")
    told.add_argument("--json", action="store_true", help="print one JSON object a line")
    told.set_defaults(command=_runs)


def _runs(options: argparse.Namespace, settings: Settings) -> int:
    does, *given = options.does or ["list"]
    store = Store(settings)
    try:
        if does in CHANGES:
            return _change(store, does, given)
        if does == "show" and len(given) == 1:
            return _show(store, given[0])
        if does == "share" and given:
            return _share(store, given, options)
        if does == "shared" and not given:
            return _shared(store, options)
        if does == "revoke" and len(given) == 1:
            return _revoke(store, given[0])
        if does == "kept" and not given:
            return _kept(store, settings)
        if does in ("list", "export") and not given:
            return (_export if does == "export" else _list)(store, settings, options)
    finally:
        store.close()
    raise BadInput(
        f"runs {' '.join(options.does)[:80]} is not known. Write runs alone to list, or runs with one of "
        f"{', '.join([*CHANGES, 'show', 'share'])} and an id, runs shared, runs revoke LINK, runs export "
        "--out FILE.zip, or runs kept."
    )


def _wanted(options: argparse.Namespace) -> Filter:
    if options.limit < 1:
        raise BadInput(f"--limit is {options.limit}; it must be at least 1.")
    try:
        return Filter(
            text=options.search.encode("utf-8", "replace").decode(), models=tuple(options.model),
            rooms=tuple(options.modality), tasks=tuple(options.task), tags=tuple(options.tag), seed=options.seed,
            starred=options.starred, deleted=options.deleted,
        )  # fmt: skip
    except ValidationError as error:
        raise BadInput(
            f"--search has {len(options.search):,} characters; at most {TEXT_MAX_CHARS} are allowed. Give fewer words."
        ) from error


def _list(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    owner = whose.machine_owner()
    wanted = _wanted(options)
    found = store.found(owner, store.found_ids(owner, wanted, limit=options.limit), deleted=options.deleted)
    catalog = load_catalog(settings, strict=False)
    for one in found:
        run = one.run
        if options.json:
            shell.say(json.dumps(export.record(one), ensure_ascii=True))
            continue
        name = one.title or labels.shorten(labels.prompt_of(catalog, run.request), PROMPT_CHARS)
        parts = (
            name, f"seed {run.request.seed}", run.status if run.status != "done" else "",
            "deleted" if one.deleted_at is not None else "", " ".join(f"[{tag}]" for tag in one.tags),
        )  # fmt: skip
        when = ago(max(0.0, time.time() - run.created_at))
        star = "*" if one.starred else " "
        told = " · ".join(filter(None, parts))
        shell.say(f"{run.id[:ID_CHARS]} {star} {when:>15}  {run.request.model:24} {told}")
    if not found and not options.json:
        none = wanted == Filter(deleted=wanted.deleted)  # nothing was looked for in particular
        said = (
            f"No runs are kept in {settings.data_dir}." if none else "Nothing fits. Fewer words or filters find more."
        )
        shell.say(f"{said} What is run on the pages or swept in a shell is kept.")
    return 0


def _change(store: Store, does: str, given: list[str]) -> int:
    if not given:
        raise BadInput(f"runs {does} needs an id: python -m models runs lists them.")
    owner = whose.machine_owner()
    ids = [own_runs.whole_id(store, one) for one in (given[:1] if does in _ONE else given)]
    count = CHANGES[does](store, owner, ids, given[1:])
    undo = f" For {UNDO_S / 60:.0f} minutes runs restore takes it back." if does == "delete" else ""
    shell.say(f"{count} run{'s' * (count != 1)} {WORDS[does]}.{undo}")
    return 0


def _show(store: Store, given: str) -> int:
    owner = whose.machine_owner()
    for one in store.found(owner, [own_runs.whole_id(store, given)], deleted=True):
        shell.say(json.dumps(export.record(one), ensure_ascii=True, indent=2))
    return 0


def _export(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    if not options.out:
        raise BadInput("runs export needs --out FILE.zip.")
    outfile.check_target(Path(options.out))
    owner = whose.machine_owner()
    found = store.found(owner, store.found_ids(owner, _wanted(options), limit=options.limit))
    shell.write_file(Path(options.out), export.zipped(found, partial(_read, store)))
    shell.say(f"{len(found)} run{'s' * (len(found) != 1)} in {options.out}.")
    return 0


def _share(store: Store, given: list[str], options: argparse.Namespace) -> int:
    owner = whose.machine_owner()
    ids = [own_runs.whole_id(store, one) for one in given]
    made = store.share(owner, ids, "run" if len(ids) == 1 else "comparison", days=options.days)
    shell.say(_told(made, options) if options.json else f"{_address(made, options)}  {_until(made)}")
    return 0


def _shared(store: Store, options: argparse.Namespace) -> int:
    found = store.shared(whose.machine_owner())
    for one in found:
        runs = " ".join(run_id[:ID_CHARS] for run_id in one.runs[:LINK_RUNS])
        more = f" and {len(one.runs) - LINK_RUNS:,} more" if len(one.runs) > LINK_RUNS else ""
        told = f"{_address(one, options)}  {one.kind:10} {_until(one)}  {runs}{more}".rstrip()
        shell.say(_told(one, options) if options.json else told)
    if not found and not options.json:
        shell.say("No link is open. python -m models runs share ID makes one.")
    return 0


def _revoke(store: Store, link: str) -> int:
    token = link.rsplit("=", 1)[-1]
    if not store.revoke(whose.machine_owner(), token):
        raise BadInput(f"No open link of yours is {link[:80]!r}: python -m models runs shared lists them.")
    shell.say("Revoked: whoever opens it from now on is told so.")
    return 0


def _address(share: Share, options: argparse.Namespace) -> str:
    return f"{options.page.rstrip('/')}/shared?s={share.token}"


def _until(share: Share) -> str:
    if share.expires_at is None:
        return "open until you revoke it"
    return f"open until {datetime.fromtimestamp(share.expires_at):%d %B %Y, %H:%M}"


def _told(share: Share, options: argparse.Namespace) -> str:
    """Return a link as a JSON object: times in UTC seconds since the epoch, null for never."""
    return json.dumps({
        "link": _address(share, options), "token": share.token, "kind": share.kind, "runs": share.runs,
        "created_at": share.created_at, "expires_at": share.expires_at,
    })  # fmt: skip


def _kept(store: Store, settings: Settings) -> int:
    owner, limits = whose.machine_owner(), retention.Limits.of(settings)
    kept = store.kept_at(limits, settings.prune_every_s)  # as the app's next look finds it
    mine = store.mine(owner)
    for said in retention.words(retention.for_owner(kept, owner), mine, limits):
        shell.say(said)
    if limits != retention.Limits() and mine.first:
        ids = ", ".join(run_id[:ID_CHARS] for run_id, _ in mine.first)
        shell.say(f"Yours that go first, unless they get a star (runs star ID): {ids}")
    return 0


def _read(store: Store, output: Output) -> bytes:
    try:
        return store.get_bytes(output.sha256) if output.sha256 else output.text.encode()
    except BadInput:  # its file was cleared: its text alone
        return output.text.encode()
