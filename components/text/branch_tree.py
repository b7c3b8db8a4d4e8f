"""Draw texts that branched from one another as a tree to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from components import frontend
from components.text.branches import Node
from models import labels

_component = frontend.component(
    "playground_branches", __file__, html='<nav class="tree" aria-label="Branches of this text"></nav>'
)
SAYS_CHARS = 160


def name(run_id: str, index: int) -> str:
    """Return the name under which a text is chosen."""
    return f"{run_id}:{index}"


def draw(nodes: Sequence[Node], names: Sequence[str], current: str, key: str, on_pick: Callable[[], None]) -> None:
    """Draw the tree, `current` marked, each text under its own of the `names`.

    `on_pick` finds the chosen name with `token_map.chosen(key, "pick")`.
    """
    rows = []
    for node, called in zip(nodes, names, strict=True):
        text, where = node.written.output.text, node.written
        says = labels.shorten(text[node.start :], SAYS_CHARS)
        rows.append({
            "id": name(where.run.id, where.index), "depth": node.depth, "says": f"… {says}" if node.start else says,
            "at": f"from token {where.forced} · {called}" if node.depth else called,
            "current": name(where.run.id, where.index) == current,
        })  # fmt: skip
    _component(key=key, data={"nodes": rows}, on_pick_change=on_pick)
