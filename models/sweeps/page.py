"""A sweep as one page that opens from disk: its grid with texts, pictures and sounds inside, and no other file."""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.sweeps import measured
from models.sweeps.cells import Cell, Plan, label, words
from models.sweeps.results import Results, of, state
from models.sweeps.spec import INPUT, MODEL, SEED
from models.types import Output

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.sweeps.measured import Told

SMALL_PX = 256  # pictures up to this size show their pixels
_KINDS = {"image": "picture", "audio": "sound"}
_NOTES = {
    "waiting": "Not made.", "stopped": "Stopped before it was finished.", "same": "The same as another cell.",
    "computed": "", "cached": "",
}  # fmt: skip


def to_html(
    catalog: Catalog, plan: Plan, results: Results, *, title: str = "", effects: Sequence[Told] = ()
) -> str:  # fmt: skip
    """Return a sweep's page. The outputs of the runs in `results` hold their bytes; `effects` stand below the grid.

    The first axis makes its rows, the second the columns, the third tabs, the fourth a slider.
    """
    import jinja2

    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        Path(__file__).with_name("page.html.j2").read_text("utf-8")
    )
    axes = [[words(catalog, plan.sweep, axis.name, value) for value in axis.values] for axis in plan.sweep.axes]
    labels = [label(catalog, plan.sweep, axis.name) for axis in plan.sweep.axes]
    rows, columns, tabs, strip = [*axes, *[[""]] * (4 - len(axes))]
    panels = [
        [[[_cell(catalog, plan, results, place) for place in _places(plan, row, column, tab, len(strip))]
          for column in range(len(columns))] for row in range(len(rows))]
        for tab in range(len(tabs))
    ]  # fmt: skip
    request = plan.sweep.request
    name = catalog[request.model].name
    varied = {axis.name for axis in plan.sweep.axes}
    prompts = [
        f"“{text}”" for key, text in request.inputs.items()
        if text and not text.startswith("sha256:") and f"{INPUT}{key}" not in varied
    ]  # fmt: skip
    same = [
        *([name] if MODEL not in varied else []),
        *prompts,
        *([f"seed {request.seed}"] if SEED not in varied else []),
    ]
    made = sum(of(results, cell).run is not None for cell in plan.cells)
    return template.render(
        title=title or f"{name}: {' × '.join(labels)}",
        told=" · ".join([*same, f"{made} of {len(plan.cells)} cells"]),
        said=plan.said, rows=rows, columns=columns, panels=panels, spec=plan.sweep.to_json(),
        tabs=_axis(labels, tabs, 2), strip=_axis(labels, strip, 3), strip_words=strip, effects=effects,
        rule=measured.rule([one.effect for one in effects]),
        nonce=secrets.token_urlsafe(16),
    )  # fmt: skip


def _axis(labels: Sequence[str], values: list[str], at: int) -> dict[str, Any] | None:
    return {"label": labels[at], "values": values} if at < len(labels) else None


def _places(plan: Plan, row: int, column: int, tab: int, strip: int) -> list[Cell]:
    whole = itertools.product((row,), (column,), (tab,), range(strip))
    return [plan.at(place[: len(plan.sweep.axes)]) for place in whole]


def _cell(catalog: Catalog, plan: Plan, results: Results, cell: Cell) -> dict[str, Any]:
    result = of(results, cell)
    axes = zip(plan.sweep.axes, cell.place, strict=True)
    title = ", ".join(words(catalog, plan.sweep, axis.name, axis.values[at]) for axis, at in axes)
    note = result.error or _NOTES.get(state(results, cell), "")
    return {"title": title, "note": note, "outputs": [_output(one) for one in result.outputs]}


def _output(output: Output) -> dict[str, Any]:
    kind = _KINDS.get(output.media_type.split("/", 1)[0], "")
    if not kind or not output.data:
        text = output.text[int(output.meta.get("prompt_chars", 0)) :]
        return {"kind": "text", "text": text.strip() or output.text}
    url = f"data:{output.media_type};base64,{base64.b64encode(output.data).decode()}"
    side = max(int(output.meta.get("width", 0)), int(output.meta.get("height", 0)))
    return {"kind": kind, "url": url, "smooth": side > SMALL_PX}
