"""A small synthesiser for tunes: plucked string, whistle, accordion, organ and fiddle, with chords, drone and room.

Weighed against it: tinysoundfont, pyfluidsynth and pretty_midi play SoundFonts, and none of a free licence fits into
the repository; pyo and DawDreamer want audio systems or build tools. What is here is numpy and scipy, and gives the
same samples for the same notes.

Plucked string: Karplus & Strong 1983, with the fractional delay of Jaffe & Smith 1983. All else is additive: sums of
harmonics under envelopes (Risset & Mathews 1969).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

RATE = 32_000
INSTRUMENTS = ("plucked string", "whistle", "accordion", "organ", "fiddle")
_TAIL_S = 1.2  # decay after the last note
_PEAK = 0.89  # -1 dB


@dataclass(frozen=True)
class Sound:
    """Hold one note to be played: seconds, MIDI's pitch, 0 … 1 of loudness."""

    start_s: float
    length_s: float
    pitch: int
    loudness: float = 1.0


def mix(
    melody: Sequence[Sound], instrument: str = "plucked string", *, chords: Sequence[Sound] = (),
    chord_level: float = 0.0, drone: Sequence[int] = (), drone_level: float = 0.0, reverb: float = 0.2,
    rate: int = RATE,
) -> Samples:  # fmt: skip
    """Return stereo sound, float32, samples × 2, −1 … 1, peaking at -1 dB.

    `chords` are played by a plucked string, `drone` (MIDI pitches) is held throughout; levels are 0 … 1 beside the
    melody. `reverb` 0 … 1 is how much of a room is heard.
    """
    end = max((one.start_s + one.length_s for one in (*melody, *chords)), default=0.0)
    frames = int((end + _TAIL_S) * rate)
    left = np.zeros(frames, np.float32)
    right = np.zeros(frames, np.float32)
    _lay(left, right, melody, instrument, 1.0, 0.0, rate)
    if chord_level > 0:
        _lay(left, right, chords, "plucked string", 0.55 * chord_level, -0.35, rate)
    if drone_level > 0 and end > 0:
        held = [Sound(0.0, end, pitch, 0.5) for pitch in drone]
        _lay(left, right, held, "organ", 0.35 * drone_level, 0.3, rate)
    both = np.stack([left, right], 1)
    if reverb > 0:
        both = both * (1 - 0.3 * reverb) + _room(both, rate) * reverb
    peak = float(np.abs(both).max()) if both.size else 0.0
    return (both * (_PEAK / peak) if peak > 0 else both).astype(np.float32)


def _lay(
    left: Samples, right: Samples, notes: Sequence[Sound], instrument: str, level: float, side: float, rate: int
) -> None:
    """Add notes to both channels; `side` is -1 (left) … 1 (right)."""
    voice = _VOICES[instrument]
    kept: dict[tuple[int, int], Samples] = {}  # equal notes are computed once
    gains = level * np.cos((side + 1) * np.pi / 4) * 2**0.5, level * np.sin((side + 1) * np.pi / 4) * 2**0.5
    for one in notes:
        frames = max(1, int(one.length_s * rate))
        key = (one.pitch, frames)
        if key not in kept:
            kept[key] = voice(440.0 * 2 ** ((one.pitch - 69) / 12), frames, rate)
        sound = kept[key]
        at = int(one.start_s * rate)
        stop = min(len(left), at + len(sound))
        left[at:stop] += gains[0] * one.loudness * sound[: stop - at]
        right[at:stop] += gains[1] * one.loudness * sound[: stop - at]


def _pluck(hertz: float, frames: int, rate: int) -> Samples:
    """Return a string that is plucked and, at the note's end, damped by a finger."""
    from scipy import signal

    length = frames + int(0.25 * rate)
    period = rate / hertz
    whole = int(period - 0.5)
    part = period - 0.5 - whole  # the averaging below delays by half a sample
    chance = np.random.default_rng(round(hertz * 100))
    burst = np.zeros(length)
    grain = chance.uniform(-1, 1, whole)
    # plucking at 0.18 of the string removes harmonics there, a soft pick the high ones
    pick = max(1, int(whole * 0.18))
    burst[:whole] = signal.lfilter([0.35, 0.65], [1.0], grain) - 0.7 * np.roll(grain, pick)
    loss = 0.5 ** (1 / (hertz * (1.4 if hertz < 400 else 0.9)))  # half as loud after about a second
    back = np.zeros(whole + 3)
    back[0] = 1.0
    back[whole : whole + 3] -= loss * np.convolve([0.5, 0.5], [1 - part, part])
    sound = signal.lfilter([1.0], back, burst)
    return _shaped(sound, frames, rate, attack_s=0.001, release_s=0.12) * 0.9


