"""What a session keeps: its names, the slots behind them, and its notices. No other module touches the session state.

A module declares what it keeps at its top: `_TURN = state.slot("settings-from-file-turn", 0)`. What there is once for
each drawn part, and each widget that is read back, has a key made of parts: `state.at(state.key(key, "position"), 0)`.
"""

from __future__ import annotations

import copy
import functools
import sys
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

import streamlit as st
from streamlit.components.v2.bidi_component.constants import EVENT_DELIM
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX

from components.escape import plain

T = TypeVar("T")
Level = Literal["error", "warning", "info"]
_OWNERS: dict[str, str] = {}  # the module that declared a slot, by the slot's name


@dataclass(frozen=True)
class Slot(Generic[T]):
    """One value of the session under `key`, which may be a widget's key too; `default` where nothing is kept."""

    key: str
    default: T

    @property
    def there(self) -> bool:
        """Say whether anything is kept."""
        return self.key in st.session_state

    def get(self) -> T:
        """Return what is kept, else a copy of the default."""
        try:
            found: T = st.session_state[self.key]
        except KeyError:
            return copy.copy(self.default)
        return found

    def set(self, value: T) -> None:
        """Keep a value. A widget's has to be set before the widget is drawn, as in a callback."""
        st.session_state[self.key] = value

    def start(self, value: T) -> T:
        """Keep a value unless one is there; return what is kept then."""
        if not self.there:
            self.set(value)
        return self.get()

    def held(self) -> T:
        """Return what is kept, the default from now on where nothing was: a list or mapping can be added to."""
        return self.start(copy.copy(self.default))

    def follow(self, other: Slot[T]) -> None:
        """Keep what another slot holds: as callback of a widget, what its like begins with next."""
        self.set(other.get())

    def pop(self) -> T:
        """Return what is kept, else a copy of the default, and keep it no longer."""
        found = self.get()
        if self.there:
            del st.session_state[self.key]
        return found


def slot(name: str, default: T) -> Slot[T]:
    """Declare what a module keeps under `name`, when the module is imported.

    A module may be imported again, as when its file was saved. Raises `ValueError` where another one has the name.
    """
    module = str(sys._getframe(1).f_globals["__name__"])
    if (owner := _OWNERS.setdefault(name, module)) != module:
        raise ValueError(f"{module} declares the slot {name!r}, which {owner} has. Give one of them another name.")
    return Slot(name, default)


@overload
def at(key: str) -> Slot[Any]: ...
@overload
def at(key: str, default: T) -> Slot[T]: ...
def at(key: str, default: Any = None) -> Slot[Any]:
    """Return the slot of a key that a function made, most often a widget's."""
    return Slot(key, default)


def key(*parts: object) -> str:
    """Return the key made of these parts: `image-input-image-turn`."""
    return "-".join(str(part) for part in parts)


def setting_key(model: str, name: str) -> str:
    """Return a setting's widget key, which is its name in the page's address too: `story-gpt.temperature`."""
    return field_key(model.split("/", 1)[-1], name)


def field_key(key: str, name: str) -> str:
    """Return the key of a setting that is drawn under `key`."""
    return f"{key}.{name}"


def switch_key(model: str, name: str) -> str:
    """Return the key of the switch that turns an optional setting on."""
    return switch_of(setting_key(model, name))


def switch_of(setting: str) -> str:
    """Return the key of the switch that belongs to the key of a setting."""
    return f"{setting}.on"


def prompt_key(place: str, part: str = "") -> str:
    """Return the key of a page's prompt, which is never part of the address; with `part`, of that part's own.

    `place` is what the page's keys begin with (`Modality.place`): the room's id for its first page.
    """
    return key(place, part, "prompt") if part else key(place, "prompt")


def input_key(place: str, name: str) -> str:
    """Return the key of what a page was given beside its prompt: a text, or the reference of an upload."""
    return key(place, "input", name)


def model_key(place: str) -> str:
    """Return the key of a page's model choice."""
    return key(place, "model")


def clear(but: str = "") -> None:
    """Forget all that this session keeps; with `but`, all except the slots whose names begin with it."""
    for name in list(st.session_state):
        if not (but and str(name).startswith(but)):
            del st.session_state[name]


def finish_callbacks() -> None:
    """Have every callback finished before a later message of the browser is heard. May be called again.

    Streamlit 1.67 ends a callback at its first touch of the session once another message came, and never calls it
    again: an upload would be lost without a word because somebody types on while it is read.
    """
    begin = SafeSessionState.on_script_will_rerun  # it calls the callbacks of what changed
    if getattr(begin, "finishes", False):
        return

    @functools.wraps(begin)
    def whole(session: Any, *given: Any, **named: Any) -> None:
        heard = session._yield_callback
        object.__setattr__(session, "_yield_callback", lambda: None)
        try:
            begin(session, *given, **named)
        finally:
            object.__setattr__(session, "_yield_callback", heard)

    replaced: Any = SafeSessionState
    replaced.on_script_will_rerun = whole
    replaced.on_script_will_rerun.finishes = True


_DRAWN: Slot[frozenset[str]] = slot("widgets-drawn", frozenset())


def let_go_of_widgets() -> int:
    """Drop what Streamlit keeps of widgets that the page drew neither now nor the time before; return how many.

    Called at the end of a whole draw. Streamlit keeps the callbacks of every widget that a session ever saw, and with
    them the runs that they are for, bytes and all. What is pressed on a page two draws old does nothing.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or context.fragment_ids_this_run:
        return 0
    drawn = context.shared.widget_ids_this_run.snapshot()
    recent = drawn | _DRAWN.get()
    _DRAWN.set(drawn)
    session: Any = context.session_state
    with session._lock:
        known, mapper = session._state._new_widget_state.widget_metadata, session._state._key_id_mapper
        stale = [
            name for name, one in known.items()
            if _part_of(name) not in recent and one.persist_state is None and one.bind is None
        ]  # fmt: skip
        for name in stale:
            del known[name]
            key = mapper.id_key_mapping.pop(name, None)
            if key is not None and mapper.get_id_from_key(key) == name:
                del mapper._key_id_mapping[key]
    return len(stale)


def _part_of(widget: str) -> str:
    """Return the widget that is counted as drawn: a component's own for that which Streamlit keeps of its events."""
    if not widget.startswith(STREAMLIT_INTERNAL_KEY_PREFIX):
        return widget
    return widget.removeprefix(f"{STREAMLIT_INTERNAL_KEY_PREFIX}_").rsplit(EVENT_DELIM, 1)[0]


_NOTICES: Slot[list[dict[str, Any]]] = slot("notices", [])


def notify(message: str, level: Level = "error") -> None:
    """Show a sentence at the next draw of the page, and until the next run or `clear_notices`."""
    shown = message.encode("utf-8", "replace").decode()  # half a character would take the whole page away
    _NOTICES.held().append({"message": shown, "level": level})


def notices() -> list[dict[str, Any]]:
    """Return the sentences to show."""
    return _NOTICES.get()


def draw_notices() -> None:
    """Draw the sentences that callbacks left."""
    for notice in notices():
        {"error": st.error, "warning": st.warning, "info": st.info}[notice["level"]](plain(notice["message"]))


def clear_notices() -> None:
    """Forget the sentences."""
    _NOTICES.set([])
