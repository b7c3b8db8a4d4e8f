"""Whether a result comes out the same again: by bytes, by what is read, seen or heard, and by what made it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from models import __main__ as command
from models import measuring, receipts
from models.audio import sounds
from models.audio.sounds import sound_output
from models.catalog import load_catalog
from models.image.files import image_output
from models.plain_text import text_artifact
from models.receipts import Receipt
from models.settings import Settings
from models.types import Output, Request, Run

SETTINGS = Settings()
CATALOG = load_catalog(SETTINGS, strict=False)
MADE_WITH = {"revision": "a" * 64, "versions": {"torch": "2.12.0"}, "threads": 1, "cpu": "One"}


def text(said, stamp="x"):
    data = text_artifact(said, {"model": "m", "stamp": stamp})
    return Output("text", 0, said, data, "text/plain", measuring_hash(data), {"prompt_chars": 0})


def measuring_hash(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()


def run(*outputs, model="text/story-gpt", **stats):
    return Run("r" + "".join(one.sha256[:6] for one in outputs), "me", "j", Request(model=model), "done", 0.0,
               list(outputs), {"made_with": MADE_WITH, **stats})  # fmt: skip


def compared(before, again):
    return receipts.compare(CATALOG, SETTINGS, before, again, lambda one: one.data, measuring.here)


def test_the_same_bytes_are_identical_and_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(measuring, "heavy", lambda *given: pytest.fail("measured"))
    assert compared(run(text("a fox")), run(text("a fox"))) == Receipt(True, True, receipts.SAME)


def test_the_same_text_in_a_file_that_names_other_versions_is_alike_and_the_versions_are_told():
    newer = {**MADE_WITH, "versions": {"torch": "2.13.0"}, "threads": 2}
    receipt = compared(run(text("a fox")), run(text("a fox", "y"), made_with=newer))
    assert (receipt.identical, receipt.alike) == (False, True)
    assert receipt.made_with == ("threads: 1 then, 2 now", "torch: 2.12.0 then, 2.13.0 now")


def test_where_and_by_how_much_texts_differ():
    receipt = compared(run(text("one two three four")), run(text("one two other four")))
    assert (receipt.identical, receipt.alike) == (False, False)
    assert "Changed words: 0.25" in receipt.differences
    assert "Alike up to: 8 characters" in receipt.differences
    assert receipt.sentence == "It came out differently. Nothing that is noted of its making differs."


def test_where_and_by_how_much_pictures_and_sounds_differ():
    white, spot = np.full((32, 32, 3), 255, np.uint8), np.full((32, 32, 3), 255, np.uint8)
    spot[:8, :8] = 0
    stamp = {"request": {}}
    model = "image/emoji-diffusion"
    receipt = compared(run(image_output(white, stamp), model=model), run(image_output(spot, stamp), model=model))
    assert not receipt.alike
    assert "Pixels changed: 6.2 %" in receipt.differences
    same = compared(
        run(image_output(white, stamp), model=model), run(image_output(white, {"request": {"a": 1}}), model=model)
    )
    assert (same.identical, same.alike) == (False, True)

    tone = np.sin(np.arange(16_000) / 20).astype(np.float32) / 4
    other = np.concatenate([tone[:4000], tone[4000:] / 2])
    model = "audio/digits-diffusion"
    receipt = compared(
        run(sound_output(tone, 16_000, stamp), model=model), run(sound_output(other, 16_000, stamp), model=model)
    )
    assert not receipt.alike
    assert "Alike up to: 0.25 s" in receipt.differences


def test_another_number_of_results_is_told():
    receipt = compared(run(text("a"), replace(text("b"), index=1)), run(text("a")))
    assert receipt.sentence == "It came out differently: 2 results then, one result now."
    assert compared(run(), run(text("a"))).sentence == "It came out differently: no results then, one result now."


def test_what_was_not_noted_is_said():
    before = run(text("a"))
    before.stats = {}
    assert compared(before, run(text("b"))).made_with == ("What it was made with was not noted then.",)
    assert receipts.changes({"cpu": "One"}, {"cpu": "One", "dtype": "float32"}) == (
        "number format: not noted then, float32 now",
    )
    assert receipts.changes({"revision": "a" * 64}, {"revision": "b" * 64}) == (
        f"weights: {'a' * 12} then, {'b' * 12} now",
    )


# -- from a shell ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder with a story that was made and saved from a shell."""
    folder = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_DATA_DIR", str(folder / "data"))
        asked = ["run", "text/story-gpt", "--prompt", "Once", "--param", "max_new_tokens=6", "--json"]
        assert command.main([*asked, "--out", str(folder / "story.txt")]) == 0
    return folder


