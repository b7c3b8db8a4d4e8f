"""One person on the Audio page, in a real browser."""

import io

import numpy as np
import pytest
from scipy.io import wavfile

from components.example import EXAMPLES
from models.audio import rates, sounds
from tests.browser.conftest import Browsers, Session, until

VIEWS = {"Score": "img[alt='The tune as sheet music']", "Notation": "[data-testid=stCode]",
         "Wave": "[data-testid=stVegaLiteChart]", "Spectrogram": ".spectrogram .stage"}  # fmt: skip


def opened(session, **settings):
    viewer = session().open("audio", **settings)
    viewer.button("Run").wait_for()
    return viewer


def start(viewer):
    until(lambda: viewer.button("Run").is_enabled())
    viewer.button("Run").click()


def finished(viewer):
    viewer.page.get_by_role("button", name="More files").first.wait_for()


def download(viewer):
    with viewer.page.expect_download() as file:
        viewer.page.get_by_role("button", name="Download", exact=True).first.click()
    return file.value.path().read_bytes()


def seconds(viewer):
    """Return how long the player's sound is, as the browser has decoded it."""
    player = viewer.page.get_by_test_id("stAudio").first
    return until(lambda: player.evaluate("player => player.readyState >= 1 && player.duration"))


def heard(viewer):
    return viewer.page.locator("h4").first.inner_text()


def test_a_tune_is_composed_played_and_downloaded(session):
    viewer = opened(session, **{"folk-gpt.seed": 7, "folk-gpt.rhythm": "jig"})
    start(viewer)
    finished(viewer)
    rate, samples = wavfile.read(io.BytesIO(download(viewer)))  # another library than the one that wrote it
    assert rate == 32_000
    assert samples.shape[1] == 2
    assert np.abs(samples.astype(int)).max() > 20_000
    assert 8 < len(samples) / rate < 180
    assert seconds(viewer) == pytest.approx(len(samples) / rate, abs=0.1)
    for view, drawn in VIEWS.items():
        viewer.page.get_by_text(view, exact=True).first.click()
        viewer.page.locator(drawn).first.wait_for()
        viewer.settled()
        assert viewer.page.get_by_test_id("stException").count() == 0
    assert viewer.errors == []


def test_a_dropped_sound_sets_the_page_and_gives_the_same_bytes(session):
    viewer = opened(session, **{"folk-lstm.seed": 4, "folk-lstm.metre": "3/4", "model": "audio/folk-lstm"})
    start(viewer)
    finished(viewer)
    data = download(viewer)
    other = opened(session)
    other.page.get_by_role("button", name="Settings from a file").click()
    box = other.page.get_by_test_id("stFileUploader").filter(has_text="Sound with settings").first
    box.locator("input[type=file]").set_input_files({"name": "a.wav", "mimeType": "audio/wav", "buffer": data})
    other.page.get_by_text("settings and seed of the sound are set").wait_for()
    start(other)
    finished(other)
    assert download(other) == data


def test_a_number_is_spoken_and_heard_again(session):
    viewer = opened(session, model="audio/digits-diffusion")
    names = viewer.page.get_by_test_id("stSidebar").get_by_role("combobox", name="Scheduler")
    assert names.input_value() == "DDPM"
    viewer.page.get_by_role("textbox", name="What to say").fill("4 0 7")
    start(viewer)
    finished(viewer)
    assert 0.6 < seconds(viewer) < 3.5
    viewer.page.get_by_text("Check with recogniser", exact=True).click()
    viewer.page.get_by_text("Asked for 4 0 7; recognised 4 0 7: 3 of 3 correct.").wait_for()


@pytest.fixture
def spoken(tmp_path):
    """Return a file in which 4 0 7 is said once, in the middle of silence."""
    samples, rate = sounds.read_wav((EXAMPLES / "audio-digits-diffusion.wav").read_bytes())
    pause = np.zeros((rate, 1), np.float32)
    row = rates.resample(np.concatenate([pause, samples, pause, pause])[:, 0], rate, 48_000)
    (tmp_path / "spoken.wav").write_bytes(sounds.encode(row, 48_000))
    return tmp_path / "spoken.wav"


def test_what_is_said_into_the_microphone_is_heard(browsers, app, spoken, tmp_path):
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
             f"--use-file-for-fake-audio-capture={spoken}%noloop"]  # fmt: skip
    listening = Browsers(browsers.playwright, tmp_path, flags)
    try:
        viewer = Session(listening, app, permissions=["microphone"]).open("audio", model="audio/digit-recogniser")
        recorder = viewer.page.get_by_test_id("stAudioInput")
        recorder.get_by_role("button", name="Record", exact=True).click()
        viewer.page.wait_for_timeout(5000)
        recorder.get_by_role("button", name="Stop recording", exact=True).click()
        viewer.page.get_by_text("The recording:").wait_for()
        start(viewer)
        until(lambda: viewer.page.locator("h4").count())
        assert heard(viewer) == "407"
        assert viewer.errors == []
    finally:
        listening.close()


