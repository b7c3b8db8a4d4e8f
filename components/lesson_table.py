"""A table of texts that changes in place: facts side by side, a long text under each row; narrow, one card a row."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_HTML = '<div class="frame"><table><thead><tr></tr></thead></table></div>'
_CSS = """
.frame { container-type: inline-size; }
table { width: 100%; border-collapse: collapse; color: var(--st-text-color); font: 400 .88rem/1.45 var(--st-font); }
th, td { text-align: left; vertical-align: top; padding: .5rem .55rem; overflow-wrap: break-word; }
thead th { font-weight: 600; font-size: .8rem; opacity: .8; }
tbody { border-top: 1px solid var(--st-border-color); }
tbody th { font-weight: 650; }
.long[hidden] { display: none; }
.long td { padding-top: .1rem; padding-bottom: .8rem; }
.long div { max-height: 9.5rem; overflow-y: auto; white-space: pre-wrap; padding: .1rem .2rem .1rem .8rem;
  border-left: 3px solid var(--st-primary-color);
  font: 400 1rem/1.5 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "DejaVu Serif", serif; }
.long div:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
@container (max-width: 560px) {
  table, tbody, tr, td, tbody th { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody { border: 1px solid var(--st-border-color); border-radius: .6rem; padding: .3rem .2rem; margin: 0 0 .7rem;
    background: var(--st-secondary-background-color); }
  th, td { padding: .28rem .65rem; }
  tbody th { font-size: 1rem; }
  .facts td::before { content: attr(data-name); display: block; font: 600 .75rem/1.3 var(--st-font); opacity: .75; }
}
"""
# textContent only: answers are text, whatever they hold
_JS = """
export default function ({ data, parentElement }) {
  const table = parentElement.querySelector("table"), head = table.querySelector("thead tr");
  const fit = (box, count, make) => {
    while (box.children.length > count) box.lastChild.remove();
    while (box.children.length < count) box.append(make(box.children.length));
  };
  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  fit(head, data.columns.length, () => { const cell = document.createElement("th"); cell.scope = "col"; return cell; });
  data.columns.forEach((name, at) => set(head.children[at], name));
  fit(table, data.rows.length + 1, () => {
    const body = document.createElement("tbody"), facts = document.createElement("tr");
    const long = document.createElement("tr"), cell = document.createElement("td"), box = document.createElement("div");
    facts.className = "facts"; long.className = "long";
    cell.colSpan = data.columns.length; box.tabIndex = 0; box.setAttribute("role", "group");
    cell.append(box); long.append(cell); body.append(facts, long);
    return body;
  });
  data.rows.forEach((row, place) => {
    const [facts, long] = table.children[place + 1].children;
    fit(facts, data.columns.length, (at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      return cell;
    });
    data.columns.forEach((name, at) => { set(facts.children[at], row[at]); facts.children[at].dataset.name = name; });
    const box = long.querySelector("div"), text = row[data.columns.length];
    box.setAttribute("aria-label", data.long + ": " + row[0]);
    set(box, text); long.hidden = !text;
  });
}
"""
_component = st.components.v2.component("playground_lesson", html=_HTML, css=_CSS, js=_JS)


def draw(columns: Sequence[str], long: str, rows: Sequence[Sequence[str]], key: str) -> None:
    """Draw rows of texts: one under each of the columns, the first names its row, and one more below, called `long`."""
    _component(key=key, data={"columns": list(columns), "long": long, "rows": [list(row) for row in rows]})
