"""Tables and texts as files from anywhere: their encoding found or a sentence, columns, rows. pandas reads; no torch.

`check` and `text_of` are for uploads (`models.runtime.decoder`).
"""

from __future__ import annotations

import io
import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.encodings import decode
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
_NUMBER = re.compile(r"\d+")
_SHOWN = 5  # rows for the page


def read(data: bytes, name: str = "table") -> tuple[pd.DataFrame, str]:
    """Return a table with a header, all of it as text, and its encoding. Raises `BadInput`."""
    import pandas as pd

    text, encoding = decode(data, name)
    if not text.strip():
        raise BadInput(f"The {name} is empty. Upload a CSV file whose first line names the columns.")
    separator, header = _separator(text)
    if (count := header.count(separator) + 1) > COLUMNS_MOST:  # said before they take long to read
        raise BadInput(f"The {name} has {count:,} columns; at most {COLUMNS_MOST} are read. Leave some out.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a line longer than the header
            found = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, on_bad_lines="error",
                nrows=ROWS_MOST + 1, index_col=False,
            )  # fmt: skip
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas's other errors are ValueErrors
        raise BadInput(
            f"The {name} cannot be read as CSV{_why(str(error))}. Save it again as CSV, UTF-8, and upload that."
        ) from error
    if len(found) > ROWS_MOST:
        raise BadInput(f"The {name} has more than {ROWS_MOST:,} rows, which is the most. Split it.")
    if not len(found):
        raise BadInput(f"The {name} has a header and no rows. Upload one with at least one row.")
    found.columns = [str(column).strip() for column in found.columns]
    return found.fillna(""), encoding


def _why(said: str) -> str:
    """Return what pandas says of a table in a reader's words, "" for what they would not understand."""
    numbers = [int(one) for one in _NUMBER.findall(said)]
    if "EOF inside string" in said and numbers:
        return f": a quotation mark that opens in line {numbers[-1] + 1:,} is never closed"
    if "Expected" in said and len(numbers) >= 3:
        expected, line, saw = numbers[-3:]
        return f": line {line:,} has {saw:,} cells, the lines before have {expected:,}"
    return ": a line has more cells than the first one names" if "header" in said else ""


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


def _separator(text: str) -> tuple[str, str]:
    """Return what stands between the columns, as the header has most of, and the header.

    The standard library's sniffer takes square time.
    """
    header = text.lstrip().split("\n", 1)[0]
    return max(",;\t|", key=header.count), header
