"""One call of transformers' `generate()` under the settings of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from models.errors import BadInput
from models.text.sampling import prefix, processors, replay, stages
from models.text.sampling.guidance import Guidance, unprompted
from models.text.sampling.nudges import Nudges
from models.text.sampling.recording import LogitsRecorder
from models.text.sampling.schema import Constraint
from models.text.sampling.spelling import Spelling
from models.tokens.streaming import TokenWatch, left_pad
from models.tokens.transcript import Transcript

if TYPE_CHECKING:
    from models.text.settings import CausalLMParams


@dataclass
class Writing:
    """Prepare one call of `generate()` and run it, observed by `watch` and `recorder`.

    `ids` are the prompt's tokens, `forced` those that the answer begins with, `negative` those of the negative prompt,
    [] for none. `notes` say which settings have no effect, and why; `unused` names them. `reused` counts the prompt's
    tokens that came from the cache, which holds what the same `asker` ran last. Raises `BadInput`.
    """

    parts: dict[str, Any]
    params: CausalLMParams
    seed: int
    ids: list[int]
    forced: list[int]
    negative: list[int]
    total: int
    vocabulary: int
    notes: list[str] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    reused: int = 0
    asker: str = ""

    def __post_init__(self) -> None:
        self.model, self.tokenizer = self.parts["model"], self.parts["tokenizer"]
        self.rows = self.params.num_variants if self.params.samples else 1
        end = self.tokenizer.eos_token_id
        self.end_ids: set[int] = set() if end is None else {end}
        if self.end_ids & set(self.forced):
            raise BadInput("Nothing can follow an end-of-text token. Choose another token.")
        self._settings = self.params.model_dump()
        self.words = self._words()
        self.constraint = self._constraint()
        self._lookup = self._acts("prompt_lookup_num_tokens", self._no_lookup())
        self._reuse = self._acts("reuse_cache", self._no_reuse())
        self.guidance: Guidance | None = None
        if self.params.guidance_scale != 1:
            behind = self.negative or unprompted(self.tokenizer, self.ids)
            self.guidance = Guidance(self.model, self.params.guidance_scale, behind, len(self.ids))

    def begin(self, texts: Sequence[Transcript], stopped: Callable[[], bool]) -> tuple[TokenWatch, LogitsRecorder]:
        """Return the watch and the recorder, for one transcript per row."""
        for text in texts:
            for token in self.forced:
                text.add(token)
        self.watch = TokenWatch(texts, self.end_ids, stopped, len(self.ids) + len(self.forced))
        count = len(self.forced) + self.total
        self.recorder = LogitsRecorder(self.rows, count, self.vocabulary, len(self.ids), self.seed, self.end_ids)
        return self.watch, self.recorder

    def prepare(self) -> tuple[list[int], list[Any]]:
        """Return the ids that are read first, and what each step's scores go through, in order."""
        self.recorder.read(self.model, self.ids, self.forced, self.guidance)
        whole = [*self.ids, *self.forced]
        mine = processors.build(
            self._settings, len(self.ids), self.seed, self.words, self.constraint, self._mu(), self._ends()
        )  # fmt: skip
        before: list[Any] = [self.recorder] if self.guidance is None else [self.guidance, self.recorder]
        if self._lookup:
            before = [processors.LengthLimit(len(whole) + self.total), *before]
        return whole, [*before, *mine]

    def nudges(self) -> Nudges:
        """Return what looks at this text's draws; they are the first row's."""
        return Nudges(self._settings, len(self.ids), self.seed, self._ends())

    def _ends(self) -> list[int]:
        return [*self.end_ids, *(self.words.line_end() if self.words is not None else ())]

    def write(self) -> list[list[int]]:
        """Run `generate()`; return each row's ids after the prompt, forced tokens and end token included.

        Call with the global generator seeded.
        """
        whole, stages = self.prepare()
        input_ids, mask = left_pad([whole] * self.rows, self.tokenizer.pad_token_id or 0)  # rows × tokens
        memory: dict[str, Any] = {}
        if self._reuse:
            cache, self.reused = prefix.take(self.parts, self.model, whole, self.asker)
            memory = {"past_key_values": cache}
        out = self.model.generate(
            input_ids,
            attention_mask=mask,
            generation_config=self._config(),
            **memory,
            logits_processor=LogitsProcessorList(stages),
            stopping_criteria=StoppingCriteriaList([self.watch]),
        )  # rows × (prompt + drawn)
        if self._reuse:
            prefix.keep(self.parts, memory["past_key_values"], out[0].tolist(), self.asker)
        drawn: list[list[int]] = out[:, len(self.ids) :].tolist()
        return drawn

    def said(self, texts: Sequence[Transcript], drawn: Sequence[Sequence[int]]) -> list[str]:
        """Return the notes of a finished run."""
        notes = [*self.notes]
        if self.reused:
            notes.append(f"Cache reused for {self.reused:,} of the prompt's {len(self.ids):,} tokens.")
        if self.constraint is not None:
            cut = [text for text, ids in zip(texts, drawn, strict=True) if not self._whole(text, ids)]
            if cut:
                why = {
                    "length": "the length limit was reached. Raise Length", "stopped": "the run was stopped",
                    "stop string": "a stop sequence cut it. Remove that, or clear the JSON schema",
                }  # fmt: skip
                notes.append(f"The JSON is incomplete: {why.get(cut[0].finish, 'the text ended')}.")
        return notes

    def _whole(self, text: Transcript, ids: Sequence[int]) -> bool:
        """Say whether a text is whole JSON of the schema. A stop sequence takes away the end of what was drawn."""
        assert self.constraint is not None and self.words is not None
        if text.finish == "stop string":
            ids = self.words.core.encode(text.text, add_special_tokens=False).ids
        return self.constraint.complete(ids)

    def _config(self) -> GenerationConfig:
        """Return a neutral configuration: every stage is a processor of `build`, and none of transformers' defaults."""
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        neutral = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} if self.params.samples else {}
        return GenerationConfig(
            max_new_tokens=self.total, do_sample=self.params.samples, num_beams=1, use_cache=True,
            bos_token_id=self.tokenizer.bos_token_id, eos_token_id=end, pad_token_id=end if pad is None else pad,
            prompt_lookup_num_tokens=self.params.prompt_lookup_num_tokens if self._lookup else None, **neutral,
        )  # fmt: skip

    def _words(self) -> Spelling | None:
        if not any(stages.acts(name, self._settings) for name in stages.READS_TEXT):
            return None
        if "spelling" not in self.parts:
            self.parts["spelling"] = Spelling(self.tokenizer.backend_tokenizer)
        found: Spelling = self.parts["spelling"]
        return found

    def _constraint(self) -> Constraint | None:
        if not stages.acts("json_schema", self._settings):
            return None
        if not self.end_ids:
            raise BadInput(
                "This model has no end-of-text token, so it cannot follow a JSON schema. Clear the JSON schema field."
            )
        assert self.words is not None
        made = Constraint(self.params.json_schema, self.words, self.vocabulary, *self.end_ids)
        if not made.fits(self.forced):
            raise BadInput("The forced beginning does not fit the JSON schema. Change one of the two.")
        return made

    def _acts(self, name: str, problem: str) -> bool:
        if not getattr(self.params, name):
            return False
        if problem:
            self.unused.add(name)
            if problem != _HIDDEN:
                self.notes.append(problem)
        return not problem

    def _no_lookup(self) -> str:
        if self.params.guidance_scale != 1:
            return _HIDDEN
        if getattr(self.model, "_is_stateful", False):
            return "Prompt-lookup decoding is off: a recurrent state cannot be rewound."
        if self.rows > 1:
            return "Prompt-lookup decoding is off: it needs a single variant."
        if stages.acts("mirostat_tau", self._settings):
            return "Prompt-lookup decoding is off: Mirostat has to see each token before the next."
        return ""

    def _no_reuse(self) -> str:
        if self.params.guidance_scale != 1 or self.params.prompt_lookup_num_tokens:
            return _HIDDEN
        if self.rows > 1:
            return "The prompt cache was not reused: that needs a single variant."
        if not prefix.supported(self.model):
            return "The prompt cache was not reused: this model's recurrent state cannot be rewound."
        return ""

    def _mu(self) -> float | None:
        """Return mirostat's bound after the forced tokens, as if they had been drawn."""
        if not self.forced or not stages.acts("mirostat_tau", self._settings):
            return None
        kept = self.recorder.kept(0, self.ids, self.forced)
        assert kept is not None
        return replay.mu_after(kept, self._settings, self.words)


_HIDDEN = "hidden"  # the form shows no such setting
