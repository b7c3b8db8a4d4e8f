"""How sure the emoji judge is of a name, in numpy alone: results are measured where no torch is loaded.

The net is that of `models.image.nets.emoji_judge`, a picture at a time, about 20 ms of one core.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from models.image.measures import pixels
from models.types import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

KIND = "playground_emoji_judge"  # `model_type` of the only net that is read here
SIDE = 64
_EPS = 1e-5  # of batch norm


@dataclass(frozen=True)
class Net:
    """Hold a judge's weights (float32) by name, and the place of each name among its scores."""

    weights: dict[str, Floats]
    places: dict[str, int]

    def odds(self, picture: Floats) -> Floats:
        """Return the probability of each name for a picture (3 × 64 × 64, −1 … 1)."""
        x = np.maximum(self._conv(picture, "stem", stride=2, pad=2), 0)
        for block in range(3):
            x = self._block(x, f"blocks.{block}")
        pooled = x.reshape(len(x), 2, 2, 2, 2).mean((2, 4)).ravel()  # 192 × 4 × 4 → 768
        scores = self._own("head.weight") @ pooled + self._own("head.bias")
        raised = np.exp(scores - scores.max())
        found: Floats = raised / raised.sum()
        return found

    def _block(self, x: Floats, name: str) -> Floats:
        inner = np.maximum(self._norm(self._conv(x, f"{name}.first", stride=2, pad=1), f"{name}.norm1"), 0)
        inner = self._norm(self._conv(inner, f"{name}.second", stride=1, pad=1), f"{name}.norm2")
        found: Floats = np.maximum(inner + self._conv(x, f"{name}.around", stride=2, pad=0), 0)
        return found

    def _conv(self, x: Floats, name: str, *, stride: int, pad: int) -> Floats:
        """Return a convolution of channels × height × width."""
        weight, bias = self._own(f"{name}.weight"), self.weights.get(f"net.{name}.bias")
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(padded, weight.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        found: Floats = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
        return found if bias is None else found + bias[:, None, None]

    def _norm(self, x: Floats, name: str) -> Floats:
        scale = self._own(f"{name}.weight") / np.sqrt(self._own(f"{name}.running_var") + _EPS)
        shift = self._own(f"{name}.bias") - self._own(f"{name}.running_mean") * scale
        found: Floats = x * scale[:, None, None] + shift[:, None, None]
        return found

    def _own(self, name: str) -> Floats:
        return self.weights[f"net.{name}"]


def name_odds(output: Output, asked: str, folder: Path) -> float | None:
    """Return the probability, 0 … 1, that the judge in `folder` gives a picture the name that was `asked` for.

    None for a name that it does not know, and for a folder that holds another kind of model.
    """
    net = _read(folder)
    place = net.places.get(asked) if net is not None else None
    return None if place is None else float(_odds(folder, output.data)[place])


def name_rank(output: Output, asked: str, folder: Path) -> float | None:
    """Return the place of the name that was `asked` for among all names: 1 is the likeliest; None as `name_odds`."""
    net = _read(folder)
    place = net.places.get(asked) if net is not None else None
    if place is None:
        return None
    odds = _odds(folder, output.data)
    return 1.0 + float((odds > odds[place]).sum())


@lru_cache(maxsize=4)  # several numbers are read from one picture
def _odds(folder: Path, data: bytes) -> Floats:
    net = _read(folder)
    assert net is not None
    return net.odds(_picture(data))


def _picture(data: bytes) -> Floats:
    shown = pixels(Output("image", 0, data=data))
    if shown.shape[:2] != (SIDE, SIDE):
        small = Image.fromarray(shown.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        shown = np.asarray(small, np.float64)
    found: Floats = (shown / 127.5 - 1).astype(np.float32).transpose(2, 0, 1)  # 3 × 64 × 64
    return found


@lru_cache(maxsize=1)
def _read(folder: Path) -> Net | None:
    from safetensors.numpy import load_file

    config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    if config.get("model_type") != KIND:
        return None
    stored = load_file(folder / "model.safetensors")
    weights = {name: value.astype(np.float32) for name, value in stored.items() if value.dtype.kind == "f"}
    return Net(weights, {name: int(at) for at, name in config["id2label"].items()})
