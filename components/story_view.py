"""Draw text outputs: the reader's words apart from the model's, growing while they come. Never as HTML or markdown."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from models.types import Output

_HTML = '<div class="stories" aria-live="polite" aria-label="Result"></div>'

_CSS = """
.stories {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, var(--least, 21rem)), 1fr));
}
article {
  border: 1px solid var(--st-border-color); border-radius: .75rem; padding: 1.1rem 1.35rem; min-height: 7rem;
  background: var(--st-secondary-background-color);
}
article h4 {
  margin: 0 0 .4rem; font: 600 .8rem var(--st-font); color: var(--st-text-color); opacity: .75;
}
article p {
  margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 400 1.12rem/1.65 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "DejaVu Serif", serif;
  color: var(--st-text-color);
}
.given { text-decoration: underline; text-decoration-color: var(--st-primary-color);
  text-decoration-thickness: 2px; text-underline-offset: .28em; }
.live .new::after { content: "▍"; color: var(--st-primary-color); animation: blink 1s steps(2) infinite; }
@keyframes blink { 50% { opacity: 0; } }
@media (prefers-reduced-motion: reduce) { .live .new::after { animation: none; } }
"""

# textContent only: what a model or a person wrote is text, whatever it holds
_JS = """
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".stories");
  box.style.setProperty("--least", data.texts.length === 3 ? "16rem" : "21rem");
  while (box.children.length > data.texts.length) box.lastChild.remove();
  data.texts.forEach((text, index) => {
    let card = box.children[index];
    if (!card) {
      card = document.createElement("article");
      const title = document.createElement("h4"), body = document.createElement("p");
      const given = document.createElement("span"), fresh = document.createElement("span");
      given.className = "given"; fresh.className = "new";
      body.append(given, fresh); card.append(title, body); box.append(card);
    }
    card.className = text.live ? "live" : "";
    const title = card.querySelector("h4");
    title.textContent = text.title; title.hidden = !text.title;
    const set = (name, value) => {
      const node = card.querySelector(name);
      if (node.textContent !== value) node.textContent = value;
    };
    set(".given", text.given); set(".new", text.fresh);
  });
  if (data.done && window.__playgroundRun === data.run && document.hidden) {
    const before = document.title;
    document.title = "Done · " + before;
    document.addEventListener("visibilitychange", () => { document.title = before; }, { once: true });
  }
  window.__playgroundRun = data.done ? "" : data.run;
}
"""

_component = st.components.v2.component("playground_story", html=_HTML, css=_CSS, js=_JS)


def draw(outputs: Sequence[Output], key: str, *, run: str, live: bool = False, titles: Sequence[str] = ()) -> None:
    """Draw outputs side by side, under `titles` if given, else variants under their number.

    `run` names the job: the tab's title says so when it ends while nobody looks.
    """
    texts = []
    numbers = [f"Variant {output.index + 1}" if len(outputs) > 1 else "" for output in outputs]
    for output, title in zip(outputs, titles or numbers, strict=True):
        cut = int(output.meta.get("prompt_chars", 0))
        texts.append(
            {
                "given": output.text[:cut],
                "fresh": output.text[cut:],
                "live": live and not output.meta.get("finish"),
                "title": title,
            }
        )
    _component(key=key, data={"texts": texts, "done": not live, "run": run})
