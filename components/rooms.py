"""Find the rooms: every folder of `Settings.room_dirs` whose `page.py` declares one."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import CatalogError
from models.settings import Settings
from models.types import Request

if TYPE_CHECKING:
    from components.modality import InputType, Modality

_OWN = Path(__file__).resolve().parent


def every() -> Mapping[str, Modality]:
    """Return the rooms by id, in the order of their pages. Raises `CatalogError` for two rooms of one id."""
    return _find(tuple(Path(folder) for folder in Settings().room_dirs))


def room(name: str) -> Modality:
    """Return the room of this id; one that nobody declared has no page and draws what it cannot show as a sentence."""
    found = every().get(name)
    return found if found is not None else _unknown(name)


def of(model: str) -> Modality:
    """Return the room of a model or request by the model's id."""
    return room(model.split("/", 1)[0])


def of_request(request: Request | None) -> Modality | None:
    """Return the room that a request belongs to."""
    return of(request.model) if request is not None else None


def input_type(name: str) -> InputType | None:
    """Return how inputs of a type are drawn, whichever room declares it; None for a type that nobody knows."""
    return next((one.inputs[name] for one in every().values() if name in one.inputs), None)


def _unknown(name: str) -> Modality:
    from components.modality import Modality, RoomPage

    title = name.capitalize() or "?"
    return Modality(name, (RoomPage(Path(), title, ":material/help:", ""),), {})


@cache
def _find(folders: tuple[Path, ...]) -> Mapping[str, Modality]:
    found: dict[str, Modality] = {}
    for folder in folders:
        for file in sorted(folder.glob("*/page.py")):
            declared: Modality = _import(file).ROOM
            if declared.id in found:
                raise CatalogError(f"{file}: the room {declared.id!r} is declared twice. Give one of them another id.")
            found[declared.id] = declared
    return dict(sorted(found.items(), key=lambda item: (item[1].page.order, item[0])))


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
