"""Sentences spoken by espeak-ng, at 8 kHz: speech that is no recording of anybody, in as many voices as are wanted."""

from __future__ import annotations

import ctypes
from functools import cache
from math import gcd
from typing import Any

import numpy as np

from training.audio.digits import RATE

_SYNCHRONOUS, _CHARS_UTF8 = 2, 1
_SPEED, _PITCH = 1, 3  # espeak_PARAMETER


class Voices:
    """Speak with the library of the package espeakng-loader (GPL-3.0: for measuring alone, nothing of it ships)."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        self._parts: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._take = kind(self._keep)  # the library keeps no reference
        self._library.espeak_SetSynthCallback(self._take)

    def _keep(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, speed: int = 170, pitch: int = 50) -> np.ndarray:
        """Return a text as sound (float32, −1 … 1, 8 kHz) by a voice such as "en-us+f2", at so many words a minute."""
        from scipy.signal import resample_poly

        self._parts.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        for number, value in ((_SPEED, speed), (_PITCH, pitch)):
            self._library.espeak_SetParameter(number, value, 0)
        content = text.encode() + b"\0"
        self._library.espeak_Synth(content, len(content), 0, 1, 0, _CHARS_UTF8, None, None)
        samples = np.concatenate(self._parts).astype(np.float32) / 32768
        common = gcd(RATE, self.rate)
        sound: np.ndarray = resample_poly(samples, RATE // common, self.rate // common)
        return sound.astype(np.float32)


@cache
def voices() -> Voices:
    """Return the one synthesiser of this process."""
    return Voices()