def _whistle(hertz: float, frames: int, rate: int) -> Samples:
    """Return a tin whistle: nearly a sine, with breath and a vibrato that sets in late."""
    from scipy import signal

    length = frames + int(0.05 * rate)
    time = np.arange(length) / rate
    depth = 0.004 * np.clip((time - 0.18) / 0.2, 0, 1)
    bend = -0.012 * np.exp(-time / 0.015)
    phase = 2 * np.pi * np.cumsum(hertz * 2 * (1 + bend + depth * np.sin(2 * np.pi * 5.2 * time))) / rate
    tone = np.sin(phase) + 0.22 * np.sin(2 * phase) + 0.07 * np.sin(3 * phase)
    noise = np.random.default_rng(7).normal(0, 1, length)
    low, high = min(hertz * 1.6, 0.4 * rate), min(hertz * 3.2, 0.45 * rate)
    breath = signal.sosfilt(signal.butter(1, [low, high], "bandpass", fs=rate, output="sos"), noise)
    breath *= 0.05 + 0.25 * np.exp(-time / 0.02)
    return _shaped(0.5 * tone + 0.25 * breath, frames, rate, attack_s=0.02, release_s=0.035)


def _accordion(hertz: float, frames: int, rate: int) -> Samples:
    """Return two reeds a few cents apart, which beat."""
    length = frames + int(0.06 * rate)
    time = np.arange(length) / rate
    sound = np.zeros(length)
    for cents, level in ((-5, 1.0), (6, 0.9)):
        sound += level * _harmonics(
            hertz * 2 ** (cents / 1200), time, rate, lambda n: n**-1.05 * (1 + 0.5 * (n % 2)), 14
        )
    swell = 0.85 + 0.15 * np.clip(time / 0.25, 0, 1)
    return _shaped(0.22 * sound * swell, frames, rate, attack_s=0.028, release_s=0.05)


def _organ(hertz: float, frames: int, rate: int) -> Samples:
    """Return pipes at the pitches of a drawbar organ."""
    length = frames + int(0.08 * rate)
    time = np.arange(length) / rate
    bars = {1: 1.0, 2: 0.7, 3: 0.45, 4: 0.35, 6: 0.18, 8: 0.14}
    sound = _harmonics(hertz, time, rate, lambda n: bars.get(n, 0.0), 8) + 0.5 * np.sin(np.pi * hertz * time)
    return _shaped(0.28 * sound, frames, rate, attack_s=0.018, release_s=0.07)


def _fiddle(hertz: float, frames: int, rate: int) -> Samples:
    """Return a bowed string: all harmonics, the body's resonances, a slow bow and a late vibrato."""
    length = frames + int(0.06 * rate)
    time = np.arange(length) / rate
    depth = 0.0045 * np.clip((time - 0.15) / 0.2, 0, 1)
    warp = time + np.cumsum(depth * np.sin(2 * np.pi * 5.6 * time)) / rate
    body = ((290, 1.5), (460, 1.8), (1100, 1.3), (2600, 1.6))

    def level(n: int) -> float:
        resonance = 0.5 + sum(gain * np.exp(-((np.log(n * hertz / place) / 0.22) ** 2)) for place, gain in body)
        return float(resonance / n)

    sound = _harmonics(hertz, warp, rate, level, 20)
    return _shaped(0.16 * sound, frames, rate, attack_s=0.045, release_s=0.05)


def _harmonics(
    hertz: float, time: NDArray[np.float64], rate: int, level: Callable[[int], float], most: int
) -> NDArray[np.float64]:
    """Return a sum of harmonics below 0.45 of the rate."""
    count = max(1, min(most, int(0.45 * rate / hertz)))
    sound = np.zeros(len(time))
    for number in range(1, count + 1):
        if gain := level(number):
            sound += gain * np.sin(2 * np.pi * hertz * number * time)
    return sound


def _shaped(sound: NDArray[np.float64], frames: int, rate: int, *, attack_s: float, release_s: float) -> Samples:
    """Return the sound faded in, and faded out after `frames`."""
    shape = np.ones(len(sound))
    rise = min(frames, max(1, int(attack_s * rate)))
    shape[:rise] = np.linspace(0, 1, rise)
    after = np.arange(len(sound) - frames)
    shape[frames:] = np.exp(-after / max(1, release_s * rate / 3)) * np.linspace(1, 0, len(after)) ** 0.5
    return (sound * shape).astype(np.float32)


def _room(both: Samples, rate: int) -> Samples:
    """Return the reverberation of a small hall: the sound convolved with decaying noise, stereo (Moorer 1979)."""
    from scipy import signal

    seconds = 1.1
    length = int(seconds * rate)
    chance = np.random.default_rng(3)
    time = np.arange(length) / rate
    tails = chance.normal(0, 1, (length, 2)) * np.exp(-6.9 * time / seconds)[:, None]
    tails[: int(0.012 * rate)] = 0  # the first wall is some metres away
    tails = signal.sosfilt(signal.butter(1, 5000, fs=rate, output="sos"), tails, axis=0)
    tails /= np.sqrt((tails**2).sum(0))
    # in blocks of one size: of whole sounds, each of another length, the library would keep sixteen large FFT plans
    out: Samples = signal.oaconvolve(both, tails, axes=0)[: len(both)].astype(np.float32)
    return out


_VOICES: dict[str, Callable[[float, int, int], Samples]] = {
    "plucked string": _pluck, "whistle": _whistle, "accordion": _accordion, "organ": _organ, "fiddle": _fiddle,
}  # fmt: skip
