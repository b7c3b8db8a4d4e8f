"""Say what a picture shows in words: one encoder of pictures and two decoders of words, an LSTM and a Transformer.

Encoder: the residual net of `models.image.nets.emoji_judge`, ending in a grid of features, each with a vector of its
place. Both decoders attend over that grid at each word. The LSTM is that of Xu et al. 2015, Show, Attend and Tell
(section 3.1.2, soft attention of section 4.2): its last state asks the grid, what it gets goes into the next step. The
Transformer (Vaswani et al. 2017, section 3.1, norms before each part) attends to the words so far and to the grid in
each layer. Each has its own table of vectors, which is its output layer, too (Press & Wolf 2017).

`generate(pixel_values=…, writer="lstm")` writes with one of them. Nothing is carried from step to step: a name has a
few words, which are read again in less time than a cache takes. Importing this module registers the model with the Auto
classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from models.image.nets.emoji_judge import Residual  # first: it mends torchaudio

from transformers import AutoConfig, AutoModelForImageTextToText, GenerationMixin, PreTrainedConfig, PreTrainedModel  # isort: skip
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import ModelOutput

WRITERS = ("lstm", "transformer")


class CaptionerConfig(PreTrainedConfig):  # type: ignore[misc, unused-ignore]
    """Hold the sizes of a `Captioner`.

    `channels` are those of the stem and of the blocks, all but the last of which halve the picture; `grid` is the side
    of what comes out. `separator_token_id` stands between a name and its style, one of `styles`.
    """

    model_type = "playground_captioner"
    vocab_size: int = 1400
    image_size: int = 64
    channels: list[int] | None = None
    grid: int = 8
    hidden_size: int = 128
    lstm_size: int = 160
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    feed_forward_size: int = 256
    max_position_embeddings: int = 16
    dropout: float = 0.0
    writers: list[str] | None = None
    styles: list[str] | None = None
    separator_token_id: int | None = None
    is_encoder_decoder: bool = True
    use_cache: bool = False
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class CaptionerOutput(ModelOutput):
    """Hold logits (batch × words × vocabulary), the loss if labels were given, and what was attended to.

    `cross_attentions`: one tensor per layer, batch × heads × words × places of the grid, rows first; each sums to 1.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    cross_attentions: tuple[torch.Tensor, ...] | None = None
    encoder_last_hidden_state: torch.Tensor | None = None


class PictureEncoder(nn.Module):
    """Map pictures (batch × 3 × side × side, −1 … 1) to a grid of features, batch × places × hidden_size."""

    main_input_name = "pixel_values"  # which `generate()` asks for

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        stem, *widths = config.channels or [32, 64, 128, 144]
        pairs = list(zip([stem, *widths], widths, strict=False))
        self.stem = nn.Conv2d(3, stem, 5, 2, 2)
        self.blocks = nn.Sequential(*(Residual(*pair, 2) for pair in pairs[:-1]), Residual(*pairs[-1], 1))
        self.project = nn.Linear(widths[-1], config.hidden_size)
        self.embed_places = nn.Parameter(torch.zeros(config.grid**2, config.hidden_size))

    def forward(self, pixel_values: torch.Tensor, **kwargs: Any) -> BaseModelOutput:
        """Return the grid's features, row by row."""
        found = self.blocks(F.relu(self.stem(pixel_values)))  # batch × channels × grid × grid
        places = self.project(found.flatten(2).transpose(1, 2)) + self.embed_places
        return BaseModelOutput(places)


class LSTMWriter(nn.Module):
    """Write word by word with a recurrent state that looks at the picture before each step."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.lstm_size
        self._dropout = config.dropout
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.begin = nn.Linear(width, 2 * inner)  # the first state, from the mean of the grid
        self.key, self.query = nn.Linear(width, width), nn.Linear(inner, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.cell = nn.LSTMCell(2 * width, inner)
        self.combine = nn.Linear(inner + 2 * width, width)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, tokens: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return logits and attention of ids (int64, batch × words) over places (batch × places × hidden_size)."""
        words = F.dropout(self.embed_tokens(tokens), self._dropout, self.training)  # batch × words × hidden
        hidden, cell = torch.tanh(self.begin(places.mean(1))).chunk(2, 1)
        keys = self.key(places)
        seen, weights = [], []
        for word in words.unbind(1):
            asked = torch.tanh(keys + self.query(hidden)[:, None])
            weight = self.score(asked)[..., 0].softmax(-1)  # batch × places
            view = (weight[:, None] @ places)[:, 0]
            hidden, cell = self.cell(torch.cat([word, view], 1), (hidden, cell))
            seen.append(torch.cat([hidden, view, word], 1))
            weights.append(weight)
        out = torch.tanh(self.combine(torch.stack(seen, 1)))
        out = F.dropout(out, self._dropout, self.training)
        return F.linear(out, self.embed_tokens.weight, self.bias), (torch.stack(weights, 1)[:, None],)


