"""The Audio page as a reader meets it, over a fake engine that makes short sounds."""

import errno
import io
import time

import mido
import numpy as np
import pytest
import soundfile

from components import inputs
from components.audio import after as sound_after
from components.audio import sound_actions
from components.example import EXAMPLES
from models import blobs
from models.audio import sounds
from models.errors import Stopped
from models.family import Context
from tests.components.page_steps import messages, owner, press, said, settle, widget
from tests.fake_sounds import RATE, FakeSounds, tone

ENGINE = FakeSounds
PAGE = "pages/audio.py"


def players(page):
    return page.get("audio")


def choose(page, view):
    next(item for item in page.get("button_group") if item.key.endswith("-view")).set_value(view)
    page.run()
    assert not page.exception, page.exception
    return page


def upload(page, label, data, name="sound.wav"):
    next(item for item in page.file_uploader if item.label == label).set_value((name, data, "audio/wav"))
    page.run()
    assert not page.exception, page.exception
    return page


def recording(samples=None):
    samples = (0.3 * np.sin(np.arange(8000) / 5)).astype(np.float32) if samples is None else samples
    return sounds.encode(samples, 8000)


def kept():
    return inputs.ref_key("audio", "audio")


def test_before_the_first_run_the_notes_of_an_example_are_shown(pages):
    page = pages.open(PAGE)
    assert "An example" in said(page)
    assert "18 of 18 bars have the right length." in said(page)
    assert len(page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")) == 1


def test_a_tune_is_run_without_an_opening_and_played_once(pages):
    page = settle(pages, press(pages.open(PAGE, **{"folk-gpt.seed": "7"}), "run"))
    request = pages.engine.ran[0]
    assert (request.model, request.inputs, request.seed) == ("audio/folk-gpt", {"prompt": ""}, 7)
    assert len(players(page)) == 1
    assert "seed 7 · 0.5 s · 20 tokens" in said(page)
    labels = [item.label for item in page.download_button]
    assert {"FLAC", "MP3", "MIDI", "ABC notation", "Download"} <= set(labels)


@pytest.mark.parametrize(
    ("view", "words"),
    [("Notes", "2 of 2 bars"), ("Notation", ""), ("Wave", ""), ("Spectrogram", "0 to 4,000 Hz"), ("Score", "")],
)
def test_every_view_of_a_tune_is_drawn(pages, view, words):
    page = choose(settle(pages, press(pages.open(PAGE), "run")), view)
    assert words in said(page)
    if view == "Notation":
        assert "K:Dmaj" in page.code[0].value
    if view == "Score":
        assert page.image


def test_the_notes_grow_while_it_writes_and_nothing_plays(pages):
    pages.engine.gate.clear()
    page = press(pages.open(PAGE), "run")
    page.run()
    assert not players(page)
    assert page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")
    assert "5 of 20 tokens" in str([item.proto.text for item in page.get("progress")])


def test_a_bad_opening_gets_a_sentence_and_stays(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "audio-tune_lm-prompt").set_value("H2 <b>d</b>")
    page = press(page, "run")
    assert any("“H”" in text for text in messages(page))
    assert widget(page, "text_area", "audio-tune_lm-prompt").value == "H2 <b>d</b>"
    assert not pages.engine.ran


def test_a_download_is_the_sound_with_its_settings_in_every_kind(pages):
    settle(pages, press(pages.open(PAGE, **{"folk-gpt.seed": "3"}), "run"))
    run = pages.store.runs(owner(pages))[0]
    output = run.outputs[0]
    for kind in ("FLAC", "MP3", "OGG"):
        data = sound_actions._written(run, output, kind.lower())
        samples, rate = soundfile.read(io.BytesIO(data))
        assert rate == RATE
        assert abs(len(samples) - len(tone(run.request))) < 2000
        assert sounds.read_settings(data).seed == 3
    notes = [
        one
        for one in mido.MidiFile(file=io.BytesIO(sound_actions._written(run, output, "mid")))
        if one.type == "note_on"
    ]
    assert notes[0].note == 74
    assert sound_actions._written(run, output, "abc").decode().startswith("X:1\nT:audio/folk-gpt, seed 3\n")


def test_a_dropped_file_sets_the_page_again(pages):
    settle(pages, press(pages.open(PAGE, **{"folk-gpt.seed": "9", "folk-gpt.metre": "3/4"}), "run"))
    data = pages.store.get_bytes(pages.store.runs(owner(pages))[0].outputs[0].sha256)
    fresh = upload(pages.open(PAGE), "Sound with settings", data)
    assert "The prompt, settings and seed of the sound are set" in said(fresh)
    settle(pages, press(fresh, "run"))
    assert pages.engine.ran[-1] == pages.engine.ran[0]
    foreign = upload(pages.open(PAGE), "Sound with settings", recording())
    assert "contains no settings" in said(foreign)
    broken = upload(pages.open(PAGE), "Sound with settings", bytes(range(256)))
    assert "of no kind that settings are read from" in said(broken)


def test_a_recording_is_heard_and_its_odds_are_drawn(pages):
    page = pages.open(PAGE, model="audio/digit-recogniser")
    page = upload(page, "Or upload a file", recording())
    assert len(players(page)) == 1  # what was given can be heard
    page = settle(pages, press(page, "run"))
    reference = page.session_state[kept()]
    assert pages.engine.ran[0].inputs == {"audio": reference}
    assert "#### 407" in said(page)
    assert "4 (90%), 0 (90%), 7 (90%)" in said(page)
    assert not {"Continue", "Next seed"} & {button.label for button in page.button}  # no chance is in hearing
    assert "Next seed" in [button.label for button in pages.open(PAGE, model="audio/digits-diffusion").button]


def test_a_recording_is_decoded_when_it_is_given_and_not_again(pages, monkeypatch):
    decode, decoded = sounds.decode_upload, []
    data = recording()
    page = upload(pages.open(PAGE, model="audio/digit-recogniser"), "Or upload a file", data)
    page = settle(pages, press(page, "run"))
    reference = pages.engine.ran[0].inputs["audio"]
    assert pages.store.get_bytes(reference) == data  # what is kept and played is what was given
    monkeypatch.setattr(sounds, "decode_upload", lambda *a, **b: decoded.append(a))
    context = Context(open_ref=pages.store.get_bytes, open_beside=pages.store.get_beside)
    heard, rate = sounds.open_recording(context, reference, 0)
    assert decoded == []
    assert rate == 8000
    assert np.array_equal(heard, decode(data)[0])
    page = upload(page, "Or upload a file", data)
    assert page.session_state[kept()] == reference


def test_whoever_has_no_recording_takes_the_example(pages):
    page = press(pages.open(PAGE, model="audio/digit-recogniser"), inputs.ref_key("audio", "audio") + "-example")
    assert len(players(page)) == 1
    assert "Use an example" not in [button.label for button in page.button]
    settle(pages, press(page, "run"))
    data = pages.store.get_bytes(pages.engine.ran[0].inputs["audio"])
    assert data == next(EXAMPLES.glob("*recogniser-input.wav")).read_bytes()
    next(button for button in page.button if button.label == "Remove").click()
    page.run()
    assert "Use an example" in [button.label for button in page.button]


def test_an_example_that_finds_the_disk_full_is_a_sentence(pages, monkeypatch):
    def full(*given, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    page = pages.open(PAGE, model="audio/digit-recogniser")
    with monkeypatch.context() as patched:
        patched.setattr(blobs, "_write_file", full)
        page = press(page, inputs.ref_key("audio", "audio") + "-example")
    assert any("is full. Free some space" in text for text in messages(page)), messages(page)
    assert "run" in {button.key for button in page.button}
    page = press(page, inputs.ref_key("audio", "audio") + "-example")  # there is room again
    assert (len(players(page)), messages(page)) == (1, [])


def test_a_run_without_a_recording_is_a_sentence(pages):
    page = press(pages.open(PAGE, model="audio/digit-recogniser"), "run")
    assert any("recording" in text.lower() for text in messages(page)), messages(page)
    assert not pages.engine.ran


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"no sound", "not a sound file"), (recording(np.zeros(9000, np.float32)), "silent"),
     (recording(np.zeros(0, np.float32)), "0 samples")],
)  # fmt: skip
def test_a_bad_recording_is_told_and_the_good_one_stays(pages, data, words):
    page = upload(pages.open(PAGE, model="audio/digit-recogniser"), "Or upload a file", recording())
    before = page.session_state[kept()]
    page = upload(page, "Or upload a file", data)
    assert words in said(page)
    assert page.session_state[kept()] == before


