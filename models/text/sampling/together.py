"""Several requests' texts written at once: the model reads a token of each per step, all else each does by itself.

A text draws from a generator of its own seed and goes through its own stages, as `generate()` would take it: what is
shared is the pass through the model (`models.tokens.together`). Where that rounds otherwise than a single run, a text
that comes near a flip (`models.text.sampling.nudges`), one in a hundred, is made again alone: so texts, tokens and all
that is told of them are those of the single run, byte for byte. The logits that are stored with a text may differ in
the last digit of their float16. Contract tests compare every file with that of the single run. Where this machine's
kernels round more than that, all that has not ended is made again alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from models.errors import PlaygroundError
from models.events import Event, Final
from models.seeds import generator
from models.text.sampling.answer import Answer
from models.text.sampling.processors import Mirostat
from models.tokens.together import Together, can_read
from models.watching import Watch, follow

if TYPE_CHECKING:
    from models.family import Context, Family, Loaded
    from models.spec import ModelSpec
    from models.text.settings import CausalLMParams
    from models.types import Request

LOOK_EVERY = 16  # steps; then one more text is looked at


class Row:
    """Write one request's text, token by token, from scores that are given."""

    def __init__(self, index: int, answer: Answer, seed: int) -> None:
        self.index, self.answer = index, answer
        self.error: Exception | None = None
        self.ended_at = 0.0
        self.near = False
        self._seed = seed

    def begin(self) -> list[int]:
        """Return the ids that the model reads first."""
        writing = self.answer.writing
        whole, self._stages = writing.prepare()
        self._nudges = writing.nudges()
        self._mirostat = next((stage for stage in self._stages if isinstance(stage, Mirostat)), None)
        self._start, self._most = len(writing.ids), len(whole) + self.answer.total
        self._ids = torch.zeros(1, self._most, dtype=torch.int64)  # 1 × tokens
        self._ids[0, : len(whole)] = torch.tensor(whole)
        self._many = len(whole)
        self._chance = generator(self._seed)
        self._samples = writing.params.samples
        return whole

    def take(self, scores: torch.Tensor, exact: bool) -> int:
        """Draw the next token from the model's scores (1 × vocabulary), as `generate()` does.

        Unless these are `exact`, a draw near a flip makes the text `near`: its single run might go on otherwise.
        """
        seen = self._ids[:, : self._many]
        first = len(self._stages) - len(self._nudges.stages)
        for stage in self._stages[:first]:
            scores = stage(seen, scores)
        kept = scores
        for stage in self._stages[first:]:
            kept = stage(seen, kept)
        noise = None
        if self._samples:  # as `torch.multinomial` draws one of each row: the first of so many exponential waits
            noise = torch.empty_like(kept).exponential_(1, generator=self._chance)
            token = int((F.softmax(kept, dim=-1) / noise).argmax())
            if not bool(kept[0, token] > -torch.inf):
                raise RuntimeError("no token is left to draw")
        else:
            token = int(kept.argmax())
        if not exact and self._flip(seen, scores, kept, token, noise):
            self.near = True
            return token
        self._ids[:, self._many] = token
        self._many += 1
        done = bool(self.answer.watch(self._ids[:, : self._many], None)[0])
        if done or self._many == self._most:
            self.ended_at = time.monotonic()
        return token

    def _flip(
        self, seen: torch.Tensor, scores: torch.Tensor, kept: torch.Tensor, token: int, noise: torch.Tensor | None
    ) -> bool:
        """Say whether this draw is near a flip."""
        return self._nudges.flip(
            seen[0].numpy(), scores[0].numpy(), (kept[0] > -torch.inf).numpy(), token,
            None if noise is None else noise[0].numpy(), None if self._mirostat is None else self._mirostat.bound,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Say whether its end is there."""
        return self.ended_at > 0 or self.error is not None

    @property
    def goes_on(self) -> bool:
        """Say whether more of it comes here."""
        return not (self.ended or self.near)

    def final(self) -> Final:
        """Return the run's end."""
        return self.answer.final([self._ids[0, self._start : self._many].tolist()], self.ended_at)


def write(
    family: Family[Any], spec: ModelSpec, requests: Sequence[Request], params: Sequence[CausalLMParams], loaded: Loaded,
    contexts: Sequence[Context],
) -> Iterator[tuple[int, Event | PlaygroundError]]:  # fmt: skip
    """Yield each request's events with its index; see `Family.generate_together`."""
    rows: list[Row] = []
    for index, (request, values, context) in enumerate(zip(requests, params, contexts, strict=True)):
        try:
            rows.append(Row(index, Answer(spec, request, values, loaded.parts, context), request.seed))
        except PlaygroundError as error:
            yield index, error
    unlike = False
    if len(rows) > 1 and can_read(loaded.parts):
        watch = Watch(contexts[0].stopped)
        unlike = yield from _written(rows, watch, lambda: _run(loaded.parts, rows, watch))
    for row in [row for row in rows if not row.ended]:
        for event in _alone(family, spec, requests, params, loaded, contexts, row.index):
            if (unlike or row.near) and not isinstance(event, PlaygroundError) and event.kind == "final":
                event = Final(event.outputs, {**event.stats, "made_again": True})
            yield row.index, event


def _written(
    rows: Sequence[Row], watch: Watch, run: Callable[[], bool]
) -> Generator[tuple[int, Event | PlaygroundError], None, bool]:  # fmt: skip
    """Yield what the rows that are written say, each one's end as it comes; return whether the rest is to be redone."""
    left, alike = list(rows), []
    yield left[0].index, left[0].answer.begun()
    for _ in follow(lambda: alike.append(run()), watch):
        for row in [row for row in left if row.ended]:
            left.remove(row)
            yield row.index, _end(row, len(rows))
        for row in [row for row in left if row.goes_on][:1]:
            yield row.index, row.answer.progress()
            yield row.index, row.answer.preview()
    for row in [row for row in left if row.ended]:
        yield row.index, _end(row, len(rows))
    return not alike[0]


def _end(row: Row, many: int) -> Event | PlaygroundError:
    if row.error is None:
        try:
            final = row.final()
            return Final(final.outputs, {**final.stats, "together": many})
        except Exception as error:
            row.error = error
    if isinstance(row.error, PlaygroundError):
        return row.error
    kind = type(row.error).__name__
    return PlaygroundError(f"The run failed with an internal error ({kind}). Run it again; see worker.log.")


def _run(parts: dict[str, Any], rows: Sequence[Row], watch: Watch) -> bool:
    """Write all rows; return whether each had the numbers that it has alone, or nearly and drew by a margin."""
    with torch.inference_mode():
        prompts = [row.begin() for row in rows]
        reader = Together(parts, prompts, max(row.answer.total for row in rows))
        step = 0
        while True:
            places: list[int] = []
            tokens: list[int] = []
            for place, index in enumerate(reader.rows):
                row = rows[index]
                try:
                    token = row.take(reader.scores[place : place + 1], reader.exact)
                except Exception as error:  # of this text's stages: the others go on
                    row.error = error
                if row.goes_on:
                    tokens.append(token)
                else:
                    places.append(place)
            if watch.cancelled:
                return True
            watch.step += 1
            watch.changed.set()
            if places:
                reader.drop(places)
            if not reader.rows:
                return True
            look: Sequence[int] = [step // LOOK_EVERY % len(tokens)] if step % LOOK_EVERY == 0 else ()
            if step == 0 and reader.exact:
                look = range(len(tokens))
            if not reader.step(tokens, look):
                return False
            step += 1


def _alone(
    family: Family[Any], spec: ModelSpec, requests: Sequence[Request], params: Sequence[CausalLMParams], loaded: Loaded,
    contexts: Sequence[Context], index: int,
) -> Iterator[Event | PlaygroundError]:  # fmt: skip
    try:
        yield from family.generate(spec, requests[index], params[index], loaded, contexts[index])
    except PlaygroundError as error:
        yield error
