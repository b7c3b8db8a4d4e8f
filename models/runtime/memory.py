"""How much memory there is, how much this process uses, and how it is given back.

Limits come from the cgroup (v1 or v2), not from the host's total: in a container the host has more than we may use.
Readers take `root`, the folder in which /proc and /sys lie, so that tests can show them another machine.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from contextlib import suppress
from pathlib import Path

from models.cgroups import cgroups
from models.settings import Settings

ROOT = Path("/")
_UNLIMITED = 2**60  # v1 writes "no limit" as a huge number
# what the two processes need before any model is loaded: the pages 150 MB, torch and transformers 350 MB
RESERVED_BYTES = 500_000_000
# activations, tokenizers and thread stacks beside the models' own bytes
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


def budget_bytes(settings: Settings, root: Path = ROOT) -> int:
    """Return the bytes that loaded models may take together: 80% of the limit, less what the processes need."""
    if settings.memory_bytes:
        return settings.memory_bytes
    limit = limit_bytes(root)
    return max(limit * 8 // 10 - RESERVED_BYTES, limit // 5)


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
    used = _status_bytes("VmData")
    if not used:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + budget + HEADROOM_BYTES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def limit_address_space(more: int) -> None:
    """Make an allocation of more than `more` bytes over what is mapped now an ordinary error (RLIMIT_AS).

    Libraries that the tool still imports have `_IMPORTS_BYTES` beside it.
    """
    used = _status_bytes("VmSize")
    if not used:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + more + _IMPORTS_BYTES
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


def _status_bytes(name: str) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0