def test_a_recording_can_be_taken_away(pages):
    page = upload(pages.open(PAGE, model="audio/digit-recogniser"), "Or upload a file", recording())
    next(button for button in page.button if button.label == "Remove").click()
    page.run()
    assert kept() not in page.session_state
    assert not players(page)


def test_effects_change_the_sound_at_hand_once_a_slider_moves(pages):
    page = settle(pages, press(pages.open(PAGE), "run"))
    next(item for item in page.toggle if item.label == "Audio effects").set_value(True)
    page.run()
    assert not page.exception, page.exception
    assert "Move a slider" in said(page)
    assert pages.engine.called == []

    def move(label, value):
        next(item for item in page.slider if item.label == label).set_value(value)
        page.run()
        assert not page.exception, page.exception

    move("Speed", 1.5)
    output = pages.store.runs(owner(pages))[0].outputs[0]
    given = {"ref": f"sha256:{output.sha256}", "effects": {"speed": 1.5}}
    assert pages.engine.called == [("audio/folk-gpt", "effects", given)]
    assert len(players(page)) == 2
    move("Gain (dB)", 18.0)
    assert "is clipping" in said(page)
    next(button for button in page.button if button.label == "Reset effects").click()
    page.run()
    assert "Move a slider" in said(page)
    assert len(pages.engine.ran) == 1  # nothing was made again


