"""Causal language models: text that goes on from a prompt, by transformers' `generate()`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from models import amounts, plain_text
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, Cost, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf, above
from models.text import conversations, looks, vocabulary
from models.text.prompts import encode, encode_latest, prompt_too_long, read_forced, read_messages, read_negative
from models.text.settings import CausalLMParams, check_words, unescaped
from models.types import Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from models.blobs import Blobs
    from models.spec import ModelSpec
    from models.tokens.transcript import Transcript

LEARNT = ("text", "supervised", "preferred")
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your prompt] --> B[tokens]
  B --> C[layers of the network]
  C --> D[probabilities of every next token]
  D --> E[settings filter and reshape them]
  E --> F[one token is drawn]
  F -->|put at the end| B
```

The prompt is cut into tokens, pieces of words. A stack of [Transformer](https://arxiv.org/abs/1706.03762) layers lets
each token attend to the ones before it; a recurrent network carries a state of fixed size instead. Both end in a
probability for every token that could come next. One is drawn, put at the end, and the same happens again: a language
model writes one piece at a time and never looks ahead.

The settings come between these probabilities and the draw. Temperature makes them steeper or flatter;
[top-k](https://arxiv.org/abs/1805.04833), [top-p](https://arxiv.org/abs/1904.09751),
[min-p](https://arxiv.org/abs/2407.01082) and [typical-p](https://arxiv.org/abs/2202.00666) each remove unlikely tokens
by a rule of their own; the [repetition penalty](https://arxiv.org/abs/1909.05858) lowers tokens that already occurred.
The seed fixes the draws, so the same request gives the same text.
"""


