"""Which files of sounds tell their making, and how they are read."""

from __future__ import annotations

from models.audio import sounds, tags
from models.stamps import Reader

READERS = (Reader("sound", tags.ENDINGS, tags.is_sound, sounds.read_settings),)
