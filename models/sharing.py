"""What an owner shares by a link: finished runs to be read by whoever has it, until it is revoked or its time is over.

A link names a token by chance, and the token what is shown: runs by their ids, and nothing else of their owner. What an
owner says of a run (name, note, tags, star) never leaves this module, nor whose it is.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import sqlalchemy as sa
from pydantic import ValidationError

from models import outside
from models.blobs import REFERENCE
from models.errors import BadInput, PlaygroundError
from models.held import Holding
from models.records import run_from
from models.tables import files_of, library, runs, shares
from models.types import Request, Run, is_number

log = logging.getLogger(__name__)
Kind = Literal["run", "comparison", "sweep", "request"]
State = Literal["open", "unknown", "revoked", "expired", "deleted", "damaged"]
TOKEN_BYTES = 16  # by chance: 128 bits
DAYS_MOST = 3650.0
COMPARED_MOST = 48  # runs of a comparison
SHARED_MOST = 2000  # runs of a sweep, and links of an owner
REQUEST_MAX_CHARS = 1_000_000
KEEP_ENDED_S = 90 * 86400.0  # for so long a link that is over says why
MANY = 500  # values in one query
_TOKEN = re.compile(r"[0-9a-f]{32}")
_SAID: dict[State, str] = {
    "unknown": "There is nothing at this link: a part of it may be missing, or its owner deleted all that was theirs. "
    "Ask for a new link.",
    "revoked": "This link was revoked: whoever shared it does not show it any more.",
    "expired": "The time of this link is over. Ask whoever shared it for a new one.",
    "deleted": "What this link showed was deleted. Ask whoever shared it to make it again.",
    "damaged": "What is noted of this link is damaged and cannot be shown. Ask for a new link.",
}


@dataclass(frozen=True)
class Share:
    """Hold what a link shows: `runs` are ids, `cells` the cell of each in a sweep.

    `sweep` is its file as JSON text; `request` that of a link to settings alone, and `made_with` what was noted of its
    making (see `RunStats`). Times are UTC seconds since the epoch; `expires_at` and `revoked_at` are None for never.
    """

    token: str
    kind: Kind
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    runs: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()
    sweep: str = ""
    request: Request | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def state(self, now: float) -> State:
        """Return whether it is open at a time, in UTC seconds since the epoch."""
        if self.revoked_at is not None:
            return "revoked"
        return "open" if self.expires_at is None or now < self.expires_at else "expired"


@dataclass(frozen=True)
class Opened:
    """Hold what a link shows now, or why it shows nothing.

    `runs` are by id, in the link's order, without those that were deleted; they name neither owner nor job. `uploads`
    are the references of files that were uploaded for them.
    """

    state: State
    share: Share | None = None
    runs: Mapping[str, Run] = field(default_factory=dict)
    uploads: frozenset[str] = frozenset()

    @property
    def sentence(self) -> str:
        """Return why there is nothing to see; "" for a link that is open."""
        return _SAID.get(self.state, "")


class Sharing(Holding):
    """Share an owner's runs, and show what a link names to anybody."""

    def share(
        self, owner: str, ids: Sequence[str] = (), kind: Kind = "run", *, days: float | None = None, sweep: str = "",
        cells: Sequence[int] = (), request: Request | None = None, made_with: Mapping[str, Any] | None = None,
        now: float | None = None,
    ) -> Share:  # fmt: skip
        """Make a link to an owner's runs and return it; `days` is how long it is open, None for good.

        The other values as in `Share`; a request is kept without its uploads. Raises `BadInput` for runs that are not
        the owner's, were deleted or are looks into others, and for what is too much.
        """
        now = time.time() if now is None else now
        wanted = tuple(ids)
        _check(wanted, kind, days, cells, sweep, request)
        content: dict[str, Any] = {"kind": kind, "runs": wanted}
        if kind == "sweep":
            content |= {"sweep": sweep, "cells": list(cells)}
        if request is not None:
            texts = {name: value for name, value in request.inputs.items() if not value.startswith("sha256:")}
            content |= {"request": {**request.model_dump(), "inputs": texts}, "made_with": dict(made_with or {})}
        text = json.dumps(content)
        if len(text) > REQUEST_MAX_CHARS:
            raise BadInput(f"This is too much for a link: {len(text):,} characters; at most {REQUEST_MAX_CHARS:,} are "
                           "allowed. Share a part of it.")  # fmt: skip
        row = {
            "token": secrets.token_hex(TOKEN_BYTES), "owner": owner, "content": text, "created_at": now,
            "expires_at": None if days is None else now + days * 86400.0, "revoked_at": None,
        }  # fmt: skip
        with self._write() as connection:
            there = _there(connection, wanted, owner)
            if missing := [one for one in wanted if one not in there]:
                many = f"{len(missing):,} of these {len(wanted):,} results" if len(wanted) > 1 else "This result"
                raise BadInput(f"{many} cannot be shared: it is not kept here as yours. Run it again, then share it.")
            _make_way(connection, owner, now)
            connection.execute(shares.insert(), row)
        found = _share(row)
        assert found is not None
        return found

    def shared(self, owner: str, now: float | None = None) -> list[Share]:
        """Return an owner's links that are open, the newest first; one that is damaged is left out."""
        now = time.time() if now is None else now
        query = sa.select(shares).where(shares.c.owner == owner, shares.c.revoked_at.is_(None))
        with self._read() as connection:
            rows = connection.execute(query.order_by(shares.c.created_at.desc(), shares.c.token)).mappings().all()
        return [one for row in rows if (one := _share(row)) is not None and one.state(now) == "open"]

    def revoke(self, owner: str, token: str, now: float | None = None) -> bool:
        """Close an owner's link for good; say whether there was such an open one."""
        now = time.time() if now is None else now
        mine = (shares.c.token == token, shares.c.owner == owner, shares.c.revoked_at.is_(None))
        with self._write() as connection:
            return bool(connection.execute(shares.update().where(*mine).values(revoked_at=now)).rowcount)

    def open_share(self, token: str, now: float | None = None) -> Opened:
        """Return what a link shows to whoever has it, with all runs that are still there. Outputs keep their text."""
        now = time.time() if now is None else now
        if not _TOKEN.fullmatch(token):
            return Opened("unknown")
        with self._read() as connection:
            row = connection.execute(sa.select(shares).where(shares.c.token == token)).mappings().first()
            if row is None or row["token"] != token:
                return Opened("unknown")
            share = _share(row)
            if share is None:
                return Opened("damaged")
            if (state := share.state(now)) != "open":
                return Opened(state, share)
            try:
                found = _there(connection, share.runs, row["owner"])
            except PlaygroundError as error:
                log.warning("a link cannot be shown: %s", error.message)
                return Opened("damaged", share)
            if share.runs and not found:
                return Opened("deleted", share)
            given = {value for run in found.values() for value in run.request.inputs.values()}
            given = {value for value in given if REFERENCE.fullmatch(value)}
            # a hash that stands in a text, as anybody may write it, shows nobody else's file
            own = files_of(connection, row["owner"]) if given else set()
            uploads = frozenset(value for value in given if value.removeprefix("sha256:") in own)
        shown = {name: replace(found[name], owner="", job="") for name in share.runs if name in found}
        return Opened("open", share, shown, uploads)


