"""The frequencies that are named beside a spectrogram."""

import itertools
from pathlib import Path

import pytest

from components.audio import spectrogram


@pytest.mark.parametrize("top_hz", [500, 4000, 8000, 11_025, 16_000, 24_000])
def test_marks_stand_clear_of_one_another_and_of_the_edges(top_hz):
    marks = spectrogram.shown_marks(top_hz)
    assert marks == sorted(marks)
    assert len(marks) >= 2
    places = [spectrogram.HEIGHT_PX * spectrogram._mel(hertz) / spectrogram._mel(top_hz) for hertz in marks]
    assert all(later - sooner >= 20 for sooner, later in itertools.pairwise([*places, spectrogram.HEIGHT_PX]))


def test_a_sound_without_a_rate_has_no_marks():
    assert spectrogram.shown_marks(0.0) == []


def test_the_height_is_that_of_the_look():
    assert f".stage {{ height: {spectrogram.HEIGHT_PX}px;" in Path(spectrogram.__file__).with_suffix(".css").read_text()
