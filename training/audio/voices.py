"""Which synthetic voices a recogniser of digits learns from, is chosen by, and is judged by; and what they say.

The rule is fixed: a variant of espeak-ng (a throat) and an accent belong to one of the three alone, so that a judging
voice shares neither with what was learnt. Noises are divided likewise. The output of espeak-ng is no work derived from
it, and nothing of the program ships.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from training.audio.digits import RATE, Take
from training.audio.espeak import voices

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LEARNT_ACCENTS = ("en", "en-us", "gmw/en-GB-x-rp", "en-gb-scotland")
LEARNT = ("m1", "m2", "m3", "f1", "f2", "croak", "Andy", "linda", "klatt", "Mario", "adam", "steph", "whisper", "max",
          "michael", "paul", "robert", "aunty", "grandpa", "boris", "david", "ed", "iven", "iven3", "pablo", "sandro",
          "quincy", "travis", "Alicia", "Andrea", "Denis", "Diogo", "Gene", "Jacky", "Mike", "caleb", "marcelo",
          "pedro")  # fmt: skip
CHOSEN_BY = ("Lee", "rob", "anika", "grandma", "klatt2", "Hugo", "norbert", "gustave")
JUDGED_ACCENTS = ("en-029", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
JUDGED_BY = ("m4", "m5", "m6", "m7", "m8", "f3", "f4", "f5", "Annie", "john", "klatt3", "belinda", "zac", "edward",
             "whisperf", "victor", "shelby")  # fmt: skip
SOUND_ALIKE = {"to", "too", "for", "won", "ate", "oh", "o", "", "a", "i"}  # a digit by ear, or a letter
_NUMBER = re.compile(r"\b(zero|one|two|three|four|five|six|seven|eight|nine|ten)\b|\d", re.I)
NOISES_LEARNT = ("white", "pink", "hum", "clicks", "bursts", "chirp")
NOISES_JUDGED = ("brown", "tone", "claps", "cough", "gusts", "whistle", "beeps")


def singles(variants: Sequence[str], accents: Sequence[str], times: int, seed: int) -> list[Take]:
    """Return every digit by every variant, `times` each, in accents, speeds and pitches drawn by chance.

    `speaker` is −2 less the variant's place in the list: no speaker of the recordings has such a number.
    """
    choice, found = random.Random(seed), []
    for place, variant in enumerate(variants):
        for digit, name in enumerate(NAMES):
            for _ in range(times):
                sound = voices().say(
                    name, f"{choice.choice(accents)}+{variant}", choice.randint(110, 210), choice.randint(15, 85)
                )
                found.append(Take(even(sound), digit, -2 - place))
    return found


def rows(
    variants: Sequence[str], accents: Sequence[str], count: int, seed: int
) -> list[tuple[torch.Tensor, list[int]]]:
    """Return rows of two to six digits spoken in one breath, with commas or without, and their digits."""
    choice, found = random.Random(seed), []
    for number in range(count):
        said = [choice.randrange(10) for _ in range(choice.randint(2, 6))]
        text = choice.choice((", ", " ")).join(NAMES[digit] for digit in said)
        voice = f"{choice.choice(accents)}+{variants[number % len(variants)]}"
        found.append((even(voices().say(text, voice, choice.randint(110, 190), choice.randint(15, 85))), said))
    return found


def spoken(texts: Sequence[str], variants: Sequence[str], accents: Sequence[str], seed: int) -> list[torch.Tensor]:
    """Return texts spoken by espeak-ng, each in an accent, a variant, a speed and a pitch drawn by chance."""
    choice, found = random.Random(seed), []
    for text in texts:
        voice = f"{choice.choice(accents)}+{choice.choice(variants)}"
        sound = voices().say(text, voice, choice.randint(130, 200), choice.randint(25, 75))
        found.append(torch.from_numpy(sound))
    return found


def sentences(data: Path) -> list[str]:
    """Return sentences of the stories, 4 to 14 words long, none of which names a number, in an order by chance."""
    with gzip.open(data / "stories" / "tinystories.txt.gz", "rt") as file:
        found = re.split(r"(?<=[.!?])\s+", file.read().replace("\n", " "))
    plain = [
        one.strip() for one in found
        if 4 <= len(one.split()) <= 14 and re.fullmatch(r"[A-Za-z ,.'!?]+", one) and not _NUMBER.search(one)
    ]  # fmt: skip
    random.Random(0).shuffle(plain)
    return plain


def even(sound: np.ndarray) -> torch.Tensor:
    """Return a sound without the silence at its ends, as loud at its loudest as the recordings are."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    cut = sound[loud[0] : loud[-1] + RATE // 50] if len(loud) else sound
    return torch.from_numpy(cut / max(1e-4, float(np.abs(cut).max())) * 0.8)


