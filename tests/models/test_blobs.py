import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from models.blobs import Blobs
from models.errors import BadInput, PlaygroundError
from models.pruning import Pruned
from tests.stored import HOUR, ROOT, age, files, ids, kept_run, make_run


class TestArtifacts:
    def test_bytes_come_back_under_their_hash(self, store, monkeypatch):
        ref = store.put_bytes(b"hello")
        assert ref == "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        assert store.get_bytes(ref) == store.get_bytes(ref.removeprefix("sha256:")) == b"hello"
        assert store.path(ref) == store.data_dir / "artifacts" / "2c" / ref.removeprefix("sha256:")
        assert store.get_bytes(store.put_bytes(b"")) == b""
        monkeypatch.setattr(os, "replace", Mock(side_effect=AssertionError("written again")))
        assert store.put_bytes(b"hello") == ref  # so nothing is

    @pytest.mark.parametrize(
        "ref", ["", "sha256:", "sha256:12", "sha256:" + "g" * 64, "a" * 64 + "\n", "../" * 21 + "a", "md5:" + "a" * 64]
    )
    def test_malformed_references_are_refused(self, store, ref):
        with pytest.raises(BadInput, match="is not a file reference"):
            store.get_bytes(ref)

    def test_a_damaged_file_is_detected_and_healed_by_storing_it_again(self, store):
        ref = store.put_bytes(b"hello")
        store.path(ref).write_bytes(b"jello")
        with pytest.raises(BadInput, match="damaged"):
            store.get_bytes(ref)
        store.put_bytes(b"hello")
        assert store.get_bytes(ref) == b"hello"

    def test_what_was_made_of_a_file_lies_beside_it(self, store):
        ref = store.put_bytes(b"hello")
        assert store.get_beside(ref, "loud") is None
        store.put_beside(ref, "loud", b"HELLO")
        store.put_beside(ref, "empty", b"")
        assert (store.get_beside(ref, "loud"), store.get_beside(ref, "empty")) == (b"HELLO", b"")
        assert store.get_bytes(ref) == b"hello"
        store.put_beside(ref, "loud", b"HELLO!")
        assert store.get_beside(ref, "loud") == b"HELLO!"
        with pytest.raises(BadInput, match="reference"):
            store.put_beside("../x", "loud", b"")

    @pytest.mark.parametrize("damage", [b"", b"x", bytes(40)])
    def test_what_is_damaged_beside_a_file_counts_as_missing(self, store, damage):
        ref = store.put_bytes(b"hello")
        store.put_beside(ref, "loud", b"HELLO")
        store.path(ref).with_name(store.path(ref).name + ".loud").write_bytes(damage)
        assert store.get_beside(ref, "loud") is None

    def test_what_lies_beside_a_file_goes_before_any_run(self, store):
        run = make_run("one")
        store.save_run(run)
        ref = f"sha256:{kept_run(store, 'one').outputs[0].sha256}"
        store.put_beside(ref, "loud", bytes(100_000))
        assert store.prune(max_bytes=200_000) == Pruned()
        assert store.get_beside(ref, "loud") == bytes(100_000)
        pruned = store.prune(max_bytes=50_000)  # both are old enough for the run, too
        assert (pruned.runs, pruned.artifacts) == (0, 1)
        assert pruned.bytes > 100_000
        assert store.get_beside(ref, "loud") is None
        assert kept_run(store, "one", load=True) == run

    @pytest.mark.parametrize("step", ["replace", "fsync"])
    @pytest.mark.parametrize(("number", "sentence"), [(errno.ENOSPC, "is full"), (errno.EIO, r"written \(as told\)")])
    def test_a_write_that_fails_leaves_no_file_and_no_row(self, store, monkeypatch, step, number, sentence):
        monkeypatch.setattr(os, step, Mock(side_effect=OSError(number, "as told")))
        with pytest.raises(PlaygroundError, match=sentence):
            store.save_run(make_run("one"))
        monkeypatch.undo()
        assert files(store) == []
        assert store.runs() == []
        store.save_run(make_run("one"))
        assert ids(store.runs()) == ["one"]

    def test_all_bytes_reach_the_disk_before_the_name_and_the_name_with_its_folder(self, store, monkeypatch):
        done, sync, replace = [], os.fsync, os.replace

        def synced(handle):
            kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"{os.fstat(handle).st_size} bytes"
            done.append(f"sync of {kind}")
            sync(handle)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(os, "replace", lambda *names: (done.append("named"), replace(*names)))
        store.put_bytes(b"hello")
        assert done == ["sync of 5 bytes", "named", "sync of folder"]

    def test_a_process_that_dies_while_writing_leaves_no_artifact(self, store):
        code = "import os, sys; from models.store import Store; store = Store('', sys.argv[1]);"
        code += "os.replace = lambda *_: os._exit(9); store.put_bytes(b'hello')"
        died = subprocess.run([sys.executable, "-c", code, store.data_dir], cwd=ROOT, timeout=30, check=False)
        assert died.returncode == 9
        assert len(files(store)) == 1
        with pytest.raises(BadInput, match="No file is stored"):
            store.get_bytes("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        assert store.prune(max_bytes=0) == Pruned()  # it could still be at work
        age(store, 2 * HOUR)
        assert store.prune(max_bytes=0) == Pruned(artifacts=1, bytes=5)
        assert files(store) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_comes_with_advice(tmp_path, number, monkeypatch):
    def refuses(*given, **named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuses)
    with pytest.raises(PlaygroundError, match="PLAYGROUND_DATA_DIR"):
        Blobs(tmp_path / "data")
