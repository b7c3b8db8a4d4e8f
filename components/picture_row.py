"""Pictures in a row, each with its name, what it is and what is to be said of it. All words are text, never markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from components import picture_parts
from models.jobs import Jobs
from models.sheets import thumbnail
from models.types import Output

_HTML = '<div class="pictures" role="list"></div>'

_CSS = (
    picture_parts.CSS
    + """
.pictures { display: grid; gap: 1rem .9rem; font: 400 .9rem/1.5 var(--st-font); color: var(--st-text-color);
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
figure { margin: 0; min-width: 0; }
.stage { aspect-ratio: 1; }
.stage p { position: absolute; inset: 0; margin: 0; padding: .5rem; display: grid; place-items: center;
  text-align: center; font-size: .85rem; overflow: hidden; }
.chosen .stage { outline: 3px solid var(--st-primary-color); }
figcaption { margin-top: .35rem; overflow-wrap: anywhere; }
figcaption b { display: block; font-weight: 600; }
figcaption span { display: block; margin-top: .2rem; }
"""
)

_JS = (
    picture_parts.JS
    + """
function add(root) {
  const figure = document.createElement("figure"), stage = document.createElement("div");
  figure.setAttribute("role", "listitem");
  stage.className = "stage";
  const image = document.createElement("img");
  image.addEventListener("load", () => root.row.measure());
  stage.append(image, document.createElement("p"));
  figure.append(stage, document.createElement("figcaption"));
  root.append(figure);
  return figure;
}

function build(root) {
  let side = 128;
  const measure = () => {
    for (const figure of root.children) {
      const image = figure.querySelector("img"), room = Math.min(figure.clientWidth, side);
      const known = !image.hidden && image.naturalWidth;
      fit(figure.querySelector(".stage"), known ? image.naturalWidth : room, known ? image.naturalHeight : room, room);
    }
  };
  const watch = new ResizeObserver(measure);
  watch.observe(root);
  return {
    measure,
    close: () => watch.disconnect(),
    update(data) {
      side = data.side;
      root.style.setProperty("--least", side + "px");
      root.setAttribute("aria-label", data.label);
      while (root.children.length > data.items.length) root.lastChild.remove();
      data.items.forEach((item, index) => {
        const figure = root.children[index] || add(root);
        const image = figure.querySelector("img"), instead = figure.querySelector("p");
        figure.className = item.chosen ? "chosen" : "";
        if (item.url && image.getAttribute("src") !== item.url) image.src = item.url;
        image.hidden = !item.url;
        image.alt = item.title;
        instead.textContent = item.instead;
        instead.hidden = !!item.url;
        const words = [item.title && "b:" + item.title, ...item.lines.map((line) => "span:" + line)].filter(Boolean);
        const caption = figure.querySelector("figcaption");
        if (caption.dataset.words === words.join("\\n")) return;
        caption.dataset.words = words.join("\\n");
        caption.replaceChildren(...words.map((word) => {
          const at = word.indexOf(":"), node = document.createElement(word.slice(0, at));
          node.textContent = word.slice(at + 1);
          return node;
        }));
      });
      measure();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".pictures");
  root.row = root.row || build(root);
  root.row.update(data);
  return root.row.close;
}
"""
)

_component = st.components.v2.component("playground_picture_row", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Item:
    """Show one picture (PNG), or `instead` where there is none yet; `lines` stand under its title."""

    title: str = ""
    png: bytes = b""
    lines: tuple[str, ...] = ()
    instead: str = ""
    chosen: bool = False


def draw(items: Sequence[Item], key: str, *, side: int, label: str) -> None:
    """Draw pictures side by side, at most `side` px wide; `label` says what they are together."""
    shown = []
    for item in items:
        values = asdict(item)
        png = values.pop("png")
        shown.append({**values, "lines": list(item.lines), "url": picture_parts.png_url(_small(png)) if png else ""})
    _component(key=key, data={"items": shown, "side": side, "label": label})


def png_of(jobs: Jobs, output: Output) -> bytes:
    """Return an output's bytes, read from the store where the record does not hold them. Raises `BadInput`."""
    return output.data or jobs.store.get_bytes(output.sha256)


def _small(png: bytes) -> bytes:
    # twice the width on the page: sharp on dense screens, and still small enough for a data address
    return thumbnail(png, 512)