def noises(kinds: Sequence[str], count: int, seed: int, seconds: float | None = None) -> list[torch.Tensor]:
    """Return noises of half a second to three (or `seconds`), the kinds in turn, at loudnesses drawn by chance."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(count):
        sound = noise(kinds[number % len(kinds)], round(RATE * (seconds or chance.uniform(0.5, 3.0))), chance)
        sound = sound / (np.abs(sound).max() + 1e-9) * chance.uniform(0.1, 0.9)
        found.append(torch.from_numpy(sound + 1e-4 * chance.standard_normal(len(sound))).float())
    return found


def framed(sound: torch.Tensor) -> torch.Tensor:
    """Return a sound between two moments of near silence."""
    chance = torch.Generator().manual_seed(len(sound))
    quiet = RATE // 5
    return torch.nn.functional.pad(sound, (quiet, quiet)) + 3e-4 * torch.randn(len(sound) + 2 * quiet, generator=chance)


def mixed(sound: torch.Tensor, noise: torch.Tensor, decibels: float) -> torch.Tensor:
    """Return a sound with a noise of its length laid under it, so many decibels below (root mean square)."""
    level = sound.square().mean().sqrt() / noise.square().mean().sqrt().clamp(min=1e-6)
    found = sound + noise * level * 10 ** (-decibels / 20)
    return found / found.abs().max().clamp(min=1e-4) * 0.8


def noise(kind: str, length: int, chance: np.random.Generator) -> np.ndarray:
    """Return one noise of a kind, of so many samples."""
    time, white = np.arange(length) / RATE, chance.standard_normal(length)
    spectrum, hertz = np.fft.rfft(white), np.fft.rfftfreq(length, 1 / RATE) + 1
    if kind == "hum":
        return np.asarray(sum(np.sin(2 * np.pi * 50 * one * time) / one for one in range(1, 8)))
    if kind == "tone":
        return np.sin(2 * np.pi * chance.uniform(100, 3000) * time)
    if kind == "chirp":
        return np.sin(2 * np.pi * (chance.uniform(100, 800) * time + chance.uniform(100, 1500) * time**2))
    if kind == "beeps":
        on = np.sin(2 * np.pi * chance.uniform(1, 5) * time) > 0
        return np.sin(2 * np.pi * chance.uniform(300, 2000) * time) * on
    if kind == "gusts":
        return white * (1 + np.sin(2 * np.pi * chance.uniform(1, 8) * time))
    if kind == "clicks":
        sound = np.zeros(length)
        sound[chance.integers(0, length, chance.integers(1, 12))] = chance.uniform(-1, 1)
        return sound
    if kind in ("bursts", "claps", "cough"):
        return _bursts(kind, length, chance)
    gains = {
        "white": np.ones_like(hertz), "pink": hertz**-0.5, "brown": 1 / hertz,
        "whistle": np.exp(-(((hertz - chance.uniform(200, 3000)) / 200) ** 2)),
    }  # fmt: skip
    return np.fft.irfft(spectrum * gains[kind], length)


def _bursts(kind: str, length: int, chance: np.random.Generator) -> np.ndarray:
    """Return a few short noises that die away, or that swell in a throat's colour."""
    sound = np.zeros(length)
    for start in chance.integers(0, max(1, length - 2000), chance.integers(1, 5)):
        size = int(RATE * (chance.uniform(0.1, 0.35) if kind == "cough" else chance.uniform(0.02, 0.3)))
        one = chance.standard_normal(size)
        if kind == "cough":
            away = np.fft.rfftfreq(size, 1 / RATE) - chance.uniform(300, 1500)
            one = np.fft.irfft(np.fft.rfft(one) * np.exp(-((away / 600) ** 2)), size)
            one = one * np.sin(np.linspace(0, np.pi, size))
        else:
            one = one * np.exp(-np.linspace(0, 6, size))
        one = (one / np.abs(one).max())[: length - start]
        sound[start : start + len(one)] += one
    return sound
