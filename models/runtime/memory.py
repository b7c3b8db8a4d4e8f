"""How much memory there is, how much this process uses, and how it is given back.

Limits come from the cgroup (v1 or v2), not from the host's total: in a container the host has more than we may use.
What others use of it is measured and not assumed: the app beside the worker may hold 70 MB or 350 MB, and it grows. So
the budget of models and runs (`Budget`) is asked for at each load, each run and each state that is told.
Readers take `root`, the folder in which /proc and /sys lie, so that tests can show them another machine.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.cgroups import cgroups
from models.settings import Settings

ROOT = Path("/")
_UNLIMITED = 2**60  # v1 writes "no limit" as a huge number
# what is taken to be in use where a limit can be read and its use cannot: pages 150 MB, torch and transformers 350
RESERVED_BYTES = 500_000_000
# left free of every limit: code of the libraries, which counts as cache but is read all the time; what the app grows
MARGIN_BYTES, MARGIN_SHARE = 64_000_000, 10
LEAST_BYTES = 48_000_000  # an allocation up to this size is never refused: a thread's stack, a page of the interpreter
# activations, tokenizers and thread stacks beside the models' own bytes, where the budget is a fixed number
HEADROOM_BYTES = 512_000_000
_IMPORTS_BYTES = 256_000_000  # address space of scipy, soundfile and their threads


def limit_bytes(root: Path = ROOT) -> int:
    """Return the memory that this process may use: the lowest cgroup limit on its path, else the host's total."""
    limits = [value for folder, version in cgroups(root, "memory") if (value := _limit(folder, version)) is not None]
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemTotal:"):
                limits.append(int(line.split()[1]) * 1024)
    return min(limits, default=2_000_000_000)


def free_bytes(root: Path = ROOT) -> int:
    """Return how much more may be taken before the tightest limit's margin is touched; below 0 where it is.

    Every cgroup limit on this process's path counts, and the host's memory. Cached files are given back by the kernel
    when they are in the way, so they count as free.
    """
    found = [limit - max(MARGIN_BYTES, limit // MARGIN_SHARE) - used for limit, used in _uses(root)]
    return min(found, default=limit_bytes(root) // 5)


def budget_bytes(settings: Settings, root: Path = ROOT) -> int:
    """Return the bytes that models and their runs may take together from now on; see `Budget`."""
    return Budget(settings, root)()


class Budget:
    """Follow the bytes that loaded models and runs may take together in this process.

    That is the limit less a margin, less what others use of it, less what this process holds beside its models and
    runs (`note_quiet`). `Settings.memory_bytes`, where it is set, is the budget instead, whatever is free. Make it
    after the imports: what they took is the least that this process holds.
    """

    def __init__(self, settings: Settings, root: Path = ROOT) -> None:
        self._fixed = settings.memory_bytes
        self._root = root
        self._begun = self._base = own_bytes(root)

    def __call__(self) -> int:
        """Return the budget as it is now."""
        return self._fixed or max(0, free_bytes(self._root) + own_bytes(self._root) - self._base)

    def fresh_bytes(self) -> int:
        """Return the budget of a process that has only made its imports: what a fresh one could take."""
        return self._fixed or max(0, free_bytes(self._root) + own_bytes(self._root) - self._begun)

    def note_quiet(self, held: int) -> None:
        """Measure what this process holds beside `held` bytes of models, while nothing runs.

        Libraries that a first run imports and what the allocator keeps stay taken when their model goes. It is never
        less than at the start, as it would seem where weights are mapped from files and are no memory of its own.
        """
        self._base = max(own_bytes(self._root) - held, self._begun)

    def bound(self) -> None:
        """Make an allocation beyond what is free an ordinary error in this process; called again, it follows."""
        if self._fixed:
            return
        # half of the margin: that is for what others grow meanwhile
        free = free_bytes(self._root) + max(MARGIN_BYTES, limit_bytes(self._root) // MARGIN_SHARE) // 2
        limit_data_to(max(LEAST_BYTES, free))


def own_bytes(root: Path = ROOT) -> int:
    """Return the memory of this process and its children that the kernel cannot drop, in bytes."""
    children: set[str] = set()
    with suppress(OSError):
        for task in (root / "proc/self/task").iterdir():
            with suppress(OSError):
                children.update((task / "children").read_text().split())
    return _status_bytes("RssAnon", root) + sum(_status_bytes("RssAnon", root, child) for child in children)


def _uses(root: Path) -> Iterator[tuple[int, int]]:
    """Yield each limit that holds for this process with what is in use of it and cannot be dropped, in bytes."""
    for folder, version in cgroups(root, "memory"):
        if (limit := _limit(folder, version)) is not None:
            yield limit, _used(folder, version)
    found = {}
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            name, value = line.split(":")
            found[name] = int(value.split()[0]) * 1024
    if "MemTotal" in found:
        yield found["MemTotal"], found["MemTotal"] - found.get("MemAvailable", found["MemTotal"] - RESERVED_BYTES)


def _used(folder: Path, version: int) -> int:
    usage = "memory.current" if version == 2 else "memory.usage_in_bytes"
    cached = ("inactive_file", "active_file") if version == 2 else ("total_inactive_file", "total_active_file")
    try:
        used = int((folder / usage).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, used - sum(int(stat.get(name, 0)) for name in cached))
    except (OSError, ValueError):
        return RESERVED_BYTES


def oom_kills(root: Path = ROOT) -> int:
    """Return how often the kernel's out-of-memory killer has struck in this process's cgroup."""
    for folder, version in cgroups(root, "memory"):
        name = "memory.events" if version == 2 else "memory.oom_control"
        with suppress(OSError, ValueError, IndexError):
            for line in (folder / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _limit(folder: Path, version: int) -> int | None:
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    with suppress(OSError, ValueError):
        value = int((folder / name).read_text())
        return value if value < _UNLIMITED else None
    return None


def limit_data(budget: int) -> None:
    """Make an allocation beyond `budget` bytes over what is in use an ordinary error (RLIMIT_DATA).

    Call after the imports. File-mapped weights do not count; the kernel's own killer stands behind it.
    """
    limit_data_to(budget + HEADROOM_BYTES)


def limit_data_to(more: int) -> None:
    """Make an allocation of more than `more` bytes over what is in use now an ordinary error (RLIMIT_DATA)."""
    used = _status_bytes("VmData")
    if not used:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def limit_address_space(more: int) -> None:
    """Make an allocation of more than `more` bytes over what is mapped now an ordinary error (RLIMIT_AS).

    Libraries that the tool still imports have `_IMPORTS_BYTES` beside it.
    """
    _limit_address_space(more + _IMPORTS_BYTES)


@contextmanager
def within_address_space(more: int) -> Iterator[None]:
    """Make an allocation of more than `more` bytes over what is mapped now an ordinary error, in this context.

    Whatever is needed must be imported before.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    _limit_address_space(more)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


def _limit_address_space(more: int) -> None:
    used = _status_bytes("VmSize")
    if not used:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def prefer_killing_me() -> None:
    """Ask the kernel to kill this process first when memory runs out, and not the app."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def reset_peak() -> None:
    """Start a new measurement of `peak_bytes`."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the most resident memory since `reset_peak` (where the kernel lets it be reset), in bytes."""
    return _status_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rss_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def trim() -> None:
    """Collect garbage and hand freed memory back to the system, which glibc else keeps."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _status_bytes(name: str, root: Path = ROOT, process: str = "self") -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc" / process / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0
