"""Look inside the model that wrote a text: its attention, its layers, its memory, its tokens.

The page holds no more of a look than it draws; the rest stays in the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from components import desk as desks
from components import rooms, state, studies
from components.escape import plain
from components.session import Session
from components.text import attention_view, head_grid, lens_view, state_view, text_box, tokenizer_view, variant
from components.text.lens_view import Cell
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.text import looks
from models.types import Output, Request, Run

WINDOW = 32  # tokens across a table of layers
_RESULT, _PROMPT, _OTHER = "This text", "The prompt box", "Another text"
_KINDS = {"Hidden state": 0, "Cell state": 1}
_COLOURS = ("Top prediction's probability", "Actual token's probability")


def kept(run: Run) -> list[Output]:
    """Return what a run kept of its texts, one for each variant."""
    return [output for output in run.outputs if output.kind == "view" and output.meta.get("what") == "logits"]


def request(run: Run, output: Output, study: str, model: str = "") -> Request:
    """Return the request for a look into a kept text, by the run's own model or another one."""
    inputs = {"prompt": run.request.inputs["prompt"], "view": f"sha256:{output.sha256}"}
    return Request(model=model or run.request.model, inputs=inputs, study=study)


def rescored(session: Session, run: Run, output: Output, model: str) -> dict[str, Any] | None:
    """Return how another model finds a kept text (see `models.text.looking.rescoring`); None while it is looked for."""
    asked = request(run, output, "rescore", model)
    found = studies.study(session, run, asked, f"rescore-{output.index}-{model}")
    if not found:
        return None
    content: dict[str, Any] = json.loads(found[0].data)
    return content


def _fits(catalog: Catalog, run: Run, study: str) -> bool:
    if run.request.model not in catalog or not kept(run):
        return False
    has: Any = catalog[run.request.model].facts.get("insides", [])
    return study in has


def fits_attention(catalog: Catalog, run: Run) -> bool:
    """Say whether the run's model has attention to show."""
    return _fits(catalog, run, "attention")


def fits_lens(catalog: Catalog, run: Run) -> bool:
    """Say whether the layers of the run's model can be read as text."""
    return _fits(catalog, run, "lens")


def fits_state(catalog: Catalog, run: Run) -> bool:
    """Say whether the run's model has a recurrent state."""
    return _fits(catalog, run, "state")


def fits_tokens(catalog: Catalog, run: Run) -> bool:
    """Say whether the run's model can cut a text into tokens for us."""
    return run.request.model in catalog and "tokens" in catalog.family(run.request.model).tools


def draw_attention(session: Session, run: Run, key: str) -> None:
    """Draw where the tokens of a text look, by layer and head."""
    st.caption(
        "To predict each next token, every head of every layer attends to earlier tokens, some more than others. "
        "Choose a token: darker means more attention."
    )
    found = _look(session, run, "attention", key)
    if found is not None:
        _draw_part(_draw_heads, session.jobs, found, f"{key}-{found.sha256[:8]}")


def _draw_heads(jobs: Jobs, found: Output, key: str) -> None:
    layers, heads = int(found.meta["layers"]), int(found.meta["heads"])
    at_layer, at_head = state.at(state.key(key, "layer")), state.at(state.key(key, "head"))
    grid = state.at(state.key(key, "grid"))
    picked = head_grid.read_pick((grid.get() or {}).get("pick"), layers, heads)
    if picked is not None:  # before the two choices are drawn, which then show it
        at_layer.set(picked[0])
        at_head.set(picked[1])
    ref, meta = found.sha256, found.meta
    left, right = st.columns(2)
    layer = right.selectbox(
        "Layer", range(-1, layers), key=at_layer.key,
        format_func=lambda at: f"Layer {at + 1} of {layers}" if at >= 0 else "Mean of all layers",
    )  # fmt: skip
    head = right.selectbox(
        "Head", range(-1, heads), key=at_head.key, disabled=layer < 0,
        format_func=lambda at: f"Head {at + 1} of {heads}" if at >= 0 else "Mean of all heads",
    )  # fmt: skip
    with left:
        thumbs = looks.part(jobs.store, ref, "thumbs")
        head_grid.draw(thumbs, grid.key, chosen=(layer, head) if layer >= 0 and head >= 0 else None)
    right.caption("Each small map is one attention head: rows are layers, columns heads. Press one to open it.")
    if layer >= 0 and head >= 0:
        weights, title = looks.part(jobs.store, ref, "attention", layer, head), f"layer {layer + 1}, head {head + 1}"
        before = looks.part(jobs.store, ref, "before", layer, head)
    elif layer >= 0:
        weights, title = looks.part(jobs.store, ref, "means", layer), f"layer {layer + 1}, all heads"
        before = looks.part(jobs.store, ref, "before", layer).astype(np.float32).mean(0)
    else:
        weights, title = looks.part(jobs.store, ref, "means", layers), "all layers and heads"
        before = looks.part(jobs.store, ref, "before").astype(np.float32).mean((0, 1))
    attention_view.draw(
        weights, before, meta["pieces"], f"{key}-view", prompt=int(meta["prompt"]), first=int(meta["first"]),
        title=title,
    )  # fmt: skip
    _say_cut(meta, "the attention of")


def draw_lens(session: Session, run: Run, key: str) -> None:
    """Draw what each layer would have written."""
    st.caption(
        "Logit lens: what each layer would predict if the model ended there (its output goes through the final "
        "norm and output head). ✓: the actual token."
    )
    found = _look(session, run, "lens", key)
    if found is not None:
        _draw_part(_draw_layers, session.jobs, found, f"{key}-{found.sha256[:8]}")


