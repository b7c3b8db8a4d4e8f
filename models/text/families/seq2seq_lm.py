"""Encoder-decoder models: a text read whole and another one written from it, such as its translation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf, limited
from models.text import languages, looks, parts, subtitles, tasks
from models.text.looks import ALIGNMENT
from models.text.task_settings import Seq2SeqParams
from models.types import Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

_TOKEN_CHARS = 3.5  # characters of a token, about
_CONTEXT = 512  # tokens, of models that name none: what T5 was trained on
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your text] --> B[tokens]
  B --> C[encoder: reads all of them at once]
  C -->|cross-attention: which of them matter now?| D[decoder: writes token by token]
  D -->|what it wrote so far| D
  D --> E[candidates, by beam search]
  E --> F[the best one]
```

An encoder-decoder has two halves. The encoder reads the whole text; in a
[Transformer](https://arxiv.org/abs/1706.03762) each token has a view of all others. The decoder writes the answer one
token at a time and looks back at the encoded text, a Transformer in every layer
([cross-attention](https://arxiv.org/abs/1409.0473), found by translators before Transformers). It was trained on pairs
of texts: what goes in, and what should come out.

The likeliest token at each step does not make the likeliest text. Beam search follows several candidates at once and
keeps those whose probability so far is highest; the [length penalty](https://arxiv.org/abs/1609.08144) decides how
fairly short and long ones compete. A long text is done in parts, one after the other, and put together with its line
breaks and lists as they were: the model knows nothing of one part while it works on the next.
"""


class Seq2SeqLM(Family[Seq2SeqParams]):
    """Run any `AutoModelForSeq2SeqLM` on a text, in parts where it is long."""

    name: ClassVar[str] = "seq2seq_lm"
    title: ClassVar[str] = "Encoder-decoder model"
    task: ClassVar[str] = "text to text"
    modality: ClassVar[Modality] = "text"
    called: ClassVar[str] = "translate translation rewrite"
    Params: ClassVar[type[Params]] = Seq2SeqParams
    saves: ClassVar[tuple[str, ...]] = ("txt", "md", subtitles.ENDING)
    studies: ClassVar[Mapping[str, str]] = {ALIGNMENT: "align"}
    seed_shown_if: ClassVar[ShownIf] = {"do_sample": (True,)}
    reentrant: ClassVar[bool] = True
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Text", help="The text to work on. Line breaks and lists stay as they are; of "
                                                "subtitles (.srt) numbers and times too."),
        InputField("pairs", "pairs", False, "Pairs to align", "A text's parts and what was made of them.", inline=True),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    architectures: ClassVar[frozenset[str]] = frozenset({
        "BartForConditionalGeneration", "MT5ForConditionalGeneration", "MarianMTModel",
        "PegasusForConditionalGeneration", "T5ForConditionalGeneration",
    })  # fmt: skip

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings, lengths within what the model's context holds; a translator reads by sentences."""
        most = spec.facts.get("context_length", _CONTEXT) - 1
        table = []
        for item in super().fields(spec):
            if item.name in ("max_new_tokens", "min_new_tokens"):
                item = limited(item, le=most)
            elif item.name == "parts" and spec.facts.get("task") == tasks.TRANSLATION and "parts" not in spec.params:
                item = replace(item, default="sentences")
            table.append(item)
        return tuple(table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        import models.text.nets.lstm_seq2seq  # noqa: F401 - registers the LSTM with the Auto classes

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
        if request.study:
            looks.check_pairs(request)
            return
        if not plain_text.check_text(request.inputs["prompt"], "text").strip():
            raise BadInput("There is no text. Write or paste one, such as “The weather is nice today.”")
        if params.min_new_tokens > params.max_new_tokens:
            raise BadInput(
                f"The least length, {params.min_new_tokens} tokens, is above the length, {params.max_new_tokens}. "
                "Lower the one or raise the other."
            )

    def warnings(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> list[str]:
        """Tell of a text in a script or language that a translator does not read; see `Family.warnings`."""
        text = request.inputs.get("prompt", "")
        return [*languages.warnings(text, spec.facts.get("languages", [])), *parts.overlong_notes(text)]

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return subtitles without a word of how they were made, which no player reads; else see `Family.save`."""
        if ending != subtitles.ENDING:
            return output.data
        if not subtitles.is_srt(output.text):
            raise BadInput("The text is not subtitles, so it cannot be saved as .srt. Save it as .txt.")
        return output.text.encode()

    def align(
        self, spec: ModelSpec, request: Request, params: Seq2SeqParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Look at which words of a text each written word attends to; see `models.text.looking.alignment`."""
        from models.text.looking import alignment

        yield from alignment.alignment(spec, request, params.prefix, loaded, context)

    def run_bytes(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> int:
        """Forecast from the candidates that are followed at once; see `Family.run_bytes`."""
        size, context = spec.facts.get("vocabulary_size", 0), spec.facts.get("context_length", _CONTEXT)
        return (
            32_000_000
            + self.needed_bytes(spec) // 2
            + params.num_beams * (12 * size + 4000 * context)
            + (
                16 * size * min(params.max_new_tokens, context)  # the pass that tells confidence, in float64
            )
        )

    def amount(self, spec: ModelSpec, request: Request, params: Seq2SeqParams) -> float | None:
        """Return about how many tokens are written: a text in another form is about as long. See `Family.amount`."""
        return max(1.0, len(request.inputs.get("prompt", "")) / _TOKEN_CHARS)

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
        cut = subtitles.cut(request.inputs["prompt"], params.parts, work.fits)
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

        # what beams, a glossary or marks may still change; all of it before is final
        revised = params.num_beams > 1 or bool(params.glossary) or any(part.marks for part in cut)
        yield Progress("prompt", 0, total, unit="parts")
        for _ in follow(run, work.watch):
            if total > 1:
                yield Progress("generate", len(made), total, unit="parts")
            else:
                yield Progress("generate", work.watch.step, most, unit="tokens")
            settled = {"settled": len(parts.joined(cut, made))} if revised else {}
            yield Preview((Output("text", 0, so_far(), meta={"prompt_chars": 0, **settled}),))
        text = so_far() if work.watch.ended else parts.joined(cut, made)
        pairs = [{"before": part.before, **told} for part, told in zip(cut, work.told, strict=False)]
        seconds = time.monotonic() - began
        stats: RunStats = {
            "tokens": work.tokens, "prompt_tokens": work.read, "stopped": work.watch.ended,
            "tokens_per_s": round(work.tokens / seconds, 2) if seconds > 0 else 0.0,
            "notes": work.notes(total),
        }  # fmt: skip
        meta = {"prompt_chars": 0, "tokens": work.tokens, "parts": total, "pairs": pairs, "after": _after(cut, pairs),
                "languages": spec.facts.get("languages", []),
                "finish": "stopped" if work.watch.ended else "length" if work.cut_off else "eos"}  # fmt: skip
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)


def _after(cut: Sequence[parts.Part], pairs: Sequence[Any]) -> str:
    """Return what stands behind a text's last part, "" where not all of them are told."""
    last = cut[-1] if cut else None
    return last.before if last is not None and not last.text and len(pairs) == len(cut) - 1 else ""
