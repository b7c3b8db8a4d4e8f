"""Pictures of sound: mel spectrograms by torchaudio."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.types import Output

BANDS = 96
COLUMNS_MAX = 2400  # the page can zoom in
ROWS_MIN = 48  # of a step's picture
VIEW_SIZE = (800, 220)  # of the picture, at least
RANGE_DB = 80.0
Colour = tuple[int, int, int]
# diverging: blue below the middle, near white at it, orange above
DIFFERENCE: tuple[Colour, ...] = ((24, 62, 160), (120, 150, 210), (246, 244, 240), (232, 150, 80), (176, 70, 10))
# sequential: dark violet to light orange with rising lightness, readable in grey too
_COLOURS = ((8, 6, 20), (53, 20, 92), (120, 38, 122), (190, 60, 98), (238, 110, 62), (252, 181, 80), (252, 246, 190))


def mel_view(samples: np.ndarray, rate: int, index: int) -> Output:
    """Return the mel spectrogram of sound (frames, or frames × channels) as a picture: low notes at the bottom."""
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    mono = torch.from_numpy(np.ascontiguousarray(samples if samples.ndim == 1 else samples.mean(1))).float()
    size = 1024 if rate >= 16_000 else 256
    mono = torch.nn.functional.pad(mono, (0, max(0, size - len(mono))))  # the transform takes nothing shorter
    hop = max(size // 8, len(mono) // COLUMNS_MAX + 1)
    mel = MelSpectrogram(rate, n_fft=size, hop_length=hop, n_mels=BANDS if size == 1024 else 64, power=2.0)(mono)
    level = AmplitudeToDB("power", top_db=RANGE_DB)(mel.clamp(min=1e-10))  # bands × columns, dB
    share = ((level - level.max()) / RANGE_DB + 1).clamp(0, 1).numpy()
    rows = share[::-1].repeat(-(-VIEW_SIZE[1] // share.shape[0]), 0).repeat(-(-VIEW_SIZE[0] // share.shape[1]), 1)
    return picture(rows, index, {"what": "mel", "seconds": round(len(mono) / rate, 4), "top_hz": rate / 2})


def steps_view(mels: Sequence[np.ndarray], times: Sequence[float], index: int, of: str = "spectrogram") -> Output:
    """Return spectrograms, or other grids (bands × frames, normalised), of each step side by side as one picture."""
    tiles = []
    for mel in mels:
        wide = mel[:, :: max(1, mel.shape[1] // 480)]
        tall = wide.repeat(-(-ROWS_MIN // len(wide)), 0)  # some have a handful of channels
        tiles.append(np.clip((tall + 2.5) / 5, 0, 1)[::-1])
    meta = {
        "what": "steps",
        "of": of,
        "count": len(tiles),
        "tile": [tiles[0].shape[1], tiles[0].shape[0]],
        "timesteps": list(times),
    }
    return picture(np.concatenate(tiles, 1), index, meta)


def picture(share: np.ndarray, index: int, meta: dict[str, Any], colours: Sequence[Colour] = _COLOURS) -> Output:
    """Return 0 … 1 (height × width) in `colours` as a PNG that is a view of output `index`, no result itself."""
    anchors = np.array(colours, np.float32)
    at = np.linspace(0, 1, 256) * (len(anchors) - 1)
    palette = np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, one]) for one in range(3)], 1)
    image = Image.fromarray((share * 255).round().astype(np.uint8), "L")
    image.putpalette(palette.round().astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False, compress_level=6)
    data = buffer.getvalue()
    return Output(
        kind="view", index=index, data=data, media_type="image/png", sha256=hashlib.sha256(data).hexdigest(),
        meta={"width": image.width, "height": image.height, **meta},
    )  # fmt: skip
