"""Recordings that a page is given, read in a process of its own (`models.runtime.decoder`)."""

from __future__ import annotations

from pathlib import Path

from models.audio import sounds

NEEDS = ("av", "soundfile")


def check(folder: Path, data: bytes, name: str) -> None:
    """Check an upload and leave what it holds beside it, so that no run decodes it again. Raises `BadInput`."""
    sounds.decode_upload_to(folder / sounds.DECODED, data, name)
