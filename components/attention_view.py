"""A text whose tokens show where they look: shading on the words, and a map of who looks at whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from components import token_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HTML = """
<div class="panel attention">
  <div class="row" role="radiogroup" aria-label="Direction">
    <label><input type="radio" name="way" value="out" checked> what it looks at</label>
    <label><input type="radio" name="way" value="in"> what looks at it</label>
    <label class="sink"><input type="checkbox"> leave out the first token</label>
  </div>
  <div class="text" role="listbox" aria-label="Tokens; arrow keys choose one"></div>
  <p class="said" aria-live="polite"></p>
  <div class="map"><canvas role="img"></canvas><i class="mark"></i></div>
  <p class="note">Each row is a token that looks, each column one that is looked at, both in reading order.
    Press a row to choose its token.</p>
</div>
"""

_CSS = (
    token_parts.CSS
    + """
.map { position: relative; width: min(100%, 26rem); aspect-ratio: 1; outline: 1px solid var(--st-border-color);
  background: var(--st-secondary-background-color); border-radius: .3rem; overflow: hidden; cursor: crosshair; }
.map canvas { width: 100%; height: 100%; }
.mark { position: absolute; pointer-events: none; border: 1px solid var(--st-text-color); min-height: 3px;
  min-width: 3px; }
"""
)

_JS = (
    token_parts.JS
    + """
const NAMED = 5;

function build(root) {
  const find = (name) => root.querySelector(name), canvas = find("canvas"), sink = find(".sink input");
  let data = null, rows = null, before = null, shown = 0;
  const share = (value) => (value / 255) ** 2;
  const inward = () => find("input[value=in]").checked;
  const drop = () => sink.checked && data.first === 0;

  // how much of its attention token `from` gives to token `to`, 0 … 1
  function weight(from, to) {
    if (to > from) return 0;
    const start = from * (from + 1) / 2, whole = share(rows[start + to]);
    if (!drop() || from === 0) return whole;
    return to === 0 ? 0 : Math.min(1, whole / Math.max(1e-6, 1 - share(rows[start])));
  }
  function show(at) {
    shown = at;
    const count = data.pieces.length, colour = ink(root, "--st-primary-color");
    const of = (place) => inward() ? weight(place, at) : weight(at, place);
    text.shade((place) => Math.sqrt(of(place)), () => colour);
    const found = data.pieces.map((piece, place) => [of(place), place]).filter(([value]) => value >= .005)
      .sort((a, b) => b[0] - a[0]).slice(0, NAMED);
    const said = find(".said"), own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(data.pieces[at]);
    const list = found.map(([value, place]) => quoted(data.pieces[place]) + " " + Math.round(100 * value) + " %"
      + (place === at ? " (itself)" : "")).join("  ·  ");
    const early = !inward() && data.first ? share(before[at]) : 0;
    more.textContent = (inward() ? " is looked at by " : " looks at ") + (list || "nothing much")
      + (early >= .005 ? "  ·  what came before the tokens shown " + Math.round(100 * early) + " %" : "");
    said.replaceChildren(own, more);
    const mark = find(".mark"), part = 100 / count;
    Object.assign(mark.style, inward()
      ? { left: at * part + "%", top: 0, width: part + "%", height: "100%" }
      : { left: 0, top: at * part + "%", width: "100%", height: part + "%" });
  }
  function draw() {
    const count = data.pieces.length, pen = canvas.getContext("2d"), colour = ink(root, "--st-primary-color");
    canvas.width = canvas.height = count;
    const picture = pen.createImageData(count, count);
    for (let from = 0; from < count; from++) for (let to = 0; to <= from; to++)
      picture.data.set([...colour, Math.round(255 * Math.sqrt(weight(from, to)))], 4 * (from * count + to));
    pen.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", "Attention of " + data.title + ": " + count + " tokens by " + count);
  }
  const text = reader(find(".text"), (at) => { if (rows) show(at); });
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), count = data.pieces.length;
    const along = inward() ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
    return Math.max(0, Math.min(count - 1, Math.floor(along * count)));
  };
  canvas.addEventListener("click", (event) => text.choose(place(event), false));
  canvas.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") show(place(event)); });
  canvas.addEventListener("pointerleave", () => show(text.at));
  root.addEventListener("change", () => { draw(); show(text.at); });

  return {
    update(fresh) {
      data = fresh; rows = bytes(fresh.rows); before = bytes(fresh.before);
      find(".sink").hidden = fresh.first !== 0;
      const kept = text.at;
      const anew = text.fill(fresh.pieces, fresh.prompt, fresh.pieces.length - 1);
      draw();
      show(anew ? text.at : kept);
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".attention");
  root.view = root.view || build(root);
  root.view.update(data);
}
"""
)

_component = st.components.v2.component("playground_attention", html=_HTML, css=_CSS, js=_JS)


def draw(
    weights: NDArray[np.floating], before: NDArray[np.floating], pieces: Sequence[str], key: str, *,
    prompt: int, first: int, title: str,
) -> None:  # fmt: skip
    """Draw one table of attention (tokens × tokens, 0 … 1, row looks at column) over its text.

    `before` (tokens) went to what came before the text shown, which begins at token `first`; the first `prompt` of
    `pieces` were given. `title` names whose attention it is.
    """
    table = token_parts.roots(weights)
    data = {
        "pieces": list(pieces), "prompt": prompt, "first": first, "title": title,
        "rows": token_parts.encode(table[np.tril_indices(len(table))]),
        "before": token_parts.encode(token_parts.roots(before)),
    }  # fmt: skip
    _component(key=key, data=data)
