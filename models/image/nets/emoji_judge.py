"""A small classifier of pictures as transformers has them: a residual net with one score per name and one per style.

He et al. 2016, Deep Residual Learning for Image Recognition, section 3.3, with batch norm (Ioffe and Szegedy 2015).
Importing this module registers the model with the Auto classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from models.torchaudio_guard import guard

guard()

from transformers import AutoConfig, AutoModelForImageClassification, PreTrainedConfig, PreTrainedModel  # noqa: E402
from transformers.modeling_outputs import ImageClassifierOutput  # noqa: E402


class Residual(nn.Module):
    """Two 3 × 3 convolutions around which the input goes, halved in size where `stride` is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch × outputs × height / stride × width / stride."""
        inner = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return F.relu(inner + self.around(x))


class JudgeNet(nn.Module):
    """Map pictures (batch × 3 × 64 × 64, −1 … 1) to one score per name and one per style."""

    def __init__(self, names: int, styles: int = 0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, 2, 2)
        self.blocks = nn.Sequential(Residual(32, 64, 2), Residual(64, 128, 2), Residual(128, 192, 2))
        self.head = nn.Linear(192 * 4, names)
        self.style = nn.Linear(192 * 4, styles) if styles else None

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what both heads read, batch × 768."""
        found = self.blocks(F.relu(self.stem(x)))  # batch × 192 × 4 × 4
        return F.adaptive_avg_pool2d(found, 2).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the names' scores, batch × names."""
        return self.head(self.features(x))  # type: ignore[no-any-return]


class EmojiJudgeConfig(PreTrainedConfig):  # type: ignore[misc, unused-ignore]
    """Hold the names in the order of their scores (`id2label`) and the styles in theirs; no style: no such head."""

    model_type = "playground_emoji_judge"
    styles: list[str] | None = None


class EmojiJudge(PreTrainedModel):  # type: ignore[misc, unused-ignore]
    """Predict logits over the names that `config.id2label` lists."""

    config_class = EmojiJudgeConfig
    base_model_prefix = "net"
    main_input_name = "pixel_values"

    def __init__(self, config: EmojiJudgeConfig) -> None:
        super().__init__(config)
        self.net = JudgeNet(config.num_labels, len(config.styles or ()))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep PyTorch's initial values."""

    def forward(self, pixel_values: torch.Tensor, **kwargs: Any) -> ImageClassifierOutput:
        """Return logits (batch × names) for pictures (float, batch × 3 × 64 × 64, −1 … 1)."""
        return ImageClassifierOutput(logits=self.net(pixel_values))

    def style_logits(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return logits (batch × styles) over `config.styles`, of which there must be some."""
        assert self.net.style is not None
        return self.net.style(self.net.features(pixel_values))  # type: ignore[no-any-return]


AutoConfig.register(EmojiJudgeConfig.model_type, EmojiJudgeConfig, exist_ok=True)
AutoModelForImageClassification.register(EmojiJudgeConfig, EmojiJudge, exist_ok=True)
