"""The vocoder: as many samples as Griffin-Lim gives, files, and what it has before it learnt a thing."""

import pytest
import torch

from models.audio.nets.vocoder import Vocoder
from models.audio.sampling.mels import Mels, MelSettings
from models.audio.sampling.spectrograms import speak


@pytest.fixture(scope="module")
def mels():
    return Mels(MelSettings())


@pytest.fixture
def spoken(mels):
    time = torch.arange(4000) / 8000
    return mels.to_mel(0.4 * torch.sin(2 * torch.pi * 500 * time) * torch.hann_window(4000))


def tiny():
    torch.manual_seed(1)
    return Vocoder(width=16, num_blocks=2).eval()


@torch.inference_mode()
def test_its_sound_is_as_long_as_griffin_lims_and_comes_back_the_same(mels, spoken, tmp_path):
    model = tiny()
    sound = model(spoken[None], mels.magnitude(spoken)[None])
    assert sound.shape == mels.to_sound(spoken[None]).shape
    model.save_pretrained(tmp_path)
    again = Vocoder.from_pretrained(tmp_path).eval()
    assert torch.equal(again(spoken[None], mels.magnitude(spoken)[None]), sound)


@torch.inference_mode()
def test_without_a_correction_it_has_the_magnitudes_of_least_squares(mels, spoken):
    model = tiny()
    for weight in (model.out.weight, model.out.bias):
        weight.data.zero_()
    magnitude = mels.magnitude(spoken)[None]
    assert torch.allclose(model.spectrum(spoken[None], magnitude).abs(), magnitude.clamp(min=1e-5), rtol=1e-4)


@torch.inference_mode()
def test_words_are_spoken_by_it_where_it_is_given(mels, spoken):
    both = [speak(mels, spoken[None], 0.0, 8, vocoder) for vocoder in (None, tiny())]
    assert all(abs(float(one.max())) <= 0.9 for one in both)
    assert len(both[0]) != len(both[1]) or abs(both[0] - both[1]).max() > 0.01
    assert (speak(mels, spoken[None], 0.0, 8, tiny()) == both[1]).all()
