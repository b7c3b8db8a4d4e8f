"""One worker process as the app sees it, on the real wire: what it is told, what it says late, how it ends."""

import os
import signal
import socket
import struct

import pytest

from models.errors import PlaygroundError
from models.runtime import wire, worker_process
from models.runtime.worker_process import WorkerProcess
from models.settings import Settings
from tests.models.runtime.scripted import WireWorker
from tests.models.runtime.world import until

STATE = {"op": "state", "phase": "ready", "since": 1.0, "loaded": [], "used_bytes": 1, "budget_bytes": 2}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a worker process, what plays it, and the list of the states that it told."""
    monkeypatch.setattr(WireWorker, "made", [])
    monkeypatch.setattr(worker_process.subprocess, "Popen", WireWorker)
    monkeypatch.setattr(worker_process.memory, "oom_kills", lambda: kills[0])
    monkeypatch.setattr(os, "killpg", lambda pid, how: killed.append((pid, how)))
    states, killed, kills = [], [], [3]
    process = WorkerProcess(Settings(data_dir=tmp_path), lambda worker, header: states.append(header))
    process.states, process.signals, process.kills = states, killed, kills
    yield process
    played = WireWorker.made[0]
    if not played.ended.is_set():
        played.end(0)
    assert process.died.wait(10)


def played():
    assert WireWorker.made[0].connected.wait(10)
    return WireWorker.made[0]


def timeouts(connection):
    """Return the seconds and microseconds after which the kernel ends a read or a write: 0 for never."""
    with socket.socket(fileno=os.dup(connection.fileno())) as plain:
        return [
            struct.unpack("ll", plain.getsockopt(socket.SOL_SOCKET, name, 16))
            for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
        ]


def test_the_timeout_of_the_handshake_ends_with_it_at_both_ends(made):
    assert timeouts(played().connection) == [(0, 0), (0, 0)]
    until(lambda: made._sender)
    assert timeouts(made._sender._connection) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("first", [True, False])
def test_a_caller_that_says_nothing_is_given_up_within_the_handshake_s_time(monkeypatch, first):
    monkeypatch.setattr(wire, "_AUTH_TIMEOUT_S", 1.0)
    here, there = socket.socketpair()
    monkeypatch.setattr(socket.socket, "setsockopt", quiet(socket.socket.setsockopt))
    with there, pytest.raises(OSError):
        wire._authenticated(here, b"k" * 32, first=first)


def quiet(setsockopt):
    """Return a `setsockopt` that leaves out what a pair of sockets does not have: TCP's options."""
    return lambda self, level, *more: None if level == socket.IPPROTO_TCP else setsockopt(self, level, *more)


def test_what_was_asked_before_it_connected_comes_first_and_in_order(made):
    made.ask({"op": "generate", "id": "1"})
    made.ask({"op": "stop", "id": "1"})
    one = played()
    until(lambda: made._sender)
    made.ask({"op": "skip", "id": "1"})
    assert [one.heard.get(timeout=10)["op"] for _ in range(3)] == ["generate", "stop", "skip"]
    assert one.setup["app_pid"] == os.getpid()
    assert one.setup["settings"]["data_dir"] == str(made._settings.data_dir)


def test_answers_go_to_the_inbox_that_waits_and_what_comes_late_to_none(made):
    one, first, second = played(), made.open_inbox("1"), made.open_inbox("2")
    assert made.busy()
    made.close_inbox("1")
    for name in ("1", "unknown", "2"):
        one.say({"op": "event", "id": name}, (name.encode(),))
    assert second.get(timeout=10) == ({"op": "event", "id": "2"}, [b"2"])
    assert first.empty() and second.empty()
    one.say(STATE)
    one.say({"op": "end", "id": "2"})
    assert second.get(timeout=10)[0]["op"] == "end"
    assert made.states == [STATE]
    assert not made.died.is_set()
    made.close_inbox("2")
    assert not made.busy()


