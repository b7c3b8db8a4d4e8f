"""The token microscope: evaluate a finished text under other settings from its stored logits, without the model.

It runs the stages of `models.text.sampling.stages` in their order, on many positions at once. Our own stages are those
that `generate()` ran; transformers' are reimplemented in numpy, and a property test compares them. `look` answers the
page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import BadInput
from models.text.kept import Kept, unpack
from models.text.sampling import stages
from models.text.sampling.replay import last_mu, run, table
from models.text.sampling.rows import pick, softmax, softmax_and_entropy
from models.text.sampling.spelling import Spelling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.blobs import Blobs

    Floats = NDArray[np.float32]

STAGES = stages.STAGES
MEASURES = ("probability", "entropy", "rank")
SHOWN = 14  # tokens of a position's distribution
_CACHED = 3  # finished texts that are kept open


@dataclass(frozen=True)
class Scored:
    """Hold a text's numbers under some settings, one entry per token.

    `p` and `rank` (from 1) are the drawn token's before any stage, `entropy` the position's, in bits; `after` its
    probability after all stages, 0 where it is forbidden; `stage` the index in `STAGES` of the one that forbids it, −1
    for none. `left` says how many tokens could be drawn.
    """

    p: Floats
    rank: NDArray[np.int32]
    entropy: Floats
    after: Floats
    stage: NDArray[np.int32]
    left: NDArray[np.int32]


def score(kept: Kept, params: Mapping[str, Any], words: Spelling | None = None) -> Scored:
    """Return every drawn token's numbers under settings named as `generate()` names them; None or absent: off.

    Without `words` the stages that need the tokenizer (`stages.WORDS`) do nothing. Raises `BadInput` for words or a
    schema that cannot be used.
    """
    rows = table(kept, words, params)
    assert rows.drawn is not None
    p, entropy = softmax_and_entropy(rows.x)
    before = pick(p, rows.drawn)
    rank = 1 + (rows.x[:, : rows.named] > pick(rows.x, rows.drawn)[:, None]).sum(axis=1)
    stage = np.full(len(before), -1, np.int32)
    acted = False
    for name in run(rows, params):
        gone = pick(rows.x, rows.drawn) == -np.inf
        stage = np.where(gone, np.where(stage < 0, STAGES.index(name), stage), -1)  # a schema may undo a ban
        acted = True
    after = pick(softmax(rows.x), rows.drawn) if acted else before
    left = (rows.x[:, : rows.named] > -np.inf).sum(axis=1)
    return Scored(
        before,
        rank.astype(np.int32),
        (entropy / np.log(2)).astype(np.float32),
        after,
        stage.astype(np.int32),
        left.astype(np.int32),
    )


def position(
    kept: Kept, params: Mapping[str, Any], at: int, shown: int = SHOWN, words: Spelling | None = None
) -> dict[str, Any]:
    """Return the likeliest tokens at position `at`, the drawn one among them, before and after each stage that acts.

    `{"tokens": [{"id", "p": [before, after each stage]}], "stages": [names], "left": n}`; probabilities 0 … 1, 0 for a
    token that a stage forbids.
    """
    rows = table(kept, words, params, range(at, at + 1))
    assert rows.drawn is not None
    if stages.acts("mirostat_tau", params):  # its bound depends on all tokens before
        rows.mu = np.array([last_mu(table(kept, words, params, range(at)), params)])
    steps = [softmax(rows.x[-1:])[0]]
    names = []
    for name in STAGES:
        if stages.apply(name, rows, params):
            names.append(name)
            steps.append(softmax(rows.x[-1:])[0])
    likeliest = np.argsort(-steps[0][: rows.named], kind="stable")[:shown]
    drawn = int(rows.drawn[-1])
    chosen = [*likeliest.tolist(), *([drawn] if drawn < rows.named and drawn not in likeliest else [])]
    ids = chosen if rows.columns is None else rows.columns[-1, chosen].tolist()
    tokens = [
        {"id": token, "p": [float(one[place]) for one in steps]} for token, place in zip(ids, chosen, strict=True)
    ]
    left = int(np.isfinite(rows.x[-1, : rows.named]).sum())
    return {"tokens": tokens, "stages": names, "left": left, "drawn": int(kept.ids[at])}


class Opener:
    """Open kept logits by reference; the newest few stay open."""

    def __init__(self) -> None:
        self._cached = lru_cache(maxsize=_CACHED)(self._open)
        self._blobs: Blobs | None = None

    def _open(self, ref: str) -> Kept:
        assert self._blobs is not None
        return unpack(self._blobs.get_bytes(ref))

    def open(self, ref: str, blobs: Blobs) -> Kept:
        """Return what lies under a reference. Raises what `Blobs.get_bytes` raises."""
        self._blobs = blobs
        return self._cached(ref)


def colours(scored: Scored, measure: str) -> list[float]:
    """Return one number per token, 0 … 1, for a heat map: "probability", "entropy" (of 8 bits), "rank" (log)."""
    if measure == "entropy":
        values = np.minimum(scored.entropy / 8, 1)
    elif measure == "rank":
        values = np.minimum(np.log10(scored.rank) / 3, 1)
    else:
        values = scored.p
    return [round(float(value), 4) for value in values]


def forbidden(scored: Scored) -> dict[str, int]:
    """Return how many tokens each stage forbids, those that forbid none left out."""
    counted = {name: int((scored.stage == number).sum()) for number, name in enumerate(STAGES)}
    return {name: count for name, count in counted.items() if count}


def pieces(decode: Any, ids: Sequence[int]) -> list[str]:
    """Return each token's text in its place; `decode` turns ids into text. Half a character is shown as U+FFFD."""
    found = []
    for at, token in enumerate(ids):
        before = list(ids[max(0, at - 1) : at])
        alone, both = decode(before), decode([*before, token])
        found.append(both[len(alone) :] if both.startswith(alone) else decode([token]))
    return found


