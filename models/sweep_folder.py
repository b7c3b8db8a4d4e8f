"""A sweep's results as files: one for each cell with its settings inside, tables, a page, the sweep itself."""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import outfile, shell
from models.stamps import ending as ending_of
from models.sweeps import results as tables
from models.sweeps import sheets
from models.sweeps.cells import Cell, Plan
from models.sweeps.measured import Told
from models.sweeps.page import to_html
from models.sweeps.results import Result
from models.sweeps.spec import MODEL
from models.sweeps.whole import Measured, effects_csv
from models.types import Output

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

Read = Callable[[Output], bytes]
EFFECTS = "effects.csv"
NAME_CHARS, VALUE_CHARS = 120, 40  # of a file's name, of a value in it
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")


def loaded(result: Result, read: Read) -> Result:
    """Return a result whose outputs hold their bytes."""
    if result.run is None:
        return result
    outputs = [replace(one, data=read(one)) if one.sha256 and not one.data else one for one in result.run.outputs]
    return replace(result, run=replace(result.run, outputs=outputs))


def stem(plan: Plan, cell: Cell) -> str:
    """Return the name of a cell's file without its ending: its number, and its values: `cell-0003-temperature-0.8`.

    Safe on every file system; the number alone tells it from the others.
    """
    parts = [f"{axis.name.rsplit('.', 1)[-1]}-{_value(axis.name, axis.values[at])}"
             for axis, at in zip(plan.sweep.axes, cell.place, strict=True)]  # fmt: skip
    named = _UNSAFE.sub("-", "-".join([f"cell-{cell.number:04}", *parts]))
    return named[:NAME_CHARS].rstrip(".-+")


def _value(name: str, value: Any) -> str:
    """Return a value as a part of a file's name; a minus stays."""
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[:VALUE_CHARS]
    text = value.rsplit("/", 1)[-1] if name == MODEL else value
    return _UNSAFE.sub("-", text)[:VALUE_CHARS].strip(".-")


def _file(result: Result, catalog: Catalog, plan: Plan, output: Output) -> str:
    family = catalog.family(result.cell.request.model)
    ending = family.saves[0] if family.saves else ending_of(output.media_type)
    return f"{stem(plan, result.cell)}.{ending or 'bin'}"


def named(made: Mapping[int, Result], catalog: Catalog, plan: Plan) -> dict[int, Result]:
    """Return results with the name of the file that `save_cell` writes of each; nothing is written."""
    found = {}
    for number, result in made.items():
        first = next(iter(result.outputs), None)
        name = ""
        if first is not None:
            name = outfile.target(Path(_file(result, catalog, plan, first)), first, len(result.outputs)).name
        found[number] = replace(result, file=name)
    return found


def save_cell(result: Result, catalog: Catalog, plan: Plan, folder: Path) -> Result:
    """Write a cell's outputs, which hold their bytes; return the result with the name of the first file."""
    request = result.cell.request
    family, names = catalog.family(request.model), []
    whole = catalog.full(request)
    for output in result.outputs:
        path = folder / _file(result, catalog, plan, output)
        names.append(outfile.save(path, family, whole, output, len(result.outputs)).name)
    return replace(result, file=names[0] if names else "")


def save_tables(
    folder: Path, catalog: Catalog, plan: Plan, made: Mapping[int, Result],
    measures: Mapping[int, Mapping[str, float]] | None = None, effects: Sequence[Told] = (),
) -> None:  # fmt: skip
    """Write `cells.csv`, `cells.parquet`, `sweep.json` and `index.html`, and `effects.csv` where there are any.

    `measures` are by cell and name, `effects` what the axes do to them.
    """
    table = tables.rows(plan, made, measures)
    shell.write_file(folder / "cells.csv", tables.to_csv(table).encode())
    shell.write_file(folder / "cells.parquet", tables.to_parquet(table))
    if effects:
        shell.write_file(folder / EFFECTS, effects_csv(plan, effects).encode())
    shell.write_file(folder / "sweep.json", plan.sweep.to_json().encode())
    shell.write_file(folder / "index.html", to_html(catalog, plan, made, effects=effects).encode())


def save_sheets(
    folder: Path, catalog: Catalog, plan: Plan, made: Mapping[int, Result], read: Read, settings: Settings,
    ending: str = sheets.ENDINGS[0],
) -> list[str]:  # fmt: skip
    """Write `sheet-1.png`, … with all cells of a sweep; return their names, none where its room makes no sheets."""
    found = sheets.of_sweep(catalog, plan, made, settings)
    if found is None:
        return []
    names = []
    for name, data in found.files(read, ending):
        shell.write_file(folder / name, data)
        names.append(name)
    return names


def zipped(
    catalog: Catalog, plan: Plan, made: Mapping[int, Result], read: Read, settings: Settings,
    seen: Measured | None = None,
) -> bytes:  # fmt: skip
    """Return all files of a sweep as one ZIP, with what was measured of it."""
    seen = seen or Measured()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved = {number: save_cell(loaded(one, read), catalog, plan, folder) for number, one in made.items()}
        save_tables(folder, catalog, plan, saved, seen.columns, seen.told)
        save_sheets(folder, catalog, plan, saved, read, settings)
        return packed((file.name, file.read_bytes()) for file in sorted(folder.iterdir()))


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return files, by name, as one ZIP."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return held.getvalue()
