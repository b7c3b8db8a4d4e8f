"""Sounds small enough for a grid, and the picture of where two differ."""

import io

import numpy as np
import soundfile
from PIL import Image

from models.audio import grid_sound, sounds

RATE = 16_000


def tone(hertz, seconds=1.0, level=0.5, rate=RATE):
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def wav(samples, rate=RATE):
    return sounds.encode(samples, rate)


def colours(folder):
    return np.asarray(Image.open(folder / grid_sound.PICTURE)).astype(int)  # height × width × RGB


def test_a_preview_is_the_beginning_in_one_channel(tmp_path):
    both = np.stack([tone(440, 20), np.zeros(20 * RATE, np.float32)], axis=1)
    assert grid_sound.preview(tmp_path, wav(both)) == {"seconds": 20.0}
    samples, rate = soundfile.read(io.BytesIO((tmp_path / grid_sound.SOUND).read_bytes()))
    assert (rate, samples.ndim) == (RATE, 1)
    assert abs(len(samples) / rate - grid_sound.PREVIEW_S) < 0.2
    assert abs(np.abs(samples[RATE : 2 * RATE]).max() - 0.25) < 0.03  # the mean of the channels


def test_a_sound_does_not_differ_from_itself(tmp_path):
    assert grid_sound.difference(tmp_path, wav(tone(440)), wav(tone(440))) == {"apart_db": 0.0}
    assert (colours(tmp_path) == 255).all()
    assert colours(tmp_path).shape == (96, 192, 3)


def test_what_is_louder_in_the_second_is_orange_where_it_sounds_and_softer_is_blue(tmp_path):
    half = np.concatenate([np.zeros(RATE // 2, np.float32), tone(2000, 0.5)])
    said = grid_sound.difference(tmp_path, wav(np.zeros(RATE, np.float32) + 1e-4), wav(half))
    assert said["apart_db"] > 1
    red, _, blue = (colours(tmp_path)[..., channel] for channel in range(3))
    row = 96 - 96 * 2000 // (RATE // 2)  # 2 kHz of 8 kHz, from below
    assert (red[row - 1 : row + 1, 110:180] - blue[row - 1 : row + 1, 110:180] > 40).all()
    assert (abs(red[row, 5:80] - blue[row, 5:80]) < 40).all()
    grid_sound.difference(tmp_path, wav(half), wav(np.zeros(RATE, np.float32) + 1e-4))
    red, _, blue = (colours(tmp_path)[..., channel] for channel in range(3))
    assert (blue[row - 1 : row + 1, 110:180] - red[row - 1 : row + 1, 110:180] > 40).all()


def test_sounds_of_other_rates_and_lengths_lie_on_one_scale(tmp_path):
    grid_sound.difference(tmp_path, wav(tone(1000, 1.0, rate=8000), 8000), wav(tone(1000, 2.0)))
    red, _, blue = (colours(tmp_path)[..., channel] for channel in range(3))
    row = 96 - 96 * 1000 // 4000
    assert (abs(red[row, 10:80] - blue[row, 10:80]) < 60).all()  # both have it
    assert (red[row - 1, 110:180] - blue[row - 1, 110:180] > 40).all()  # the second alone goes on