def _there(connection: sa.Connection, ids: Sequence[str], owner: str) -> dict[str, Run]:
    """Return an owner's runs that are not deleted, by id. Raises `PlaygroundError` for a record that is damaged."""
    found: dict[str, Run] = {}
    for at in range(0, len(ids), MANY):
        query = (
            sa.select(runs).join(library, library.c.run_id == runs.c.id)
            .where(runs.c.id.in_(ids[at : at + MANY]), library.c.deleted_at.is_(None))
        )  # fmt: skip
        for row in connection.execute(query).mappings():
            if row["owner"] == owner:
                found[row["id"]] = run_from(row)
    return found


def _make_way(connection: sa.Connection, owner: str, now: float) -> None:
    """Forget links that are long over. Raises `BadInput` where the owner has too many that are open."""
    over = now - KEEP_ENDED_S
    connection.execute(shares.delete().where((shares.c.revoked_at < over) | (shares.c.expires_at < over)))
    count = sa.select(sa.func.count()).select_from(shares).where(shares.c.owner == owner)
    if (connection.execute(count).scalar() or 0) < SHARED_MOST:
        return
    ended = shares.c.revoked_at.is_not(None) | (shares.c.expires_at <= now)
    connection.execute(shares.delete().where(shares.c.owner == owner, ended))
    if (connection.execute(count).scalar() or 0) >= SHARED_MOST:
        raise BadInput(f"You have {SHARED_MOST:,} open links, which is the most. Revoke some first.")


def _check(
    ids: tuple[str, ...], kind: Kind, days: float | None, cells: Sequence[int], sweep: str, request: Request | None
) -> None:
    if days is not None and not (is_number(days) and 0 < days <= DAYS_MOST):
        raise BadInput(
            f"A link is open for more than 0 and at most {DAYS_MOST:,.0f} days, or for good; {days} is given."
        )
    if len(set(ids)) < len(ids):
        raise BadInput("A result is named twice. Name each once.")
    if kind == "request":
        if request is None or ids or request.study:
            raise BadInput("A link to settings needs a request, and shows no results.")
        return
    most = {"run": 1, "comparison": COMPARED_MOST}.get(kind, SHARED_MOST)
    least = 2 if kind == "comparison" else 1
    if not least <= len(ids) <= most:
        allowed = f"{least}" if least == most else f"{least} to {most:,}"
        raise BadInput(f"A link to a {kind} shows {allowed} result{'s' * (most > 1)}; {len(ids):,} are given.")
    if kind == "sweep" and (not sweep or len(cells) != len(ids)):
        raise BadInput("A link to a sweep needs its file, and the cell of each result.")


def _share(row: Mapping[str, Any] | sa.RowMapping) -> Share | None:
    """Return the link of a row, None where it is damaged."""
    try:
        held = outside.read_json(row["content"])
        kind, ids, cells = held["kind"], tuple(held.get("runs", ())), tuple(held.get("cells", ()))
        request = Request(**held["request"]) if held.get("request") is not None else None
        sweep, made_with = held.get("sweep", ""), held.get("made_with", {})
        good = (
            kind in get_args(Kind) and all(isinstance(one, str) for one in ids) and isinstance(made_with, dict)
            and all(isinstance(one, int) for one in cells) and isinstance(sweep, str) and (ids or request is not None)
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError):
        good = False
    if not good:
        log.warning("the link of %s cannot be read", time.strftime("%F %T", time.gmtime(row["created_at"])))
        return None
    times = row["created_at"], row["expires_at"], row["revoked_at"]
    return Share(row["token"], kind, *times, ids, cells, sweep, request, made_with)
