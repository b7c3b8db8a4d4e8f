"""Draw pictures, finished or on their way, in one place and size, so that nothing jumps when the result comes."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend
from components.widgets import picture_parts
from models.types import Output

_component = frontend.component("playground_pictures", __file__, shared=(picture_parts,))


def draw(
    outputs: Sequence[Output], key: str, *, run: str, live: bool = False, alt: str = "",
    size: tuple[int, int] | None = None, count: int = 0, titles: Sequence[str] = (),
) -> None:  # fmt: skip
    """Draw pictures side by side, under `titles` if given, else numbered where there are several.

    `size` (width, height) is that of the finished picture, which a preview takes at once; with it, pictures that are
    still to come up to `count` have their empty place. `alt` says in words what was asked for. `run` names the job: the
    tab's title says so when it ends while nobody looks.
    """
    shown = [output for output in outputs if output.kind == "image" and output.data]
    many = max(len(shown), count if size else 0)
    pictures = []
    for place in range(many):
        output = shown[place] if place < len(shown) else Output("image", place)
        width, height = size or (int(output.meta.get("width", 64)), int(output.meta.get("height", 64)))
        label = titles[place] if place < len(titles) else f"{output.index + 1}" if many > 1 else ""
        pictures.append({"url": picture_parts.png_url(output.data) if output.data else "", "width": width,
                         "height": height, "label": label, "alt": alt or "The image"})  # fmt: skip
    _component(key=key, data={"pictures": pictures, "done": not live, "run": run})
