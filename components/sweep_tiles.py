"""What a sweep's grid shows of a result: as its room makes it, else its words; what differs from a reference."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from components import labelled, rooms
from components.modality import Tile
from models import labels
from models.errors import PlaygroundError
from models.types import Output, Run

log = logging.getLogger(__name__)
Read = Callable[[Output], bytes]
Part = tuple[Literal["=", "+", "-"], str]
TEXT_CHARS = 400  # of a cell; the whole text is one press away
UNTOLD_CHARS = 1500  # of a cell in a quiz, where it is all there is
_WORDS = re.compile(r"\S+\s*|\s+")


def tile(run: Run, read: Read, reference: Run | None = None) -> Tile:
    """Return what a cell shows of a run's first result, beside that of a `reference` what differs."""
    output = labelled.first(run)
    if run.error or output is None:
        return Tile("text", note=(run.error or {}).get("message", "Stopped before there was anything."), version=run.id)
    room = rooms.of(run.request.model)
    against = labelled.first(reference) if reference is not None and reference.id != run.id else None
    version = f"{run.id}/{reference.id}" if reference is not None and against is not None else run.id
    try:
        if against is not None and against.kind == output.kind:
            differ = room.differences.get(output.kind)
            made = differ(against, output, read) if differ is not None else difference(against, output)
        else:
            cell = room.cells.get(output.kind)
            made = cell(output, read) if cell is not None else words(output)
    except PlaygroundError as error:  # its file was cleared from the store
        made = Tile("text", note=error.message)
    except Exception as error:  # a fault of a room's takes away its own cell alone
        log.exception("a cell of %s could not be drawn", run.request.model)
        made = Tile("text", note=f"This cell could not be drawn ({type(error).__name__}). The log has the details.")
    note = made.note or ("Stopped before it was finished." if run.status == "stopped" else "")
    return replace(made, version=version, note=note)


def untold(run: Run, read: Read) -> Tile:
    """Return what is seen or heard of a run's first result, without any word that tells how it was made."""
    output = labelled.first(run)
    made = tile(run, read)
    if output is None or run.error or (made.kind == "text" and made.note and not made.text):  # why there is nothing
        return replace(made, version="")
    made = replace(made, text="", note="", parts=(), version="")
    if made.kind != "text":
        return made
    # the prompt may be what is asked for: a text without words of its own shows none
    text = output.text[int(output.meta.get("prompt_chars", 0)) :].strip()
    return replace(made, text=labels.shorten(text, UNTOLD_CHARS) if len(text) > UNTOLD_CHARS else text,
                   note="" if text else "No words.")  # fmt: skip


def words(output: Output) -> Tile:
    """Return an output's own words, shortened."""
    text = output.text[int(output.meta.get("prompt_chars", 0)) :].strip() or output.text.strip()
    return Tile("text", text=text if len(text) <= TEXT_CHARS else labels.shorten(text, TEXT_CHARS))


def difference(reference: Output, output: Output) -> Tile:
    """Return the words of an output, with those that the reference has in their place."""
    before, after = (_WORDS.findall(words(one).text) for one in (reference, output))
    parts: list[Part] = []
    for how, a0, a1, b0, b1 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if how == "equal":
            parts.append(("=", "".join(after[b0:b1])))
            continue
        if a1 > a0:
            parts.append(("-", "".join(before[a0:a1])))
        if b1 > b0:
            parts.append(("+", "".join(after[b0:b1])))
    alike = sum(len(text) for how, text in parts if how == "=")
    note = "The same words." if all(how == "=" for how, _ in parts) else ""
    return Tile("text", text=note or f"{alike} letters alike", parts=tuple(parts), note=note)
