"""Two sounds side by side: numbers of each, and where their spectrograms differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from models import sounds
from models.blobs import Blobs
from models.sampling.sound_views import DIFFERENCE, RANGE_DB, VIEW_SIZE, picture

_RATE = 16_000  # both are compared at one rate
_BANDS = 96
_SCALE_DB = 40.0  # a difference of so much has the strongest colour


def compare(data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Serve a tool call: `{"refs": [a, b]}` → `{"numbers": [.., ..], "difference", "scale_db"}`.

    `numbers` are `measure`'s of each; `difference` is the reference of a picture: the mel spectrograms' difference,
    begun together, blue where a is louder, orange where b is. Raises `BadInput` for files that are not stored.
    """
    found = [sounds.read_wav(blobs.get_bytes(ref)) for ref in data["refs"]]
    views = [_mel(samples.mean(1), rate) for samples, rate in found]
    frames = max(view.shape[1] for view in views)
    quiet = [np.pad(view, ((0, 0), (0, frames - view.shape[1])), constant_values=-RANGE_DB) for view in views]
    share = np.clip((quiet[1] - quiet[0]) / (2 * _SCALE_DB) + 0.5, 0, 1)[::-1]
    tall, wide = (max(1, -(-size // have)) for size, have in zip(VIEW_SIZE[::-1], share.shape, strict=True))
    drawn = picture(share.repeat(tall, 0).repeat(wide, 1), 0, {"what": "difference"}, DIFFERENCE)
    return {"numbers": [measure(*one) for one in found], "difference": blobs.put_bytes(drawn.data),
            "scale_db": _SCALE_DB}  # fmt: skip


def _mel(mono: np.ndarray, rate: int) -> np.ndarray:
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    sound = sounds.resample(mono, rate, _RATE) if rate != _RATE else mono
    hop = max(160, len(sound) // VIEW_SIZE[0] + 1)
    mel = MelSpectrogram(_RATE, n_fft=1024, hop_length=hop, n_mels=_BANDS, power=2.0)(torch.from_numpy(sound))
    level = AmplitudeToDB("power", top_db=RANGE_DB)(mel.clamp(min=1e-10))
    out: np.ndarray = (level - level.max()).numpy()
    return out


def measure(samples: np.ndarray, rate: int) -> dict[str, float | None]:
    """Return numbers of a sound (frames × channels): seconds, loudness, peak, centroid and pitch.

    `loudness_lufs`: ITU-R BS.1770-4, None below 0.4 s or of silence. `peak_db` is below full scale. `centroid_hz` is
    the mean of the spectrum's centre over frames, weighted by loudness. `f0_hz` is the median pitch (by
    autocorrelation) of the louder frames, meant for voices: above 400 Hz it may be an octave too low.
    """
    mono = np.ascontiguousarray(samples.mean(1))
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return {
        "seconds": round(len(mono) / rate, 3), "loudness_lufs": _loudness(samples, rate),
        "peak_db": round(20 * float(np.log10(peak)), 1) if peak > 0 else None, "centroid_hz": _centroid(mono, rate),
        "f0_hz": _pitch(mono, rate),
    }  # fmt: skip


def _loudness(samples: np.ndarray, rate: int) -> float | None:
    import pyloudnorm

    if len(samples) < 0.4 * rate:
        return None
    value = float(pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64)))
    return round(value, 1) if np.isfinite(value) else None


def _centroid(mono: np.ndarray, rate: int) -> float | None:
    window = torch.hann_window(1024)
    if len(mono) < 1024:
        return None
    power = torch.stft(torch.from_numpy(mono), 1024, 256, window=window, return_complex=True).abs()
    if float(power.sum()) <= 0:
        return None
    hertz = torch.linspace(0, rate / 2, power.shape[0])[:, None]
    return round(float((hertz * power).sum() / power.sum()), 0)


def _pitch(mono: np.ndarray, rate: int) -> float | None:
    from torchaudio.functional import detect_pitch_frequency

    if len(mono) < rate // 10:
        return None
    sound = torch.from_numpy(mono)
    pitches = detect_pitch_frequency(sound[None], rate, freq_low=60, freq_high=400)[0]
    hop = max(1, len(mono) // len(pitches))
    level = sound[: hop * len(pitches)].view(len(pitches), hop).square().mean(1).sqrt()
    loud = pitches[level > 0.3 * level.max()]
    return round(float(loud.median()), 1) if len(loud) and float(level.max()) > 0 else None
