"""What classifiers take when many texts get a label each: lines, or a column of a table. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.declarations import InputField
from models.errors import BadInput
from models.text import sheets

if TYPE_CHECKING:
    import pandas as pd

    from models.types import Request

TEXT, LINES, COLUMN = "text", "lines", "column"
_TOKEN_CHARS = 3.5  # characters of a token, about
LINES_COLUMN = "text"  # what the column is called that lines become

INPUTS = (
    InputField("prompt", label="Text", help="The text to put a label to.", shown_if={"by": (TEXT, LINES)}),
    InputField(
        "table", "table", label="Table", shown_if={"by": (COLUMN,)}, accept=sheets.ENDINGS,
        max_bytes=sheets.TABLE_MAX_BYTES,
        limits=f"CSV with a first line that names the columns; up to {sheets.ROWS_MOST:,} rows and "
               f"{sheets.TABLE_MAX_BYTES // 1_000_000} MB.",
    ),
    InputField("column", "column", False, "Column with the texts", "Without one, that with the longest texts.",
               shown_if={"by": (COLUMN,)}, inline=True),
    InputField("label_column", "column", False, "Column with the right labels",
               "Compared with the model's labels: how often each got which.", shown_if={"by": (COLUMN,)}, inline=True),
)  # fmt: skip


def amount(request: Request, by: str, context: int) -> float:
    """Return about how many texts or parts of one, of `context` tokens, a classifier reads; 1 for a table."""
    text = request.inputs.get("prompt", "")
    if by == LINES:
        return max(1.0, sum(not line.isspace() for line in text.splitlines() if line))
    return max(1.0, len(text) / (_TOKEN_CHARS * context)) if by == TEXT else 1.0


def frame(request: Request, by: str, open_ref: Any) -> tuple[pd.DataFrame, str, str]:
    """Return the table of a request, its column with texts and that with the right labels, "" for none.

    Lines become a table of one column; blank ones are left out. Raises `BadInput`.
    """
    import pandas as pd

    if by == LINES:
        lines = [line.strip() for line in request.inputs["prompt"].splitlines()]
        return pd.DataFrame({LINES_COLUMN: [line for line in lines if line]}), LINES_COLUMN, ""
    table, _ = sheets.read(open_ref(request.inputs["table"]))
    column = sheets.column_of(table, request.inputs.get("column", ""))
    if table.columns.tolist().count(column) > 1:
        raise BadInput(f"The table has more than one column “{column}”. Give each its own name.")
    truth = request.inputs.get("label_column", "")
    return table, column, sheets.column_of(table, truth) if truth else ""
