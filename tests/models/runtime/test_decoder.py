"""The process that reads uploads: bounded in memory and time, one call at a time, and gone when nobody needs it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from models.errors import BadInput, PlaygroundError
from models.runtime import decoder as decoders
from models.runtime.decoder import Decoder
from models.settings import Settings
from tests import decodings

ROOT = Path(__file__).parents[3]


def until(check, timeout_s=60):
    limit = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < limit
        time.sleep(0.02)


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def made(tmp_path):
    found = []

    def make(**values):
        found.append(Decoder(Settings(data_dir=tmp_path, **values)))
        return found[-1]

    yield make
    for one in found:
        one.close()


def test_one_process_without_torch_and_secrets_serves_call_after_call(made, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SECRET", "password")
    decoder = made()
    first = decoder.call(decodings.describe, b"a", word="blue ☃")
    assert first == {"pid": decoder.pid, "word": "blue ☃", "held": 0, "torch": False, "secret": ""}
    assert first["pid"] != os.getpid()
    assert decoder.call(decodings.describe, b"b")["pid"] == first["pid"]


def test_what_a_call_leaves_is_there_until_it_was_kept(made, tmp_path):
    decoder = made()
    with decoder.calling(decodings.describe, b"abc" * 1_000_000) as (_, files):
        assert {name: file.read_bytes() for name, file in files.items()} == {"copy": b"abc" * 1_000_000}
    assert not files["copy"].exists()
    assert [file.name for file in (tmp_path / "decoding").iterdir()] == ["lock"]


def test_what_a_reader_refuses_keeps_its_words_and_what_nobody_foresaw_is_logged(made, caplog):
    decoder = made()
    with pytest.raises(BadInput, match=r"^It is blue; red is allowed\. Paint it\.$"):
        decoder.call(decodings.refuse, b"")
    with pytest.raises(PlaygroundError, match=r"The image could not be read: its reader failed \(KeyError\)"):
        decoder.call(decodings.fail, b"secret", said="image")
    assert "in fail" in caplog.text
    assert decoder.call(decodings.describe, b"")["pid"] == decoder.pid


def test_more_memory_than_is_allowed_is_a_sentence_and_harms_nobody(made):
    decoder = made(decode_bytes=100_000_000)
    assert decoder.call(decodings.describe, b"", hold_bytes=50_000_000)["held"] == 50_000_000
    pid = decoder.pid
    with pytest.raises(BadInput, match=r"The image cannot be read: it is damaged, or needs more memory than is"):
        decoder.call(decodings.describe, b"", said="image", hold_bytes=200_000_000)
    assert decoder.call(decodings.describe, b"", hold_bytes=50_000_000)["pid"] == pid


def test_a_process_that_a_file_ends_is_replaced(made):
    decoder = made()
    pid = decoder.call(decodings.describe, b"")["pid"]
    with pytest.raises(BadInput, match=r"The recording cannot be read: it is damaged"):
        decoder.call(decodings.crash, b"", said="recording")
    assert decoder.call(decodings.describe, b"")["pid"] not in (pid, os.getpid())


def test_past_its_deadline_it_is_killed(made):
    decoder = made(decode_max_s=3.0)
    pid = decoder.call(decodings.describe, b"")["pid"]
    with pytest.raises(BadInput, match=r"Reading the mask took longer than 3 s.*the most allowed"):
        decoder.call(decodings.describe, b"", said="mask", take_s=600)
    assert not lives(pid)
    assert decoder.call(decodings.describe, b"")["word"] == ""


def test_calls_take_turns_on_this_host_whoever_asks(made, tmp_path):
    log, one = tmp_path / "log", made()
    threads = [
        threading.Thread(target=decoder.call, args=(decodings.describe, b""), kwargs={"take_s": 0.3, "log": str(log)})
        for decoder in (one, one, made())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert log.read_text().split() == ["begin", "end"] * 3


def test_who_waits_too_long_for_others_is_told(made, monkeypatch):
    monkeypatch.setattr(decoders, "WAIT_S", 0.05)
    decoder = made()
    decoder._turn.acquire()
    with pytest.raises(PlaygroundError, match="Other uploads are being read"):
        decoder.call(decodings.describe, b"")
    decoder._turn.release()
    assert decoder.call(decodings.describe, b"")


def test_it_ends_when_nobody_asked_for_a_while(made, monkeypatch):
    monkeypatch.setattr(decoders, "IDLE_S", 0.5)
    decoder = made()
    pid = decoder.call(decodings.describe, b"")["pid"]
    until(lambda: decoder.pid is None)
    assert not lives(pid)
    assert decoder.call(decodings.describe, b"")["pid"] != pid


PARENT = """
import sys, time
from pathlib import Path
from models.runtime.decoder import Decoder
from models.settings import Settings
from tests import decodings
decoder = Decoder(Settings(data_dir=Path(sys.argv[1])))
decoder.call(decodings.describe, b"")
print(decoder.pid, flush=True)
decoder.call(decodings.describe, b"", take_s=600)
"""


def test_it_ends_with_its_parent_in_the_middle_of_a_call(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not lives(pid))


ROOM = """
from models.errors import BadInput
def check(folder, data, name):
    (folder / "length").write_text(str(len(data)))
    if not data:
        raise BadInput(f"The {name} is empty.")
"""


def test_a_reader_of_a_room_from_elsewhere_is_found_by_its_file(made, tmp_path):
    from models.family import import_file

    (tmp_path / "room.py").write_text(ROOM)
    check = import_file(tmp_path / "room.py").check
    decoder = made()
    with decoder.calling(check, b"12345", name="floor") as (_, files):
        assert files["length"].read_text() == "5"
    with pytest.raises(BadInput, match=r"^The floor is empty\.$"):
        decoder.call(check, b"", name="floor")
