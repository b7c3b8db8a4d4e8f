"""The parameter form: every setting of a model drawn from its table. The one table from type to widget."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any, Literal

import streamlit as st

from components import setting_menu, state, theme
from components.escape import plain
from components.setting_menu import Offer
from components.state import setting_key, switch_key
from models.params import ParamField, in_effect, problem
from models.spec import ModelSpec
from models.types import SEED_MAX, drawn_seed

log = logging.getLogger(__name__)
STEPS_MAX = 1000  # a slider with more steps cannot be set by hand: a number box instead
Depends = Callable[[Mapping[str, Any]], object]
Bind = Literal["query-params"] | None
_REFUSED: state.Slot[set[str]] = state.slot("settings-refused", set())  # keys whose value in the address is none


def values(spec: ModelSpec, fields: tuple[ParamField, ...]) -> dict[str, Any]:
    """Return every setting's value in this session, the seed included, hidden ones too."""
    return {item.name: _value(spec, item) for item in fields}


def acting_values(spec: ModelSpec, fields: tuple[ParamField, ...]) -> tuple[dict[str, Any], int]:
    """Return the params that act under one another, and the seed: what a request is made of."""
    full = values(spec, fields)
    acting = {name: full[name] for name in in_effect(fields, full) if name != "seed"}
    return acting, int(full["seed"])


def changed(spec: ModelSpec, fields: tuple[ParamField, ...]) -> list[str]:
    """Return the names of the settings that differ from the model's default, without the seed."""
    return [item.name for item in fields if item.type != "seed" and _value(spec, item) != item.default]


def set_values(spec: ModelSpec, fields: tuple[ParamField, ...], new: Mapping[str, Any]) -> None:
    """Set settings before their widgets are drawn, as in a callback; the others go to their default."""
    for item in fields:
        value = new.get(item.name, item.default)
        if item.optional:
            state.at(switch_key(spec.id, item.name)).set(value is not None)
        if value is not None:
            state.at(setting_key(spec.id, item.name)).set(_shown(item, value))


def set_some(spec: ModelSpec, fields: tuple[ParamField, ...], new: Mapping[str, Any]) -> None:
    """Set the settings that are named before their widgets are drawn; the others stay as they are."""
    set_values(spec, tuple(item for item in fields if item.name in new), new)


def start(spec: ModelSpec, fields: tuple[ParamField, ...], new: Mapping[str, Any]) -> None:
    """Set settings, and switches as `name.on`, that this session has not set yet, before the form's first draw.

    A bound widget takes its value from the address when it is drawn: too late for what is drawn before it, and for what
    is drawn only because of it.
    """
    for item in fields:
        if item.name in new:
            state.at(setting_key(spec.id, item.name)).start(_shown(item, new[item.name]))
        if f"{item.name}.on" in new:
            state.at(switch_key(spec.id, item.name)).start(new[f"{item.name}.on"])


def refuse(key: str) -> None:
    """Keep the widget with this key from reading the address: the value that stood there when the page was opened is
    read first whatever was set since, and some (a seed of 400 digits) take the widget away.
    """
    _REFUSED.held().add(key)


def address(spec: ModelSpec, fields: tuple[ParamField, ...]) -> dict[str, str]:
    """Return the settings that differ from the default as their widgets write them into the page's address."""
    found = {}
    for item in fields:
        value = _value(spec, item)
        if item.type in ("tags", "text") or value == item.default or (item.type == "seed" and not value):
            continue
        if item.optional and (value is not None) != (item.default is not None):
            found[switch_key(spec.id, item.name)] = json.dumps(value is not None)
        if value is not None:
            found[setting_key(spec.id, item.name)] = _written(value)
    return found


