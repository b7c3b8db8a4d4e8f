"""The out-of-memory killer under a real cgroup cap takes the worker, and the app lives to say so."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

CAP_BYTES = 900_000_000

SCRIPT = """
import json, pathlib, sys
from models.errors import PlaygroundError
from models.types import Request
from models.runtime.worker_client import WorkerEngine
from tests.odd import odd_settings

# a budget above the cap: RLIMIT_DATA does not step in before the kernel does
engine = WorkerEngine(odd_settings(pathlib.Path(sys.argv[1]), memory_bytes=8_000_000_000))
said = {}
try:
    for event in engine.generate(Request(model="text/odd", inputs={"prompt": "allocate"}, params={"megabytes": 3000})):
        if event.kind == "preview":
            said["last"] = event.outputs[0].text
except PlaygroundError as error:
    said["error"] = error.to_dict()
for event in engine.generate(Request(model="text/odd", inputs={"prompt": "next"}, params={"steps": 1})):
    pass
said["next"] = event.outputs[0].text
engine.close()
print(json.dumps(said))
"""


def make_cgroup() -> tuple[Path, str]:
    """Make a capped cgroup (v1 or v2) and return it with its procs file; skips where none can be made."""
    name = f"playground-test-{os.getpid()}"
    one, two = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    with suppress(OSError):
        if (one / "memory.limit_in_bytes").exists():
            group = one / name
            group.mkdir()
            (group / "memory.limit_in_bytes").write_text(str(CAP_BYTES))
            return group, "v1"
        if "memory" in (two / "cgroup.controllers").read_text():
            with suppress(OSError):
                (two / "cgroup.subtree_control").write_text("+memory")
            group = two / name
            group.mkdir()
            (group / "memory.max").write_text(str(CAP_BYTES))
            with suppress(OSError):
                (group / "memory.swap.max").write_text("0")
            return group, "v2"
    pytest.skip("no memory cgroup can be made here (needs root and a writable cgroup file system)")


def test_out_of_memory_under_a_cap_takes_the_worker_alone(tmp_path):
    group, _ = make_cgroup()
    try:
        # the shell moves itself into the cgroup, then becomes the app
        app = subprocess.run(
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group),
             sys.executable, "-c", SCRIPT, str(tmp_path)],
            capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip
        assert app.returncode == 0, app.stderr[-2000:]
        said = json.loads(app.stdout.splitlines()[-1])
        assert said["error"]["details"]["reason"] == "out_of_memory"
        assert "ran out of memory" in said["error"]["message"]
        assert said["last"].startswith("allocate-0-0")
        assert said["next"] == "next-0-0"
    finally:
        with suppress(OSError):
            group.rmdir()
