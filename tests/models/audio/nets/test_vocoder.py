"""The vocoder: as many samples as Griffin-Lim gives, files, and what it does before it learnt a thing."""

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
    made = Vocoder(width=16, num_blocks=2).eval()
    torch.nn.init.normal_(made.out.weight, std=0.3)  # as made it changes nothing
    return made


@torch.inference_mode()
def test_its_sound_is_as_long_as_griffin_lims_and_comes_back_the_same(mels, spoken, tmp_path):
    model, rough = tiny(), mels.to_sound(spoken[None])
    sound = model(spoken[None], rough)
    assert sound.shape == rough.shape
    assert (sound - rough).abs().max() > 0.01
    model.save_pretrained(tmp_path)
    again = Vocoder.from_pretrained(tmp_path).eval()
    assert torch.equal(again(spoken[None], rough), sound)


@torch.inference_mode()
def test_untrained_it_changes_nothing(mels, spoken):
    torch.manual_seed(1)
    rough = mels.to_sound(spoken[None])
    assert torch.allclose(Vocoder(width=16, num_blocks=2).eval()(spoken[None], rough), rough, atol=1e-5)


@torch.inference_mode()
def test_it_sees_how_a_tones_phase_goes_on_not_the_phase(mels):
    time, model = torch.arange(4032) / 8000, tiny()
    window = torch.hann_window(256)
    seen = []
    for start in (0.0, 1.0):
        tone = 0.4 * torch.sin(2 * torch.pi * 500 * time + start)  # in the middle of its frequency
        spectrum = torch.stft(tone[None], 256, 64, window=window, return_complex=True)
        seen.append([one[0, 16, 8:-8] for one in model._seen(spectrum)[1:3]])
    for along_real, along_imaginary in seen:
        assert torch.allclose(along_real, torch.ones_like(along_real), atol=1e-3)
        assert along_imaginary.abs().max() < 1e-3


@torch.inference_mode()
def test_words_are_spoken_by_it_where_it_is_given(mels, spoken):
    both = [speak(mels, spoken[None], 0.0, 8, vocoder) for vocoder in (None, tiny())]
    assert all(abs(float(one.max())) <= 0.9 for one in both)
    assert len(both[0]) != len(both[1]) or abs(both[0] - both[1]).max() > 0.01
    assert (speak(mels, spoken[None], 0.0, 8, tiny()) == both[1]).all()
