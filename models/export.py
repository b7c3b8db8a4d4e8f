"""Results as one ZIP: each file with its settings inside, and a line of JSON for each run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from models.shelf import Found
from models.stamps import file_name
from models.types import ASIDE, Output

RECORDS = "runs.jsonl"
Read = Callable[[Output], bytes]


def record(found: Found) -> dict[str, Any]:
    """Return all that is known of a run as plain JSON: what made it, what came of it, what was said of it."""
    run = found.run
    return {
        "id": run.id,
        "created_at": datetime.fromtimestamp(run.created_at, UTC).isoformat(timespec="seconds"),
        "job": run.job,
        "purpose": run.purpose,
        "status": run.status,
        "request": run.request.model_dump(),
        "stats": run.stats,
        "error": run.error,
        "outputs": [output.to_header() for output in run.outputs if output.kind not in ASIDE],
        "output_sha256": run.output_sha256 if run.outputs else None,
        "title": found.title,
        "note": found.note,
        "tags": list(found.tags),
        "starred": found.starred,
    }


def zipped(runs: Iterable[Found], read: Read) -> bytes:
    """Return a ZIP of the runs' files, as they are, and `runs.jsonl`, whose lines name them.

    `read` returns an output's bytes; one that has none is a file of its text.
    """
    held, lines = io.BytesIO(), []
    with zipfile.ZipFile(held, "w") as archive:
        for number, found in enumerate(runs, 1):
            run, names = found.run, []
            for output in run.outputs:
                if output.kind in ASIDE:
                    continue
                name = f"{number:04}-{file_name(run.request.model, run.request.seed, output.index, output.media_type)}"
                # what a room makes is compressed already, but for texts
                text = output.media_type.partition("/")[0] == "text"
                archive.writestr(name, read(output), zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED)
                names.append(name)
            lines.append(json.dumps({**record(found), "files": names}, ensure_ascii=False))
        archive.writestr(RECORDS, "".join(f"{line}\n" for line in lines), zipfile.ZIP_DEFLATED)
    return held.getvalue()
