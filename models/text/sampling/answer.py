"""What one request for a text is while it is written, alone or beside others: its prompt, its texts, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import plain_text
from models.errors import BadInput
from models.events import Final, Preview, Progress
from models.text import vocabulary
from models.text.prompts import encode, encode_latest, prompt_too_long, read_forced, read_messages, read_negative
from models.text.sampling.recording import kept_outputs
from models.text.sampling.writing import Writing
from models.text.settings import CausalLMParams, unescaped
from models.tokens.transcript import Transcript
from models.types import Output, Request, RunStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.family import Context
    from models.spec import ModelSpec


class Answer:
    """Prepare a request's texts, one per variant, and tell how far they are. Raises `BadInput`.

    `parts` hold the loaded `model` and its `tokenizer`. What runs `writing` hands what was drawn to `final`.
    """

    def __init__(
        self, spec: ModelSpec, request: Request, params: CausalLMParams, parts: dict[str, Any], context: Context
    ) -> None:
        self._spec, self._params, self._context = spec, params, context
        tokenizer, size = parts["tokenizer"], spec.facts["vocabulary_size"]
        chat = read_messages(request.inputs.get("messages", ""))
        self._chat = chat is not None
        # what a text begins with; an answer stands alone
        self._shown = "" if self._chat else request.inputs["prompt"]
        self._forced = read_forced(request.inputs.get("forced", ""), size)
        self._ids, self._negative, room, self._told = _fit(
            spec, tokenizer, request.inputs["prompt"], chat, self._forced, params
        )  # fmt: skip
        self.total = min(params.max_new_tokens, room)
        self.writing = Writing(
            parts, params, request.seed, self._ids, self._forced, self._negative, self.total, size,
            asker=context.asker,
        )  # fmt: skip
        stops = [unescaped(stop) for stop in params.stop]
        self.texts = [
            Transcript(lambda some: tokenizer.decode(some, skip_special_tokens=True), self._ids, stops)
            for _ in range(self.writing.rows)
        ]
        self.watch, self._recorder = self.writing.begin(self.texts, context.stopped)

    def begun(self) -> Progress:
        """Say that the prompt is being read."""
        return Progress("prompt", 0, len(self._ids), unit="tokens")

    def progress(self) -> Progress:
        """Say how many tokens there are."""
        return Progress("generate", self.watch.step, self.total, unit="tokens")

    def preview(self) -> Preview:
        """Show the texts so far."""
        return Preview(tuple(
            Output("text", index, self._said(text), meta=self._meta(text)) for index, text in enumerate(self.texts)
        ))  # fmt: skip

    def final(self, drawn: Sequence[Sequence[int]], ended_at: float) -> Final:
        """End the texts with the tokens that were `drawn` after the prompt, by `ended_at` (monotonic seconds)."""
        # tokens/s tells of writing, not of reading the prompt
        seconds = ended_at - self.watch.first_at
        self.watch.end("length")
        whole = [list(row[: text.tokens]) for row, text in zip(drawn, self.texts, strict=True)]
        texts, forced = self.texts, len(self._forced)
        tokens = sum(text.tokens - forced for text in texts)
        stats: RunStats = {
            "tokens": tokens,
            "prompt_tokens": len(self._ids),
            "tokens_per_s": round((tokens - len(texts)) / seconds, 2) if seconds > 0 and tokens > len(texts) else 0.0,
            "stopped": any(text.finish == "stopped" for text in texts),
            "unused": sorted(self.writing.unused | ({"negative_prompt"} if not self._negative else set())),
            "notes": [*self._told, *_notes(self._params), *self.writing.said(texts, whole)],
        }
        if self.writing.reused:
            stats["prompt_tokens_reused"] = self.writing.reused
        outputs = [
            plain_text.text_output(self._said(text), self._context.stamp, index, self._meta(text))
            for index, text in enumerate(texts)
        ]
        kept = kept_outputs(
            self._recorder, self._ids, whole, forced, vocabulary.fingerprint(self._spec.folder())
        )  # fmt: skip
        return Final((*outputs, *kept), stats)

    def _said(self, text: Transcript) -> str:
        # the space before an answer's first word is the template's
        return text.text.lstrip() if self._chat else self._shown + text.text

    def _meta(self, text: Transcript) -> dict[str, Any]:
        return {"prompt_chars": len(self._shown), "tokens": text.tokens, "finish": text.finish}


def _fit(
    spec: ModelSpec, tokenizer: Any, prompt: str, chat: list[dict[str, str]] | None, forced: list[int],
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


def _notes(params: CausalLMParams) -> list[str]:
    if not params.do_sample:
        return ["Sampling is off (greedy decoding): seed and sampling settings have no effect."]
    if not params.samples:
        return ["Temperature 0 is greedy decoding: seed and the other sampling settings have no effect."]
    if params.top_k == 1:
        return ["Top-k 1 leaves one token to draw from: this is greedy, whatever the other settings."]
    return []
