"""Encoder-decoder models: a text read whole and another one written from it, such as its translation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf, limited
from models.text import parts, tasks
from models.text.task_settings import Seq2SeqParams
from models.types import Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

_CONTEXT = 512  # tokens, of models that name none: what T5 was trained on
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your text] --> B[tokens]
  B --> C[encoder: reads all of them at once]
  C --> D[decoder: writes token by token]
  D -->|what it wrote so far| D
  D --> E[candidates, by beam search]
  E --> F[the best one]
```

An [encoder-decoder Transformer](https://arxiv.org/abs/1706.03762) has two halves. The encoder reads the whole text,
each token with a view of all others. The decoder writes the answer one token at a time and looks back at the encoded
text in every layer (cross-attention). It was trained on pairs of texts: what goes in, and what should come out.

The likeliest token at each step does not make the likeliest text. Beam search follows several candidates at once and
keeps those whose probability so far is highest; the [length penalty](https://arxiv.org/abs/1609.08144) decides how
fairly short and long ones compete. A long text is done in parts, one after the other, and put together with its line
breaks and lists as they were: the model knows nothing of one part while it works on the next.
"""


class Seq2SeqLM(Family[Seq2SeqParams]):
    """Run any `AutoModelForSeq2SeqLM` on a text, in parts where it is long."""

    name: ClassVar[str] = "seq2seq_lm"
    title: ClassVar[str] = "Encoder-decoder model"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = Seq2SeqParams
    saves: ClassVar[tuple[str, ...]] = ("txt", "md")
    seed_shown_if: ClassVar[ShownIf] = {"do_sample": (True,)}
    reentrant: ClassVar[bool] = True
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Text", help="The text to work on. Line breaks and lists stay as they are."),
    )
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings, lengths within what the model's context holds."""
        most = spec.facts.get("context_length", _CONTEXT) - 1
        return tuple(
            limited(item, le=most) if item.name in ("max_new_tokens", "min_new_tokens") else item
            for item in super().fields(spec)
        )

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        folder = spec.folder()
        dtype: Any = torch.float32 if spec.weights_bytes() < (self.stored_above_bytes or 0) else "auto"
        model = AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length, vocabulary size, task and languages (read, written), as config.json tells them."""
        file = spec.folder() / "config.json"
        try:
            config = json.loads(file.read_text("utf-8"))
            context = config.get("max_position_embeddings") or config.get("n_positions") or _CONTEXT
            facts = {"context_length": int(context), "vocabulary_size": int(config["vocab_size"]),
                     "task": tasks.of(config, tasks.REWRITING)}  # fmt: skip
            if found := config.get("languages"):
                facts["languages"] = [str(one) for one in found]
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{spec.id}: {file.name} is missing or damaged. {restore()}") from error
        return facts

    def check_inputs(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> None:
        """Refuse an empty text; see `Family.check_inputs`."""
        if not plain_text.check_text(request.inputs["prompt"], "text").strip():
            raise BadInput("There is no text. Write or paste one, such as “The weather is nice today.”")
        if params.min_new_tokens > params.max_new_tokens:
            raise BadInput(
                f"The least length, {params.min_new_tokens} tokens, is above the length, {params.max_new_tokens}. "
                "Lower the one or raise the other."
            )

    def run_bytes(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> int:
        """Forecast from the candidates that are followed at once; see `Family.run_bytes`."""
        size, context = spec.facts.get("vocabulary_size", 0), spec.facts.get("context_length", _CONTEXT)
        return 32_000_000 + self.needed_bytes(spec) // 2 + params.num_beams * (12 * size + 4000 * context)

    def script(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> Script:
        """Return an encoder-decoder of transformers; see `Family.script`."""
        from models.text.scripts import tasks as scripts

        context = spec.facts.get("context_length", _CONTEXT)
        return scripts.seq2seq(spec, request, params, context, self.stored_above_bytes or 0)

    def generate(
        self, spec: ModelSpec, request: Request, params: Seq2SeqParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Write the text part by part, one output; see `Family.generate`."""
        import torch

        from models.seeds import seeded
        from models.text.sampling.rewriting import Rewriting

        work = Rewriting(loaded.parts, params, spec.facts.get("context_length", _CONTEXT), context.stopped)
        cut = parts.cut(request.inputs["prompt"], params.parts, work.fits)
        total, made, began = parts.count(cut), list[str](), time.monotonic()
        most = min(params.max_new_tokens, work.room)

        def run() -> None:
            with torch.inference_mode(), seeded(request.seed):
                for part in cut[:total]:
                    if work.watch.ending():
                        return
                    made.append(work.write(part.text))

        def so_far() -> str:
            return parts.joined(cut, [*made, *([work.watch.text] if len(made) < total else [])])

        yield Progress("prompt", 0, total, unit="parts")
        for _ in follow(run, work.watch):
            note = f"part {min(len(made) + 1, total):,} of {total:,}" if total > 1 else ""
            yield Progress("generate", work.watch.step, most, note=note, unit="tokens")
            yield Preview((Output("text", 0, so_far(), meta={"prompt_chars": 0}),))
        text = so_far() if work.watch.ended else parts.joined(cut, made)
        seconds = time.monotonic() - began
        stats: RunStats = {
            "tokens": work.tokens, "prompt_tokens": work.read, "stopped": work.watch.ended,
            "tokens_per_s": round(work.tokens / seconds, 2) if seconds > 0 else 0.0,
            "notes": work.notes(total),
        }  # fmt: skip
        meta = {"prompt_chars": 0, "tokens": work.tokens, "parts": total,
                "finish": "stopped" if work.watch.ended else "length" if work.cut_off else "eos"}  # fmt: skip
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)
