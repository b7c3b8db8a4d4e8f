"""Draw pictures, finished or on their way, in one place and size, so that nothing jumps when the result comes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components import picture_parts
from models.types import Output

_HTML = """
<div class="pictures" aria-live="polite"></div>
<label class="smooth"><input type="checkbox"> Smooth the pixels</label>
"""

_CSS = (
    picture_parts.CSS
    + """
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; }
figure .stage { transition: none; }
figcaption { font: 400 .85rem var(--st-font); color: var(--st-text-color); opacity: .8; padding-top: .3rem; }
.smooth { display: inline-flex; gap: .45rem; align-items: center; margin-top: .6rem; cursor: pointer;
  font: 400 .85rem var(--st-font); color: var(--st-text-color); }
.smooth input { accent-color: var(--st-primary-color); }
.pictures.soft img { image-rendering: auto; }
"""
)

# the switch is the reader's own and stays in the browser; text from people goes through textContent and alt alone
_JS = (
    picture_parts.JS
    + """
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".pictures"), soft = parentElement.querySelector(".smooth");
  const tick = soft.querySelector("input"), few = data.pictures.length;
  while (box.children.length > few) box.lastChild.remove();
  const layout = () => {
    const room = box.parentElement.clientWidth, columns = narrow.matches ? Math.min(2, few) : Math.min(4, few);
    const each = few > 1 ? (room - 16 * (columns - 1)) / columns : room;
    data.pictures.forEach((one, index) => {
      const wide = fit(box.children[index].querySelector(".stage"), one.width, one.height, each);
      box.children[index].style.width = wide + "px";
    });
  };
  data.pictures.forEach((one, index) => {
    let figure = box.children[index];
    if (!figure) {
      figure = document.createElement("figure");
      const stage = document.createElement("div"), image = document.createElement("img");
      const caption = document.createElement("figcaption");
      stage.className = "stage"; stage.append(image); figure.append(stage, caption); box.append(figure);
    }
    const image = figure.querySelector("img"), caption = figure.querySelector("figcaption");
    image.hidden = !one.url;  // a place where a picture is to come
    if (one.url && image.getAttribute("src") !== one.url) image.src = one.url;
    image.alt = one.alt;
    caption.textContent = one.label; caption.hidden = !one.label;
  });
  soft.hidden = !data.pictures.some((one) => Math.max(one.width, one.height) <= 128);
  try { tick.checked = localStorage.getItem("playground-smooth") === "1"; } catch (error) { /* no storage */ }
  box.classList.toggle("soft", tick.checked);
  tick.onchange = () => {
    box.classList.toggle("soft", tick.checked);
    try { localStorage.setItem("playground-smooth", tick.checked ? "1" : "0"); } catch (error) { /* as above */ }
  };
  layout();
  const watch = new ResizeObserver(layout);
  watch.observe(box.parentElement);
  if (data.done && window.__playgroundRun === data.run && document.hidden) {
    const before = document.title;
    document.title = "Done · " + before;
    document.addEventListener("visibilitychange", () => { document.title = before; }, { once: true });
  }
  window.__playgroundRun = data.done ? "" : data.run;
  return () => watch.disconnect();
}
"""
)

_component = st.components.v2.component("playground_pictures", html=_HTML, css=_CSS, js=_JS)


def draw(
    outputs: Sequence[Output], key: str, *, run: str, live: bool = False, alt: str = "",
    size: tuple[int, int] | None = None, count: int = 0, titles: Sequence[str] = (),
) -> None:  # fmt: skip
    """Draw pictures side by side, under `titles` if given, else numbered where there are several.

    `size` (width, height) is that of the finished picture, which a preview takes at once; with it, pictures that are
    still to come up to `count` have their empty place. `alt` says in words what was asked for. `run` names the job: the
    tab's title says so when it ends while nobody looks.
    """
    shown = [output for output in outputs if output.kind == "image" and output.data]
    many = max(len(shown), count if size else 0)
    pictures = []
    for place in range(many):
        output = shown[place] if place < len(shown) else Output("image", place)
        width, height = size or (int(output.meta.get("width", 64)), int(output.meta.get("height", 64)))
        label = titles[place] if place < len(titles) else f"{output.index + 1}" if many > 1 else ""
        pictures.append({"url": picture_parts.png_url(output.data) if output.data else "", "width": width,
                         "height": height, "label": label, "alt": alt or "The picture"})  # fmt: skip
    _component(key=key, data={"pictures": pictures, "done": not live, "run": run})
