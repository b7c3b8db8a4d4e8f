"""A quiz on a page, in place of all else there: its cells are made, its questions asked, its answers told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import (
    elsewhere,
    job_panel,
    quiz_cells,
    quiz_make,
    quiz_state,
    result,
    rooms,
    state,
    status_line,
    sweep_life,
    sweep_state,
    sweep_tiles,
)
from components.escape import plain
from components.modality import Tile
from components.quiz_cells import Card
from components.quiz_state import Sitting
from models.errors import PlaygroundError
from models.runtime.forecasts import work_of
from models.runtime.sweeping import SweepCost
from models.sweeps import quiz, results, spec, votes
from models.sweeps.cells import label, words
from models.sweeps.quiz import LETTERS, Round

if TYPE_CHECKING:
    from components.desk import Desk
    from components.modality import RoomPage
    from components.session import Session
    from components.sweep_state import Planned
    from models.runtime.job_view import JobView

LOOK_S = 3.0
_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th")


@dataclass(frozen=True)
class _Table:
    """Hold what the parts of a quiz need: `rounds` are all of it."""

    desk: Desk
    place: str
    sitting: Sitting
    found: Planned
    rounds: Sequence[Round]

    @property
    def asked(self) -> list[Round]:
        return [self.rounds[at] for at in self.sitting.asked if at < len(self.rounds)]

    @property
    def key(self) -> str:
        return state.key(self.place, "quiz", self.sitting.id[:8])


def draw(session: Session, place: str, page: RoomPage, sitting: Sitting) -> None:
    """Draw the quiz that stands on a page, and the button that leaves it."""
    model = sitting.quiz.sweep.request.model
    try:
        desk = desks.of(session, rooms.of(model), model)
        found = sweep_state.planned(desk, sitting.quiz.sweep)
        table = _Table(desk, place, sitting, found, quiz.rounds(found.plan, sitting.quiz))
        title = quiz.title(session.catalog, sitting.quiz)
    except PlaygroundError as error:  # of a model that is gone, or has other settings now
        st.title("Quiz", anchor=False)
        st.warning(plain(f"This quiz cannot be asked: {error.message}"), icon=":material/warning:")
        _draw_leave(session, place)
        return
    view = session.jobs.view(session.owner, sitting.job) if sitting.job else None
    found.take(view)
    found.look(desk, older_s=LOOK_S)
    with st.sidebar:
        status_line.draw(session.jobs, busy=view is not None and not view.finished)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(plain(title), anchor=False)
        _draw_leave(session, place)
    state.draw_notices()
    elsewhere.draw(session, page, view.id if view is not None else "")
    if table.sitting.over:
        _draw_end(table)
    elif table.sitting.begun:
        _draw_question(table)
    else:
        _draw_start(table, view)


def _draw_leave(session: Session, place: str) -> None:
    st.button(
        "Leave the quiz", icon=":material/close:", key=state.key(place, "quiz-leave"), on_click=quiz_state.leave,
        args=(session, place), help="Back to the page. What was made stays; a quiz begins anew by its link.",
    )  # fmt: skip


# -- before it begins --------------------------------------------------------------------------------------------------


def _draw_start(table: _Table, view: JobView | None) -> None:
    many, kind = len(table.rounds), table.sitting.quiz.kind
    told = {
        "order": f"{many} rows of results, each to be put in order. What made them is told at the end.",
        "guess": f"{many} results. Say what made each; it is told at the end.",
        "blind": f"{many} pairs that differ in one thing. Vote for the better one of each. What differed is told at "
        "the end.",
    }[kind]
    st.markdown(told)
    if view is not None and not view.finished:
        job_panel.draw(table.desk.session, view.id, lambda now: None)  # what is made is not shown before it is asked
        return
    needed = {cell for one in table.rounds for cell in one.cells}
    left = [cell for cell in table.found.left if cell.number in needed]
    ready = tuple(at for at, one in enumerate(table.rounds) if not {cell.number for cell in left} & {*one.cells})
    if left:
        session = table.desk.session
        works = [work_of(session.catalog, cell.request) for cell in left]
        seconds = sweep_life.seconds(table.desk, left)
        cost = SweepCost(
            len(needed), len(needed) - len(left), len(left), seconds, all(map(session.jobs.rates.knows, works))
        )
        st.caption(plain(cost.words))
        st.button(
            f"Make {len(left):,} cell{'s' * (len(left) != 1)}", type="primary", icon=":material/play_arrow:",
            key=state.key(table.place, "quiz-make"), on_click=_make, args=(table,),
        )  # fmt: skip
    for at in {cell.number for cell in left} & set(table.found.there):
        if error := table.found.there[at].error:
            st.warning(plain(f"A cell could not be made: {error}"), icon=":material/warning:")
            break
    if ready:
        st.button(
            "Start" if not left else f"Start with the {len(ready)} that are there", icon=":material/quiz:",
            type="secondary" if left else "primary", key=state.key(table.place, "quiz-start"),
            on_click=quiz_state.begin, args=(table.desk.session, table.place, table.sitting, ready),
        )  # fmt: skip
    quiz_make.draw_link(table.sitting.quiz, state.key(table.place, "quiz-link"))


def _make(table: _Table) -> None:
    """Queue the cells that are missing; what is wrong becomes a notice."""
    state.clear_notices()
    if table.desk.busy():
        return
    needed = {cell for one in table.rounds for cell in one.cells}
    session = table.desk.session
    try:
        table.found.look(table.desk)
        # in the order of the questions: how far a run is tells nothing of a cell's place in the grid
        left = {cell.number: cell for cell in table.found.left if cell.number in needed}
        ordered = list(dict.fromkeys(cell for one in table.rounds for cell in one.cells if cell in left))
        job = session.submit([left[at].request for at in ordered], spec.PURPOSE) if ordered else ""
    except PlaygroundError as error:
        state.notify(error.message)
        return
    sweep_state.show(table.desk, table.sitting.quiz.sweep, job)
    quiz_state.made_by(session, table.place, table.sitting, job)


# -- questions ---------------------------------------------------------------------------------------------------------


def _draw_question(table: _Table) -> None:
    number = len(table.sitting.answers)
    round_, kind = table.asked[number], table.sitting.quiz.kind
    st.progress(number / len(table.asked), text=f"{number + 1} of {len(table.asked)}")
    if said := _alike(table, round_):
        st.caption(plain(said))
    key = state.key(table.key, number)
    # a letter where there is something to choose among
    letters = LETTERS if len(round_.cells) > 1 else "?"
    quiz_cells.draw(state.key(key, "cells"), [
        Card(letter, _tile(table, cell)) for letter, cell in zip(letters, round_.cells, strict=False)
    ])  # fmt: skip
    {"order": _draw_order, "guess": _draw_guess, "blind": _draw_vote}[kind](table, round_, key)
    if number:
        st.button(
            "Back", icon=":material/undo:", key=state.key(key, "back"), on_click=quiz_state.back,
            args=(table.desk.session, table.place, table.sitting), help="Answers the question before again.",
        )  # fmt: skip


def _alike(table: _Table, round_: Round) -> str:
    """Say the texts that all cells of a round were made from: without them a pair cannot be judged."""
    sweep, asked = table.sitting.quiz.sweep, table.sitting.quiz.axis
    varied = {axis.name for axis in sweep.axes}
    texts = [f"“{text}”" for name, text in sweep.request.inputs.items()
             if text and not text.startswith("sha256:") and f"{spec.INPUT}{name}" not in varied]  # fmt: skip
    cell = next(one for one in table.found.plan.cells if one.number == round_.cells[0])
    texts += [f"“{axis.values[at]}”" for axis, at in zip(sweep.axes, cell.place, strict=True)
              if axis.input and axis.name != asked and table.sitting.quiz.kind == "blind"]  # fmt: skip
    return " · ".join(texts)


def _tile(table: _Table, cell: int) -> Tile:
    run = results.of(table.found.there, table.found.plan.cells[cell]).run
    if run is None:
        return Tile("text", note="This result was deleted. Leave the quiz, and open it again.")
    return sweep_tiles.untold(run, partial(result.stored, table.desk.session.jobs))


def _next(table: _Table, key: str, ready: bool, given: tuple[int, ...]) -> None:
    session = table.desk.session
    st.button(
        "Next", type="primary", icon=":material/arrow_forward:", shortcut="Ctrl+Enter", disabled=not ready,
        key=state.key(key, "next"), on_click=quiz_state.answer, args=(session, table.place, table.sitting, given),
    )  # fmt: skip


def _draw_order(table: _Table, round_: Round, key: str) -> None:
    letters = list(LETTERS[: len(round_.cells)])
    name = label(table.desk.session.catalog, table.sitting.quiz.sweep, table.sitting.quiz.axis)
    chosen = st.multiselect(
        plain(f"Choose in order, from the lowest {name} to the highest"), letters, key=state.key(key, "order"),
        placeholder="Letters, the lowest first",
    )  # fmt: skip
    _next(table, key, len(chosen) == len(letters), tuple(letters.index(one) for one in chosen))


def _draw_guess(table: _Table, round_: Round, key: str) -> None:
    catalog, asked = table.desk.session.catalog, table.sitting.quiz
    chosen = st.radio(
        "What made this?", quiz.values_in_order(asked), index=None, key=state.key(key, "guess"), horizontal=True,
        format_func=lambda at: plain(quiz.value_of(catalog, asked, at)),
    )  # fmt: skip
    _next(table, key, chosen is not None, (chosen,) if chosen is not None else ())


def _draw_vote(table: _Table, round_: Round, key: str) -> None:
    with st.container(horizontal=True):
        for at, (label, shortcut) in enumerate((("A is better", "A"), ("B is better", "B"), ("No difference", "N"))):
            st.button(
                label, key=state.key(key, "vote", at), shortcut=shortcut, type="primary" if at < 2 else "secondary",
                on_click=_vote, args=(table, round_, at),
            )  # fmt: skip


def _vote(table: _Table, round_: Round, choice: int) -> None:
    """Keep a vote and go on; where the store fails, a notice, and the question stays."""
    state.clear_notices()
    session, number = table.desk.session, len(table.sitting.answers)
    kept = votes.content(table.found.plan, table.sitting.quiz, round_, votes.CHOICES[choice], table.found.causes)
    try:
        session.jobs.store.save_vote(session.owner, table.sitting.id, number, kept)
    except PlaygroundError as error:
        state.notify(error.message)
        return
    quiz_state.answer(session, table.place, table.sitting, (choice,))


# -- the end -----------------------------------------------------------------------------------------------------------


def _draw_end(table: _Table) -> None:
    if table.sitting.quiz.kind == "blind":
        _draw_votes(table)
    else:
        _draw_score(table)
    session = table.desk.session
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Again", icon=":material/replay:", key=state.key(table.key, "again"), on_click=quiz_state.begin,
            args=(session, table.place, table.sitting, table.sitting.asked), help="Asks the same questions once more.",
        )  # fmt: skip
        quiz_make.draw_link(table.sitting.quiz, state.key(table.key, "link"))


def _draw_score(table: _Table) -> None:
    asked, answers, of = table.asked, table.sitting.answers, table.sitting.quiz
    right, many = quiz.score(asked, answers)
    chance = quiz.by_chance(asked, len(of.varied.values))
    st.markdown(f"**{right} of {many} right.** By chance alone it would be about {chance:.0f}.")
    catalog, ranks = table.desk.session.catalog, quiz.values_in_order(of)
    cards: list[Card] = []
    for number, (round_, answer) in enumerate(zip(asked, answers, strict=True)):
        if of.kind == "guess":
            told = quiz.value_of(catalog, of, round_.places[0])
            good = answer == round_.places
            said = quiz.value_of(catalog, of, answer[0]) if answer and answer[0] < len(ranks) else "nothing"
            cards.append(Card(f"{number + 1}", _tile(table, round_.cells[0]),
                              f"{told} · {'right' if good else f'you said {said}'}"))  # fmt: skip
            continue
        line = []
        for place, at in enumerate(round_.right):
            told = quiz.value_of(catalog, of, ranks[round_.places[at]])
            mine = answer.index(at) if at in answer else place
            how = "right" if mine == place else f"you put it {_ORDINALS[mine]}"
            line.append(Card(LETTERS[at], _tile(table, round_.cells[at]), f"{told} · {how}"))
        st.markdown(f"**{number + 1}**")
        quiz_cells.draw(state.key(table.key, "end", number), line)
    if cards:
        quiz_cells.draw(state.key(table.key, "end"), cards)


def _draw_votes(table: _Table) -> None:
    session, of = table.desk.session, table.sitting.quiz
    names = [quiz.value_of(session.catalog, of, at) for at in (0, 1)]
    try:
        kept = session.jobs.store.votes(session.owner, table.sitting.id)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    counts = votes.counts(kept)
    st.markdown(f"**{plain(quiz.verdict(names[0], names[1], counts))}**")
    st.markdown(plain(f"{names[0]}: {counts[0]} · {names[1]}: {counts[1]} · no difference: {counts[2]}"))
    lines = ["| Pair | A was | B was | Vote | Alike |", "|---|---|---|---|---|"]
    for one in sorted(kept, key=lambda vote: int(vote["pair"])):
        vote = one["content"]
        a = 0 if vote["shown_as_a"] == vote["value_1"] else 1
        alike = ", ".join(words(session.catalog, of.sweep, name, value) for name, value in vote["alike"].items())
        cells = (f"{one['pair'] + 1}", names[a], names[1 - a], vote["vote"], alike)
        lines.append(f"| {' | '.join(plain(' '.join(cell.split())) for cell in cells)} |")
    st.markdown("\n".join(lines))
    quiz_make.draw_votes(table.desk, state.key(table.key, "votes"))
