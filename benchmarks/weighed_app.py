"""Streamlit with every import weighed: `python -m benchmarks.weighed_app run Home.py …`; see `page_memory`.

At SIGUSR1 it writes what it found as JSON to the file that the environment variable `BENCHMARK_WEIGHTS` names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from importlib import machinery
from pathlib import Path
from typing import Any

FILE = "BENCHMARK_WEIGHTS"


def rss_bytes() -> int:
    """Return this process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Weigher:
    """Note how much RSS grew while each module was loaded: [with its imports, alone], in bytes."""

    def __init__(self) -> None:
        self.grown: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._inner = threading.local()
        self._wrap(machinery.SourceFileLoader, "exec_module", lambda module: module.__name__)
        self._wrap(machinery.ExtensionFileLoader, "create_module", lambda spec: spec.name)
        self._wrap(machinery.ExtensionFileLoader, "exec_module", lambda module: module.__name__)

    def _wrap(self, loader: Any, method: str, name_of: Callable[[Any], str]) -> None:
        load = getattr(loader, method)

        def weighed(this: Any, given: Any) -> Any:
            stack: list[int] = self._inner.__dict__.setdefault("stack", [])
            before = rss_bytes()
            stack.append(0)
            try:
                return load(this, given)
            finally:
                whole, inner = rss_bytes() - before, stack.pop()
                found = self.grown[name_of(given)]
                found[0] += whole
                found[1] += whole - inner
                if stack:
                    stack[-1] += whole

        setattr(loader, method, weighed)


def main() -> None:
    """Be Streamlit."""
    file, weigher = Path(os.environ[FILE]), Weigher()

    def write(*_: object) -> None:
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps({"modules": sorted(sys.modules), "grown": dict(weigher.grown)}))
        temporary.rename(file)

    signal.signal(signal.SIGUSR1, write)
    from streamlit.web import cli

    cli.main()


if __name__ == "__main__":
    main()
