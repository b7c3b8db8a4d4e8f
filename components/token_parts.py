"""What the components that draw a text token by token share: its look, going through it by keys, numbers as bytes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CSS = """
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.panel { display: grid; gap: .8rem; grid-template-columns: minmax(0, 1fr); font: 400 .9rem var(--st-font);
  color: var(--st-text-color); padding: 3px; }
.text { max-height: 22rem; overflow: auto; padding: .8rem 1rem; border: 1px solid var(--st-border-color);
  border-radius: .6rem; background: var(--st-secondary-background-color); white-space: pre-wrap;
  overflow-wrap: anywhere; font: 400 1.02rem/1.9 Charter, "Bitstream Charter", Georgia, "DejaVu Serif", serif; }
.token { cursor: pointer; border-radius: .25rem; padding: .12em 0; }
.token.given { text-decoration: underline; text-decoration-color: var(--st-primary-color);
  text-decoration-thickness: 2px; text-underline-offset: .28em; }
.token.chosen { outline: 2px solid var(--st-primary-color); outline-offset: 1px; font-weight: 600; }
.token.special { font: 500 .78em var(--st-code-font, monospace); }
.row { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; }
.row label { display: inline-flex; gap: .4rem; align-items: center; cursor: pointer; min-height: 1.8rem; }
.row input { accent-color: var(--st-primary-color); width: 1.05rem; height: 1.05rem; margin: 0; }
.said { margin: 0; line-height: 1.6; overflow-wrap: anywhere; min-height: 1.6em; }
.said b { font-weight: 650; }
.said span { white-space: pre-wrap; }
.note { margin: 0; font-size: .82rem; opacity: .8; }
canvas { display: block; image-rendering: pixelated; }
:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""

# a token's text is what a model wrote: textContent alone
JS = """
const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const quoted = (text) => "“" + text.replaceAll("\\n", "↵") + "”";
function ink(root, name, place) {
  const said = getComputedStyle(root).getPropertyValue(name).split(",")[place || 0].trim();
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = said || "#888888";
  return [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
}
// a text as a list of tokens: one is chosen by press or arrow keys; hovering shows one until the pointer leaves
function reader(box, pick) {
  let at = 0, count = 0, drawn = "";
  const name = (one) => one ? Number(one.dataset.at) : null;
  function choose(place, focus) {
    const old = box.children[at], now = box.children[place];
    if (!now) return;
    if (old) { old.tabIndex = -1; old.classList.remove("chosen"); old.setAttribute("aria-selected", "false"); }
    at = place;
    now.tabIndex = 0; now.classList.add("chosen"); now.setAttribute("aria-selected", "true");
    if (focus) now.focus();
    pick(at);
  }
  box.addEventListener("click", (event) => {
    const place = name(event.target.closest(".token"));
    if (place !== null) choose(place, true);
  });
  box.addEventListener("pointerover", (event) => {
    const place = event.pointerType === "touch" ? null : name(event.target.closest(".token"));
    if (place !== null) pick(place);
  });
  box.addEventListener("pointerleave", () => pick(at));
  box.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - 10, ArrowDown: at + 10, Home: 0, End: count };
    if (!(event.key in ways) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(count - 1, ways[event.key])), true);
  });
  return {
    get at() { return at; },
    choose,
    fill(pieces, given, start) {
      const now = JSON.stringify([pieces, given]);
      if (now === drawn) return false;
      drawn = now; count = pieces.length; at = 0;
      box.replaceChildren(...pieces.map((piece, place) => {
        const one = document.createElement("span");
        one.className = "token" + (place < given ? " given" : "");
        one.dataset.at = place;
        one.tabIndex = -1;
        one.setAttribute("role", "option");
        one.setAttribute("aria-selected", "false");
        one.textContent = piece.replaceAll("\\n", "↵\\n") || "∅";
        return one;
      }));
      choose(Math.max(0, Math.min(count - 1, start)), false);
      return true;
    },
    shade(strength, colour) {
      [...box.children].forEach((one, place) => {
        const part = Math.max(0, Math.min(1, strength(place)));
        one.style.background = part < .01 ? "transparent"
          : `rgba(${colour(place).join(",")}, ${(.55 * part).toFixed(3)})`;
      });
    },
  };
}
"""


def encode(values: NDArray[np.uint8]) -> str:
    """Return bytes as base64 text, rows one after another."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def roots(shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return shares (0 … 1) as bytes, 255 times their square root: a small one keeps as many digits as a large one."""
    found: NDArray[np.uint8] = np.rint(np.sqrt(np.clip(shares.astype(np.float32), 0, 1)) * 255).astype(np.uint8)
    return found
