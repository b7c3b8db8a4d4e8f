"""A text as tokens, each coloured by one number; the probabilities at the chosen one, before and after each setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components import frontend, state

_component = frontend.component("playground_token_map", __file__)
# what lies at the pale and at the strong end of the colours, by measure
ENDS = {"probability": ("expected", "surprising"), "entropy": ("sure", "unsure"), "rank": ("rank 1", "low rank"),
        "kl": ("same", "different")}  # fmt: skip


def draw(
    pieces: Sequence[str], heat: Sequence[float], told: Sequence[str], key: str, *, run: str, measure: str,
    given: str = "", stage: Sequence[int] = (), stages: Sequence[str] = (), forced: int = 0,
    at: Mapping[str, Any] | None = None, branch: str = "",
    on_pick: Callable[[], None] = lambda: None, on_branch: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Draw a text's tokens coloured by `heat` (0 pale … 1 strong), with `told` as each one's words.

    `stage` is −1 or which of `stages` forbids the token; `forced` counts the first tokens that were given. `at` is the
    chosen position's probabilities: `at`, `facts`, `drawn`, `stages`, `tokens` (`id`, `text`, `p` before and after each
    stage, `ends`). `branch` explains branching, "" for a text that has none. The callbacks find what was chosen with
    `chosen`.
    """
    data = {
        "run": run, "pieces": list(pieces), "heat": list(heat), "told": list(told), "given": given,
        "stage": list(stage) or [-1] * len(pieces), "stages": list(stages), "forced": forced,
        "at": [dict(at)] if at else [], "ends": ENDS[measure], "branch": branch,
    }  # fmt: skip
    _component(key=key, data=data, on_pick_change=on_pick, on_branch_change=on_branch)


def chosen(key: str, what: str) -> Any:
    """Return what was just chosen in the map under `key`, in a callback: `what` is "pick" or "branch"."""
    return getattr(state.at(key).get(), what, None)
