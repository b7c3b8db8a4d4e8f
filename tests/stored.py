"""Runs and files for tests of the store."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from models import fulltext
from models.migrations.versions import library as library_step
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


# what a store of before there were migrations looks like, as SQLite had it
OLD_SCHEMA = """
CREATE TABLE playground_schema (version INTEGER NOT NULL);
CREATE TABLE runs (id VARCHAR(64) NOT NULL, owner VARCHAR(128) NOT NULL, job VARCHAR(64) NOT NULL,
    model VARCHAR(255) NOT NULL, status VARCHAR(16) NOT NULL, created_at DOUBLE NOT NULL, record TEXT NOT NULL,
    record_bytes INTEGER NOT NULL, PRIMARY KEY (id));
CREATE INDEX runs_by_job ON runs (job, created_at);
CREATE INDEX runs_by_owner ON runs (owner, created_at);
CREATE TABLE run_artifacts (run_id VARCHAR(64) NOT NULL, sha256 VARCHAR(64) NOT NULL, PRIMARY KEY (run_id, sha256));
CREATE INDEX run_artifacts_by_sha256 ON run_artifacts (sha256);
CREATE TABLE causes (run_id VARCHAR(64) NOT NULL, cause VARCHAR(64) NOT NULL, PRIMARY KEY (run_id));
CREATE INDEX causes_by_cause ON causes (cause);
CREATE TABLE measured (run_id VARCHAR(64) NOT NULL, name VARCHAR(255) NOT NULL, value DOUBLE,
    PRIMARY KEY (run_id, name));
CREATE TABLE desks (owner VARCHAR(128) NOT NULL, model VARCHAR(255) NOT NULL, content TEXT NOT NULL,
    saved_at DOUBLE NOT NULL, PRIMARY KEY (owner, model));
CREATE TABLE notes (owner VARCHAR(128) NOT NULL, name VARCHAR(255) NOT NULL, content TEXT NOT NULL,
    saved_at DOUBLE NOT NULL, PRIMARY KEY (owner, name));
CREATE TABLE votes (owner VARCHAR(128) NOT NULL, sitting VARCHAR(64) NOT NULL, pair INTEGER NOT NULL,
    content TEXT NOT NULL, voted_at DOUBLE NOT NULL, PRIMARY KEY (owner, sitting, pair));
CREATE TABLE owned_files (owner VARCHAR(128) NOT NULL, sha256 VARCHAR(64) NOT NULL, taken_at DOUBLE NOT NULL,
    PRIMARY KEY (owner, sha256));
CREATE INDEX owned_files_by_sha256 ON owned_files (sha256);
INSERT INTO playground_schema VALUES (1);
"""


def make_old(folder, *runs, but=""):
    """Make the index of before there were migrations, with these runs; `but` names a table that it lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection, connection:
        connection.executescript(OLD_SCHEMA)
        for run in runs:
            record = json.dumps({
                "request": run.request.model_dump(), "outputs": [one.to_header() for one in run.outputs],
                "stats": run.stats, "error": run.error,
            })  # fmt: skip
            row = (run.id, run.owner, run.job, run.request.model, run.status, run.created_at, record, len(record))
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for output in run.outputs:
                connection.execute("INSERT OR IGNORE INTO run_artifacts VALUES (?, ?)", (run.id, output.sha256))
                connection.execute(
                    "INSERT OR IGNORE INTO owned_files VALUES (?, ?, ?)", (run.owner, output.sha256, run.created_at)
                )
        if but:
            connection.execute(f"DROP TABLE {but}")
    return folder / "runs.sqlite"


# the words of SQLite's index as they were before the runs were numbered by their age
WORDS_BEFORE = """CREATE VIRTUAL TABLE library_words USING fts5(prompt, said, title, note, tags,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'")"""


def as_before_order(store):
    """Make a store's index what it was before its runs were numbered by their age; the newest get the first numbers."""
    parts = ("prompt", "said", "title", "note", "tags")
    with store._write() as connection:
        words = fulltext.table(connection).name
        rows = connection.exec_driver_sql(
            f"SELECT library.*, {', '.join(f'words.{one} AS word_{one}' for one in parts)} FROM library "
            f"JOIN {words} words ON words.rowid = library.number ORDER BY library.number DESC"
        ).mappings().all()  # fmt: skip
        tags = connection.exec_driver_sql("SELECT run_id, tag FROM tags").all()
        terms = ["library_words_terms"] if words == "library_words" else []
        for name in ("library", "tags", *terms, words, "sweeps"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        with Operations.context(MigrationContext.configure(connection)):
            library_step.upgrade()
        if words == "library_words":
            connection.exec_driver_sql(WORDS_BEFORE)
        else:
            connection.exec_driver_sql(
                "CREATE TABLE library_vectors (rowid INTEGER PRIMARY KEY, "
                f"{', '.join(f'{one} tsvector NOT NULL' for one in parts)}, "
                f"every tsvector GENERATED ALWAYS AS ({' || '.join(parts)}) STORED)"
            )
            connection.exec_driver_sql("CREATE INDEX library_vectors_by_word ON library_vectors USING gin (every)")
        mark = (lambda name: f"CAST(:{name} AS tsvector)") if words == "library_vectors" else (lambda name: f":{name}")
        for number, row in enumerate(rows, 1):
            kept = {name: value for name, value in row.items() if not name.startswith("word_")} | {"number": number}
            said = f"INSERT INTO library ({', '.join(kept)}) VALUES ({', '.join(f':{name}' for name in kept)})"
            connection.execute(sa.text(said), kept)
            said = f"INSERT INTO {words} (rowid, {', '.join(parts)}) VALUES (:rowid, {', '.join(map(mark, parts))})"
            connection.execute(sa.text(said), {"rowid": number, **{one: row[f"word_{one}"] for one in parts}})
        for run_id, tag in tags:
            connection.execute(sa.text("INSERT INTO tags VALUES (:run_id, :tag)"), {"run_id": run_id, "tag": tag})
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'shares'")


def said_together(processes):
    """Let processes that wait after "ready" go on at one moment, and return what each said: stdout and stderr."""
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"x")
        process.stdin.flush()
    return [process.communicate(timeout=60) for process in processes]