class CausalLM(Family[CausalLMParams]):
    """Run any `AutoModelForCausalLM` on a prompt. Weights are cast to float32 at load."""

    name: ClassVar[str] = "causal_lm"
    saves: ClassVar[tuple[str, ...]] = ("txt", "md")
    title: ClassVar[str] = "Causal language model"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = CausalLMParams
    seed_shown_if: ClassVar[ShownIf] = {"do_sample": (True,), "temperature": above(0)}
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "prompt", help="The model continues this text. Markdown and HTML are shown as plain text.", lists=True
        ),
        InputField(
            "messages", "messages", False, "Earlier messages", "Earlier turns of the chat, as JSON.", inline=True
        ),
        InputField("forced", "tokens", False, "Forced beginning", "Token ids the answer must start with.", inline=True),
        InputField("view", "file", False, "Saved logits"),
    )
    tools: ClassVar[dict[str, str]] = {"count_tokens": "count_tokens", "microscope": "microscope", "tokens": "tokens"}
    costs: ClassVar[dict[str, str]] = dict.fromkeys(tools, "tool_cost")
    length_tool: ClassVar[str] = "count_tokens"
    studies: ClassVar[dict[str, str]] = dict.fromkeys(looks.STUDIES, "study")
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        import models.tokens.lstm  # noqa: F401 - registers the LSTM with the Auto classes

        folder, base = spec.folder(), spec.base_folder()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            base or folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
        )
        if base is not None:  # the base's own copy in the registry stays as it is
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder).merge_and_unload()
        # a request names every setting: none may come from the model's own generation_config.json
        model.generation_config = GenerationConfig()
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length, vocabulary size, what can be looked at inside (config.json), and `_marks`."""
        file = (spec.base_folder() or spec.folder()) / "config.json"
        try:
            config = json.loads(file.read_text("utf-8"))
            context = config.get("max_position_embeddings") or config["n_positions"]
            facts = {"context_length": context, "vocabulary_size": config["vocab_size"]}
            if found := looks.offered(config):
                facts["insides"] = found
            if has_template(spec.folder()):
                facts["chat"] = True
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WeightsError(f"{spec.id}: {file.name} is missing or damaged. {restore()}") from error
        return {**facts, **_marks(spec)}

    def check_inputs(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> None:
        """Refuse an empty prompt and stop sequences that could end every text at once; see `Family.check_inputs`."""
        prompt = plain_text.check_text(request.inputs["prompt"])
        if not prompt.strip():
            raise BadInput("The prompt is empty. Write the beginning of a text, such as “Once upon a time”.")
        read_forced(request.inputs.get("forced", ""), spec.facts.get("vocabulary_size", 0))
        if read_messages(request.inputs.get("messages", "")) is not None and not spec.facts.get("chat"):
            raise BadInput(f"{spec.id} has no chat template, so it takes no earlier messages. Give the prompt alone.")
        looks.check_study(spec, request)
        check_words(params)
        if params.json_schema:
            from models.text.sampling.schema import grammar  # no torch

            grammar(params.json_schema)

    def usual_inputs(self, spec: ModelSpec) -> Mapping[str, str]:
        """Begin a conversation where the model has a chat template; see `Family.usual_inputs`."""
        return {"messages": "[]"} if spec.facts.get("chat") else {}

    def warnings(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> list[str]:
        """Warn of a blank at the prompt's end; see `Family.warnings`."""
        last = request.inputs.get("prompt", "")[-1:]
        alone = not (request.inputs.get("messages") or request.inputs.get("forced"))
        if not alone or not last.isspace() or last in "\n\r":
            return []
        return ["The prompt ends with a blank. Words bring their own, so the next may come out odd: remove the blank."]

    def read_input(self, name: str, text: str) -> tuple[dict[str, str], str]:
        """Take any file of a conversation as the earlier turns; see `models.text.conversations.read_input`."""
        return conversations.read_input(text) if name == "messages" else super().read_input(name, text)

    def export(self, request: Request, outputs: Sequence[Output], suffix: str) -> bytes:
        """Write a chat as `.json` or, to read, as `.md`, the first answer at its end; see `Family.export`."""
        if suffix not in (".json", ".md"):
            raise BadInput(f"A conversation is saved as .json or .md, not as “{suffix}”. Choose a name that ends so.")
        talk = conversations.talk_of(request, next((one.text for one in outputs if one.kind == "text"), ""))
        write = conversations.to_json if suffix == ".json" else conversations.to_markdown
        return write(talk).encode()

    def count_tokens(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs | None = None) -> dict[str, Any]:
        """Count a text's tokens, the start token included: `{"text"}` → `{"tokens", "context_length", "problem"}`.

        With `"messages"`, JSON as of the input, the whole conversation is counted as the chat template writes it.
        `problem` is the sentence for a text that leaves no room, else "": there is none where `cut_prompt` is on in
        `"params"`.
        """
        text, chat = plain_text.check_text(data["text"]), read_messages(str(data.get("messages", "")))
        if chat is not None and spec.facts.get("chat"):
            tokens = len(encode(_chat_tokenizer(spec.folder()), text, chat))
        else:
            tokens = len(_tokenizer_of(spec).encode(text).ids)
        context_length = spec.facts["context_length"]
        fits = tokens < context_length or bool(data.get("params", {}).get("cut_prompt"))
        return {
            "tokens": tokens, "context_length": context_length,
            "problem": "" if fits else prompt_too_long(spec.id, tokens, context_length, chat is not None).message,
        }  # fmt: skip

    def generate(
        self, spec: ModelSpec, request: Request, params: CausalLMParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Stream the prompt and what the model adds, one output per variant; see `Family.generate`."""
        import torch

        from models.seeds import seeded
        from models.text.sampling.recording import kept_outputs
        from models.text.sampling.writing import Writing
        from models.tokens.transcript import Transcript

        tokenizer = loaded.parts["tokenizer"]
        size = spec.facts["vocabulary_size"]
        chat = read_messages(request.inputs.get("messages", ""))
        shown = "" if chat is not None else request.inputs["prompt"]  # what a text begins with; an answer stands alone
        forced = read_forced(request.inputs.get("forced", ""), size)
        ids, negative, room, notes = self._fit(spec, tokenizer, request.inputs["prompt"], chat, forced, params)
        total = min(params.max_new_tokens, room)
        writing = Writing(
            loaded.parts, params, request.seed, ids, forced, negative, total, size, asker=context.asker
        )  # fmt: skip
        stops = [unescaped(stop) for stop in params.stop]
        texts = [
            Transcript(lambda some: tokenizer.decode(some, skip_special_tokens=True), ids, stops)
            for _ in range(writing.rows)
        ]
        watch, recorder = writing.begin(texts, context.stopped)
        drawn: list[list[int]] = []
        yield Progress("prompt", 0, len(ids), unit="tokens")

        def run() -> None:
            # inference mode spares each of the many small operations its bookkeeping for gradients
            with torch.inference_mode(), seeded(request.seed):
                drawn.extend(writing.write())

        for _ in follow(run, watch):
            yield Progress("generate", watch.step, total, unit="tokens")
            yield Preview(tuple(_output(shown, text, index, chat is not None) for index, text in enumerate(texts)))
        # tokens/s tells of writing, not of reading the prompt
        seconds = time.monotonic() - watch.first_at
        watch.end("length")
        whole = [row[: text.tokens] for row, text in zip(drawn, texts, strict=True)]
        notes += [*_notes(params), *writing.said(texts, whole)]
        tokens = sum(text.tokens - len(forced) for text in texts)
        stats: RunStats = {
            "tokens": tokens,
            "prompt_tokens": len(ids),
            "tokens_per_s": round((tokens - len(texts)) / seconds, 2) if seconds > 0 and tokens > len(texts) else 0.0,
            "stopped": any(text.finish == "stopped" for text in texts),
            "unused": sorted(writing.unused | ({"negative_prompt"} if not negative else set())),
            "notes": notes,
        }
        if writing.reused:
            stats["prompt_tokens_reused"] = writing.reused
        outputs = [
            plain_text.text_output(_said(shown, text, chat is not None), context.stamp, index, _meta(shown, text))
            for index, text in enumerate(texts)
        ]
        kept = kept_outputs(recorder, ids, whole, len(forced), vocabulary.fingerprint(spec.folder()))
        yield Final((*outputs, *kept), stats)

    def microscope(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Score a finished text under other settings; see `models.text.looking.microscope.look`."""
        from models.text.looking.microscope import look

        return look(data, blobs, _tokenizer_of(spec))

    def tool_cost(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> Cost:
        """Forecast a tool from the length of its text, or of the logits that were kept; measured on one core."""
        if "ref" not in data:
            count = len(str(data.get("text", ""))) + len(str(data.get("messages", "")))
            return Cost(1e-6 * count, 200 * count, f"{count:,} characters")
        file = blobs.path(str(data["ref"]))
        size = file.stat().st_size if file.exists() else 0
        return Cost(4e-8 * size, 20 * size, f"a text whose logits take {amounts.size(size)}")

    def tokens(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Cut a text into tokens (`{"text"}`), or list those of a kept text (`{"ref"}`); see `models.text.vocabulary`.

        Of a kept text the answer names `prompt`, how many tokens are its prompt's, and `anew`, how many tokens the same
        text is cut into when it is read: a model may spell a word with other tokens than its tokenizer chooses.
        """
        from models.text.looking.microscope import open_kept

        tokenizer = _tokenizer_of(spec)
        if "ref" not in data:
            return vocabulary.cut(tokenizer, data["text"])
        kept = open_kept(str(data["ref"]), blobs)
        ids = [*kept.prompt.tolist(), *kept.ids.tolist()]
        answer = vocabulary.listed(tokenizer, ids)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        return {**answer, "prompt": len(kept.prompt), "anew": len(tokenizer.encode(text, add_special_tokens=False).ids)}

    def study(
        self, spec: ModelSpec, request: Request, params: CausalLMParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Look into a text that was kept (input `view`): one of `models.text.looks.STUDIES`."""
        from models.text.looking.attention import attention
        from models.text.looking.lens import lens
        from models.text.looking.recurrence import state
        from models.text.looking.rescoring import rescore

        looks = {"attention": attention, "lens": lens, "state": state, "rescore": rescore}
        yield from looks[request.study](spec, request, loaded, context)

    def _fit(
        self, spec: ModelSpec, tokenizer: Any, prompt: str, chat: list[dict[str, str]] | None, forced: list[int],
        params: CausalLMParams,
    ) -> tuple[list[int], list[int], int, list[str]]:  # fmt: skip
        """Return the ids of the prompt and of the negative one, how many tokens fit after them and the `forced` ones.

        Last come the notes: what to tell.
        """
        ids = encode(tokenizer, prompt, chat)
        whole = spec.facts["context_length"]
        limit = whole - len(forced)
        if limit < 2:
            raise BadInput(
                f"The forced beginning has {len(forced):,} tokens; {spec.id}'s context is {whole:,}. Shorten it."
            )
        notes, wanted = [], min(params.max_new_tokens, limit // 2)
        if chat and params.cut_prompt:
            ids, chat, dropped = encode_latest(tokenizer, prompt, chat, limit, wanted)
            if dropped:
                notes.append(f"The oldest {'turn was' if dropped == 1 else f'{dropped} turns were'} not read.")
        negative = read_negative(tokenizer, chat, params)
        if len(ids) >= limit:
            if not params.cut_prompt:
                raise prompt_too_long(spec.id, len(ids), whole, chat is not None, len(forced))
            start = [ids[0]] if tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id else []
            keep = max(1, limit - len(start) - wanted)
            notes.append(f"The prompt had {len(ids):,} tokens; its last {keep:,} were read.")
            ids = start + ids[-keep:]
        if len(negative) >= limit:
            raise BadInput(
                f"The negative prompt has {len(negative):,} tokens; at most {limit - 1:,} are allowed. Shorten it."
            )
        room = limit - max(len(ids), len(negative))
        if room < params.max_new_tokens:
            notes.append(f"Length was cut to {room:,} tokens: prompt and answer share a context of {whole:,}.")
        return ids, negative, room, notes


def has_template(folder: Path) -> bool:
    """Say whether a model's tokenizer has a chat template."""
    if (folder / "chat_template.jinja").exists():
        return True
    file = folder / "tokenizer_config.json"
    return file.exists() and "chat_template" in json.loads(file.read_text("utf-8"))


def _marks(spec: ModelSpec) -> dict[str, Any]:
    """Return what training wrote to marks.json beside the weights, {} where there is none. Raises `WeightsError`.

    `learnt` is "text" (the next word), "supervised" (answers shown) or "preferred" (answers preferred); `marks` are
    numbers by name: shares of held-out instructions (`passed`, …, of `instructions`), `bits_per_character`,
    `divergence` (KL from the supervised model in nats, 1.44 bits each, per token).
    """
    file = spec.folder() / "marks.json"
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
        marks = {str(name): value for name, value in found["marks"].items()}
        if found["learnt"] not in LEARNT or not all(type(value) in (int, float) for value in marks.values()):
            raise ValueError("not of this form")
        return {"learnt": found["learnt"], "marks": marks}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{spec.id}: marks.json is damaged. {restore()}") from error


def _output(shown: str, text: Any, index: int, chat: bool) -> Output:
    return Output("text", index, _said(shown, text, chat), meta=_meta(shown, text))


def _said(shown: str, text: Transcript, chat: bool) -> str:
    # the space before an answer's first word is the template's
    return text.text.lstrip() if chat else shown + text.text


def _meta(prompt: str, text: Any) -> dict[str, Any]:
    return {"prompt_chars": len(prompt), "tokens": text.tokens, "finish": text.finish}


def _notes(params: CausalLMParams) -> list[str]:
    if not params.do_sample:
        return ["Sampling is off (greedy decoding): seed and sampling settings have no effect."]
    if not params.samples:
        return ["Temperature 0 is greedy decoding: seed and the other sampling settings have no effect."]
    if params.top_k == 1:
        return ["Top-k 1 leaves one token to draw from: this is greedy, whatever the other settings."]
    return []


def _tokenizer_of(spec: ModelSpec) -> Any:
    file = spec.folder() / "tokenizer.json"
    return _tokenizer_file(file, file.stat().st_mtime_ns if file.exists() else 0)


@lru_cache(maxsize=4)
def _tokenizer_file(file: Path, changed_ns: int) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode_special_tokens = True  # count as a run does: a special token's name is text
        tokenizer.no_truncation()
        return tokenizer
    except Exception as error:  # the library raises plain Exception
        raise WeightsError(f"{file.parent.name}: {file.name} is missing or damaged. {restore()}") from error


@lru_cache(maxsize=2)
def _chat_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
