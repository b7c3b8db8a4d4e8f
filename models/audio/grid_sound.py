"""A sound made small for the cell of a grid, and where two sounds differ. Both run in the decoder's process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PREVIEW_S = 12.0  # a cell plays no more
SOUND, PICTURE = "sound.mp3", "difference.png"
SIZE_PX = (192, 96)
SCALE_DB = 40.0  # a difference of so much has the strongest colour
_FLOOR_DB = -80.0  # under the loudest point of both
_FRAMES, _BANDS, _WINDOW_S = 192, 96, 0.032
_A, _B = np.array([47, 107, 178]), np.array([201, 93, 30])  # louder in the first, in the second


def preview(folder: Path, data: bytes) -> dict[str, Any]:
    """Write the beginning of a WAV as `SOUND`, mono; return {"seconds": all of it}."""
    import soundfile

    from models.audio import sounds

    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate, frames = file.samplerate, file.frames
        samples = file.read(int(PREVIEW_S * rate), dtype="float32", always_2d=True)
    (folder / SOUND).write_bytes(sounds.encode(samples.mean(1), rate, "MP3"))
    return {"seconds": frames / rate}


def difference(folder: Path, reference: bytes, data: bytes) -> dict[str, Any]:
    """Write where the second WAV is louder (orange) or softer (blue) as `PICTURE`; return {"apart_db": the mean}.

    Time runs to the right, up to the longer one's end, frequency upwards to half of the lower rate.
    """
    from PIL import Image

    from models.audio import sounds

    both = [sounds.read_wav(one) for one in (reference, data)]
    top = min(rate for _, rate in both) / 2
    longest_s = max(len(samples) / rate for samples, rate in both)
    levels = [_level(samples.mean(1), rate, longest_s, top) for samples, rate in both]
    loudest = max(float(level.max()) for level in levels)
    a, b = (np.maximum(level - loudest, _FLOOR_DB) for level in levels)
    share = np.clip((b - a) / SCALE_DB, -1, 1)[::-1, :, None]  # −1 … 1
    colours = 255 + np.where(share < 0, -share * (_A - 255), share * (_B - 255))
    Image.fromarray(colours.astype(np.uint8)).resize(SIZE_PX, Image.Resampling.BILINEAR).save(folder / PICTURE)
    return {"apart_db": float(np.abs(b - a).mean())}


def _level(samples: NDArray[np.float32], rate: int, seconds: float, top_hz: float) -> NDArray[np.float64]:
    """Return the level in dB, `_BANDS` × `_FRAMES`: frequencies up to `top_hz`, over `seconds`."""
    from PIL import Image
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    window = max(16, round(_WINDOW_S * rate))
    whole = np.zeros(max(int(seconds * rate), window))
    whole[: len(samples)] = samples[: len(whole)]
    hop = max(1, len(whole) // _FRAMES)
    # by magnitude, so that a tone is as strong at any rate
    found = ShortTimeFFT(hann(window), hop, rate, scale_to="magnitude").spectrogram(whole)
    found = found[: max(2, round(found.shape[0] * top_hz / (rate / 2)))]
    level = Image.fromarray((10 * np.log10(np.maximum(found, 1e-12))).astype(np.float32))
    return np.asarray(level.resize((_FRAMES, _BANDS), Image.Resampling.BOX), np.float64)
