"""Spoken digits: the split, rows put together, what is drawn of them and read back."""

import random

import numpy as np
import pytest
import soundfile
import torch

from models.torchaudio_guard import guard
from tests.training.runs import Ticking, options

guard()

from models.audio.nets.speech_ctc import SpeechCTC, SpeechCTCConfig  # noqa: E402
from models.audio.sampling.mels import Mels, MelSettings  # noqa: E402
from models.audio.sampling.spectrograms import SpectrogramLayout  # noqa: E402
from training import loop  # noqa: E402
from training.audio import digit_diffusion, digit_recogniser  # noqa: E402
from training.audio.digits import SPEAKERS, load_digits  # noqa: E402


@pytest.fixture
def digits(tmp_path):
    (tmp_path / "digits").mkdir()
    time = np.arange(2400) / 8000
    for digit in (0, 7):
        for speaker in SPEAKERS[:2]:
            for number in range(10):
                wave = 0.3 * np.sin(2 * np.pi * (300 + 200 * digit) * time)
                soundfile.write(tmp_path / "digits" / f"{digit}_{speaker}_{number}.wav", wave, 8000)
    return load_digits(tmp_path)


def test_the_split_is_that_of_the_authors(digits):
    assert (len(digits.train), len(digits.held_out), len(digits.test)) == (8, 12, 20)
    assert all(float(take.sound.abs().max()) == pytest.approx(0.8, abs=1e-3) for take in digits.train)


def test_a_row_is_its_digits_in_one_sound(digits):
    choice, chance = random.Random(1), torch.Generator().manual_seed(1)
    lengths = set()
    for _ in range(30):
        sound, labels = digit_recogniser.row([take for take in digits.train if take.speaker == 0] * 6, choice, chance)
        lengths.add(len(labels))
        assert len(sound) >= 1900 * len(labels)
        assert float(sound.abs().max()) <= 1.0
        assert set(labels) <= {0, 7}
    assert {1, 2} <= lengths


def test_a_batch_is_padded_with_what_says_so():
    rows = [(torch.ones(100), [4, 0, 7]), (torch.ones(60), [])]
    sound, mask, labels = digit_recogniser.collate(rows)
    assert sound.shape == mask.shape == (2, 100)
    assert mask.sum(1).tolist() == [100, 60]
    assert labels.tolist() == [[5, 1, 8], [-100, -100, -100]]


def test_a_spectrogram_is_folded_and_unfolded_again():
    mel = torch.arange(2 * 64 * 96, dtype=torch.float32).view(2, 64, 96)
    folded = digit_diffusion.fold(mel)
    assert folded.shape == (2, 32, 8, 24)
    meaning = SpectrogramLayout(
        MelSettings(), 96, digit_diffusion.PATCH, tuple("0123456789"), SPEAKERS, digit_diffusion.NOTHING
    )
    assert torch.equal(meaning.unfold(folded), mel)
    assert meaning.classes(["0", "7"], "jackson") == [1, 7 * len(SPEAKERS) + 1]
    assert digit_diffusion.label_of(7, 1) == meaning.classes(["7"], "jackson")[0]


def test_a_spectrogram_has_its_size_whatever_the_recording(digits):
    mels, choice = Mels(MelSettings()), random.Random(0)
    for take in (digits.train[0], digits.train[-1]):
        drawn = digit_diffusion.spectrogram(take, mels, choice)
        assert drawn.shape == (64, 96)
        assert drawn.isfinite().all()


def test_sound_comes_back_from_its_spectrogram():
    mels = Mels(MelSettings())
    time = torch.arange(6000) / 8000
    sound = 0.4 * torch.sin(2 * torch.pi * 500 * time) * torch.hann_window(6000)
    again = mels.to_sound(mels.to_mel(sound))
    assert len(again) == pytest.approx(6000, abs=64)
    spectrum = torch.fft.rfft(again).abs()
    assert float(spectrum.argmax()) * 8000 / len(again) == pytest.approx(500, abs=20)
    assert float(again.std() / sound.std()) == pytest.approx(1.0, abs=0.2)
    assert torch.equal(mels.to_sound(mels.to_mel(sound)), again)


def test_the_recogniser_is_trained_saved_and_goes_on(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(digit_recogniser, "BATCH", 2)
    asked = options(tmp_path, minutes=0.02)
    torch.manual_seed(0)
    model = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1))
    first = digit_recogniser.train(model, digits, asked)
    assert first["steps"] > 0
    asked.minutes = 0.04
    model = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1))
    learnt = {name: value.clone() for name, value in model.state_dict().items()}
    second = digit_recogniser.train(model, digits, asked)
    assert second["steps"] > first["steps"]
    assert any(not torch.equal(value, learnt[name]) for name, value in model.state_dict().items())
