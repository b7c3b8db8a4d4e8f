"""Go through the pictures of a strip, one beside another's, by a slider or as a film."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend
from components.widgets import picture_parts

_component = frontend.component("playground_frame_player", __file__, shared=(picture_parts,))


def draw(
    sheet_png: bytes,
    count: int,
    tile: tuple[int, int],
    key: str,
    *,
    captions: Sequence[str],
    second_sheet_png: bytes | None = None,
    titles: tuple[str, str] = ("", ""),
    marker: int | None = None,
    marker_label: str = "",
) -> None:
    """Draw one of the `count` tiles of a strip, and the same of a second strip, under a slider.

    `marker` is a tile to point out on the slider, `marker_label` what is to be said of it.
    """
    sheets = [sheet_png] if second_sheet_png is None else [sheet_png, second_sheet_png]
    data = {
        "urls": [picture_parts.png_url(sheet) for sheet in sheets],
        "count": count,
        "tile": list(tile),
        "captions": list(captions),
        "titles": list(titles),
        "marker": marker if marker is not None and 0 <= marker < count else None,
        "marker_label": marker_label,
    }
    _component(key=key, data=data)
