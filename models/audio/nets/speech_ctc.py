"""A small speech recogniser as transformers has them: log-mels, convolutions, a recurrent layer, CTC.

Connectionist temporal classification: Graves et al. 2006. Depthwise separable convolutions over time as in QuartzNet
(Kriman et al. 2020); gated recurrent units: Cho et al. 2014. Importing this module registers both classes with the Auto
classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.torchaudio_guard import guard

guard()

from transformers import AutoConfig, AutoModelForCTC, PreTrainedConfig, PreTrainedModel  # noqa: E402
from transformers.modeling_outputs import CausalLMOutput  # noqa: E402


class SpeechCTCConfig(PreTrainedConfig):  # type: ignore[misc, unused-ignore]
    """Hold the sizes of a `SpeechCTC`. `vocab_size` counts the blank, which is `pad_token_id`."""

    model_type = "playground_speech_ctc"
    vocab_size: int = 11
    sample_rate: int = 8000
    n_fft: int = 256
    hop_length: int = 80
    n_mels: int = 64
    hidden_size: int = 128
    num_blocks: int = 4
    dropout: float = 0.1
    pad_token_id: int | None = 0


class SpeechCTC(PreTrainedModel):  # type: ignore[misc, unused-ignore]
    """Predict logits over the labels and the blank for each frame of 2 × `hop_length` samples."""

    config_class = SpeechCTCConfig
    base_model_prefix = "speech"
    main_input_name = "input_values"

    def __init__(self, config: SpeechCTCConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.register_buffer("bank", torch.zeros(config.n_fft // 2 + 1, config.n_mels))  # frequencies × bands
        self.stem = nn.Conv1d(config.n_mels, width, 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(_Block(width, 9, config.dropout) for _ in range(config.num_blocks))
        self.gru = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(width, config.vocab_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Fill the bank of mel filters; all else keeps PyTorch's initial values."""
        from torchaudio.functional import melscale_fbanks

        own = self.config
        if module is self:
            self.bank.copy_(melscale_fbanks(
                own.n_fft // 2 + 1, 40.0, own.sample_rate / 2, own.n_mels, own.sample_rate, "slaney", "slaney"
            ))  # fmt: skip

    def features(self, sound: torch.Tensor) -> torch.Tensor:
        """Return log-mels, batch × bands × frames, each recording's own mean taken out, for sound (batch × samples)."""
        own = self.config
        window = torch.hann_window(own.n_fft, device=sound.device)
        spectrum = torch.stft(
            sound.float(), own.n_fft, own.hop_length, window=window, return_complex=True, pad_mode="constant"
        ).abs()  # batch × frequencies × frames
        mel = (self.bank.float().T @ spectrum).clamp(min=1e-5).log()
        return (mel - mel.mean((1, 2), keepdim=True)) / 2

    def frames_of(self, samples: torch.Tensor) -> torch.Tensor:
        """Return how many frames come of so many samples."""
        return (samples // self.config.hop_length + 1 + 1) // 2

    def forward(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None, output_hidden_states: bool = False, **kwargs: Any,
    ) -> CausalLMOutput:  # fmt: skip
        """Return logits (batch × frames × labels) for sound (float, batch × samples).

        `attention_mask` (batch × samples) blanks the end of shorter rows; `labels` (batch × longest, -100 beyond the
        end) give the CTC loss. `output_hidden_states` adds what the convolutions found (batch × frames × width).
        """
        x = self.stem(self.features(input_values))
        for block in self.blocks:
            x = block(x)
        x = found = x.transpose(1, 2)  # batch × frames × width
        count = x.shape[1]
        samples = attention_mask.sum(1) if attention_mask is not None else torch.full(
            (len(x),), input_values.shape[1], device=x.device)  # fmt: skip
        lengths = self.frames_of(samples).clamp(max=count)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        x = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=count)[0]
        logits = self.out(x)
        loss = None
        if labels is not None:
            targets = labels.clamp(min=0)
            loss = F.ctc_loss(
                logits.float().log_softmax(-1).transpose(0, 1), targets, lengths, (labels >= 0).sum(1),
                blank=self.config.pad_token_id or 0, zero_infinity=True,
            )  # fmt: skip
        return CausalLMOutput(loss=loss, logits=logits, hidden_states=(found,) if output_hidden_states else None)


class _Block(nn.Module):
    """Mix along time by channel, then across channels, beside the input as it was."""

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, size, padding=size // 2, groups=width)
        self.across = nn.Conv1d(width, 2 * width, 1)
        self.back = nn.Conv1d(2 * width, width, 1)
        self.norm = nn.GroupNorm(8, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch × width × frames."""
        out: torch.Tensor = x + self.drop(self.back(F.gelu(self.across(self.norm(self.along(x))))))
        return out


AutoConfig.register(SpeechCTCConfig.model_type, SpeechCTCConfig, exist_ok=True)
AutoModelForCTC.register(SpeechCTCConfig, SpeechCTC, exist_ok=True)
