"""The one reader of what a file says of its making, for every kind of file, ours and other programs'.

It knows no modality: a module `saved.py` beside a folder of families (`Settings.family_dirs`) lists, as `READERS`, the
files of its room and how they are read. They are asked in turn, in the order of the folders. As `SHEETS` it may say how
its results are laid out on a sheet.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.errors import BadInput, PlaygroundError
from models.family import import_file
from models.settings import Settings
from models.stamps import Reader, Recovered, SheetMaker

log = logging.getLogger(__name__)
MODULE = "saved.py"
NEEDS = ("tinytag", "PIL")  # of our own readers: see `models.runtime.decode_process`


def readers(settings: Settings) -> tuple[Reader, ...]:
    """Return every reader of the rooms; a module that cannot be read is left out, and told in the log."""
    return tuple(reader for module in _modules(settings) for reader in getattr(module, "READERS", ()))


def sheet_maker(settings: Settings, kind: str) -> SheetMaker | None:
    """Return how a room lays outputs of a kind out on a sheet, None where none does."""
    made = (getattr(module, "SHEETS", None) for module in _modules(settings))
    return next((one for one in made if one is not None and one.kind == kind), None)


def _modules(settings: Settings) -> list[Any]:
    found = []
    for folder in settings.family_folders():
        file = folder.parent / MODULE
        if not file.is_file():
            continue
        try:
            found.append(import_file(file))
        except Exception:  # whatever a file from elsewhere does: the other rooms stay
            log.exception("%s cannot be read", file)
    return found


def read_settings(data: bytes, settings: Settings) -> tuple[str, Recovered | None]:
    """Return the word for a kind of file, and what this one says of its making; None where it says nothing.

    Looks at the bytes, not at a file name. Every reader that knows the file is asked until one finds settings. Raises
    `BadInput` for an empty file, for one of no known kind, and what the first reader that refused it raised.
    """
    if not data:
        raise BadInput("The file is empty (0 bytes). Upload a file that was saved as a result.")
    every = readers(settings)
    silent, refused = "", list[PlaygroundError]()
    for reader in every:
        if not _knows(reader, data):
            continue
        # a text is also a drawing or subtitles: what one reader finds nothing in, or refuses, the next may know
        try:
            found = reader.read(data)
        except PlaygroundError as error:
            refused.append(error)
            continue
        except Exception as error:  # whatever a reader from elsewhere does: a sentence
            log.info("the reader of a %s failed", reader.name, exc_info=True)  # a shell shows the sentence alone
            failed = BadInput(
                f"This {reader.name} cannot be read: its reader failed ({type(error).__name__}). Upload another file, "
                "or mend the reader."
            )
            failed.__cause__ = error
            refused.append(failed)
            continue
        if found is not None:
            return reader.name, found
        silent = silent or reader.name
    if refused:
        raise refused[0]
    if silent:
        return silent, None
    kinds = "; ".join(f"a {reader.name} ({', '.join(reader.endings)})" for reader in every)
    raise BadInput(f"This file is of no kind that settings are read from, whatever its name says. Upload {kinds}.")


def read_plain(folder: Path, data: bytes, settings: dict[str, Any]) -> list[Any]:
    """Return what `read_settings` does as plain JSON, for `from_plain`: a page reads files in a process of its own.

    `settings` is a `Settings` as plain JSON; nothing is left in `folder`. Raises as `read_settings`.
    """
    name, found = read_settings(data, Settings.model_validate(settings))
    return [name, asdict(found) if found is not None else None]


def from_plain(answer: Any) -> tuple[str, Recovered | None]:
    """Return what `read_settings` did from what `read_plain` made of it."""
    name, found = answer
    return str(name), Recovered(**found) if found is not None else None


def _knows(reader: Reader, data: bytes) -> bool:
    try:
        return reader.knows(data)
    except Exception:  # the other readers are asked
        log.info("the reader of a %s failed", reader.name, exc_info=True)
        return False
