"""The run index on a real PostgreSQL server: how it is reached, made, brought up to date, lost and found again."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from models import fulltext, index, tables
from models.errors import PlaygroundError
from models.finding import Filter
from models.store import Store
from models.types import Request
from tests.postgres import Server
from tests.stored import HOUR, ROOT, age, as_before_order, files, ids, kept_run, make_run, said_together


@pytest.fixture
def url(postgres):
    """Return the URL of a database without anything."""
    name = postgres.bare()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens stores, which are closed at the end."""
    stores = []

    def open_store(url, folder=tmp_path):
        stores.append(Store(url, folder))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.mark.parametrize("form", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_each_form_of_url_means_psycopg(url, opened, form):
    store = opened(url.replace("postgresql://", form))
    store.save_run(make_run("one"))
    assert store._engine.driver == "psycopg"
    assert kept_run(opened(url), "one", load=True) == make_run("one")


def test_a_new_index_has_the_tables_that_the_code_knows(url, opened):
    store = opened(url)
    with store._read() as connection:
        context = MigrationContext.configure(connection, opts={
            "include_object": lambda thing, name, kind, *_: kind != "table" or name in tables.metadata.tables,
            "compare_type": True,
        })  # fmt: skip
        assert compare_metadata(context, tables.metadata) == []


def as_before_migrations(store):
    with store._write() as connection:
        for name in ("library", "tags", "library_vectors", "shares", "sweeps", "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql("UPDATE playground_schema SET version = 1")


def test_an_index_of_before_is_brought_up_to_date(url, opened):
    before = opened(url)
    before.save_run(make_run("one", "A dragon sang"))
    as_before_migrations(before)
    store = opened(url)
    assert [found.run.id for found in store.find("ann", Filter(text="drag")).rows] == ["one"]
    assert store.star("ann", ["one"]) == 1


def test_one_that_has_words_in_a_plain_table_gets_vectors_and_keeps_what_was_said(url, opened):
    before = opened(url)
    before.save_run(make_run("one", "A dragon sang"))
    before.rename("ann", "one", "Best of all")
    before.tag("ann", "one", ["talk"])
    with before._write() as connection:
        connection.exec_driver_sql("DROP TABLE library_vectors")
        fulltext.words.create(connection)
    store = opened(url)
    for text in ("dragon", "best", "talk"):
        assert [found.run.id for found in store.find("ann", Filter(text=text)).rows] == ["one"], text
    with store._read() as connection:
        assert not sa.inspect(connection).has_table("library_words")


def test_one_of_before_runs_were_numbered_by_age_is_brought_up_to_date(url, opened):
    before = opened(url)
    for number in range(5):
        run = make_run(f"run-{number}", f"A dragon w{number}", created_at=1000.0 + number // 2, job=f"job-{number}")
        before.save_run(run)
    before.save_run(make_run("his", "A dragon", owner="bob", created_at=5000.0))
    before.tag("ann", "run-1", ["talk"])
    as_before_order(before)
    store = opened(url)
    names = [found.run.id for found in store.find("ann", Filter(text="drag")).rows]
    assert names == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
    assert [found.run.id for found in store.find("ann", Filter(text="talk w1")).rows] == ["run-1"]
    store.save_run(make_run("new", "A dragon", created_at=1001.5))
    assert store.find("ann", Filter(text="dragon")).rows[1].run.id == "new"
    with store._read() as connection:
        known = {"include_object": lambda thing, name, kind, *_: kind != "table" or name in tables.metadata.tables}
        context = MigrationContext.configure(connection, opts={**known, "compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_two_processes_of_two_machines_bring_it_up_to_date_once(url, opened, tmp_path):
    before = opened(url)
    for number in range(20):
        before.save_run(make_run(f"run-{number}"))
    as_before_migrations(before)
    code = """
import sys
from models.store import Store
print("ready", flush=True)
sys.stdin.read(1)
print(len(Store(sys.argv[1], sys.argv[2]).runs(limit=1000)), flush=True)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", code, url]
    processes = [subprocess.Popen([*command, tmp_path / name], cwd=ROOT, **pipes) for name in "ab"]
    said = said_together(processes)
    assert [out for out, _ in said] == [b"20\n"] * 2, said
    assert opened(url).count("ann", Filter(), 1000) == 20


def test_the_index_of_words_is_used(url, opened):
    store = opened(url)
    for number in range(3):
        store.save_run(make_run(f"run-{number}", f"a dragon w{number}"))
    with store._read() as connection:
        query = sa.select(fulltext.vectors.c.rowid).where(fulltext.matching(connection, "w2"))
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute(
            sa.text("EXPLAIN " + str(query.compile(connection, compile_kwargs={"literal_binds": True})))
        ))  # fmt: skip
        said = []
        sa.event.listen(store._engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        numbers = sorted(connection.execute(sa.select(tables.library.c.number)).scalars())
        assert fulltext.among(connection, fulltext.matching(connection, "w2"), numbers) == set(numbers[2:])
    assert "library_vectors_by_word" in plan
    assert "every ||" in said[-1]  # a few runs are looked at by their numbers, whatever the planner thinks


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        ("small dragon", "small-dragon", True),
        ("small red dragon", "small-dragon", False),
        ("Ärmel Straße", "armel STRASSE", False),
        ("Ärmel Straße", "armel straße", True),
        ("हिन्दी में लिखा", "हिन्दी", True),
        ("написано по-русски", "русск", True),
        ("❤️ heart", "❤", True),
        ("heart ❤", "❤️", True),
        ("it's 3.14 a@b.org", "3.14 a@b.org it's", True),
        ("it's 3.14", "3.15", False),
        ("x" * 3000, "x" * 400, True),
        ("a " * 20_000 + "last", "a", True),
        ("back\\slash 'quoted' :* & | ! <->", "back\\slash 'quoted'", True),
    ],
)
def test_words_of_any_kind_are_found(url, opened, kept, asked, found):
    store = opened(url)
    store.save_run(make_run("one", kept, request=Request(model="text/m")))
    assert [one.run.id for one in store.find("ann", Filter(text=asked)).rows] == (["one"] if found else [])


def test_no_phrase_goes_from_one_part_on_into_the_next(url, opened):
    store = opened(url)
    store.save_run(make_run("one", "dragon", request=Request(model="text/m", inputs={"prompt": "small"})))
    assert [one.run.id for one in store.find("ann", Filter(text="small dragon")).rows] == ["one"]
    assert store.find("ann", Filter(text="small-dragon")).rows == ()


def test_a_writer_that_does_not_end_gets_a_sentence_and_reading_goes_on(url, opened, monkeypatch):
    monkeypatch.setattr(index, "BUSY_TIMEOUT_S", 0.1)
    store, other = opened(url), opened(url)
    store.save_run(make_run("one"))
    with other._write():
        with pytest.raises(PlaygroundError, match="in use by another process"):
            store.save_run(make_run("two"))
        assert ids(store.runs()) == ["one"]
    store.save_run(make_run("two"))
    assert len(store.runs()) == 2


def test_a_run_whose_row_is_on_its_way_loses_no_file_to_a_sweep(url, opened):
    """A sweep that read which files are used before the run's row is there would take its file."""
    store, other = opened(url), opened(url)
    other.save_run(make_run("old"))
    run = make_run("one", "its text")
    store._stored(run.outputs[0])
    age(store, 2 * HOUR)
    with store._write() as connection:
        sweep = threading.Thread(target=lambda: other.prune(max_bytes=0, now=time.time()))
        sweep.start()
        time.sleep(0.1)  # it lists the files and waits; where it did not wait, it would be done
        connection.execute(tables.used.insert(), {"run_id": "one", "sha256": run.outputs[0].sha256})
    sweep.join()
    assert run.outputs[0].sha256 in files(store)


class TestOutOfReach:
    @pytest.fixture
    def server(self):
        server = Server(synchronous_commit="on")
        yield server
        server.close()

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
    def test_a_server_that_ends_is_told_and_found_again(self, server, opened, how):
        store = opened(server.url("postgres"))
        store.save_run(make_run("one"))
        with pytest.raises(PlaygroundError, match="cannot be reached"), store._write() as connection:
            connection.execute(tables.runs.delete())
            server.stop(how)
            connection.execute(tables.used.delete())
        for use in (store.runs, lambda: store.save_run(make_run("two")), lambda: store.find("ann", Filter())):
            with pytest.raises(PlaygroundError, match="cannot be reached .*What was saved is not lost") as caught:
                use()
            assert caught.value.details["later"]
        with pytest.raises(PlaygroundError, match="cannot be reached"):
            opened(server.url("postgres"))
        server.start()
        assert ids(store.runs()) == ["one"]
        store.save_run(make_run("two"))
        assert len(store.runs()) == 2

    def test_a_connection_that_is_cut_within_a_transaction_changes_nothing(self, url, postgres, opened):
        store = opened(url)
        store.save_run(make_run("one"))
        with pytest.raises(PlaygroundError, match="cannot be reached"), store._write() as connection:
            connection.execute(tables.runs.delete())
            ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            postgres.admin.execute(ours, [store._engine.url.database])
            connection.execute(tables.used.delete())
        assert ids(store.runs()) == ["one"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ann:hunter2@127.0.0.1:9/db", "database “db” on 127.0.0.1:9 cannot be reached"),
        ("postgresql://ann:hunter2@no.such.host.invalid/db", "cannot be reached"),
        ("postgresql://ann:hun/ter2@no.such.host.invalid/db", "cannot be reached"),
        ("postgresql://ann:x@hunter2:what@host:nine/db", "could not be used"),
        ("postgresql+nosuch://ann:hunter2@host/db", "could not be used"),
        ("postgres://ann@127.0.0.1:9/db?password=hunter2&connect_timeout=1", "cannot be reached"),
    ],
)
def test_a_server_that_is_not_there_gets_a_sentence_without_its_password(tmp_path, caplog, url, sentence):
    with pytest.raises(PlaygroundError, match=sentence) as caught:
        Store(url, tmp_path)
    assert "hunter2" not in caught.value.message + caplog.text
    assert "hun" not in caught.value.message.replace("hundred", "")


def test_a_refused_password_is_told_and_not_shown(postgres, url, tmp_path):
    name = url.split("?", maxsplit=1)[0].rsplit("/", 1)[-1]
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local {name} all scram-sha-256\n{before}")
    try:
        postgres.admin.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + 10
        while True:  # the server takes the rules up a moment later
            try:
                psycopg.connect(url, connect_timeout=2).close()
            except psycopg.OperationalError:
                break
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises(PlaygroundError, match="refused the app: password authentication failed") as caught:
            Store(url.replace("ann@", "ann:hunter2@"), tmp_path)
        assert "hunter2" not in caught.value.message
    finally:
        rules.write_text(before)
        postgres.admin.execute("SELECT pg_reload_conf()")


def test_a_database_that_is_not_there_is_told(postgres, tmp_path):
    with pytest.raises(PlaygroundError, match="refused the app: database .no_such. does not exist. Check PLAY"):
        Store(postgres.url("no_such"), tmp_path)


def test_a_full_disk_of_the_server_is_told_and_takes_no_result_away(url, opened, monkeypatch):
    store = opened(url)
    store.save_run(make_run("old", created_at=1.0))
    age(store, 2 * HOUR)
    with store._write() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'could not extend file' "
            "USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql"
        )
        connection.exec_driver_sql("CREATE TRIGGER t BEFORE INSERT ON runs EXECUTE FUNCTION full_disk()")
    with pytest.raises(PlaygroundError, match="found the disk of its server full. Free some space there") as caught:
        store.save_run(make_run("new"))
    assert caught.value.details == {"later": True}
    assert kept_run(store, "old", load=True) is not None


def test_a_user_who_may_only_read_gets_a_sentence(url, postgres, opened):
    store = opened(url)
    store.save_run(make_run("one"))
    with store._write() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS reader")
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    reader = opened(url.replace("ann@", "reader@"))
    assert ids(reader.runs()) == ["one"]
    with pytest.raises(PlaygroundError, match="refused the app: permission denied for table"):
        reader.save_run(make_run("two"))


def test_no_process_is_left_of_a_server_whose_test_run_was_killed(tmp_path):
    if not os.path.exists("/proc"):
        pytest.skip("how a process stands is read from /proc, which this system lacks")
    code = """
import time
from tests.postgres import Server
server = Server()
print(server._process.pid, server.folder, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    with process.stdout:
        said = process.stdout.readline()
        process.kill()
        process.wait()
    if not said:
        pytest.skip("PostgreSQL's server is not installed (on Debian: apt install postgresql)")
    number, folder = said.decode().split()
    end = time.monotonic() + 20
    while os.path.exists(f"/proc/{number}/exe") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{number}/exe")
    shutil.rmtree(folder, ignore_errors=True)