def switched(fields: tuple[ParamField, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as `start` takes them: with the switch of each optional one; None is a switch that is off."""
    found = {name: value for name, value in given.items() if value is not None}
    return found | {f"{item.name}.on": given[item.name] is not None for item in fields
                    if item.optional and item.name in given}  # fmt: skip


def draw(
    spec: ModelSpec,
    fields: tuple[ParamField, ...],
    depends: Depends = lambda values: None,
    moved: Callable[[], None] = lambda: None,
    offer: Offer | None = None,
    beside: Callable[[], None] = lambda: None,
) -> None:
    """Draw the settings, grouped, advanced ones folded. A move redraws this form alone (dots, hidden settings).

    `depends` returns what the rest of the page takes from the values of all settings: when that changes, the whole page
    is drawn. `moved` is called at each draw. `offer` says what a menu beside a setting does with it and its value,
    `beside` draws what stands beside Reset.
    """
    setting_menu.pressed()
    _draw(spec, fields, depends, depends(values(spec, fields)), moved, offer, beside)


@st.fragment
def _draw(
    spec: ModelSpec, fields: tuple[ParamField, ...], depends: Depends, drawn: object, moved: Callable[[], None],
    offer: Offer | None, beside: Callable[[], None],
) -> None:  # fmt: skip
    moved()
    current = values(spec, fields)
    if depends(current) != drawn or setting_menu.pressed():  # only in a run of this fragment alone
        st.rerun()
    acting = set(in_effect(fields, current))
    differing = changed(spec, fields)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        # the mark is of the look alone: in a label it would be read out, markup and all, as part of the name
        keys = [key for name in differing for key in (setting_key(spec.id, name), switch_key(spec.id, name))]
        rare = any(item.advanced and item.name in acting and item.name in differing for item in fields)
        dots = theme.dotted(keys, [f"{spec.id}-advanced"] if rare else [])
        st.html(f"<style>{dots}</style><strong>Settings</strong>")
        beside()
        st.button(
            "Reset", icon=":material/restart_alt:", type="tertiary", key=f"{spec.id}-reset", disabled=not differing,
            help="Set every setting back to the model's default. The seed stays.",
            on_click=_reset, args=(spec, fields),
        )  # fmt: skip
    basic = [item for item in fields if item.name in acting and not item.advanced]
    advanced = [item for item in fields if item.name in acting and item.advanced]
    _draw_groups(spec, fields, basic, offer)
    if advanced:
        with st.expander("Advanced", key=f"{spec.id}-advanced"):
            _draw_groups(spec, fields, advanced, offer)


def _draw_groups(spec: ModelSpec, fields: tuple[ParamField, ...], items: list[ParamField], offer: Offer | None) -> None:
    for group, some in groupby(sorted(items, key=_group_order(fields)), key=lambda item: item.group):
        members = list(some)
        if group and len(members) > 1:
            st.caption(group)
        for item in members:
            ways = offer(item, _value(spec, item)) if offer is not None else {}
            if not ways:
                _draw_one(spec, item)
                continue
            # one line for the widget and its menu, without which a narrow page would wrap them
            with st.container(
                horizontal=True, gap="xxsmall", vertical_alignment="top", key=f"{spec.id}-{item.name}-row"
            ):
                with st.container(width="stretch", gap="small"):
                    _draw_one(spec, item)
                setting_menu.draw(spec.id, item, ways)


def _group_order(fields: tuple[ParamField, ...]) -> Callable[[ParamField], int]:
    groups = list(dict.fromkeys(item.group for item in fields))
    return lambda item: groups.index(item.group)


def _draw_one(spec: ModelSpec, item: ParamField) -> None:
    key = setting_key(spec.id, item.name)
    label = f"{item.label}{f' ({item.unit})' if item.unit else ''}"
    if item.optional:
        on = st.toggle(
            label, value=item.default is not None, key=switch_key(spec.id, item.name), help=item.help,
            bind="query-params",
        )  # fmt: skip
        if not on:
            return
        _draw_widget(item, item.label, key, hidden=True)
        return
    _draw_widget(item, label, key, hidden=False)


def _draw_widget(item: ParamField, label: str, key: str, *, hidden: bool, bind: Bind = "query-params") -> None:
    """Draw one setting; one that cannot be drawn is a sentence, so that it takes nothing else of the page away.

    A value that the setting does not take, such as one from before its range was narrowed, gives way to the default.
    """
    own = state.at(key)
    if own.there and problem(item, own.get()):
        own.pop()
    unread = bind is not None and key in _REFUSED.get()
    try:
        _WIDGETS[item.type](item, label, key, hidden=hidden, bind=None if unread else bind)
        if unread and item.type not in ("text", "tags"):
            _write_address(key, _written(own.get()), _written(item.default))
    except Exception as error:  # whatever a widget refuses, the prompt and Run stay
        log.exception("the setting %s cannot be drawn", key)
        own.pop()
        st.query_params.pop(key, None)  # else the page's address would bring it back at each reload
        st.warning(plain(f"“{item.label}” cannot be drawn ({type(error).__name__}). Its default is used."))


def draw_apart(item: ParamField, value: Any, key: str) -> Any:
    """Draw one setting outside of the form, under keys that begin with `key`, at `value` (None: off) at first.

    It is part of no address and of no request. Return what it is set to, None where it is switched off.
    """
    own, switch = _apart(item, key)
    if not own.there:
        set_apart(item, value, key)
    label = f"{item.label}{f' ({item.unit})' if item.unit else ''}"
    if item.optional:
        st.toggle(label, key=switch.key, help=item.help, persist_state="session")
        if not switch.get():
            return None
    _draw_widget(item, item.label if item.optional else label, own.key, hidden=item.optional, bind=None)
    found = own.get()
    return list(found) if item.type == "tags" else found


def set_apart(item: ParamField, value: Any, key: str) -> None:
    """Set what `draw_apart` draws, before it is drawn."""
    start = value if value is not None else item.default if item.default is not None else _neutral(item)
    own, switch = _apart(item, key)
    own.set(_shown(item, start))
    if item.optional:
        switch.set(value is not None)


def _apart(item: ParamField, key: str) -> tuple[state.Slot[Any], state.Slot[bool]]:
    """Return the slots of a setting apart and of its switch."""
    own = state.field_key(key, item.name)
    return state.at(own), state.at(state.switch_of(own), False)


def _number(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    assert item.ge is not None and item.le is not None and item.step is not None
    kind = int if item.type == "integer" else float
    low, high, step = kind(item.ge), kind(item.le), kind(item.step)
    common: dict[str, Any] = {
        "key": key, "help": None if hidden else item.help, "bind": bind,
        "label_visibility": "collapsed" if hidden else "visible",
    }  # fmt: skip
    start = _shown(item, item.default if item.default is not None else _neutral(item))
    if low == high:  # no slider has one place alone
        st.number_input(label, min_value=low, max_value=high, value=low, step=step, disabled=True, **common)
    elif item.log:
        # a value between two steps, as a file or a link may bring it, stays what it is
        options = sorted({*log_steps(item), state.at(key, start).get()})
        st.select_slider(label, options=options, value=start, **common)
    elif (high - low) / step > STEPS_MAX:
        st.number_input(label, min_value=low, max_value=high, value=start, step=step, **common)
    else:
        st.slider(label, min_value=low, max_value=high, value=start, step=step, **common)


def _toggle(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    st.toggle(label, value=item.default, key=key, help=item.help, bind=bind)


def _choice(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    named = bool(item.names)
    here = state.at(key, item.default or item.choices[0]).get()
    st.selectbox(
        label, item.choices, index=item.choices.index(item.default) if item.default in item.choices else 0,
        key=key,
        help=f"{item.help}\n\n{plain(item.names[here])}: `{here}`" if here in item.names else item.help,
        format_func=lambda choice: item.names.get(choice, choice),
        label_visibility="collapsed" if hidden else "visible", bind=None if named else bind,
        persist_state="session" if named else None,
    )  # fmt: skip
    if named and bind:
        _write_address(key, state.at(key).get(), item.default)


def _written(value: Any) -> str:
    """Return a value as an address has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _write_address(key: str, value: Any, default: Any) -> None:
    """Write a setting into the address: a bound widget would write what a choice is called, not what it is."""
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value


def _tags(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    # not bound: free text has no place in addresses
    options = list(dict.fromkeys([*item.default, *state.at(key, list[str]()).get()]))
    st.multiselect(
        label, options, default=item.default, key=key, help=item.help, accept_new_options=True,
        max_selections=item.max_items, placeholder="Type and press Enter", persist_state="session",
    )  # fmt: skip


def _text(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    st.text_area(
        label, value=item.default or "", key=key, help=item.help, max_chars=item.max_length, persist_state="session"
    )


def _seed(item: ParamField, label: str, key: str, hidden: bool, bind: Bind = "query-params") -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            label, min_value=0, max_value=SEED_MAX, value=0, step=1, key=key, help=item.help, bind=bind, width=140,
            persist_state=None if bind else "session",
        )  # fmt: skip
        st.button(
            "New", icon=":material/casino:", key=f"{key}-dice", help="Throw the dice: a new seed.",
            on_click=_throw, args=(key,),
        )  # fmt: skip
    st.toggle(
        "Keep this seed", value=True, key=lock_key(key), persist_state="session",
        help="On: Run uses this seed again, so that only your settings change the result. Off: each Run draws a new "
        "one.",
    )  # fmt: skip


_WIDGETS: dict[str, Callable[..., None]] = {
    "number": _number, "integer": _number, "toggle": _toggle, "choice": _choice, "tags": _tags, "text": _text,
    "seed": _seed,
}  # fmt: skip


def lock_key(seed_key: str) -> str:
    """Return the key of the switch that keeps the seed."""
    return state.key(seed_key, "kept")


def next_seed(spec: ModelSpec, again: bool) -> None:
    """Set the seed of the coming run, before widgets are drawn: the next one, or a new one if it is not kept."""
    key = setting_key(spec.id, "seed")
    if again:
        seed = state.at(key, 0)
        seed.set((int(seed.get()) + 1) % (SEED_MAX + 1))
    elif not state.at(lock_key(key), True).get():
        _throw(key)


def log_steps(item: ParamField) -> list[float]:
    """Return 101 values from `ge` to `le` in equal ratios, rounded to three figures, with the default among them."""
    assert item.ge is not None and item.le is not None
    ratio = item.le / item.ge
    steps = {float(f"{item.ge * ratio ** (turn / 100):.3g}") for turn in range(1, 100)} | {item.ge, item.le}
    if item.default is not None:
        steps.add(item.default)
    kind = int if item.type == "integer" else float
    return sorted({kind(step) for step in steps if item.ge <= step <= item.le})


def _value(spec: ModelSpec, item: ParamField) -> Any:
    if item.optional and not state.at(switch_key(spec.id, item.name), item.default is not None).get():
        return None
    fallback = item.default if item.default is not None else _neutral(item)
    value = state.at(setting_key(spec.id, item.name), fallback).get()
    if problem(item, value):
        value = fallback
    if item.type == "integer" and value is not None:
        return int(value)
    return list(value) if item.type == "tags" else value


def _neutral(item: ParamField) -> Any:
    """Return where an optional setting starts when it is switched on: the middle of its range."""
    if item.type in ("number", "integer"):
        assert item.ge is not None and item.le is not None and item.step is not None
        middle = item.ge + round((item.le - item.ge) / 2 / item.step) * item.step
        return int(middle) if item.type == "integer" else round(middle, 6)
    return item.choices[0] if item.choices else ""


def _shown(item: ParamField, value: Any) -> Any:
    """Return the value in the type that its widget takes."""
    if item.type == "number":
        return float(value)
    return int(value) if item.type in ("integer", "seed") else value


def _reset(spec: ModelSpec, fields: tuple[ParamField, ...]) -> None:
    set_values(spec, tuple(item for item in fields if item.type != "seed"), {})


def _throw(key: str) -> None:
    state.at(key).set(drawn_seed())
