"""How sure the digit recogniser is of what was to be said, in numpy alone: sounds are measured where no torch is.

The net is that of `models.audio.nets.speech_ctc`, a sound at a time, in about a thirtieth of its length. The
probability of a row of labels is the sum over all ways of stretching them: connectionist temporal classification,
Graves et al. 2006, section 4.1 (the forward variables).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.types import Output

    Floats = NDArray[np.float64]

KIND = "playground_speech_ctc"  # `model_type` of the only net that is read here
GROUPS, EPS, LEAST = 8, 1e-5, 1e-5  # of the group norm; of the mels


@dataclass(frozen=True)
class Net:
    """Hold a recogniser's weights by name, its config, and the number of each label."""

    weights: dict[str, Floats]
    config: dict[str, Any]
    labels: dict[str, int]

    def log_odds(self, sound: Floats) -> Floats:
        """Return the natural logarithm of each label's probability, frames × labels, for mono samples."""
        x = self._conv(self._mels(sound), "stem", stride=2, pad=2)
        for block in range(int(self.config["num_blocks"])):
            x = x + self._block(x, f"blocks.{block}")
        forth, back = (self._gru(turned, tail)[::step] for turned, tail, step in
                       ((x.T, "", 1), (x.T[::-1], "_reverse", -1)))  # fmt: skip
        scores = np.concatenate([forth, back], 1) @ self.weights["out.weight"].T + self.weights["out.bias"]
        found: Floats = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        return found

    def _mels(self, sound: Floats) -> Floats:
        size, hop = int(self.config["n_fft"]), int(self.config["hop_length"])
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        frames = sliding_window_view(np.pad(sound, size // 2), size)[::hop] * window
        mel = np.log(np.maximum(self.weights["bank"].T @ np.abs(np.fft.rfft(frames)).T, LEAST))  # bands × frames
        found: Floats = (mel - mel.mean()) / 2
        return found

    def _conv(self, x: Floats, name: str, *, stride: int = 1, pad: int = 0) -> Floats:
        """Return a convolution of channels × frames; one filter for each channel where the weights have one input."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        windows = sliding_window_view(np.pad(x, ((0, 0), (pad, pad))), weight.shape[2], axis=1)[:, ::stride]
        if weight.shape[1] == 1 < len(x):
            found: Floats = np.einsum("ctk,ck->ct", windows, weight[:, 0])
        else:
            found = np.tensordot(weight, windows, axes=((1, 2), (0, 2)))
        return found + bias[:, None]

    def _block(self, x: Floats, name: str) -> Floats:
        from scipy.special import erf

        along = self._conv(x, f"{name}.along", pad=self.weights[f"{name}.along.weight"].shape[2] // 2)
        parts = along.reshape(GROUPS, -1)
        normed = (parts - parts.mean(1, keepdims=True)) / np.sqrt(parts.var(1, keepdims=True) + EPS)
        scaled = normed.reshape(along.shape) * self.weights[f"{name}.norm.weight"][:, None]
        wide = self._conv(scaled + self.weights[f"{name}.norm.bias"][:, None], f"{name}.across")
        return self._conv(wide * (1 + erf(wide / np.sqrt(2))) / 2, f"{name}.back")

    def _gru(self, x: Floats, tail: str) -> Floats:
        """Return the states of one direction, frames × width (Cho et al. 2014, as PyTorch has it)."""
        own = {name: self.weights[f"gru.{name}_l0{tail}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        given, state, states = x @ own["weight_ih"].T + own["bias_ih"], np.zeros(own["weight_hh"].shape[1]), []
        for one in given:
            in_reset, in_keep, in_new = np.split(one, 3)
            reset, keep, new = np.split(own["weight_hh"] @ state + own["bias_hh"], 3)
            keep = _sigmoid(in_keep + keep)
            state = (1 - keep) * np.tanh(in_new + _sigmoid(in_reset + reset) * new) + keep * state
            states.append(state)
        return np.array(states)


def said_odds(output: Output, asked: str, folder: Path) -> float | None:
    """Return the probability, 0 … 1, that the recogniser in `folder` hears the words of a sound, and nothing else.

    They are those that the sound's own text names, else what was `asked` for. None where it does not know one of them,
    for a sound of another rate than its own, and for a folder that holds another kind of model.
    """
    from models.audio.sounds import read_wav

    net = _read(folder)
    words = (output.text or asked).split()
    if net is None or not words or not all(word in net.labels for word in words):
        return None
    samples, rate = read_wav(output.data)
    if rate != net.config["sample_rate"]:
        return None
    log_odds = net.log_odds(samples.mean(1).astype(np.float64))
    return float(np.exp(row_log_odds(log_odds, [net.labels[word] for word in words], int(net.config["pad_token_id"]))))


def row_log_odds(log_odds: Floats, row: list[int], blank: int) -> float:
    """Return the natural logarithm of the probability of a row of labels, from that of each label at each frame."""
    path = [blank, *(part for label in row for part in (label, blank))]
    # from two before, where the label between is a blank and the two are not the same
    skips = np.array([at > 1 and label not in (blank, path[at - 2]) for at, label in enumerate(path)])
    now = np.full(len(path), -np.inf)
    now[:2] = log_odds[0, path[:2]]
    for frame in log_odds[1:]:
        one = np.concatenate([[-np.inf], now[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], now[:-2]]), -np.inf)
        now = np.logaddexp(np.logaddexp(now, one), two) + frame[path]
    return float(np.logaddexp(now[-1], now[-2]))


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


@lru_cache(maxsize=1)
def _read(folder: Path) -> Net | None:
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config.get("model_type") != KIND:
        return None
    weights = {name: value.astype(np.float64) for name, value in load_file(folder / "model.safetensors").items()}
    return Net(weights, config, json.loads((folder / "vocab.json").read_text("utf-8")))
