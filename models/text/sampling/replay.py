"""The stages run again on the stored logits of a text: what it would have been under other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.text.kept import Kept
from models.text.sampling import cuts, stages
from models.text.sampling.rows import Rows, softmax
from models.text.sampling.schema import Constraint
from models.text.sampling.spelling import Spelling


def run(rows: Rows, params: Mapping[str, Any]) -> Iterator[str]:
    """Run all stages, and yield the name of each that acted."""
    for name in stages.STAGES:
        if stages.apply(name, rows, params):
            yield name
            if name in stages.CUTS:
                rows.narrow()


def table(kept: Kept, words: Spelling | None, params: Mapping[str, Any], places: range | None = None) -> Rows:
    """Return the scores of some positions of a text (all of them by default), before any stage."""
    at = np.arange(len(kept.ids)) if places is None else np.arange(places.start, places.stop)
    x = kept.logits[at].astype(np.float32)
    named = x.shape[1]
    columns = None if kept.columns is None else kept.columns[at]
    ids = kept.ids[at].astype(np.int64)
    if columns is None:
        drawn = ids
    else:
        same = columns == ids[:, None]
        drawn = np.where(same.any(axis=1), same.argmax(axis=1), named).astype(np.int64)
    if kept.rest is not None:
        x = np.concatenate([x, kept.rest[at, None]], axis=1)
    said = np.concatenate([kept.prompt, kept.ids])
    start = len(kept.prompt)
    rows = Rows(x, [said[: start + int(one)] for one in at], start, named, columns, drawn=drawn, words=words)
    rows.lanes = [0] * len(at)
    rows.seeds = np.repeat(kept.seed if kept.seed is not None else np.zeros(1, np.int64), len(at))
    rows.ends = [
        *(kept.end.tolist() if kept.end is not None else ()), *(words.line_end() if words is not None else ())
    ]  # fmt: skip
    if words is not None and kept.end is not None and len(kept.end) and stages.acts("json_schema", params):
        size = named if columns is None else len(words.texts)
        rows.constraint = Constraint(params["json_schema"], words, size, int(kept.end[0]))
    return rows


def mu_after(kept: Kept, params: Mapping[str, Any], words: Spelling | None) -> float:
    """Return mirostat's bound after a text, in bits: a continuation starts with it."""
    return last_mu(table(kept, words, params), params)


def last_mu(rows: Rows, params: Mapping[str, Any]) -> float:
    """Return mirostat's bound after the last of the rows, in bits."""
    others = {name: value for name, value in params.items() if name != "mirostat_tau"}
    for _ in run(rows, others):
        pass
    assert rows.drawn is not None
    return float(cuts.bounds(cuts.surprise(softmax(rows.x), rows.drawn), params)[-1])
