"""The comments that a sound's file carries, under whatever name its kind of file, or a program, keeps them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

ENDINGS = ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aif", "aiff")
# ISO/IEC 23008-12: pictures in the container that MP4 has too
_PICTURES = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
READS_MAX = 20_000  # of a file's tags; a file made by a program has some hundreds at most
READ_MAX_BYTES = 2_000_000  # of one piece: a list of comments, never a picture
log = logging.getLogger(__name__)


class _Bounded(io.BytesIO):
    """Read a file of which no more than so many pieces are looked at: it may hold millions of empty ones."""

    left = READS_MAX

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"more than {READS_MAX:,} pieces")
        if size is None or size < 0 or size > READ_MAX_BYTES:
            end = self.tell() + size if size is not None and size >= 0 else len(self.getbuffer())
            found = super().read(READ_MAX_BYTES)
            self.seek(max(self.tell(), end))  # what follows is read where it is
            return found
        return super().read(size)


def is_sound(data: bytes) -> bool:
    """Say whether a file's first bytes are those of a kind of sound, or clip, whose tags are read here."""
    if data[:4] in (b"RIFF", b"FORM"):
        return data[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    if data[4:8] == b"ftyp":
        return data[8:12] not in _PICTURES
    if data.startswith((b"fLaC", b"OggS", b"ID3")):
        return True
    # a frame of MPEG audio: eleven bits set, a layer, a bit rate and a sampling rate that exist (ISO 11172-3, 2.4.2.3)
    return len(data) > 3 and data[0] == 0xFF and data[1] >= 0xE0 and bool(data[1] & 6) and (
        data[2] >> 4 != 15 and data[2] & 12 != 12
    )  # fmt: skip


def comments(data: bytes) -> Iterator[str]:
    """Yield the texts of a sound file's tags, comments first; nothing for a file without or of another kind.

    One and the same comment is ICMT in WAV, DESCRIPTION or COMMENT in FLAC and OGG, COMM or TXXX:comment in MP3 and
    ©cmt in M4A, as programs convert one into another.
    """
    from tinytag import TinyTag

    try:
        tag = TinyTag.get(file_obj=_Bounded(data), duration=False)
        rest = [(name, value) for name, values in tag.other.items() for value in values]
    except Exception:  # of a damaged file the library raises many kinds
        log.info("the tags of a sound cannot be read", exc_info=True)
        return
    if tag.comment:
        yield tag.comment
    for _, value in sorted(rest, key=lambda item: "comment" not in item[0]):
        if isinstance(value, str):
            yield value
