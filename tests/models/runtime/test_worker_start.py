"""A worker that cannot start says why, and is tried again; there is never a second one."""

import errno
import shutil
import subprocess
import sys
import threading

import pytest

from models.errors import PlaygroundError
from models.runtime import locks, wire, worker_process
from models.runtime.worker_client import WorkerEngine
from models.types import Request
from tests.models.runtime.world import until
from tests.odd import odd_settings

ASK = Request(model="text/odd", inputs={"prompt": "hello"}, params={"steps": 1}, seed=0)


def refuse(*_, **__):
    raise OSError(errno.EMFILE, "Too many open files")


def no_python(patch, tmp_path):
    patch.setattr(sys, "executable", str(tmp_path / "no-python"))


def no_port(patch, tmp_path):
    patch.setattr(wire, "listen", refuse)


def no_memory(patch, tmp_path):
    def spawn(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    patch.setattr(subprocess, "Popen", spawn)


def no_code(patch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    patch.setattr(worker_process, "PACKAGE_DIR", tmp_path / "elsewhere" / "models")


def no_folder(patch, tmp_path):
    (tmp_path / "data").write_text("a file")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (no_python, r"no-python could not be started \(No such file"),
        (no_port, r"No port of 127.0.0.1 could be opened for it \(Too many open files\)"),
        (no_memory, r"could not be started \(Cannot allocate memory\).*free memory"),
        (no_code, r"It ended with: .*No module named 'models"),
        (no_folder, r"worker.log could not be read or written \((File exists|Not a directory)\)"),
    ],
)
def test_what_keeps_a_worker_from_starting_is_told_and_once_it_is_gone_one_starts(tmp_path, monkeypatch, trouble, said):
    settings = odd_settings(tmp_path)
    with monkeypatch.context() as patch:
        trouble(patch, tmp_path)
        engine = WorkerEngine(settings)
        try:
            until(lambda: engine.state().problem, 30)
            assert engine.state().phase == "stopped"
            assert engine.state().retry_at > engine.state().since
            with pytest.raises(PlaygroundError, match=f"The worker process does not start. .*{said}"):
                list(engine.generate(ASK))
        except BaseException:
            engine.close()
            raise
    if (tmp_path / "data").is_file():
        (tmp_path / "data").unlink()
    try:
        until(lambda: engine.state().phase in ("warming", "ready"), 60)
        assert list(engine.generate(ASK))[-1].outputs[0].text == "hello-0-0"
        assert engine.state().problem == ""
    finally:
        engine.close()
    assert list(settings.data_dir.glob("worker-*.lock")) == []


def test_between_two_tries_pages_that_ask_start_nothing(tmp_path, monkeypatch):
    tries = []
    monkeypatch.setattr(wire, "listen", lambda: (tries.append(1), refuse()))
    engine = WorkerEngine(odd_settings(tmp_path))
    try:
        engine._pause_until += 60
        for _ in range(10):
            with pytest.raises(PlaygroundError, match="does not start. No port"):
                engine.call("text/odd", "version", {})
        assert len(tries) == 1
    finally:
        engine.close()


def test_a_lock_that_another_holds_is_told_after_a_while(tmp_path):
    path = tmp_path / "worker-1.lock"
    held = locks.hold(path, 0)
    with pytest.raises(PlaygroundError, match=r"Another worker of this app \(process \d+\) has held .*worker-1.lock"):
        locks.hold(path, 0.1)
    locks.release(held, path)
    assert not path.exists()


def test_what_a_killed_process_left_is_taken_over_or_swept_and_what_is_held_stays(tmp_path):
    for name in ("worker-1.lock", "worker-2.lock"):
        (tmp_path / name).write_text("1")
    held = locks.hold(tmp_path / "worker-1.lock", 0)
    assert locks.sweep(tmp_path, "worker-*.lock") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["worker-1.lock"]
    locks.release(held, tmp_path / "worker-1.lock")


def test_who_waited_for_a_lock_whose_file_was_removed_holds_the_one_of_that_name(tmp_path):
    path, found = tmp_path / "worker-1.lock", []
    held = locks.hold(path, 0)
    waiting = threading.Thread(target=lambda: found.append(locks.hold(path, 5)))
    waiting.start()
    locks.release(held, path)
    waiting.join()
    with pytest.raises(PlaygroundError, match="has held"):
        locks.hold(path, 0.1)
    locks.release(found[0], path)


def test_a_data_folder_removed_under_a_worker_has_its_lock_and_log_again_with_the_next_run(tmp_path):
    settings = odd_settings(tmp_path)
    engine = WorkerEngine(settings)
    try:
        list(engine.generate(ASK))
        lock, log = next(settings.data_dir.glob("worker-*.lock")), settings.data_dir / "worker.log"
        shutil.rmtree(settings.data_dir)
        assert list(engine.generate(ASK))[-1].outputs[0].text == "hello-0-0"
        assert "was removed while the worker ran" in log.read_text()
        with pytest.raises(PlaygroundError, match="has held"):
            locks.hold(lock, 0)
    finally:
        engine.close()
