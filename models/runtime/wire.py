"""How the app and its worker talk: frames of a JSON header and raw bytes over an authenticated loopback socket.

No pickle: a frame is a 4-byte big-endian header length, the header as UTF-8 JSON with the blobs' lengths under
`"blobs"`, then the blobs. Both ends prove that they know the key (HMAC challenge of `multiprocessing.connection`)
before the first frame.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

from models import outside

HEADER_MAX_BYTES = 100_000_000  # a kept text's logits travel as blobs; a look at a long text is a large header
_LENGTH = struct.Struct(">I")
_AUTH_TIMEOUT_S = 10.0


def pack(header: dict[str, Any], blobs: list[bytes] | tuple[bytes, ...] = ()) -> bytes:
    """Return one frame. Raises `TypeError` or `ValueError` for a header that is no JSON."""
    head = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}, allow_nan=False).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *blobs))


def unpack(frame: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Take a frame apart into header and blobs. Raises `ValueError` for a frame that is cut, too long or of another
    form.
    """
    if len(frame) < _LENGTH.size:
        raise ValueError("a frame is shorter than its length field")
    start = _LENGTH.size + _LENGTH.unpack_from(frame)[0]
    header = outside.read_json(frame[_LENGTH.size : start], most=HEADER_MAX_BYTES)
    sizes = header.pop("blobs", None) if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a frame's header does not say what follows it")
    blobs = []
    for size in sizes:
        blobs.append(frame[start : start + size])
        start += size
    if start != len(frame):
        raise ValueError(f"a frame has {len(frame)} bytes, its header says {start}")
    return header, blobs


def listen() -> socket.socket:
    """Open a listening socket on a free port of 127.0.0.1."""
    return socket.create_server(("127.0.0.1", 0), backlog=4)


def accept(listener: socket.socket, key: bytes) -> Connection | None:
    """Accept one caller within the listener's timeout; None if none came or it does not know the key."""
    try:
        caller, _ = listener.accept()
    except TimeoutError:
        return None
    try:
        return _authenticated(caller, key, first=True)
    except (AuthenticationError, EOFError, OSError):
        return None


def connect(port: int, key: bytes) -> Connection:
    """Connect to 127.0.0.1:`port`. Raises `AuthenticationError` or `OSError`."""
    return _authenticated(socket.create_connection(("127.0.0.1", port), _AUTH_TIMEOUT_S), key, first=False)


def _authenticated(caller: socket.socket, key: bytes, *, first: bool) -> Connection:
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # a caller that never answers must not hold the listener: a kernel timeout stands for the handshake only
    caller.settimeout(None)
    wait = struct.pack("ll", int(_AUTH_TIMEOUT_S), 0)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
    connection = Connection(caller.detach())
    try:
        if first:
            deliver_challenge(connection, key)
            answer_challenge(connection, key)
        else:
            answer_challenge(connection, key)
            deliver_challenge(connection, key)
        with socket.socket(fileno=connection.fileno()) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
            plain.detach()
    except BaseException:
        connection.close()
        raise
    return connection


class Sender:
    """Write frames from a thread of its own, so that a slow reader never holds a model up.

    Frames go out in order. A frame with a `slot` replaces a waiting frame of the same slot: previews use this,
    everything else is sent without loss.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[list[Any]] = deque()
        self._slots: dict[str, list[Any]] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)
        self._thread.start()

    def send(self, header: dict[str, Any], blobs: list[bytes] | tuple[bytes, ...] = (), slot: str = "") -> None:
        """Queue one frame; packed later, by the sender's thread."""
        with self._wake:
            if slot and slot in self._slots:
                self._slots[slot][1:] = [header, blobs]
                return
            item = [slot, header, blobs]
            if slot:
                self._slots[slot] = item
            self._waiting.append(item)
            self._wake.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Send what waits, then end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def _send(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                slot, header, blobs = self._waiting.popleft()
                self._slots.pop(slot, None)
            try:
                self._connection.send_bytes(pack(header, blobs))
            except OSError:
                return  # the other end is gone; the reader's thread sees that too and acts on it
