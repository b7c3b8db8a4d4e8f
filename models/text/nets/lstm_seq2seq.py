"""A recurrent encoder-decoder with attention as transformers has them: config, weights, `generate()` with its beams.

What translated before Transformers did. Encoder: a bidirectional LSTM (Hochreiter & Schmidhuber 1997, Schuster &
Paliwal 1997). Decoder: an LSTM that begins with the encoder's last state (Sutskever et al. 2014) and looks back at the
encoded text at each token by global attention of the “general” form, put behind the LSTM (Luong et al. 2015, without
input feeding, so that a whole text is one call when its tokens are known). One table of vectors serves both languages
and the output (Press & Wolf 2017). The cache of `generate()` is the decoder's state.

Importing this module registers config and model with the Auto classes.
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

from transformers import AutoConfig, AutoModelForSeq2SeqLM, GenerationMixin, PreTrainedConfig, PreTrainedModel  # noqa: E402
from transformers.utils import ModelOutput  # noqa: E402

State = tuple[torch.Tensor, torch.Tensor]  # hidden and cell, layers × batch × hidden_size each


class LSTMSeq2SeqConfig(PreTrainedConfig):  # type: ignore[misc, unused-ignore]
    """Hold the sizes of an `LSTMForSeq2SeqLM`.

    `hidden_size` is the decoder's width; each of the encoder's two directions has half of it. `decoder_layers` is at
    most `encoder_layers`. `max_position_embeddings` is how long its training texts were.
    """

    model_type = "playground_lstm_seq2seq"
    attribute_map = {"num_hidden_layers": "decoder_layers"}
    vocab_size: int = 4096
    embedding_size: int = 192
    hidden_size: int = 336
    encoder_layers: int = 2
    decoder_layers: int = 1
    dropout: float = 0.0
    max_position_embeddings: int = 128
    tie_word_embeddings: bool = True
    is_encoder_decoder: bool = True
    use_cache: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class LSTMEncoded(ModelOutput):
    """Hold the encoded text, batch × tokens × hidden_size, and each row's last state, batch × layers × hidden_size."""

    last_hidden_state: torch.Tensor | None = None
    hidden: torch.Tensor | None = None
    cell: torch.Tensor | None = None


@dataclass
class LSTMDecoded(ModelOutput):
    """Hold what the output layer reads (batch × tokens × embedding_size); the rest as `LSTMSeq2SeqOutput` does."""

    last_hidden_state: torch.Tensor | None = None
    state: State | None = None
    cross_attentions: tuple[torch.Tensor, ...] | None = None
    encoder_last_hidden_state: torch.Tensor | None = None


@dataclass
class LSTMSeq2SeqOutput(ModelOutput):
    """Hold logits (batch × tokens × vocabulary), the loss if labels were given, and the state after the last token.

    `cross_attentions` is one tensor, batch × 1 head × written tokens × source tokens; each row sums to 1.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    state: State | None = None
    cross_attentions: tuple[torch.Tensor, ...] | None = None
    encoder_last_hidden_state: torch.Tensor | None = None


class LSTMEncoder(nn.Module):
    """Read a whole text, in both directions."""

    def __init__(self, config: LSTMSeq2SeqConfig) -> None:
        super().__init__()
        self._dropout, self._kept = config.dropout, config.decoder_layers
        self.embed_tokens = nn.Embedding(config.vocab_size, config.embedding_size)
        self.lstm = nn.LSTM(
            config.embedding_size, config.hidden_size // 2, config.encoder_layers, batch_first=True,
            bidirectional=True, dropout=config.dropout if config.encoder_layers > 1 else 0.0,
        )  # fmt: skip

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> Any:
        """Read token ids (int64, batch × tokens); `attention_mask` is 0 behind the end of rows. See `LSTMEncoded`."""
        x = F.dropout(self.embed_tokens(input_ids), self._dropout, self.training)  # batch × tokens × embedding
        if attention_mask is None or bool(attention_mask.all()):
            out, state = self.lstm(x)
        else:  # each row at its own length: the direction from its end begins at its last token
            lengths = attention_mask.sum(1).cpu()
            out, state = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            out = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0]
        return LSTMEncoded(out, *(self._joined(one) for one in state))

    def _joined(self, state: torch.Tensor) -> torch.Tensor:
        """Return the last layers' states (2 · layers × batch × half) with both directions side by side."""
        pairs = state.unflatten(0, (-1, 2))[-self._kept :]  # layers × directions × batch × half
        return pairs.permute(2, 0, 1, 3).flatten(2)


class LSTMDecoder(nn.Module):
    """Write one token after the other, with a view of the encoded text."""

    def __init__(self, config: LSTMSeq2SeqConfig) -> None:
        super().__init__()
        self._dropout = config.dropout
        self.embed_tokens = nn.Embedding(config.vocab_size, config.embedding_size)
        self.lstm = nn.LSTM(
            config.embedding_size, config.hidden_size, config.decoder_layers, batch_first=True,
            dropout=config.dropout if config.decoder_layers > 1 else 0.0,
        )  # fmt: skip
        self.query = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.combine = nn.Linear(2 * config.hidden_size, config.embedding_size, bias=False)

    def forward(
        self, input_ids: torch.Tensor, encoded: LSTMEncoded, attention_mask: torch.Tensor | None, state: State | None
    ) -> tuple[torch.Tensor, State, torch.Tensor]:
        """Read token ids from `state` on, else from the encoder's; return what the output layer reads, state, weights.

        `attention_mask` is the source's, batch × source tokens; the weights are those of the attention.
        """
        memory = encoded.last_hidden_state
        assert memory is not None and encoded.hidden is not None and encoded.cell is not None
        if state is None:
            state = (encoded.hidden.transpose(0, 1).contiguous(), encoded.cell.transpose(0, 1).contiguous())
        x = F.dropout(self.embed_tokens(input_ids), self._dropout, self.training)
        out, state = self.lstm(x, state)  # batch × tokens × hidden
        scores = self.query(out) @ memory.transpose(1, 2) * memory.shape[2] ** -0.5  # batch × tokens × source
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask[:, None] == 0, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        seen = torch.tanh(self.combine(torch.cat([weights @ memory, out], -1)))
        return F.dropout(seen, self._dropout, self.training), state, weights[:, None]


