"""Every head of a Transformer as a small picture of its attention, to pick one from: layers down, heads across."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import token_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HTML = '<div class="heads" role="radiogroup" aria-label="Heads"></div>'

_CSS = (
    token_parts.CSS
    + """
.heads { display: grid; gap: 4px; align-items: center; width: fit-content; max-width: 100%; padding: 3px;
  font: 400 .78rem var(--st-font); color: var(--st-text-color);
  grid-template-columns: auto repeat(var(--count), minmax(0, 56px)); }
.heads > i { font-style: normal; opacity: .8; white-space: nowrap; text-align: center; }
.heads > i.layer { text-align: end; padding-inline-end: .35rem; }
.heads button { padding: 0; border: 1px solid var(--st-border-color); border-radius: .3rem; cursor: pointer; margin: 0;
  aspect-ratio: 1; width: 100%; overflow: hidden; background: var(--st-secondary-background-color); }
.heads button canvas { width: 100%; height: 100%; }
.heads button:hover { border-color: var(--st-primary-color); }
.heads button[aria-checked=true] { outline: 3px solid var(--st-primary-color); outline-offset: 0; }
"""
)

_JS = (
    token_parts.JS
    + """
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".heads"), { layers, heads, side } = data;
  const colour = ink(box, "--st-primary-color"), drawn = data.thumbs + colour;
  box.style.setProperty("--count", heads);
  if (box.drawn !== drawn) {
    box.drawn = drawn;
    const all = bytes(data.thumbs), parts = [];
    const label = (text, name) => {
      const one = document.createElement("i");
      one.textContent = text; one.className = name; one.setAttribute("aria-hidden", "true");
      return one;
    };
    parts.push(label("", ""));
    for (let head = 0; head < heads; head++) parts.push(label(head + 1, ""));
    for (let layer = 0; layer < layers; layer++) {
      parts.push(label(heads > 8 ? layer + 1 : "Layer " + (layer + 1), "layer"));
      for (let head = 0; head < heads; head++) {
        const button = document.createElement("button"), canvas = document.createElement("canvas");
        const name = `Layer ${layer + 1}, head ${head + 1}`;
        button.type = "button"; button.title = name; button.setAttribute("aria-label", name);
        button.setAttribute("role", "radio");
        button.dataset.place = layer * heads + head;
        canvas.width = canvas.height = side;
        const pen = canvas.getContext("2d"), picture = pen.createImageData(side, side);
        const start = (layer * heads + head) * side * side;
        for (let at = 0; at < side * side; at++) picture.data.set([...colour, all[start + at]], 4 * at);
        pen.putImageData(picture, 0, 0);
        button.append(canvas);
        parts.push(button);
      }
    }
    box.replaceChildren(...parts);
  }
  const buttons = [...box.querySelectorAll("button")];
  const chosen = data.chosen ? data.chosen[0] * heads + data.chosen[1] : -1;
  const pick = (place) => setTriggerValue("pick", [Math.floor(place / heads), place % heads]);
  buttons.forEach((button, place) => {
    button.setAttribute("aria-checked", String(place === chosen));
    button.tabIndex = place === Math.max(0, chosen) ? 0 : -1;
    button.onclick = () => pick(place);
    button.onkeydown = (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads }[event.key];
      if (!way || !buttons[place + way]) return;
      event.preventDefault();
      buttons[place + way].focus();
      pick(place + way);
    };
  });
}
"""
)

_component = st.components.v2.component("playground_head_grid", html=_HTML, css=_CSS, js=_JS)


def draw(thumbs: NDArray[np.uint8], key: str, *, chosen: tuple[int, int] | None) -> tuple[int, int] | None:
    """Draw heads (layers × heads × side × side, 0 … 255), `chosen` marked; return the one just picked, or None."""
    layers, heads, side, _ = thumbs.shape
    data = {
        "thumbs": token_parts.encode(thumbs), "layers": layers, "heads": heads, "side": side,
        "chosen": list(chosen) if chosen is not None else None,
    }  # fmt: skip
    return read_pick(_component(key=key, data=data, on_pick_change=lambda: None).pick, layers, heads)


def read_pick(value: object, layers: int, heads: int) -> tuple[int, int] | None:
    """Return the layer and head that a browser sent, or None if they are none."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(type(one) is int for one in value):
        return None
    layer, head = value
    return (layer, head) if 0 <= layer < layers and 0 <= head < heads else None
