"""Tiny text-to-image pipelines with random weights, made in code: one of each shape that the family must run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.catalog import load_catalog
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request
from tests.tiny import tiny_settings

KINDS = ("sd", "sdxl", "lcm", "sd3", "flux")
ENTRY = """
id = "image/{name}"
name = "{name}"
family = "text_to_image"
summary = "Draws noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["a cat"]
[weights]
path = "{name}"
[params.width]
default = 32
le = 64
[params.height]
default = 32
le = 64
[facts]
"""


def make_tokenizer() -> Any:
    """Return a CLIP tokenizer that knows letters and two words."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>"]
    vocabulary = {word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *words])}
    return CLIPTokenizer(vocab=vocabulary, merges=[("c", "a"), ("ca", "t</w>")], model_max_length=16)


def make_text_encoder(tokenizer: Any, projected: bool = False) -> Any:
    """Return a random CLIP text encoder, with its projection for SDXL and SD3."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=16, projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def make_vae(channels: int = 4, shifted: bool = False) -> Any:
    """Return a random autoencoder, f = 4."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=channels, layers_per_block=1,
        use_quant_conv=not shifted, use_post_quant_conv=not shifted, scaling_factor=1.5 if shifted else 0.18215,
        shift_factor=0.06 if shifted else None,
    ).eval()  # fmt: skip


def make_unet(kind: str) -> Any:
    """Return a random U-Net with cross-attention."""
    from diffusers import UNet2DConditionModel

    more: dict[str, Any] = {"cross_attention_dim": 32}
    if kind == "sdxl":
        more = {"cross_attention_dim": 64, "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
                "projection_class_embeddings_input_dim": 80}  # fmt: skip
    if kind == "lcm":
        more["time_cond_proj_dim"] = 32
    return UNet2DConditionModel(
        block_out_channels=(16, 32), layers_per_block=1, sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4, norm_num_groups=8, **more,
    ).eval()  # fmt: skip


def make_t5(tokenizer: Any) -> Any:
    """Return a random T5 encoder for the same vocabulary."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_ff=37, d_kv=8, num_layers=2, num_heads=4,
                      pad_token_id=1, eos_token_id=1)  # fmt: skip
    return T5EncoderModel(config).eval()


def make_pipeline(kind: str) -> Any:
    """Return a pipeline of `kind` with weights that depend on nothing but torch's seed 1."""
    import torch

    torch.manual_seed(1)
    import diffusers

    tokenizer = make_tokenizer()
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    if kind in ("sd", "lcm"):
        cls = diffusers.StableDiffusionPipeline if kind == "sd" else diffusers.LatentConsistencyModelPipeline
        name = diffusers.DDIMScheduler if kind == "sd" else diffusers.LCMScheduler
        return cls(
            vae=make_vae(), text_encoder=make_text_encoder(tokenizer), tokenizer=tokenizer, unet=make_unet(kind),
            scheduler=name(**schedule, clip_sample=False), safety_checker=None, feature_extractor=None,
            requires_safety_checker=False,
        )  # fmt: skip
    if kind == "sdxl":
        return diffusers.StableDiffusionXLPipeline(
            vae=make_vae(), text_encoder=make_text_encoder(tokenizer), tokenizer=tokenizer, unet=make_unet(kind),
            text_encoder_2=make_text_encoder(tokenizer, True), tokenizer_2=make_tokenizer(),
            scheduler=diffusers.EulerDiscreteScheduler(**schedule), add_watermarker=False,
        )  # fmt: skip
    flow = diffusers.FlowMatchEulerDiscreteScheduler()
    if kind == "sd3":
        transformer = diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4,
            joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=64, out_channels=16,
        )  # fmt: skip
        return diffusers.StableDiffusion3Pipeline(
            transformer=transformer.eval(), scheduler=flow, vae=make_vae(16, shifted=True),
            text_encoder=make_text_encoder(tokenizer, True), tokenizer=tokenizer,
            text_encoder_2=make_text_encoder(tokenizer, True), tokenizer_2=make_tokenizer(),
            text_encoder_3=make_t5(tokenizer), tokenizer_3=make_tokenizer(),
        )  # fmt: skip
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return diffusers.FluxPipeline(
        transformer=transformer.eval(), scheduler=flow, vae=make_vae(shifted=True),
        text_encoder=make_text_encoder(tokenizer), tokenizer=tokenizer, text_encoder_2=make_t5(tokenizer),
        tokenizer_2=make_tokenizer(),
    )  # fmt: skip


def write_pipeline(folder: Path, kind: str) -> None:
    """Write a pipeline, its catalogue entry and the facts that the family finds in it."""
    import tomlkit

    pipeline = make_pipeline(kind)
    pipeline.save_pretrained(folder / kind)
    file = folder / f"{kind}.toml"
    file.write_text(ENTRY.format(name=kind))
    catalog = load_catalog(tiny_settings(folder))
    document = tomlkit.parse(file.read_text())
    document["facts"] = catalog.family(f"image/{kind}").describe(catalog[f"image/{kind}"])
    file.write_text(tomlkit.dumps(document))


def pipelines_engine(folder: Path) -> LocalEngine:
    """Write one pipeline of each kind and return an engine that has them alone."""
    settings: Settings = tiny_settings(folder)
    import_libraries(settings)
    for kind in KINDS:
        write_pipeline(folder, kind)
    return LocalEngine(settings)


def draw(kind: str, prompt: str = "a cat", seed: int = 0, study: str = "", **params: Any) -> Request:
    """Return a request of four steps; `image`, `mask`, `prompt_to` and `steps` among the params are inputs."""
    inputs = {name: params.pop(name) for name in ("image", "mask", "prompt_to", "steps") if name in params}
    params = {"num_inference_steps": 4, **params}
    return Request(model=f"image/{kind}", inputs={"prompt": prompt, **inputs}, params=params, seed=seed, study=study)
