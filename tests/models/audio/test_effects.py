"""After-effects: each does what it says to a tone, neutral ones do nothing, files keep their settings."""

import json

import numpy as np
import pytest
import torch

from models.audio import sounds
from models.audio.effects import Effects, apply_effects, transform
from models.blobs import Blobs
from models.errors import BadInput, BadParam
from models.params import describe
from models.torchaudio_guard import guard
from tests.fresh import run_fresh

guard()

RATE = 16_000


def tone(*hertz, seconds=2.0):
    time = torch.arange(int(seconds * RATE)) / RATE
    return sum(0.2 * torch.sin(2 * torch.pi * one * time) for one in hertz)[None].float()


def level(sound, hertz):
    """Return the strength of one frequency in dB."""
    mono = sound[0].numpy() * np.hanning(sound.shape[1])
    spectrum = np.abs(np.fft.rfft(mono)) / sound.shape[1]
    at = round(hertz * sound.shape[1] / RATE)
    return 20 * np.log10(spectrum[at - 3 : at + 4].max() + 1e-9)


def top(sound):
    middle = sound[0, sound.shape[1] // 4 : 3 * sound.shape[1] // 4].numpy()
    return np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * RATE / len(middle)


def test_a_page_draws_the_sliders_without_torch_and_scipy():
    said = run_fresh("""
import json, sys
from models.audio.effects import Effects, apply_effects, transform
from models.params import describe
describe(Effects)
print(json.dumps(sorted({"torch", "torchaudio", "scipy"} & set(sys.modules))))
""")
    assert said == []


def test_neutral_effects_change_nothing():
    sound = tone(440)
    assert torch.equal(transform(sound, RATE, Effects()), sound)


@pytest.mark.parametrize("speed", [0.5, 1.5, 2.0])
def test_speed_changes_the_length_and_keeps_the_pitch(speed):
    changed = transform(tone(440), RATE, Effects(speed=speed))
    assert changed.shape[1] == pytest.approx(2 * RATE / speed, abs=2)
    assert top(changed) == pytest.approx(440, rel=0.02)


@pytest.mark.parametrize("speed", [0.5, 0.8, 2.0])
@pytest.mark.parametrize("pitch", [-12.0, -0.5, 0.0, 3.0, 12.0])
@pytest.mark.parametrize("hertz", [110, 440, 1000])
def test_speed_and_pitch_leave_the_level_and_hit_the_note(speed, pitch, hertz):
    changed = transform(tone(hertz, seconds=4.0), RATE, Effects(speed=speed, pitch=pitch))
    middle = changed[0, changed.shape[1] // 4 : 3 * changed.shape[1] // 4]
    assert middle.square().mean().sqrt() == pytest.approx(0.2 / 2**0.5, rel=0.1)
    assert top(changed) == pytest.approx(hertz * 2 ** (pitch / 12), abs=1.5)


@pytest.mark.parametrize("frames", [1, 60, 800, 5000])
def test_a_short_sound_is_changed_too(frames):
    sound = tone(440)[:, :frames].repeat(2, 1)
    changed = transform(sound, RATE, Effects(speed=0.5, pitch=5.0))
    assert changed.shape == (2, 2 * frames)
    assert changed.isfinite().all()


def test_the_cost_of_a_pitch_grows_with_the_length_alone(tmp_path):
    """36 s at a ratio of rates that have no common divisor took 18.7 GB."""
    said = run_fresh("""
import json, resource
from models.torchaudio_guard import guard
guard()
import torch
from models.audio.effects import Effects, transform
transform(torch.zeros(2, 32000), 32000, Effects(pitch=0.5))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
transform(torch.rand(2, 36 * 32000), 32000, Effects(pitch=0.5))
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
""")
    assert said * 1024 < 300_000_000


@pytest.mark.parametrize("steps", [-12.0, 7.0, 12.0])
def test_pitch_moves_the_notes_and_keeps_the_length(steps):
    changed = transform(tone(440), RATE, Effects(pitch=steps))
    assert changed.shape[1] == 2 * RATE
    assert top(changed) == pytest.approx(440 * 2 ** (steps / 12), rel=0.02)


@pytest.mark.parametrize(("name", "hertz"), [("bass_db", 100), ("middle_db", 1000), ("treble_db", 6000)])
def test_each_band_moves_its_own_tones(name, hertz):
    sound = tone(100, 1000, 6000)
    changed = transform(sound, RATE, Effects(**{name: 12.0}))
    for one in (100, 1000, 6000):
        assert level(changed, one) - level(sound, one) == pytest.approx(12.0 if one == hertz else 0.0, abs=0.3)


def test_a_hall_sounds_on_and_is_the_same_again():
    sound = tone(440)
    one, again = (transform(sound, RATE, Effects(reverb=0.5)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape[1] > sound.shape[1] + RATE
    assert one[0, 2 * RATE : 2 * RATE + 2000].abs().max() > 0.02


def test_gain_and_fades():
    sound = tone(440)
    assert level(transform(sound, RATE, Effects(gain_db=-6.0)), 440) - level(sound, 440) == pytest.approx(-6, abs=0.1)
    faded = transform(sound, RATE, Effects(fade_in_s=0.5, fade_out_s=1.0))
    assert faded[0, :100].abs().max() < 0.01
    assert faded[0, -100:].abs().max() < 0.01
    assert torch.allclose(faded[0, RATE * 3 // 4 : RATE - 10], sound[0, RATE * 3 // 4 : RATE - 10], atol=1e-5)
    assert transform(sound, RATE, Effects(fade_in_s=10.0)).shape == sound.shape


@pytest.mark.parametrize(
    "item", [item for item in describe(Effects) if item.type != "seed"], ids=lambda item: item.name
)
def test_both_ends_of_every_slider_are_heard(item):
    ends = [transform(tone(100, 1000, 6000), RATE, Effects(**{item.name: value})) for value in (item.ge, item.le)]
    assert ends[0].shape != ends[1].shape or (ends[0] - ends[1]).abs().max() > 0.05


def test_a_stored_sound_is_changed_into_one_of_its_own_with_both_settings_inside(tmp_path):
    blobs = Blobs(tmp_path)
    request = {"model": "audio/x", "inputs": {}, "params": {}, "seed": 3}
    made = sounds.sound_output(tone(440)[0].numpy(), RATE, {"request": request})
    ref = blobs.put_bytes(made.data)
    answer = apply_effects({"ref": ref, "effects": {"speed": 2.0, "gain_db": 24.0}}, blobs)
    assert answer["seconds"] == pytest.approx(1.0, abs=0.01)
    assert answer["clipped"]
    assert len(answer["peaks"]) == 800
    data = blobs.get_bytes(answer["ref"])
    assert sounds.read_settings(data).seed == 3
    assert json.loads(sounds.read_comment(data))["effects"]["speed"] == 2.0
    assert blobs.get_bytes(ref) == made.data
    assert apply_effects({"ref": ref, "effects": {"speed": 2.0, "gain_db": 24.0}}, blobs)["ref"] == answer["ref"]


def test_what_cannot_be_done_is_a_sentence(tmp_path):
    blobs = Blobs(tmp_path)
    with pytest.raises(BadParam, match=r"speed is 9.*0\.5 to 2"):
        apply_effects({"ref": "sha256:" + "0" * 64, "effects": {"speed": 9}}, blobs)
    with pytest.raises(BadInput, match="No file"):
        apply_effects({"ref": "sha256:" + "0" * 64, "effects": {"speed": 2}}, blobs)
