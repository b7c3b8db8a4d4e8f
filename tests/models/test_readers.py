"""One reader of settings for every kind of file: from Python, from a shell, from rooms that come from outside."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import models
from models import readers
from models.__main__ import main
from models.audio import sounds
from models.errors import BadInput
from models.image import files
from models.plain_text import TEXT_ARTIFACT_MAX_BYTES, text_artifact
from models.settings import Settings
from tests.models.image.test_makers import FILES as OTHERS
from tests.models.image.test_makers import comfy, editor
from tests.models.image.test_webui import REQUEST

ROOT = Path(__file__).parents[2]
STAMP = {"request": REQUEST}
TONE = np.sin(np.arange(8000, dtype=np.float32) / 9)
SAVED = {
    "picture.png": lambda: files.image_output(np.zeros((16, 16, 3), np.uint8), STAMP).data,
    "sound.wav": lambda: sounds.sound_output(TONE, 8000, STAMP).data,
    "sound.flac": lambda: sounds.encode(TONE, 8000, "FLAC", sounds.comment_of(STAMP, 0)),
    "sound.mp3": lambda: sounds.encode(TONE, 8000, "MP3", sounds.comment_of(STAMP, 0)),
    "text.txt": lambda: text_artifact("Once upon a time.", STAMP),
    "text, by another editor.txt": lambda: b"\xef\xbb\xbf" + text_artifact("Once.\n", STAMP).replace(b"\n", b"\r\n"),
    "run.json": lambda: json.dumps({"request": REQUEST, "status": "done"}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["AVIF", "HEIF", "JPEG", "WEBP"])
def test_the_comment_of_a_picture_is_read_in_every_container(kind):
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a cat\nSteps: 20, Sampler: Euler a, Seed: 3, Size: 32x32"
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, kind, exif=exif.tobytes())
    found = models.read_settings(file.getvalue())
    assert (found.inputs["prompt"], found.seed) == ("a cat", 3)


@pytest.mark.parametrize("name", SAVED)
def test_every_kind_of_file_of_ours_gives_its_request_back(name, tmp_path, capsys):
    data = SAVED[name]()
    found = models.read_settings(data)
    assert found.own
    assert (found.model, found.inputs, found.params, found.seed) == (
        REQUEST["model"], REQUEST["inputs"], REQUEST["params"], REQUEST["seed"],
    )  # fmt: skip
    (tmp_path / name).write_bytes(data)
    assert main(["settings", str(tmp_path / name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == {"r": "text"}.get(name[0], name.split(".")[0].split(",")[0])
    assert (told["model"], told["params"], told["seed"]) == (REQUEST["model"], REQUEST["params"], REQUEST["seed"])


def test_the_shell_prints_what_another_program_s_picture_says(tmp_path, capsys):
    (tmp_path / "x.png").write_bytes(OTHERS["Fooocus"]())
    assert main(["settings", str(tmp_path / "x.png")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "file: picture", "made by: Fooocus", "model: kites", "prompt: a red kite", "negative_prompt: dull",
        "guidance_scale: 6.5", "width: 64", "height: 96", "scheduler: EulerAncestralDiscreteScheduler",
        "sigmas: karras", "num_inference_steps: 24", "seed: 77", "ignored or changed: sharpness: 2",
        "ignored or changed: styles: ['Fooocus V2']",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [(lambda: b"just a text", 1, "This text contains no settings"),
     (lambda: sounds.encode(TONE, 8000), 1, "This sound contains no settings"),
     (lambda: OTHERS["Fooocus"]()[:30], 2, "not an image file"), (lambda: b"", 2, "is empty (0 bytes)"),
     (lambda: bytes(range(256)), 2, "of no kind that settings are read from"),
     (lambda: b"---\n{\n\n---\nx", 2, "not JSON"), (lambda: b'{"request": {"seed": 1}}', 2, "damaged"),
     (lambda: b'{"request": {"seed": -3, "model": "m", "inputs": {}, "params": {}}}', 2, "damaged")],
)  # fmt: skip
def test_a_file_that_says_nothing_and_one_that_cannot_be_read_are_told_apart(data, code, words, tmp_path, capsys):
    (tmp_path / "x").write_bytes(data())
    assert main(["settings", str(tmp_path / "x")]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert main(["settings", str(tmp_path / "nowhere.png")]) == 2
    assert "nowhere.png cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main(["settings", str(tmp_path)]) == 2


def test_half_a_character_in_a_file_is_printed_as_a_mark(tmp_path, capsys):
    request = {**REQUEST, "inputs": {"prompt": "a\ud800b"}}
    (tmp_path / "x.json").write_text(json.dumps({"request": request}), "utf-8")
    assert main(["settings", str(tmp_path / "x.json")]) == 0
    assert "prompt: a?b" in capsys.readouterr().out


def test_the_text_that_a_program_lays_beside_a_picture_is_read():
    text = "a kite\nNegative prompt: dull\nSteps: 24, Sampler: Euler a, CFG scale: 6.5, Seed: 77, Size: 64x96"
    for data in (text.encode(), text.replace("\n", "\r\n").encode("utf-8-sig"), json.dumps(comfy()).encode(),
                 json.dumps(editor()).encode()):  # fmt: skip
        kind, found = readers.read_settings(data, Settings())
        assert (kind, found.seed, found.params["num_inference_steps"]) == ("text of a picture", 77, 24)


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "dance" / "families").mkdir(parents=True)
    (tmp_path / "dance" / "saved.py").write_text(
        "from models.stamps import Reader, Recovered\n"
        "READERS = (Reader('dance', ('dnc',), lambda data: data[:3] == b'\\0DN', "
        "lambda data: Recovered('stage', made_with=data[3:].decode())),)\n",
        "utf-8",
    )
    return tmp_path / "dance" / "families"


def test_a_room_from_outside_brings_readers_of_its_own(outside):
    settings = Settings(family_dirs=(*Settings().family_dirs, outside))
    assert readers.read_settings(b"\0DNwaltz", settings)[1].made_with == "waltz"
    with pytest.raises(BadInput, match=r"a dance \(dnc\)"):
        readers.read_settings(b"\0nothing", settings)


DRAWING = b"<svg xmlns='http://www.w3.org/2000/svg'><!-- made by waltz --></svg>"


@pytest.fixture
def drawings(tmp_path):
    """Return settings with a room that comes after the text room, by its folder's name, and knows a kind of text."""
    (tmp_path / "video" / "families").mkdir(parents=True)
    (tmp_path / "video" / "saved.py").write_text(
        "from models.errors import BadInput\n"
        "from models.stamps import Reader, Recovered\n"
        "def read(data):\n"
        "    if b'torn' in data:\n"
        "        raise BadInput('The drawing is torn.')\n"
        "    return Recovered('pen', made_with='waltz') if b'waltz' in data else None\n"
        "READERS = (Reader('drawing', ('svg',), lambda data: data.startswith(b'<svg'), read),)\n",
        "utf-8",
    )
    return Settings(family_dirs=(*Settings().family_dirs, tmp_path / "video" / "families"))


