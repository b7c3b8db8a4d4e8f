"""What is measured of sounds: exact small values, bounds, and what does not change them."""

import numpy as np
import pytest

from models.audio import measures, sounds
from models.types import Output

RATE = 16_000


def sound(samples, text="", rate=RATE):
    return sounds.sound_output(np.asarray(samples, np.float32), rate, {}, text=text)


def tone(hz, seconds=1.0, level=0.3):
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def value(name, *outputs):
    return next(one for one in measures.MEASURES if one.name == name).of(*outputs)


def clicks(times, seconds=3.0):
    out = np.zeros(int(seconds * RATE))
    for at in times:
        start = int(at * RATE)
        out[start : start + 1600] += tone(700, 0.1) * np.exp(-np.arange(1600) / 300)
    return out


def test_the_centroid_of_a_tone_is_its_pitch_at_any_level():
    for hz in (500, 2000, 5000):
        found = value("centroid_hz", sound(tone(hz)))
        assert found == pytest.approx(hz, rel=0.02)
        assert value("centroid_hz", sound(tone(hz, level=0.05))) == pytest.approx(found, rel=0.02)
    both = value("centroid_hz", sound(tone(1000) + tone(3000)))
    assert both == pytest.approx(2000, rel=0.03)
    assert value("centroid_hz", sound(np.zeros(RATE))) is None


@pytest.mark.parametrize("count", [1, 4, 9])
def test_as_many_onsets_as_hits(count):
    times = 0.2 + np.arange(count) * 0.3
    assert value("onsets_per_s", sound(clicks(times))) * 3 == pytest.approx(count)
    assert value("onsets_per_s", sound(0.2 * clicks(times))) * 3 == pytest.approx(count)


def test_silence_and_very_short_sounds_have_no_onsets():
    assert value("onsets_per_s", sound(np.zeros(RATE))) == 0
    assert value("onsets_per_s", sound(tone(440, 0.01))) == 0
    assert value("loudness_lufs", sound(np.zeros(RATE))) is None


def test_twice_as_strong_is_six_decibels_louder():
    soft, loud = (value("loudness_lufs", sound(tone(997, 2.0, level))) for level in (0.1, 0.2))
    assert loud - soft == pytest.approx(20 * np.log10(2), abs=0.02)


def test_length_and_channels():
    assert value("sound_seconds", sound(tone(440, 0.5))) == 0.5
    mono = tone(440)
    for name in ("centroid_hz", "onsets_per_s"):
        assert value(name, sound(np.stack([mono, mono], 1))) == pytest.approx(value(name, sound(mono)), rel=1e-3)


def test_bars_in_metre():
    good = "M:2/4 K:Dmaj R:polka d2 d2 | d2 d2 | d2 d2 ||"
    assert value("in_metre", sound(tone(440), good)) == 1
    bad = "M:2/4 K:Dmaj R:polka d2 d2 | d2 d2 d2 | d2 d2 | d2 d2 ||"
    assert value("in_metre", sound(tone(440), bad)) == 3 / 4
    assert value("in_metre", sound(tone(440), "Good morning")) is None
    assert value("in_metre", Output("audio", text="M:")) is None


def test_the_spectral_distance_is_a_difference_of_levels():
    hiss = np.random.default_rng(0).normal(size=RATE) * 0.2
    loud, soft = sound(hiss), sound(hiss / 2)
    assert value("spectral_distance", loud, loud) == 0
    assert value("spectral_distance", loud, soft) == pytest.approx(6.02, abs=0.3)  # a half is 6 dB
    assert value("spectral_distance", soft, loud) == value("spectral_distance", loud, soft)
    shorter = sound(hiss[: RATE // 2])
    assert value("spectral_distance", loud, shorter) == value("spectral_distance", shorter, loud) > 6
    assert value("spectral_distance", loud, sound(hiss, rate=8000)) is None


def test_alike_up_to_the_first_sample_that_differs():
    one = tone(440)
    other = one.copy()
    other[4000:] = 0
    assert value("alike_s", sound(one), sound(other)) == pytest.approx(4000 / RATE, abs=2 / RATE)
    assert value("alike_s", sound(one), sound(one)) == 1
    assert value("alike_s", sound(one), sound(one[:8000])) == 0.5
    assert value("alike_s", sound(one), sound(one, rate=8000)) is None
