"""The Runs page searched by meaning: prompts near what was written, whatever their words.

The vectors are made in the process that reads uploads, by a model that embeds, and kept among their owner's notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components import getting_box, library_keys, library_row, library_state, services, state
from components.escape import plain
from models import labels, near
from models.errors import PlaygroundError

if TYPE_CHECKING:
    from components.session import Session
    from models.catalog import Catalog
    from models.finding import Filter
    from models.spec import ModelSpec

NOTE = "library-meaning"
RUNS_MOST = 1_000  # the newest that fit the filters
WORDS, MEANING = "Words", "Meaning"
Prompts = dict[str, str]  # the newest run of each prompt, by its id

_READ: state.Slot[tuple[tuple[str, ...], Prompts]] = state.slot("library-prompts", ((), {}))
_RANKED: state.Slot[tuple[tuple[str, str, tuple[str, ...]], list[tuple[float, str]]]] = state.slot(
    "library-ranked", (("", "", ()), [])
)


def choose(catalog: Catalog) -> bool:
    """Draw the choice between words and meaning, and say whether there is something to be searched by meaning."""
    if near.embedder(catalog) is None:
        return False
    by = st.segmented_control(
        "Search by", [WORDS, MEANING], key=library_state.field("by").key, default=WORDS, required=True,
        label_visibility="collapsed", persist_state="session",
        help="Words: results that contain them. Meaning: prompts about the same thing, whatever their words.",
    )  # fmt: skip
    return by == MEANING and bool(library_state.wanted().text.strip())


def draw(session: Session) -> None:
    """Draw the results whose prompts are nearest in meaning to what was written; or how to get the model for it."""
    spec = near.embedder(session.catalog)
    assert spec is not None
    if not spec.here:
        st.caption("Searching by meaning needs a model of sentence embeddings.")
        getting_box.draw(spec)
        return
    asked = library_state.wanted()
    query, narrowed = asked.text.strip(), asked.model_copy(update={"text": ""})
    prompts, more = _prompts(session, narrowed)
    if not prompts:
        st.info("No result with a prompt fits. Clear the filters.", icon=":material/search_off:")
        return
    try:
        ranked = _ranked(session, spec, query, prompts)
    except PlaygroundError as error:
        st.error(plain(error.message), icon=":material/error:")
        return
    if ranked is None:
        st.error(plain(f"{spec.name} cannot be read here: this search knows nets of the kind BERT alone."),
                 icon=":material/error:")  # fmt: skip
        return
    beyond = f" Only the newest {RUNS_MOST:,} results are searched: narrow them by the filters." if more else ""
    many = "1 prompt" if len(prompts) == 1 else f"{len(prompts):,} prompts"
    st.caption(plain(
        f"The nearest of {many}, by {spec.name}; the newest result of each. Similarity: 1 the same meaning, about 0 "
        f"unrelated.{beyond}"
    ))  # fmt: skip
    shown = {run_id: score for score, run_id in ranked[: library_state.ROWS]}
    for found in session.jobs.store.found(session.owner, list(shown)):
        st.caption(f"Similarity {shown[found.run.id]:.2f}".replace("-", "−"))
        library_row.draw(session, found, single=True)
    library_keys.draw()


def _prompts(session: Session, narrowed: Filter) -> tuple[Prompts, bool]:
    """Return the prompts of the newest runs that fit, each with its newest run, and whether there are more runs."""
    store = session.jobs.store
    ids = store.found_ids(session.owner, narrowed, limit=RUNS_MOST + 1)
    name = tuple(ids[:RUNS_MOST])
    if _READ.get()[0] != name or not name:
        by_prompt: dict[str, str] = {}
        for found in store.found(session.owner, name):
            if prompt := labels.prompt_of(session.catalog, found.run.request)[: near.CHARS].strip():
                by_prompt.setdefault(prompt, found.run.id)
        _READ.set((name, {run_id: prompt for prompt, run_id in by_prompt.items()}))
    return _READ.get()[1], len(ids) > RUNS_MOST


def _ranked(session: Session, spec: ModelSpec, query: str, prompts: Prompts) -> list[tuple[float, str]] | None:
    """Return the similarity and run of each prompt, the nearest first; None where the model cannot be read.

    Raises `PlaygroundError`.
    """
    name = (spec.id, query, tuple(prompts))
    if _RANKED.get()[0] != name:
        vectors = _vectors(session, spec, [query, *prompts.values()])
        if vectors is None:
            return None
        scores = near.similarities(vectors, query, list(prompts.values()))
        ranked = sorted(zip(scores, prompts, strict=True), key=lambda one: -one[0])  # of equal ones the newest first
        _RANKED.set((name, ranked))
    return _RANKED.get()[1]


def _vectors(session: Session, spec: ModelSpec, texts: Sequence[str]) -> near.Vectors | None:
    """Return the vectors of these texts, those that were made before from the owner's notes."""
    store, owner = session.jobs.store, session.owner
    known = near.unpacked(spec, store.note(owner, NOTE))
    missing = list(dict.fromkeys(one for one in texts if near.name_of(one) not in known))
    total, bar = len(missing), None
    while missing:
        made = services.decoder().call(near.embed_texts, said="search", **near.order(session.catalog, spec, missing))
        if not made:
            return None
        known |= dict(zip(map(near.name_of, missing), made, strict=False))
        missing = missing[len(made) :]
        store.save_note(owner, NOTE, near.packed(spec, known, texts[1:]))  # also where the page is left meanwhile
        if missing:
            bar = bar or st.empty()
            bar.progress(1 - len(missing) / total, text=f"Reading prompts: {total - len(missing):,} of {total:,}")
    if bar is not None:
        bar.empty()
    return known
