"""Settings under a name, beside Reset: what each would change here, the reader's own, and files of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import params_form, state
from components.escape import plain
from components.notes import Note
from models import labels, presets
from models.errors import PlaygroundError
from models.presets import Preset

if TYPE_CHECKING:
    from components.desk import Desk

_TURN = state.slot("presets-file-turn", 0)
_SAID = state.slot("presets-said", "")


def draw(desk: Desk) -> None:
    """Draw the menu; its content only while it is open."""
    menu = st.popover("Presets", icon=":material/bookmark:", type="tertiary", on_change="rerun", key=_key(desk, "menu"))
    if not menu.open:
        return
    with menu:
        mine = presets.read_kept(_note(desk).get())
        if said := _SAID.pop():
            st.caption(plain(said))
        _draw_choice(desk, mine)
        _draw_own(desk, mine)


def _draw_choice(desk: Desk, mine: Sequence[Preset]) -> None:
    own = {one.name for one in mine}
    ours = [*desk.spec.recommended(), *desk.family.presets]
    every = {one.name: one for one in [*mine, *(one for one in ours if one.name not in own)]}
    if not every:
        st.caption("There are no presets for this model yet. Keep your settings under a name to have one.")
        return
    name = st.selectbox(
        "Preset", list(every), index=None, key=_key(desk, "chosen"), placeholder="Choose one",
        format_func=lambda name: f"{name} (yours)" if name in own else name,  # read as it is, not as markdown
    )  # fmt: skip
    if name is None:
        return
    preset = every[name]
    changes, left_out = presets.fit(desk.fields, preset, params_form.values(desk.spec, desk.fields))
    if preset.about:
        st.markdown(plain(preset.about))
    st.markdown(
        "\n".join(f"- {plain(labels.moved_words(one))}" for one in changes) or "Changes nothing: all is set so already."
    )
    for sentence in left_out:
        st.caption(f"Left out: {plain(sentence)}.")
    if preset.source:
        st.caption(f"Source: {plain(preset.source)}")
    with st.container(horizontal=True):
        st.button(
            "Set these", type="primary", key=_key(desk, "set"), disabled=not changes,
            on_click=partial(_set, desk, preset), help="Sets what is listed; all other settings stay as they are.",
        )  # fmt: skip
        if name in own:
            st.button("Delete", icon=":material/delete:", key=_key(desk, "delete"), on_click=_delete, args=(desk, name))


def _set(desk: Desk, preset: Preset) -> None:
    changes, _ = presets.fit(desk.fields, preset, params_form.values(desk.spec, desk.fields))
    params_form.set_some(desk.spec, desk.fields, {one.item.name: one.then for one in changes})
    state.at(_key(desk, "menu")).set(False)
    state.clear_notices()  # of what was done before
    state.notify(f"The preset “{preset.name}” is set: {'; '.join(map(labels.moved_words, changes))}.", "info")


def _draw_own(desk: Desk, mine: Sequence[Preset]) -> None:
    st.divider()
    differing = params_form.changed(desk.spec, desk.fields)
    name = st.text_input(
        "Keep these settings as", key=_key(desk, "name"), max_chars=presets.NAME_MAX, placeholder="A name",
        help="Keeps what differs from the model's defaults, for all models of this kind.",
    )  # fmt: skip
    st.button(
        "Keep", icon=":material/bookmark_add:", key=_key(desk, "keep"), on_click=_keep, args=(desk,),
        disabled=not differing or not (name or "").strip(),
        help="Nothing differs from the defaults." if not differing else "One of the same name is replaced.",
    )  # fmt: skip
    if mine:
        st.download_button(
            "Yours as a file", presets.to_json(desk.spec.family, mine), f"{desk.spec.family}-presets.json",
            "application/json", icon=":material/download:", key=_key(desk, "file"), on_click="ignore",
        )  # fmt: skip
    st.file_uploader("Presets from a file", ["json"], key=_upload(desk), on_change=_take, args=(desk,),
                     max_upload_size=1)  # fmt: skip


def _keep(desk: Desk) -> None:
    name = str(state.at(_key(desk, "name"), "").get() or "")
    try:
        made = presets.of_settings(name, desk.fields, params_form.values(desk.spec, desk.fields))
        _save(desk, presets.joined(presets.read_kept(_note(desk).get()), [made]))
    except PlaygroundError as error:
        _SAID.set(error.message)
        return
    state.at(_key(desk, "name")).set("")
    state.at(_key(desk, "chosen")).set(made.name)


def _delete(desk: Desk, name: str) -> None:
    state.at(_key(desk, "chosen")).set(None)
    _save(desk, [one for one in presets.read_kept(_note(desk).get()) if one.name != name])


def _take(desk: Desk) -> None:
    upload = state.at(_upload(desk)).get()
    if upload is None:
        return
    _TURN.set(_TURN.get() + 1)
    try:
        new, said = presets.read(upload.getvalue(), desk.spec.family, f"The file {upload.name[:60]}")
        _save(desk, presets.joined(presets.read_kept(_note(desk).get()), new))
        told = f"{len(new)} preset{'s' * (len(new) != 1)} kept."
        _SAID.set(" ".join([told, f"Left out: {'; '.join(said)}." if said else ""]).strip())
    except PlaygroundError as error:
        _SAID.set(error.message)


def _save(desk: Desk, mine: Sequence[Preset]) -> None:
    _note(desk).set([one.to_plain() for one in mine])


def _note(desk: Desk) -> Note[list[object]]:
    return Note(desk.session, presets.note_of(desk.spec.family), [])


def _upload(desk: Desk) -> str:
    return _key(desk, f"upload-{_TURN.get()}")


def _key(desk: Desk, name: str) -> str:
    return state.key(desk.spec.id, "presets", name)
