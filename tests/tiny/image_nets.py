"""A tiny generator and a tiny variational autoencoder with random weights, made in code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import tiny_settings

WORDS = ["blue", "cat", "heart", "red"]
ENTRY = """
id = "image/{name}"
name = "{name}"
family = "{family}"
summary = "Draws noise."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["red heart"]
[weights]
path = "{name}"
"""


def nets_engine(folder: Path) -> LocalEngine:
    """Write `image/gan` and `image/vae` into `folder` and return an engine that has them alone."""
    settings = tiny_settings(folder)
    import_libraries(settings)
    import torch

    from models.image.nets.conv_vae import ConvVAE
    from models.image.nets.generator import GANGenerator

    torch.manual_seed(1)
    gan = GANGenerator(vocabulary=WORDS, noise_size=8, word_size=8, style_size=16, channels=(16, 16, 16, 8, 8))
    torch.nn.init.normal_(gan.pose.weight, std=0.1)
    vae = ConvVAE(vocabulary=WORDS, widths=(8, 8, 8, 8, 16), channels=4, axes=64, word_size=8, hidden=16)
    vae.spread.copy_(torch.linspace(2, 0.5, 64))
    vae.basis.copy_(torch.linalg.qr(torch.randn(64, 64))[0])
    for name, net in (("gan", gan), ("vae", vae)):
        net.save_pretrained(folder / name)
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name, family=name))
    return LocalEngine(settings)


def ask(model: str, prompt: str = "red heart", seed: int = 0, **params: Any) -> Request:
    """Return a request; `image`, `image_to` and `prompt_to` among the params are inputs."""
    inputs = {name: params.pop(name) for name in ("image", "image_to", "prompt_to") if name in params}
    return Request(model=f"image/{model}", inputs={"prompt": prompt, **inputs}, params=params, seed=seed)
