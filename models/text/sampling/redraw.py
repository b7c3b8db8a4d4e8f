"""The draws of a finished text, made again on its stored logits: which token each position would get under a setting.

`generate()` draws with `torch.multinomial`, which for one token divides the probabilities by exponential noise and
takes the largest (the exponential race; with logarithms the Gumbel-max trick, Gumbel 1954). The noise comes from the
seed alone and not from the probabilities, so it can be made again, and a text followed under any settings up to the
first token that differs: until there the stored logits are its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import BadInput
from models.text.sampling import replay, stages
from models.text.sampling.rows import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.kept import Kept
    from models.text.sampling.rows import Rows
    from models.text.sampling.spelling import Spelling

    Floats = NDArray[np.float32]

Flip = tuple[int, int]  # the position of the first token that differs (from 0), and that token's id
_BLOCK = 8  # positions of the first block that is looked at; each next one has twice as many
_ROUNDS = 4  # of mending what was rounded
_UNSURE = 0.02  # the share of a text's tokens that may stay unexplained


@dataclass(frozen=True)
class Drawn:
    """Say how a text's tokens were drawn: the request's seed, how many texts were drawn side by side, which one it is.

    The first `forced` tokens were given. `vocabulary` is the model's number of tokens.
    """

    seed: int
    vocabulary: int
    texts: int = 1
    row: int = 0
    forced: int = 0


def noise(kept: Kept, drawn: Drawn) -> Floats:
    """Return the exponential noise behind a text's draws (float32, tokens × named columns), 1 for given tokens."""
    import torch

    generator = torch.Generator().manual_seed(drawn.seed)
    size = kept.logits.shape[1] if kept.columns is None else drawn.vocabulary
    found = np.ones(kept.logits.shape, np.float32)
    for at in range(drawn.forced, len(kept.ids)):
        step = torch.empty(drawn.texts, size).exponential_(1, generator=generator)[drawn.row].numpy()
        found[at] = step if kept.columns is None else step[kept.columns[at]]
    return found


class Redraw:
    """Draw a text again under other values of one setting, from `kept` and `params`, the settings that it was made
    under, in full and named as `generate()` names them.

    `unsure` are the positions whose own token cannot be explained by the logits as they were rounded; they are passed
    over. Raises `BadInput` where the text as a whole cannot be drawn again.
    """

    def __init__(
        self, kept: Kept, params: Mapping[str, Any], setting: str, drawn: Drawn, words: Spelling | None = None
    ) -> None:
        self._params, self._setting, self._forced = dict(params), setting, drawn.forced
        self._noise = noise(kept, drawn)
        self._ids = kept.ids
        self._columns = kept.columns
        self._words = words
        stage = stages.beside(setting) or setting
        # at temperature 0 no stage of chance acts, and dynamic temperature takes the place of the plain one
        wide = stage in ("temperature", "dynatemp_range")
        first = stages.STAGES.index(stages.CHANCE[0] if wide else stage)
        self._before, self._after = stages.STAGES[:first], stages.STAGES[first:]
        raw = replay.table(kept, words, params)
        assert raw.drawn is not None
        if (raw.drawn >= raw.named).any():
            at = int((raw.drawn >= raw.named).argmax())
            raise BadInput(
                f"Only this model's likeliest tokens were saved, and token {at + 1} is not among them, so this text "
                "cannot be drawn again. Run it with fewer variants or less length."
            )
        self.unsure: frozenset[int] = frozenset()
        self._base = self._settled(raw)
        self._mend(kept, raw)

    def first_flip(self, value: Any) -> Flip | None:
        """Return where the text first differs at a value of the setting, and the token there; None: nowhere."""
        for start, won in self._blocks({**self._params, self._setting: value}):
            for at in np.flatnonzero(won != self._wanted(start, len(won))):
                place = start + int(at)
                if place >= self._forced and place not in self.unsure:
                    return place, int(won[at] if self._columns is None else self._columns[place, won[at]])
        return None

    def _wanted(self, start: int, count: int) -> NDArray[np.int64]:
        assert self._base.drawn is not None
        return self._base.drawn[start : start + count]

    def _settled(self, raw: Rows) -> Rows:
        """Return the scores after the stages that act before the setting does, which are the same at all values."""
        rows = replace(raw, x=raw.x.copy(), mu=None, _closing=None)
        for name in self._before:
            stages.apply(name, rows, self._params)
        return rows

    def _blocks(self, params: Mapping[str, Any]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield block after block: where it starts, and the column that each of its positions draws."""
        count = len(self._ids)
        # mirostat's bound follows from all tokens before
        start, size = 0, count if stages.acts("mirostat_tau", params) else _BLOCK
        greedy = params.get("do_sample") is False or params.get("temperature") == 0
        while start < count:
            part = slice(start, min(start + size, count))
            rows = self._part(part)
            for name in self._after:
                stages.apply(name, rows, params)
            if greedy:
                yield start, rows.x[:, : rows.named].argmax(axis=1)
            else:
                yield start, (softmax(rows.x)[:, : rows.named] / self._noise[part]).argmax(axis=1)
            start, size = part.stop, 2 * size

    def _part(self, part: slice) -> Rows:
        base = self._base
        assert base.drawn is not None and base.seeds is not None and base.lanes is not None
        return replace(
            base, x=base.x[part].copy(), history=base.history[part], drawn=base.drawn[part], seeds=base.seeds[part],
            lanes=base.lanes[part], columns=None if base.columns is None else base.columns[part], mu=None,
            _closing=None,
        )  # fmt: skip

    def _mend(self, kept: Kept, raw: Rows) -> None:
        """Move logits within what rounding to float16 took from them, where else another token had been drawn."""
        assert raw.drawn is not None
        half = 0.5 * np.spacing(np.abs(kept.logits)).astype(np.float32)
        for turn in range(_ROUNDS + 1):
            won = np.concatenate([one for _, one in self._blocks(self._params)])
            wrong = np.flatnonzero(won != raw.drawn)
            wrong = wrong[wrong >= self._forced]
            if not len(wrong):
                return
            if turn == _ROUNDS:
                break
            for at in wrong:
                raw.x[at, raw.drawn[at]] = kept.logits[at, raw.drawn[at]] + half[at, raw.drawn[at]]
                raw.x[at, won[at]] = kept.logits[at, won[at]] - half[at, won[at]]
            self._base = self._settled(raw)
        if len(wrong) > max(1, _UNSURE * len(won)):
            raise BadInput(
                f"The draws of this text cannot be repeated: {len(wrong):,} of its {len(won):,} tokens come out "
                "differently from its seed. Prompt-lookup decoding, another machine or an older version draw in "
                "another way. Run it again here without prompt-lookup decoding."
            )
        self.unsure = frozenset(int(at) for at in wrong)
