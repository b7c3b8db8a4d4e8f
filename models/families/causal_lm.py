"""Causal language models: text that goes on from a prompt, by transformers' `generate()`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models import media
from models.errors import BadInput, PromptTooLong, WeightsError
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, Loaded, Modality
from models.params import Params, hint, in_effect
from models.types import Output, Request

if TYPE_CHECKING:
    from models.blobs import Blobs
    from models.catalog import ModelSpec

_SAMPLING = {"do_sample": [True]}
_STOP_MAX_CHARS = 100
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your prompt] --> B[tokens]
  B --> C[Transformer layers]
  C --> D[odds of every next token]
  D --> E[settings cut and reshape the odds]
  E --> F[one token is drawn]
  F -->|put at the end| B
```

The prompt is cut into tokens, pieces of words. A stack of [Transformer](https://arxiv.org/abs/1706.03762) layers lets
each token look back at the ones before it and ends in odds for every token that could come next. One is drawn, put at
the end, and the same happens again: a language model writes one piece at a time and never looks ahead.

The settings act between the odds and the draw. Temperature makes the odds steeper or flatter;
[top-k](https://arxiv.org/abs/1805.04833), [top-p](https://arxiv.org/abs/1904.09751),
[min-p](https://arxiv.org/abs/2407.01082) and [typical-p](https://arxiv.org/abs/2202.00666) each strike out tokens by a
rule of their own; the [repetition penalty](https://arxiv.org/abs/1909.05858) lowers what was said before. The seed
fixes the draws, so that the same request gives the same text. This model learnt from
[TinyStories](https://arxiv.org/abs/2305.07759): a net this small can hold a simple story, and little else.
"""