@pytest.mark.parametrize("data", [DRAWING, DRAWING + b" " * TEXT_ARTIFACT_MAX_BYTES])
def test_a_text_that_says_nothing_to_one_reader_is_given_to_the_next(drawings, data):
    kind, found = readers.read_settings(data, drawings)
    assert (kind, found.made_with) == ("drawing", "waltz")


def test_a_file_that_says_nothing_to_any_reader_goes_by_the_first_that_knows_it(drawings):
    assert readers.read_settings(b"<svg/>", drawings) == ("text", None)


def test_what_a_reader_refuses_is_told_where_no_other_finds_settings(drawings):
    with pytest.raises(BadInput, match="The drawing is torn"):
        readers.read_settings(b"<svg>torn</svg>", drawings)
    with pytest.raises(BadInput, match=r"The text is .* MB; at most"):
        readers.read_settings(b"a" * (TEXT_ARTIFACT_MAX_BYTES + 1), drawings)


def test_readers_that_cannot_be_imported_leave_the_others(outside):
    (outside.parent / "saved.py").write_text("READERS = nothing", "utf-8")
    settings = Settings(family_dirs=(*Settings().family_dirs, outside))
    assert [reader.name for reader in readers.readers(settings)] == ["sound", "picture", "text of a picture", "text"]


def test_reading_settings_imports_no_torch(tmp_path):
    (tmp_path / "x.png").write_bytes(SAVED["picture.png"]())
    code = ("import sys, models; from pathlib import Path; models.read_settings(Path(sys.argv[1]).read_bytes()); "
            "sys.exit('torch' in sys.modules)")  # fmt: skip
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.png")], cwd=ROOT, env=os.environ, check=False)
    assert run.returncode == 0


@pytest.mark.parametrize(("fails", "words"), [("knows", "of no kind"), ("read", r"its reader failed \(KeyError\)")])
def test_a_reader_from_elsewhere_that_fails_is_a_sentence(tmp_path, fails, words):
    (tmp_path / "smell" / "families").mkdir(parents=True)
    good = {"knows": "lambda data: data == b'rose'", "read": "lambda data: None", fails: "lambda data: {}['x']"}
    (tmp_path / "smell" / "saved.py").write_text(
        "from models.stamps import Reader\n"
        f"READERS = (Reader('smell', ('sml',), {good['knows']}, {good['read']}),)\n"
    )  # fmt: skip
    settings = Settings(family_dirs=(tmp_path / "smell" / "families",))
    with pytest.raises(BadInput, match=words):
        readers.read_settings(b"rose", settings)
