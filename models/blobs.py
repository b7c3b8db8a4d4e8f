"""Artefacts and uploads as files named by their SHA-256. No SQL here: a worker needs only this.

The file of `sha256:abcdef…` is `data_dir/artifacts/ab/abcdef…`. A file is complete or absent: bytes go to a temporary
file beside it, reach the disk, and take their name in one step. What was made of it lies beside it as `abcdef….name`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import BadInput, PlaygroundError

REFERENCE = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

_DIGEST = hashlib.sha256().digest_size  # bytes before what is kept beside a file: its own hash
_AGAIN = "Upload it or run it again."
TEMPORARY = ".tmp-"  # so begins the name of a file that is being written
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_reference(ref: str) -> str:
    """Return the hex digits of a reference. Raises `BadInput` if it is malformed."""
    match = REFERENCE.fullmatch(ref)
    if not match:
        raise BadInput(f"{ref[:80]!r} is not a file reference: that is sha256: followed by 64 hex digits (0-9a-f).")
    return match[1]


class Blobs:
    """Keep bytes by their hash. Thread-safe; several processes may share one folder.

    Makes the folder if it is missing. Raises `PlaygroundError` with a sentence where the disk is full or refuses.
    """

    def __init__(self, data_dir: Path | str) -> None:
        self.data_dir = Path(data_dir)
        self._artifacts = self.data_dir / "artifacts"
        with file_errors(self._artifacts):
            self._artifacts.mkdir(parents=True, exist_ok=True)

    def put_bytes(self, data: bytes) -> str:
        """Store `data` and return its reference, `sha256:<64 hex digits>`. Storing it again changes nothing."""
        digest = hashlib.sha256(data).hexdigest()
        target = self._file(digest)
        with file_errors(target):
            if not _refresh(target, data):
                _write_file(target, data)
        return f"sha256:{digest}"

    def get_bytes(self, ref: str) -> bytes:
        """Return the bytes of a reference (with or without `sha256:`).

        Raises `BadInput` if it is malformed, if no such file is stored, or if the file no longer has this hash.
        """
        target = self.path(ref)
        with file_errors(target):
            try:
                data = target.read_bytes()
            except FileNotFoundError:
                raise BadInput(f"No file is stored under {ref}: it was never there or was cleared. {_AGAIN}") from None
        if hashlib.sha256(data).hexdigest() != target.name:
            raise BadInput(f"The file stored under {ref} is damaged: its hash differs. {_AGAIN}")
        return data

    def put_beside(self, ref: str, name: str, data: bytes) -> None:
        """Keep what was made of a stored file beside it, under a short `name`, until `Store.prune` needs the room."""
        target = self._beside(ref, name)
        with file_errors(target):
            _write_file(target, hashlib.sha256(data).digest() + data)

    def keep_beside(self, ref: str, name: str, file: Path) -> None:
        """Keep a copy of a file as `put_beside` does, without holding it in memory."""
        target = self._beside(ref, name)
        with file_errors(target), file.open("rb") as source:
            target.parent.mkdir(exist_ok=True)
            handle, temp = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as copy:  # its hash tells one that did not reach the disk
                    copy.write(hashlib.file_digest(source, "sha256").digest())
                    source.seek(0)
                    shutil.copyfileobj(source, copy)
                os.replace(temp, target)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temp)
                raise

    def get_beside(self, ref: str, name: str) -> bytes | None:
        """Return what `put_beside` kept, None where it is not there, cleared or damaged."""
        target = self._beside(ref, name)
        with file_errors(target):
            try:
                with target.open("rb") as file:
                    digest, data = file.read(_DIGEST), file.read()
            except FileNotFoundError:
                return None
        return data if hashlib.sha256(data).digest() == digest else None

    def path(self, ref: str) -> Path:
        """Return where the bytes of a reference lie, stored or not. Raises `BadInput` if it is malformed."""
        return self._file(check_reference(ref))

    def _beside(self, ref: str, name: str) -> Path:
        target = self.path(ref)
        return target.with_name(f"{target.name}.{name}")

    def _file(self, digest: str) -> Path:
        return self._artifacts / digest[:2] / digest

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Yield every artefact and forgotten temporary file with its bytes and its time of change."""
        for file in self._artifacts.glob("??/*"):
            with suppress(FileNotFoundError):
                status = file.stat()
                yield file, status.st_size, status.st_mtime


def _refresh(target: Path, data: bytes) -> bool:
    """Say whether the file is there and whole; if so, make it young again, so that no prune takes it."""
    try:
        os.utime(target)
        return target.read_bytes() == data
    except FileNotFoundError:
        return False


def _write_file(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)  # the whole folder may have been removed meanwhile
    handle, temp = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temp)
        raise
    if os.name == "posix":  # the name itself reaches the disk with its folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `PlaygroundError` with a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise PlaygroundError(
                f"The disk under {path.parent} is full. Free some space, then try again.", full=True
            ) from error
        why = error.strerror or type(error).__name__
        cure = (
            " Make its folder writable, or let PLAYGROUND_DATA_DIR (for weights: PLAYGROUND_WEIGHTS_DIR) name another, "
            "and start again." if error.errno in _FORBIDDEN else ""
        )  # fmt: skip
        raise PlaygroundError(f"The file {path} could not be read or written ({why}).{cure}") from error
