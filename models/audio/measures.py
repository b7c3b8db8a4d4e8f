"""What is measured of sounds. All channels are mixed to one first, but for loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.measures import Measure
from models.types import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

FRAME_S, HOP_S = 0.046, 0.01  # of the spectra
GAP_S = 0.05  # two onsets lie at least so far apart
RISE = 1.5  # an onset's flux is so many times the usual one around it
AROUND_S = 0.2
_SILENT = 1e-4  # of full scale, −80 dBFS


def seconds(output: Output) -> float | None:
    """Return how long a sound is, in seconds."""
    found = output.meta.get("seconds")
    return float(found) if found is not None else None


def loudness(output: Output) -> float | None:
    """Return the integrated loudness in LUFS (ITU-R BS.1770-4); None for silence."""
    from models.audio.loudness import measure
    from models.audio.sounds import read_wav

    samples, rate = read_wav(output.data)
    return measure(samples, rate)


def _spectra(output: Output) -> tuple[Samples, Samples, float]:
    """Return magnitudes (frequencies × frames), the frequencies in Hz and the seconds from frame to frame."""
    import numpy as np
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    from models.audio.sounds import read_wav

    samples, rate = read_wav(output.data)
    mono = samples.mean(1).astype(np.float64)
    window, hop = max(16, int(FRAME_S * rate)), max(1, int(HOP_S * rate))
    mono = np.pad(mono, (0, max(0, window - len(mono))))
    transform = ShortTimeFFT(hann(window), hop, rate)
    # frames that lie inside of the sound: its ends are no onsets
    first, last = transform.lower_border_end[1], transform.upper_border_begin(len(mono))[1]
    found = np.abs(transform.stft(mono, p0=first, p1=max(first + 1, last)))
    return found * 2 / window, transform.f, hop / rate


def centroid(output: Output) -> float | None:
    """Return the spectral centroid in Hz: the mean frequency, weighted by magnitude; None for silence.

    The mean over frames of 46 ms, each weighted by its loudness (the sum of its magnitudes).
    """
    magnitudes, frequencies, _ = _spectra(output)
    total = float(magnitudes.sum())
    if total <= _SILENT:
        return None
    return float((frequencies[:, None] * magnitudes).sum() / total)


def onsets(output: Output) -> float | None:
    """Return how many onsets (notes, syllables, hits) there are per second; None for a sound without a length.

    Peaks of the spectral flux by `scipy.signal.find_peaks`: the sum over frequencies of what the magnitude, in
    ln(1 + 100 x), rises from one frame of 46 ms to the next, 10 ms on. A peak counts where it is `RISE` times the mean
    within `AROUND_S` and stands out by as much as the flux's spread, `GAP_S` from any higher one (Bello et al. 2005, A
    Tutorial on Onset Detection in Music Signals, sections III and IV).
    """
    import numpy as np
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    long_s = seconds(output)
    if not long_s:
        return None
    magnitudes, _, hop_s = _spectra(output)
    flux = np.maximum(np.diff(np.log1p(100 * magnitudes), axis=1), 0).sum(axis=0)
    if len(flux) < 3 or magnitudes.max() < _SILENT:
        return 0.0
    usual = uniform_filter1d(flux, max(1, round(2 * AROUND_S / hop_s)))
    peaks, _ = find_peaks(flux, height=RISE * usual, distance=max(1, round(GAP_S / hop_s)), prominence=flux.std())
    return len(peaks) / long_s


def spectral_distance(output: Output, reference: Output) -> float | None:
    """Return the log-spectral distance of two sounds in dB, 0 for the same; None where their sample rates differ.

    Gray & Markel 1976, Distance Measures for Speech Processing, section II: the root of the mean over frequencies of
    the squared difference of levels, here the mean over frames of 46 ms. Levels end at −80 dBFS; the shorter sound is
    followed by silence.
    """
    import numpy as np

    (a, frequencies, _), (b, others, _) = _spectra(output), _spectra(reference)
    if len(frequencies) != len(others) or frequencies[-1] != others[-1]:
        return None
    long = max(a.shape[1], b.shape[1])
    levels = [20 * np.log10(np.maximum(np.pad(one, ((0, 0), (0, long - one.shape[1]))), _SILENT)) for one in (a, b)]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean(axis=0)).mean())


def alike_s(output: Output, reference: Output) -> float | None:
    """Return for how many seconds two sounds have the same samples; None where rates or channels differ."""
    import numpy as np

    from models.audio.sounds import read_wav

    (a, rate), (b, other) = read_wav(output.data), read_wav(reference.data)
    if rate != other or a.shape[1] != b.shape[1]:
        return None
    both = min(len(a), len(b))
    differ = np.flatnonzero((a[:both] != b[:both]).any(axis=1))
    return float(differ[0] if len(differ) else both) / rate


def in_metre(output: Output) -> float | None:
    """Return the share of a tune's bars that fill their metre, 0 … 1; None for a sound that is no tune."""
    from models.audio import tunes

    if not output.text.startswith("M:"):
        return None
    good, bars = tunes.filled(tunes.read(output.text))
    return good / bars if bars else None


_KINDS = ("audio",)
MEASURES = (
    Measure("sound_seconds", "Length", seconds, "s", _KINDS, places=1, help="How long the sound is."),
    Measure("in_metre", "Bars in metre", in_metre, "", _KINDS,
            help="Share of a tune's bars that are as long as its metre says. 1: all."),
    Measure("loudness_lufs", "Loudness", loudness, "LUFS", _KINDS, heavy=True, places=1,
            help="Integrated loudness by ITU-R BS.1770. Nearer to 0 is louder."),
    Measure("centroid_hz", "Spectral centroid", centroid, "Hz", _KINDS, heavy=True, places=0,
            help="Mean frequency of the sound. Higher sounds brighter, lower darker."),
    Measure("spectral_distance", "Spectral distance", spectral_distance, "dB", _KINDS, "pair", heavy=True, apart=True,
            places=1, help="Mean difference of levels to the reference of the same seed. 0: the same sound."),
    Measure("alike_s", "Alike up to", alike_s, "s", _KINDS, "pair", heavy=True, places=2,
            help="For how many seconds every sample is that of the reference of the same seed."),
    Measure("onsets_per_s", "Onset rate", onsets, "per second", _KINDS, heavy=True,
            help="How many notes, syllables or hits begin per second."),
)  # fmt: skip
