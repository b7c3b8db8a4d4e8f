import hashlib
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from models.errors import PlaygroundError
from models.plain_text import text_output
from models.pruning import Pruned
from models.settings import Settings
from models.store import Store
from models.types import Output, Request
from tests.stored import HOUR, ROOT, age, files, ids, kept_run, make_run


class TestRuns:
    def test_a_run_comes_back_whole(self, store):
        run = make_run("one", "Once 🐉", "Twice \x00 null", stats={"seconds": 1.5, "warnings": []})
        store.save_run(run)
        assert kept_run(store, "one", load=True) == run
        light = kept_run(store, "one")
        assert light == replace(run, outputs=[replace(output, data=b"") for output in run.outputs])
        assert light.output_sha256 == run.output_sha256
        store.save_run(light)
        assert kept_run(store, "one", load=True) == run
        assert kept_run(store, "other") is None

    @pytest.mark.parametrize("status", ["failed", "stopped"])
    def test_a_failed_or_stopped_run_keeps_what_it_had(self, store, status):
        error = {"code": "worker_died", "message": "It died.", "details": {"reason": "killed"}}
        run = make_run("one", status=status, error=error)
        run.outputs = [Output("text", text="Once upon a"), text_output("whole", {}, 1)]
        store.save_run(run)
        assert kept_run(store, "one", load=True) == run
        run.outputs = []
        store.save_run(run)
        assert kept_run(store, "one") == run

    def test_a_run_saved_again_is_replaced(self, store):
        store.save_run(make_run("one", "first", "second", job="job-1"))
        store.save_run(make_run("one", "third", job="job-2", stats={"seconds": 2}))
        assert store.runs(job="job-1") == []
        assert kept_run(store, "one", load=True) == make_run("one", "third", job="job-2", stats={"seconds": 2})

    def test_an_output_without_a_hash_gets_one_and_a_wrong_one_is_refused(self, store):
        run = make_run("one")
        whole, run.outputs = run.outputs, [replace(run.outputs[0], sha256="0" * 64)]
        with pytest.raises(PlaygroundError, match="hash differs"):
            store.save_run(run)
        assert store.runs() == []
        run.outputs = [replace(whole[0], sha256="")]
        store.save_run(run)
        assert kept_run(store, "one", load=True).outputs == whole

    def test_lists_are_filtered_and_newest_first(self, store):
        for number in range(6):
            owner, job = ("ann", "bob")[number % 2], f"job-{number // 3}"
            store.save_run(make_run(f"run-{number}", owner=owner, job=job, created_at=1000.25 + number))
        assert ids(store.runs()) == [f"run-{number}" for number in (5, 4, 3, 2, 1, 0)]
        assert ids(store.runs(limit=2)) == ["run-5", "run-4"]
        assert ids(store.runs("ann")) == ["run-4", "run-2", "run-0"]
        assert ids(store.runs(job="job-0")) == ["run-2", "run-1", "run-0"]
        assert ids(store.runs("bob", "job-1")) == ["run-5", "run-3"]
        assert store.runs("bob' OR '1'='1") == []
        assert store.runs("") == []

    def test_a_reload_takes_the_runs_over(self, store):
        store.save_run(make_run("one"))
        store.save_run(make_run("two", owner="bob"))
        assert store.move_owner("ann", "ann-after-reload") == 1
        assert store.runs("ann") == []
        assert ids(store.runs("ann-after-reload")) == ["one"]
        assert ids(store.runs("bob")) == ["two"]
        assert store.move_owner("ann", "x") == 0


