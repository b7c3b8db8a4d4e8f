"""What a room's own code may break: its part of the page, never the page. `components.rooms` hands out guarded rooms.

Every function in a room's declaration is wrapped once, when the room is found. What draws and fails leaves a sentence
in its place and the rest is drawn; what answers and fails gives the answer that leaves its part out; what takes
something in and fails says so as an error of ours. The log has the traceback. Reruns and stops of Streamlit pass: they
are no `Exception`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import streamlit as st

from components.escape import plain
from models.errors import PlaygroundError

if TYPE_CHECKING:
    from components.modality import Modality

log = logging.getLogger(__name__)

# what answers, by its place in the declaration, and the answer that leaves its part out
_ANSWERS: Mapping[str, Callable[..., Any]] = {
    "says": lambda output: output.text, "skips": lambda *given: False, "fits": lambda *given: False,
    "keeps": lambda *given: False, "model": lambda catalog: None, "limits": lambda spec: "",
    "read": lambda outputs: "", "taken": lambda value: None,
}  # fmt: skip
# what takes in or gives out what a run rests on: its caller has to hear of it
_HANDS_OVER = frozenset({"take", "value", "restore", "hold", "recall", "check"})


def guarded(room: Modality) -> Modality:
    """Return the room with every function of its declaration guarded."""
    found: Modality = _wrapped(room, "", room.title)
    return found


def _wrapped(one: Any, name: str, title: str) -> Any:
    if isinstance(one, type):
        return one
    if is_dataclass(one):
        changed = {item.name: _wrapped(getattr(one, item.name), item.name, title) for item in fields(one) if item.init}
        return replace(one, **changed)  # type: ignore[type-var]
    if isinstance(one, Mapping):
        return {key: _wrapped(value, name, title) for key, value in one.items()}
    if isinstance(one, tuple):
        return tuple(_wrapped(value, name, title) for value in one)
    return _guard(one, name, title) if callable(one) else one


def _guard(function: Callable[..., Any], name: str, title: str) -> Callable[..., Any]:
    part = name.replace("_", " ")

    def call(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        except PlaygroundError as error:
            if name in _HANDS_OVER:
                raise
            return failed(error.message, *given)
        except Exception as error:  # whatever a room from elsewhere does: the rest of the page stays
            log.exception("%s of the room %s failed", part, title)
            if name in _HANDS_OVER:
                raise PlaygroundError(
                    f"The {title} page cannot use this: its “{part}” failed ({type(error).__name__}). The log has the "
                    "details."
                ) from error
            return failed(
                f"This part of the {title} page (“{part}”) could not be drawn: {type(error).__name__}. The log has the "
                "details; the rest of the page works.", *given,
            )  # fmt: skip

    def failed(sentence: str, *given: Any) -> Any:
        if name in _ANSWERS:
            return _ANSWERS[name](*given)
        st.warning(plain(sentence), icon=":material/warning:")
        return None

    return call if isinstance(function, partial) else wraps(function)(call)
