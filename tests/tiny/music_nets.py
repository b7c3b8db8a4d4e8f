"""Tiny text-to-audio models with random weights, made in code: one of each kind that the family must run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.catalog import load_catalog
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import tiny_settings

KINDS = ("audioldm", "stable", "longcat", "ace", "turbo", "musicgen", "stereo")
ENTRY = """
id = "audio/{name}"
name = "{name}"
family = "text_to_audio"
summary = "Makes noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["rain"]
[weights]
path = "{name}"
"""
WORDS = ["<pad>", "</s>", "<unk>", "soft", "rain", "loud", "drums", "low", "quality", "bpm", "N/A", "4", "seconds"]


def music_engine(folder: Path, *kinds: str) -> LocalEngine:
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
        lines = [f"{key} = {value!r}" for key, value in catalog.family(spec.id).describe(spec).items()]
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name) + "\n".join(["[facts]", *lines]))
    return LocalEngine(settings)


def ask(kind: str, prompt: str = "soft rain", seed: int = 0, **params: Any) -> Request:
    """Return a short request."""
    quick = {"seconds": 0.5} if kind in ("musicgen", "stereo") else {"seconds": 0.5, "num_inference_steps": 3}
    return Request(model=f"audio/{kind}", inputs={"prompt": prompt}, params={**quick, **params}, seed=seed)


def _tokenizer(length: int = 16) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=length,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _reader() -> Any:
    """Return a T5 tokenizer: AudioLDM 2 asks for the class."""
    from transformers import T5Tokenizer

    return T5Tokenizer(vocab=[(f"▁{word}" if at > 2 else word, -float(at)) for at, word in enumerate(WORDS)],
                       extra_ids=0, model_max_length=16)  # fmt: skip


def _listener() -> Any:
    """Return a RoBERTa tokenizer that knows letters."""
    from tokenizers import pre_tokenizers
    from transformers import RobertaTokenizer

    letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return RobertaTokenizer(vocab={one: at for at, one in enumerate(letters)}, merges=[], model_max_length=16)


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(
        vocab_size=len(WORDS), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, pad_token_id=0, eos_token_id=1,
    ))  # fmt: skip


def _oobleck(ratios: tuple[int, int] = (4, 8)) -> Any:
    from diffusers import AutoencoderOobleck

    return AutoencoderOobleck(
        encoder_hidden_size=8, downsampling_ratios=list(ratios), channel_multiples=[1, 2], decoder_channels=8,
        decoder_input_channels=4, audio_channels=2, sampling_rate=8000,
    )  # fmt: skip


def _louder(net: Any, factor: float) -> None:
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.data.mul_(factor)


def _audioldm(folder: Path) -> None:
    from diffusers import (
        AudioLDM2Pipeline,
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
        AutoencoderKL,
        DDIMScheduler,
    )
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        GPT2Config,
        GPT2LMHeadModel,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    unet = AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=32, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), attention_head_dim=8,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=([None, 16, 32], [None, 16, 32]),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8), in_channels=1, out_channels=1, norm_num_groups=8, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    words = {"vocab_size": 300, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2, "max_position_embeddings": 32, "projection_dim": 16,
             "pad_token_id": 1}  # fmt: skip
    heard = {"spec_size": 64, "window_size": 4, "num_mel_bins": 64, "patch_size": 4, "depths": [2, 2],
             "num_attention_heads": [2, 2], "hidden_size": 192, "projection_dim": 16, "patch_embeds_hidden_size": 96,
             "patch_stride": [4, 4], "aff_block_r": 2}  # fmt: skip
    clap = ClapModel(ClapConfig(text_config=words, audio_config=heard, projection_dim=16))
    gpt = GPT2LMHeadModel(GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_ctx=64, n_positions=64, n_layer=1, n_head=2, pad_token_id=0,
        max_new_tokens=4,
    ))  # fmt: skip
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(
        model_in_dim=8, sampling_rate=8000, upsample_initial_channel=16, upsample_rates=[4, 10],
        upsample_kernel_sizes=[8, 20], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        normalize_before=False,
    ))  # fmt: skip
    _louder(vocoder, 4)  # as made, they whisper below what 16 bits hold
    _louder(vae.decoder, 4)
    AudioLDM2Pipeline(
        vae=vae, text_encoder=clap, text_encoder_2=_t5(), language_model=gpt, unet=unet, vocoder=vocoder,
        projection_model=AudioLDM2ProjectionModel(16, 32, 16), tokenizer=_listener(), tokenizer_2=_reader(),
        feature_extractor=ClapFeatureExtractor(sampling_rate=8000),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
    ).save_pretrained(folder)  # fmt: skip


def _stable(folder: Path) -> None:
    from diffusers import (
        CosineDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )

    transformer = StableAudioDiTModel(
        sample_size=256, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        num_key_value_attention_heads=2, out_channels=4, cross_attention_dim=16, time_proj_dim=8,
        global_states_input_dim=32, cross_attention_input_dim=16,
    )  # fmt: skip
    StableAudioPipeline(
        vae=_oobleck(), text_encoder=_t5(), tokenizer=_tokenizer(), transformer=transformer,
        projection_model=StableAudioProjectionModel(32, 16, 0.0, 60.0),
        scheduler=CosineDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    ).save_pretrained(folder)  # fmt: skip


def _longcat(folder: Path) -> None:
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        LongCatAudioDiTPipeline,
        LongCatAudioDiTTransformer,
        LongCatAudioDiTVae,
    )
    from transformers import UMT5Config, UMT5EncoderModel

    text = UMT5EncoderModel(UMT5Config(
        vocab_size=len(WORDS), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, pad_token_id=0, eos_token_id=1,
    ))  # fmt: skip
    vae = LongCatAudioDiTVae(
        in_channels=1, channels=16, c_mults=[1, 2], strides=[4, 8], latent_dim=8, encoder_latent_dim=16,
        downsampling_ratio=32, sample_rate=8000,
    )  # fmt: skip
    transformer = LongCatAudioDiTTransformer(dit_dim=64, dit_depth=1, dit_heads=4, dit_text_dim=32, latent_dim=8)
    for weight in transformer.parameters():  # its last layers start at zero: every step would do nothing
        weight.data.add_(0.1 * torch.randn_like(weight))
    LongCatAudioDiTPipeline(
        vae=vae, text_encoder=text, tokenizer=_tokenizer(), transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, invert_sigmas=True),
    ).save_pretrained(folder)  # fmt: skip


def _ace(folder: Path, turbo: bool = False) -> None:
    from diffusers import AceStepPipeline, AceStepTransformer1DModel, FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
    from transformers import Qwen3Config, Qwen3Model

    size = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 8}  # fmt: skip
    text = Qwen3Model(Qwen3Config(vocab_size=len(WORDS), num_hidden_layers=1, max_position_embeddings=4096, **size))
    condition = AceStepConditionEncoder(
        text_hidden_dim=32, timbre_hidden_dim=4, num_lyric_encoder_hidden_layers=1, num_timbre_encoder_hidden_layers=1,
        sliding_window=16, **size,
    )  # fmt: skip
    transformer = AceStepTransformer1DModel(
        num_hidden_layers=2, in_channels=12, audio_acoustic_hidden_dim=4, patch_size=2, sliding_window=16,
        is_turbo=turbo, **size,
    )  # fmt: skip
    # frames of 160 samples: it always listens to half a minute of silence, with attention over all pairs of frames
    AceStepPipeline(
        vae=_oobleck((8, 20)), text_encoder=text, tokenizer=_tokenizer(256), transformer=transformer,
        condition_encoder=condition, scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    ).save_pretrained(folder)  # fmt: skip


def _turbo(folder: Path) -> None:
    _ace(folder, turbo=True)


def _musicgen(folder: Path, channels: int = 1) -> None:
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        EncodecModel,
        MusicgenDecoderConfig,
        MusicgenForCausalLM,
        MusicgenForConditionalGeneration,
        MusicgenProcessor,
    )

    codec = EncodecModel(EncodecConfig(
        sampling_rate=8000, audio_channels=1, hidden_size=16, num_filters=4, num_residual_layers=1,
        upsampling_ratios=[8, 10], codebook_size=32, codebook_dim=16, target_bandwidths=[2.0], num_lstm_layers=1,
        use_causal_conv=False, normalize=False,
    ))  # fmt: skip
    decoder = MusicgenForCausalLM(MusicgenDecoderConfig(
        vocab_size=32, max_position_embeddings=512, num_hidden_layers=1, ffn_dim=32, num_attention_heads=4,
        hidden_size=32, num_codebooks=4 * channels, audio_channels=channels, pad_token_id=32, bos_token_id=32,
    ))  # fmt: skip
    for layer in codec.quantizer.layers:  # as made, all codes mean nothing
        layer.codebook.embed.normal_()
    _louder(decoder, 8)  # as made, it hardly looks at the words
    model = MusicgenForConditionalGeneration(text_encoder=_t5(), audio_encoder=codec, decoder=decoder)
    model.generation_config.decoder_start_token_id = 32
    model.generation_config.pad_token_id = 32
    model.generation_config.bos_token_id = 32
    model.save_pretrained(folder)
    MusicgenProcessor(EncodecFeatureExtractor(sampling_rate=8000), _tokenizer()).save_pretrained(folder)


def _stereo(folder: Path) -> None:
    _musicgen(folder, channels=2)


MAKERS = {"audioldm": _audioldm, "stable": _stable, "longcat": _longcat, "ace": _ace, "turbo": _turbo,
          "musicgen": _musicgen, "stereo": _stereo}  # fmt: skip
