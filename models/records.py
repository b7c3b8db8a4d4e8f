"""A run as its row in the index has it, and the words by which it is found."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from models import outside
from models.errors import PlaygroundError
from models.types import ASIDE, Output, Request, Run

WORDS_MAX_CHARS = 20_000  # of a run's prompts, and of what it says, that are searched


def record_of(run: Run) -> str:
    """Return the JSON text of a run's row: request, outputs without their bytes, stats, error."""
    parts: dict[str, Any] = {
        "request": run.request.model_dump(),
        "outputs": [output.to_header() for output in run.outputs],
        "stats": run.stats,
        "error": run.error,
    }
    if run.purpose:
        parts["purpose"] = run.purpose
    return json.dumps(parts)


def run_from(row: sa.RowMapping) -> Run:
    """Return the run of a row. Raises `PlaygroundError` where its record is damaged."""
    try:
        record = json.loads(row["record"])
        return Run(
            id=row["id"], owner=row["owner"], job=row["job"], status=row["status"], created_at=row["created_at"],
            request=Request(**record["request"]), outputs=[Output(**header) for header in record["outputs"]],
            stats=record["stats"], error=record["error"], purpose=record.get("purpose", ""),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise PlaygroundError(f"The record of run {row['id']} is damaged and cannot be shown. Run it again.") from error


def prompt_words(request: Request) -> str:
    """Return all texts that a request was given."""
    given = [text for text in request.inputs.values() if not text.startswith("sha256:")]
    return "\n".join(_plain(text) for text in given)[:WORDS_MAX_CHARS]


def said_words(run: Run) -> str:
    """Return all texts that a run made, without the prompts that they begin with."""
    said = (output.text[_cut(output) :] for output in run.outputs if output.kind not in ASIDE and output.text.strip())
    return "\n".join(said)[:WORDS_MAX_CHARS]


def task_of(run: Run) -> str:
    """Return the task that a run was for, of a model that has several; "" otherwise."""
    acted = run.stats.get("in_effect") or {}
    task = acted.get("task", run.request.params.get("task", ""))
    return task[:64] if isinstance(task, str) else ""


def _cut(output: Output) -> int:
    cut = output.meta.get("prompt_chars", 0)
    return cut if isinstance(cut, int) else 0


def _plain(text: str) -> str:
    """Return the words of a text; of JSON, such as a conversation, those of its values."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return "\n".join(_leaves(outside.read_json(text)))
    except outside.Unreadable:
        return text


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value] if isinstance(value, str) else []
