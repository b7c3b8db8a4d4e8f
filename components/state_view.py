"""A recurrent model's memory over a text: units by tokens as a map, and one unit's value as shading on the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from components import token_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HTML = """
<div class="panel state">
  <div>
    <div class="bars"><canvas role="img"></canvas></div>
    <div class="map"><canvas role="img"></canvas><i class="mark across"></i><i class="mark down"></i></div>
  </div>
  <div class="row"><label class="unit"><span></span> <input type="range" min="0" step="1" value="0"></label></div>
  <p class="said" aria-live="polite"></p>
  <div class="text" role="listbox" aria-label="Tokens; arrow keys choose one"></div>
  <p class="note key"><i></i> above zero <i></i> below zero</p>
  <p class="note">The bars are how much each token changed the state. In the map each row is a unit, the most lively
    first, and each column a token; strong is far from zero. Press a place in it to see its unit and token.</p>
</div>
"""

_CSS = (
    token_parts.CSS
    + """
.map, .bars { position: relative; width: 100%; background: var(--st-secondary-background-color);
  outline: 1px solid var(--st-border-color); overflow: hidden; }
.bars { height: 2.6rem; margin-bottom: 2px; }
.map { height: 20rem; cursor: crosshair; }
.map canvas, .bars canvas { width: 100%; height: 100%; }
.mark { position: absolute; pointer-events: none; border: 1px solid var(--st-text-color); min-height: 3px;
  min-width: 3px; }
.across { left: 0; width: 100%; } .down { top: 0; height: 100%; opacity: .6; }
.key { display: flex; gap: .4rem; align-items: center; }
.key i { width: 1rem; height: 1rem; border-radius: .2rem; }
.key i:last-of-type { margin-inline-start: .8rem; }
.unit { flex: 1; }
.unit span { min-width: 9.5rem; font-variant-numeric: tabular-nums; }
.unit input { flex: 1; max-width: 26rem; min-width: 6rem; height: 1.4rem; }
@media (max-width: 640px) { .map { height: 15rem; } }
"""
)

_JS = (
    token_parts.JS
    + """
function build(root) {
  const find = (name) => root.querySelector(name), map = find(".map canvas"), bars = find(".bars canvas");
  const slider = find("input");
  let data = null, values = null, shown = 0;
  const inks = () => [ink(root, "--st-primary-color"), ink(root, "--st-chart-categorical-colors", 1)];
  const value = (unit, at) => (values[unit * data.pieces.length + at] - 128) / 127 * data.most;
  const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(data.most < .1 ? 4 : 2);

  function show(at) {
    shown = at;
    const unit = Number(slider.value), [up, down] = inks(), count = data.pieces.length;
    find(".unit span").textContent = "Unit " + data.units[unit] + " (" + (unit + 1) + " of " + data.units.length + ")";
    slider.setAttribute("aria-valuetext", "Unit " + data.units[unit]);
    text.shade((place) => Math.abs(value(unit, place)) / data.most, (place) => value(unit, place) < 0 ? down : up);
    const own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(data.pieces[at]);
    more.textContent = "  ·  unit " + data.units[unit] + " is " + signed(value(unit, at))
      + "  ·  this token changed the whole state by " + data.change[at].toFixed(3);
    find(".said").replaceChildren(own, more);
    Object.assign(find(".across").style,
      { top: 100 * unit / data.units.length + "%", height: 100 / data.units.length + "%" });
    Object.assign(find(".down").style, { left: 100 * at / count + "%", width: 100 / count + "%" });
  }
  function draw() {
    const count = data.pieces.length, units = data.units.length, [up, down] = inks();
    map.width = count; map.height = units;
    const pen = map.getContext("2d"), picture = pen.createImageData(count, units);
    for (let unit = 0; unit < units; unit++) for (let at = 0; at < count; at++) {
      const number = value(unit, at);
      const alpha = Math.round(255 * Math.min(1, Math.abs(number) / data.most));
      picture.data.set([...(number < 0 ? down : up), alpha], 4 * (unit * count + at));
    }
    pen.putImageData(picture, 0, 0);
    root.querySelectorAll(".key i").forEach((one, place) => {
      one.style.background = `rgb(${[up, down][place].join(",")})`;
    });
    map.setAttribute("aria-label", data.title + ": " + units + " units by " + count + " tokens");
    const most = Math.max(...data.change, 1e-9), high = 40, brush = bars.getContext("2d");
    bars.width = count; bars.height = high;
    brush.fillStyle = `rgb(${up.join(",")})`;
    data.change.forEach((number, at) => {
      const tall = Math.max(1, Math.round(high * number / most));
      brush.fillRect(at, high - tall, 1, tall);
    });
    bars.setAttribute("aria-label", "How much each token changed the state, at most " + most.toFixed(3));
  }
  const text = reader(find(".text"), (at) => { if (values) show(at); });
  const place = (event) => {
    const box = map.getBoundingClientRect(), count = data.pieces.length, units = data.units.length;
    return [Math.floor((event.clientX - box.left) / box.width * count),
      Math.floor((event.clientY - box.top) / box.height * units)];
  };
  map.addEventListener("click", (event) => {
    const [at, unit] = place(event);
    slider.value = unit;
    text.choose(Math.max(0, Math.min(data.pieces.length - 1, at)), false);
  });
  slider.addEventListener("input", () => show(shown));

  return (fresh) => {
    const other = !data || JSON.stringify(data.units) !== JSON.stringify(fresh.units);
    data = fresh; values = bytes(fresh.values);
    slider.max = fresh.units.length - 1;
    if (other) slider.value = 0;
    text.fill(fresh.pieces, fresh.prompt, fresh.pieces.length - 1);
    draw();
    show(text.at);
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".state");
  root.view = root.view || build(root);
  root.view(data);
}
"""
)

_component = st.components.v2.component("playground_state", html=_HTML, css=_CSS, js=_JS)


def draw(
    values: NDArray[np.floating], units: Sequence[int], change: Sequence[float], pieces: Sequence[str], key: str, *,
    prompt: int, title: str,
) -> None:  # fmt: skip
    """Draw some units' values (units × tokens) with their numbers (from 0), and how much each token changed all."""
    table = values.astype(np.float32)
    most = max(float(np.abs(table).max()), 1e-6)
    quantised = np.rint(table / most * 127 + 128).astype(np.uint8)
    data = {
        "values": token_parts.encode(quantised), "most": most, "units": [unit + 1 for unit in units],
        "change": [round(float(one), 4) for one in change], "pieces": list(pieces), "prompt": prompt, "title": title,
    }  # fmt: skip
    _component(key=key, data=data)
