"""An index of any age is brought up to date when it is opened: nothing lost, a copy kept, once for all processes."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from models import fulltext, migrating, tables
from models.errors import PlaygroundError
from models.finding import Filter
from models.store import Store
from models.types import Request
from tests.fresh import run_fresh
from tests.stored import ROOT, as_before_order, ids, kept_run, make_old, make_run, said_together


def listed(file, what="table"):
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (what,))}


def shape(file):
    """Return the columns and indexes of every table but those of the full-text index."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            name: (
                sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({name})")),
                sorted(row[1] for row in connection.execute(f"PRAGMA index_list({name})")
                       if not row[1].startswith("sqlite_")),
            )
            for name in listed(file) if not name.startswith("library_words")
        }  # fmt: skip


@pytest.fixture
def opened():
    """Return a function that opens stores, which are closed at the end."""
    stores = []

    def open_store(folder):
        stores.append(Store("", folder))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def test_a_store_of_before_is_recognised_and_its_runs_are_found(tmp_path, opened):
    old = make_run("one", "A dragon sang", created_at=5.0, request=Request(model="text/m", inputs={"prompt": "Sing"}))
    make_old(tmp_path, old, make_run("two", owner="bob"))
    store = opened(tmp_path)
    assert ids(store.runs()) == ["two", "one"]
    assert [found.run.id for found in store.find("ann", Filter(text="dragon sing")).rows] == ["one"]
    assert store.find("ann", Filter(text="dragon")).rows[0].run.request == old.request
    assert store.star("ann", ["one"]) == 1
    assert [found.starred for found in store.find("ann", Filter(starred=True)).rows] == [True]
    assert store.find("bob", Filter(text="dragon")).rows == ()


