"""Watch transformers' `generate()` while it runs: rows as text, Stop within a token."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from models.tokens.transcript import Transcript
from models.watching import Watch


class TokenWatch(Watch):
    """Watch one call of `generate()`, from token to token: read the tokens into transcripts, end rows that are done.

    It is passed as a stopping criterion, which is called after every token: unlike a streamer it sees whole batches and
    may end single rows. `end_ids` are the end-of-text tokens. Assisted decoding brings several tokens per step:
    `length` is how many each row had before the first step; without it each step is one token.
    """

    def __init__(
        self, rows: Sequence[Transcript], end_ids: Collection[int], stopped: Callable[[], bool],
        length: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(stopped)
        self.rows = rows
        self.first_at = time.monotonic()  # when the first token came
        self._length = length
        self._end_ids = frozenset(end_ids)

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
                    break  # padding, or candidates after the end token
                if token in self._end_ids:
                    row.end("eos", tokens=1)
                else:
                    row.add(token)
        if self.ending():
            self.end("stopped")
        self.changed.set()
        return torch.tensor([bool(row.finish) for row in self.rows], device=input_ids.device)

    def end(self, reason: str) -> None:
        """End every row that still grows."""
        for row in self.rows:
            if not row.finish:
                row.end(reason)


def left_pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, both int64 (rows × longest), short rows padded on the left, where nothing is written."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (longest - len(row)) + list(row) for row in rows])  # rows × longest
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])  # rows × longest
    return ids, mask
