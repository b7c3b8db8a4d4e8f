"""Make a quiz, or a blind comparison, of the sweep that stands on a page: what is asked, and the link that opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from components import copy_link, quiz_state, state
from components.escape import plain
from models.errors import PlaygroundError
from models.sweeps import cells, quiz, results, votes
from models.sweeps.cells import Plan
from models.sweeps.quiz import Kind, Quiz
from models.types import SEED_MAX

if TYPE_CHECKING:
    from components.desk import Desk

KINDS: dict[Kind, str] = {"order": "Put in order", "guess": "Guess the value", "blind": "Blind comparison"}
_ABOUT: dict[Kind, str] = {
    "order": "Cells are shown without their values, to be put in order.",
    "guess": "Cells are shown without their values; which value made each is asked.",
    "blind": "Two values stand beside each other as A and B, sides shuffled; you vote which is better.",
}


def draw(desk: Desk, plan: Plan, key: str) -> None:
    """Draw the box in which a quiz is made; nothing where the sweep has no axis that can be asked for."""
    offered = [kind for kind in quiz.KINDS if _axes(plan, kind)]
    if not offered:
        return
    with st.popover("Make a quiz", icon=":material/quiz:"):
        kind = st.segmented_control(
            "Ask", offered, default=offered[0], required=True, format_func=KINDS.__getitem__, wrap=True,
            key=state.key(key, "quiz-kind"),
        ) or offered[0]  # fmt: skip
        st.caption(_ABOUT[kind])
        axis = st.selectbox(
            "About", _axes(plan, kind), format_func=lambda name: cells.label(desk.session.catalog, plan.sweep, name),
            key=state.key(key, "quiz-axis", kind),
        )  # fmt: skip
        values = _values(desk, plan, str(axis), key) if kind == "blind" else ()
        seed = st.number_input(
            "Seed of the order", 0, SEED_MAX, 0, 1, key=state.key(key, "quiz-seed"),
            help="Draws which cells are shown and in what order. The link carries it: a class sees the same quiz.",
        )  # fmt: skip
        try:
            made = quiz.checked(Quiz(plan.sweep, kind, str(axis), values, int(seed)))
            many = len(quiz.rounds(plan, made))
        except PlaygroundError as error:
            st.caption(plain(error.message))
            return
        st.caption(f"{many} question{'s' * (many != 1)}")
        st.button(
            "Open the quiz", type="primary", icon=":material/quiz:", key=state.key(key, "quiz-open"),
            on_click=quiz_state.open_quiz, args=(desk.session, desk.place, made),
        )  # fmt: skip
        draw_link(made, state.key(key, "quiz-link"))
        draw_votes(desk, state.key(key, "quiz-votes"))


def draw_link(made: Quiz, key: str) -> None:
    """Draw the button that copies a quiz's link, or says why there is none."""
    link, why = None, ""
    try:
        link = quiz.link_to(st.context.url or "", made)
    except PlaygroundError as error:
        why = error.message
    copy_link.draw(
        link, key, label="Copy the quiz's link", hint="Copies a link that opens this quiz in any browser.",
        said="Copied. Whoever opens it makes the cells that are missing there.", too_long=why,
    )  # fmt: skip


def draw_votes(desk: Desk, key: str) -> None:
    """Draw the download of all votes of the owner, where there are any."""
    try:
        kept = desk.session.jobs.store.votes(desk.session.owner)
    except PlaygroundError:  # the list of earlier results says what is wrong with the store
        return
    if kept:
        st.download_button(
            "All your votes (CSV)", lambda: results.to_csv(votes.rows(kept)).encode(), "votes.csv", "text/csv",
            icon=":material/download:", key=key, on_click="ignore",
            help="One row for each vote in a blind comparison, of every sweep. In a shell: python -m models votes.",
        )  # fmt: skip


def _axes(plan: Plan, kind: Kind) -> list[str]:
    return [axis.name for axis in plan.sweep.axes if not quiz.axis_problem(axis, kind)]


def _values(desk: Desk, plan: Plan, name: str, key: str) -> tuple[Any, ...]:
    axis = plan.sweep.axis(name)
    assert axis is not None
    places = range(len(axis.values))
    chosen = [
        st.selectbox(
            label, places, start, key=state.key(key, "quiz-value", name, number),
            format_func=lambda at: cells.words(desk.session.catalog, plan.sweep, name, axis.values[at]),
        )
        for number, (label, start) in enumerate((("Compare", 0), ("With", len(places) - 1)))
    ]  # fmt: skip
    return tuple(axis.values[at or 0] for at in chosen)
