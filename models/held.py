"""What an owner's uploads take of the disk together, and which of them go so that another one fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from models.amounts import size
from models.blobs import REFERENCE
from models.errors import BadInput, PlaygroundError
from models.pruning import Pruning
from models.tables import REFERENCES, desks, files, notes, own_files, runs, used
from models.types import Request

ROOM_BYTES = 20_000_000  # freed on a full disk beside what did not fit


@dataclass(frozen=True)
class Going:
    """Name what an owner gave up: uploads by their hash, and files beside others, which can be made again."""

    uploads: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()


def give_up(
    connection: sa.Connection, owner: str, new: Collection[str], more: int, most: int, keep: Collection[str],
    stored: Iterable[tuple[Path, int, float]],
) -> Going:  # fmt: skip
    """Let an owner give up uploads so that `new` ones, `more` bytes, fit into `most`; return what files may go then.

    Uploads that no run of theirs, no page and nothing in `keep` (hashes) names go first, the oldest of them first; then
    what was made of the others. `stored` are all files: path, bytes, time of change. Raises `BadInput` where that is
    not enough: nothing goes then.
    """
    rows = connection.execute(sa.select(files.c.sha256).where(files.c.owner == owner).order_by(files.c.taken_at))
    owned = dict.fromkeys(name for name in rows.scalars() if name not in new)  # the oldest first
    sizes = dict.fromkeys(owned, 0)
    beside: dict[str, list[tuple[Path, int]]] = {}
    for file, count, _ in stored:
        if (name := file.name.split(".")[0]) in sizes:
            sizes[name] += count
            if file.suffix:
                beside.setdefault(name, []).append((file, count))
    if sum(sizes.values()) + more <= most:  # with all that their runs made: the usual case, at no cost
        return Going()
    made = _made(connection, owner)
    uploads = [name for name in owned if name not in made]
    held = sum(sizes[name] for name in uploads)
    needed = needed_by(connection, owner) | set(keep)
    over, gone, light = held + more - most, list[str](), list[Path]()
    for name in [name for name in uploads if name not in needed]:
        if over > 0:
            gone.append(name)
            over -= sizes[name]
    for name in [name for name in uploads if name not in gone]:
        for file, count in beside.get(name, ()):
            if over > 0:
                light.append(file)
                over -= count
    if over > 0:
        raise BadInput(
            f"This is {size(more)}, and your uploads already take up {size(held)}; at most {size(most)} are kept for "
            "one person. Your results need them. Delete what is kept for you under “Your results” (or “Your "
            "account”), or upload a smaller file.", held=held, limit=most, bytes=more,
        )  # fmt: skip
    if gone:
        given_up = (files.c.owner == owner, files.c.sha256 == sa.bindparam("gone"))
        connection.execute(files.delete().where(*given_up), [{"gone": name} for name in gone])
    return Going(tuple(gone), tuple(light))


def _made(connection: sa.Connection, owner: str) -> set[str]:
    """Return the hashes of what an owner's runs made."""
    found: set[str] = set()
    for record in connection.execute(sa.select(runs.c.record).where(runs.c.owner == owner)).scalars():
        try:
            found |= {str(output.get("sha256", "")) for output in json.loads(record)["outputs"]}
        except (ValueError, TypeError, KeyError, AttributeError):  # a damaged record made nothing that is known
            continue
    return found


def needed_by(connection: sa.Connection, owner: str) -> set[str]:
    """Return the hashes that an owner's runs need, and that their pages hold."""
    rows = sa.select(used.c.sha256).join(runs, used.c.run_id == runs.c.id).where(runs.c.owner == owner)
    found = set(connection.execute(rows).scalars())
    for kept in (desks, notes):
        for content in connection.execute(sa.select(kept.c.content).where(kept.c.owner == owner)).scalars():
            found |= set(REFERENCES.findall(content))
    return found


class Holding(Pruning):
    """Keep whose the files are, and how much of them one owner may keep."""

    last: Callable[[], Collection[str]]
    _index: str
    _most_bytes: int  # of one owner's uploads together

    def take(
        self, owner: str, data: bytes, beside: Mapping[str, Path] | None = None, keep: Collection[str] = ()
    ) -> str:
        """Store an owner's upload, or what they made of a result, and return its reference. See `put_bytes`, `own`.

        `beside` are files that were made of it, by name: see `keep_beside`. On a full disk it makes room once, and
        tries again.
        """
        beside = beside or {}
        more = len(data) + sum(file.stat().st_size for file in beside.values())
        self._give_up(owner, {hashlib.sha256(data).hexdigest()}, more, keep)
        try:
            ref = self.put_bytes(data)
        except PlaygroundError as error:
            if not error.details.get("full"):
                raise
            self.make_room(2 * more + ROOM_BYTES, self.last())
            ref = self.put_bytes(data)
        for name, file in beside.items():
            with suppress(PlaygroundError):  # on a full disk: each run makes it again
                self.keep_beside(ref, name, file)
        with self._write() as connection:
            own_files(connection, owner, {self.path(ref).name})
        return ref

    def own(self, owner: str, *refs: str, keep: Collection[str] = ()) -> None:
        """Count stored files as an owner's: they go with the owner. Raises `BadInput` for what is no reference.

        All uploads of an owner together are bounded (`Settings.uploads_per_owner_bytes`). Those that nothing needs make
        room, but for the references in `keep`; raises `BadInput` where that is not enough.
        """
        if new := {self.path(ref).name for ref in refs if not self.owns(owner, ref)}:
            stored = [file for name in new if (file := self._file(name)).exists()]
            self._give_up(owner, new, sum(file.stat().st_size for file in stored), keep)
            with self._write() as connection:
                own_files(connection, owner, new)

    def owns(self, owner: str, ref: str) -> bool:
        """Say whether a stored file is an owner's: what they gave (`take`), or a run of theirs made.

        A hash is no key: whoever learns the reference of another's upload, as from a result that was shared, and writes
        it into a link or a prompt, must not get what it stands for. Raises `BadInput` for what is no reference.
        """
        query = sa.select(files.c.owner).where(files.c.owner == owner, files.c.sha256 == self.path(ref).name)
        with self._read() as connection:
            return connection.execute(query).first() is not None

    def let_go(self, owner: str, request: Request) -> None:
        """Forget a request's uploads that no run and no page of their owner needs, and files that nobody else does."""
        names = {self.path(value).name for value in request.inputs.values() if REFERENCE.fullmatch(value)}
        with self._write() as connection:
            names -= needed_by(connection, owner)
            connection.execute(files.delete().where(files.c.owner == owner, files.c.sha256.in_(names)))
        self._unlink(names)

    def _give_up(self, owner: str, new: set[str], more: int, keep: Collection[str]) -> None:
        names, stored = {self.path(ref).name for ref in keep}, list(self._files())
        with self._write() as connection:
            going = give_up(connection, owner, new, more, self._most_bytes, names, stored)
        self._unlink(set(going.uploads), going.beside)

    def _unlink(self, names: set[str], also: Sequence[Path] = ()) -> None:
        """Drop files that nobody needs any more, and `also` these. No file goes before the rows that name it."""
        going = [*also]
        if names:
            with self._write() as connection:
                for needed in (used, files):
                    names -= set(connection.execute(sa.select(needed.c.sha256).distinct()).scalars())
            going += [file for file, _, _ in self._files() if file.name.split(".")[0] in names]
        for file in going:
            with suppress(OSError):
                file.unlink()