def test_one_of_before_runs_were_numbered_by_age_keeps_words_and_order(tmp_path, opened):
    before = opened(tmp_path / "old")
    for number in range(5):
        said = f"A dragon \ue000 w{number}"
        run = make_run(f"run-{number}", said, created_at=1000.0 + number // 2, job=f"job-{number}")
        before.save_run(run)
    before.save_run(make_run("his", "A dragon", owner="bob", created_at=5000.0))
    before.rename("ann", "run-0", "Best of all")
    before.tag("ann", "run-1", ["talk"])
    as_before_order(before)
    before.close()
    store = opened(tmp_path / "old")
    for text in ("drag", "dragon", "d"):
        names = [found.run.id for found in store.find("ann", Filter(text=text)).rows]
        assert names == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
    assert [found.run.id for found in store.find("ann", Filter(text="best w0")).rows] == ["run-0"]
    assert [found.run.id for found in store.find("ann", Filter(text="talk")).rows] == ["run-1"]
    store.save_run(make_run("new", "A dragon", created_at=1001.5))
    assert store.find("ann", Filter(text="dragon")).rows[1].run.id == "new"
    opened(tmp_path / "new")
    assert shape(tmp_path / "old" / "runs.sqlite") == shape(tmp_path / "new" / "runs.sqlite")
    with closing(sqlite3.connect(tmp_path / "old" / "runs.sqlite")) as connection:
        connection.execute("INSERT INTO library_words(library_words) VALUES ('integrity-check')")


def test_an_index_that_was_brought_up_to_date_is_as_a_new_one(tmp_path, opened):
    make_old(tmp_path / "old", make_run("one"))
    opened(tmp_path / "old")
    opened(tmp_path / "new")
    assert shape(tmp_path / "old" / "runs.sqlite") == shape(tmp_path / "new" / "runs.sqlite")


def test_the_steps_lead_to_the_tables_that_the_code_knows(tmp_path, opened):
    make_old(tmp_path)
    store = opened(tmp_path)
    with store._read() as connection:
        ours = {*tables.metadata.tables}

        def known(thing, name, kind, *_):
            return kind != "table" or name in ours

        context = MigrationContext.configure(connection, opts={"include_object": known, "compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    steps = ScriptDirectory(str(migrating._STEPS))
    assert steps.get_heads() == [migrating.HEAD]


@pytest.mark.parametrize("lacking", ["votes", "measured", "notes", "causes"])
def test_a_still_older_one_gets_what_it_lacks(tmp_path, opened, lacking):
    make_old(tmp_path, make_run("one"), but=lacking)
    store = opened(tmp_path)
    assert ids(store.runs("ann")) == ["one"]
    assert lacking in listed(tmp_path / "runs.sqlite")


def test_a_copy_of_before_is_kept_and_only_the_last_two(tmp_path, opened):
    file = make_old(tmp_path, make_run("one"))
    for _ in range(3):
        opened(tmp_path).close()
        assert kept_run(Store("", tmp_path), "one")
        with closing(sqlite3.connect(file)) as connection, connection:  # as if it were old again
            for name in ("library", "tags", "library_words", "shares", "sweeps", "alembic_version"):
                connection.execute(f"DROP TABLE {name}")
            connection.execute("UPDATE playground_schema SET version = 1")
    copies = migrating.copies(file)
    assert len(copies) == 2
    assert "library" not in listed(copies[-1])
    with closing(sqlite3.connect(copies[-1])) as connection:
        assert connection.execute("SELECT id FROM runs").fetchall() == [("one",)]
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_new_store_and_one_that_is_up_to_date_are_not_copied(tmp_path, opened):
    opened(tmp_path).close()
    opened(tmp_path)
    assert migrating.copies(tmp_path / "runs.sqlite") == []


def test_where_a_step_fails_the_index_is_as_it_was(tmp_path, monkeypatch):
    file = make_old(tmp_path, make_run("one"))
    before = shape(file)

    def fails(connection):
        raise PlaygroundError("No room.")

    monkeypatch.setattr(fulltext, "create", fails)
    with pytest.raises(PlaygroundError, match="No room"):
        Store("", tmp_path)
    assert shape(file) == before
    monkeypatch.undo()
    store = Store("", tmp_path)
    assert ids(store.runs()) == ["one"]
    store.close()


def test_without_room_for_a_copy_nothing_is_changed(tmp_path, monkeypatch):
    file = make_old(tmp_path, make_run("one"))
    before = shape(file)

    def full(file):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(migrating, "_copy", full)
    with pytest.raises(PlaygroundError, match="disk full"):
        Store("", tmp_path)
    assert shape(file) == before


def test_a_step_that_this_code_does_not_know_is_told(tmp_path, opened):
    store = opened(tmp_path)
    store.save_run(make_run("one"))
    with store._write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from_tomorrow'")
    with pytest.raises(PlaygroundError, match="written by a newer version.*from_tomorrow.*Update the playground"):
        Store("", tmp_path)
    assert ids(store.runs()) == ["one"]


def test_the_version_of_before_refuses_the_new_index(tmp_path, opened):
    make_old(tmp_path)
    opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        # what it asks, and above 1 it says that the index was written by a newer version
        assert connection.execute("SELECT max(version) FROM playground_schema").fetchone() == (2,)


def test_two_processes_that_open_an_old_store_at_once_change_it_once(tmp_path, opened):
    file = make_old(tmp_path, *(make_run(f"run-{number}") for number in range(300)))
    code = """
import sys
from models.store import Store
print("ready", flush=True)
sys.stdin.read(1)
store = Store("", sys.argv[1])
print(len(store.runs(limit=1000)), flush=True)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, **pipes) for _ in range(2)]
    said = said_together(processes)
    assert [out for out, _ in said] == [b"300\n"] * 2, said
    assert len(migrating.copies(file)) == 1
    assert opened(tmp_path).count("ann", Filter(), 1000) == 300


def test_a_damaged_record_stays_and_takes_no_other_away(tmp_path, opened):
    file = make_old(tmp_path, make_run("one"), make_run("two"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE runs SET record = '{' WHERE id = 'one'")
    store = opened(tmp_path)
    assert [found.run.id for found in store.find("ann", Filter()).rows] == ["two"]
    with pytest.raises(PlaygroundError, match="record of run one is damaged"):
        store.run("one", "ann")


def test_who_is_forgotten_is_forgotten_in_the_copies_too(tmp_path, opened):
    file = make_old(tmp_path, make_run("hers", "SECRET-A"), make_run("his", "SECRET-B", owner="bob"))
    store = opened(tmp_path)
    store.forget("ann")
    (copy,) = migrating.copies(file)
    data = copy.read_bytes()
    assert b"SECRET-A" not in data
    assert b"SECRET-B" in data
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM runs").fetchall() == [("his",)]
        assert connection.execute("SELECT DISTINCT owner FROM owned_files").fetchall() == [("bob",)]


def test_who_signed_in_since_is_forgotten_there_by_their_runs(tmp_path, opened):
    file = make_old(tmp_path, make_run("hers", "SECRET-A", owner="cookie:1"))
    store = opened(tmp_path)
    store.move_owner("cookie:1", "user:ann")
    store.forget("user:ann")
    assert b"SECRET-A" not in migrating.copies(file)[0].read_bytes()


def test_a_copy_in_which_nothing_can_be_forgotten_is_deleted(tmp_path, opened):
    file = make_old(tmp_path, make_run("one"))
    store = opened(tmp_path)
    (copy,) = migrating.copies(file)
    copy.write_text("no database " * 100)
    store.forget("ann")
    assert migrating.copies(file) == []


def test_alembic_is_imported_only_to_change_an_index(tmp_path):
    code = """
import json, sys
import models.runtime.jobs
from models.store import Store
Store("", sys.argv[1]).close()
new = "alembic" in sys.modules
Store("", sys.argv[1]).close()
print(json.dumps([new, "alembic" in sys.modules]))
"""
    assert run_fresh(code, tmp_path) == [False, False]
