"""A text in the pieces that a model reads: each in its colour, with its id and its bytes."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import token_parts
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs

_HTML = """
<div class="panel tokens">
  <div class="text" role="listbox" aria-label="Tokens; arrow keys choose one"></div>
  <p class="said" aria-live="polite"></p>
</div>
"""

_CSS = (
    token_parts.CSS
    + """
.text { line-height: 2.1; }
.token { border: 1px solid var(--st-border-color); padding: .1em .08em; margin: 0 1px; }
.ids .token { display: inline-grid; justify-items: center; line-height: 1.25; padding: .15em .25em; margin: 2px 1px; }
.token small { font: 400 .68rem var(--st-code-font, monospace); opacity: .85; }
.token.part, .token.special { font: 500 .8em var(--st-code-font, monospace); }
.token.special { border-style: dashed; border-color: var(--st-text-color); }
"""
)

_JS = (
    token_parts.JS
    + """
const COLOURS = 4;

function build(root) {
  const box = root.querySelector(".text"), said = root.querySelector(".said");
  let data = null, drawn = "";
  const visible = (one) => one.text === null ? one.bytes.toUpperCase() : one.text;
  function show(at) {
    const one = data.pieces[at];
    if (!one) return;
    const own = document.createElement("b"), more = document.createElement("span");
    own.textContent = one.text === null ? "part of a character" : quoted(one.text);
    const size = one.bytes ? one.bytes.split(" ").length : 0;
    more.textContent = "  ·  token " + (at + 1) + " of " + data.tokens + "  ·  id " + one.id + "  ·  " + (one.special
      ? "special: it stands for no text" : size + (size === 1 ? " byte: " : " bytes: ") + one.bytes.toUpperCase());
    said.replaceChildren(own, more);
  }
  const text = reader(box, (at) => { if (data) show(at); });
  return (fresh) => {
    const now = JSON.stringify(fresh) + ink(root, "--st-primary-color");
    if (now === drawn) return;
    drawn = now; data = fresh;
    const kept = text.fill(fresh.pieces.map(visible), fresh.prompt, 0) ? 0 : text.at;
    const inks = [...Array(COLOURS).keys()].map((place) => ink(root, "--st-chart-categorical-colors", place));
    box.classList.toggle("ids", fresh.ids);
    [...box.children].forEach((node, place) => {
      const one = fresh.pieces[place];
      node.classList.toggle("part", one.text === null);
      node.classList.toggle("special", one.special);
      node.textContent = visible(one).replaceAll("\\n", fresh.ids ? "↵" : "↵\\n") || "∅";
      if (fresh.ids) {
        const id = document.createElement("small");
        id.textContent = one.id;
        node.append(id);
      }
    });
    text.shade((place) => fresh.pieces[place].special ? 0 : .5, (place) => inks[place % COLOURS]);
    text.choose(kept, false);
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tokens");
  root.view = root.view || build(root);
  root.view(data);
}
"""
)

_component = st.components.v2.component("playground_tokens", html=_HTML, css=_CSS, js=_JS)


def draw(jobs: Jobs, model: str, asked: dict[str, str], key: str) -> None:
    """Cut a text by a model's tokenizer and draw its tokens; `asked` is `{"text"}`, or `{"ref"}` of a kept text."""
    if jobs.engine.state().phase != "ready":
        st.caption("The models are warming up; the tokens are shown when they are ready.")
        return
    try:
        found = jobs.engine.call(model, "tokens", asked)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    st.markdown(plain(counts(found)))
    if found["left_out"]:
        st.caption(f":material/info: The first {len(found['pieces']):,} tokens are shown; all are counted.")
    if found.get("anew", 0) and found["anew"] != found["tokens"] - found["special"]:
        st.caption(
            f":material/info: Read again, this text would be {found['anew']:,} tokens: the model wrote it in other "
            "pieces than it reads it in."
        )
    if not found["pieces"]:
        return
    ids = st.toggle("Ids under the pieces", key=f"{key}-ids")
    _component(
        key=f"{key}-tokens",
        data={"pieces": found["pieces"], "tokens": found["tokens"], "prompt": found.get("prompt", 0), "ids": ids},
    )


def counts(found: dict[str, Any]) -> str:
    """Say how many tokens a text has: "12 tokens (1 special) · 40 characters, 3.6 a token · 42 bytes · …"."""
    own = found["tokens"] - found["special"]
    special = f" ({found['special']} special)" if found["special"] else ""
    each = f", {found['chars'] / own:.1f} a token" if own else ""
    return (
        f"{found['tokens']:,} tokens{special} · {found['chars']:,} characters{each} · {found['bytes']:,} bytes · "
        f"{found['distinct']:,} different tokens"
    )
