"""Spoken digits: the split, rows put together, what is drawn of them and read back."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models.torchaudio_guard import guard
from tests.training.runs import Ticking, options

guard()

from models.audio.nets.speech_ctc import SpeechCTC, SpeechCTCConfig  # noqa: E402
from models.audio.nets.vocoder import Vocoder  # noqa: E402
from models.audio.sampling.mels import Mels, MelSettings  # noqa: E402
from models.audio.sampling.spectrograms import SpectrogramLayout  # noqa: E402
from models.diffusion import schedulers  # noqa: E402
from training import loop  # noqa: E402
from training.audio import (  # noqa: E402
    digit_diffusion,
    digit_outliers,
    digit_recogniser,
    digit_vocoder,
    voices,
    whisper_marks,
)
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


@pytest.fixture
def said(digits):
    """Return what stands in for the voices of a synthesiser: two takes, a row of them and a noise."""
    takes = [digit_recogniser.Take(take.sound, take.digit, -2) for take in digits.train[:2]]
    both = torch.cat([take.sound for take in takes]), [take.digit for take in takes]
    return digit_recogniser.Made(takes, [both], voices.noises(["pink"], 1, 0), takes)


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


@pytest.mark.parametrize("steps", [5, 20])
def test_the_shipped_schedule_begins_at_the_noisiest_step_however_few_there_are(steps):
    folder = Path(__file__).parents[3] / "models/embedded/digits-diffusion/scheduler"
    shipped = json.loads((folder / "scheduler_config.json").read_text("utf-8"))
    assert {name: shipped[name] for name in digit_diffusion.SCHEDULE} == digit_diffusion.SCHEDULE
    for name in ("DDPMScheduler", "DPMSolverMultistepScheduler", "DDIMScheduler"):
        scheduler = schedulers.make(shipped, name)
        scheduler.set_timesteps(steps)
        assert int(scheduler.timesteps[0]) == 999, name


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


def test_the_recogniser_is_trained_saved_and_goes_on(digits, said, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(digit_recogniser, "BATCH", 2)
    asked = options(tmp_path, minutes=0.02)
    torch.manual_seed(0)
    model = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1))
    first = digit_recogniser.train(model, digits, said, asked)
    assert first["steps"] > 0
    asked.minutes = 0.04
    model = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1))
    learnt = {name: value.clone() for name, value in model.state_dict().items()}
    second = digit_recogniser.train(model, digits, said, asked)
    assert second["steps"] > first["steps"]
    assert any(not torch.equal(value, learnt[name]) for name, value in model.state_dict().items())


def test_judging_voices_and_noises_have_no_part_in_what_is_learnt():
    for parts in (
        (voices.LEARNT, voices.CHOSEN_BY, voices.JUDGED_BY), (voices.LEARNT_ACCENTS, voices.JUDGED_ACCENTS),
        (voices.NOISES_LEARNT, voices.NOISES_JUDGED),
    ):  # fmt: skip
        every = [name for part in parts for name in part]
        assert len(every) == len(set(every))


def test_rows_to_learn_from_hold_every_kind_and_fit_their_labels(digits, said):
    choice, chance = random.Random(3), torch.Generator().manual_seed(3)
    rows = [digit_recogniser.drawn(digits, said, choice, chance) for _ in range(200)]
    assert all(sound.isfinite().all() and 0 < float(sound.abs().max()) <= 1 for sound, _ in rows)
    empty = sum(not labels for _, labels in rows)
    assert 10 < empty < 60
    assert all(len(sound) > 1000 * len(labels) for sound, labels in rows)


def test_batches_hold_rows_of_about_one_length(digits, said):
    found = digit_recogniser.batches(digits, said, random.Random(1), torch.Generator().manual_seed(1))
    assert [len(sound) for sound, _, _ in found] == [digit_recogniser.BATCH] * 4
    longest, shortest = ([int(ends(mask.sum(1))) for _, mask, _ in found] for ends in (torch.max, torch.min))
    assert sum(longest) - sum(shortest) <= max(longest)  # one batch ends where the next begins


def test_another_throat_moves_bands_and_blanks_stretches_alone():
    ramp = torch.arange(1.0, 65.0)[None, :, None].expand(3, 64, 100)
    found = digit_recogniser.hidden_parts(ramp.clone(), torch.Generator().manual_seed(2))
    assert found.shape == ramp.shape
    assert 0 < float((found == 0).float().mean()) < 0.5
    kept = found[found != 0]
    assert float(kept.min()) >= 1.0 and float(kept.max()) <= 64.0
    assert not torch.equal(found[0], found[1])


def test_blocks_that_the_shipped_weights_lack_begin_as_identities():
    torch.manual_seed(0)
    small = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1)).eval()
    large = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=3)).eval()
    digit_recogniser.take_over(large, small)
    sound = torch.randn(1, 4000)
    assert torch.allclose(large(sound).logits, small(sound).logits, atol=1e-6)


def test_a_noise_is_laid_under_a_sound_as_far_below_as_asked():
    sound, noise = torch.randn(8000), torch.randn(8000) * 7
    found = voices.mixed(sound, noise, 20.0)
    level = float(
        found.dot(noise) / noise.dot(noise) * noise.std() / (found.dot(sound) / sound.dot(sound) * sound.std())
    )
    assert 20 * np.log10(level) == pytest.approx(-20.0, abs=0.5)


def test_the_vocoder_is_trained_saved_and_goes_on(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(digit_vocoder, "BATCH", 2)
    monkeypatch.setattr(digit_vocoder, "POOL", 4)
    asked, mels = options(tmp_path, minutes=0.03), Mels(MelSettings())
    torch.manual_seed(0)
    model = Vocoder(width=16, num_blocks=1)
    first = digit_vocoder.train(model, mels, digits, asked)
    assert first["steps"] > 0
    asked.minutes = 0.06
    assert digit_vocoder.train(Vocoder(width=16, num_blocks=1), mels, digits, asked)["steps"] > first["steps"]


def test_the_spectral_distance_is_none_to_itself_and_6_db_to_half_of_it(digits):
    takes = digits.test[:1]
    assert digit_vocoder.log_spectral_distance(lambda mel: takes[0].sound, takes) == pytest.approx(0, abs=1e-5)
    noisy = digit_recogniser.Take(torch.randn(4000, generator=torch.Generator().manual_seed(0)), 0, 0)
    half = digit_vocoder.log_spectral_distance(lambda mel: noisy.sound / 2, [noisy])
    assert half == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_a_label_is_judged_with_its_features_and_silence_has_some_where_asked(monkeypatch):
    torch.manual_seed(0)
    model = SpeechCTC(SpeechCTCConfig(hidden_size=16, num_blocks=1)).eval()
    torch.nn.init.zeros_(model.out.weight)
    model.out.bias.data = torch.zeros(11).index_fill_(0, torch.tensor([0]), 5.0)  # it hears the blank alone
    assert digit_outliers.parts(model, torch.randn(4000)) == []
    ((label, features),) = digit_outliers.parts(model, torch.randn(4000), always=True)
    assert 1 <= label <= 10
    assert features.shape == (16,)


def test_rows_are_joined_with_pauses_and_counted_by_what_is_heard():
    loud = torch.sin(torch.arange(2000) / 3)
    row = whisper_marks.joined([loud] * 4)
    assert len(row) == pytest.approx(4 * 2000 + 5 * 960, abs=4 * 200)
    assert whisper_marks.right([8, 2, 4, 2], [8, 2, 4, 2]) == 4
    assert whisper_marks.right([2, 4, 2], [8, 2, 4, 2]) == 3
    assert whisper_marks.right([], [8, 2]) == 0
    assert whisper_marks.right([1] * 9, [8, 2]) == 0


def test_what_whisper_writes_is_read_as_digits():
    assert whisper_marks.digits_of(" Four.") == [4]
    assert whisper_marks.digits_of("4, 0-7") == [4, 0, 7]
    assert whisper_marks.digits_of("Too") == [2]
    assert whisper_marks.digits_of("Thank you.") == [-1, -1]
    assert whisper_marks.digits_of("") == []
