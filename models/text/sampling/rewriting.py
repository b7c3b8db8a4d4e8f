"""Calls of transformers' `generate()` of an encoder-decoder model, part by part, under the settings of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import GenerationConfig, StoppingCriteriaList

from models.text import glossary
from models.text.sampling import aligning
from models.watching import Interrupted, Watch

if TYPE_CHECKING:
    from models.text.task_settings import Seq2SeqParams

# what a model's own generation_config.json may say: how its texts begin and end, and what it never writes
_KEPT = ("decoder_start_token_id", "bos_token_id", "eos_token_id", "pad_token_id", "bad_words_ids",
         "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens")  # fmt: skip
LISTED = 300  # parts of a text of which words and alternatives are told: what a page can show
_READ = ("input_ids", "attention_mask")
_TOKEN_MOST = 30  # characters that a token has at most, on the average of a text: what is longer need not be counted


class BeamWatch(Watch):
    """Watch one `generate()` after the other, passed as a stopping criterion: the best candidate's text so far.

    `step` counts the tokens of the part under way. Stop raises `Interrupted` within a token, and sets `ended`.
    """

    def __init__(self, decode: Callable[[Any], str], stopped: Callable[[], bool]) -> None:
        super().__init__(stopped)
        self.ended = False
        self._decode = decode
        self._ids: list[int] = []

    @property
    def text(self) -> str:
        """Return the text of the part under way."""
        return self._decode(self._ids)

    def ending(self) -> bool:
        """Say whether to end now, and keep it in mind."""
        self.ended = self.ended or super().ending()
        return self.ended

    def begin(self) -> None:
        """Begin a part."""
        self.step, self._ids = 0, []

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Take the candidates (rows × tokens); say of none that it is done."""
        self.step = input_ids.shape[1] - 1  # the first token was given
        self._ids = input_ids[0].tolist()
        self.changed.set()
        if self.ending():
            raise Interrupted
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class Rewriting:
    """Write texts from texts with one model. `room` is how many tokens the context holds beside the first.

    `read` and `tokens` count what was read and written, `cut_off` how many parts the length limit ended, `put` the
    glossary words that were put in. `told` has what there is to say of the first `LISTED` parts, as plain JSON.
    """

    def __init__(
        self, loaded: dict[str, Any], params: Seq2SeqParams, context: int, stopped: Callable[[], bool]
    ) -> None:
        self._model, self._tokenizer, self._params, self._context = (
            loaded["model"], loaded["tokenizer"], params, context,
        )  # fmt: skip
        self.room = context - 1
        self.read = self.tokens = self.cut_off = self.put = 0
        self.told: list[dict[str, Any]] = []
        self._entries = glossary.read(params.glossary)
        self._private: Any = None
        self.watch = BeamWatch(self._said, stopped)
        self._config = self._configured()

    def fits(self, piece: str) -> bool:
        """Say whether the model can read a piece at once."""
        return len(piece) <= _TOKEN_MOST * self._context and self._count(piece) <= self._context

    def write(self, piece: str) -> str:
        """Return what the model makes of a piece; after Stop, as much of it as there is."""
        given = self._tokenizer(
            self._params.prefix + piece, return_tensors="pt", truncation=True, max_length=self._context
        )  # 1 × tokens; what is cut fits
        self.read += given["input_ids"].shape[1]
        self.watch.begin()
        try:
            out = self._model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                generation_config=self._config,
                stopping_criteria=StoppingCriteriaList([self.watch]),
            )  # 1 × (first token + written)
        except Interrupted:
            self.tokens += self.watch.step
            return self.watch.text
        written = [self._ended(row[1:].tolist()) for row in out]
        ids = written[0]
        self.tokens += len(ids)
        self.cut_off += not set(ids) & self._ends
        text = self._said(ids)
        if (self._entries or len(self.told) < LISTED) and ids:
            text = self._tell(piece, text, {name: given[name] for name in _READ}, written)
        return text

    def _tell(self, piece: str, text: str, given: dict[str, Any], written: Sequence[list[int]]) -> str:
        """Note confidence and alternatives of a part, put in the glossary's words, and return the text with them."""
        ids, words = written[0], aligning.words_of(self._tokenizer, written[0])
        said, put = list(words.texts), set[int]()
        if "".join(said).strip().replace("\0", "\ufffd") != text:  # a tokenizer that spells parts otherwise
            said = [text]
            words = aligning.Words([text], [len(ids)])
        entries = [one for one in self._entries if one.source.casefold() in piece.casefold()]
        if entries:
            if self._private is None:
                self._private = aligning.private_copy(self._model)
            source = aligning.words_of(self._tokenizer, given["input_ids"][0].tolist())
            found = aligning.cross_attention(self._private, given, ids).mean(0)  # written × source
            found = aligning.by_word(aligning.by_word(found, source.counts).T, words.counts).T
            said, put = aligning.keep_words(entries, source, said, found)
            self.put += len(put)
            text = "".join(said).strip().replace("\0", "\ufffd")
        if len(self.told) < LISTED:
            logs = [aligning.log_probabilities(self._model, given, row) for row in written if row]
            sure = np.exp(aligning.by_word(logs[0], words.counts)).round(4).tolist()
            shown = [[word, None if at in put or at >= len(sure) else sure[at]] for at, word in enumerate(said)]
            power = self._params.length_penalty
            others = [
                [self._said(row), round(float(log.sum() / len(row) ** power), 4)]
                for row, log in zip([row for row in written if row], logs, strict=True)
            ]
            self.told.append({"source": piece, "target": text, "words": _trimmed(shown),
                              **({"alternatives": others} if len(others) > 1 else {})})  # fmt: skip
        return text

    def _ended(self, ids: list[int]) -> list[int]:
        """Return the tokens up to the end's, without the padding behind it."""
        end = next((at for at, token in enumerate(ids) if token in self._ends), len(ids) - 1)
        return ids[: end + 1]

    @property
    def _ends(self) -> set[int]:
        ends = self._config.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends}

    def notes(self, total: int) -> list[str]:
        """Return what a person should be told of a finished run."""
        found = []
        if self.cut_off:
            which = "The text was" if total == 1 else f"{self.cut_off:,} of {total:,} parts were"
            found.append(f"{which} cut off at the length limit. Raise Length.")
        if self.put:
            which = "A glossary word was" if self.put == 1 else f"{self.put:,} glossary words were"
            found.append(
                f"{which} put in where the model had written something else: at the place that attended to it most."
            )
        if (asked := self._params.alternatives) > self._params.num_beams > 1:
            found.append(
                f"{self._params.num_beams} alternatives are shown, not {asked}: no more than beams. Raise Beams."
            )
        return found

    def _said(self, ids: Any) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip().replace("\0", "\ufffd")

    def _count(self, piece: str) -> int:
        return len(self._tokenizer(self._params.prefix + piece)["input_ids"])

    def _configured(self) -> GenerationConfig:
        """Return the request's settings and, of the model's own, what every one of its texts needs."""
        own, params = self._model.generation_config, self._params
        kept = {name: value for name in _KEPT if (value := getattr(own, name, None)) is not None}
        drawn = {"temperature": params.temperature, "top_p": params.top_p, "top_k": params.top_k or 0}
        beams = {"length_penalty": params.length_penalty, "early_stopping": params.early_stopping}
        return GenerationConfig(
            **kept, num_beams=params.num_beams, do_sample=params.do_sample, **(drawn if params.do_sample else {}),
            **(beams if params.num_beams > 1 else {}),
            num_return_sequences=min(params.alternatives, params.num_beams) if params.num_beams > 1 else 1,
            max_new_tokens=min(params.max_new_tokens, self.room),
            min_new_tokens=params.min_new_tokens or None, no_repeat_ngram_size=params.no_repeat_ngram_size,
            repetition_penalty=params.repetition_penalty, use_cache=True,
        )  # fmt: skip


def _trimmed(words: list[list[Any]]) -> list[list[Any]]:
    """Return words without the space before the first and behind the last, and without those that say nothing."""
    found = [list(word) for word in words if word[0]]
    if found:
        found[0][0] = found[0][0].lstrip()
        found[-1][0] = found[-1][0].rstrip()
    return [word for word in found if word[0]]