class LSTMSeq2Seq(nn.Module):
    """Join encoder and decoder; see `LSTMForSeq2SeqLM`."""

    def __init__(self, config: LSTMSeq2SeqConfig) -> None:
        super().__init__()
        self.shared = nn.Embedding(config.vocab_size, config.embedding_size)
        self.encoder = LSTMEncoder(config)
        self.decoder = LSTMDecoder(config)

    def forward(
        self, input_ids: torch.Tensor | None = None, attention_mask: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None, encoder_outputs: Any = None, state: State | None = None,
        use_cache: bool | None = None, output_attentions: bool | None = None, **kwargs: Any,
    ) -> LSTMDecoded:  # fmt: skip
        """Read the source, unless it is encoded, then what is written of the target; see `LSTMDecoded`."""
        encoded = self.encoder(input_ids, attention_mask) if encoder_outputs is None else encoder_outputs
        out, state, weights = self.decoder(decoder_input_ids, encoded, attention_mask, state)
        return LSTMDecoded(out, state if use_cache is not False else None, (weights,) if output_attentions else None,
                           encoded.last_hidden_state)  # fmt: skip


class LSTMForSeq2SeqLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc, unused-ignore]
    """Predict the next token of a text that is written from another one."""

    config_class = LSTMSeq2SeqConfig
    base_model_prefix = "model"
    _is_stateful = True
    _tied_weights_keys = {
        "lm_head.weight": "model.shared.weight",
        "model.encoder.embed_tokens.weight": "model.shared.weight",
        "model.decoder.embed_tokens.weight": "model.shared.weight",
    }

    def __init__(self, config: LSTMSeq2SeqConfig) -> None:
        super().__init__(config)
        self.model = LSTMSeq2Seq(config)
        self.lm_head = nn.Linear(config.embedding_size, config.vocab_size, bias=False)
        self.final_logits_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
        elif isinstance(module, nn.Linear) and module is not self.lm_head:
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, nn.LSTM):
            for name, weight in module.named_parameters():
                if "weight" in name:
                    nn.init.orthogonal_(weight)
                else:  # remember at first: the forget gate's bias is 1 (Jozefowicz et al. 2015)
                    nn.init.zeros_(weight)
                    if "bias_ih" in name:
                        nn.init.ones_(weight[len(weight) // 4 : len(weight) // 2])

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """Return the part that reads the source."""
        return self.model.encoder

    def get_decoder(self) -> nn.Module:
        """Return the part that writes."""
        return self.model.decoder

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token vectors."""
        return self.model.shared

    def get_output_embeddings(self) -> nn.Module:
        """Return the layer that turns vectors into logits."""
        return self.lm_head

    def forward(
        self, input_ids: torch.Tensor | None = None, attention_mask: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None, encoder_outputs: Any = None, state: State | None = None,
        labels: torch.Tensor | None = None, use_cache: bool | None = None, output_attentions: bool | None = None,
        **kwargs: Any,
    ) -> LSTMSeq2SeqOutput:  # fmt: skip
        """Read a source (int64, batch × tokens) and the target so far, from `state` on; see `LSTMSeq2SeqOutput`.

        `labels` are the target's tokens, -100 where none counts; without `decoder_input_ids` these are the labels
        moved by one, behind the first token that the config names.
        """
        if labels is not None and decoder_input_ids is None:
            first = torch.full_like(labels[:, :1], self.config.decoder_start_token_id)
            decoder_input_ids = torch.cat([first, labels[:, :-1]], 1)
            decoder_input_ids = decoder_input_ids.masked_fill(decoder_input_ids == -100, self.config.pad_token_id)
        found = self.model(input_ids, attention_mask, decoder_input_ids, encoder_outputs, state, use_cache,
                           output_attentions)  # fmt: skip
        logits = self.lm_head(found.last_hidden_state) + self.final_logits_bias
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        return LSTMSeq2SeqOutput(loss, logits, found.state, found.cross_attentions, found.encoder_last_hidden_state)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Say that `generate()` need not make a cache of keys and values: `state` is all that is carried on."""
        return False

    @staticmethod
    def _reorder_cache(state: State, beam_idx: torch.Tensor) -> State:
        """Return the state of the beams (int64) that go on."""
        hidden, cell = state
        return hidden.index_select(1, beam_idx), cell.index_select(1, beam_idx)

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, state: State | None = None, attention_mask: torch.Tensor | None = None,
        encoder_outputs: Any = None, use_cache: bool | None = None, output_attentions: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Return what one step of `generate()` gives to `forward`: the last token alone once there is a state."""
        return {"decoder_input_ids": input_ids if state is None else input_ids[:, -1:], "state": state,
                "attention_mask": attention_mask, "encoder_outputs": encoder_outputs, "use_cache": use_cache,
                "output_attentions": output_attentions}  # fmt: skip


AutoConfig.register(LSTMSeq2SeqConfig.model_type, LSTMSeq2SeqConfig, exist_ok=True)
AutoModelForSeq2SeqLM.register(LSTMSeq2SeqConfig, LSTMForSeq2SeqLM, exist_ok=True)
