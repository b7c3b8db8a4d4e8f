"""The texts that a picture's file carries, wherever they stand, read without decoding a pixel.

PNG chunks before and behind the pixels (W3C PNG, 11.3.3), EXIF in JPEG, WebP, AVIF, HEIC and PNG (Exif 2.32, 4.6.5), a
JPEG's comment.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from PIL import Image, PngImagePlugin

PNG_START = b"\x89PNG\r\n\x1a\n"
USER_COMMENT, DESCRIPTION, MAKE, MODEL, SOFTWARE, XP_COMMENT = 0x9286, 0x010E, 0x010F, 0x0110, 0x0131, 0x9C9C
_EXIF, _BLOCK = 0x8769, 8  # the sub-directory of EXIF; the bytes in which a comment names its coding
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
_CODES = {b"ASCII\0\0\0": ("utf-8", "latin-1"), b"JIS\0\0\0\0\0": ("shift_jis", "utf-8")}
_PLACES = {DESCRIPTION: "exif:ImageDescription", MAKE: "exif:Make", MODEL: "exif:Model", SOFTWARE: "exif:Software",
           XP_COMMENT: "exif:XPComment"}  # fmt: skip
COMMENT = "exif:UserComment"


def png_texts(data: bytes) -> tuple[dict[str, str], Image.Exif]:
    """Return the text chunks of a PNG by key, and its EXIF, whether before or behind the pixels.

    What is damaged, or unpacks to more than Pillow takes for a text, is passed over; so is all behind the place at
    which a file is cut off.
    """
    file = io.BytesIO(data)
    file.seek(len(PNG_START))
    stream = PngImagePlugin.PngStream(file)
    stream.im_n_frames = None
    while True:
        try:
            kind, at, length = stream.read()
        except (struct.error, SyntaxError, ValueError, OSError):
            break
        if kind == b"IEND":
            break
        if kind in _TEXT_CHUNKS:
            with suppress(ValueError, SyntaxError, OSError, EOFError, struct.error):
                stream.call(kind, at, length)
        file.seek(at + length + 4)  # past the checksum
    holder = Image.new("1", (1, 1))
    holder.info = {**stream.im_info}  # an old profile of EXIF stands among the texts, and so in the info
    return {key: str(text) for key, text in stream.im_text.items()}, _exif_of(holder)


def picture_texts(picture: Image.Image) -> tuple[dict[str, str], Image.Exif]:
    """Return the texts and EXIF that another kind of picture had in its header when it was opened."""
    found = {key: value for key, value in picture.info.items() if isinstance(key, str) and isinstance(value, str)}
    comment = picture.info.get("comment")
    if isinstance(comment, bytes):  # of a JPEG
        found["comment"] = _best(comment, ("utf-8", "utf-16-le", "utf-16-be", "latin-1"))
    return found, _exif_of(picture)


def exif_texts(exif: Image.Exif) -> dict[str, str]:
    """Return the texts in EXIF, by place, in whatever coding they were written."""
    return dict(_exif_texts(exif))


def _exif_of(picture: Image.Image) -> Image.Exif:
    try:
        return picture.getexif()
    except Exception:  # damaged EXIF, of which Pillow raises many kinds, is no EXIF
        return Image.Exif()


def _exif_texts(exif: Image.Exif) -> Iterator[tuple[str, str]]:
    try:
        comment = exif.get_ifd(_EXIF).get(USER_COMMENT) or exif.get(USER_COMMENT)
        others = {name: exif.get(tag) for tag, name in _PLACES.items()}
    except Exception:  # see `_exif_of`
        return
    if text := _comment(comment, "utf-16-le" if exif.endian == "<" else "utf-16-be"):
        yield COMMENT, text
    for name, value in others.items():
        kinds = ("utf-16-le", "utf-8") if name.endswith("XPComment") else ("utf-8", "latin-1")
        if text := value.strip("\0 ") if isinstance(value, str) else _best(_bytes(value), kinds):
            yield name, text


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(value)
    return b""


def _comment(value: Any, native: str) -> str:
    """Return a user comment as text: its first 8 bytes name the coding, but programs differ in what then follows."""
    if isinstance(value, str):
        return value.strip("\0")
    raw = _bytes(value)
    code, body = raw[:_BLOCK], raw[_BLOCK:]
    if code in _CODES:
        return _best(body, _CODES[code])
    other = "utf-16-be" if native == "utf-16-le" else "utf-16-le"
    wide = (native, other) if code != b"UNICODE\0" else ("utf-16-be", "utf-16-le")
    if code == b"UNICODE\0" or not code.strip(b"\0"):
        return _best(body, (*wide, "utf-8", "latin-1"))
    return _best(raw, ("utf-8", *wide, "latin-1"))  # no code at all


def _best(raw: bytes, codings: tuple[str, ...]) -> str:
    """Return bytes in the coding in which most reads as text; the first of equals."""
    for mark, coding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if raw.startswith(mark):
            raw, codings = raw[len(mark) :], (coding, *codings)
            break
    best, found = 0.0, ""
    for coding in codings:
        even = len(raw) // 2 * 2 if coding.startswith("utf-16") else len(raw)
        try:
            text = raw[:even].decode(coding).strip("\0")
        except UnicodeDecodeError:
            continue
        if text and (score := _sense(text)) > best:
            best, found = score, text
    return found


def _sense(text: str) -> float:
    """Return how much a decoded text looks like one, 0 … 1: settings are mostly plain letters, digits and spaces."""
    some = text[:4000]
    plain = sum(one in "\n\r\t" or " " <= one <= "~" for one in some)
    foreign = sum(one > "\xa0" and one.isprintable() for one in some)
    return (plain + 0.5 * foreign) / len(some) if "\0" not in some else 0.0
