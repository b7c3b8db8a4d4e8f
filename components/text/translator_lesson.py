"""How translators differ in what they are made of, and what that does: BLEU by sentence length, from their training."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import TYPE_CHECKING, Any

import altair as alt
import streamlit as st

from components.escape import plain
from components.text import side_by_side
from components.widgets import charts
from models.errors import WeightsError
from models.text import marks

if TYPE_CHECKING:
    from components.desk import Desk
    from models.text.marks import Score, Translated

HEIGHT_PX = 320
LEAST = 50  # sentences of a length, below which it tells too little to compare
_EXPLAINED = """
#### Two ways to carry a sentence
Every translator here has two halves. The **encoder** turns the source text into one vector for each of its tokens. The
**decoder** writes the translation token by token. **Cross-attention** joins them: for each token that it writes, the
decoder weighs all vectors of the source and reads their weighted mean. “Alignment” below a result shows these weights.

The halves themselves differ. In a **Transformer** they are made of attention too (self-attention): each token reads
every other one of its text directly, however far away it stands (in the decoder: every earlier one). An **LSTM** has a
state of fixed size, which it changes token by token. What stood ten words ago has passed through ten such changes, and
training has to go through them one by one. At first its last state was all that [the decoder saw of a
sentence](https://arxiv.org/abs/1409.3215); cross-attention [was invented for such recurrent
nets](https://arxiv.org/abs/1409.0473), so that they need not squeeze a sentence into one state. If an LSTM still loses
something on the way, long sentences show it first.
"""


def draw(desk: Desk) -> None:
    """Draw the two halves in words and, where two translators were measured on the same sentences, their scores."""
    st.markdown(_EXPLAINED)
    found = _measured(desk)
    if len(found) < 2:
        return
    charts.draw(chart(found), f"{desk.place}-lengths")
    st.markdown(plain(" ".join(sentences(found))))
    trained = [f"{name}: {one.minutes:,.0f} minutes" for name, one in found.items() if one.minutes is not None]
    st.caption(plain(
        "BLEU, 0 to 100: how many words and phrases are those of a translation by a person. Lines: 95% intervals, by "
        f"drawing the sentences again (bootstrap).{' Training time: ' + ', '.join(trained) + '.' if trained else ''}"
    ))  # fmt: skip


def _measured(desk: Desk) -> dict[str, Translated]:
    """Return what was measured of the page's model and those of its kind on as many sentences of each length."""
    found: dict[str, Translated] = {}
    order: dict[str, tuple[int, str]] = {}
    for spec in side_by_side.members(desk.session.catalog, desk.spec):
        try:
            one = marks.translated(spec)
        except WeightsError as error:
            st.caption(f":material/warning: {plain(error.message)}")
            continue
        if one is not None and (not found or _counts(one) == _counts(next(iter(found.values())))):
            name = spec.name if spec.name not in found else spec.id
            found[name], order[name] = one, (spec.order, spec.id)
    return {name: found[name] for name in sorted(found, key=order.__getitem__)}  # one colour, whichever is chosen


def _counts(one: Translated) -> list[tuple[str, int]]:
    return [(score.words, score.sentences) for score in (one.every, *one.by_words)]


def sentences(found: dict[str, Translated]) -> list[str]:
    """Return what the scores say, as sentences: the best translator beside each other one.

    Half of the interval of a difference is that of two scores of independent sentences: too wide, since both models
    translate the same ones.
    """
    best = max(found, key=lambda name: found[name].every.bleu)
    told = []
    for other in (name for name in found if name != best):
        told += _beside(best, found[best], other, found[other])
    return told


def _beside(best: str, one: Translated, other: str, two: Translated) -> list[str]:
    told = [
        f"On the same {one.every.sentences:,} held-out sentences “{best}” scores {_said(one.every)} BLEU and “{other}” "
        f"{_said(two.every)}."
    ]
    gap, half = _gap(one.every, two.every)
    if gap <= half:
        return [*told, f"The difference of {gap:.1f} lies within what chance makes (± {half:.1f})."]
    enough = [pair for pair in zip(one.by_words, two.by_words, strict=True) if pair[0].sentences >= LEAST]
    if len(enough) < 2:
        return told
    (short, short_half), (long, long_half) = _gap(*enough[0]), _gap(*enough[-1])
    where = f"{short:+.1f} at {enough[0][0].words} words, {long:+.1f} at {enough[-1][0].words}"
    moved, chance = long - short, hypot(short_half, long_half)
    if abs(moved) <= chance:
        told.append(f"The lead is {where}: whether it changes with the length is not decided (± {chance:.1f}).")
    elif moved > 0:
        told.append(f"The lead grows with the length of the sentence: {where}.")
    else:
        told.append(f"The lead shrinks with the length of the sentence: {where}.")
    return told


def _gap(one: Score, other: Score) -> tuple[float, float]:
    """Return how far one score lies above the other, and half of the difference's 95% interval."""
    return one.bleu - other.bleu, hypot(one.half, other.half)


def _said(score: Score) -> str:
    return f"{score.bleu:.1f} ± {score.half:.1f}"


def chart(found: dict[str, Translated]) -> alt.LayerChart:
    """Return bars of BLEU by sentence length, one a translator, with their 95% intervals."""
    rows: list[dict[str, Any]] = [
        {"model": name, "words": score.words, "bleu": score.bleu, "low": max(0.0, score.bleu - score.half),
         "high": score.bleu + score.half, "said": _said(score), "sentences": f"{score.sentences:,}"}
        for name, one in found.items() for score in one.by_words
    ]  # fmt: skip
    names = list(found)
    x = alt.X("words:N", sort=_order(rows), title="Words of the source sentence", axis=alt.Axis(labelAngle=0))
    beside = alt.XOffset("model:N", sort=names)
    hue = alt.Color("model:N", sort=names, title=None, legend=alt.Legend(orient="bottom", columns=1, labelLimit=300))
    told = [alt.Tooltip("model:N", title="Model"), alt.Tooltip("words:N", title="Words"),
            alt.Tooltip("said:N", title="BLEU"), alt.Tooltip("sentences:N", title="Sentences")]  # fmt: skip
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(x=x, xOffset=beside, y=alt.Y("bleu:Q", title="BLEU"), color=hue, tooltip=told)
    )
    halves = alt.Chart(alt.Data(values=rows)).mark_rule(strokeWidth=2).encode(
        x=x, xOffset=beside, y=alt.Y("low:Q"), y2="high:Q", tooltip=told
    )  # fmt: skip
    return alt.layer(bars, halves).properties(
        height=HEIGHT_PX, description="BLEU by sentence length: " + "; ".join(
            f"{row['model']}, {row['words']} words: {row['said']}" for row in rows)
    )  # fmt: skip


def _order(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["words"] for row in rows))