class CausalLMParams(Params):
    """Declare the settings of `generate()` that every causal model honours.

    top-k: Fan et al. 2018; top-p: Holtzman et al. 2020; min-p: Nguyen et al. 2024; typical-p: Meister et al. 2023;
    repetition penalty: Keskar et al. 2019 (CTRL).
    """

    max_new_tokens: int = Field(
        160, ge=1, le=4096, description="The most tokens it may add; a story that ends by itself is shorter.",
        json_schema_extra=hint(label="Length", group="Length", unit="tokens"),
    )  # fmt: skip
    do_sample: bool = Field(
        True, description="On: draw each token by chance. Off: always take the likeliest one (greedy), so that every "
        "run gives the same, often repetitive text.",
        json_schema_extra=hint(label="Sample", group="Chance", live=True),
    )  # fmt: skip
    temperature: float = Field(
        0.8, ge=0.05, le=2.0, description="Low keeps to the likeliest words, calm and repetitive; high lets rare "
        "words in, lively and soon confused.",
        json_schema_extra=hint(step=0.05, group="Chance", shown_if=_SAMPLING),
    )  # fmt: skip
    top_p: float = Field(
        0.95, ge=0.05, le=1.0, description="Draws only from the likeliest tokens that together hold this share of "
        "the odds; lower cuts off more rare words. 1 cuts nothing.",
        json_schema_extra=hint(label="Top-p", step=0.01, group="Chance", shown_if=_SAMPLING),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest tokens; small numbers keep the text on "
        "well-trodden paths.",
        json_schema_extra=hint(label="Top-k", group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    min_p: float | None = Field(
        None, ge=0.01, le=1.0, description="Drops tokens less likely than this share of the likeliest one; unlike "
        "top-p it cuts harder where the model is sure.",
        json_schema_extra=hint(label="Min-p", step=0.01, group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    typical_p: float | None = Field(
        None, ge=0.05, le=0.99, description="Keeps tokens about as surprising as the model expects, so that it drops "
        "the too obvious ones as well as the too rare.",
        json_schema_extra=hint(label="Typical-p", step=0.01, group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    repetition_penalty: float = Field(
        1.0, ge=1.0, le=2.0, description="Makes words that were already used less likely; too much and names change "
        "in the middle of a story. 1 does nothing.",
        json_schema_extra=hint(step=0.05, group="Repetition"),
    )  # fmt: skip
    no_repeat_ngram_size: int | None = Field(
        None, ge=2, le=10, description="Forbids any run of this many tokens to come twice; small numbers forbid even "
        "names.",
        json_schema_extra=hint(label="No repeated run of", group="Repetition", advanced=True, unit="tokens"),
    )  # fmt: skip
    num_variants: int = Field(
        1, ge=1, le=4, description="Writes this many continuations of the same prompt side by side.",
        json_schema_extra=hint(label="Variants", group="Output", shown_if=_SAMPLING),
    )  # fmt: skip
    stop: list[str] = Field(
        default_factory=list, max_length=4, description="Ends the text where one of these appears; the stop text "
        "itself is left out.",
        json_schema_extra=hint(label="Stop at", group="Output", advanced=True),
    )  # fmt: skip
    cut_prompt: bool = Field(
        False, description="Lets a prompt that is too long for the model lose its beginning, instead of being refused.",
        json_schema_extra=hint(label="Cut a long prompt", group="Length"),
    )  # fmt: skip


class CausalLM(Family):
    """Run any `AutoModelForCausalLM` on a prompt. Weights are cast to float32 at load."""

    name: ClassVar[str] = "causal_lm"
    title: ClassVar[str] = "Causal language model"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = CausalLMParams
    seed_shown_if: ClassVar[dict[str, tuple[Any, ...]]] = {"do_sample": (True,)}
    tools: ClassVar[dict[str, str]] = {"count_tokens": "count_tokens"}
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        import models.nets.lstm  # noqa: F401 - registers the LSTM with the Auto classes

        folder, base = spec.folder(), spec.base_folder()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            base or folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
        )
        if base is not None:  # the base's own copy in the registry stays as it is
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder).merge_and_unload()
        # our requests say everything: nothing may come from the model's own file
        model.generation_config = GenerationConfig()
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length and vocabulary size, read from config.json."""
        file = (spec.base_folder() or spec.folder()) / "config.json"
        try:
            config = json.loads(file.read_text("utf-8"))
            context = config.get("max_position_embeddings") or config["n_positions"]
            facts = {"context_length": context, "vocabulary_size": config["vocab_size"]}
            return {**facts, "chat": True} if has_template(spec.folder()) else facts
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WeightsError(f"{spec.id}: {file.name} is missing or damaged. Restore it.") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: Any) -> None:
        """Refuse an empty prompt and stop texts that could end every text at once; see `Family.check_inputs`."""
        prompt = media.check_text(request.inputs["prompt"])
        if not prompt.strip():
            raise BadInput("The prompt is empty. Write the beginning of a text, such as “Once upon a time”.")
        for stop in params.stop:
            media.check_text(stop, "stop text")
            if not stop or len(stop) > _STOP_MAX_CHARS:
                raise BadInput(
                    f"A stop text has {len(stop)} characters; 1 to {_STOP_MAX_CHARS} are allowed. Change or remove it."
                )

    def count_tokens(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs | None = None) -> dict[str, Any]:
        """Count a text's tokens, the start token included: `{"text"}` → `{"tokens", "context_length", "problem"}`.

        `problem` is the sentence for a text that leaves no room, else "".
        """
        file = spec.folder() / "tokenizer.json"
        tokenizer = _tokenizer_file(file, file.stat().st_mtime_ns if file.exists() else 0)
        tokens = len(tokenizer.encode(media.check_text(data["text"])).ids)
        context_length = int(spec.facts["context_length"])  # type: ignore[arg-type]
        fits = tokens < context_length
        return {
            "tokens": tokens, "context_length": context_length,
            "problem": "" if fits else prompt_too_long(spec.id, tokens, context_length).message,
        }  # fmt: skip

    def generate(
        self, spec: ModelSpec, request: Request, params: Any, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Stream the prompt and what the model adds, one output per variant; see `Family.generate`."""
        import torch

        from models.sampling.streaming import Watch, follow
        from models.sampling.transcript import Transcript
        from models.seeds import seeded

        model, tokenizer = loaded.parts["model"], loaded.parts["tokenizer"]
        prompt = request.inputs["prompt"]
        ids, room, notes = self._fit(spec, tokenizer, prompt, params)
        rows = params.num_variants if params.do_sample else 1
        total = min(params.max_new_tokens, room)
        texts = [
            Transcript(lambda some: tokenizer.decode(some, skip_special_tokens=True), ids, params.stop)
            for _ in range(rows)
        ]
        end_ids = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
        watch = Watch(texts, end_ids, context.stopped)
        yield Progress("prompt", 0, len(ids))

        def run() -> None:
            # inference mode spares each of the many small operations its bookkeeping for gradients
            with torch.inference_mode(), seeded(request.seed):
                _generate(model, tokenizer, ids, rows, total, params, watch)

        for _ in follow(run, watch):
            yield Progress("generate", watch.step, total)
            yield Preview(tuple(_output(prompt, text, index) for index, text in enumerate(texts)))
        # tokens/s tells of writing, not of reading the prompt
        seconds = time.monotonic() - watch.first_at
        watch.end("length")
        notes += _notes(params)
        tokens = sum(text.tokens for text in texts)
        stats = {
            "tokens": tokens,
            "prompt_tokens": len(ids),
            "tokens_per_s": round((tokens - rows) / seconds, 2) if seconds > 0 and tokens > rows else 0.0,
            "stopped": any(text.finish == "stopped" for text in texts),
            "in_effect": _in_effect(self, spec, params, request.seed),
            "notes": notes,
        }
        outputs = [
            media.text_output(prompt + text.text, context.stamp, index, _meta(prompt, text))
            for index, text in enumerate(texts)
        ]
        yield Final(tuple(outputs), stats)

    def _fit(self, spec: ModelSpec, tokenizer: Any, prompt: str, params: Any) -> tuple[list[int], int, list[str]]:
        """Return the prompt's ids, how many tokens fit after it, and what to tell the reader."""
        limit = int(spec.facts["context_length"])  # type: ignore[arg-type]
        # a special token's name in a prompt is text like any other
        ids: list[int] = tokenizer(prompt, split_special_tokens=True)["input_ids"]
        notes = []
        if len(ids) >= limit:
            if not params.cut_prompt:
                raise prompt_too_long(spec.id, len(ids), limit)
            start = [ids[0]] if tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id else []
            keep = max(1, limit - len(start) - min(params.max_new_tokens, limit // 2))
            notes.append(f"The prompt had {len(ids):,} tokens; its last {keep:,} were read.")
            ids = start + ids[-keep:]
        room = limit - len(ids)
        if room < params.max_new_tokens:
            notes.append(f"Length was at most {room:,} tokens: the model holds {limit:,} with the prompt.")
        return ids, room, notes


def has_template(folder: Path) -> bool:
    """Say whether a model's tokenizer has a chat template."""
    if (folder / "chat_template.jinja").exists():
        return True
    file = folder / "tokenizer_config.json"
    return file.exists() and "chat_template" in json.loads(file.read_text("utf-8"))


def prompt_too_long(model: str, tokens: int, context_length: int) -> PromptTooLong:
    """Return the error for a prompt that leaves no room, in the words of page, CLI and API alike."""
    return PromptTooLong(
        f"The prompt has {tokens:,} tokens; {model} holds {context_length:,} with what it writes, so at most "
        f"{context_length - 1:,} are allowed. Shorten it, or switch on “Cut a long prompt” to drop its beginning.",
        tokens=tokens, limit=context_length - 1,
    )  # fmt: skip


def _generate(model: Any, tokenizer: Any, ids: list[int], rows: int, total: int, params: Any, watch: Any) -> None:
    from transformers import GenerationConfig, StoppingCriteriaList

    from models.sampling.streaming import left_pad

    input_ids, mask = left_pad([ids] * rows, tokenizer.pad_token_id or 0)  # rows × tokens
    sampling = {}
    if params.do_sample:
        sampling = {
            "temperature": params.temperature, "top_k": params.top_k or 0, "top_p": params.top_p,
            "min_p": params.min_p, "typical_p": params.typical_p or 1.0,
        }  # fmt: skip
    config = GenerationConfig(
        max_new_tokens=total, do_sample=params.do_sample, repetition_penalty=params.repetition_penalty,
        no_repeat_ngram_size=params.no_repeat_ngram_size or 0, num_beams=1, use_cache=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        **sampling,
    )  # fmt: skip
    model.generate(
        input_ids, attention_mask=mask, generation_config=config, stopping_criteria=StoppingCriteriaList([watch])
    )


def _output(prompt: str, text: Any, index: int) -> Output:
    return Output("text", index, prompt + text.text, meta=_meta(prompt, text))


def _meta(prompt: str, text: Any) -> dict[str, Any]:
    return {"prompt_chars": len(prompt), "tokens": text.tokens, "finish": text.finish}


def _in_effect(family: CausalLM, spec: ModelSpec, params: Any, seed: int) -> dict[str, Any]:
    values = {**params.model_dump(mode="json"), "seed": seed}
    neutral = {"top_p": 1.0, "repetition_penalty": 1.0, "num_variants": 1}
    acting = in_effect(family.fields(spec), values)
    return {
        name: values[name]
        for name in acting
        if values[name] is not None
        and (values[name] is not False or name == "do_sample")
        and values[name] != []
        and not (name in neutral and values[name] == neutral[name])
    }


def _notes(params: Any) -> list[str]:
    if not params.do_sample:
        return ["Greedy: always the likeliest token, so no seed and no sampling setting acts."]
    if params.top_k == 1:
        return ["Top-k 1 leaves one token to draw from: this is greedy, whatever the other settings."]
    return []


@lru_cache(maxsize=4)
def _tokenizer_file(file: Path, changed_ns: int) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True  # count as a run does: a special token's name is text
        tokenizer.no_truncation()
        return tokenizer
    except Exception as error:  # the library raises plain Exception
        raise WeightsError(f"{file.parent.name}: {file.name} is missing or damaged. Restore it.") from error
