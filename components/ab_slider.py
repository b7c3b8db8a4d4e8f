"""Two pictures over one another, with a line between them to drag."""

from __future__ import annotations

import streamlit as st

from components import picture_parts

_HTML = """
<div class="pair">
  <div class="stage">
    <div class="half right"><img alt="" draggable="false"><span></span></div>
    <div class="half left"><img alt="" draggable="false"><span></span></div>
    <input type="range" min="0" max="100" value="50" step="1">
    <div class="line"><div class="grip" aria-hidden="true"></div></div>
  </div>
</div>
"""

_CSS = (
    picture_parts.CSS
    + """
.stage { --at: 50%; touch-action: pan-y; cursor: ew-resize; user-select: none; -webkit-user-select: none; }
.half { position: absolute; inset: 0; }
.left { clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.right { clip-path: inset(0 0 0 var(--at)); }
img { object-fit: contain; background: var(--st-secondary-background-color); }
span { position: absolute; top: .5rem; max-width: calc(50% - 1rem); padding: .15rem .55rem; border-radius: .4rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font: 600 .8rem/1.5 var(--st-font); color: #fff; background: rgb(18 15 28 / .82); }
.left span { left: .5rem; } .right span { right: .5rem; }
input[type=range] { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; pointer-events: none; }
.stage:has(input:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 3px; margin-left: -1.5px; pointer-events: none;
  background: #fff; box-shadow: 0 0 0 1px rgb(0 0 0 / .65); }
.grip { position: absolute; top: 50%; left: 50%; width: 2.2rem; height: 2.2rem; transform: translate(-50%, -50%);
  border-radius: 50%; background: #fff; box-shadow: 0 0 0 1px rgb(0 0 0 / .65), 0 1px 6px rgb(0 0 0 / .4); }
.grip::before, .grip::after { content: ""; position: absolute; top: 50%; width: .5rem; height: .5rem;
  border: solid #23202e; border-width: 2px 0 0 2px; }
.grip::before { left: .55rem; transform: translateY(-50%) rotate(-45deg); }
.grip::after { right: .55rem; transform: translateY(-50%) rotate(135deg); }
"""
)

# the slider hears the keys and screen readers; pointers are read from the stage, as some browsers drag only its thumb
_JS = (
    picture_parts.JS
    + """
function build(root) {
  const stage = root.querySelector(".stage"), slider = root.querySelector("input");
  const images = [".left", ".right"].map((name) => root.querySelector(name + " img"));
  let labels = ["", ""], held = null;

  function show() {
    const at = Number(slider.value);
    stage.style.setProperty("--at", at + "%");
    slider.setAttribute("aria-valuenow", at);
    slider.setAttribute("aria-valuetext", at + " % " + labels[0] + ", " + (100 - at) + " % " + labels[1]);
  }
  function move(event) {
    const place = stage.getBoundingClientRect();
    slider.value = Math.round(100 * (event.clientX - place.left) / place.width);
    show();
  }
  slider.addEventListener("input", show);
  stage.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    slider.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    held = event.pointerId;
    move(event);
  });
  stage.addEventListener("pointermove", (event) => { if (held === event.pointerId) move(event); });
  const lift = (event) => { if (held === event.pointerId) held = null; };
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);

  const measure = () => fit(stage, images[0].naturalWidth, images[0].naturalHeight, root.clientWidth);
  images[0].addEventListener("load", measure);
  const watch = new ResizeObserver(measure);
  watch.observe(root);

  return {
    close: () => watch.disconnect(),
    update(data) {
      labels = data.labels;
      images.forEach((image, index) => {
        if (image.getAttribute("src") !== data.urls[index]) image.src = data.urls[index];
        image.alt = labels[index];
        const label = image.nextElementSibling;
        label.textContent = labels[index];
        label.hidden = !labels[index];
      });
      slider.setAttribute("aria-label", "Divider between " + labels[0] + " and " + labels[1]);
      show();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".pair");
  root.pair = root.pair || build(root);
  root.pair.update(data);
  return root.pair.close;
}
"""
)

_component = st.components.v2.component("playground_ab_slider", html=_HTML, css=_CSS, js=_JS)


def draw(left_png: bytes, right_png: bytes, key: str, *, labels: tuple[str, str]) -> None:
    """Draw two pictures of one size over one another; the left one shows up to the divider."""
    urls = [picture_parts.png_url(png) for png in (left_png, right_png)]
    _component(key=key, data={"urls": urls, "labels": list(labels)})