_OPENER = Opener()
spelling = lru_cache(maxsize=2)(Spelling)


def look(data: Mapping[str, Any], blobs: Blobs, tokenizer: Any) -> dict[str, Any]:
    """Return a text's numbers under settings.

    `data`: `ref` of the kept logits, `params` (settings named as `generate()` names them), `own` (those that the run
    had), `measure` (one of `MEASURES`), `position` (or None), `pieces` (true: the tokens' texts, too). The answer:
    `heat` (0 … 1 per token), `stage` (−1, or which of `stages` forbids the token), `forbidden` (tokens per stage),
    `whole` (false: entropy and some stages are bounds, see `models.text.sampling.stages`), `bits` (per token), and
    `at`, the position's probabilities before and after each stage. Raises `BadInput`. `tokenizer` is one of the library
    tokenizers.
    """
    measure = data.get("measure", MEASURES[0])
    if measure not in MEASURES:
        raise BadInput(f"There is no measure {measure!r}; there are {', '.join(MEASURES)}.")
    kept = open_kept(str(data["ref"]), blobs)
    params, own = _acting(data.get("params", {})), _acting(data.get("own", {}))
    if kept.seed is None and "seed" in data:  # a record from before seeds were stored
        kept = replace(kept, seed=np.array([int(data["seed"]) + int(data.get("row", 0))], np.int64))
    named = any(stages.acts(name, params) for name in stages.READS_TEXT)
    words = spelling(tokenizer) if named else None
    scored = score(kept, params, words)
    # rounding may put a token at the edge of a cut outside it: under its own settings every drawn token was allowed
    stage = np.full(len(kept.ids), -1, np.int32) if params == own else scored.stage
    counts = {name: int((stage == number).sum()) for number, name in enumerate(STAGES)}
    answer: dict[str, Any] = {
        "heat": colours(scored, measure), "stage": stage.tolist(), "stages": list(STAGES),
        "forbidden": {name: count for name, count in counts.items() if count}, "whole": kept.columns is None,
        "bits": round(float(-np.log2(np.maximum(scored.p, 1e-9)).mean()), 3), "tokens": len(kept.ids),
    }  # fmt: skip

    def decode(ids: list[int]) -> str:
        return str(tokenizer.decode(ids, skip_special_tokens=False))

    if data.get("pieces"):
        # the prompt's last token goes before, so that the first one keeps its space
        found = pieces(decode, [*kept.prompt[-1:].tolist(), *kept.ids.tolist()])
        answer["pieces"] = found[len(kept.prompt[-1:]) :]
    at = data.get("position")
    if at is not None:
        if not 0 <= int(at) < len(kept.ids):
            raise BadInput(f"There is no token {int(at) + 1}; the text has {len(kept.ids)}.")
        special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        answer["at"] = _position(kept, params, int(at), decode, scored, special, words)
    return answer


def open_kept(ref: str, blobs: Blobs) -> Kept:
    """Return the record of a text. Raises `BadInput` where the reference is not one."""
    try:
        return _OPENER.open(ref, blobs)
    except (TypeError, ValueError, KeyError) as error:
        raise BadInput("This file does not hold a saved text with its logits. Open a text generated here.") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise BadInput("The saved logits of this text are damaged. Run it again.") from error


def _position(
    kept: Kept,
    params: Mapping[str, Any],
    at: int,
    decode: Any,
    scored: Scored,
    special: set[int],
    words: Spelling | None,
) -> dict[str, Any]:
    found = position(kept, params, at, words=words)
    before = [int(kept.prompt[-1])] if at == 0 and len(kept.prompt) else kept.ids[max(0, at - 1) : at].tolist()
    for token in found["tokens"]:
        token["text"] = pieces(decode, [*before, token["id"]])[-1]
        token["p"] = [round(p, 5) for p in token["p"]]
        token["ends"] = token["id"] in special
    return {**found, "at": at, "entropy": round(float(scored.entropy[at]), 3), "rank": int(scored.rank[at])}


def _acting(params: Mapping[str, Any]) -> dict[str, Any]:
    known = (*stages.SETTINGS, "do_sample")
    return {name: params[name] for name in known if params.get(name) is not None}
