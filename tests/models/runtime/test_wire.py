import threading

import pytest

from models.events import Final, Preview, Progress, from_wire, to_wire
from models.runtime import wire
from models.types import Output


def pair(key: bytes, other: bytes):
    listener = wire.listen()
    listener.settimeout(5)
    found: list[object] = []

    def call() -> None:
        try:
            found.append(wire.connect(listener.getsockname()[1], other))
        except Exception as error:
            found.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    accepted = wire.accept(listener, key)
    caller.join(5)
    listener.close()
    return accepted, found[0]


def test_frames_cross_the_socket_whole():
    here, there = pair(b"k" * 32, b"k" * 32)
    here.send_bytes(wire.pack({"op": "x", "text": "é\n"}, [b"", b"\0\xff" * 70_000]))
    header, blobs = wire.unpack(there.recv_bytes())
    assert header == {"op": "x", "text": "é\n"}
    assert blobs == [b"", b"\0\xff" * 70_000]
    here.close()
    with pytest.raises(EOFError):
        there.recv_bytes()


def test_a_caller_without_the_key_is_turned_away():
    accepted, error = pair(b"k" * 32, b"wrong" * 7)
    assert accepted is None
    assert isinstance(error, Exception)


def test_a_silent_caller_gives_none_within_the_timeout():
    listener = wire.listen()
    listener.settimeout(0.05)
    assert wire.accept(listener, b"k" * 32) is None


@pytest.mark.parametrize("frame", [b"", b"\0\0\0", wire.pack({"a": 1}, [b"xyz"])[:-1], wire.pack({"a": 1}) + b"z"])
def test_a_cut_or_padded_frame_is_refused(frame):
    with pytest.raises(ValueError, match=r"."):
        wire.unpack(frame)


@pytest.mark.parametrize(
    "event",
    [
        Progress("load", 3, 7, "note"),
        Progress("listen", 37, 100, unit="%"),
        Preview((Output("text", 0, "so far"), Output("text", 1, "and this")), {"tokens": 3}),
        Final((Output("image", 0, "", b"\x89PNG", "image/png", "ab", {"width": 64}),), {"seconds": 1.5}),
    ],
)
def test_events_survive_the_wire(event):
    header, blobs = wire.unpack(wire.pack(*to_wire(event)))
    assert from_wire(header, blobs) == event


def test_progress_of_a_worker_that_says_no_unit_is_read():
    header = {"kind": "progress", "stage": "generate", "step": 3, "total": 7, "note": "a note"}
    assert from_wire(header, []) == Progress("generate", 3, 7, "a note", unit="steps")


class Slow:
    """A connection whose first write waits until it is let go."""

    def __init__(self) -> None:
        self.go, self.frames = threading.Event(), []

    def send_bytes(self, frame: bytes) -> None:
        self.go.wait(5)
        self.frames.append(wire.unpack(frame)[0])


def test_a_slow_reader_loses_previews_but_nothing_else_and_keeps_the_order():
    slow = Slow()
    sender = wire.Sender(slow)
    sender.send({"n": "first"})
    for n in range(100):
        sender.send({"preview": n}, slot="p")
        if n % 10 == 0:
            sender.send({"progress": n})
    sender.send({"n": "last"})
    slow.go.set()
    sender.close(5)
    previews = [frame["preview"] for frame in slow.frames if "preview" in frame]
    assert previews[-1] == 99
    assert len(previews) <= 2
    assert [frame["progress"] for frame in slow.frames if "progress" in frame] == list(range(0, 100, 10))
    assert slow.frames[0] == {"n": "first"}
    assert slow.frames[-1] == {"n": "last"}