@pytest.fixture
def check(saved, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(saved / "data"))

    def check(*given):
        capsys.readouterr()
        code = command.main(["check", *map(str, given)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return check


def test_a_saved_file_is_made_again_to_the_byte(saved, check):
    assert check(saved / "story.txt")[:2] == (0, receipts.SAME + "\n")


def test_a_file_that_was_changed_differs_and_the_code_is_one(saved, check, tmp_path):
    told = (saved / "story.txt").read_text()
    (tmp_path / "changed.txt").write_text(told.replace("Once", "Twice", 1))
    code, out, _ = check("--json", tmp_path / "changed.txt")
    receipt = json.loads(out)
    assert code == 1
    assert (receipt["identical"], receipt["alike"]) == (False, False)
    assert receipt["differences"]


@pytest.mark.parametrize(("kind", "identical"), [("flac", True), ("mp3", True), ("ogg", False)])
def test_a_sound_saved_as_another_kind_of_file_is_compared_with_the_result_as_that_kind(saved, check, kind, identical):
    file = saved / f"tune.{kind}"
    asked = ["run", "audio/folk-gpt", "--param", "max_new_tokens=16", "--json", "--out", str(file)]
    assert command.main(asked) == 0
    code, out, _ = check("--json", file)
    receipt = json.loads(out)
    assert (code, receipt["identical"], receipt["alike"]) == (0, identical, True)  # a number in an OGG is drawn anew
    assert receipt["made_with"] == []
    assert command.main([*asked[:4], "--seed", "9", *asked[4:-1], str(saved / "other.wav")]) == 0
    whole = file.read_bytes()
    renamed = saved / f"renamed-{kind}.wav"
    renamed.write_bytes(whole)
    assert json.loads(check("--json", renamed)[1])["identical"] is identical
    file.write_bytes(whole[: len(whole) // 2])  # what is cut off is no result, though its notation can be read
    code, told, _ = check("--json", file)
    assert (code, json.loads(told)["alike"]) == (1, False)
    file.write_bytes(whole)
    other = soundfile.read(saved / "other.wav", always_2d=True)
    comment = soundfile.SoundFile(file).comment
    file.write_bytes(sounds.encode(other[0], other[1], kind.upper(), comment))
    code, told, _ = check("--json", file)
    assert (code, json.loads(told)["alike"]) == (1, False)


def test_a_request_alone_is_refused_before_it_is_made(check, tmp_path):
    request = {"model": "text/story-gpt", "inputs": {"prompt": "x"}, "params": {}, "seed": 1}
    (tmp_path / "request.json").write_text(json.dumps(request))
    code, out, err = check(tmp_path / "request.json")
    assert (code, out) == (2, "")
    assert "does not say what came out" in err


def test_what_is_neither_a_file_nor_a_run_gets_a_sentence(check, tmp_path):
    code, _, err = check("nothing")
    assert code == 2
    assert "neither a saved file nor the id of a run" in err
    (tmp_path / "plain.txt").write_text("just words")
    code, _, err = check(tmp_path / "plain.txt")
    assert code == 2
    assert "does not say which model and seed made it" in err