def test_its_death_is_told_to_all_who_wait_and_to_who_asks_after(made):
    waiting = [made.open_inbox(name) for name in "12"]
    played().end(3)
    assert [inbox.get(timeout=10) for inbox in waiting] == [None, None]
    assert made.open_inbox("3").get(timeout=10) is None
    until(lambda: made.states)
    assert made.states == [None]
    assert made.died.is_set()


@pytest.mark.parametrize(
    ("code", "oom", "reason"),
    [
        (0, 0, "exited"), (3, 0, "exited"), (3, 1, "exited"), (-signal.SIGTERM, 0, "exited"),
        (-signal.SIGKILL, 0, "killed"), (-signal.SIGKILL, 1, "out_of_memory"),
        (-signal.SIGSEGV, 1, "crashed"), (-signal.SIGABRT, 0, "crashed"), (-signal.SIGBUS, 0, "crashed"),
        (-signal.SIGFPE, 0, "crashed"), (-signal.SIGILL, 0, "crashed"),
    ],
)  # fmt: skip
def test_why_it_died_is_read_from_its_end_and_from_the_kernel_s_count(made, code, oom, reason):
    inbox = made.open_inbox("1")
    made.kills[0] += oom
    played().end(code)
    assert inbox.get(timeout=10) is None
    assert made.reason() == reason
    made.kills[0] += 5  # the kernel struck another worker
    assert made.reason() == reason


def test_one_that_was_killed_from_here_died_of_that(made):
    inbox = made.open_inbox("1")
    made.kill("unresponsive")
    assert made.signals == [(7000, signal.SIGKILL)]
    played().end(-signal.SIGKILL)
    assert inbox.get(timeout=10) is None
    assert made.reason() == "unresponsive"


def test_one_that_says_what_cannot_be_read_is_killed(made):
    inbox = made.open_inbox("1")
    played().connection.send_bytes(b"\0\0\0\xffno frame")
    until(lambda: made.signals)
    played().end(-signal.SIGKILL)
    assert inbox.get(timeout=10) is None
    assert made.reason() == "crashed"


@pytest.mark.parametrize("heeds", [True, False])
def test_an_idle_one_is_asked_to_quit_and_killed_only_if_it_does_not_in_time(made, heeds):
    one, asked, whole = played(), [], WireWorker.wait
    until(lambda: made._sender)

    def wait(timeout=None):
        if timeout is None:
            if made.signals and not one.ended.is_set():
                one.end(-signal.SIGKILL)
            return whole(one)
        asked.append((timeout, one.heard.get(timeout=10)["op"]))
        if not heeds:
            raise worker_process.subprocess.TimeoutExpired("worker", timeout)
        one.end(0)
        return 0

    one.wait = wait
    made.retire(timeout_s=2.0)
    assert asked == [(2.0, "quit")]
    assert made.signals == ([] if heeds else [(7000, signal.SIGKILL)])
    assert made.died.wait(10)
    assert made.reason() == "replaced"


def test_a_worker_that_ended_while_it_started_is_told_by_the_last_line_of_its_own_log(tmp_path, monkeypatch, made):
    made.log_file.write_text("before\nof an earlier worker\n")
    made._log_from = made.log_file.stat().st_size
    with made.log_file.open("a") as log:
        log.write("Traceback\nNo module named 'torch'\n\n")
    made.process.end(1)
    assert made.died.wait(10)
    assert made.why() == "It ended with: No module named 'torch'"
    made._log_from = made.log_file.stat().st_size
    assert made.why() == "It ended with exit code 1."
    made._reason = "out_of_memory"
    assert made.why() == "The machine's memory was used up while it started. End other programs."


def test_an_inbox_of_a_worker_that_could_not_be_started_is_not_left_open(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(worker_process.subprocess, "Popen", refused)
    listeners, listen = [], wire.listen
    monkeypatch.setattr(wire, "listen", lambda: listeners.append(listen()) or listeners[-1])
    with pytest.raises(PlaygroundError, match="could not be started"):
        WorkerProcess(Settings(data_dir=tmp_path), lambda worker, header: None)
    assert listeners[0].fileno() == -1
