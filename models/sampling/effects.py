"""After-effects on finished sound, by torch and torchaudio."""

from __future__ import annotations

import json
from typing import Any

import torch

from models import sounds
from models.blobs import Blobs
from models.effects import Effects
from models.params import check, describe

HALL_S = 1.6
_BANDS = (("bass_db", 250.0), ("middle_db", 1000.0), ("treble_db", 4000.0))


def apply_effects(data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Serve a tool call: `{"ref", "effects"}` → `{"ref", "seconds", "peaks", "clipped"}`.

    The sound under `ref` is read, changed, and stored as a file of its own with the settings of both inside.
    Raises `BadParam` for effects out of range, `BadInput` for a file that is not stored.
    """
    effects = check(Effects, describe(Effects), data["effects"], "an after-effect")
    source = blobs.get_bytes(data["ref"])
    samples, rate = sounds.read_wav(source)
    changed = transform(torch.from_numpy(samples.T.copy()), rate, effects)
    comment = sounds.read_comment(source)
    if comment.startswith("{"):
        content = json.loads(comment)
        # the index first: readers know a file of ours by how its comment begins
        content = {"index": content.pop("index", 0), **content, "effects": effects.model_dump()}
        comment = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    out = changed.T.contiguous().numpy()
    return {
        "ref": blobs.put_bytes(sounds.encode(out, rate, "WAV", comment)), "seconds": round(len(out) / rate, 4),
        "peaks": sounds.peaks(out), "clipped": bool((changed.abs() > 1).any()),
    }  # fmt: skip


@torch.inference_mode()
def transform(sound: torch.Tensor, rate: int, effects: Any) -> torch.Tensor:
    """Return sound (channels × frames, −1 … 1) with the effects applied; neutral ones are passed over."""
    from torchaudio.functional import pitch_shift

    if effects.speed != 1:
        sound = _stretched(sound, effects.speed)
    if effects.pitch:
        sound = pitch_shift(sound, rate, effects.pitch, bins_per_octave=12, n_fft=_window(sound))
    if effects.bass_db or effects.middle_db or effects.treble_db:
        sound = _equalised(sound, rate, effects)
    if effects.reverb:
        sound = _in_a_hall(sound, rate, effects.reverb)
    if effects.gain_db:
        sound = sound * 10 ** (effects.gain_db / 20)
    return _faded(sound, rate, effects.fade_in_s, effects.fade_out_s)


def _window(sound: torch.Tensor) -> int:
    return 1024 if sound.shape[1] >= 4096 else 256


def _stretched(sound: torch.Tensor, speed: float) -> torch.Tensor:
    """Return sound `speed` times as fast at the same pitch (phase vocoder, Flanagan & Golden 1966)."""
    from torchaudio.functional import phase_vocoder

    size = _window(sound)
    hop = size // 4
    window = torch.hann_window(size)
    spectrum = torch.stft(sound, size, hop, window=window, return_complex=True)
    advance = torch.linspace(0, torch.pi * hop, spectrum.shape[-2])[:, None]
    slower = phase_vocoder(spectrum, speed, advance)
    out: torch.Tensor = torch.istft(slower, size, hop, window=window, length=round(sound.shape[1] / speed))
    return out


def _equalised(sound: torch.Tensor, rate: int, effects: Any) -> torch.Tensor:
    """Return sound with three bands louder or softer, in the frequency domain; gains go over into one another."""
    frames = sound.shape[1]
    spectrum = torch.fft.rfft(sound)
    place = torch.fft.rfftfreq(frames, 1 / rate).clamp(min=20.0).log2()
    anchors = torch.tensor([hertz for _, hertz in _BANDS]).log2()
    gains = [float(getattr(effects, name)) for name, _ in _BANDS]
    share = ((place - anchors[0]) / (anchors[1] - anchors[0])).clamp(0, 1)
    upper = ((place - anchors[1]) / (anchors[2] - anchors[1])).clamp(0, 1)
    decibels = gains[0] + (gains[1] - gains[0]) * share + (gains[2] - gains[1]) * upper
    out: torch.Tensor = torch.fft.irfft(spectrum * 10 ** (decibels / 20), n=frames)
    return out


def _in_a_hall(sound: torch.Tensor, rate: int, share: float) -> torch.Tensor:
    """Return sound with the answer of a hall: noise that dies away (Moorer 1979), another for each channel."""
    from torchaudio.functional import fftconvolve

    length = int(HALL_S * rate)
    noise = torch.randn(len(sound), length, generator=torch.Generator().manual_seed(5))
    tail = noise * torch.exp(-6.9 * torch.linspace(0, 1, length))
    tail[:, : int(0.015 * rate)] = 0
    tail = tail / tail.square().sum(1, keepdim=True).sqrt()
    wet = fftconvolve(sound, tail)[:, : sound.shape[1] + length]
    dry = torch.nn.functional.pad(sound, (0, wet.shape[1] - sound.shape[1]))
    out: torch.Tensor = dry * (1 - 0.4 * share) + wet * share
    return out


def _faded(sound: torch.Tensor, rate: int, into_s: float, out_s: float) -> torch.Tensor:
    from torchaudio.transforms import Fade

    frames = sound.shape[1]
    lengths = min(frames, int(into_s * rate)), min(frames, int(out_s * rate))
    out: torch.Tensor = Fade(*lengths, fade_shape="half_sine")(sound) if any(lengths) else sound
    return out
