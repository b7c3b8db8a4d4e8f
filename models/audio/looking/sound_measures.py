"""Two sounds side by side: numbers of each, and where their spectrograms differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from models.audio import rates, sounds
from models.audio.looking.sound_views import DIFFERENCE, RANGE_DB, VIEW_SIZE, picture
from models.blobs import Blobs

_RATE = 16_000  # both are compared at one rate
_BANDS = 96
PITCH_MIN_HZ, PITCH_MAX_HZ = 60.0, 1100.0
_YIN_WINDOW_S, _YIN_HOP_S = 0.025, 0.01
_YIN_THRESHOLD, _YIN_NOISE = 0.15, 0.4  # of the normalised difference: above the second a frame has no pitch
_YIN_FRAMES_MAX = 3000
_SCALE_DB = 40.0  # a difference of so much has the strongest colour


def compare(data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Serve a tool call: `{"refs": [a, b]}` → `{"numbers": [.., ..], "begun", "aligned", "scale_db", "top_hz"}`.

    `numbers` are `measure`'s of each. `begun` and `aligned` are pictures of the mel spectrograms' difference, each
    `{"ref", "seconds"}`: blue where a is louder, orange where b is. Begun together, and with b stretched so that like
    lies on like (`warp`), on a's time. Raises `BadInput` for files that are not stored.
    """
    found = [sounds.read_wav(blobs.get_bytes(ref)) for ref in data["refs"]]
    monos = [rates.resample(samples.mean(1), rate, _RATE) if rate != _RATE else np.ascontiguousarray(samples.mean(1))
             for samples, rate in found]  # fmt: skip
    hop = max(160, max(len(mono) for mono in monos) // VIEW_SIZE[0] + 1)
    a, b = (_mel(mono, hop) for mono in monos)
    frames = max(a.shape[1], b.shape[1])
    wide = [np.pad(one, ((0, 0), (0, frames - one.shape[1])), constant_values=-RANGE_DB) for one in (a, b)]
    pictures = {"begun": wide[1] - wide[0], "aligned": b[:, warp(a, b)] - a}
    drawn = {
        name: {"ref": blobs.put_bytes(_drawn(difference)), "seconds": round(difference.shape[1] * hop / _RATE, 3)}
        for name, difference in pictures.items()
    }
    return {"numbers": [measure(*one) for one in found], **drawn, "scale_db": _SCALE_DB, "top_hz": _RATE / 2}


def _drawn(difference: np.ndarray) -> bytes:
    """Return a difference in dB (bands × frames) as a PNG."""
    share = np.clip(difference / (2 * _SCALE_DB) + 0.5, 0, 1)[::-1]
    tall, wide = (max(1, -(-size // have)) for size, have in zip(VIEW_SIZE[::-1], share.shape, strict=True))
    return picture(share.repeat(tall, 0).repeat(wide, 1), 0, {"what": "difference"}, DIFFERENCE).data


def warp(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return, for each frame of `a` (bands × frames), the frame of `b` that lies on it by dynamic time warping.

    Sakoe & Chiba 1978, symmetric steps of equal weight; the distance of two frames is Euclidean.
    """
    square = (a**2).sum(0)[:, None] + (b**2).sum(0)[None] - 2 * a.T @ b
    cost = np.sqrt(np.maximum(square, 0)).astype(np.float64)  # frames of a × of b
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for at in range(2, rows + columns + 1):  # one diagonal after another: its cells do not depend on each other
        row = np.arange(max(1, at - columns), min(rows, at - 1) + 1)
        column = at - row
        before = np.minimum(np.minimum(total[row - 1, column], total[row, column - 1]), total[row - 1, column - 1])
        total[row, column] = cost[row - 1, column - 1] + before
    found = np.zeros(rows, int)
    row, column = rows, columns
    while row > 0:
        found[row - 1] = column - 1
        steps = ((row - 1, column - 1), (row - 1, column), (row, column - 1))
        row, column = min(steps, key=lambda step: total[step])
    return found


def _mel(sound: np.ndarray, hop: int) -> np.ndarray:
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    mel = MelSpectrogram(_RATE, n_fft=1024, hop_length=hop, n_mels=_BANDS, power=2.0)(torch.from_numpy(sound))
    level = AmplitudeToDB("power", top_db=RANGE_DB)(mel.clamp(min=1e-10))
    out: np.ndarray = (level - level.max()).numpy()
    return out


def measure(samples: np.ndarray, rate: int) -> dict[str, float | None]:
    """Return numbers of a sound (frames × channels): seconds, loudness, peak, centroid and pitch.

    `loudness_lufs`: ITU-R BS.1770-4, None below 0.4 s or of silence. `peak_db` is below full scale. `centroid_hz` is
    the mean of the spectrum's centre over frames, weighted by loudness. `f0_hz` is the median pitch of the louder
    frames that have one, from `PITCH_MIN_HZ` to `PITCH_MAX_HZ`; None where none has (noise, chords).
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
    """Return the median pitch of the frames that are loud and have one, by YIN (de Cheveigné & Kawahara 2002)."""
    window, hop = int(_YIN_WINDOW_S * rate), int(_YIN_HOP_S * rate)
    longest, shortest = int(rate / PITCH_MIN_HZ), max(2, int(rate / PITCH_MAX_HZ))
    if len(mono) < max(window + longest, rate // 10):
        return None
    frames = torch.from_numpy(mono).double().unfold(0, window + longest, hop)  # frames × samples
    frames = frames[:: -(-len(frames) // _YIN_FRAMES_MAX)]
    level = frames[:, :window].square().mean(1).sqrt()
    if float(level.max()) <= 0:
        return None
    frames = frames[level > 0.3 * level.max()]
    # the difference function (eq. 6) by way of the autocorrelation
    size = 1 << (window + longest).bit_length()
    spectrum = torch.fft.rfft(frames, size) * torch.fft.rfft(frames[:, :window], size).conj()
    together = torch.fft.irfft(spectrum, size)[:, : longest + 1]
    energy = torch.nn.functional.pad(frames.square().cumsum(1), (1, 0))
    own = energy[:, window : window + longest + 1] - energy[:, : longest + 1]
    difference = (own[:, :1] + own - 2 * together).clamp(min=0)
    lags = torch.arange(1, longest + 1)
    normal = difference[:, 1:] * lags / difference[:, 1:].cumsum(1).clamp(min=1e-12)  # eq. 8; column k is lag k + 1
    pitches = [rate / lag for row in normal.numpy() if (lag := _period(row, shortest))]
    return round(float(np.median(pitches)), 1) if pitches else None


def _period(row: np.ndarray, shortest: int) -> float:
    """Return the first lag at which the difference is below the threshold, at its bottom, else its lowest; 0: noise."""
    low = np.flatnonzero(row[shortest - 1 :] < _YIN_THRESHOLD)
    at = (int(low[0]) if len(low) else int(row[shortest - 1 :].argmin())) + shortest - 1
    if row[at] > _YIN_NOISE:
        return 0.0
    while at + 1 < len(row) and row[at + 1] < row[at]:
        at += 1
    if not 0 < at < len(row) - 1:
        return 0.0
    before, here, after = (float(one) for one in row[at - 1 : at + 2])
    bend = before - 2 * here + after
    return at + 1 + (0.5 * (before - after) / bend if bend > 0 else 0.0)
