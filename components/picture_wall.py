"""A wall of thumbnails to choose from, in groups: one press opens what lies behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import streamlit as st

from components import picture_parts


class Cell(TypedDict):
    """Describe one thumbnail: `id` names what it opens, `png` may be empty, `title` says in words what it is."""

    id: str
    png: bytes
    title: str
    label: str


_HTML = '<div class="wall"></div>'

_CSS = (
    picture_parts.CSS
    + """
.wall { display: flex; flex-wrap: wrap; gap: .9rem; align-items: flex-start; padding: 3px; }
.group { display: flex; flex-wrap: wrap; gap: .5rem; max-width: 100%; }
.group.many { padding: .45rem; border-radius: .6rem; background: var(--st-secondary-background-color); }
.wall button { display: grid; gap: .3rem; padding: 0; border: 0; border-radius: .5rem; text-align: start;
  font: 400 .8rem var(--st-font); width: 128px; }
.wall img, .wall .none { display: block; width: 128px; height: 128px; object-fit: contain; border-radius: .5rem;
  outline: 1px solid var(--st-border-color); background: var(--st-secondary-background-color); }
.wall .none { display: grid; place-items: center; }
.wall .small { image-rendering: pixelated; }
.wall span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; opacity: .85; }
.wall button[aria-pressed=true] { background: transparent; color: var(--st-text-color); }
.wall button[aria-pressed=true] :is(img, .none) { outline: 3px solid var(--st-primary-color); }
.wall button[aria-pressed=true] span { opacity: 1; font-weight: 600; }
@media (max-width: 640px) {
  .wall { gap: .6rem; } .wall button { width: 96px; } .wall img, .wall .none { width: 96px; height: 96px; } }
"""
)

# titles are people's words: textContent and attributes alone
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const drawn = JSON.stringify(data.groups);
  if (wall.drawn !== drawn) {
    wall.drawn = drawn;
    wall.replaceChildren(...data.groups.map((group) => {
      const box = document.createElement("div");
      box.className = group.length > 1 ? "group many" : "group";
      box.append(...group.map((cell) => {
        const button = document.createElement("button"), label = document.createElement("span");
        const face = document.createElement(cell.url ? "img" : "div");
        button.type = "button"; button.dataset.id = cell.id; button.title = cell.title;
        button.setAttribute("aria-label", cell.title);
        if (cell.url) {
          face.onload = () => face.classList.toggle("small", Math.max(face.naturalWidth, face.naturalHeight) <= 64);
          face.src = cell.url; face.alt = "";
        } else { face.className = "none"; face.textContent = cell.label; }
        label.textContent = cell.url ? cell.label : "";
        button.append(face, label);
        return button;
      }));
      return box;
    }));
  }
  for (const button of wall.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.id === data.chosen));
    button.onclick = () => setTriggerValue("pick", button.dataset.id);
  }
}
"""

_component = st.components.v2.component("playground_picture_wall", html=_HTML, css=_CSS, js=_JS)


def draw(groups: Sequence[Sequence[Cell]], key: str, chosen: str) -> str | None:
    """Draw groups of thumbnails, `chosen` marked; return the id of the one that was just pressed, or None."""
    data = [
        [{"id": cell["id"], "url": picture_parts.png_url(cell["png"]) if cell["png"] else "", "title": cell["title"],
          "label": cell["label"]} for cell in group]
        for group in groups
    ]  # fmt: skip
    pressed = _component(key=key, data={"groups": data, "chosen": chosen}, on_pick_change=lambda: None).pick
    return pressed if isinstance(pressed, str) else None
