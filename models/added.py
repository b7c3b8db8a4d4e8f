"""Models that an owner added from the disk: an entry each, as the catalogue's own, in a folder of that owner's.

The app writes these files and takes them away again; nobody else sees them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from models.blobs import file_errors
from models.settings import Settings

FOLDER = "models"  # of the data folder


def place_of(owner: str) -> str:
    """Return the name of an owner's folder, which does not tell who that is."""
    return hashlib.sha256(owner.encode()).hexdigest()[:16]


def folder(settings: Settings, owner: str) -> Path:
    """Return the folder of an owner's entries; it may not be there."""
    return settings.data_dir / FOLDER / place_of(owner)


def files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield each entry of every owner, with the name of the owner's folder, in order."""
    for path in sorted((settings.data_dir / FOLDER).glob("*/*.toml")):
        yield path.parent.name, path


def write(settings: Settings, owner: str, short_id: str, entry: Mapping[str, Any]) -> Path:
    """Write an entry, whole or not at all; return its file."""
    file = folder(settings, owner) / f"{short_id}.toml"
    with file_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(".half")
        half.write_text(tomlkit.dumps(entry), "utf-8")
        os.replace(half, file)
    return file


def remove(settings: Settings, file: Path) -> None:
    """Take an entry away; a file that lies elsewhere stays."""
    if file.parent.parent == settings.data_dir / FOLDER:
        with file_errors(file):
            file.unlink(missing_ok=True)
