"""Runs that last: an index in SQL beside the artefact files of `models.blobs`.

A run's row is written last, in one transaction, so that a row never names a file that was not there.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models import library, migrating
from models.blobs import REFERENCE, file_errors
from models.errors import PlaygroundError
from models.held import ROOM_BYTES
from models.index import connect, identity, index_errors, is_alone
from models.pruning import clear_rows, delete_runs
from models.records import record_of, run_from
from models.retention import Kept
from models.settings import Settings
from models.shelf import Shelf
from models.tables import causes as _causes
from models.tables import desks as _desks
from models.tables import files as _owned
from models.tables import files_of, own_files
from models.tables import library as _library
from models.tables import measured as _measured
from models.tables import notes as _notes
from models.tables import runs as _runs
from models.tables import shares as _shares
from models.tables import sweeps as _sweeps
from models.tables import used as _used
from models.tables import votes as _votes
from models.types import ASIDE, Output, Request, Run

log = logging.getLogger(__name__)

LOST_TOLD_S = 3600.0
MANY = 500  # values in one query

_AGE = (_runs.c.created_at, _runs.c.id)


class Store(Shelf):
    """Keep runs and artefacts. Thread-safe; several processes may share one store.

    `source` is a `Settings`, or an SQL URL with `data_dir` beside it; an empty URL means SQLite in
    `data_dir/runs.sqlite`. Makes the folders and tables that are missing. Every method raises `PlaygroundError` with a
    sentence where the index is damaged, locked, out of reach or newer than this code, or the disk is full.
    """

    def __init__(self, source: Settings | str, data_dir: Path | str | None = None) -> None:
        url = source if isinstance(source, str) else source.database_url
        folder = data_dir if isinstance(source, str) else data_dir or source.data_dir
        if folder is None:
            raise ValueError("data_dir is needed beside an SQL URL")
        super().__init__(folder)
        self.last: Callable[[], Collection[str]] = tuple  # ids of runs that go last, such as those that are open now
        self._most_bytes = (Settings() if isinstance(source, str) else source).uploads_per_owner_bytes
        self.kept: Kept | None = None  # what the last look at it found
        self._engine, self._index, self._file_of_index = connect(url, self.data_dir)
        self.alone = is_alone(url, self.data_dir)
        self._making, self._lost_at = threading.Lock(), 0.0
        try:
            self._make()
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close the connections to the index. Artefacts can still be read."""
        self._engine.dispose()

    def lost(self, within_s: float = LOST_TOLD_S) -> str:
        """Return a sentence where the index was removed and made anew in the last `within_s` seconds, else ""."""
        if time.time() - self._lost_at > within_s:
            return ""
        return (
            f"{self._file_of_index} was removed while the app ran: results and settings from before are gone. A new "
            "one was made, and what you run now is kept."
        )

    def save_run(self, run: Run) -> None:
        """Store a run: its artefacts, then its row. A run of the same id is replaced.

        An output without bytes keeps its text and its `sha256`. Raises `PlaygroundError` where bytes and `sha256`
        do not fit; then, as after any error, the index is as it was. On a full disk it makes room once, and tries
        again.
        """
        try:
            self._save_run(run)
        except PlaygroundError as error:
            if not error.details.get("full"):
                raise
            needed = sum(len(output.data) for output in run.outputs)
            freed = self.make_room(2 * needed + ROOM_BYTES, self.last(), never=[run.id])
            log.warning("the disk was full: %s", freed)
            self._save_run(run)

    def _save_run(self, run: Run) -> None:
        outputs = [self._stored(output) for output in run.outputs]
        made = {output.sha256 for output in outputs if output.sha256}
        run = replace(run, outputs=outputs)
        record = record_of(run)
        row = {
            "id": run.id, "owner": run.owner, "job": run.job, "model": run.request.model, "status": run.status,
            "created_at": run.created_at, "record": record, "record_bytes": len(record),
        }  # fmt: skip
        with self._write() as connection:
            clear_rows(connection, [run.id])
            connection.execute(_runs.insert(), row)
            library.place(connection, run)
            if run.status == "done" and (cause := run.stats.get("cause")):
                connection.execute(_causes.insert(), {"run_id": run.id, "cause": cause})
            own_files(connection, run.owner, made, run.created_at)
            # a hash that stands in a text, as anybody may write it, holds nobody else's file
            refs = made | (_uploads(run.request) & files_of(connection, run.owner))
            if refs:
                connection.execute(_used.insert(), [{"run_id": run.id, "sha256": ref} for ref in sorted(refs)])
            for output in outputs:  # a prune between the files and this transaction may have taken one
                if output.data and not self._file(output.sha256).exists():
                    self.put_bytes(output.data)

    def runs(
        self, owner: str | None = None, job: str | None = None, limit: int = 50, *, load: bool = False,
        models: Collection[str] | None = None,
    ) -> list[Run]:  # fmt: skip
        """Return up to `limit` runs of an owner, of a job, or of all, the newest first, but for deleted ones.

        `models` are the only ones that are asked for. Outputs keep their text; `load` fetches their bytes too.
        """
        query = sa.select(_runs).where(~library.is_deleted()).order_by(*(column.desc() for column in _AGE)).limit(limit)
        if owner is not None:
            query = query.where(_runs.c.owner == owner)
        if job is not None:
            query = query.where(_runs.c.job == job)
        if models is not None:
            query = query.where(_runs.c.model.in_(models))
        return self._select(query, load)

    def run(self, run_id: str, owner: str) -> Run | None:
        """Return a run of an owner, without its outputs' bytes; None where they have none such, or it was deleted."""
        mine = (_runs.c.id == run_id, _runs.c.owner == owner)
        found = self._select(sa.select(_runs).where(*mine, ~library.is_deleted()), load=False)
        return found[0] if found else None

    def made(self, owner: str, causes: Collection[str]) -> dict[str, Run]:
        """Return the newest finished run of an owner for each cause (see `models.causes`) that has one whole.

        A run of whose outputs a file was cleared is none.
        """
        found: dict[str, Run] = {}
        wanted = sorted(set(causes))
        for at in range(0, len(wanted), MANY):
            query = (
                sa.select(_causes.c.cause, _runs).join(_runs, _runs.c.id == _causes.c.run_id)
                .where(_runs.c.owner == owner, _causes.c.cause.in_(wanted[at : at + MANY]), ~library.is_deleted())
                .order_by(*_AGE)
            )  # fmt: skip
            with self._read() as connection:
                rows = connection.execute(query).mappings().all()
            for row in rows:
                run = run_from(row)
                needed = [one.sha256 for one in run.outputs if one.kind not in ASIDE and one.sha256]
                if all(self._file(one).exists() for one in needed):
                    found[row["cause"]] = run
        return found

    def save_measured(self, values: Mapping[tuple[str, str], float | None]) -> None:
        """Keep what was measured, by a run's id and the measure's name; it goes with the run. None: there is no value.

        It is a table and no file beside each output: a sweep asks for thousands at once, and they go with their runs.
        """
        with self._write() as connection:
            ids = sorted({run_id for run_id, _ in values})
            there: set[str] = set()
            for at in range(0, len(ids), MANY):
                there |= set(connection.execute(
                    sa.select(_runs.c.id).where(_runs.c.id.in_(ids[at : at + MANY]))
                ).scalars())  # fmt: skip
            rows = [{"run_id": run_id, "name": name, "value": value}
                    for (run_id, name), value in values.items() if run_id in there]  # fmt: skip
            if not rows:
                return
            connection.execute(
                _measured.delete().where(
                    _measured.c.run_id == sa.bindparam("of"), _measured.c.name == sa.bindparam("named")
                ),
                [{"of": row["run_id"], "named": row["name"]} for row in rows],
            )
            connection.execute(_measured.insert(), rows)

    def measured(self, runs: Collection[str]) -> dict[tuple[str, str], float | None]:
        """Return what was measured of runs, by their ids, as `save_measured` kept it."""
        found: dict[tuple[str, str], float | None] = {}
        ids = sorted(set(runs))
        with self._read() as connection:
            for at in range(0, len(ids), MANY):
                query = sa.select(_measured).where(_measured.c.run_id.in_(ids[at : at + MANY]))
                found |= {(row.run_id, row.name): row.value for row in connection.execute(query)}
        return found

    def move_owner(self, old: str, new: str) -> int:
        """Give all runs of one owner to another, as when they sign in; return how many. The new one's desks stay."""
        with self._write() as connection:
            theirs = sa.select(_desks.c.model).where(_desks.c.owner == new).scalar_subquery()
            mine = _desks.c.owner == old
            connection.execute(_desks.update().where(mine, _desks.c.model.not_in(theirs)).values(owner=new))
            connection.execute(_desks.delete().where(mine))
            named = sa.select(_notes.c.name).where(_notes.c.owner == new).scalar_subquery()
            mine = _notes.c.owner == old
            connection.execute(_notes.update().where(mine, _notes.c.name.not_in(named)).values(owner=new))
            connection.execute(_notes.delete().where(mine))
            for held in (_votes, _shares, _sweeps):
                connection.execute(held.update().where(held.c.owner == old).values(owner=new))
            own_files(connection, new, files_of(connection, old))
            connection.execute(_owned.delete().where(_owned.c.owner == old))
            library.move(connection, _library.c.owner == old, new)
            count = connection.execute(_runs.update().where(_runs.c.owner == old).values(owner=new)).rowcount
        # who takes over could not have them forgotten there: the name would not be known any more
        migrating.forget_in_copies(self._file_of_index, old)
        return count

    def take_sessions(self, new: str) -> int:
        """Give an owner the runs of sessions, as all were before there were owners that last; return how many."""
        with self._write() as connection:
            sessions = _runs.c.owner.not_like("%:%")
            theirs = sa.select(_owned.c.sha256).where(_owned.c.owner.not_like("%:%"))
            own_files(connection, new, set(connection.execute(theirs).scalars()))
            connection.execute(_owned.delete().where(_owned.c.owner.not_like("%:%"), _owned.c.owner != new))
            library.move(connection, _library.c.owner.not_like("%:%"), new)
            for held in (_shares, _sweeps):
                connection.execute(held.update().where(held.c.owner.not_like("%:%")).values(owner=new))
            return connection.execute(_runs.update().where(sessions).values(owner=new)).rowcount

    def save_desk(self, owner: str, request: Request) -> None:
        """Keep what an owner's page holds for a model, in place of what was kept for that model before."""
        with self._write() as connection:
            key = (_desks.c.owner == owner, _desks.c.model == request.model)
            connection.execute(_desks.delete().where(*key))
            row = {"owner": owner, "model": request.model, "content": request.canonical(), "saved_at": time.time()}
            connection.execute(_desks.insert(), row)

    def desks(self, owner: str) -> list[Request]:
        """Return what an owner's pages hold, one request for each model, the one that was changed last at the end."""
        query = sa.select(_desks.c.content).where(_desks.c.owner == owner).order_by(_desks.c.saved_at)
        with self._read() as connection:
            rows = connection.execute(query).scalars().all()
        found = []
        for content in rows:
            with suppress(ValueError):  # one that is damaged is as good as none: the page has its defaults
                found.append(Request.model_validate_json(content))
        return found

    def forget_desks(self, owner: str) -> None:
        """Forget what an owner's pages hold; their results stay."""
        with self._write() as connection:
            connection.execute(_desks.delete().where(_desks.c.owner == owner))

    def save_note(self, owner: str, name: str, content: Any) -> None:
        """Keep what an owner's page keeps beside its settings, JSON, in place of what was kept by this name before."""
        with self._write() as connection:
            connection.execute(_notes.delete().where(_notes.c.owner == owner, _notes.c.name == name))
            row = {"owner": owner, "name": name, "content": json.dumps(content), "saved_at": time.time()}
            connection.execute(_notes.insert(), row)

    def note(self, owner: str, name: str) -> Any:
        """Return what `save_note` kept; None where there is nothing, or it is damaged."""
        query = sa.select(_notes.c.content).where(_notes.c.owner == owner, _notes.c.name == name)
        with self._read() as connection:
            content = connection.execute(query).scalar()
        with suppress(ValueError):
            return json.loads(content) if content is not None else None
        return None

    def save_vote(self, owner: str, sitting: str, pair: int, content: Any) -> None:
        """Keep a vote, JSON, in place of an earlier one on the same pair in the same sitting."""
        with self._write() as connection:
            key = (_votes.c.owner == owner, _votes.c.sitting == sitting, _votes.c.pair == pair)
            connection.execute(_votes.delete().where(*key))
            row = {"owner": owner, "sitting": sitting, "pair": pair, "content": json.dumps(content),
                   "voted_at": time.time()}  # fmt: skip
            connection.execute(_votes.insert(), row)

    def votes(self, owner: str, sitting: str | None = None) -> list[dict[str, Any]]:
        """Return an owner's votes, of one sitting or all, the oldest first: sitting, pair, content, voted_at."""
        query = sa.select(_votes).where(_votes.c.owner == owner).order_by(
            _votes.c.voted_at, _votes.c.sitting, _votes.c.pair)  # fmt: skip
        if sitting is not None:
            query = query.where(_votes.c.sitting == sitting)
        with self._read() as connection:
            rows = connection.execute(query).mappings().all()
        found = []
        for row in rows:
            with suppress(ValueError):  # one that is damaged takes no other away
                found.append({"sitting": row["sitting"], "pair": row["pair"], "voted_at": row["voted_at"],
                              "content": json.loads(row["content"])})  # fmt: skip
        return found

    def forget(self, owner: str) -> int:
        """Delete all that is kept of an owner, and the files that nobody else needs; return how many runs."""
        with self._write() as connection:
            ids = list(connection.execute(sa.select(_runs.c.id).where(_runs.c.owner == owner)).scalars())
            files = files_of(connection, owner)
            delete_runs(connection, ids)
            for held in (_desks, _notes, _votes, _shares, _owned, _sweeps):
                connection.execute(held.delete().where(held.c.owner == owner))
        self._unlink(files)
        migrating.forget_in_copies(self._file_of_index, owner, ids)
        return len(ids)

    def forget_idle(self, prefix: str, before: float) -> int:
        """Forget the owners whose name begins with `prefix` and who ran and changed nothing since `before`.

        `before` in UTC seconds since the epoch. Return how many owners.
        """
        newest = sa.union_all(
            sa.select(_runs.c.owner, _runs.c.created_at.label("at")),
            sa.select(_desks.c.owner, _desks.c.saved_at.label("at")),
            sa.select(_notes.c.owner, _notes.c.saved_at.label("at")),
            sa.select(_votes.c.owner, _votes.c.voted_at.label("at")),
            sa.select(_owned.c.owner, _owned.c.taken_at.label("at")),
            sa.select(_shares.c.owner, _shares.c.created_at.label("at")),
        ).subquery()
        idle = (
            sa.select(newest.c.owner).where(newest.c.owner.startswith(prefix, autoescape=True))
            .group_by(newest.c.owner).having(sa.func.max(newest.c.at) < before)
        )  # fmt: skip
        with self._read() as connection:
            owners = list(connection.execute(idle).scalars())
        for owner in owners:
            self.forget(owner)
        return len(owners)

    def _stored(self, output: Output) -> Output:
        """Store the output's bytes, if it has any, and return it with their hash."""
        if not output.data:
            return output
        digest = self.put_bytes(output.data).removeprefix("sha256:")
        if output.sha256 not in ("", digest):
            raise PlaygroundError(f"Output {output.index + 1} was damaged on its way: its hash differs. Run it again.")
        return replace(output, sha256=digest)

    def _select(self, query: sa.Select[Any], load: bool) -> list[Run]:
        with self._read() as connection:
            rows = connection.execute(query).mappings().all()
        found = [run_from(row) for row in rows]
        if load:
            for run in found:
                run.outputs = [replace(o, data=self.get_bytes(o.sha256)) if o.sha256 else o for o in run.outputs]
        return found

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        self._make_again()
        with index_errors(self._index), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        self._make_again()
        with index_errors(self._index), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def _make(self) -> None:
        """Make the tables that are missing, and know the index's file from then on."""
        migrating.open_index(self._engine, self._index, self._file_of_index, self.data_dir)
        self._known = identity(self._file_of_index)

    def _make_again(self) -> None:
        """Make the index anew where its file was removed: what is open still would write into what nobody finds."""
        if identity(self._file_of_index) == self._known:
            return
        with self._making:
            if self._file_of_index is None or identity(self._file_of_index) == self._known:
                return
            self._engine.dispose()
            with file_errors(self._file_of_index):
                self._file_of_index.parent.mkdir(parents=True, exist_ok=True)
            self._make()
            self._lost_at = time.time()
            log.error("%s was removed while the app ran; a new one was made", self._file_of_index)


def _uploads(request: Request) -> set[str]:
    return {
        match[1] for text in request.inputs.values() if text[:7] == "sha256:" and (match := REFERENCE.fullmatch(text))
    }
