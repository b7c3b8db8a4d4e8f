"""A recurrent language model as transformers has them: config, weights, `generate()`; its cache is its state.

Long short-term memory: Hochreiter & Schmidhuber 1997. As a language model with input and output embeddings tied:
Merity et al. 2018 (AWD-LSTM), Press & Wolf 2017. Importing this module registers both classes with the Auto classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.torchaudio_guard import guard

guard()

from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel  # noqa: E402
from transformers.utils import ModelOutput  # noqa: E402

State = tuple[torch.Tensor, torch.Tensor]  # hidden and cell, layers × batch × hidden_size each


class LSTMConfig(PreTrainedConfig):  # type: ignore[misc, unused-ignore]
    """Hold the sizes of an `LSTMForCausalLM`. `max_position_embeddings` is how long its training texts were."""

    model_type = "playground_lstm"
    vocab_size: int = 4096
    embedding_size: int = 256
    hidden_size: int = 512
    num_hidden_layers: int = 2
    dropout: float = 0.0
    max_position_embeddings: int = 512
    tie_word_embeddings: bool = True
    use_cache: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None


@dataclass
class LSTMOutput(ModelOutput):
    """Hold logits (batch × tokens × vocabulary), the loss if labels were given, and the state after the last token."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    state: State | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


class LSTMForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc, unused-ignore]
    """Predict the next token from a recurrent state."""

    config_class = LSTMConfig
    base_model_prefix = "lstm"
    _is_stateful = True
    _tied_weights_keys = {"lm_head.weight": "embed.weight"}

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.embedding_size)
        self.lstm = nn.LSTM(
            config.embedding_size, config.hidden_size, config.num_hidden_layers, batch_first=True,
            dropout=config.dropout if config.num_hidden_layers > 1 else 0.0,
        )  # fmt: skip
        self.down = nn.Linear(config.hidden_size, config.embedding_size)
        self.lm_head = nn.Linear(config.embedding_size, config.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
        elif isinstance(module, nn.LSTM):
            for name, weight in module.named_parameters():
                if "weight" in name:
                    nn.init.orthogonal_(weight)
                else:  # remember at first: the forget gate's bias is 1 (Jozefowicz et al. 2015)
                    nn.init.zeros_(weight)
                    if "bias_ih" in name:
                        nn.init.ones_(weight[len(weight) // 4 : len(weight) // 2])

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token vectors."""
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        """Return the layer that turns vectors into logits."""
        return self.lm_head

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, state: State | None = None,
        labels: torch.Tensor | None = None, use_cache: bool | None = None, output_hidden_states: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0, **kwargs: Any,
    ) -> LSTMOutput:  # fmt: skip
        """Read token ids (int64, batch × tokens) from `state` on; see `LSTMOutput`.

        `attention_mask` may blank the beginning of rows (left padding) where no state is given: those are not read.
        """
        x = self.embed(input_ids)  # batch × tokens × embedding
        blank = attention_mask is not None and state is None and not bool(attention_mask[:, : x.shape[1]].all())
        if blank:
            assert attention_mask is not None
            out, state = self._padded(x, attention_mask.sum(1))
        else:
            out, state = self.lstm(x, state)  # batch × tokens × hidden
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        down = self.down(F.dropout(out, self.config.dropout, self.training))
        logits = self.lm_head(down[:, keep])
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return LSTMOutput(
            loss, logits, state if use_cache is not False else None, (out,) if output_hidden_states else None
        )

    def _padded(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, State]:
        """Run rows that are blank at the left: moved to the left, run at their own length, and moved back."""
        tokens = x.shape[1]
        order = (torch.arange(tokens, device=x.device)[None] + (tokens - lengths)[:, None]) % tokens
        moved = x.gather(1, order[:, :, None].expand_as(x))
        packed = pack_padded_sequence(moved, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, state = self.lstm(packed)
        padded = pad_packed_sequence(out, batch_first=True, total_length=tokens)[0]
        back = (torch.arange(tokens, device=x.device)[None] + lengths[:, None]) % tokens
        return padded.gather(1, back[:, :, None].expand_as(padded)), state

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, state: State | None = None, attention_mask: torch.Tensor | None = None,
        use_cache: bool | None = None, **kwargs: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Return what one step of `generate()` gives to `forward`: the last token alone once there is a state."""
        if state is not None:
            return {"input_ids": input_ids[:, -1:], "state": state, "use_cache": use_cache}
        return {"input_ids": input_ids, "attention_mask": attention_mask, "use_cache": use_cache, "logits_to_keep": 1}


AutoConfig.register(LSTMConfig.model_type, LSTMConfig, exist_ok=True)
AutoModelForCausalLM.register(LSTMConfig, LSTMForCausalLM, exist_ok=True)