def test_two_sounds_are_laid_side_by_side(pages):
    page = settle(pages, press(pages.open(PAGE), "run"))
    assert not any("Compare two sounds" in item.label for item in page.toggle)
    page = settle(pages, press(page, "again"))
    runs = pages.store.runs(owner(pages))
    pages.engine.picture = next(one.sha256 for one in runs[0].outputs if one.kind == "view")
    refs = [f"sha256:{run.outputs[0].sha256}" for run in runs]
    assert pages.engine.called == []
    next(item for item in page.toggle if item.label == "Compare two sounds").set_value(True)
    page.run()
    assert not page.exception, page.exception
    assert pages.engine.called[-1] == ("audio/folk-gpt", "compare", {"refs": refs[::-1]})
    assert next(item for item in page.selectbox if item.label == "A").options[1] == ("seed 0 · jig in 6/8, D major")
    table = page.table[0].value
    assert list(table["A"])[:2] == ["0.4", "-20"]
    assert list(table["B − A"])[0] == "+0.1"
    assert "Pitch" not in " ".join(table.iloc[:, 0])  # a tune has many


def test_words_in_order_are_counted():
    assert sound_after.right(["4", "0", "7"], ["4", "0", "7"]) == 3
    assert sound_after.right(["4", "0", "7"], ["4", "1", "7"]) == 2
    assert sound_after.right(["4"], []) == 0


def test_a_long_effect_shows_stop_and_is_ended_by_it(pages, monkeypatch):
    pressed = []

    def slow(model, tool, data, stop=None):
        while not stop.asked:
            time.sleep(0.01)
        pressed.append(tool)
        raise Stopped("Stopped before it was finished.")

    page = settle(pages, press(pages.open(PAGE), "run"))
    monkeypatch.setattr(pages.engine, "call", slow)
    next(item for item in page.toggle if item.label == "Audio effects").set_value(True)
    page.run()
    next(item for item in page.slider if item.label == "Speed").set_value(1.5)
    page.run()
    assert "Changing the sound" in said(page)
    next(button for button in page.button if button.label == "Stop").click()
    page.run()
    assert not page.exception, page.exception
    assert pressed == ["effects"]
    assert any("Stopped before it was finished" in item.value for item in page.info)
    assert any(button.label == "Try again" for button in page.button)
