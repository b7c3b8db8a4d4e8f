"""Many texts and a label for each: passes in batches, and the table that comes of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.events import Event, Final, Progress
from models.text import answers, languages, parts, row_inputs
from models.text.sampling import labelling
from models.types import Output, RunStats

if TYPE_CHECKING:
    import pandas as pd

    from models.family import Context
    from models.text.sampling.labelling import Labelling
    from models.text.task_settings import ClassifierParams
    from models.types import Request

CHUNK = 128  # rows between two looks at Stop; within one, texts of like length go together
BATCH = 32
SHOWN = 60  # rows that a page shows
CONFUSED = 30  # labels of a confusion matrix

Shares = Callable[[np.ndarray], np.ndarray]  # what becomes of logits: probabilities over labels


def chances(
    work: Labelling, rows: Sequence[str], one: Shares, every: Shares | None, stopped: Callable[[], bool]
) -> Iterator[np.ndarray]:
    """Yield the probabilities of a few rows at a time, in order (rows × labels; NaN for an empty row), until Stop.

    `one` makes them of the logits of a single text (texts beside it × outputs), `every` of those of a batch (texts ×
    outputs), where a batch can be read. A text longer than the context is read in parts, and their mean is its answer.
    """
    for start in range(0, len(rows), CHUNK):
        if stopped():
            return
        chunk = rows[start : start + CHUNK]
        found: dict[int, np.ndarray] = {}
        whole = [at for at, text in enumerate(chunk) if text.strip() and work.fits(text)]
        if every is None:
            found |= {at: one(work.logits(chunk[at])) for at in whole}
        else:
            whole.sort(key=lambda at: len(chunk[at]))
            for first in range(0, len(whole), BATCH):
                places = whole[first : first + BATCH]
                found |= dict(zip(places, every(work.batch([chunk[at] for at in places])), strict=True))
        for at, text in enumerate(chunk):
            if at not in found and text.strip():
                pieces = [part.text for part in parts.cut(text, "lines", work.fits) if part.text]
                shares = [one(work.logits(piece)) for piece in pieces]
                found[at] = labelling.averaged(shares, [work.weight(piece) for piece in pieces])
        size = len(next(iter(found.values()))) if found else 1
        yield np.stack([found.get(at, np.full(size, np.nan)) for at in range(len(chunk))])


def run(
    request: Request, params: ClassifierParams, work: Labelling, labels: Sequence[str], one: Shares,
    every: Shares | None, several: bool, reads: Sequence[str], context: Context,
) -> Iterator[Event]:  # fmt: skip
    """Yield progress and a `Final` of one table; see `chances` for `one` and `every`. Raises `BadInput`.

    A row that the model cannot read, by the languages that it `reads` (none: it may read all), gets no label.
    """
    table, column, truth = row_inputs.frame(request, params.by, context.open_ref)
    rows = [str(text) for text in table[column]]
    found = [np.zeros((0, len(labels)))]
    done = 0
    yield Progress("read", 0, len(rows), unit="rows")
    for part in chances(work, rows, one, every, context.stopped):
        found.append(part if part.shape[1] == len(labels) else np.full((len(part), len(labels)), np.nan))
        done += len(part)
        yield Progress("read", done, len(rows), unit="rows")
    counted = "row" if done == 1 else "rows"
    notes = [f"Stopped after {done:,} of {len(rows):,} rows: the table has these."] if done < len(rows) else []
    stats: RunStats = {"steps": done, "counted": counted, "prompt_tokens": work.read, "stopped": done < len(rows),
                       "notes": notes}  # fmt: skip
    if not done:
        yield Final((), stats)
        return
    unread = [bool(reads and languages.unreadable(text, reads)) for text in rows[:done]]
    if count := sum(unread):
        which = "1 row" if count == 1 else f"{count:,} rows"
        notes.append(f"{which} without letters that this model reads: they get no label.")
    made = told(table, column, np.concatenate(found), labels, params.threshold, several, truth, unread)
    meta = {**made.meta, "of": len(rows), "lines": params.by == row_inputs.LINES}
    sha = hashlib.sha256(made.data).hexdigest()
    yield Final((Output("table", 0, made.text, made.data, "text/csv", sha, meta),), stats)


@dataclass(frozen=True)
class Told:
    """Hold the table of labelled rows as CSV in UTF-8, what there is to say of it, and a sentence of it."""

    data: bytes
    meta: dict[str, Any]
    text: str


def told(
    table: pd.DataFrame, column: str, found: np.ndarray, labels: Sequence[str], threshold: float, several: bool,
    truth: str = "", unread: Sequence[bool] = (),
) -> Told:  # fmt: skip
    """Return a table with a label for each row that was read: `found` is rows × labels, the table may be longer.

    `truth` names a column with the right labels, "" for none; `unread` says of rows that the model cannot read them.
    """
    count = len(found)
    table, words = table.head(count).copy(), [answers.readable(label) for label in labels]
    empty = np.isnan(found).any(axis=1) if count else np.zeros(0, bool)
    sure = np.where(empty, 0.0, np.nan_to_num(found).max(axis=1)) if count else np.zeros(0)
    said = []
    for at in range(count):
        if empty[at]:
            said.append("")
        elif at < len(unread) and unread[at]:
            said.append(answers.NONE)
        elif several:
            above = [words[place] for place in np.argsort(-found[at]) if found[at][place] >= threshold]
            said.append(", ".join(above) or answers.NONE)
        else:
            said.append(words[int(found[at].argmax())] if sure[at] >= threshold else answers.NONE)
    right = [str(one) for one in table[truth]] if truth else []
    texts = [str(one) for one in table[column]]
    names = ["label", "probability", *(f"p({word})" for word in words)]
    for name, values in zip(
        names, [said, sure.round(4), *(found[:, at].round(4) for at in range(len(words)))], strict=True
    ):
        table[_free(name, table.columns)] = values
    counts = Counter(one for one in said if one)
    listed = ", ".join(f"{label} {number:,}" for label, number in counts.most_common(8))
    confusion = _confusion(said, right) if truth else None
    text = f"{count:,} {'row' if count == 1 else 'rows'}: {listed or 'nothing to label'}"
    if confusion is not None:
        share = confusion["right"] / max(1, confusion["of"])
        text += f". {confusion['right']:,} of {confusion['of']:,} as in “{truth}” ({share:.0%})"
    meta = {
        "prompt_chars": 0, "what": "labels", "rows": count, "column": column, "threshold": threshold,
        "counts": dict(counts.most_common()), "empty": int(empty.sum()),
        "first": [  # text, label, probability, the likeliest label, the right one
            [texts[at][:160], said[at], round(float(sure[at]), 4),
             "" if empty[at] else words[int(found[at].argmax())], right[at].strip() if truth else ""]
            for at in range(min(count, SHOWN))
        ],
        **({"confusion": confusion, "truth": truth} if confusion is not None else {}),
    }  # fmt: skip
    return Told(table.to_csv(index=False).encode(), meta, f"{text}.")


def _confusion(said: Sequence[str], right: Sequence[str]) -> dict[str, Any]:
    """Return how often each right label got which label: the commonest `CONFUSED` right ones, compared as words."""
    import pandas as pd

    names = {answers.readable(one).casefold(): one for one in said if one and one != answers.NONE}
    pairs = [
        (names.get(answers.readable(true.strip()).casefold(), answers.readable(true.strip())), one)
        for true, one in zip(right, said, strict=True) if true.strip() and one
    ]  # fmt: skip
    frame = pd.DataFrame(pairs, columns=["right", "said"])
    grid = pd.crosstab(frame["right"], frame["said"])
    common = frame["right"].value_counts().index[:CONFUSED]
    grid = grid.loc[common]
    grid = grid.loc[:, grid.sum() > 0]
    return {
        "rows": [str(one) for one in grid.index], "columns": [str(one) for one in grid.columns],
        "counts": grid.to_numpy().tolist(), "right": sum(true == one for true, one in pairs), "of": len(pairs),
        "unsure": sum(one == answers.NONE for _, one in pairs),
    }  # fmt: skip


def _free(name: str, taken: Any) -> str:
    while name in taken:
        name += "_"
    return name
