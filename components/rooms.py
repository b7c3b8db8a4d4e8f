"""Find the rooms: every folder of `Settings.room_dirs` whose `page.py` declares one."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlit import string_util
from streamlit.errors import StreamlitAPIException
from streamlit.source_util import page_icon_and_name

from components import guard
from models import settings
from models.errors import PlaygroundError
from models.family import is_room_name

if TYPE_CHECKING:
    from components.modality import InputType, Modality, RoomPage, Segment
    from models.catalog import Catalog
    from models.spec import ModelSpec

log = logging.getLogger(__name__)
_OWN = Path(__file__).resolve().parent
BUILT_IN = ("text", "file")  # types of input that no room can declare
_OWN_PAGES = {
    "start": "the Home page",
    "runs": "the Runs page",
    "models": "the Models page",
    "shared": "the page of what is shared",
}  # by address
_AGAIN = "then restart the app."


def every() -> Mapping[str, Modality]:
    """Return the rooms by id, in the order of their pages; one that cannot be used is left out, see `problems`.

    They are found once, when the app starts, and guarded: no function of theirs takes a page away (`components.guard`).
    """
    return _find(settings.current().room_dirs).rooms


def problems() -> tuple[str, ...]:
    """Return a sentence for each room that was left out, and for what two rooms declare."""
    return tuple(_find(settings.current().room_dirs).problems)


def folder(name: str) -> Path | None:
    """Return the folder of the room of this id, None for one that nobody declared."""
    return _find(settings.current().room_dirs).folders.get(name)


def room(name: str) -> Modality:
    """Return the room of this id; one that nobody declared has no page and draws what it cannot show as a sentence."""
    found = every().get(name)
    return found if found is not None else _unknown(name)


def of(model: str) -> Modality:
    """Return the room of a model or request by the model's id."""
    return room(model.split("/", 1)[0])


def page_of(catalog: Catalog, model: str) -> RoomPage:
    """Return the page on which a model runs, by its id; of one that the catalogue has no longer, its room's first.

    All that goes to a model goes by this: its page's list, links, inputs taken over, results, examples.
    """
    return of(model).page_for(catalog[model].family if model in catalog else "")


def models_on(catalog: Catalog, page: RoomPage, segment: Segment | None = None) -> list[ModelSpec]:
    """Return the models that run on a page, or those of one segment of it, in the catalogue's order."""
    rooms = {room.id: room for room in every().values() if page in room.pages}
    return [
        spec for spec in catalog.values()
        if spec.modality in rooms and rooms[spec.modality].page_for(spec.family) == page
        and (segment is None or page.segment_for(spec) == segment)
    ]  # fmt: skip


def page(name: str, script: str = "") -> RoomPage:
    """Return the page of a room whose script has this name, without its ending; without one, the first.

    Raises `PlaygroundError`, which says what pages there are.
    """
    found = room(name).pages
    for one in found:
        if script in ("", one.id):
            return one
    raise PlaygroundError(
        f"The room {name} declares no page with the script {script}.py, only "
        f"{', '.join(f'{one.id}.py' for one in found)}. Add a RoomPage for it to its page.py, {_AGAIN}"
    )


def input_type(name: str, room: str) -> InputType | None:
    """Return how inputs of a type are drawn on the page of `room`: as that room declares it, else another one.

    None for a type that nobody knows.
    """
    found = every()
    own = [found[room]] if room in found else []
    return next((one.inputs[name] for one in (*own, *found.values()) if name in one.inputs), None)


def _unknown(name: str) -> Modality:
    from components.modality import Modality, RoomPage

    title = name.replace("_", " ").capitalize() or "?"
    return Modality(
        name if is_room_name(name) else "unknown",
        (RoomPage(Path(), title, ":material/help:", ""),),
        {},
    )


@dataclass
class _Found:
    """Hold the rooms by id with their folders, the addresses of their pages, and a sentence for each that is wrong."""

    rooms: dict[str, Modality] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class _Wrong(Exception):
    """Say what is wrong with a room, to follow "was left out: "."""


@cache
def _find(folders: tuple[Path, ...]) -> _Found:
    found = _Found()
    taken = dict(_OWN_PAGES)  # who has an address
    for folder in folders:
        for file in sorted(folder.glob("*/page.py")):
            try:
                declared = _declared(file)
                if declared.id in found.rooms:
                    raise _Wrong(f"the id {declared.id!r} is taken. Give it another id, {_AGAIN}")
                addresses = _addresses(declared, taken)
            except _Wrong as error:
                log.warning("the room %s was left out: %s", file, error)
                found.problems.append(f"The room in {file.parent.name} was left out: {error}")
                continue
            taken.update(dict.fromkeys(addresses, f"the room in {file.parent.name}"))
            found.rooms[declared.id] = guard.guarded(declared)
            found.folders[declared.id] = file.resolve().parent
    found.rooms = dict(sorted(found.rooms.items(), key=lambda item: (item[1].page.order, item[0])))
    found.problems += _doubled(found.rooms)
    return found


def _declared(file: Path) -> Modality:
    """Return what a room's file declares. Raises `_Wrong`."""
    try:
        declared: Any = _import(file).ROOM
    except (Exception, SystemExit) as error:  # whatever a file from elsewhere does: the other rooms stay
        log.exception("the room %s cannot be read", file)
        if isinstance(error, TypeError):  # a declaration that refuses what it was given says why
            raise _Wrong(f"{error} Mend its page.py, {_AGAIN}") from error
        raise _Wrong(f"{type(error).__name__} in its page.py. The log has the details; mend it, {_AGAIN}") from error
    if type(declared).__name__ != "Modality":  # by name: after a hot reload there are two classes of it
        raise _Wrong(f"its ROOM is {type(declared).__name__}; it must be a Modality. Mend its page.py, {_AGAIN}")
    room: Modality = declared
    return room


def _addresses(room: Modality, taken: Mapping[str, str]) -> list[str]:
    """Return the addresses of a room's pages. Raises `_Wrong` for a page that the app cannot have."""
    found: list[str] = []
    for page in room.pages:
        if page.script.suffix != ".py" or not page.script.is_file():
            raise _Wrong(f"the script of its page {page.title!r}, {page.script}, is missing. Add it, {_AGAIN}")
        try:
            icon = string_util.validate_icon_or_emoji(page.icon)
        except StreamlitAPIException:
            icon = ""
        if not icon:
            raise _Wrong(f"the icon {page.icon!r} of its page {page.title!r} is unknown; it must be “:material/name:” "
                         f"or one pictograph. Change it, {_AGAIN}")  # fmt: skip
        address = page_icon_and_name(page.script)[1]
        if owner := ("another page of it" if address in found else taken.get(address)):
            raise _Wrong(f"the address /{address} of its page {page.title!r} is taken by {owner}. Give its script "
                         f"{page.script.name} another name, {_AGAIN}")  # fmt: skip
        found.append(address)
    return found


def _doubled(rooms: Mapping[str, Modality]) -> Iterator[str]:
    """Yield a sentence for each type of input that more than one room declares, or that none can."""
    declared = [(name, room) for room in rooms.values() for name in room.inputs]
    for name in dict.fromkeys(name for name, _ in declared):
        titles = [room.title for one, room in declared if one == name]
        if name in BUILT_IN:
            yield f"The {titles[0]} page declares the type of input {name!r}, which is built in. Give it another name."
        elif len(titles) > 1:
            yield (f"The pages {' and '.join(titles)} declare the type of input {name!r}: each uses its own, every "
                   f"other page that of {titles[0]}. Give one of them another name.")  # fmt: skip


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
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # a half of a module serves nobody
        raise
    return module
