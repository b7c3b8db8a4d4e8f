"""Find the rooms: every folder of `Settings.room_dirs` whose `page.py` declares one."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.settings import Settings

if TYPE_CHECKING:
    from components.modality import InputType, Modality

log = logging.getLogger(__name__)
_OWN = Path(__file__).resolve().parent


def every() -> Mapping[str, Modality]:
    """Return the rooms by id, in the order of their pages; one that cannot be read is left out, see `problems`."""
    return _find(Settings().room_dirs)[0]


def problems() -> tuple[str, ...]:
    """Return a sentence for each room that was left out."""
    return _find(Settings().room_dirs)[1]


def room(name: str) -> Modality:
    """Return the room of this id; one that nobody declared has no page and draws what it cannot show as a sentence."""
    found = every().get(name)
    return found if found is not None else _unknown(name)


def of(model: str) -> Modality:
    """Return the room of a model or request by the model's id."""
    return room(model.split("/", 1)[0])


def input_type(name: str) -> InputType | None:
    """Return how inputs of a type are drawn, whichever room declares it; None for a type that nobody knows."""
    return next((one.inputs[name] for one in every().values() if name in one.inputs), None)


def _unknown(name: str) -> Modality:
    from components.modality import Modality, RoomPage

    title = name.capitalize() or "?"
    return Modality(name, (RoomPage(Path(), title, ":material/help:", ""),), {})


@cache
def _find(folders: tuple[Path, ...]) -> tuple[Mapping[str, Modality], tuple[str, ...]]:
    found: dict[str, Modality] = {}
    told = []
    for folder in folders:
        for file in sorted(folder.glob("*/page.py")):
            try:
                declared: Modality = _import(file).ROOM
            except Exception as error:  # whatever a file from elsewhere does: the other rooms stay
                log.exception("the room %s cannot be read", file)
                told.append(f"The room {file.parent.name} was left out: {type(error).__name__} in its page.py. The log "
                            "has the details.")  # fmt: skip
                continue
            if declared.id in found:
                told.append(f"The room in {file.parent.name} was left out: the id {declared.id!r} is taken. Give it "
                            "another id.")  # fmt: skip
                continue
            found[declared.id] = declared
    return dict(sorted(found.items(), key=lambda item: (item[1].page.order, item[0]))), tuple(told)


def _import(file: Path) -> Any:
    """Import a room: one of ours as `components.NAME.page`, one from elsewhere as a package of its folder's name."""
    folder = file.resolve().parent
    if folder.parent == _OWN:
        return importlib.import_module(f"components.{folder.name}.page")
    name = f"_playground_room_{folder.name}_{abs(hash(folder)):x}"
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
