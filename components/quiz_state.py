"""Which quiz stands on a page, and how far its owner is: kept for them, so that a reload goes on with it.

It stands in the tab in which it was opened: a mark in the tab's address says which one it is. Another tab of the same
owner is an ordinary page.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import state
from components.notes import Note
from models.errors import PlaygroundError
from models.sweeps import quiz as quizzes
from models.sweeps.quiz import Quiz

if TYPE_CHECKING:
    from components.session import Session

NUMBERS_MOST = 1000  # of a note: what is more was not written here
KEPT_MOST = 8  # quizzes of an owner on a page, in as many tabs; the oldest goes
MARK = "sitting"  # of the tab's address
MARK_CHARS = 8
_HERE: state.Slot[dict[str, str]] = state.slot("quiz-here", {})  # by page, the mark of the quiz that stands there


@dataclass(frozen=True)
class Sitting:
    """Hold a quiz and how far it is: `asked` are the numbers of its rounds once it has begun, `job` makes its cells.

    `id` names the sitting: going through it again is another one. `mark` is its tab's.
    """

    quiz: Quiz
    id: str = ""
    asked: tuple[int, ...] = ()
    answers: tuple[tuple[int, ...], ...] = field(default=())
    job: str = ""
    mark: str = ""

    @property
    def begun(self) -> bool:
        """Say whether questions are being asked, or were."""
        return bool(self.asked)

    @property
    def over(self) -> bool:
        """Say whether all is answered."""
        return self.begun and len(self.answers) >= len(self.asked)


def standing(session: Session, place: str) -> Sitting | None:
    """Return the quiz that stands on a page of this tab, None for none, and for one of another version."""
    mark = _HERE.get().get(place) or st.query_params.get(MARK, "")
    sitting = _kept(session, place, mark) if mark else None
    if sitting is None:
        st.query_params.pop(MARK, None)
    elif st.query_params.get(MARK) != mark:  # after another page: a reload has to find it
        st.query_params[MARK] = mark
    if sitting is not None:
        _HERE.held()[place] = mark
    return sitting


def _kept(session: Session, place: str, mark: str) -> Sitting | None:
    kept = _note(session, place).get().get(mark)
    if not isinstance(kept, dict) or not kept.get("quiz"):
        return None
    try:
        quiz = quizzes.read(str(kept["quiz"]))
        asked = _numbers(kept.get("asked"))
        answers = tuple(map(_numbers, _list(kept.get("answers"))))
    except PlaygroundError:
        return None
    return Sitting(quiz, str(kept.get("id", "")), asked, answers, str(kept.get("job", "")), mark)


def open_quiz(session: Session, place: str, quiz: Quiz) -> None:
    """Let a quiz stand on a page of this tab, not begun."""
    mark = uuid.uuid4().hex[:MARK_CHARS]
    _keep(session, place, Sitting(quiz, mark=mark))
    _HERE.held()[place] = mark


def begin(session: Session, place: str, sitting: Sitting, rounds: tuple[int, ...]) -> None:
    """Begin with these rounds, as a new sitting."""
    _keep(session, place, replace(sitting, id=uuid.uuid4().hex, asked=rounds, answers=()))


def answer(session: Session, place: str, sitting: Sitting, given: tuple[int, ...]) -> None:
    """Take the answer to the question at hand."""
    _keep(session, place, replace(sitting, answers=(*sitting.answers, given)))


def back(session: Session, place: str, sitting: Sitting) -> None:
    """Take the last answer back."""
    _keep(session, place, replace(sitting, answers=sitting.answers[:-1]))


def made_by(session: Session, place: str, sitting: Sitting, job: str) -> None:
    """Note the job that makes the cells."""
    _keep(session, place, replace(sitting, job=job))


def leave(session: Session, place: str) -> None:
    """Let no quiz stand on a page of this tab."""
    mark = _HERE.held().pop(place, "")
    st.query_params.pop(MARK, None)
    _set(session, place, mark, {})


def _note(session: Session, place: str) -> Note[dict[str, Any]]:
    return Note(session, f"{place}-quizzes", {})


def _set(session: Session, place: str, mark: str, content: dict[str, Any]) -> None:
    note = _note(session, place)
    note.look_again()  # other tabs write theirs
    others = {name: one for name, one in note.get().items() if name != mark}
    newest = list(others.items())[-(KEPT_MOST - 1) :]
    note.set(dict(newest) | ({mark: content} if content else {}))


def _keep(session: Session, place: str, sitting: Sitting) -> None:
    _set(session, place, sitting.mark, {
        "quiz": sitting.quiz.to_json(), "id": sitting.id, "asked": list(sitting.asked),
        "answers": [list(one) for one in sitting.answers], "job": sitting.job,
    })  # fmt: skip


def _list(given: Any) -> list[Any]:
    return given[:NUMBERS_MOST] if isinstance(given, list) else []


def _numbers(given: Any) -> tuple[int, ...]:
    return tuple(one for one in _list(given) if isinstance(one, int) and not isinstance(one, bool))
