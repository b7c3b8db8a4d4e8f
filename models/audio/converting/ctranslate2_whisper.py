"""A Whisper that CTranslate2 keeps, in fp16, to the layout of transformers: the same numbers under other names.

The file's form is that of CTranslate2's `model_spec.py`: names, shapes and raw arrays one after the other.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DTYPES = ("float32", "int8", "int16", "int32", "float16")
NAMES_MAX, RANK_MAX = 10_000, 4
HEAD = 64  # the width of one attention head in every Whisper


class Arrays:
    """The arrays of a `model.bin`, by name. Raises `ValueError` where the file is none or cut."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0
        self._number("I")  # version of the form
        self.kind = self._name()
        self._number("I")  # revision
        self._found: dict[str, Any] = {}
        for _ in range(self._count()):
            name = self._name()
            self._found[name] = self._array()
        self._same = {self._name(): self._name() for _ in range(self._count())}

    def __getitem__(self, name: str) -> Any:
        """Return an array as a float32 tensor."""
        import torch

        array = self._found[self._same.get(name, name)]
        return torch.from_numpy(array.astype("float32"))

    def __contains__(self, name: str) -> bool:
        return self._same.get(name, name) in self._found

    def _count(self) -> int:
        count = self._number("I")
        if count > NAMES_MAX:
            raise ValueError(f"the file tells of {count} arrays")
        return count

    def _number(self, form: str) -> int:
        size = struct.calcsize(form)
        try:
            value: int = struct.unpack_from("<" + form, self._data, self._at)[0]
        except struct.error as error:
            raise ValueError("the file ends too early") from error
        self._at += size
        return value

    def _name(self) -> str:
        size = self._number("H")
        text = bytes(self._data[self._at : self._at + size])
        self._at += size
        return text.rstrip(b"\0").decode()

    def _array(self) -> Any:
        import numpy as np

        rank = self._number("B")
        if rank > RANK_MAX:
            raise ValueError(f"an array has {rank} dimensions")
        shape = [self._number("I") for _ in range(rank)]
        kind = self._number("B")
        if kind >= len(DTYPES):
            raise ValueError(f"an array is of the unknown kind {kind}")
        size = self._number("I")
        dtype = np.dtype(DTYPES[kind])
        array = np.frombuffer(self._data, dtype, size // dtype.itemsize, self._at).reshape(shape)
        self._at += size
        return array


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the model of `model.bin`, `config.json` and `tokenizer.json` in `files` into `made`."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizerFast,
    )

    files = {name.rsplit("/", 1)[-1]: file for name, file in files.items()}
    arrays = Arrays(files["model.bin"].read_bytes())
    if arrays.kind != "WhisperSpec":
        raise ValueError(f"the file holds {arrays.kind[:40]!r}, no Whisper")
    told = json.loads(files["config.json"].read_text("utf-8"))
    tokenizer = WhisperTokenizerFast(tokenizer_file=str(files["tokenizer.json"]))
    end, start, silent = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"])
    vocabulary, width = arrays["decoder/embeddings/weight"].shape
    layers = {side: next(at for at in range(100) if f"{side}/layer_{at}/ffn/linear_0/weight" not in arrays)
              for side in ("encoder", "decoder")}  # fmt: skip
    inner = arrays["encoder/layer_0/ffn/linear_0/weight"].shape[0]
    heads = width // HEAD
    model = WhisperForConditionalGeneration(WhisperConfig(
        vocab_size=vocabulary, d_model=width, encoder_layers=layers["encoder"], decoder_layers=layers["decoder"],
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=inner, decoder_ffn_dim=inner,
        num_mel_bins=arrays["encoder/conv1/weight"].shape[1], pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=start, max_target_positions=arrays["decoder/position_encodings/encodings"].shape[0],
    ))  # fmt: skip
    found = model.load_state_dict(weights(arrays, layers), strict=False)
    if found.unexpected_keys or set(found.missing_keys) - {"proj_out.weight"}:
        raise ValueError(f"weights are missing or left over: {[*found.missing_keys, *found.unexpected_keys][:3]}")
    model.tie_weights()
    # made anew: one that was derived from the net's own settings drops what it does not know when it is read again
    model.generation_config = GenerationConfig(
        suppress_tokens=told["suppress_ids"], begin_suppress_tokens=told["suppress_ids_begin"],
        no_timestamps_token_id=silent, is_multilingual=False, max_length=448, bos_token_id=end, pad_token_id=end,
        eos_token_id=end, decoder_start_token_id=start, return_timestamps=False,
        alignment_heads=told["alignment_heads"],
    )  # fmt: skip
    model.to(torch.float16).save_pretrained(made)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(made)


def weights(arrays: Arrays, layers: Mapping[str, int]) -> dict[str, Any]:
    """Return the arrays under the names that transformers gives them, tensors of float32."""
    found = {"model.decoder.embed_tokens.weight": arrays["decoder/embeddings/weight"]}
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            found[f"model.encoder.{conv}.{part}"] = arrays[f"encoder/{conv}/{part}"]
    for side, count in layers.items():
        ours = f"model.{side}."
        found |= _norm(ours + "layer_norm", arrays, f"{side}/layer_norm")
        found[f"{ours}embed_positions.weight"] = arrays[f"{side}/position_encodings/encodings"]
        for at in range(count):
            here, there = f"{ours}layers.{at}.", f"{side}/layer_{at}/"
            found |= _joined(
                here + "self_attn.", arrays, there + "self_attention/linear_0", ("q_proj", "k_proj", "v_proj")
            )
            found |= _line(here + "self_attn.out_proj", arrays, there + "self_attention/linear_1")
            found |= _norm(here + "self_attn_layer_norm", arrays, there + "self_attention/layer_norm")
            if side == "decoder":
                found |= _line(here + "encoder_attn.q_proj", arrays, there + "attention/linear_0")
                found |= _joined(here + "encoder_attn.", arrays, there + "attention/linear_1", ("k_proj", "v_proj"))
                found |= _line(here + "encoder_attn.out_proj", arrays, there + "attention/linear_2")
                found |= _norm(here + "encoder_attn_layer_norm", arrays, there + "attention/layer_norm")
            found |= _norm(here + "final_layer_norm", arrays, there + "ffn/layer_norm")
            found |= _line(here + "fc1", arrays, there + "ffn/linear_0")
            found |= _line(here + "fc2", arrays, there + "ffn/linear_1")
    return found


def _norm(ours: str, arrays: Arrays, theirs: str) -> dict[str, Any]:
    return {f"{ours}.weight": arrays[f"{theirs}/gamma"], f"{ours}.bias": arrays[f"{theirs}/beta"]}


def _line(ours: str, arrays: Arrays, theirs: str) -> dict[str, Any]:
    return {f"{ours}.weight": arrays[f"{theirs}/weight"], f"{ours}.bias": arrays[f"{theirs}/bias"]}


def _joined(ours: str, arrays: Arrays, theirs: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the parts of one array that holds several layers; the keys' has no bias in Whisper."""
    whole, bias = arrays[f"{theirs}/weight"].chunk(len(names)), arrays[f"{theirs}/bias"].chunk(len(names))
    found = {f"{ours}{name}.weight": part for name, part in zip(names, whole, strict=True)}
    found |= {f"{ours}{name}.bias": part for name, part in zip(names, bias, strict=True) if name != "k_proj"}
    return {name: part.clone() for name, part in found.items()}
