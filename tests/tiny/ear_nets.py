"""Tiny recognisers that write token by token, with random weights, made in code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.blobs import Blobs
from models.catalog import load_catalog
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import tiny_settings

KINDS = ("whisper", "english", "moonshine")
ENTRY = """
id = "audio/{name}"
name = "{name}"
family = "speech_to_text"
summary = "Hears noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = []
[weights]
path = "{name}"
"""
LANGUAGES = ("de", "en", "fr")


def ear_engine(folder: Path) -> LocalEngine:
    """Write `audio/whisper` (three languages), `audio/english` (a Whisper of one), `audio/moonshine`."""
    settings = tiny_settings(folder)
    import_libraries(settings)
    import torch

    for name in KINDS:
        torch.manual_seed(3)
        _moonshine(folder / name) if name == "moonshine" else _whisper(folder / name, name == "whisper")
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name))
    catalog = load_catalog(settings)
    for name in KINDS:
        spec = catalog[f"audio/{name}"]
        lines = [f"{key} = {json.dumps(value)}" for key, value in catalog.family(spec.id).describe(spec).items()]
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name) + "\n".join(["[facts]", *lines]))
    return LocalEngine(settings)


def listen(engine: LocalEngine, kind: str, recording: bytes, seed: int = 0, **params: Any) -> Request:
    """Keep a recording and return a request to hear it."""
    ref = Blobs(engine._settings.data_dir).put_bytes(recording)
    return Request(model=f"audio/{kind}", inputs={"audio": ref}, params=params, seed=seed)


def _louder(net: Any, factor: float) -> None:
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.data.mul_(factor)


def _whisper(folder: Path, many: bool) -> None:
    from tokenizers import pre_tokenizers
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    letters = {one: at for at, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{one}|>" for one in LANGUAGES), "<|translate|>",
               "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip
    tokenizer = WhisperTokenizer(vocab={**letters, "<|endoftext|>": len(letters)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.add_tokens([f"<|{at * 0.02:.2f}|>" for at in range(1501)])
    ids = {one: tokenizer.convert_tokens_to_ids(one) for one in special}
    model = WhisperForConditionalGeneration(WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8, max_target_positions=32,
        decoder_start_token_id=ids["<|startoftranscript|>"], bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], suppress_tokens=None,
        begin_suppress_tokens=None,
    )).eval()  # fmt: skip
    _louder(model, 6)
    words = {"lang_to_id": {f"<|{one}|>": ids[f"<|{one}|>"] for one in LANGUAGES},
             "task_to_id": {one: ids[f"<|{one}|>"] for one in ("transcribe", "translate")}} if many else {}  # fmt: skip
    model.generation_config = GenerationConfig(
        no_timestamps_token_id=ids["<|notimestamps|>"], max_length=24, is_multilingual=many,
        decoder_start_token_id=ids["<|startoftranscript|>"], eos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"], bos_token_id=ids["<|endoftext|>"], alignment_heads=[[0, 0], [0, 1]], **words,
    )  # fmt: skip
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=8), tokenizer).save_pretrained(folder)


def _moonshine(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        MoonshineConfig,
        MoonshineForConditionalGeneration,
        PreTrainedTokenizerFast,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Processor,
    )

    words = ["<s>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="a"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="a"
    )
    model = MoonshineForConditionalGeneration(MoonshineConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=1, encoder_num_attention_heads=2, decoder_num_attention_heads=2,
        bos_token_id=0, eos_token_id=1, pad_token_id=1, decoder_start_token_id=0,
    )).eval()  # fmt: skip
    _louder(model, 6)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=16_000, do_normalize=False, return_attention_mask=True)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
