"""What a shell expects of a command: pipes, full disks, code pages, Ctrl+C, variables, files as named."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest
import soundfile

from models import shell
from tests.fresh import ROOT
from tests.odd import FAMILIES, odd_settings

COMMAND = [sys.executable, "-m", "models"]
STORY = ["run", "text/story-gpt", "--prompt", "Once upon a time", "--param", "max_new_tokens=8"]


@pytest.fixture
def odd(tmp_path):
    """Return the environment of a shell that knows the odd model alone; its loads take no library but torch."""
    made = odd_settings(tmp_path / "odd", ("odd", "slow-load", "damaged"))
    return {
        "PLAYGROUND_CATALOG_DIRS": json.dumps([str(made.catalog_dirs[0])]),
        "PLAYGROUND_FAMILY_DIRS": json.dumps([str(FAMILIES)]),
        "PLAYGROUND_DATA_DIR": str(tmp_path / "data"),
    }


def run(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def sentence(stderr):
    """Assert that what was told is one sentence, and return it."""
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1, stderr
    return stderr.strip()


def piped(line, **environment):
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=ROOT, env={**os.environ, "PY": sys.executable, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["list", "--help", "run text/odd --prompt x --param steps=40"])
def test_a_reader_that_leaves_is_no_mistake(odd, command):
    done = piped(f"$PY -m models {command} | (head -c 5; sleep 0.2)", **odd)
    assert done.stderr == ""
    assert len(done.stdout) == 5
    assert done.returncode in (0, shell.PIPE_CLOSED)  # 0 where all of it fitted into the pipe


def test_a_file_is_written_though_the_reader_left(odd, tmp_path):
    out = tmp_path / "x.txt"
    done = piped(f"$PY -m models run text/odd --prompt x --param steps=9 --out {out} | head -c 1", **odd)
    assert done.stderr == ""
    assert done.returncode == shell.PIPE_CLOSED
    assert out.read_text().startswith("x-0-0 ")


@pytest.mark.parametrize("command", ["list", "--help"])
def test_a_full_disk_behind_stdout_gets_a_sentence(odd, command):
    done = piped(f"$PY -m models {command} > /dev/full", **odd)
    assert "no space left" in sentence(done.stderr)
    assert done.returncode == shell.FAILED


def test_a_full_disk_behind_out_keeps_the_result(odd):
    done = run("run", "text/odd", "--prompt", "x", "--param", "steps=2", "--out", "/dev/full", **odd)
    told = sentence(done.stderr)
    assert done.returncode == shell.FAILED
    assert "no space left" in told
    kept = Path(told.split("The result is in ")[1].rstrip("."))
    assert kept.read_text().startswith("x-0-0 x-0-1")
    kept.unlink()
    kept.parent.rmdir()


def test_a_file_that_cannot_be_written_is_refused_before_the_run(odd, tmp_path):
    (tmp_path / "folder").mkdir()
    for out, words in ((tmp_path / "none" / "x.txt", "does not exist"), (tmp_path / "folder", "is a folder")):
        done = run("run", "text/odd", "--prompt", "x", "--out", str(out), **odd)
        assert words in sentence(done.stderr)
        assert (done.returncode, done.stdout) == (2, "")


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path, monkeypatch):
    file = tmp_path / "x.txt"
    file.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(shell.Unwritable, match="Free some space"):  # the temporary folder is full too
            shell.write_file(file, b"new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
    file.chmod(0o640)
    shell.write_file(file, b"new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("coding", ["ascii", "cp437"])
def test_a_terminal_of_few_letters_shows_escapes(odd, coding):
    for arguments, code in (
        (["run", "text/odd", "--prompt", "“Ж🐉”", "--param", "steps=1"], 0),
        (["show", "text/“Ж🐉”"], 2), (["run", "text/odd", "--prompt", "\udcff"], 2),
    ):  # fmt: skip
        done = run(*arguments, **odd, PYTHONIOENCODING=coding)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("THREADS", "many", "PLAYGROUND_THREADS is 'many'; it must be a whole number."),
        ("THREADS", "-1", "it must be at least 0."),
        ("OWNERS", "all", "one of 'auto', 'machine', 'cookie' or 'session'"),
        ("CATALOG_DIRS", "/tmp", "PLAYGROUND_CATALOG_DIRS cannot be read; it must be a JSON list of folders"),
        ("CATALOG_DIRS", '["/nowhere"]', "does not exist"),
        ("GONE_AFTER_S", "nan", "PLAYGROUND_GONE_AFTER_S is 'nan'"),
    ],
)  # fmt: skip
def test_a_bad_variable_gets_a_sentence(odd, name, value, words):
    done = run("list", **{**odd, f"PLAYGROUND_{name}": value})
    assert words in sentence(done.stderr)
    assert (done.returncode, done.stdout) == (2, "")


def interrupted(arguments, when, environment):
    """Press Ctrl+C when `when(process)` returns; return exit code, stdout and stderr."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    first = when(process) or ""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, first + out, err


