"""Write captions of an image by `generate()`, each with its probability and with what each word attended to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.modeling_outputs import BaseModelOutput

from models.seeds import seeded
from models.watching import Interrupted

if TYPE_CHECKING:
    from models.image.caption_settings import CaptionParams

# what the model's own generation_config.json says: how captions begin and end, and what is never written
_KEPT = (
    "decoder_start_token_id",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
)


class StopBetween(StoppingCriteria):
    """Raise `Interrupted` between two words once Stop was pressed; say of no caption that it is done."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Take the captions so far (rows × words)."""
        if self._stopped():
            raise Interrupted
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class Captioning:
    """Write captions of one image (float, 1 × 3 × side × side). `words` counts those written, commas and ends left out.

    `cut_off` counts captions that the model's context ended. `grid` is the side of what is attended to.
    """

    def __init__(
        self, model: Any, tokenizer: Any, image: torch.Tensor, params: CaptionParams, stopped: Callable[[], bool]
    ) -> None:
        self._model, self._tokenizer, self._params = model, tokenizer, params
        self._places = model.encoder(image).last_hidden_state  # 1 × places × hidden
        self._stop = StopBetween(stopped)
        self.grid = int(model.config.grid)
        self.words = self.cut_off = 0
        own = model.generation_config
        self._ends = [own.eos_token_id, *([] if params.with_style else [model.config.separator_token_id])]
        self._marks = {own.eos_token_id, model.config.separator_token_id}
        kept = {name: getattr(own, name) for name in _KEPT}
        drawn = {"temperature": params.temperature, "top_p": params.top_p, "top_k": params.top_k or 0}
        beams = {"length_penalty": params.length_penalty}
        one = not params.do_sample and params.num_beams == 1
        self._config = GenerationConfig(
            **{**kept, "eos_token_id": self._ends}, do_sample=params.do_sample,
            num_beams=1 if params.do_sample else params.num_beams, **(drawn if params.do_sample else {}),
            **({} if params.do_sample or one else beams),
            num_return_sequences=params.captions if params.do_sample else min(params.captions, params.num_beams),
            max_new_tokens=int(model.config.max_position_embeddings) - 1, use_cache=False,
        )  # fmt: skip

    def write(self, writer: str, seed: int) -> list[dict[str, Any]]:
        """Return the captions of a decoder, the likeliest first, as plain JSON; equal ones are one, with its `count`.

        Each has its `text`, its `probability` under no settings at all, its `words` with theirs, and for each word the
        `attention` over the grid, row by row (mean of all layers and heads). Raises `Interrupted` after Stop.
        """
        with seeded(seed):
            # `generate()` widens what it is handed for its beams
            rows = self._model.generate(
                encoder_outputs=BaseModelOutput(self._places), writer=writer, generation_config=self._config,
                stopping_criteria=StoppingCriteriaList([self._stop]),
            )  # captions × (first token + words)  # fmt: skip
        counts: dict[tuple[int, ...], int] = {}
        for row in rows[:, 1:].tolist():
            written = tuple(self._ended(row))
            counts[written] = counts.get(written, 0) + 1
            self.words += sum(one not in self._marks for one in written)
            self.cut_off += written[-1] not in self._ends
        found = [{**self._told(writer, written), "count": count} for written, count in counts.items()]
        return sorted(found, key=lambda one: -one["probability"]) if self._params.do_sample else found

    def _told(self, writer: str, written: Sequence[int]) -> dict[str, Any]:
        """Return what there is to say of a caption (its ids, the end's among them)."""
        first = self._model.config.decoder_start_token_id
        given = torch.tensor([[first, *written[:-1]]], device=self._places.device)
        seen = self._model(
            encoder_outputs=BaseModelOutput(self._places), decoder_input_ids=given, writer=writer,
            output_attentions=True,
        )  # fmt: skip
        logs = seen.logits[0].float().log_softmax(-1)[torch.arange(len(written)), torch.tensor(written)]  # words
        layers = torch.stack([one[0].mean(0) for one in seen.cross_attentions])  # layers × words × places
        kept = list(written[:-1] if written[-1] in self._ends else written)
        words = [self._tokenizer.decode([one]).strip() for one in kept]
        return {
            "text": " ".join(words).replace(" ,", ","),
            "probability": round(float(logs.sum().exp()), 4),
            "words": [[word, round(p, 4)] for word, p in zip(words, logs.exp().tolist(), strict=False)],
            "attention": [[round(value, 4) for value in row] for row in layers.mean(0)[: len(kept)].tolist()],
        }

    def _ended(self, row: Sequence[int]) -> list[int]:
        """Return the tokens up to the end's, without the padding behind it."""
        end = next((at for at, token in enumerate(row) if token in self._ends), len(row) - 1)
        return list(row[: end + 1])