class TestTogether:
    def test_eight_threads_save_at_once(self, store):
        start = threading.Barrier(8)

        def work(thread):
            start.wait()
            for number in range(10):
                store.save_run(make_run(f"{thread}-{number}", "shared", f"{thread}-{number}", owner=str(thread)))
                store.save_run(make_run("everyone's", f"by {thread}-{number}"))
                assert len(store.runs(str(thread))) == number + 1

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert len(store.runs(limit=100)) == 81
        assert all(len(run.outputs) == 2 for run in store.runs(limit=100, load=True) if run.id != "everyone's")

    def test_two_processes_open_a_new_store_and_save_at_once(self, bare, tmp_path):
        code = """
import sys
from models.plain_text import text_output
from models.store import Store
from models.types import Request, Run
print("ready", flush=True)
sys.stdin.read(1)
store = Store(sys.argv[3], sys.argv[1])
for number in range(30):
    outputs = [text_output("shared", {}), text_output(f"{sys.argv[2]} {number}", {}, 1)]
    store.save_run(Run(f"{sys.argv[2]}-{number}", sys.argv[2], "job", Request(model="m"), "done", number, outputs))
    store.save_run(Run("both", "both", "job", Request(model="m"), "done", number, outputs))
    store.prune(max_runs=1000, max_bytes=10**9)
"""
        command = [sys.executable, "-c", code, tmp_path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        workers = [subprocess.Popen([*command, name, bare], cwd=ROOT, **pipes) for name in "ab"]
        for worker in workers:  # both have imported, so that they meet
            assert worker.stdout.readline() == b"ready\n"
        for worker in workers:
            worker.stdin.write(b"x")
            worker.stdin.flush()
        for worker in workers:
            worker.communicate(timeout=60)
            assert worker.returncode == 0
        store = Store(bare, tmp_path)
        assert len(store.runs(limit=100, load=True)) == 61
        assert len(files(store)) == 61
        store.close()

    def test_a_prune_between_files_and_row_loses_nothing(self, store, monkeypatch):
        run, write = make_run("one"), store._write

        def prune_first():
            monkeypatch.undo()
            age(store, 2 * HOUR)
            assert store.prune(max_bytes=0).artifacts == 1
            return write()

        monkeypatch.setattr(store, "_write", prune_first)
        store.save_run(run)
        assert kept_run(store, "one", load=True) == run


class TestPrune:
    def fill(self, store, count=5):
        for number in range(count):
            store.save_run(make_run(f"run-{number}", "shared by all", str(number) * 1000, created_at=1000.0 + number))
        age(store, 2 * HOUR)

    def total(self, store):
        with store._read() as connection:
            rows = connection.exec_driver_sql("SELECT sum(record_bytes) FROM runs").scalar() or 0
        return rows + sum(path.stat().st_size for path in (store.data_dir / "artifacts").rglob("*") if path.is_file())

    def test_within_the_budget_nothing_goes(self, store):
        self.fill(store)
        store.put_bytes(b"an upload that no run has used yet")
        age(store, 2 * HOUR)
        assert store.prune(max_bytes=self.total(store), max_runs=5) == store.prune() == Pruned()
        assert (len(store.runs()), len(files(store))) == (5, 7)

    def test_the_oldest_runs_go_until_the_number_fits(self, store):
        self.fill(store)
        pruned = store.prune(max_runs=2)
        assert (pruned.runs, pruned.artifacts) == (3, 3)
        assert ids(store.runs(load=True)) == ["run-4", "run-3"]
        assert len(files(store)) == 3

    @pytest.mark.parametrize("runs_to_drop", [1, 2, 4])
    def test_the_oldest_runs_go_until_the_bytes_fit_and_no_more(self, store, runs_to_drop):
        self.fill(store)
        before = self.total(store)
        row_and_file = (before - store.path(kept_run(store, "run-0").outputs[0].sha256).stat().st_size) // 5
        pruned = store.prune(max_bytes=before - row_and_file * runs_to_drop + 10)
        assert pruned.runs == runs_to_drop
        assert self.total(store) == before - pruned.bytes
        assert len(store.runs(load=True)) == 5 - runs_to_drop

    def test_files_that_no_run_needs_go_before_any_run(self, store):
        self.fill(store)
        store.put_bytes(b"x" * 5000)
        store.save_run(make_run("run-0", "shared by all", "replaced", created_at=1000.0))
        age(store, 2 * HOUR)
        pruned = store.prune(max_bytes=self.total(store) - 1)
        assert (pruned.runs, pruned.artifacts) == (0, 2)
        assert len(store.runs(load=True)) == 5

    def test_what_is_young_stays(self, store):
        upload = store.put_bytes(b"uploaded long ago, and again just now")
        self.fill(store)
        assert store.put_bytes(b"uploaded long ago, and again just now") == upload
        store.save_run(make_run("new", "new text", created_at=time.time()))
        assert store.prune(max_bytes=0, max_runs=0).runs == 5
        assert ids(store.runs(load=True)) == ["new"]
        assert store.get_bytes(upload)
        assert store.prune(max_bytes=0, keep_s=0).runs == 1
        assert files(store) == []
        assert self.total(store) == 0

    def test_uploads_stay_while_a_run_names_them(self, store):
        upload = store.take("ann", b"an upload")
        store.save_run(make_run("one", request=Request(model="m", inputs={"image": upload})))
        store.save_run(make_run("two", request=Request(model="m", inputs={"image": upload}), created_at=2000.0))
        age(store, 2 * HOUR)
        assert store.prune(max_runs=1).runs == 1
        assert store.get_bytes(upload) == b"an upload"
        assert store.prune(max_runs=0).runs == 1
        assert files(store) == []

    def test_pages_write_while_it_looks_at_the_files(self, store, database, monkeypatch):
        self.fill(store, 3)
        monkeypatch.setattr("models.index.BUSY_TIMEOUT_S", 0.1)
        other, listed = Store(database, store.data_dir), store._files

        def write_meanwhile():
            other.save_note("ann", "page", 1)
            return listed()

        monkeypatch.setattr(store, "_files", write_meanwhile)
        assert store.prune(max_runs=1).runs == 2
        assert other.note("ann", "page") == 1
        other.close()

    @pytest.mark.sqlite
    def test_the_index_gives_its_pages_back(self, store):
        self.fill(store, 3)
        store.save_run(make_run("large", created_at=1.0, stats={"text": "x" * 2_000_000}))
        store.close()
        size = (store.data_dir / "runs.sqlite").stat().st_size
        assert store.prune(max_runs=3).runs == 1
        store.close()
        assert (store.data_dir / "runs.sqlite").stat().st_size < size - 1_900_000


class TestIndex:
    def test_another_database_by_url(self, tmp_path):
        settings = Settings(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path}/elsewhere/index.db")
        store = Store(settings)
        store.save_run(make_run("one"))
        assert (tmp_path / "elsewhere" / "index.db").exists()
        assert not (tmp_path / "data" / "runs.sqlite").exists()
        assert files(store) == [make_run("one").outputs[0].sha256]
        store.close()
        again = Store(settings.database_url, tmp_path / "data")
        assert kept_run(again, "one", load=True) == make_run("one")
        again.close()

    def test_a_database_in_memory_is_shared_by_threads(self, tmp_path):
        store = Store("sqlite://", tmp_path)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(store.save_run, [make_run(str(number)) for number in range(20)]))
        assert len(store.runs()) == 20
        store.close()

    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            ("no url", "could not be used"),
            ("nosuchdb://ann:hunter2@host/db", "could not be used"),
            ("oracle+cx_oracle://ann:hunter2@host/db", "could not be used"),
            ("sqlite:////proc/no/such/index.db", "could not be read or written"),
        ],
    )
    def test_a_url_that_leads_nowhere_gets_a_sentence_without_its_password(self, tmp_path, url, sentence):
        with pytest.raises(PlaygroundError, match=sentence) as caught:
            Store(url, tmp_path)
        assert "hunter2" not in caught.value.message

    def test_a_newer_schema_is_refused_and_left_alone(self, store, database):
        store.save_run(make_run("one"))
        with store._write() as connection:
            connection.exec_driver_sql("UPDATE playground_schema SET version = 3")
            connection.exec_driver_sql("DROP TABLE run_artifacts")
        with pytest.raises(PlaygroundError, match="newer version of the playground .schema 3; this one reads up to 2"):
            Store(database, store.data_dir)
        with store._read() as connection:
            tables = set(sa.inspect(connection).get_table_names())
        assert {name for name in tables if not name.startswith(("library_words", "library_vectors"))} == {
            "playground_schema", "alembic_version", "runs", "desks", "notes", "owned_files", "causes", "measured",
            "votes", "library", "tags", "shares", "sweeps",
        }  # fmt: skip

    def test_a_file_that_is_no_database_gets_a_sentence_and_is_left_alone(self, tmp_path):
        (tmp_path / "runs.sqlite").write_text("not a database " * 1000)
        with pytest.raises(PlaygroundError, match=r"runs\.sqlite is damaged"):
            Store("", tmp_path)
        assert (tmp_path / "runs.sqlite").read_text() == "not a database " * 1000

    @pytest.mark.sqlite
    def test_an_index_damaged_later_gets_a_sentence(self, store):
        for number in range(50):
            store.save_run(make_run(f"run-{number}", stats={"text": "x" * 2000}))
        store.close()
        index = store.data_dir / "runs.sqlite"
        index.write_bytes(index.read_bytes()[:4096] + b"\xff" * 400_000)
        with pytest.raises(PlaygroundError, match="is damaged"):
            store.runs()
        with pytest.raises(PlaygroundError, match="is damaged"):
            store.save_run(make_run("more"))

    def test_a_damaged_record_names_its_run(self, store):
        store.save_run(make_run("one"))
        with store._write() as connection:
            connection.exec_driver_sql("UPDATE runs SET record = '{'")
        with pytest.raises(PlaygroundError, match="record of run one is damaged"):
            kept_run(store, "one")

    def test_an_output_that_is_not_what_its_hash_says_is_named_by_its_number(self, store):
        run = make_run("one")
        outputs = [Output("text", at, "x", data=b"hello", sha256=hashlib.sha256(b"other").hexdigest()) for at in (1, 2)]
        with pytest.raises(PlaygroundError, match="Output 2 was damaged"):
            store.save_run(replace(run, outputs=tuple(outputs)))
        assert store.runs() == []

    def test_a_locked_index_gets_a_sentence_and_keeps_its_rows(self, tmp_path, monkeypatch):
        monkeypatch.setattr("models.index.BUSY_TIMEOUT_S", 0.1)
        store = Store("", tmp_path)
        store.save_run(make_run("one"))
        other = sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(PlaygroundError, match="in use by another process"):
            store.save_run(make_run("two"))
        assert ids(store.runs()) == ["one"]  # reading goes on
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("ROLLBACK")
        store.save_run(make_run("two"))
        assert len(store.runs()) == 2
        store.close()

    @pytest.mark.sqlite
    def test_a_row_that_cannot_be_written_leaves_the_old_one(self, store):
        store.save_run(make_run("one", "first"))
        trigger = "CREATE TRIGGER full BEFORE INSERT ON run_artifacts BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        with sqlite3.connect(store.data_dir / "runs.sqlite") as connection:
            connection.execute(trigger)
        with pytest.raises(PlaygroundError, match="found its disk full"):
            store.save_run(make_run("one", "second"))
        assert kept_run(store, "one", load=True) == make_run("one", "first")
