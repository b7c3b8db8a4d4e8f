"""Sentence embeddings in numpy alone: results are measured, and runs searched, where no torch is loaded.

The net is BERT (Devlin et al. 2019) as transformers has it, a text at a time: about 30 ms of one core for a sentence,
with the numbers of `models.text.sampling.embedding`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text import similar
from models.text.measures import written
from models.types import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

KIND = "bert"  # `model_type` of the only net that is read here
_KEPT = 64  # vectors: a prompt is compared with many results
_CHARS = 8_000  # of a text that are looked at: more than the context holds


@dataclass(frozen=True)
class Net:
    """Hold a BERT's weights (float32) by name, its tokenizer, and how its tokens' vectors become one."""

    weights: dict[str, Floats]
    tokenizer: Any
    layers: int
    heads: int
    eps: float
    pooling: str

    def vector(self, text: str) -> Floats:
        """Return the vector of a text, of length 1: width numbers."""
        ids = self.tokenizer.encode(text[:_CHARS]).ids
        x = self._own("embeddings.word_embeddings.weight")[ids]  # tokens × width
        x = x + self._own("embeddings.position_embeddings.weight")[: len(ids)]
        x = self._norm(x + self._own("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
        for layer in range(self.layers):
            x = self._layer(x, f"encoder.layer.{layer}")
        one = x[0] if self.pooling == "cls" else x.max(0) if self.pooling == "max" else x.mean(0)
        found: Floats = one / max(float(np.linalg.norm(one)), 1e-12)
        return found

    def _layer(self, x: Floats, name: str) -> Floats:
        q, k, v = (
            self._line(x, f"{name}.attention.self.{part}").reshape(len(x), self.heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )  # heads × tokens × width of a head
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        raised = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (raised / raised.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(x.shape)
        x = self._norm(x + self._line(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._line(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._line(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _line(self, x: Floats, name: str) -> Floats:
        found: Floats = x @ self._own(f"{name}.weight").T + self._own(f"{name}.bias")
        return found

    def _norm(self, x: Floats, name: str) -> Floats:
        apart = x - x.mean(-1, keepdims=True)
        scaled = apart / np.sqrt((apart * apart).mean(-1, keepdims=True) + self.eps)
        found: Floats = scaled * self._own(f"{name}.weight") + self._own(f"{name}.bias")
        return found

    def _own(self, name: str) -> Floats:
        return self.weights[name]


def _gelu(x: Floats) -> Floats:
    """Return the Gaussian error linear unit of Hendrycks and Gimpel 2016, exactly."""
    from scipy.special import erf

    found: Floats = x * 0.5 * (1 + erf(x / np.float32(math.sqrt(2))))
    return found


def closeness(output: Output, asked: str, folder: Path) -> float | None:
    """Return the cosine of what a model wrote and what was `asked`, −1 … 1; None where one of the two is empty.

    None, too, for a folder that holds another kind of model.
    """
    return _cosine(_own(output), asked, folder)


def nearness(output: Output, reference: Output, folder: Path) -> float | None:
    """Return the cosine of what a model wrote and what is written in a reference; None as `closeness`."""
    return _cosine(_own(output), _own(reference), folder)


def _own(output: Output) -> str:
    """Return what a model wrote; "" for a ranking of texts that others wrote."""
    return "" if output.meta.get("what") == similar.WHAT else written(output)


def _cosine(one: str, other: str, folder: Path) -> float | None:
    if not one.strip() or not other.strip() or read(folder) is None:
        return None
    return float(_vector(folder, one) @ _vector(folder, other))


def vectors(folder: Path, texts: Sequence[str]) -> Floats | None:
    """Return the vectors of texts, of length 1: texts × width; None for a folder that holds another kind of model."""
    net = read(folder)
    return None if net is None else np.stack([net.vector(text) for text in texts])


@lru_cache(maxsize=_KEPT)
def _vector(folder: Path, text: str) -> Floats:
    net = read(folder)
    assert net is not None
    return net.vector(text)


@lru_cache(maxsize=1)
def read(folder: Path) -> Net | None:
    """Return the net of a folder in Hugging Face layout, with the files of sentence-transformers if they are there."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    config = _json(folder / "config.json")
    if config.get("model_type") != KIND or config.get("hidden_act", "gelu") != "gelu":
        return None
    stored = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    told, pools = _json(folder / similar.LENGTH_FILE), _json(folder / similar.POOLING_FILE)
    most = int(config.get("max_position_embeddings", 512))
    tokenizer.enable_truncation(min(most, int(told.get("max_seq_length", most))))
    tokenizer.no_padding()
    return Net(
        {name: value.astype(np.float32) for name, value in stored.items() if value.dtype.kind == "f"}, tokenizer,
        int(config["num_hidden_layers"]), int(config["num_attention_heads"]), float(config["layer_norm_eps"]),
        similar.pooling(pools) or "mean",
    )  # fmt: skip


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found
