"""Tiny audio models with random weights, made in code: writers of tunes, a drawer of spectrograms, recognisers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.audio import sounds, tunes
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import tiny_settings

NOTES = ["|", "||", "|:", ":|", "[1", "[2", "(3", *"CDEFGABcdefgab", "d2", "e2", "^c", "z", "B,/2", "d3"]
ENTRY = """
id = "audio/{name}"
name = "{name}"
family = "{family}"
summary = "Makes noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = []
[weights]
path = "{name}"
[facts]
{facts}
"""
LABELS = ("0", "1", "4", "7")
SPEAKERS = ("ann", "bob")


def audio_engine(folder: Path) -> LocalEngine:
    """Write `audio/gpt`, `audio/lstm`, `audio/digits`, `audio/hear`, `audio/wav2vec`."""
    settings = tiny_settings(folder)
    import_libraries(settings)
    import torch

    torch.manual_seed(1)
    _tunes(folder)
    _digits(folder)
    _hearing(folder)
    return LocalEngine(settings)


def _entry(folder: Path, name: str, family: str, facts: str) -> None:
    (folder / f"{name}.toml").write_text(ENTRY.format(name=name, family=family, facts=facts))


def _tunes(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

    heads = [f"M:{one}" for one in tunes.METRES]
    heads += [f"K:{tonic}{mode}" for tonic in tunes.TONICS for mode in tunes.MODES]
    heads += [f"R:{one.replace(' ', '_')}" for one in tunes.RHYTHMS]
    words = ["<s>", "</s>", "<pad>", "<unk>", *heads, *NOTES]
    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names: dict[str, Any] = dict(zip(("bos_token", "eos_token", "pad_token", "unk_token"), words, strict=False))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, clean_up_tokenization_spaces=False, **names)
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "vocab_size": len(words)}
    llama = LlamaConfig(hidden_size=16, num_hidden_layers=1, intermediate_size=32, num_attention_heads=2,
                        max_position_embeddings=96, **ends)  # fmt: skip
    lstm = LSTMConfig(embedding_size=8, hidden_size=16, num_hidden_layers=1, max_position_embeddings=96, **ends)
    for name, net in (("gpt", LlamaForCausalLM(llama)), ("lstm", LSTMForCausalLM(lstm))):
        net.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        _entry(folder, name, "tune_lm", f"context_length = 96\nvocabulary_size = {len(words)}")


def _digits(folder: Path) -> None:
    from diffusers import DDPMScheduler, UNet2DModel
    from torch import nn

    from models.audio.nets.vocoder import Vocoder
    from models.audio.sampling.mels import MelSettings

    unet = UNet2DModel(
        sample_size=(8, 8), in_channels=32, out_channels=32, block_out_channels=(16, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"), norm_num_groups=8,
        num_class_embeds=len(LABELS) * len(SPEAKERS) + 1,
    )  # fmt: skip
    unet.save_pretrained(folder / "digits" / "unet")
    DDPMScheduler(prediction_type="v_prediction", clip_sample=False).save_pretrained(folder / "digits" / "scheduler")
    meaning = {"mel": MelSettings().to_dict(), "frames": 32, "patch": [8, 4], "labels": LABELS, "speakers": SPEAKERS,
               "nothing": len(LABELS) * len(SPEAKERS)}  # fmt: skip
    (folder / "digits" / "spectrogram.json").write_text(json.dumps(meaning))
    vocoder = Vocoder(width=16, num_blocks=1)
    nn.init.normal_(vocoder.out.weight, std=0.3)  # as made it changes nothing
    vocoder.save_pretrained(folder / "digits" / "vocoder")
    facts = f"speakers = {json.dumps(SPEAKERS)}\nwords = {json.dumps(LABELS)}\nsample_rate = 8000\nword_s = 0.256\n"
    facts += "vocoder = true"
    _entry(folder, "digits", "spectrogram_diffusion", facts)


def _hearing(folder: Path) -> None:
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    from models.audio.nets.speech_ctc import SpeechCTC, SpeechCTCConfig

    words = folder / "vocab.json"
    words.write_text(json.dumps({"<pad>": 0, "0": 1, "1": 2, "4": 3, "7": 4}))
    tokenizer = Wav2Vec2CTCTokenizer(
        str(words), pad_token="<pad>", unk_token="<pad>", bos_token=None, eos_token=None, word_delimiter_token=" "
    )
    wav2vec = Wav2Vec2Config(
        vocab_size=5, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 4), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, pad_token_id=0, do_stable_layer_norm=False,
    )  # fmt: skip
    nets = {"hear": (SpeechCTC(SpeechCTCConfig(vocab_size=5, hidden_size=16, num_blocks=1)), 8000),
            "wav2vec": (Wav2Vec2ForCTC(wav2vec), 16_000)}  # fmt: skip
    for name, (net, rate) in nets.items():
        net.eval().save_pretrained(folder / name)
        extractor = Wav2Vec2FeatureExtractor(sampling_rate=rate, do_normalize=False, return_attention_mask=True)
        Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder / name)
        _entry(folder, name, "speech_to_text", f"sample_rate = {rate}\nlabels = 5")
    words.unlink()


def ask(model: str, prompt: str = "", seed: int = 0, audio: str = "", **params: Any) -> Request:
    """Return a request; the recognisers take a recording alone."""
    inputs = {"audio": audio} if model in ("hear", "wav2vec") else {"prompt": prompt}
    return Request(model=f"audio/{model}", inputs=inputs, params=params, seed=seed)


def recording(seconds: float = 1.0, rate: int = 22_050) -> bytes:
    """Return a WAV file of two tones, one after the other."""
    time = np.arange(int(seconds * rate)) / rate
    hertz = np.where(time < seconds / 2, 400, 1500)
    return sounds.encode((0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)
