"""Numbers of sounds against what they are known to be; a difference that is nothing where nothing differs."""

import io

import numpy as np
import pytest
from PIL import Image

from models.audio import sounds
from models.blobs import Blobs
from models.torchaudio_guard import guard

guard()

from models.audio.looking import sound_views  # noqa: E402
from models.audio.looking.sound_measures import compare, measure, warp  # noqa: E402

RATE = 48_000


def tone(hertz=997.0, seconds=3.0, peak=1.0, rate=RATE):
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return wave.astype(np.float32)[:, None]


def test_a_full_scale_tone_is_as_loud_as_the_standard_says():
    numbers = measure(tone(), RATE)  # BS.1770: a 0 dBFS 997 Hz tone in one channel reads -3.01 LUFS
    assert numbers["loudness_lufs"] == pytest.approx(-3.0, abs=0.15)
    assert numbers["peak_db"] == pytest.approx(0.0, abs=0.1)
    assert numbers["seconds"] == 3.0
    assert measure(tone(peak=0.1), RATE)["loudness_lufs"] == pytest.approx(-23.0, abs=0.15)


@pytest.mark.parametrize("rate", [8000, 16_000, RATE])
@pytest.mark.parametrize("hertz", [85.0, 110.0, 220.0, 440.0, 587.0, 1000.0])
def test_pitch_and_centre_of_a_tone_are_its_frequency(hertz, rate):
    numbers = measure(tone(hertz, rate=rate), rate)
    assert numbers["f0_hz"] == pytest.approx(hertz, rel=0.01)
    assert numbers["centroid_hz"] == pytest.approx(hertz, rel=0.1)


@pytest.mark.parametrize("hertz", [90.0, 150.0, 330.0, 700.0])
def test_the_pitch_of_a_voice_is_that_of_its_lowest_harmonic_and_noise_has_none(hertz):
    rich = sum(tone(hertz * n, peak=0.3 / abs(n - 2.5)) for n in range(1, 7))  # the second and third are the loudest
    hiss = np.random.default_rng(1).normal(0, 0.01, rich.shape).astype(np.float32)
    assert measure(rich + hiss, RATE)["f0_hz"] == pytest.approx(hertz, rel=0.01)
    assert measure(20 * hiss, RATE)["f0_hz"] is None


@pytest.mark.parametrize("loud_first", [True, False])
def test_the_pitch_is_that_of_the_loud_part_however_long_the_quiet_one_is(loud_first):
    parts = [tone(200.0, 0.5, 0.8), tone(700.0, 2.0, 0.1)]
    numbers = measure(np.concatenate(parts if loud_first else parts[::-1]), RATE)
    assert numbers["f0_hz"] == pytest.approx(200.0, rel=0.01)
    both = np.concatenate([tone(200.0, 0.5, 0.8), tone(700.0, 2.0, 0.4)])  # half as loud counts
    assert measure(both, RATE)["f0_hz"] == pytest.approx(700.0, rel=0.01)


def test_numbers_of_unequal_channels_are_of_both():
    stereo = np.concatenate([tone(300.0, peak=1.0), tone(600.0, peak=0.1)], 1)
    numbers, swapped = measure(stereo, RATE), measure(stereo[:, ::-1], RATE)
    assert numbers == swapped
    assert numbers["peak_db"] == 0.0
    assert numbers["f0_hz"] == pytest.approx(300.0, rel=0.01)
    loud = measure(tone(300.0), RATE)["loudness_lufs"]
    assert numbers["loudness_lufs"] == pytest.approx(loud, abs=0.15)  # the sum of both powers, of which one is 1%


def test_silence_and_shreds_have_no_numbers():
    numbers = measure(np.zeros((RATE, 1), np.float32), RATE)
    assert [numbers[name] for name in ("loudness_lufs", "peak_db", "centroid_hz", "f0_hz")] == [None] * 4
    assert measure(tone(seconds=0.01), RATE)["f0_hz"] is None


def test_a_difference_is_even_where_two_are_alike_and_shows_what_one_has_more(tmp_path):
    blobs = Blobs(tmp_path)
    low, high, slow = (
        blobs.put_bytes(sounds.encode(one, rate))
        for one, rate in ((tone(300), RATE), (tone(3000), RATE), (tone(300, rate=16_000), 16_000))
    )

    def shown(*refs):
        answer = compare({"refs": list(refs)}, blobs)
        rgb = np.asarray(Image.open(io.BytesIO(blobs.get_bytes(answer["begun"]["ref"]))).convert("RGB")).astype(int)
        return answer, rgb

    answer, same = shown(low, low)
    assert answer["numbers"][0] == answer["numbers"][1]
    assert np.abs(same - same[0, 0]).max() == 0
    _, other = shown(low, high)
    warmth = other[:, :, 0] - other[:, :, 2]
    upper, lower = warmth[: len(other) // 2], warmth[len(other) // 2 :]
    assert upper.max() > 100  # orange where the second is louder: high up
    assert lower.min() < -100  # blue where the first is
    assert upper.mean() > lower.mean()
    _, rates = shown(low, slow)
    assert np.abs(rates[20:-20] - same[0, 0]).mean() < np.abs(other[20:-20] - same[0, 0]).mean() / 2


@pytest.mark.parametrize("frames", [1, 50, 127, 129, 600])
@pytest.mark.parametrize("rate", [8000, 24_000])
def test_the_shortest_sound_has_a_spectrogram(frames, rate):
    view = sound_views.mel_view(np.ones(frames, np.float32) * 0.5, rate, 0)
    assert view.meta["seconds"] > 0
    assert Image.open(io.BytesIO(view.data)).width >= 800


def test_two_takes_at_another_pace_are_laid_like_on_like(tmp_path):
    chance = np.random.default_rng(4)
    a = chance.normal(0, 20, (8, 60)).repeat(2, 1)
    slow = a.repeat(2, 1)[:, 30:]
    path = warp(a, slow)
    assert len(path) == a.shape[1]
    assert (np.diff(path) >= 0).all()
    assert np.abs(slow[:, path][:, 20:] - a[:, 20:]).max() < 1e-6
    blobs = Blobs(tmp_path)

    def spoken(gap_s):
        parts = [tone(hertz, 0.4, 0.5) for hertz in (300, 900, 2500)]
        quiet = np.zeros((int(gap_s * RATE), 1), np.float32)
        return blobs.put_bytes(sounds.encode(np.concatenate([parts[0], quiet, parts[1], quiet, parts[2]]), RATE))

    answer = compare({"refs": [spoken(0.1), spoken(0.5)]}, blobs)

    def colour(name):
        drawn = Image.open(io.BytesIO(blobs.get_bytes(answer[name]["ref"]))).convert("RGB")
        rgb = np.asarray(drawn).astype(int)
        return np.abs(rgb[:, :, 0] - rgb[:, :, 2]).mean()

    assert colour("aligned") < 0.4 * colour("begun")
    assert answer["aligned"]["seconds"] == pytest.approx(1.4, abs=0.05)
    assert answer["begun"]["seconds"] == pytest.approx(2.2, abs=0.05)
