"""Causal language models: text that goes on from a prompt, by transformers' `generate()`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from models import amounts, device, plain_text
from models.errors import BadInput, PlaygroundError, WeightsError, restore
from models.events import Event, Final
from models.family import Context, Cost, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf, above
from models.presets import Preset
from models.text import conversations, looks, marks, vocabulary
from models.text.presets import WRITERS
from models.text.prompts import encode, prompt_too_long, read_forced, read_messages
from models.text.settings import CausalLMParams, check_words
from models.types import Output, Request
from models.watching import follow

if TYPE_CHECKING:
    from models.blobs import Blobs
    from models.scripts import Script
    from models.spec import ModelSpec

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
    task: ClassVar[str] = "text generation"
    reentrant: ClassVar[bool] = True
    presets: ClassVar[tuple[Preset, ...]] = WRITERS
    together_most: ClassVar[int] = 8
    modality: ClassVar[Modality] = "text"
    called: ClassVar[str] = "write chat talk llm"
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
    tools: ClassVar[dict[str, str]] = {name: name for name in ("count_tokens", "microscope", "tokens", "tipping")}
    costs: ClassVar[dict[str, str]] = dict.fromkeys(tools, "tool_cost")
    length_tool: ClassVar[str] = "count_tokens"
    architectures: ClassVar[frozenset[str]] = frozenset({
        "BloomForCausalLM", "FalconForCausalLM", "GPT2LMHeadModel", "GPTNeoForCausalLM", "GPTNeoXForCausalLM",
        "Gemma2ForCausalLM", "Gemma3ForCausalLM", "GemmaForCausalLM", "GraniteForCausalLM", "LlamaForCausalLM",
        "MistralForCausalLM", "OPTForCausalLM", "Olmo2ForCausalLM", "Phi3ForCausalLM", "PhiForCausalLM",
        "Qwen2ForCausalLM", "Qwen3ForCausalLM", "SmolLM3ForCausalLM", "StableLmForCausalLM", "Starcoder2ForCausalLM",
    })  # fmt: skip
    gguf: ClassVar[frozenset[str]] = frozenset({
        "gemma2", "gemma3", "gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3", "stablelm", "starcoder2",
    })  # fmt: skip
    studies: ClassVar[dict[str, str]] = {**dict.fromkeys(looks.STUDIES, "study"), looks.SCORES: "study_scores"}
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def dtype(self, spec: ModelSpec) -> str:
        """Return bfloat16 for large weights where the processor has it; see `Family.dtype`."""
        return device.dtype_for(spec.weights_bytes())

    def needed_bytes(self, spec: ModelSpec) -> int:
        """Forecast what loading adds: half precision kept as such, or cast to float32; see `Family.needed_bytes`."""
        return spec.weights_bytes() * (2 if self.dtype(spec) == "float32" else 1)

    def run_bytes(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> int:
        """Forecast from the logits that are kept, as recorded, packed and sent; see `Family.run_bytes`.

        Measured with story-gpt: 6 MB by default, 32 MB with four variants, 57 MB for four of 500 tokens. A study works
        on a private copy of the weights; eight runs at once pack theirs again (`models.tokens.lean`): an eighth each.
        """
        size, context = spec.facts.get("vocabulary_size", 0), spec.facts.get("context_length", 0)
        kept = min(64_000_000, 2 * params.num_variants * min(params.max_new_tokens, context) * size)
        # a study computes in float32 whatever the model does
        copy = 2 * spec.weights_bytes() + 4 * context * size if request.study else 0
        return 16_000_000 + 3 * kept + self.needed_bytes(spec) // 8 + copy

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        import models.tokens.lstm  # noqa: F401 - registers the LSTM with the Auto classes

        folder, base = spec.folder(), spec.base_folder()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            base or folder, dtype=getattr(torch, self.dtype(spec)), trust_remote_code=False, use_safetensors=True
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
        return {**facts, **marks.read(spec)}

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

    def script(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> Script:
        """Return transformers' `generate()` with the request's settings; see `Family.script`."""
        from models.text.scripts import causal_lm

        return causal_lm.script(spec, request, params)

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
        from models.text.sampling.answer import Answer

        answer = Answer(spec, request, params, loaded.parts, context)
        drawn: list[list[int]] = []
        yield answer.begun()

        def run() -> None:
            # inference mode spares each of the many small operations its bookkeeping for gradients
            with torch.inference_mode(), seeded(request.seed):
                drawn.extend(answer.writing.write())

        for _ in follow(run, answer.watch):
            yield answer.progress()
            yield answer.preview()
        yield answer.final(drawn, time.monotonic())

    def together(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> str:
        """Let texts of one model be written at once, each by itself; see `Family.together`.

        Not those that read the model twice per token, several tokens per step, or a cache that is kept.
        """
        several = params.samples and params.num_variants > 1
        more = params.guidance_scale != 1 or params.prompt_lookup_num_tokens or params.reuse_cache
        return "" if request.study or several or more else spec.id

    def generate_together(
        self, spec: ModelSpec, requests: Sequence[Request], params: Sequence[CausalLMParams], loaded: Loaded,
        context: Context, stamps: Sequence[dict[str, Any]],
    ) -> Iterator[tuple[int, Event | PlaygroundError]]:  # fmt: skip
        """Write texts at once, a row of the model for each; see `Family.generate_together`."""
        from models.text.sampling.together import write

        contexts = [replace(context, stamp=stamp) for stamp in stamps]
        yield from write(self, spec, requests, params, loaded, contexts)

    def microscope(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Score a finished text under other settings; see `models.text.looking.microscope.look`."""
        from models.text.looking.microscope import look

        return look(data, blobs, _tokenizer_of(spec))

    def tipping(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Tell at which values of a setting a finished text changes; see `models.text.looking.tipping.tip`."""
        from models.text.looking.tipping import tip

        return tip(data, blobs, _tokenizer_of(spec), self.fields(spec), spec.facts["vocabulary_size"])

    def tool_cost(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> Cost:
        """Forecast a tool from the length of its text, or of the logits that were kept; measured on one core."""
        if "ref" not in data:
            count = len(str(data.get("text", ""))) + len(str(data.get("messages", "")))
            return Cost(1e-6 * count, 200 * count, f"{count:,} characters")
        file = blobs.path(str(data["ref"]))
        size = file.stat().st_size if file.exists() else 0
        looks = 1.0
        if "setting" in data:
            from models.text.looking.tipping import forecast

            looks = forecast(data, self.fields(spec))
        return Cost(4e-8 * size * looks, 20 * size, f"a text whose logits take {amounts.size(size)}")

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

    def study_scores(
        self, spec: ModelSpec, request: Request, params: CausalLMParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Write a text again for its logits alone: the same request gives the same ones."""
        for event in self.generate(spec, request, params, loaded, context):
            if event.kind == "final":
                yield Final(tuple(one for one in event.outputs if one.kind == "view"), event.stats)
            elif event.kind == "progress":
                yield event


def has_template(folder: Path) -> bool:
    """Say whether a model's tokenizer has a chat template."""
    if (folder / "chat_template.jinja").exists():
        return True
    file = folder / "tokenizer_config.json"
    return file.exists() and "chat_template" in json.loads(file.read_text("utf-8"))


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
