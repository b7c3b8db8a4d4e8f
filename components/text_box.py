"""A box for any text that answers while one types. Unlike the page's own boxes, Ctrl+Enter in it starts no run."""

from __future__ import annotations

import streamlit as st

_HTML = '<label class="box"><span></span><textarea rows="4" spellcheck="false"></textarea></label>'

_CSS = """
.box { display: grid; gap: .35rem; font: 400 .875rem var(--st-font); color: var(--st-text-color); padding: 3px; }
textarea { box-sizing: border-box; width: 100%; min-height: 5rem; padding: .6rem .75rem; resize: vertical;
  font: 400 1rem/1.5 var(--st-font); color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: .6rem; }
textarea::placeholder { color: color-mix(in srgb, var(--st-text-color) 70%, transparent); opacity: 1; }
textarea:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
"""

_JS = """
const PAUSE_MS = 250;
export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector("textarea");
  parentElement.querySelector("span").textContent = data.label;
  box.placeholder = data.placeholder;
  if (!box.ready) { box.ready = true; box.value = data.text; }
  box.oninput = () => {
    clearTimeout(box.clock);
    box.clock = setTimeout(() => setStateValue("text", box.value), PAUSE_MS);
  };
  for (const name of ["keydown", "keypress", "keyup"]) box["on" + name] = (event) => event.stopPropagation();
}
"""

_component = st.components.v2.component("playground_text_box", html=_HTML, css=_CSS, js=_JS)


def draw(label: str, key: str, *, placeholder: str = "") -> str:
    """Draw the box; return what stands in it. The text comes from a browser: whoever takes it must check it."""
    held = (st.session_state.get(key) or {}).get("text")
    text = held if isinstance(held, str) else ""
    state = _component(
        key=key, data={"label": label, "placeholder": placeholder, "text": text}, on_text_change=lambda: None
    )
    return state.text if isinstance(state.text, str) else ""
