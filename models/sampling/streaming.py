"""transformers' `generate()` seen from outside while it runs: rows as text, Stop within a token, one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria

from models.sampling.transcript import Transcript

INTERVAL_S = 0.2  # a page looks three times a second; every wake-up here costs the generating thread some


class Watch(StoppingCriteria):  # type: ignore[no-untyped-call, misc, unused-ignore]
    """Read each step's tokens into transcripts, and end the rows that are done.

    It sits where `generate()` asks whether to go on, after every token: unlike a streamer it sees whole batches
    and may end single rows. `end_ids` are the end-of-text tokens. `changed` is set at every step. A step may bring
    several tokens where the text is guessed ahead: `length` is how many the rows had before the first one; without it
    each step is one token.
    """

    def __init__(
        self, rows: Sequence[Transcript], end_ids: Collection[int], stopped: Callable[[], bool],
        length: int | None = None,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.step = 0
        self.first_at = time.monotonic()  # when the first token came
        self.changed = threading.Event()
        self.cancelled = False
        self._length = length
        self._end_ids = frozenset(end_ids)
        self._stopped = stopped

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Take the newest columns of `input_ids` (rows × tokens); return bool per row: it is done."""
        width = input_ids.shape[1]
        new = 1 if self._length is None else width - self._length
        self._length = None if self._length is None else width
        if self.step == 0:
            self.first_at = time.monotonic()
        self.step += new
        for row, tokens in zip(self.rows, input_ids[:, width - new :].tolist(), strict=True):
            for token in tokens:
                if row.finish:
                    break  # padding, or guessed beyond the end
                if token in self._end_ids:
                    row.end("eos", tokens=1)
                else:
                    row.add(token)
        if self.cancelled or self._stopped():
            self.end("stopped")
        self.changed.set()
        return torch.tensor([bool(row.finish) for row in self.rows], device=input_ids.device)

    def end(self, reason: str) -> None:
        """End every row that still grows."""
        for row in self.rows:
            if not row.finish:
                row.end(reason)

    def cancel(self) -> None:
        """End all rows at the next token."""
        self.cancelled = True


class Followed(Protocol):
    """What `follow` needs of a watch."""

    changed: threading.Event

    def cancel(self) -> None:
        """End the run soon."""


def follow(run: Callable[[], Any], watch: Followed, interval_s: float = INTERVAL_S) -> Iterator[None]:
    """Run `run` in a thread and yield when `watch` has news: at once after the first, then every `interval_s` s.

    What `run` raises is raised here. Closing the iterator cancels the watch and waits for the thread to end.
    """
    finished = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run()
        except BaseException as error:
            failures.append(error)
        finally:
            finished.set()
            watch.changed.set()

    thread = threading.Thread(target=work, name="generate", daemon=True)
    thread.start()
    try:
        while True:
            watch.changed.wait()
            watch.changed.clear()
            if finished.is_set():
                break
            yield
            finished.wait(interval_s)
    finally:
        watch.cancel()
        thread.join()
    if failures:
        raise failures.pop()


def left_pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, both int64 (rows × longest), short rows padded on the left, where nothing is written."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (longest - len(row)) + list(row) for row in rows])  # rows × longest
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])  # rows × longest
    return ids, mask
