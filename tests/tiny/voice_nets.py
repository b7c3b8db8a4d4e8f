"""Tiny speaking models with random weights, made in code: one of each kind that text to speech must run."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from models.catalog import load_catalog
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import tiny_settings

KINDS = ("vits", "voices", "piper", "speecht5", "bark", "pocket", "phonon")
LETTERS = "abcdefghijklmnopqrstuvwxyz '.,!?"
ENTRY = """
id = "audio/{name}"
name = "{name}"
family = "text_to_speech"
summary = "Makes noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["A cat."]
[weights]
path = "{name}"
"""
QUICK = {"bark": {"max_seconds": 0.5}, "pocket": {"max_seconds": 0.5}, "phonon": {"max_seconds": 0.5},
         "speecht5": {"maxlenratio": 2.0}}  # fmt: skip


def voice_engine(folder: Path, *kinds: str) -> LocalEngine:
    """Write `audio/KIND` for some of `KINDS` (all where none is named), with the facts that the family reads."""
    settings = tiny_settings(folder)
    import_libraries(settings)
    import torch

    for name in kinds or KINDS:
        torch.manual_seed(1)
        MAKERS[name](folder / name)
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name))
    catalog = load_catalog(settings)
    for name in kinds or KINDS:
        spec = catalog[f"audio/{name}"]
        lines = [f"{key} = {json.dumps(value)}" for key, value in catalog.family(spec.id).describe(spec).items()]
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name) + "\n".join(["[facts]", *lines]))
    return LocalEngine(settings)


def speak(kind: str, text: str, seed: int = 0, rows: Any = None, **params: Any) -> Request:
    """Return a short request."""
    inputs = {"prompt": text, **({"rows": json.dumps(rows)} if rows is not None else {})}
    return Request(model=f"audio/{kind}", inputs=inputs, params={**QUICK.get(kind, {}), **params}, seed=seed)


def _louder(net: Any, factor: float) -> None:
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.data.mul_(factor)


def _vits(folder: Path, speakers: int = 1, letters_of: str = "_abcdefghijklmnopqrstuvwxyz '", **more: Any) -> None:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir()
    letters = folder / "letters.json"
    letters.write_text(json.dumps({letter: at for at, letter in enumerate(letters_of)}))
    tokenizer = VitsTokenizer(str(letters), pad_token="_", unk_token="_", language="eng", phonemize=False)
    config = VitsConfig(
        vocab_size=len(letters_of), hidden_size=16, num_hidden_layers=1, ffn_dim=16, flow_size=16, spectrogram_bins=9,
        upsample_initial_channel=16, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]], duration_predictor_filter_channels=16, num_speakers=speakers,
        speaker_embedding_size=8 if speakers > 1 else 0, posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_wavenet_layers=1, prior_encoder_num_flows=2, duration_predictor_num_flows=2,
        depth_separable_num_layers=1, sampling_rate=8000, **more,
    )  # fmt: skip
    VitsModel(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    letters.unlink()


def _voices(folder: Path) -> None:
    _vits(folder, speakers=3)


def _piper(folder: Path) -> None:
    _vits(folder, letters_of="_^$ !'abcdefghijklmnopqrstuvwxyzəˈ.", espeak_voice="en-us")


def _speecht5(folder: Path) -> None:
    import sentencepiece
    from transformers import (
        SpeechT5Config,
        SpeechT5FeatureExtractor,
        SpeechT5ForTextToSpeech,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        SpeechT5Processor,
        SpeechT5Tokenizer,
    )

    folder.mkdir()
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([LETTERS] * 3), model_writer=buffer, model_type="char", vocab_size=40,
        hard_vocab_limit=False, pad_id=3, minloglevel=2,
    )  # fmt: skip
    (folder / "spm_char.model").write_bytes(buffer.getvalue())
    tokenizer = SpeechT5Tokenizer(str(folder / "spm_char.model"))
    config = SpeechT5Config(
        vocab_size=len(tokenizer), hidden_size=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16, num_mel_bins=8,
        speech_decoder_prenet_units=8, speech_decoder_prenet_layers=2, speech_decoder_postnet_layers=2,
        speech_decoder_postnet_units=8, speech_decoder_postnet_kernel=3, speaker_embedding_dim=12,
        max_text_positions=450, max_speech_positions=1200, pad_token_id=3,
    )  # fmt: skip
    model = SpeechT5ForTextToSpeech(config).eval()
    _louder(model, 3)
    model.speech_decoder_postnet.prob_out.bias.data.fill_(-3)  # so that it does not end at once
    model.save_pretrained(folder)
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(
        model_in_dim=8, sampling_rate=8000, upsample_initial_channel=16, upsample_rates=[4, 10],
        upsample_kernel_sizes=[8, 20], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        normalize_before=False,
    ))  # fmt: skip
    _louder(vocoder, 4)
    vocoder.save_pretrained(folder / "vocoder")
    SpeechT5Processor(SpeechT5FeatureExtractor(num_mel_bins=8), tokenizer).save_pretrained(folder)


def _bark(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        BarkCoarseConfig,
        BarkConfig,
        BarkFineConfig,
        BarkModel,
        BarkProcessor,
        BarkSemanticConfig,
        EncodecConfig,
        PreTrainedTokenizerFast,
    )

    size = {"num_layers": 1, "num_heads": 2, "hidden_size": 16, "block_size": 128}
    codec = EncodecConfig(
        sampling_rate=8000, audio_channels=1, hidden_size=16, num_filters=4, num_residual_layers=1,
        upsampling_ratios=[8, 10], codebook_size=16, codebook_dim=16, target_bandwidths=[3.2], num_lstm_layers=1,
        use_causal_conv=False, normalize=False,
    )  # fmt: skip
    model = BarkModel(BarkConfig(
        semantic_config=BarkSemanticConfig(input_vocab_size=120, output_vocab_size=120, **size).to_dict(),
        coarse_acoustics_config=BarkCoarseConfig(input_vocab_size=80, output_vocab_size=80, **size).to_dict(),
        fine_acoustics_config=BarkFineConfig(
            input_vocab_size=20, output_vocab_size=20, n_codes_total=8, n_codes_given=1, **size).to_dict(),
        codec_config=codec.to_dict(),
    )).eval()  # fmt: skip
    for layer in model.codec_model.quantizer.layers:  # as made, all codes mean nothing
        layer.codebook.embed.normal_()
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        _louder(part, 6)
    model.save_pretrained(folder)
    # by hand: the class of this library's version does not pass its own check when it is saved
    (folder / "generation_config.json").write_text(json.dumps({
        "model_type": "bark", "sample_rate": 8000, "codebook_size": 16,
        "semantic_config": {"eos_token_id": 40, "text_encoding_offset": 50, "text_pad_token": 118,
                            "semantic_infer_token": 119, "semantic_vocab_size": 40, "max_input_semantic_length": 16,
                            "max_new_tokens": 40},
        "coarse_acoustics_config": {"coarse_semantic_pad_token": 72, "coarse_infer_token": 73,
                                    "max_coarse_input_length": 16, "max_coarse_history": 30,
                                    "sliding_window_len": 20},
        "fine_acoustics_config": {"max_fine_history_length": 8, "max_fine_input_length": 16, "n_fine_codebooks": 8},
    }))  # fmt: skip
    core = Tokenizer(models.WordLevel({letter: at for at, letter in enumerate(f"_{LETTERS}")}, unk_token="_"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="_", unk_token="_")
    chance = np.random.default_rng(0)
    presets = {name: {"semantic_prompt": chance.integers(0, 40, 12), "coarse_prompt": chance.integers(0, 16, (2, 18)),
                      "fine_prompt": chance.integers(0, 16, (8, 18))} for name in ("en_a", "en_b")}  # fmt: skip
    paths: dict[str, Any] = {"repo_or_path": str(folder)}
    for name, content in presets.items():
        for part, array in content.items():
            (folder / "speakers").mkdir(exist_ok=True)
            np.save(folder / "speakers" / f"{name}_{part}.npy", array)
        paths[name] = {part: f"speakers/{name}_{part}.npy" for part in content}
    BarkProcessor(tokenizer).save_pretrained(folder)
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(paths))


def _pocket(folder: Path, phonon: bool = False) -> None:
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        GradiumPhononTTSConfig,
        GradiumPhononTTSForConditionalGeneration,
        PocketTTSAudioTokenizerConfig,
        PocketTTSAudioTokenizerModel,
        PocketTTSConfig,
        PocketTTSFeatureExtractor,
        PocketTTSForConditionalGeneration,
        PocketTTSProcessor,
        PreTrainedTokenizerFast,
    )

    special = {"audio_prompt_token": "<voice>", "audio_latent_token": "<frame>", "audio_bos_token": "<go>"}
    if not phonon:
        special["audio_prompt_bos_token"] = "<who>"
    words = ["<unk>", "<pad>", *special.values(), *LETTERS]
    ids = {name + "_id": words.index(token) for name, token in special.items()}
    size = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 32, "latent_dim": 4, "pad_token_id": 1, "frame_rate": 20.0,
            "max_position_embeddings": 512}  # fmt: skip
    head = {"hidden_size": 16, "num_hidden_layers": 1, "latent_dim": 4, "condition_dim": 16,
            "frequency_embedding_size": 8, "flow_type": "drifting" if phonon else "lsd"}  # fmt: skip
    net: Any
    if phonon:
        net = GradiumPhononTTSForConditionalGeneration(
            GradiumPhononTTSConfig(flow_head_config=head, audio_prompt_dim=6, **size, **ids))  # fmt: skip
    else:
        net = PocketTTSForConditionalGeneration(PocketTTSConfig(flow_head_config=head, **size, **ids))
    for weight in net.parameters():  # its last layers start at zero
        weight.data.add_(0.2 * torch.randn_like(weight))
    net.eval().save_pretrained(folder)
    codec = PocketTTSAudioTokenizerModel(PocketTTSAudioTokenizerConfig(
        sampling_rate=8000, hidden_size=16, num_filters=4, upsampling_ratios=[5, 5], upsample_groups=16,
        num_hidden_layers=1, intermediate_size=16, num_attention_heads=2, num_key_value_heads=2, sliding_window=64,
        latent_stride=16, latent_dim=4,
    )).eval()  # fmt: skip
    _louder(codec, 3)
    codec.save_pretrained(folder / "codec")
    codec = PocketTTSAudioTokenizerModel.from_pretrained(folder / "codec")  # so that it knows where it lies
    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", unk_token="<unk>", padding_side="left",
        extra_special_tokens=special,
    )  # fmt: skip
    who = "" if phonon else "{{ '<who>' }}"
    template = (
        "{% for part in messages[0]['content'] %}{% if part['type'] == 'audio' %}" + who
        + "<voice>{% else %}{{ part['text'] | lower }}{% endif %}{% endfor %}<go>"
    )  # fmt: skip
    extractor = PocketTTSFeatureExtractor(sampling_rate=8000, frame_size=400, pad_to_multiple_of=400)
    PocketTTSProcessor(extractor, tokenizer, audio_tokenizer=codec, chat_template=template).save_pretrained(folder)
    (folder / "voices").mkdir()
    for name in ("alba", "jean"):
        save_file({"latents": torch.randn(5, 6 if phonon else 4)}, folder / "voices" / f"{name}.safetensors")


def _phonon(folder: Path) -> None:
    _pocket(folder, phonon=True)


MAKERS = {"vits": _vits, "voices": _voices, "piper": _piper, "speecht5": _speecht5, "bark": _bark, "pocket": _pocket,
          "phonon": _phonon}  # fmt: skip
