"""A sweep as a grid: values on its headers, results in its cells; only what is in view is sent to the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components import frontend, state, sweep_cell
from components.modality import Tile
from components.sweep_cell import url_of

_component = frontend.component("playground_sweep_grid", __file__, shared=(sweep_cell,))
ASK_MOST = 400  # cells at a time
CODES = {"waiting": ".", "running": "r", "computed": "c", "cached": "k", "same": "s", "failed": "f", "stopped": "x"}


@dataclass(frozen=True)
class Wanted:
    """Hold what the browser lacks of what is in view: numbers of cells, and the cell they are compared with (or −1).

    `mount` names the grid that asks, `ask` counts how often it did.
    """

    mount: str = ""
    ask: int = 0
    cells: tuple[int, ...] = ()
    pin: int = -1


@dataclass(frozen=True)
class Sent:
    """Hold a tile for the grid that asked: `look` is the cell it is compared with (or −1)."""

    mount: str
    look: int
    cell: int
    tile: Tile


def draw(
    key: str, *, name: str, axes: Sequence[tuple[str, Sequence[str]]], states: Sequence[str], same: Sequence[int],
    sent: Sequence[Sent], chosen: int | None, live: bool, heat: Sequence[float | None] | None = None,
    measure: str = "", marks: Sequence[str] | None = None,
    on_want: Callable[[], None], on_pick: Callable[[], None],
) -> None:  # fmt: skip
    """Draw the grid of a sweep `name`d so that what the reader set is found again.

    `axes` are labels with their values' words; `states` and `same` (the cell whose result it shows) are by cell, the
    last axis turning fastest; `live`: those that wait will be made. `heat` colours cells, 0 … 1, by a
    `measure` whose value is written into them: `marks`, "" for none. The callbacks find what was asked for with
    `wanted` and `picked`.
    """
    data = {
        "id": name, "axes": [{"label": label, "values": list(values)} for label, values in axes],
        "states": "".join(CODES[one] for one in states), "same": list(same), "tiles": [_plain(one) for one in sent],
        "chosen": -1 if chosen is None else chosen, "live": live,
        "heat": list(heat) if heat is not None else None, "measure": measure,
        "marks": list(marks) if marks is not None else None,
    }  # fmt: skip
    _component(key=key, data=data, on_want_change=on_want, on_pick_change=on_pick)


def wanted(key: str) -> Wanted:
    """Return what the grid under `key` asks for; what a browser made up counts as nothing."""
    found = getattr(state.at(key).get(), "want", None)
    if not isinstance(found, dict):
        return Wanted()
    mount, cells = found.get("mount"), found.get("cells")
    if not isinstance(mount, str) or len(mount) > 40 or not isinstance(cells, list):
        return Wanted()
    return Wanted(mount, _whole(found.get("ask"), 0), tuple(_whole(one, -1) for one in cells[:ASK_MOST]),
                  _whole(found.get("pin"), -1))  # fmt: skip


def picked(key: str) -> int | None:
    """Return the cell that was just pressed, None for none."""
    found = _whole(getattr(state.at(key).get(), "pick", None), -1)
    return found if found >= 0 else None


def _whole(given: Any, other: int) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 1e9 else other


def _plain(sent: Sent) -> dict[str, Any]:
    tile = sent.tile
    return {
        "mount": sent.mount, "look": str(sent.look), "cell": sent.cell, "v": tile.version, "kind": tile.kind,
        "text": tile.text, "parts": [list(part) for part in tile.parts], "note": tile.note, "small": tile.small,
        "url": url_of(tile.media_type, tile.data), "cover": url_of("image/png", tile.cover),
    }  # fmt: skip
