"""Which files of pictures tell their making, how they are read, and how many are laid out on a sheet."""

from __future__ import annotations

from models.image import comfy, contact, files
from models.image.webui import parse_parameters
from models.stamps import TEXT_MAX_CHARS, Reader, Recovered, SheetMaker

NOTES = ("txt", "json")  # what programs lay beside a picture, or save of their graph: its settings as text


def is_note(data: bytes) -> bool:
    """Say whether a text holds a picture's settings: webui's pairs, or a graph of ComfyUI."""
    return read_note(data) is not None


def read_note(data: bytes) -> Recovered | None:
    """Return the settings in such a text, None for any other."""
    if data.startswith(b"---") or len(data) > 4 * TEXT_MAX_CHARS:  # a text saved here, or none that holds them alone
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if text.lstrip().startswith("{"):
        return comfy.parse(text, text)
    found = parse_parameters(text) if len(text) <= TEXT_MAX_CHARS else None
    return found if found is not None and "num_inference_steps" in found.params else None


READERS = (
    Reader("picture", files.ENDINGS, files.is_picture, files.read_settings),
    Reader("text of a picture", NOTES, is_note, read_note),
)
SHEETS = SheetMaker("image", contact.seen, contact.save)
