"""Runs and files for tests of the store."""

import os
import time
from pathlib import Path

from models.plain_text import text_output
from models.types import Request, Run

ROOT = Path(__file__).resolve().parents[1]
HOUR = 3600.0


def make_run(name, *texts, owner="ann", job="job-1", created_at=1000.0, **more):
    outputs = [text_output(text, {"seed": 7, "text": text}, index) for index, text in enumerate(texts or (name,))]
    request = more.pop("request", Request(model="text/story-gpt", inputs={"prompt": "Once 🐉 \ud83d"}, seed=7))
    return Run(name, owner, job, request, more.pop("status", "done"), created_at, outputs, **more)


def kept_run(store, name, *, load=False):
    """Return the run of this id as lists of runs have it, None where there is none."""
    return next((run for run in store.runs(load=load) if run.id == name), None)


def files(store):
    """Name everything under the artefact folder, temporary files included."""
    return sorted(path.name for path in (store.data_dir / "artifacts").rglob("*") if path.is_file())


def age(store, seconds):
    then = time.time() - seconds
    for path in (store.data_dir / "artifacts").rglob("*"):
        os.utime(path, (then, then))


def ids(runs):
    return [run.id for run in runs]
