"""Every sound that is made is equally loud, no peak is over −1 dB, and what was done is told."""

import subprocess
import sys

import numpy as np
import pyloudnorm
import pytest

from models.audio import arrangement, loudness, synth, tunes

RATE = 32_000
TUNE = "M:6/8 K:Dmaj R:jig |: d | f2 d A B c | d2 e f2 d | e f g a g f | e3 d2 :|"


def played(instrument):
    tune = tunes.read(TUNE)
    return synth.mix(arrangement.melody(tune, 112), instrument, reverb=0.2)


@pytest.mark.parametrize("instrument", synth.INSTRUMENTS)
def test_every_instrument_is_equally_loud(instrument):
    sound, facts = loudness.level(played(instrument), RATE, loudness.EVEN)
    assert sound.dtype == np.float32
    assert pyloudnorm.Meter(RATE).integrated_loudness(sound.astype(float)) == pytest.approx(-16, abs=0.2)
    assert loudness.true_peak_db(sound, RATE) <= -1.0
    assert facts["loudness_lufs"] == pytest.approx(-16, abs=0.2)
    again, _ = loudness.level(played(instrument), RATE, loudness.EVEN)
    assert np.array_equal(sound, again)


LONG = """
import numpy as np
from models.audio import loudness
from models.runtime import memory

quick = np.zeros((1000, 2), np.float32)
quick[500] = 1
loudness.level(quick, 32_000, loudness.EVEN)  # the libraries and their threads are there
sound = np.random.default_rng(1).normal(0, 0.02, (60 * 32_000, 2)).astype(np.float32)
sound[::9000] = 0.9
memory.limit_address_space(0)  # 256 MB beside what there is
print(loudness.level(sound, 32_000, loudness.EVEN)[1]["limited_db"] > 1)
"""


def test_a_long_sound_needs_little_memory():
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1000, 7000, 90_001])
def test_peaks_are_held_down_in_their_place(channels, frames):
    chance = np.random.default_rng(1)
    sound = chance.normal(0, 0.004, (frames, channels)).astype(np.float32)
    sound[frames // 2 : frames // 2 + 20] = 0.5
    sound = sound[:, 0] if channels == 1 else sound
    out, facts = loudness.level(sound, RATE, loudness.EVEN)
    assert out.shape == sound.shape
    assert loudness.true_peak_db(out, RATE) <= -1.0
    assert facts["limited_db"] > 2
    assert facts["gain_db"] > 0
    flat = np.abs(out if channels == 1 else out[:, 0])
    assert abs(int(flat.argmax()) - frames // 2) < 40  # nothing was delayed


def test_as_it_came_changes_nothing():
    sound = played("whistle")
    out, facts = loudness.level(sound, RATE, "as it came")
    assert out is sound
    assert facts["gain_db"] == 0.0
    assert facts["loudness_lufs"] > -10


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(100), np.ones(100), np.zeros((RATE, 2))])
def test_silence_and_a_click_stay_as_they_are(sound):
    sound = sound.astype(np.float32)
    out, facts = loudness.level(sound, RATE, loudness.EVEN)
    assert np.array_equal(out, sound)
    assert facts == {}
    assert loudness.words(facts) == ""


def test_next_to_silence_is_not_made_loud():
    noise = np.random.default_rng(0).normal(0, 1e-5, RATE).astype(np.float32)
    _, facts = loudness.level(noise, RATE, loudness.EVEN)
    assert facts == {} or facts["gain_db"] <= loudness.GAIN_MAX_DB


def test_what_was_done_is_told():
    assert loudness.words({"loudness_lufs": -16.0, "gain_db": -4.2}) == "Loudness −16.0 LUFS, gain −4.2 dB."
    assert loudness.words({"loudness_lufs": -16.0, "gain_db": 2.0, "limited_db": 1.4}) == (
        "Loudness −16.0 LUFS, gain +2.0 dB, peaks held down by up to 1.4 dB."
    )