class TransformerLayer(nn.Module):
    """Attend to the words so far, then to the picture, then think at each word alone."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        width, heads = config.hidden_size, config.num_attention_heads
        self._dropout = config.dropout
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.words = nn.MultiheadAttention(width, heads, batch_first=True)
        self.picture = nn.MultiheadAttention(width, heads, batch_first=True)
        self.wide, self.narrow = nn.Linear(width, config.feed_forward_size), nn.Linear(config.feed_forward_size, width)

    def forward(self, x: torch.Tensor, places: torch.Tensor, later: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the words (batch × words × hidden_size) and the attention over places; `later` hides what follows."""
        one = self.norms[0](x)
        x = x + self._drop(self.words(one, one, one, attn_mask=later, need_weights=False)[0])
        view, weights = self.picture(self.norms[1](x), places, places, average_attn_weights=False)
        x = x + self._drop(view)
        return x + self._drop(self.narrow(F.silu(self.wide(self.norms[2](x))))), weights

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self._dropout, self.training)


class TransformerWriter(nn.Module):
    """Write word by word, each with a view of all words before it and of the picture."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self._dropout = config.dropout
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.embed_order = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, tokens: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return logits and attention of ids (int64, batch × words) over places (batch × places × hidden_size)."""
        count = tokens.shape[1]
        x = self.embed_tokens(tokens) + self.embed_order.weight[:count]
        x = F.dropout(x, self._dropout, self.training)
        later = torch.ones(count, count, dtype=torch.bool, device=x.device).triu(1)
        weights = []
        for layer in self.layers:
            x, weight = layer(x, places, later)
            weights.append(weight)
        return F.linear(self.norm(x), self.embed_tokens.weight, self.bias), tuple(weights)


class Captioner(PreTrainedModel, GenerationMixin):  # type: ignore[misc, unused-ignore]
    """Predict the next word of what a picture shows, by either of its decoders."""

    config_class = CaptionerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__(config)
        self.encoder = PictureEncoder(config)
        self.lstm = LSTMWriter(config)
        self.transformer = TransformerWriter(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
        elif isinstance(module, nn.LSTMCell):
            for name, weight in module.named_parameters():
                if "weight" in name:
                    nn.init.orthogonal_(weight)
                else:  # remember at first: the forget gate's bias is 1 (Jozefowicz et al. 2015)
                    nn.init.zeros_(weight)
                    if name == "bias_ih":
                        nn.init.ones_(weight[len(weight) // 4 : len(weight) // 2])

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """Return the part that reads the picture."""
        return self.encoder

    def forward(
        self, pixel_values: torch.Tensor | None = None, decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: Any = None, writer: str = WRITERS[-1], labels: torch.Tensor | None = None,
        output_attentions: bool | None = None, **kwargs: Any,
    ) -> CaptionerOutput:  # fmt: skip
        """Read pictures, unless they are encoded, and the words so far (int64, batch × words); see `CaptionerOutput`.

        `labels` are the words, -100 where none counts; without `decoder_input_ids` these are the labels moved by one,
        behind the first token that the config names.
        """
        if labels is not None and decoder_input_ids is None:
            first = torch.full_like(labels[:, :1], self.config.decoder_start_token_id)
            decoder_input_ids = torch.cat([first, labels[:, :-1]], 1)
            decoder_input_ids = decoder_input_ids.masked_fill(decoder_input_ids == -100, self.config.pad_token_id)
        encoded = self.encoder(pixel_values) if encoder_outputs is None else encoder_outputs
        places = encoded.last_hidden_state
        logits, weights = getattr(self, writer)(decoder_input_ids, places)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        return CaptionerOutput(loss, logits, weights if output_attentions else None, places)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Say that `generate()` need not make a cache: the words so far are read again at each step."""
        return False

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, encoder_outputs: Any = None, writer: str = WRITERS[-1],
        output_attentions: bool | None = None, **kwargs: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Return what one step of `generate()` gives to `forward`."""
        return {"decoder_input_ids": input_ids, "encoder_outputs": encoder_outputs, "writer": writer,
                "output_attentions": output_attentions}  # fmt: skip


AutoConfig.register(CaptionerConfig.model_type, CaptionerConfig, exist_ok=True)
AutoModelForImageTextToText.register(CaptionerConfig, Captioner, exist_ok=True)
