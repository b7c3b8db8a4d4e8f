"""Where this process's cgroups lie (v1 and v2): the limits of memory and CPU time are read there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MOUNT = Path("sys/fs/cgroup")


def cgroups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Yield this process's cgroups of a controller ("memory", "cpu") with their version, from its own to the mount's.

    `root` is the folder in which /proc and /sys lie, so that tests can show another machine.
    """
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "" and not (root / _MOUNT / controller).exists():
                mount, version = root / _MOUNT, 2
            elif controller in controllers.split(","):
                mount, version = root / _MOUNT / controller, 1
            else:
                continue
            folder = mount / path.lstrip("/")
            while True:
                # in a container the path may name the host's cgroup, while the mount shows only ours
                if folder.is_dir():
                    yield folder, version
                if folder == mount or mount not in folder.parents:
                    break
                folder = folder.parent
