"""Which files of pictures tell their making, and how they are read."""

from __future__ import annotations

from models.image import files
from models.stamps import Reader

READERS = (Reader("picture", files.ENDINGS, files.is_picture, files.read_settings),)
