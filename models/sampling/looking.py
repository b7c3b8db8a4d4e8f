"""Answer what the microscope's page asks of a stored text: one number a token, one position's odds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import BadInput
from models.sampling import microscope, stages
from models.sampling.spelling import Spelling

if TYPE_CHECKING:
    from models.blobs import Blobs

MEASURES = ("probability", "entropy", "rank")
_OPENER = microscope.Opener()
_spelling = lru_cache(maxsize=2)(Spelling)


def look(data: Mapping[str, Any], blobs: Blobs, tokenizer: Any) -> dict[str, Any]:
    """Return a text's numbers under settings.

    `data`: `ref` of the kept logits, `params` (settings named as `generate()` names them), `own` (those that the run
    had), `measure` (one of `MEASURES`), `position` (or None), `pieces` (true: the tokens' texts, too). The answer:
    `heat` (0 … 1 a token), `stage` (−1, or which of `stages` forbids the token), `forbidden` (tokens a stage),
    `whole` (false: entropy and some stages are bounds, see `models.sampling.stages`), `bits` (per token), and `at`, the
    position's odds before and after each stage. Raises `BadInput`. `tokenizer` is one of the library tokenizers.
    """
    measure = data.get("measure", MEASURES[0])
    if measure not in MEASURES:
        raise BadInput(f"There is no measure {measure!r}; there are {', '.join(MEASURES)}.")
    kept = open_kept(str(data["ref"]), blobs)
    params, own = _acting(data.get("params", {})), _acting(data.get("own", {}))
    if kept.seed is None and "seed" in data:  # kept before seeds were
        kept = replace(kept, seed=np.array([int(data["seed"]) + int(data.get("row", 0))], np.int64))
    named = any(stages.acts(name, params) for name in (*stages.WORDS, "dry_multiplier"))
    words = _spelling(tokenizer) if named else None
    scored = microscope.score(kept, params, words)
    # a token lies on the edge of a cut at times: what was drawn was possible, whatever rounding says
    stage = np.full(len(kept.ids), -1, np.int32) if params == own else scored.stage
    counts = {name: int((stage == number).sum()) for number, name in enumerate(microscope.STAGES)}
    answer: dict[str, Any] = {
        "heat": microscope.colours(scored, measure), "stage": stage.tolist(), "stages": list(microscope.STAGES),
        "forbidden": {name: count for name, count in counts.items() if count}, "whole": kept.columns is None,
        "bits": round(float(-np.log2(np.maximum(scored.p, 1e-9)).mean()), 3), "tokens": len(kept.ids),
    }  # fmt: skip

    def decode(ids: list[int]) -> str:
        return str(tokenizer.decode(ids, skip_special_tokens=False))

    if data.get("pieces"):
        # the prompt's last token goes before, so that the first one keeps its space
        found = microscope.pieces(decode, [*kept.prompt[-1:].tolist(), *kept.ids.tolist()])
        answer["pieces"] = found[len(kept.prompt[-1:]) :]
    at = data.get("position")
    if at is not None:
        if not 0 <= int(at) < len(kept.ids):
            raise BadInput(f"There is no token {int(at) + 1}; the text has {len(kept.ids)}.")
        special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        answer["at"] = _position(kept, params, int(at), decode, scored, special, words)
    return answer


def open_kept(ref: str, blobs: Blobs) -> microscope.Kept:
    """Return what a run kept of a text. Raises `BadInput` for what is no kept text."""
    try:
        return _OPENER.open(ref, blobs)
    except (TypeError, ValueError, KeyError) as error:
        raise BadInput("This is no kept text of a language model. Open a text that was written here.") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise BadInput("What was kept of this text is damaged. Run it again.") from error


def _position(
    kept: microscope.Kept,
    params: Mapping[str, Any],
    at: int,
    decode: Any,
    scored: microscope.Scored,
    special: set[int],
    words: Spelling | None,
) -> dict[str, Any]:
    found = microscope.position(kept, params, at, words=words)
    before = [int(kept.prompt[-1])] if at == 0 and len(kept.prompt) else kept.ids[max(0, at - 1) : at].tolist()
    for token in found["tokens"]:
        token["text"] = microscope.pieces(decode, [*before, token["id"]])[-1]
        token["p"] = [round(p, 5) for p in token["p"]]
        token["ends"] = token["id"] in special
    return {**found, "at": at, "entropy": round(float(scored.entropy[at]), 3), "rank": int(scored.rank[at])}


def _acting(params: Mapping[str, Any]) -> dict[str, Any]:
    known = (*stages.SETTINGS, "do_sample")
    return {name: params[name] for name in known if params.get(name) is not None}
