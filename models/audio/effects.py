"""After-effects on finished sound: one declaration of sliders, neutral by default, and what applies them.

The declaration is drawn by pages: torch, torchaudio and scipy are imported inside the functions that need them.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from models.family import Cost
from models.params import Params, check, describe, hint

if TYPE_CHECKING:
    import torch

    from models.audio.sounds import Samples
    from models.blobs import Blobs

RATIO_MOST = 1000  # of the numbers of a ratio of two rates: filters grow with them
REVERB_S = 1.6  # length of the reverberation's tail
_BANDS = (("bass_db", 250.0), ("middle_db", 1000.0), ("treble_db", 4000.0))  # centre frequencies, Hz


class Effects(Params):
    """Declare the after-effects, in the order in which they are applied."""

    speed: float = Field(
        1.0, ge=0.5, le=2.0, description="Playback speed. The pitch stays the same.", json_schema_extra=hint(step=0.05),
    )  # fmt: skip
    pitch: float = Field(
        0.0, ge=-12.0, le=12.0, description="Shifts the pitch up or down. The speed stays the same.",
        json_schema_extra=hint(step=0.5, unit="semitones"),
    )  # fmt: skip
    bass_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="Bass volume (below about 250 Hz).",
        json_schema_extra=hint(label="Bass", step=1, unit="dB"),
    )  # fmt: skip
    middle_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="Mid volume (around 1 kHz).",
        json_schema_extra=hint(label="Mid", step=1, unit="dB"),
    )  # fmt: skip
    treble_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="Treble volume (above about 4 kHz).",
        json_schema_extra=hint(label="Treble", step=1, unit="dB"),
    )  # fmt: skip
    reverb: float = Field(
        0.0, ge=0.0, le=1.0, description="Reverb: dry at 0, a large hall at 1.",
        json_schema_extra=hint(label="Reverb", step=0.05),
    )  # fmt: skip
    gain_db: float = Field(
        0.0, ge=-24.0, le=24.0, description="Volume. Peaks above full scale are clipped (distorted).",
        json_schema_extra=hint(label="Gain", step=1, unit="dB"),
    )  # fmt: skip
    fade_in_s: float = Field(
        0.0, ge=0.0, le=10.0, description="Fade-in time at the start.",
        json_schema_extra=hint(label="Fade in", step=0.1, unit="s"),
    )  # fmt: skip
    fade_out_s: float = Field(
        0.0, ge=0.0, le=10.0, description="Fade-out time at the end.",
        json_schema_extra=hint(label="Fade out", step=0.1, unit="s"),
    )  # fmt: skip


def apply_effects(data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Serve a tool call: `{"ref", "effects"}` → `{"ref", "seconds", "peaks", "clipped"}`.

    The sound under `ref` is read, changed, and stored as a file of its own with the settings of both inside.
    Raises `BadParam` for effects out of range, `BadInput` for a file that is not stored.
    """
    import torch

    from models.audio import sounds

    effects = check(Effects, describe(Effects), data["effects"], "an after-effect")
    source = blobs.get_bytes(data["ref"])
    samples, rate = sounds.read_wav(source)
    changed = transform(torch.from_numpy(samples.T.copy()), rate, effects)
    comment = sounds.read_comment(source)
    if comment.startswith("{"):
        content = json.loads(comment)
        # the index first: `sounds.read_settings` knows our files by how their comment begins
        content = {"index": content.pop("index", 0), **content, "effects": effects.model_dump()}
        comment = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    out = changed.T.contiguous().numpy()
    return {
        "ref": blobs.put_bytes(sounds.encode(out, rate, "WAV", comment)), "seconds": round(len(out) / rate, 4),
        "peaks": sounds.peaks(out), "clipped": bool((changed.abs() > 1).any()),
    }  # fmt: skip


