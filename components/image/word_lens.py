"""Word lens: where in the picture each word of the prompt acted."""

from __future__ import annotations

import streamlit as st

from components import studies
from components.escape import plain
from components.image import image_view
from components.session import Session
from models.catalog import Catalog
from models.image import sheets
from models.types import Output, Run


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether the run's model can be listened to: a U-Net with cross-attention."""
    if run.request.model not in catalog or "words" not in catalog.family(run.request.model).studies:
        return False
    return bool(catalog[run.request.model].facts.get("word_maps"))


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the heat map of a chosen word over the picture, and those of all words small beside it."""
    st.caption(
        "Where the prediction changes when this word is left out of the prompt. Pale: little; strong: much, on one "
        "scale for all words. Mean over steps, first image. Not where the word is drawn, nor what the model means by "
        "it: words act together, and a word that stands twice seems to do little."
    )
    outputs = studies.study(session, run, run.request.model_copy(update={"study": "words"}))
    if not outputs:
        return
    picture, heats = outputs[0], outputs[1:]
    if not heats:
        st.caption("The prompt has no words, so there is nothing to show.")
        return
    words = [str(heat.meta["word"]) for heat in heats]
    place = st.pills(
        "Word", range(len(words)), format_func=lambda index: plain(words[index]), default=0, key=f"{key}-word",
        required=True,
    )  # fmt: skip
    chosen = heats[place or 0]
    large = [picture, _over(picture, chosen)]
    image_view.draw(large, f"{key}-lens", run=key, titles=["the image", words[place or 0]])
    st.image(sheets.heat_legend(), width=160, alt="Scale of the map, from no change to the largest")
    if len(heats) > 1:
        st.caption("All words")
        shown = [_over(picture, heat) for heat in heats[:8]]
        image_view.draw(shown, f"{key}-lens-all", run=key, titles=words[:8])


def _over(picture: Output, heat: Output) -> Output:
    return Output("image", heat.index, "", sheets.heat_over(picture.data, heat.data), "image/png", meta=picture.meta)
