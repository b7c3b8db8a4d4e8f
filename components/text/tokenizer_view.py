"""A text in the pieces that a model reads: each in its colour, with its id and its bytes."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import frontend
from components.escape import plain
from components.text import token_parts
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs

_component = frontend.component("playground_tokens", __file__, shared=(token_parts,))


def draw(jobs: Jobs, model: str, asked: dict[str, str], key: str) -> None:
    """Cut a text by a model's tokenizer and draw its tokens; `asked` is `{"text"}`, or `{"ref"}` of a kept text."""
    if jobs.engine.state().phase != "ready":
        st.caption("The app is starting up; the tokens are shown when it is ready.")
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
            f":material/info: Tokenised afresh, this text would have {found['anew']:,} tokens: the model spelt some "
            "words with other tokens than the tokenizer chooses."
        )
    if not found["pieces"]:
        return
    ids = st.toggle("Show token ids", key=f"{key}-ids")
    _component(
        key=f"{key}-tokens",
        data={"pieces": found["pieces"], "tokens": found["tokens"], "prompt": found.get("prompt", 0), "ids": ids},
    )


def counts(found: dict[str, Any]) -> str:
    """Say how many tokens a text has: "12 tokens (1 special) · 40 characters, 3.6 per token · 42 bytes · …"."""
    own = found["tokens"] - found["special"]
    special = f" ({found['special']} special)" if found["special"] else ""
    each = f", {found['chars'] / own:.1f} per token" if own else ""
    return (
        f"{found['tokens']:,} tokens{special} · {found['chars']:,} characters{each} · {found['bytes']:,} bytes · "
        f"{found['distinct']:,} different tokens"
    )
