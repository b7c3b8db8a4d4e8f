"""A data folder that is removed under a running app: told, made again, and what comes after is kept."""

import shutil
import threading

import pytest

from models.errors import BadInput
from models.store import Store
from models.types import Request
from tests.stored import ids, kept_run, make_run


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'data' / 'runs.sqlite'}", tmp_path / "data")
    store.save_run(make_run("before"))
    yield store
    store.close()


def test_what_is_made_after_is_kept_and_found_by_another_process_too(store, tmp_path):
    assert store.lost() == ""
    shutil.rmtree(tmp_path / "data")
    run = make_run("after")
    store.save_run(run)
    assert kept_run(store, "after", load=True) == run
    assert "runs.sqlite was removed while the app ran" in store.lost()
    assert store.lost(within_s=0) == ""
    other = Store(f"sqlite:///{tmp_path / 'data' / 'runs.sqlite'}", tmp_path / "data")
    assert ids(other.runs()) == ["after"]
    other.close()


def test_a_look_at_what_is_gone_finds_nothing_and_breaks_nothing(store, tmp_path):
    ref = store.take("ann", b"a picture")
    shutil.rmtree(tmp_path / "data")
    assert store.runs() == []
    assert store.desks("ann") == []
    assert not store.owns("ann", ref)
    with pytest.raises(BadInput, match="Upload it or run it again"):
        store.get_bytes(ref)
    assert store.take("ann", b"a picture") == ref
    assert store.get_bytes(ref) == b"a picture"


def test_another_file_in_its_place_is_written_to(store, tmp_path):
    copy = tmp_path / "copy.sqlite"
    older = Store(f"sqlite:///{copy}", tmp_path / "data")
    older.save_run(make_run("backup"))
    older.close()
    for file in (tmp_path / "data").glob("runs.sqlite*"):
        file.unlink()
    shutil.move(copy, tmp_path / "data" / "runs.sqlite")
    store.save_desk("ann", Request(model="text/odd"))
    assert ids(store.runs()) == ["backup"]


def test_many_that_find_it_gone_make_one(store, tmp_path):
    shutil.rmtree(tmp_path / "data")
    threads = [
        threading.Thread(target=store.save_run, args=(make_run(f"run-{number}", created_at=float(number)),))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids(store.runs())) == [f"run-{number}" for number in range(8)]
