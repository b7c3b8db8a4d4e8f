"""Draw texts that branched from one another as a tree to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components.branches import Node

_HTML = '<nav class="tree" aria-label="Branches of this text"></nav>'
_CSS = """
.tree { display: grid; gap: .3rem; font: 400 .88rem var(--st-font); color: var(--st-text-color);
  max-height: 15rem; overflow-y: auto; scrollbar-width: thin; padding: 2px; }
button {
  display: flex; gap: .6rem; align-items: baseline; text-align: left; width: calc(100% - var(--in)); min-width: 0;
  margin-left: var(--in); padding: .35rem .7rem; border: 1px solid var(--st-border-color); border-radius: .5rem;
  background: transparent; color: inherit; font: inherit; cursor: pointer;
}
button:hover, button:focus-visible { border-color: var(--st-primary-color); outline: none; }
button[aria-current="true"] { border-color: var(--st-primary-color); background: var(--st-secondary-background-color);
  box-shadow: inset .2rem 0 0 var(--st-primary-color); }
.at { white-space: nowrap; font-size: .78rem; opacity: .8; font-variant-numeric: tabular-nums; }
.says { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; flex: 1; }
"""
# textContent only: what a model wrote is text, whatever it holds
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".tree");
  box.replaceChildren(...data.nodes.map((node) => {
    const button = document.createElement("button");
    button.type = "button";
    button.style.setProperty("--in", Math.min(node.depth, 6) * 1.1 + "rem");
    const at = document.createElement("span"), says = document.createElement("span");
    at.className = "at"; at.textContent = node.at;
    says.className = "says"; says.textContent = node.says; button.title = node.says;
    button.setAttribute("aria-current", String(node.current));
    button.append(at, says);
    button.onclick = () => setTriggerValue("pick", node.id);
    return button;
  }));
}
"""
_component = st.components.v2.component("playground_branches", html=_HTML, css=_CSS, js=_JS)
SAYS_CHARS = 160


def name(run_id: str, index: int) -> str:
    """Return the name under which a text is chosen."""
    return f"{run_id}:{index}"


def draw(nodes: Sequence[Node], current: str, key: str, on_pick: Callable[[], None]) -> None:
    """Draw the tree, `current` marked. `on_pick` finds the chosen name with `token_map.chosen(key, "pick")`."""
    rows = []
    for node in nodes:
        text, where = node.written.output.text, node.written
        says = " ".join(text[node.start : node.start + SAYS_CHARS].split())
        rows.append({
            "id": name(where.run.id, where.index), "depth": node.depth, "says": f"… {says}" if node.start else says,
            "at": f"from token {where.forced}" if node.depth else f"seed {where.run.request.seed}",
            "current": name(where.run.id, where.index) == current,
        })  # fmt: skip
    _component(key=key, data={"nodes": rows}, on_pick_change=on_pick)
