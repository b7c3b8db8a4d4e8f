"""Looks into a translation or a label: which words attend to which, and which pushed the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import state, studies
from components.escape import plain
from components.text import label_view, translation_view, word_links, word_pushes
from models import labels
from models.text import looks
from models.types import Output, Request, Run

if TYPE_CHECKING:
    from components.session import Session
    from models.catalog import Catalog

_NAME_CHARS = 60
_PROMPT_CHARS = 20_000  # the beginning of a text is enough for its first part


def _offers(catalog: Catalog, run: Run, study: str) -> bool:
    model = run.request.model
    return model in catalog and study in catalog.family(model).studies


def _aligned(run: Run) -> list[dict[str, Any]]:
    """Return the pairs of a run that can be aligned."""
    found = [one for output in run.outputs if translation_view.fits(output) for one in output.meta["pairs"]]
    return [one for one in found if one["source"].strip() and one["target"].strip()][: looks.PAIRS_MOST]


def fits_alignment(catalog: Catalog, run: Run) -> bool:
    """Say whether the words of the run's text can be linked to what became of them."""
    return _offers(catalog, run, looks.ALIGNMENT) and bool(_aligned(run))


def draw_alignment(session: Session, run: Run, key: str) -> None:
    """Draw which words of a sentence each written word attends to."""
    st.caption(
        "Cross-attention: while it writes a word, the decoder attends to words of the text. The mean of all heads. "
        "Choose a word: a stronger colour means more attention. What is missing to 100% goes to the mark that ends the "
        "sentence."
    )
    pairs = _aligned(run)
    given = json.dumps([[one["source"], one["target"]] for one in pairs], ensure_ascii=False)
    params = {"prefix": run.request.params["prefix"]} if "prefix" in run.request.params else {}
    asked = Request(model=run.request.model, inputs={"prompt": "-", "pairs": given}, params=params,
                    study=looks.ALIGNMENT)  # fmt: skip
    found = studies.study(session, run, asked)
    if found:
        _draw_pair(found[0], f"{key}-{found[0].sha256[:8]}")


@st.fragment
def _draw_pair(view: Output, key: str) -> None:
    looked: list[dict[str, Any]] = json.loads(view.data)
    left, right = st.columns([3, 1])
    at, layers = 0, len(looked[0]["layers"]) - 1
    if len(looked) > 1:
        at = int(left.selectbox(
            "Sentence", range(len(looked)), key=state.key(key, "sentence"),
            format_func=lambda one: _named(one, looked[one]),  # a selectbox reads no markdown
        ))  # fmt: skip
    layer = layers
    if layers > 1:
        layer = int(right.selectbox(
            "Layer", range(layers, -1, -1), key=state.key(key, "layer"),
            format_func=lambda one: "Mean of all layers" if one == layers else f"Layer {one + 1} of {layers}",
        ))  # fmt: skip
    one = looked[at]
    if one["source"] and one["target"]:
        word_links.draw(one["source"], one["target"], one["layers"][layer], f"{key}-words")
    if len(looked) == looks.PAIRS_MOST:
        st.caption(f"The first {looks.PAIRS_MOST} sentences can be looked at.")


def _named(at: int, one: dict[str, Any]) -> str:
    return f"{at + 1} · {labels.shorten(' '.join(one['source']), _NAME_CHARS)}"


def fits_reasons(catalog: Catalog, run: Run) -> bool:
    """Say whether the words that pushed the run's label can be told."""
    return _offers(catalog, run, looks.REASONS) and any(label_view.fits(output) for output in run.outputs)


def draw_reasons(session: Session, run: Run, key: str) -> None:
    """Draw how far each word pushed a label up or down."""
    st.caption(
        "Integrated gradients: the text is built up from unknown words, and each word gets its part of how much a "
        "label's logit rose."
    )
    asked = Request(model=run.request.model, inputs={"prompt": run.request.inputs["prompt"][:_PROMPT_CHARS]},
                    study=looks.REASONS)  # fmt: skip
    found = studies.study(session, run, asked)
    if found:
        _draw_pushes(found[0], f"{key}-{found[0].sha256[:8]}")


@st.fragment
def _draw_pushes(view: Output, key: str) -> None:
    told: dict[str, Any] = json.loads(view.data)
    each = {one["label"]: one for one in told["labels"]}
    label = st.segmented_control(
        "Label", list(each), default=next(iter(each)), required=True, wrap=True, key=state.key(key, "label"),
        format_func=lambda one: plain(f"{one} {each[one]['chance']:.0%}"),
    )  # fmt: skip
    one = each[str(label)]
    word_pushes.draw(told["words"], one["pushes"], str(label), f"{key}-words")
    st.caption(
        f"In all, the logit of “{plain(str(label))}” rose by {one['rise']:+.2f}; the words add up to {one['sum']:+.2f}."
        + (f" The first of {told['of']} parts is shown." if told["of"] > 1 else "")
    )