def imports(name):
    """Wait until a process has imported so much that it has a file of this name mapped, or a second has passed."""

    def when(process):
        limit = time.monotonic() + 10
        while time.monotonic() < limit and name not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.005)

    return when


@pytest.mark.parametrize("library", ["_pydantic_core", "numpy", "libtorch"])
@pytest.mark.parametrize("model", ["text/odd", "text/slow-load"])
def test_ctrl_c_while_it_starts_is_silent(odd, library, model):
    code, out, err = interrupted(["run", model, "--prompt", "x", "--param", "step_s=5"], imports(library), odd)
    assert (code, out, err) == (shell.INTERRUPTED, "", "")


def test_ctrl_c_keeps_what_there_is(odd, tmp_path):
    out = tmp_path / "x.txt"
    arguments = ["run", "text/odd", "--prompt", "x", "--param", "steps=2000", "--out", str(out)]
    code, said, err = interrupted(arguments, lambda process: process.stdout.read(12), odd)
    assert (code, err) == (shell.INTERRUPTED, "")
    assert json.loads(said.splitlines()[-1])["stopped"]
    assert out.read_text().startswith("x-0-0 x-0-1")


def test_what_went_wrong_inside_is_one_sentence(odd):
    done = run("run", "text/odd", "--prompt", "raise it", **odd)
    assert "RuntimeError" in sentence(done.stderr)
    assert done.returncode == shell.FAILED


def test_a_traceback_goes_into_the_log_and_in_development_mode_to_stderr(odd, tmp_path):
    done = run("run", "text/damaged", "--prompt", "x", **odd)
    assert "could not be loaded" in sentence(done.stderr)
    told = (tmp_path / "data" / "worker.log").read_text()
    assert "OSError: the weights are damaged" in told
    assert "Traceback" in told
    done = run("run", "text/damaged", "--prompt", "x", PYTHONDEVMODE="1", **odd)
    assert "OSError: the weights are damaged" in done.stderr
    (tmp_path / "file").write_text("no folder")
    with shell.log_into(tmp_path / "file" / "worker.log"):
        logging.getLogger("models").warning("lost without a word")


def test_one_bad_catalogue_file_leaves_the_others(odd):
    folder = Path(json.loads(odd["PLAYGROUND_CATALOG_DIRS"])[0])
    (folder / "bad.toml").write_text('id = "text/bad"\n')
    (folder / "gone.toml").write_text(
        (folder / "odd.toml").read_text().replace("odd", "gone").replace('weights"', 'no"')
    )
    done = run("list", **odd)
    assert done.returncode == 0
    assert "text/odd " in done.stdout
    assert "bad.toml" in done.stderr
    assert run("show", "text/odd", **odd).returncode == 0
    done = run("show", "text/bad", **odd)
    assert done.returncode == 2
    assert "bad.toml" in done.stderr
    assert "There is no model 'text/bad'" in done.stderr


KINDS = {"txt": b"\n\n---\n{", "md": b"\n\n---\n{", "png": b"\x89PNG", "wav": b"RIFF", "flac": b"fLaC", "mid": b"MThd",
         "abc": b"X:1", "mp3": b""}  # fmt: skip
