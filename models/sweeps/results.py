"""What came of a sweep's cells, and the table of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.sweeps.cells import Cell, Plan
from models.types import ASIDE, Output, Run

State = Literal["computed", "cached", "same", "failed", "stopped", "waiting"]
Results = Mapping[int, "Result"]
AFTER = ("state", "output_sha256", "seconds", "file", "error")  # the columns behind axes and measures


@dataclass(frozen=True)
class Result:
    """Hold what came of a cell: its run, or why there is none.

    `cached`: the run was there before. `file` names the file that holds its first output, where one was written.
    """

    cell: Cell
    run: Run | None = None
    cached: bool = False
    file: str = ""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs that are results."""
        return tuple(one for one in self.run.outputs if one.kind not in ASIDE) if self.run is not None else ()

    @property
    def error(self) -> str:
        """Return why the cell failed, "" where it did not."""
        return str((self.run.error or {}).get("message", "")) if self.run is not None else ""

    @property
    def state(self) -> State:
        """Return what became of the cell; a cell that is alike to another one is asked through `of`."""
        if self.run is None:
            return "waiting"
        if self.error:
            return "failed"
        if self.run.status == "stopped":
            return "stopped"
        return "cached" if self.cached else "computed"


def of(results: Results, cell: Cell) -> Result:
    """Return a cell's result, that of the cell which it is alike to where it is; an empty one where there is none."""
    return results.get(cell.same_as) or Result(cell)


def state(results: Results, cell: Cell) -> State:
    """Return what became of a cell; "same" where another cell's result stands for it."""
    found = of(results, cell).state
    return "same" if not cell.is_first and found in ("computed", "cached") else found


def rows(
    plan: Plan, results: Results, measured: Mapping[int, Mapping[str, float]] | None = None
) -> list[dict[str, Any]]:
    """Return a row for each cell: number, the axes' values, measures by the first cell alike, and what became of it.

    `measured` maps the number of a cell that was computed to its measures. What was found counts as computed: the table
    says what there is of a sweep, the same wherever and whenever it is made.
    """
    measured = measured or {}
    names = list(dict.fromkeys(name for found in measured.values() for name in found))
    found = []
    for cell in plan.cells:
        result, values = of(results, cell), measured.get(cell.same_as, {})
        row: dict[str, Any] = {"cell": cell.number}
        row |= {axis.name: axis.values[at] for axis, at in zip(plan.sweep.axes, cell.place, strict=True)}
        row |= {name: values.get(name) for name in names}
        run, became = result.run, state(results, cell)
        row |= {
            "state": "computed" if became == "cached" else became,
            "output_sha256": run.output_sha256 if run and not result.error else "",
            "seconds": run.stats.get("seconds") if run else None, "file": result.file, "error": result.error,
        }  # fmt: skip
        found.append(row)
    return found


def to_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as CSV (RFC 4180): numbers as JSON writes them, lists and truth values too, None as nothing."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    names = list(table[0]) if table else []
    writer.writerow(names)
    for row in table:
        writer.writerow([_cell(row[name]) for name in names])
    return text.getvalue()


def to_parquet(table: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a table as Parquet. A column of values of several types becomes text."""
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, Any] = {}
    for name in table[0] if table else ():
        values = [row[name] for row in table]
        kinds = {type(value) for value in values if value is not None}
        numbers = kinds <= {int, float}
        columns[name] = (
            [None if value is None else float(value) for value in values] if numbers and len(kinds) > 1
            else values if len(kinds) < 2 and kinds <= {int, float, str, bool} else [_cell(value) for value in values]
        )  # fmt: skip
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    # a spreadsheet takes text that begins like this for a formula
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return json.dumps(value, ensure_ascii=False)
