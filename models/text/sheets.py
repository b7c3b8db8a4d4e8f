"""Tables and texts as files from anywhere: their encoding found or a sentence, columns, rows. pandas reads; no torch.

`check` and `text_of` are for uploads (`models.runtime.decoder`).
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import BadInput
from models.plain_text import TEXT_MAX_BYTES

if TYPE_CHECKING:
    import pandas as pd

NEEDS = ("pandas", "charset_normalizer")
ENDINGS = ("csv", "tsv")
COLUMNS = "columns"  # what `check` leaves beside an upload
TABLE_MAX_BYTES = 60_000_000
ROWS_MOST = 200_000
COLUMNS_MOST = 200
_SAMPLE = 64_000  # bytes or characters from which encoding and separator are told
_SHOWN = 5  # rows for the page


def decode(data: bytes, name: str = "file") -> tuple[str, str]:
    """Return a file's text, without a byte order mark, and its encoding. Raises `BadInput` for what is none."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                return _whole(data.decode(encoding), name), encoding.removesuffix("-sig")
            except UnicodeDecodeError as error:
                raise _unreadable(name) from error
    try:
        return _whole(data.decode("utf-8"), name), "utf-8"
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    try:
        if best is None:
            raise _unreadable(name)
        return _whole(data.decode(best.encoding), name), str(best.encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise _unreadable(name) from error


def read(data: bytes, name: str = "table") -> tuple[pd.DataFrame, str]:
    """Return a table with a header, all of it as text, and its encoding. Raises `BadInput`."""
    import pandas as pd

    text, encoding = decode(data, name)
    if not text.strip():
        raise BadInput(f"The {name} is empty. Upload a CSV file whose first line names the columns.")
    try:
        found = pd.read_csv(
            io.StringIO(text), sep=_separator(text), dtype=str, keep_default_na=False, on_bad_lines="error",
            nrows=ROWS_MOST + 1,
        )  # fmt: skip
    except (ValueError, csv.Error) as error:  # pandas's own are ValueErrors
        said = " ".join(str(error).split())[:160].rstrip(".")
        raise BadInput(
            f"The {name} cannot be read as CSV ({said}). Save it again as CSV, UTF-8, and upload that."
        ) from error
    if len(found) > ROWS_MOST:
        raise BadInput(f"The {name} has more than {ROWS_MOST:,} rows, which is the most. Split it.")
    if not len(found):
        raise BadInput(f"The {name} has a header and no rows. Upload one with at least one row.")
    if len(found.columns) > COLUMNS_MOST:
        raise BadInput(
            f"The {name} has {len(found.columns):,} columns; at most {COLUMNS_MOST} are read. Leave some out."
        )
    found.columns = [str(column).strip() for column in found.columns]
    return found.fillna(""), encoding


def column_of(table: pd.DataFrame, asked: str, name: str = "table") -> str:
    """Return the asked column, else the one with the longest texts. Raises `BadInput` for one that is not there."""
    names = [str(column) for column in table.columns]
    if asked:
        if asked not in names:
            raise BadInput(
                f"The {name} has no column “{asked[:80]}”; it has: {', '.join(names[:20])}. Choose one of them."
            )
        return asked
    lengths = [float(table.iloc[:, at].str.len().mean()) for at in range(len(names))]
    return names[lengths.index(max(lengths))]


def check(folder: Path, data: bytes, name: str) -> None:
    """Check an uploaded table and leave beside it what a page shows of it. Raises `BadInput`."""
    table, encoding = read(data, name)
    told = {
        "columns": [str(column) for column in table.columns], "rows": len(table), "encoding": encoding,
        "text": column_of(table, ""), "first": table.head(_SHOWN).map(lambda cell: cell[:120]).values.tolist(),
    }  # fmt: skip
    (folder / COLUMNS).write_text(json.dumps(told, ensure_ascii=False), "utf-8")


def text_of(folder: Path, data: bytes, name: str) -> dict[str, Any]:
    """Return an uploaded text as `{"text", "encoding"}`. Raises `BadInput`."""
    text, encoding = decode(data, name)
    if not text.strip():
        raise BadInput(f"The {name} is empty. Upload one with text in it.")
    if len(text.encode()) > TEXT_MAX_BYTES:
        raise BadInput(f"The {name} has {len(text.encode()):,} bytes; at most {TEXT_MAX_BYTES:,} are read. Split it.")
    return {"text": text, "encoding": encoding}


def _separator(text: str) -> str:
    try:
        return csv.Sniffer().sniff(text[:_SAMPLE], ",;\t|").delimiter
    except csv.Error:  # one column, most often
        first = text.splitlines()[0]
        return max(",;\t|", key=first.count)


def _whole(text: str, name: str) -> str:
    if "\0" in text:
        raise BadInput(f"The {name} has null bytes, so it is not text. Save it as text, UTF-8, and upload that.")
    return text


def _unreadable(name: str) -> BadInput:
    return BadInput(
        f"The encoding of the {name} is unknown: it is neither UTF-8 nor one that could be guessed. Save it as UTF-8."
    )