def _draw_layers(jobs: Jobs, found: Output, key: str) -> None:
    meta, layers, count = found.meta, int(found.meta["layers"]), len(found.meta["pieces"])
    st.markdown(plain(settled(meta["settled"], layers)))
    colour = st.segmented_control("Colour", _COLOURS, default=_COLOURS[0], required=True, key=f"{key}-colour")
    start = 0
    if count > WINDOW:
        start = st.slider("From token", 1, count - WINDOW + 1, min(int(meta["prompt"]) + 1, count - WINDOW + 1),
                          key=f"{key}-from") - 1  # fmt: skip
    part = slice(start, start + WINDOW)
    top, top_p, came, rank = (looks.part(jobs.store, found.sha256, name)[:, part]
                              for name in ("top", "top_p", "came_p", "rank"))  # fmt: skip
    words = looks.words(jobs.store, found.sha256)
    strength = top_p[..., 0] if colour == _COLOURS[0] else came
    rows: list[list[Cell]] = [
        [
            {
                "top": [(words[int(token)], round(float(p), 4)) for token, p in zip(*here, strict=True)],
                "strength": round(float(strength[row, at]), 3), "came": round(float(came[row, at]), 6),
                "rank": int(rank[row, at]),
            }
            for at, here in enumerate(zip(top[row], top_p[row], strict=True))
        ]
        for row in range(layers + 1)
    ]  # fmt: skip
    names = ["Embeddings (before layer 1)", *(f"After layer {layer}" for layer in range(1, layers + 1))]
    lens_view.draw(names, rows, meta["pieces"][part], f"{key}-view", prompt=max(0, int(meta["prompt"]) - start))
    _say_cut(meta, "the layers at")


def settled(rows: list[int], layers: int) -> str:
    """Say how early the final prediction led: "At 12 of 40 positions the final prediction already led before …"."""
    early = sum(row < layers for row in rows)
    half = sum(row <= layers / 2 for row in rows)
    return (
        f"At {early:,} of {len(rows):,} positions the final prediction already led before the last layer; at {half:,}, "
        f"by half of the {layers} layers."
    )


def draw_state(session: Session, run: Run, key: str) -> None:
    """Draw a recurrent model's memory over the text."""
    st.caption(
        "This model reads token by token and keeps everything in a state of fixed size. Each unit is one number: "
        "choose one to see where it rises and falls."
    )
    found = _look(session, run, "state", key)
    if found is not None:
        _draw_part(_draw_units, session.jobs, found, f"{key}-{found.sha256[:8]}")


def _draw_units(jobs: Jobs, found: Output, key: str) -> None:
    meta, layers = found.meta, int(found.meta["layers"])
    left, right = st.columns(2)
    layer = left.selectbox("Layer", range(layers), layers - 1, key=f"{key}-layer",
                           format_func=lambda at: f"Layer {at + 1} of {layers}")  # fmt: skip
    kind = right.segmented_control("State", list(_KINDS), default="Hidden state", required=True, key=f"{key}-kind")
    place = (int(layer), _KINDS[str(kind)])
    values, units, change = (looks.part(jobs.store, found.sha256, name, *place)
                             for name in ("state", "units", "change"))  # fmt: skip
    state_view.draw(
        values, units.tolist(), change.tolist(), meta["pieces"], f"{key}-view", prompt=int(meta["prompt"]),
        title=f"{kind} of layer {layer + 1}",
    )  # fmt: skip
    st.caption(f"{len(values)} of {meta['units']} units are shown: those that vary most.")
    _say_cut(meta, "the state at")


def draw_tokens(session: Session, run: Run, key: str) -> None:
    """Draw a text cut into tokens: the run's, the prompt box's, or any other."""
    st.caption("A model reads and writes tokens, not letters: pieces of text from a fixed list, each with a number.")
    choices = [*([_RESULT] if kept(run) else []), _PROMPT, _OTHER]
    chosen = st.segmented_control("Tokens of", choices, default=choices[0], required=True, key=f"{key}-of")
    if chosen == _RESULT:
        output = variant.choose(kept(run), key)
        tokenizer_view.draw(session.jobs, run.request.model, {"ref": f"sha256:{output.sha256}"}, f"{key}-result")
        return
    if chosen == _PROMPT:
        text = desks.of(session, rooms.of(run.request.model), run.request.model).prompt.get()
        tokenizer_view.draw(session.jobs, run.request.model, {"text": text}, f"{key}-prompt")
        return
    _draw_any(session.jobs, run.request.model, f"{key}-any")


@st.fragment
def _draw_any(jobs: Jobs, model: str, key: str) -> None:
    text = text_box.draw("Any text", f"{key}-box", placeholder="Write or paste here: the tokens come as you type.")
    tokenizer_view.draw(jobs, model, {"text": text}, key)


def _look(session: Session, run: Run, study: str, key: str) -> Output | None:
    """Return a study's view of the chosen variant, its bytes left in the store; None while it is looked for."""
    output = variant.choose(kept(run), key)
    found = studies.study(session, run, request(run, output, study), f"{study}-{output.index}", load=False)
    return found[0] if found else None


@st.fragment
def _draw_part(draw: Callable[[Jobs, Output, str], None], jobs: Jobs, found: Output, key: str) -> None:
    """Draw a look by itself, so that a choice in it redraws nothing else."""
    try:
        draw(jobs, found, key)
    except PlaygroundError as error:  # cleared from the store meanwhile
        st.warning(plain(error.message), icon=":material/warning:")


def _say_cut(meta: dict[str, Any], what: str) -> None:
    shown = int(meta["of"]) - int(meta["first"])
    if meta["first"] > 1:  # a lens has none at the first token
        st.caption(f":material/info: The text has {meta['of']:,} tokens; {what} its last {shown:,} are shown.")
