"""The script that writes a causal language model's text again: transformers' `generate()` with the request's settings.

Where transformers' own stages suffice, they are settings of its `GenerationConfig`; else all stages are listed in
their order, ours by their carried source.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models import device
from models.errors import BadInput, PlaygroundError
from models.scripts import Part, Script, constants, weights
from models.stamps import file_name
from models.text.prompts import read_forced, read_messages
from models.text.sampling import stages
from models.text.scripts.nets import own_nets
from models.text.settings import unescaped

if TYPE_CHECKING:
    from models.spec import ModelSpec
    from models.text.settings import CausalLMParams
    from models.types import Request

_CLASSES = {
    "repetition_penalty": "RepetitionPenaltyLogitsProcessor", "no_repeat_ngram_size": "NoRepeatNGramLogitsProcessor",
    "temperature": "TemperatureLogitsWarper", "top_k": "TopKLogitsWarper", "top_p": "TopPLogitsWarper",
    "min_p": "MinPLogitsWarper", "typical_p": "TypicalLogitsWarper",
}  # fmt: skip
_ALWAYS = "AutoModelForCausalLM, AutoTokenizer, GenerationConfig"
_STAGES = "models.text.sampling"
_CARRIED = {
    "bias": f"{_STAGES}.penalties:bias", "frequency_penalty": f"{_STAGES}.penalties:frequency_penalty",
    "presence_penalty": f"{_STAGES}.penalties:presence_penalty",
    "dry_multiplier": f"{_STAGES}.penalties:dry_multiplier", "banned": f"{_STAGES}.penalties:banned",
    "json_schema": f"{_STAGES}.penalties:json_schema", "top_n_sigma": f"{_STAGES}.cuts:top_n_sigma",
    "dynatemp_range": f"{_STAGES}.cuts:dynatemp_range", "xtc_probability": f"{_STAGES}.cuts:xtc_probability",
}  # fmt: skip


def script(spec: ModelSpec, request: Request, params: CausalLMParams) -> Script:
    """Return the script of a request; see `Family.script`. Raises `BadInput`."""
    return _Writer(spec, request, params).script()


class _Writer:
    """Write the script of one request."""

    def __init__(self, spec: ModelSpec, request: Request, params: CausalLMParams) -> None:
        self.spec, self.request, self.params = spec, request, params
        self.settings = params.model_dump()
        self.chat = read_messages(request.inputs.get("messages", ""))
        self.forced = read_forced(request.inputs.get("forced", ""), spec.facts["vocabulary_size"])
        self.stops = [unescaped(one) for one in params.stop]
        self.rows = params.num_variants if params.samples else 1
        self.nets = own_nets(spec)
        self.guided = params.guidance_scale != 1
        self.acting = [name for name in stages.STAGES if stages.acts(name, self.settings)]
        # a recurrent state cannot be rewound, variants are not guessed ahead
        self.lookup = bool(params.prompt_lookup_num_tokens) and not (
            self.guided or self.nets or self.rows > 1 or "mirostat_tau" in self.acting
        )
        self.listed = self.guided or self.lookup or any(name not in _CLASSES for name in self.acting)
        self.words = any(name in stages.READS_TEXT for name in self.acting)
        self.plain = not params.cut_prompt and self._says_no_token()
        self.imports = ["import torch", f"from transformers import {_ALWAYS}"]
        self.carries = [*self.nets]
        self.cannot: list[str] = []

    def script(self) -> Script:
        if self.forced and "mirostat_tau" in self.acting:
            raise BadInput(
                "Mirostat behind a forced beginning needs the logits of that beginning, which this script does not "
                "keep. Choose the style “models” or “cli”."
            )
        folder, imports = weights(self.spec)
        self.imports += imports
        if self.params.reuse_cache:
            self.cannot.append("the cache of an earlier prompt is not reused, so rounding may differ.")
        parts = [self._load(), self._read(), self._write(), self._save()]
        named: dict[str, Any] = {"PROMPT": self.request.inputs["prompt"]}
        if self.chat is not None:
            named["MESSAGES"] = self.chat
        if self.guided and self.params.negative_prompt.strip():
            named["NEGATIVE_PROMPT"] = self.params.negative_prompt
        if self.forced:
            named["FORCED"] = self.forced
        if self.stops:
            named["STOP"] = self.stops
        named["SEED"] = self.request.seed
        return Script(
            f"{folder}\n{constants(**named)}", tuple(parts), tuple(self.imports), tuple(self.carries),
            tuple(self.cannot),
        )  # fmt: skip

    def _says_no_token(self) -> bool:
        """Say whether no turn holds the name of a special token, which the template's own reading would take for it."""
        said = [
            self.request.inputs["prompt"],
            self.params.negative_prompt,
            *(one["content"] for one in self.chat or ()),
        ]
        try:
            tokens = json.loads((self.spec.folder() / "tokenizer.json").read_text("utf-8"))["added_tokens"]
            return not any(one["content"] in text for one in tokens for text in said)
        except (PlaygroundError, OSError, ValueError, KeyError, TypeError):
            return False

    def _load(self) -> Part:
        lines = ["tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)"]
        kind = device.dtype_for(self.spec.weights_bytes())
        if self.spec.embedded and self.spec.base_folder() is not None:
            self.imports.append("from peft import PeftModel")
            lines += [
                f"model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.{kind})",
                "model = PeftModel.from_pretrained(model, WEIGHTS).merge_and_unload().eval()",
            ]
        else:
            lines.append(f"model = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.{kind}).eval()")
        lines.append("model.generation_config = GenerationConfig()  # every setting is named below")
        return Part("Load", "\n".join(lines), f"The weights are stored at half precision and computed in {kind}.")

    def _encode(self, text: str) -> str:
        """Return the expression for a text's ids; a special token's name in a text is text like any other."""
        if self.chat is None:
            return f'tokenizer({text}, split_special_tokens=True)["input_ids"]'
        if self.plain:
            turns = f'[*MESSAGES, {{"role": "user", "content": {text}}}]'
            return f"tokenizer.apply_chat_template({turns}, add_generation_prompt=True, return_dict=False)"
        self.carries.append("models.text.prompts:encode")
        return f"encode(tokenizer, {text}, {'messages' if self.params.cut_prompt else 'MESSAGES'})"

    def _read(self) -> Part:
        params, whole = self.params, self.spec.facts["context_length"]
        words = "Text becomes numbers: the ids of its tokens."
        lines = []
        if self.chat is not None:
            words += " The chat template puts the turns into one text first."
        if self.chat and params.cut_prompt:
            self.carries.append("models.text.prompts:encode_latest")
            lines += [
                f"limit = {whole} - {len(self.forced)}",
                "ids, messages, dropped = encode_latest(tokenizer, PROMPT, MESSAGES, limit, "
                f"min({params.max_new_tokens}, limit // 2))",
            ]
        else:
            lines += ["messages = MESSAGES"] if self.chat is not None and params.cut_prompt else []
            lines.append(f"ids = {self._encode('PROMPT')}")
        if params.cut_prompt:
            lines += [
                f"limit = {whole} - {len(self.forced)}  # the context, shared with the answer",
                "if len(ids) >= limit:  # a prompt that is too long loses its beginning",
                "    start = [ids[0]] if ids[0] == tokenizer.bos_token_id else []",
                f"    keep = max(1, limit - len(start) - min({params.max_new_tokens}, limit // 2))",
                "    ids = start + ids[-keep:]",
            ]
        used = "len(ids)"
        if self.guided and params.negative_prompt.strip():
            lines.append(f"negative = {self._encode('NEGATIVE_PROMPT')}")
            used = "max(len(ids), len(negative))"
        elif self.guided:
            self.carries.append(f"{_STAGES}.guidance:unprompted")
            lines.append("negative = unprompted(tokenizer, ids)")
            used = "len(ids)"
        if self.forced:
            used += " - len(FORCED)"
        lines.append(
            f"new_tokens = min({params.max_new_tokens}, {whole} - {used})  # prompt and answer share the context"
        )
        return Part("Read the prompt", "\n".join(lines), words)

    def _write(self) -> Part:
        lines = []
        whole = "ids + FORCED" if self.forced else "ids"
        if self.words or any(name in ("xtc_probability",) for name in self.acting):
            self.carries.append(f"{_STAGES}.spelling:Spelling")
            lines.append("words = Spelling(tokenizer.backend_tokenizer)")
        if "json_schema" in self.acting:
            self.carries.append(f"{_STAGES}.schema:Constraint")
            lines.append(
                f"constraint = Constraint({self.params.json_schema!r}, words, "
                f"{self.spec.facts['vocabulary_size']}, tokenizer.eos_token_id)"
            )
        if self.listed:
            lines += self._processors()
        lines += ["config = GenerationConfig(", *[f"    {one}," for one in self._config()], ")"]
        if self.stops:
            self.imports.append("from transformers import StoppingCriteria")
            lines += ["", "", *_STOP_AT.split("\n"), ""]
        lines += ["", f"input_ids = torch.tensor([{whole}]{f' * {self.rows}' if self.rows > 1 else ''})"]
        lines += ["torch.manual_seed(SEED)", "with torch.inference_mode():", "    out = model.generate("]
        lines += ["        input_ids, attention_mask=torch.ones_like(input_ids), generation_config=config,"]
        extra = (["logits_processor=processors"] if self.listed else []) + (
            ["stopping_criteria=[StopAt()]"] if self.stops else []
        )
        lines += [f"        {', '.join(extra)},"] if extra else []
        lines.append("    )  # rows × (prompt + new tokens)")
        words = "One token after another is drawn from the probabilities that the settings leave."
        if self.listed:
            words += " The stages stand in the order in which they act."
        return Part("Write", "\n".join(lines), words)

    def _config(self) -> list[str]:
        params = self.params
        found = {"max_new_tokens": "new_tokens", "do_sample": repr(params.samples)}
        if params.samples:
            found |= {"temperature": "1.0", "top_k": "0", "top_p": "1.0"}
        if not self.listed:
            found |= {name: repr(self.settings[name]) for name in self.acting}
        if self.lookup:
            found["prompt_lookup_num_tokens"] = repr(params.prompt_lookup_num_tokens)
        end = "tokenizer.eos_token_id"
        found |= {"bos_token_id": "tokenizer.bos_token_id", "eos_token_id": end,
                  "pad_token_id": f"{end} if tokenizer.pad_token_id is None else tokenizer.pad_token_id"}  # fmt: skip
        return [f"{name}={value}" for name, value in found.items()]

    def _processors(self) -> list[str]:
        """Return the lines of the list of stages, and carry ours."""
        self.imports.append("from transformers import LogitsProcessorList")
        ours = [name for name in self.acting if name not in _CLASSES]
        read = {name: self.settings[name] for name in stages.SETTINGS if name in ours or stages.beside(name) in ours}
        if "dynatemp_range" in ours:
            read["temperature"] = self.settings["temperature"]
        lines = [f"stages = {read!r}"] if read else []
        if any(name not in ("mirostat_tau",) for name in ours):
            self.carries.append(f"{_STAGES}.processors:StageProcessor")
        found = []
        if self.lookup:
            self.carries.append(f"{_STAGES}.processors:LengthLimit")
            found.append(f"LengthLimit(len({'ids + FORCED' if self.forced else 'ids'}) + new_tokens)")
        if self.guided:
            self.carries.append(f"{_STAGES}.guidance:Guidance")
            found.append(f"Guidance(model, {self.params.guidance_scale!r}, negative, len(ids))")
        words = "words" if self.words else "None"
        for name in self.acting:
            if name in _CLASSES:
                self.imports.append(f"from transformers import {_CLASSES[name]}")
                found.append(f"{_CLASSES[name]}({self.settings[name]!r})")
            elif name == "mirostat_tau":
                self.carries.append(f"{_STAGES}.processors:Mirostat")
                found.append("Mirostat(stages, len(ids), None)")
            else:
                self.carries.append(_CARRIED[name])
                constraint = "constraint" if name == "json_schema" else "None"
                ends = "ends" if name == "xtc_probability" else "()"
                found.append(f"StageProcessor({name}, stages, len(ids), SEED, {words}, {constraint}, {ends})")
        if "xtc_probability" in ours:
            lines.append("ends = [tokenizer.eos_token_id, *words.line_end()]  # what ends the text or a line")
        return [*lines, "processors = LogitsProcessorList([", *[f"    {one}," for one in found], "])"]

    def _save(self) -> Part:
        name = file_name(self.spec.id, self.request.seed)
        lines = ["before = len(tokenizer.decode(ids, skip_special_tokens=True))", "for number, row in enumerate(out):"]
        lines.append("    text = tokenizer.decode(row, skip_special_tokens=True)[before:]")
        if self.stops:
            lines.append("    text = text[: min([text.find(stop) for stop in STOP if stop in text], default=None)]")
        # an answer stands alone; the space before its first word is the template's
        lines.append("    text = text.lstrip()" if self.chat is not None else "    text = PROMPT + text")
        stem, ending = name.rsplit(".", 1)
        lines += [
            f'    name = {stem!r} + (f"-{{number + 1}}" if number else "") + {f".{ending}"!r}',
            '    Path(name).write_text(text, "utf-8", newline="\\n")',
            "    print(text)",
        ]
        return Part("Save", "\n".join(lines), "Numbers become text again.")


_STOP_AT = '''class StopAt(StoppingCriteria):
    """End a row where its new text holds one of the stop sequences."""

    def __call__(self, input_ids, scores, **kwargs):
        new = [tokenizer.decode(row[len(ids) :], skip_special_tokens=True) for row in input_ids]
        return torch.tensor([any(stop in text for stop in STOP) for text in new])'''
