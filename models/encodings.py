"""The text in a file from anywhere: its encoding found, or a sentence."""

from __future__ import annotations

from models.errors import BadInput

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_USUAL = "cp1252"
_NEAR = 0.02  # between two guesses that are as good
_SAMPLE = 64_000  # bytes from which an encoding is told


def decode(data: bytes, name: str = "file") -> tuple[str, str]:
    """Return a file's text, without a byte order mark, and its encoding. Raises `BadInput` for what is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return _whole(data.decode(encoding), name), encoding.removesuffix("-sig")
            except UnicodeDecodeError as error:
                raise _unreadable(name) from error
    try:
        return _whole(data.decode("utf-8"), name), "utf-8"
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    found = from_bytes(data[:_SAMPLE])
    best = found.best()
    try:
        if best is None:
            raise _unreadable(name)
        alike = (one for one in found if one.chaos <= best.chaos + _NEAR and one.coherence >= best.coherence - _NEAR)
        # several fit a text of few accents; of those the commonest by far
        usual = any(_USUAL in (one.encoding, *one.could_be_from_charset) for one in alike)
        encoding = _USUAL if usual else str(best.encoding)
        return _whole(data.decode(encoding), name), encoding
    except (UnicodeDecodeError, LookupError) as error:
        raise _unreadable(name) from error


def _whole(text: str, name: str) -> str:
    if "\0" in text:
        raise BadInput(f"The {name} has null bytes, so it is not text. Save it as text, UTF-8, and upload that.")
    return text


def _unreadable(name: str) -> BadInput:
    return BadInput(
        f"The encoding of the {name} is unknown: it is neither UTF-8 nor one that could be guessed. Save it as UTF-8."
    )
