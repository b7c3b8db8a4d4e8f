"""What goes from a store that holds too much, what goes last, and what a full disk does."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from models import blobs
from models.errors import PlaygroundError
from models.plain_text import text_output
from models.pruning import Pruned
from models.settings import Settings
from models.types import Output, Request, Run
from tests.stored import HOUR, age, files, ids, kept_run, make_run

NOW = 1_000_000.0
DAY = 24 * HOUR


def hexed(number):
    return f"{number:032x}"


def written(number, owner="ann", at=NOW - DAY, size=50_000, logits=True, study=""):
    """Return a run of a text with its logits."""
    outputs = [text_output(f"text {number} {owner}", {})]
    if logits:
        data = f"{number} {owner}".encode().ljust(size, b"x")
        meta = {"what": "logits", "ids": [1], "forced": 0, "whole": True}
        outputs.append(Output("view", 0, "", data, "application/safetensors", meta=meta))
    request = Request(model="text/story-gpt", inputs={"prompt": "Once"}, seed=number, study=study)
    return Run(hexed(number), owner, "job", request, "done", at, outputs)


def has_logits(store, run_id):
    run = kept_run(store, run_id)
    return [store.path(one.sha256).exists() for one in run.outputs if one.kind == "view"] == [True]


class TestLogits:
    def test_only_the_newest_texts_of_each_owner_keep_theirs(self, store):
        for number in range(5):
            store.save_run(written(number, at=NOW + number))
        store.save_run(written(9, owner="bob", at=NOW - 99))
        age(store, HOUR)
        gone = store.thin(2)
        assert (gone.runs, gone.artifacts) == (0, 3)
        assert gone.bytes == 150_000
        assert [number for number in range(5) if has_logits(store, hexed(number))] == [3, 4]
        assert has_logits(store, hexed(9))
        assert len(store.runs()) == 6  # the texts stay
        assert store.thin(2) == Pruned()

    def test_what_is_kept_or_open_keeps_them(self, store):
        for number in range(4):
            store.save_run(written(number, at=NOW + number))
        store.save_note("ann", "text-kept", {hexed(0): "job"})
        age(store, HOUR)
        assert store.thin(1, last=[hexed(1)]).artifacts == 1
        assert [number for number in range(4) if has_logits(store, hexed(number))] == [0, 1, 3]

    def test_a_file_that_a_newer_run_needs_too_stays(self, store):
        store.save_run(written(1, at=NOW))
        again = replace(written(1, at=NOW + 5), id=hexed(2))
        store.save_run(again)
        age(store, HOUR)
        assert store.thin(1) == Pruned()

    def test_texts_without_logits_do_not_count_and_studies_keep_their_views(self, store):
        store.save_run(written(1, at=NOW))
        store.save_run(written(2, at=NOW + 1, logits=False))
        store.save_run(written(3, at=NOW + 2, study="lens"))
        age(store, HOUR)
        assert store.thin(1) == Pruned()

    def test_logits_that_an_open_look_computed_again_stay(self, store):
        store.save_run(written(1, at=NOW))
        store.save_run(replace(written(1, at=NOW, study="scores"), id=hexed(5)))
        age(store, HOUR)
        assert store.thin(0, last=[hexed(5)]) == Pruned()
        assert store.thin(0).artifacts == 1

    def test_logits_come_back_with_a_run_that_gives_the_same(self, store):
        first = written(1)
        store.save_run(first)
        assert store.thin(0, now=NOW * 9_999).artifacts == 1
        assert not has_logits(store, first.id)
        store.save_run(replace(written(1), id=hexed(8)))
        assert has_logits(store, first.id)

    def test_a_damaged_row_keeps_its_files(self, store):
        store.save_run(written(1))
        with store._write() as connection:
            connection.exec_driver_sql("UPDATE runs SET record = '{'")
        age(store, HOUR)
        assert store.thin(0) == Pruned()


class TestLimits:
    def fill(self, store, count, owner="ann", first=0, size=50_000, at=NOW - DAY):
        for number in range(first, first + count):
            store.save_run(written(number, owner, at + number, size))
        age(store, HOUR * 48)

    def test_an_owner_over_their_share_loses_their_own_oldest(self, store):
        self.fill(store, 6)
        self.fill(store, 1, "bob", 10, at=NOW - 3 * DAY)  # the oldest of all
        gone = store.prune(owner_bytes=160_000, now=NOW)
        assert gone.runs == 3
        assert kept_run(store, hexed(10)) is not None
        assert kept_run(store, hexed(5)) is not None
        assert kept_run(store, hexed(0)) is None
        assert store.prune(owner_bytes=160_000, now=NOW) == Pruned()

    def test_what_is_older_than_the_limit_goes_but_not_what_is_kept(self, store):
        for number, days in enumerate((40, 35, 20)):
            store.save_run(written(number, at=NOW - days * DAY))
        store.save_note("ann", "text-kept", {hexed(0): "job"})
        age(store, 60 * DAY)
        assert store.prune(max_age_s=30 * DAY, now=NOW).runs == 1
        assert ids(store.runs()) == [hexed(2), hexed(0)]

    def test_what_is_kept_or_open_goes_last_and_goes_in_the_end(self, store):
        self.fill(store, 5)
        store.save_note("ann", "text-kept", {hexed(0): "job"})
        assert store.prune(max_runs=2, last=[hexed(1)], now=NOW).runs == 3
        assert ids(store.runs()) == [hexed(1), hexed(0)]
        assert store.prune(max_runs=1, last=[hexed(1)], now=NOW).runs == 1
        assert ids(store.runs()) == [hexed(1)]
        assert store.prune(max_runs=0, last=[hexed(1)], never=[hexed(1)], now=NOW) == Pruned()

    def test_a_result_that_is_kept_while_it_chooses_stays(self, store, monkeypatch):
        self.fill(store, 2)
        whole, calls = store._write, []

        def keep_first():
            if not calls:
                calls.append(1)
                store.save_note("ann", "text-kept", {hexed(0): "job"})
            return whole()

        monkeypatch.setattr(store, "_write", keep_first)
        store.prune(max_runs=1, now=NOW)
        assert kept_run(store, hexed(0)) is not None

    def test_a_file_that_is_stored_again_before_it_goes_stays(self, store, monkeypatch):
        ref = store.put_bytes(b"an upload")
        age(store, HOUR * 48)
        whole = store._write

        def again():
            store.put_bytes(b"an upload")
            return whole()

        monkeypatch.setattr(store, "_write", again)
        assert store.prune(max_bytes=0).artifacts == 0
        assert store.get_bytes(ref) == b"an upload"


class SmallDisk:
    """Let artefacts take so many bytes and no more."""

    def __init__(self, monkeypatch, store, room):
        self.room, self.refused, write = room, 0, blobs._write_file

        def full(target: Path, data: bytes) -> None:
            used = sum(path.stat().st_size for path in (store.data_dir / "artifacts").rglob("*") if path.is_file())
            if used + len(data) > self.room:
                self.refused += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(target, data)

        monkeypatch.setattr(blobs, "_write_file", full)


class TestFullDisk:
    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch):
        monkeypatch.setattr("models.store.ROOM_BYTES", 0)

    def test_a_result_that_finds_the_disk_full_makes_room_by_older_logits(self, store, monkeypatch):
        for number in range(3):
            store.save_run(written(number))
        disk = SmallDisk(monkeypatch, store, 170_000)
        store.save_run(written(7))
        assert disk.refused == 1
        assert has_logits(store, hexed(7))
        assert len(store.runs()) == 4  # nobody lost a text
        assert not any(has_logits(store, hexed(number)) for number in range(3))

    def test_runs_go_where_logits_are_not_enough_and_what_is_open_goes_last(self, store, monkeypatch):
        for number in range(3):
            store.save_run(make_run(hexed(number), "x" * 60_000 + str(number), created_at=NOW + number))
        age(store, HOUR)
        store.last = lambda: [hexed(0)]
        used = sum(store.path(name).stat().st_size for name in files(store))
        SmallDisk(monkeypatch, store, used + 1_000)
        store.save_run(make_run(hexed(9), "y" * 10_000, created_at=NOW + 9))
        left = ids(store.runs())
        assert hexed(9) in left
        assert hexed(0) in left
        assert hexed(1) not in left

    def test_an_upload_makes_room_too(self, store, monkeypatch):
        store.save_run(written(1))
        SmallDisk(monkeypatch, store, 60_000)
        ref = store.take("ann", b"u" * 20_000)
        assert store.get_bytes(ref) == b"u" * 20_000

    def test_where_nothing_can_go_the_sentence_says_so_and_nothing_is_lost(self, store, monkeypatch):
        store.save_run(written(1, logits=False))
        before = files(store)
        SmallDisk(monkeypatch, store, 0)
        young = replace(written(2, logits=False), created_at=time.time())
        with pytest.raises(PlaygroundError, match="is full. Free some space"):
            store.save_run(young)
        assert set(files(store)) <= set(before)

    def test_any_other_fault_prunes_nothing(self, store, monkeypatch):
        store.save_run(written(1))

        def refuse(target, data):
            raise OSError(errno.EACCES, "denied")

        monkeypatch.setattr(blobs, "_write_file", refuse)
        with pytest.raises(PlaygroundError, match="denied"):
            store.save_run(written(2))
        assert has_logits(store, hexed(1))


def test_settings_without_a_number_leave_the_store_alone(store, tmp_path):
    from models.runtime.tidying import Tidying

    store.save_run(written(1, at=1.0))
    age(store, HOUR * 48)
    settings = Settings(data_dir=tmp_path, keep_bytes=0, keep_owner_bytes=0, keep_days=0, keep_logits=1)
    assert Tidying(store, settings, clock=lambda: NOW).once() == Pruned()
    assert ids(store.runs()) == [hexed(1)]
