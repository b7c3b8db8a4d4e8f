"""Contact sheets of a sweep: all results in a grid whose headers name setting and value, in as many files as needed.

It knows no modality: what stands for a result, and how a sheet is saved, is declared by its room (`SheetMaker`).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from models.errors import BadInput, PlaygroundError
from models.labels import shorten
from models.readers import sheet_maker
from models.stamps import SheetMaker
from models.sweeps.cells import Cell, Plan, words
from models.sweeps.results import Result, of
from models.types import Output

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    from models.catalog import Catalog
    from models.settings import Settings

ENDINGS = ("png", "jpg")
SIDE_MOST = 65_535  # px: of a JPEG; many programs open no longer PNG either
PIXELS_MOST = 12_000_000  # of a sheet: Pillow holds 4 bytes of each, the file at most 3 more: under 100 MB
CELL_LEAST, CELL_MOST = 128, 512  # px: smaller ones are shown at a whole multiple, larger ones made smaller
CELLS_PX = 2048  # the side of a cell that holds many outputs
GAP, PAD, FONT_PX = 8, 4, 15
HEAD_PX, HEAD_CHARS, TITLE_CHARS, TITLE_LINES = 180, 160, 200, 4
_INK, _PAPER, _EMPTY, _FAINT = "#1d1b26", "#ffffff", "#eceaf2", "#5c586b"
_NOTES = {"waiting": "Not made.", "stopped": "Stopped.", "failed": "Failed."}
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")
Read = Callable[[Output], bytes]


@dataclass(frozen=True)
class Block:
    """Hold one sheet: which rows and columns of the whole table stand on it."""

    rows: range
    columns: range


@dataclass(frozen=True)
class Sheets:
    """Hold the contact sheets of a sweep, laid out and not drawn yet."""

    catalog: Catalog
    plan: Plan
    results: Mapping[int, Result]
    maker: SheetMaker
    box: tuple[int, int]  # px: what a cell takes
    most: int  # px: the side of an output
    lines: tuple[str, ...]  # headers of the rows
    heads: tuple[str, ...]  # of the columns; with one axis, of the cells
    table: tuple[tuple[Cell | None, ...], ...]
    blocks: tuple[Block, ...]

    def __len__(self) -> int:
        """Return how many sheets there are."""
        return len(self.blocks)

    def files(self, read: Read, ending: str = ENDINGS[0]) -> Iterator[tuple[str, bytes]]:
        """Yield each sheet's name and file, one at a time. Raises `BadInput` for another ending than png and jpg."""
        if ending not in ENDINGS:
            raise BadInput(f"A sheet cannot be a file of the kind .{ending}; choose {' or '.join(ENDINGS)}.")
        stamp = {
            "request": self.catalog.full(self.plan.sweep.request).model_dump(),
            "sweep": json.loads(self.plan.sweep.to_json()),
        }
        for number, block in enumerate(self.blocks):
            sheet = self._drawn(number, block, read)
            yield f"sheet-{number + 1}.{ending}", self.maker.save(sheet, stamp, ending)

    def _drawn(self, number: int, block: Block, read: Read) -> Image.Image:
        from PIL import Image, ImageDraw

        measures = _Measures.of(self.lines, self.heads, self.box, single=self._single)
        width = measures.width(len(block.columns))
        title = _wrapped(self._title(number), width - 2 * GAP)[:TITLE_LINES]
        top = _tall(title) + 2 * GAP
        height = top + measures.height(len(block.rows))
        sheet = Image.new("RGB", (width, height), _PAPER)
        pen = ImageDraw.Draw(sheet)
        _write(pen, (GAP, GAP), title, _INK)
        if not self._single:
            for place, column in enumerate(block.columns):
                head = _wrapped(self.heads[column], self.box[0])
                _write(pen, (measures.x(place), top + measures.above - _tall(head) - PAD), head, _INK)
        for line, row in enumerate(block.rows):
            y = top + measures.y(line)
            _write(pen, (GAP, y), _wrapped(self.lines[row], measures.left - 2 * GAP), _INK)
            for place, column in enumerate(block.columns):
                cell = self.table[row][column]
                if cell is None:
                    continue
                x = measures.x(place)
                if self._single:
                    head = _wrapped(self.heads[cell.number], self.box[0])
                    _write(pen, (x, y - _tall(head) - PAD), head, _INK)
                self._draw_cell(sheet, pen, (x, y), cell, read)
        return sheet

    @property
    def _single(self) -> bool:
        return len(self.plan.sweep.axes) == 1

    def _title(self, number: int) -> str:
        sweep = self.plan.sweep
        varied = {axis.name for axis in sweep.axes}
        texts = [f"“{text}”" for name, text in sweep.request.inputs.items()
                 if text and not text.startswith("sha256:") and f"inputs.{name}" not in varied]  # fmt: skip
        parts = [] if "model" in varied else [str(self.catalog[sweep.request.model].name)]
        parts += texts + ([] if "seed" in varied else [f"seed {sweep.request.seed}"])
        part = [f"Sheet {number + 1} of {len(self)}"] if len(self) > 1 else []
        return " · ".join([*part, shorten(" · ".join(parts), TITLE_CHARS)])

    def _draw_cell(
        self, sheet: Image.Image, pen: ImageDraw.ImageDraw, at: tuple[int, int], cell: Cell, read: Read
    ) -> None:
        result = of(self.results, cell)
        outputs = [one for one in result.outputs if one.kind == self.maker.kind]
        note = result.error or ("" if outputs else _NOTES.get(result.state, "Nothing to show."))
        across = _across(len(outputs))
        for number, output in enumerate(outputs):
            try:
                shown = _sized(self.maker.seen(output, output.data or read(output)), self.most)
            except PlaygroundError as error:  # its file was cleared, or is damaged: the other cells stay
                note = error.message
                continue
            part = (self.box[0] + GAP) // across, (self.box[1] + GAP) // math.ceil(len(outputs) / across)
            sheet.paste(shown, (at[0] + number % across * part[0], at[1] + number // across * part[1]))
        if note:
            pen.rectangle((*at, at[0] + self.box[0] - 1, at[1] + self.box[1] - 1), _EMPTY)
            lines = _wrapped(note, self.box[0] - 2 * GAP)[: max(1, (self.box[1] - 2 * GAP) // _tall(["x"]))]
            _write(pen, (at[0] + GAP, at[1] + GAP), lines, _FAINT)


def of_sweep(catalog: Catalog, plan: Plan, results: Mapping[int, Result], settings: Settings) -> Sheets | None:
    """Return the sheets of what there is of a sweep, every cell on one of them; None where its room makes none.

    The first axis makes rows, the second columns, the third and fourth further rows; a single one is wrapped. Bytes of
    outputs are not needed yet.
    """
    outputs = [output for result in results.values() if not result.error for output in result.outputs]
    if not outputs:
        return None
    makers = {kind: sheet_maker(settings, kind) for kind in {output.kind for output in outputs}}
    maker = next((one for one in makers.values() if one is not None), None)
    if maker is None:
        return None
    cells = [[one for one in result.outputs if one.kind == maker.kind] for result in results.values()]
    most = min(CELL_MOST, CELLS_PX // _across(max(map(len, cells))))
    box = _box(cells, most)
    lines, heads, table = _table(catalog, plan, box)
    measures = _Measures.of(lines, heads, box, single=len(plan.sweep.axes) == 1)
    blocks = _blocks(measures, len(table), len(table[0]), _tall(["x"] * TITLE_LINES) + 2 * GAP)
    return Sheets(catalog, plan, results, maker, box, most, lines, heads, table, tuple(blocks))


_Table = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[Cell | None, ...], ...]]


def _table(catalog: Catalog, plan: Plan, box: tuple[int, int]) -> _Table:
    """Return the headers of rows and columns, and the cells: each once."""
    axes = [
        [shorten(words(catalog, plan.sweep, axis.name, value), HEAD_CHARS) for value in axis.values]
        for axis in plan.sweep.axes
    ]
    if len(axes) == 1:
        across = max(1, min(len(axes[0]), round(math.sqrt(len(axes[0]) * box[1] / box[0]))))
        across = max(across, min(4, len(axes[0])))
        cells: list[Cell | None] = [*plan.cells, *[None] * (-len(plan.cells) % across)]
        table = tuple(tuple(cells[at : at + across]) for at in range(0, len(cells), across))
        return ("",) * len(table), tuple(axes[0]), table
    rows, columns, *others = axes
    lines, found = [], []
    for place in itertools.product(*map(range, map(len, others)), range(len(rows))):
        more, row = place[:-1], place[-1]
        lines.append(", ".join([rows[row], *(axis[at] for axis, at in zip(others, more, strict=True))]))
        found.append(tuple(plan.at((row, column, *more)) for column in range(len(columns))))
    return tuple(lines), tuple(columns), tuple(found)


@dataclass(frozen=True)
class _Measures:
    """Hold where the parts of a sheet stand, in px: the rows' headers take `left`, the columns' `above`."""

    box: tuple[int, int]
    left: int
    above: int
    each: int  # above each row: with a single axis, the headers of its cells

    @staticmethod
    def of(lines: Sequence[str], heads: Sequence[str], box: tuple[int, int], *, single: bool) -> _Measures:
        left = max((_wide(_wrapped(line, HEAD_PX)) for line in lines if line), default=0)
        head = max(_tall(_wrapped(one, box[0])) for one in heads) + 2 * PAD
        tall = max((_tall(_wrapped(line, HEAD_PX)) for line in lines), default=0)
        box = box[0], max(box[1], tall)
        return _Measures(box, left + 2 * GAP if left else GAP, 0 if single else head, head if single else 0)

    def x(self, column: int) -> int:
        return self.left + column * (self.box[0] + GAP)

    def y(self, row: int) -> int:
        return self.above + row * (self.each + self.box[1] + GAP) + self.each

    def width(self, columns: int) -> int:
        return self.x(columns)

    def height(self, rows: int) -> int:
        return self.above + rows * (self.each + self.box[1] + GAP)


def _blocks(measures: _Measures, rows: int, columns: int, top: int) -> Iterator[Block]:
    """Yield sheets that are within the limits and hold every place of the table once.

    Columns stay together as long as a row of them fits.
    """

    def fits(many_rows: int, many_columns: int) -> bool:
        width, height = measures.width(many_columns), top + measures.height(many_rows)
        return max(width, height) <= SIDE_MOST and width * height <= PIXELS_MOST

    across = max((many for many in range(1, columns + 1) if fits(1, many)), default=1)
    down = max((many for many in range(1, rows + 1) if fits(many, across)), default=1)
    for row in range(0, rows, down):
        for column in range(0, columns, across):
            yield Block(range(row, min(row + down, rows)), range(column, min(column + across, columns)))


def _across(many: int) -> int:
    """Return how many outputs of a cell stand beside one another."""
    return max(1, math.ceil(math.sqrt(many)))


def _box(cells: Sequence[Sequence[Output]], most: int) -> tuple[int, int]:
    """Return what the largest cell takes, width and height in px, several outputs in a square."""
    wide = tall = CELL_LEAST
    for outputs in cells:
        across = _across(len(outputs))
        for output in outputs:
            width, height = _size(int(output.meta.get("width", 0)), int(output.meta.get("height", 0)), most)
            down = math.ceil(len(outputs) / across)
            wide = max(wide, across * (width + GAP) - GAP)
            tall = max(tall, down * (height + GAP) - GAP)
    return wide, tall


def _size(width: int, height: int, most: int) -> tuple[int, int]:
    """Return the size in which something of this one is shown; of what does not say it, the largest."""
    longest = max(width, height)
    if min(width, height) < 1:
        return most, most
    if longest <= most:
        times = max(1, min(CELL_LEAST, most) // longest)
        return width * times, height * times
    return max(1, width * most // longest), max(1, height * most // longest)


def _sized(shown: Image.Image, most: int) -> Image.Image:
    from PIL import Image

    size = _size(*shown.size, most)
    if size == shown.size:
        return shown
    return shown.resize(size, Image.Resampling.NEAREST if size > shown.size else Image.Resampling.LANCZOS)


# -- words -------------------------------------------------------------------------------------------------------------


@cache
def _font() -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, bool]:
    """Return a font of this machine that has more than ASCII, else Pillow's own, and whether it has only that."""
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, FONT_PX), False
        except OSError:
            continue
    return ImageFont.load_default(FONT_PX), True


def _shown(text: str) -> str:
    """Return a text as the font can show it: what Pillow's own lacks stands as its code."""
    text = "".join(one if one.isprintable() else " " for one in text)
    return text.encode("ascii", "backslashreplace").decode() if _font()[1] else text


def _wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines that are no wider than `width` px; a word that is too long is parted."""
    return list(_lines(_shown(text), width))


@lru_cache(maxsize=4096)
def _lines(text: str, width: int) -> tuple[str, ...]:
    font, lines, line = _font()[0], [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if font.getlength(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width and len(line) > 1:
            fits = max((many for many in range(1, len(line)) if font.getlength(line[:many]) <= width), default=1)
            lines.append(line[:fits])
            line = line[fits:]
    return (*lines, line)


def _wide(lines: Sequence[str]) -> int:
    return math.ceil(max(_font()[0].getlength(line) for line in lines))


def _tall(lines: Sequence[str]) -> int:
    return len(lines) * (FONT_PX + 5)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], lines: Sequence[str], ink: str) -> None:
    for number, line in enumerate(lines):
        pen.text((at[0], at[1] + _tall(lines[:number])), line, ink, _font()[0])