SHORT = {
    "text/story-gpt": ["--prompt", "Once", "--param", "max_new_tokens=4"],
    "image/emoji-gan": ["--prompt", "red heart"],
    "audio/folk-gpt": ["--param", "max_new_tokens=48"],
    "audio/digits-diffusion": ["--prompt", "1", "--param", "num_inference_steps=2"],
}


@pytest.mark.parametrize(
    ("model", "endings"),
    [("text/story-gpt", "txt md"), ("image/emoji-gan", "png"), ("audio/folk-gpt", "flac mp3 mid abc"),
     ("audio/digits-diffusion", "wav mp3")],
)  # fmt: skip
def test_a_file_is_what_its_name_says(command, tmp_path, model, endings):
    for ending in endings.split():
        out = tmp_path / f"t.{ending.upper()}"
        done = command("run", model, *SHORT[model], "--out", str(out), "--json")
        assert done.returncode == 0, done.stderr
        data = out.read_bytes()
        assert KINDS[ending] in data
        if ending == "mp3":
            assert soundfile.info(out).format == "MP3"
        if ending == "mid":
            assert mido.MidiFile(out).length > 0


@pytest.mark.parametrize("model", [*SHORT, "audio/digit-recogniser", "image/emoji-vae", "image/emoji-diffusion",
                                   "text/story-chat", "audio/folk-lstm"])  # fmt: skip
def test_a_name_that_says_something_else_is_refused(command, tmp_path, model):
    for ending in {"mp3", "png", "txt", "jpg", "mid"}:
        out = tmp_path / f"t.{ending}"
        refused = command("run", model, "--input", "x=/nowhere", "--out", str(out))
        assert refused.returncode == 2
        assert ("cannot be read" in refused.stderr) != (f"of the kind .{ending};" in refused.stderr)
        assert not out.exists()


def test_the_last_line_is_short_unless_all_is_asked_for(command):
    arguments = ["run", "audio/digits-diffusion", "--prompt", "1", "--param", "num_inference_steps=1"]
    short = json.loads(command(*arguments).stdout.splitlines()[-1])
    assert len(json.dumps(short)) < 3000
    assert short["outputs"][0]["left_out"] == ["peaks"]
    full = json.loads(command(*arguments, "--full").stdout.splitlines()[-1])
    assert len(full["outputs"][0]["meta"]["peaks"]) > 100
    assert full["output_sha256"] == short["output_sha256"]


def test_a_chat_model_is_talked_to_as_on_the_page(command, tmp_path):
    arguments = ["run", "text/story-chat", "--prompt", "Tell me a story.", "--param", "max_new_tokens=12", "--json"]
    talked = json.loads(command(*arguments).stdout)
    assert talked["inputs"]["messages"] == "[]"
    none = tmp_path / "messages.json"
    none.write_text("[]")
    assert (
        json.loads(command(*arguments, "--input", f"messages={none}").stdout)["output_sha256"]
        == talked["output_sha256"]
    )
    plain = json.loads(command(*arguments, "--bare").stdout)
    assert plain["outputs"][0]["text"].startswith("Tell me a story.")
    assert plain["output_sha256"] != talked["output_sha256"]


def test_seed_minus_1_is_a_new_one_and_is_told(command):
    said = [command(*STORY, "--seed", "-1", "--json") for _ in range(3)]
    seeds = [json.loads(one.stdout)["seed"] for one in said]
    assert len(set(seeds)) > 1
    assert all(one.stderr == f"Seed {seed} was drawn.\n" for one, seed in zip(said, seeds, strict=True))
    again = json.loads(command(*STORY, "--seed", str(seeds[0]), "--json").stdout)
    assert again["output_sha256"] == json.loads(said[0].stdout)["output_sha256"]


def test_a_blank_at_the_prompt_s_end_is_told_and_noted(command):
    done = command("run", "text/story-gpt", "--prompt", "Once upon a time ", "--param", "max_new_tokens=3", "--json")
    assert "ends with a blank" in sentence(done.stderr)
    assert any("ends with a blank" in note for note in json.loads(done.stdout)["notes"])
    done = command("run", "text/story-gpt", "--prompt", "Once upon a time\n", "--param", "max_new_tokens=3", "--json")
    assert done.stderr == ""
    assert "notes" not in json.loads(done.stdout) or not json.loads(done.stdout)["notes"]