def test_names_of_schedulers_can_be_read_to_their_end(session):
    name = "EulerAncestralDiscreteScheduler"  # the address has the class, the page what people call it
    viewer = opened(session, **{"model": "audio/digits-diffusion", "digits-diffusion.scheduler": name})
    box = viewer.page.get_by_test_id("stSidebar").get_by_role("combobox", name="Scheduler")
    until(lambda: box.input_value() == "Euler a")
    assert f"digits-diffusion.scheduler={name}" in viewer.address()
    assert until(lambda: box.evaluate("box => box.scrollWidth <= box.clientWidth"), 10)


def test_sound_is_seen_growing_and_stop_keeps_what_there_is(session):
    long = {"digits-diffusion.num_inference_steps": 100, "digits-diffusion.num_takes": 4}
    viewer = opened(session, model="audio/digits-diffusion", **long)
    viewer.page.get_by_role("textbox", name="What to say").fill("1 2 3 4 5")
    start(viewer)
    viewer.sees("s of sound, refined all at once")
    viewer.page.get_by_alt_text("The spectrogram so far").wait_for()
    assert viewer.page.get_by_test_id("stAudio").count() == 0  # one player, at the end
    viewer.button("Stop").click()
    finished(viewer)
    viewer.sees("stopped by you")
    assert 1 < seconds(viewer) < 6


def test_a_growing_tune_says_how_long_it_is(session):
    viewer = opened(session, **{"folk-gpt.num_variants": 4})
    start(viewer)
    viewer.sees("s of sound so far")
    finished(viewer)
    until(lambda: viewer.page.get_by_test_id("stAudio").count() == 4)


def span(viewer):
    shown = viewer.page.locator(".spectrogram").first
    return tuple(float(shown.get_attribute(f"data-{end}")) for end in ("from", "to"))


def test_a_spectrogram_is_zoomed_moved_and_follows_the_player(session):
    viewer = opened(session, model="audio/digits-diffusion")
    start(viewer)
    finished(viewer)
    length = seconds(viewer)
    viewer.page.get_by_text("Spectrogram", exact=True).first.click()
    stage = viewer.page.locator(".spectrogram .stage").first
    stage.wait_for()
    until(lambda: span(viewer)[1] == pytest.approx(length, abs=0.05))
    viewer.button("Zoom in").click()
    until(lambda: span(viewer)[1] - span(viewer)[0] == pytest.approx(length / 2, abs=0.05))
    stage.focus()
    before = span(viewer)
    viewer.page.keyboard.press("ArrowRight")
    until(lambda: span(viewer)[0] > before[0])
    viewer.page.keyboard.press("0")
    until(lambda: span(viewer)[0] == 0)
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] / 2, "y": 40})
    player = viewer.page.get_by_test_id("stAudio").first
    assert until(lambda: player.evaluate("player => player.currentTime")) == pytest.approx(length / 2, abs=0.1)
    viewer.page.locator(".spectrogram .head").first.wait_for(state="visible")


def test_effects_change_the_finished_sound_and_two_takes_are_compared(session):
    viewer = opened(session, **{"model": "audio/digits-diffusion", "digits-diffusion.num_takes": 2})
    start(viewer)
    finished(viewer)
    length = seconds(viewer)
    viewer.page.get_by_text("Audio effects", exact=True).click()
    slider = viewer.page.get_by_role("slider", name="Speed")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")  # half as fast
    until(lambda: float(slider.input_value()) == pytest.approx(0.5))
    viewer.settled()
    viewer.button("Download with effects").wait_for()
    with viewer.page.expect_download() as file:
        viewer.button("Download with effects").click()
    rate, samples = wavfile.read(io.BytesIO(file.value.path().read_bytes()))
    assert len(samples) / rate == pytest.approx(2 * length, abs=0.05)
    viewer.page.get_by_text("Compare two sounds", exact=True).click()
    viewer.sees("Pitch: median f0")
    viewer.page.get_by_text("Aligned (time-warped)", exact=True).click()
    viewer.sees("similar sounds line up with A")
    assert viewer.page.get_by_test_id("stException").count() == 0


def test_a_recording_that_was_given_survives_a_change_of_page(session, spoken):
    viewer = opened(session, model="audio/digit-recogniser")
    box = viewer.page.get_by_test_id("stFileUploader").filter(has_text="Or upload a file")
    box.locator("input[type=file]").set_input_files(spoken)
    viewer.sees("The recording:")
    viewer.page.get_by_role("link", name="Image").click()
    viewer.page.get_by_role("heading", name="Image", exact=True).wait_for()
    viewer.page.get_by_role("link", name="Audio").click()
    viewer.page.get_by_role("heading", name="Audio", exact=True).wait_for()
    viewer.sees("The recording:")
    start(viewer)
    until(lambda: viewer.page.locator("h4").count())
    assert heard(viewer) == "407"
