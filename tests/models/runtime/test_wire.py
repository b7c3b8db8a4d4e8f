import threading

import pytest

from models.events import Final, Preview, Progress, from_wire, to_wire
from models.runtime import wire
from models.types import Output
from tests.models.runtime.world import until


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


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "shorter than its length field"),
        (b"\0\0\0", "shorter than its length field"),
        (wire.pack({"a": 1}, [b"xyz"])[:-1], "a frame has 28 bytes, its header says 29"),
        (wire.pack({"a": 1}) + b"z", "a frame has 26 bytes, its header says 25"),
        (b"\0\0\0\x02{}", "does not say what follows it"),
        (b'\0\0\0\x0e{"blobs":[-1]}', "does not say what follows it"),
        (b'\0\0\0\x10{"blobs":[true]}', "does not say what follows it"),
    ],
)
def test_a_cut_or_padded_frame_is_refused(frame, words):
    with pytest.raises(ValueError, match=words):
        wire.unpack(frame)


def test_a_frame_is_its_header_s_length_the_header_and_the_bytes():
    assert wire.pack({"a": 1}, [b"xy", b""]) == b'\0\0\0\x19{"a": 1, "blobs": [2, 0]}xy'
    assert wire.unpack(wire.pack({"a": 1}, [b"xy", b"", b"z"])) == ({"a": 1}, [b"xy", b"", b"z"])


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
        self.go, self.frames, self.blobs = threading.Event(), [], []

    def send_bytes(self, frame: bytes) -> None:
        self.go.wait(5)
        header, blobs = wire.unpack(frame)
        self.frames.append(header)
        self.blobs.append(blobs)


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


def test_what_takes_the_place_of_a_waiting_frame_keeps_its_place_and_brings_its_own_bytes():
    slow = Slow()
    sender = wire.Sender(slow)
    sender.send({"n": "first"})
    until(lambda: not sender._waiting)  # it is being written
    sender.send({"preview": 1}, [b"old"], slot="a")
    sender.send({"other": 1}, slot="b")
    sender.send({"end": 1})
    sender.send({"preview": 2}, [b"newer"], slot="a")
    slow.go.set()
    until(lambda: len(slow.frames) == 4)
    sender.send({"preview": 3}, slot="a")  # the one before has gone
    sender.close(5)
    assert slow.frames == [{"n": "first"}, {"preview": 2}, {"other": 1}, {"end": 1}, {"preview": 3}]
    assert slow.blobs[1] == [b"newer"]


def test_a_sender_whose_reader_is_gone_ends_by_itself():
    class Gone:
        def send_bytes(self, frame):
            raise OSError("gone")

    sender = wire.Sender(Gone())
    sender.send({"n": 1})
    sender._thread.join(5)
    assert not sender._thread.is_alive()