def effects_cost(data: dict[str, Any], blobs: Blobs) -> Cost:
    """Forecast `apply_effects`: nanoseconds and bytes per value, measured on one core. Raises as it does."""
    from models.audio import sounds

    effects = check(Effects, describe(Effects), data["effects"], "an after-effect")
    size = sounds.size_of(blobs, data["ref"])
    ratio = 2 ** (effects.pitch / 12)
    longer = max(1.0, 1 / effects.speed) * max(1.0, ratio)  # than the sound, on the way
    nanoseconds = 200.0 + 500.0 * longer * ((effects.speed != 1) + (effects.pitch != 0))
    if effects.bass_db or effects.middle_db or effects.treble_db:
        nanoseconds += 200.0 * longer
    if effects.reverb:
        nanoseconds += 400.0 * longer
    values = size.values * longer
    return Cost(1e-9 * nanoseconds * size.values, 30_000_000 + int(64 * values), f"{size.seconds:.0f} s of sound")


def transform(sound: torch.Tensor, rate: int, effects: Any) -> torch.Tensor:
    """Return sound (channels × frames, −1 … 1) with the effects applied in the order of their declaration."""
    import torch

    with torch.inference_mode():
        if effects.speed != 1 or effects.pitch:
            sound = torch.from_numpy(_stretched(sound.numpy(), rate, effects.speed, effects.pitch))
        if effects.bass_db or effects.middle_db or effects.treble_db:
            sound = _equalise(sound, rate, effects)
        if effects.reverb:
            sound = _reverberate(sound, rate, effects.reverb)
        if effects.gain_db:
            sound = sound * 10 ** (effects.gain_db / 20)
        return _fade(sound, rate, effects.fade_in_s, effects.fade_out_s)


def _stretched(sound: Samples, rate: int, speed: float, pitch: float) -> Samples:
    """Return sound `speed` times as fast and `pitch` semitones higher.

    It is stretched in time by Signalsmith Stretch (a phase vocoder on frames whose memory is the sound's own), which
    keeps level and pitch, and then played at another rate: the pitch is exact, the cost grows with the length alone.
    """
    from python_stretch import Signalsmith
    from scipy.signal import resample_poly

    ratio = 2 ** (pitch / 12)
    frames = round(sound.shape[1] / speed)
    for factor in (speed, 1 / ratio):  # one after the other: more than double at once loses level
        if factor != 1:
            stretch = Signalsmith.Stretch()
            stretch.preset(len(sound), rate)
            stretch.setTimeFactor(factor)
            sound = np.asarray(stretch.process(np.ascontiguousarray(sound)), np.float32)
    if pitch:
        step = Fraction(1 / ratio).limit_denominator(RATIO_MOST)  # within 0.01 cents
        sound = resample_poly(sound, step.numerator, step.denominator, axis=1)
    sound = np.pad(sound[:, :frames], ((0, 0), (0, max(0, frames - sound.shape[1]))))
    return np.ascontiguousarray(sound, dtype=np.float32)


def _equalise(sound: torch.Tensor, rate: int, effects: Any) -> torch.Tensor:
    """Return sound with three bands louder or softer, filtered in the frequency domain.

    Between two bands' centres the gain in dB is interpolated, linear in the logarithm of the frequency.
    """
    import torch

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


def _reverberate(sound: torch.Tensor, rate: int, share: float) -> torch.Tensor:
    """Return sound convolved with a hall's impulse response, in each channel another.

    The response is exponentially decaying noise (Moorer 1979); `share` mixes it in, 0 … 1.
    """
    import torch
    from torchaudio.functional import fftconvolve

    length = int(REVERB_S * rate)
    noise = torch.randn(len(sound), length, generator=torch.Generator().manual_seed(5))
    tail = noise * torch.exp(-6.9 * torch.linspace(0, 1, length))
    tail[:, : int(0.015 * rate)] = 0
    tail = tail / tail.square().sum(1, keepdim=True).sqrt()
    wet = fftconvolve(sound, tail)[:, : sound.shape[1] + length]
    dry = torch.nn.functional.pad(sound, (0, wet.shape[1] - sound.shape[1]))
    out: torch.Tensor = dry * (1 - 0.4 * share) + wet * share
    return out


def _fade(sound: torch.Tensor, rate: int, into_s: float, out_s: float) -> torch.Tensor:
    from torchaudio.transforms import Fade

    frames = sound.shape[1]
    lengths = min(frames, int(into_s * rate)), min(frames, int(out_s * rate))
    out: torch.Tensor = Fade(*lengths, fade_shape="half_sine")(sound) if any(lengths) else sound
    return out
