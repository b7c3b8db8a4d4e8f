"""Go through the pictures of a strip, one beside another's, by a slider or as a film."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components import picture_parts

_HTML = """
<div class="player">
  <div class="screens">
    <figure><figcaption></figcaption><div class="stage"><canvas role="img"></canvas></div></figure>
    <figure><figcaption></figcaption><div class="stage"><canvas role="img"></canvas></div></figure>
  </div>
  <div class="bar">
    <button type="button" aria-label="Play">Play</button>
    <div class="track">
      <input type="range" min="0" value="0" step="1" aria-label="Frame">
      <div class="tick" hidden><i></i><span></span></div>
    </div>
    <output></output>
  </div>
  <p class="caption"></p>
</div>
"""

_CSS = (
    picture_parts.CSS
    + """
.player { font: 400 .9rem var(--st-font); color: var(--st-text-color); }
.screens { display: flex; gap: 1rem; align-items: end; }
figure { margin: 0; min-width: 0; }
figcaption { margin-bottom: .35rem; font-weight: 600; font-size: .85rem; overflow-wrap: anywhere; }
.bar { display: flex; gap: .8rem; align-items: start; margin-top: .8rem; max-width: 100%; min-width: min(100%, 20rem); }
.bar button { min-width: 4.6rem; }
.bar output { min-width: 3.8rem; line-height: 2.4rem; text-align: right; font-variant-numeric: tabular-nums; }
.track { position: relative; flex: 1; min-width: 0; padding-top: .45rem; }
.track input { display: block; width: 100%; }
.tick { position: relative; height: 1.5rem; margin: 0 9px; pointer-events: none; }
.tick i { position: absolute; top: -.1rem; left: var(--at); width: 2px; height: .5rem; margin-left: -1px;
  background: var(--st-text-color); }
.tick span { position: absolute; top: .45rem; left: var(--at); transform: translateX(calc(-1 * var(--at)));
  white-space: nowrap; font-size: .8rem; }
.caption { margin: .3rem 0 0; min-height: 1.5em; overflow-wrap: anywhere; line-height: 1.5; }
@media (max-width: 640px) { .screens { gap: .6rem; } .bar { gap: .6rem; } .bar output { min-width: 3.2rem; } }
"""
)

_JS = (
    picture_parts.JS
    + """
const PAUSE_MS = 125;

function build(root) {
  const find = (name) => root.querySelector(name);
  const figures = [...root.querySelectorAll("figure")], button = find("button"), slider = find("input");
  const strips = figures.map(() => new Image());
  let data = null, clock = null;

  function show() {
    const at = Number(slider.value), [width, height] = data.tile, text = data.captions[at] || "";
    figures.forEach((figure, index) => {
      const canvas = figure.querySelector("canvas"), strip = strips[index], pen = canvas.getContext("2d");
      canvas.setAttribute("aria-label", [data.titles[index], text].filter(Boolean).join(": ") || "Frame " + (at + 1));
      if (index >= data.urls.length || !strip.complete || !strip.naturalWidth) return;
      pen.clearRect(0, 0, width, height);
      pen.drawImage(strip, at * width, 0, width, height, 0, 0, width, height);
    });
    find("output").textContent = at + 1 + " / " + data.count;
    find(".caption").textContent = text;
    slider.setAttribute("aria-valuetext", at + 1 + " of " + data.count + (text ? ": " + text : ""));
  }
  function pause() {
    clearInterval(clock);
    clock = null;
    button.textContent = "Play";
    button.setAttribute("aria-label", "Play");
  }
  function play() {
    if (Number(slider.value) >= data.count - 1) slider.value = 0;
    show();
    button.textContent = "Pause";
    button.setAttribute("aria-label", "Pause");
    clock = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= data.count - 1) pause();
    }, PAUSE_MS);
  }
  button.addEventListener("click", () => { if (clock) pause(); else if (data.count > 1) play(); });
  slider.addEventListener("input", () => { pause(); show(); });
  strips.forEach((strip) => strip.addEventListener("load", () => show()));

  function measure() {
    if (!data) return;
    const many = data.urls.length, gap = parseFloat(getComputedStyle(find(".screens")).columnGap) || 0;
    const room = Math.floor((root.clientWidth - (many - 1) * gap) / many);
    const wide = figures.slice(0, many).map((figure) => {
      const width = fit(figure.querySelector(".stage"), ...data.tile, room);
      figure.style.width = width + "px";
      return width;
    });
    find(".bar").style.width = wide[0] * many + (many - 1) * gap + "px";
  }
  const watch = new ResizeObserver(measure);
  watch.observe(root);

  return {
    close() { watch.disconnect(); pause(); },
    update(fresh) {
      const [width, height] = fresh.tile, last = Math.max(1, fresh.count - 1);
      if (clock && data.urls.join() !== fresh.urls.join()) pause();
      data = fresh;
      slider.max = fresh.count - 1;
      slider.disabled = fresh.count < 2;
      button.setAttribute("aria-disabled", String(fresh.count < 2));
      figures.forEach((figure, index) => {
        figure.hidden = index >= fresh.urls.length;
        if (figure.hidden) return;
        const canvas = figure.querySelector("canvas"), title = figure.querySelector("figcaption");
        title.textContent = fresh.titles[index];
        title.hidden = !fresh.titles[index];
        if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
        if (strips[index].src !== fresh.urls[index]) strips[index].src = fresh.urls[index];
      });
      const tick = find(".tick");
      tick.hidden = fresh.marker === null;
      tick.style.setProperty("--at", 100 * (fresh.marker || 0) / last + "%");
      tick.querySelector("span").textContent = fresh.marker_label;
      measure();
      show();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".player");
  root.player = root.player || build(root);
  root.player.update(data);
  return root.player.close;
}
"""
)

_component = st.components.v2.component("playground_frame_player", html=_HTML, css=_CSS, js=_JS)


def draw(
    sheet_png: bytes,
    count: int,
    tile: tuple[int, int],
    key: str,
    *,
    captions: Sequence[str],
    second_sheet_png: bytes | None = None,
    titles: tuple[str, str] = ("", ""),
    marker: int | None = None,
    marker_label: str = "",
) -> None:
    """Draw one of the `count` tiles of a strip, and the same of a second strip, under a slider.

    `marker` is a tile to point out on the slider, `marker_label` what is to be said of it.
    """
    sheets = [sheet_png] if second_sheet_png is None else [sheet_png, second_sheet_png]
    data = {
        "urls": [picture_parts.png_url(sheet) for sheet in sheets],
        "count": count,
        "tile": list(tile),
        "captions": list(captions),
        "titles": list(titles),
        "marker": marker if marker is not None and 0 <= marker < count else None,
        "marker_label": marker_label,
    }
    _component(key=key, data=data)
