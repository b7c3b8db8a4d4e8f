"""What the components that draw pictures share: addresses of pictures, their size on the page, the look of controls."""

from __future__ import annotations

import base64

PNG_URL = "data:image/png;base64,"

CSS = """
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.stage { position: relative; overflow: hidden; border-radius: .5rem; outline: 1px solid var(--st-border-color);
  background: var(--st-secondary-background-color); }
.stage img, .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.small img, .small canvas { image-rendering: pixelated; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
button {
  font: 500 .9rem var(--st-font); color: var(--st-text-color); background: transparent; cursor: pointer;
  min-height: 2.4rem; padding: .3rem .85rem; border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius, .6rem);
}
button:hover { border-color: var(--st-primary-color); }
button[aria-pressed=true] { background: var(--st-primary-color); border-color: var(--st-primary-color);
  color: var(--st-background-color); }
button[aria-disabled=true] { opacity: .5; cursor: default; border-color: var(--st-border-color); }
:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
input[type=range] { -webkit-appearance: none; appearance: none; margin: 0; height: 1.5rem; min-width: 0;
  background: transparent; cursor: pointer; border-radius: .5rem; }
input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px;
  background: color-mix(in srgb, var(--st-text-color) 50%, var(--st-background-color)); }
input[type=range]::-moz-range-track { height: 4px; border-radius: 2px;
  background: color-mix(in srgb, var(--st-text-color) 50%, var(--st-background-color)); }
input[type=range]::-webkit-slider-thumb { -webkit-appearance: none; width: 18px; height: 18px; margin-top: -7px;
  border-radius: 50%; background: var(--st-primary-color); }
input[type=range]::-moz-range-thumb { width: 18px; height: 18px; border: 0; border-radius: 50%;
  background: var(--st-primary-color); }
input[type=range]:focus-visible { outline: none; }
input[type=range]:focus-visible::-webkit-slider-thumb {
  box-shadow: 0 0 0 2px var(--st-background-color), 0 0 0 4px var(--st-primary-color); }
input[type=range]:focus-visible::-moz-range-thumb {
  box-shadow: 0 0 0 2px var(--st-background-color), 0 0 0 4px var(--st-primary-color); }
"""

# a small picture is enlarged by a whole number, so that its pixels stay equal; a phone gives it its full width
JS = """
const narrow = window.matchMedia("(max-width: 640px)");
function fit(stage, width, height, room) {
  if (!width || !height || !room) return 0;
  // what is wide, as a spectrogram is, may fill the page
  const most = width > 2 * height ? 960 : 512 * Math.min(1, width / height), free = Math.min(room, most);
  const wide = narrow.matches ? Math.min(room, 2 * most) : free >= width ? Math.floor(free / width) * width : free;
  stage.style.width = wide + "px";
  stage.style.aspectRatio = width + " / " + height;
  stage.classList.toggle("small", Math.max(width, height) <= 128);
  return wide;
}
"""


def png_url(png: bytes) -> str:
    """Return the address under which a browser shows a PNG without asking a server."""
    return PNG_URL + base64.b64encode(png).decode("ascii")
