"""Sentence embeddings in numpy alone: results are measured, and runs searched, where no torch is loaded.

The net is BERT (Devlin et al. 2019) as transformers has it, about 15 ms of one core for a sentence among
several, with the numbers of `models.text.sampling.embedding`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
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
_TABLES = ("word", "position", "token_type")  # of the embeddings


@dataclass(frozen=True)
class Net:
    """Hold a BERT: each layer's weights by name, its tokenizer, and how its tokens' vectors become one.

    Weights stay as they are stored, half as large as float32, and the tables of embeddings in their file, of which
    `rows` reads some: the process that measures gives back by its end alone what it holds.
    """

    layers: tuple[dict[str, Any], ...]
    rows: Callable[[str, Sequence[int]], Floats]
    norm: dict[str, Any]  # that of the embeddings
    tokenizer: Any
    heads: int
    eps: float
    pooling: str

    def vectors(self, texts: Sequence[str]) -> list[Floats]:
        """Return the vectors of a few texts, of length 1: each width numbers."""
        every = [self._embedded(self.tokenizer.encode(text[:_CHARS]).ids) for text in texts]
        for layer in self.layers:
            ready = {name: value.astype(np.float32) for name, value in layer.items()}
            every = [self._layer(x, ready) for x in every]
        return [self._pooled(x) for x in every]

    def _embedded(self, ids: Sequence[int]) -> Floats:
        """Return the vectors that the first layer is given: tokens × width."""
        places = {"word": ids, "position": range(len(ids)), "token_type": [0]}
        x = sum(self.rows(f"embeddings.{table}_embeddings.weight", list(places[table])) for table in _TABLES)
        return self._norm(np.asarray(x), {name: value.astype(np.float32) for name, value in self.norm.items()}, "")

    def _pooled(self, x: Floats) -> Floats:
        one = x[0] if self.pooling == "cls" else x.max(0) if self.pooling == "max" else x.mean(0)
        found: Floats = one / max(float(np.linalg.norm(one)), 1e-12)
        return found

    def _layer(self, x: Floats, own: dict[str, Floats]) -> Floats:
        q, k, v = (
            _line(x, own, f"attention.self.{part}").reshape(len(x), self.heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )  # heads × tokens × width of a head
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        raised = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (raised / raised.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(x.shape)
        x = self._norm(x + _line(seen, own, "attention.output.dense"), own, "attention.output.LayerNorm.")
        inner = _gelu(_line(x, own, "intermediate.dense"))
        return self._norm(x + _line(inner, own, "output.dense"), own, "output.LayerNorm.")

    def _norm(self, x: Floats, own: dict[str, Floats], name: str) -> Floats:
        apart = x - x.mean(-1, keepdims=True)
        scaled = apart / np.sqrt((apart * apart).mean(-1, keepdims=True) + self.eps)
        found: Floats = scaled * own[f"{name}weight"] + own[f"{name}bias"]
        return found


def _line(x: Floats, own: dict[str, Floats], name: str) -> Floats:
    found: Floats = x @ own[f"{name}.weight"].T + own[f"{name}.bias"]
    return found


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
    return None if net is None else np.stack(net.vectors(texts))


@lru_cache(maxsize=_KEPT)
def _vector(folder: Path, text: str) -> Floats:
    net = read(folder)
    assert net is not None
    return net.vectors([text])[0]


@lru_cache(maxsize=1)
def read(folder: Path) -> Net | None:
    """Return the net of a folder in Hugging Face layout, with the files of sentence-transformers if they are there."""
    from safetensors import safe_open
    from tokenizers import Tokenizer

    config = _json(folder / "config.json")
    if config.get("model_type") != KIND or config.get("hidden_act", "gelu") != "gelu":
        return None
    weights = folder / "model.safetensors"
    file: Any = safe_open(weights, "np")  # mapped into memory: what is not read takes none
    tables = {name: file.get_slice(name) for name in (f"embeddings.{table}_embeddings.weight" for table in _TABLES)}

    def rows(name: str, places: Sequence[int]) -> Floats:
        found: Floats = np.concatenate([tables[name][place : place + 1] for place in places]).astype(np.float32)
        return found

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    told, pools = _json(folder / similar.LENGTH_FILE), _json(folder / similar.POOLING_FILE)
    most = int(config.get("max_position_embeddings", 512))
    tokenizer.enable_truncation(min(most, int(told.get("max_seq_length", most))))
    tokenizer.no_padding()
    with safe_open(weights, "np") as whole:  # another map, which goes with the block: all of it was read

        def under(name: str) -> dict[str, Any]:
            return {key.removeprefix(name): whole.get_tensor(key) for key in names if key.startswith(name)}

        names = list(whole.keys())
        layers = tuple(under(f"encoder.layer.{at}.") for at in range(int(config["num_hidden_layers"])))
        norm = under("embeddings.LayerNorm.")
    return Net(
        layers, rows, norm, tokenizer, int(config["num_attention_heads"]),
        float(config["layer_norm_eps"]), similar.pooling(pools) or "mean",
    )  # fmt: skip


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found
