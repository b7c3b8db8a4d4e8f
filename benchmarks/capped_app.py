"""Streamlit that also runs jobs which it reads from a file: `python -m benchmarks.capped_app run Home.py …`; see
`memory_cap`.

Each line of the named pipe `BENCHMARK_ASKS` is JSON, `{"requests": [...], "purpose": ""}`; what became of the job is
written as a line to the file `BENCHMARK_ANSWERS`: each run's status, error, notes and seconds. The jobs are the app's
own, beside those of its pages.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

ASKS, ANSWERS = "BENCHMARK_ASKS", "BENCHMARK_ANSWERS"
OWNER = "machine:benchmark"


def answer(jobs: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Run one job to its end and say what became of it."""
    from models.types import Request

    before = jobs.engine.state().pid
    job = jobs.submit(OWNER, [Request(**one) for one in asked["requests"]], asked.get("purpose", ""))
    while (view := jobs.view(OWNER, job)) is not None and not view.finished:
        time.sleep(0.02)
    runs = [] if view is None else [
        {"model": run.request.model, "status": run.status, "error": run.error, "notes": run.stats.get("notes", []),
         "seconds": run.stats.get("seconds", 0.0)} for run in view.runs
    ]  # fmt: skip
    state = jobs.engine.state()
    return {"runs": runs, "fresh": state.pid != before, "budget_bytes": state.budget_bytes, "death": state.last_death,
            "loaded": [one["model"] for one in state.loaded]}  # fmt: skip


def serve() -> None:
    """Run the jobs of every line, in turn."""
    from components import services

    jobs = services.jobs()
    with Path(os.environ[ASKS]).open() as asks, Path(os.environ[ANSWERS]).open("a") as answers:
        for line in asks:
            try:
                said = answer(jobs, json.loads(line))
            except Exception as error:
                said = {"runs": [], "refused": str(error)}
            answers.write(json.dumps(said) + "\n")
            answers.flush()


def main() -> None:
    """Be Streamlit."""
    from streamlit.web import cli

    threading.Thread(target=serve, name="asks", daemon=True).start()
    cli.main()


if __name__ == "__main__":
    main()
