"""What a model takes beside its settings, drawn and gathered by the type that its family declares.

Texts are drawn here. Every other type has its decoder and widget in a room; see `components.modality.InputType`.
Uploads go to the store at once; the session keeps their hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from components import params_form, rooms, state, uploads, writers
from components.escape import plain
from components.example import example_file
from components.modality import InputType
from models import labels
from models.blobs import REFERENCE
from models.errors import PlaygroundError
from models.family import InputField, acting_inputs, main_text
from models.plain_text import check_text

if TYPE_CHECKING:
    from components.desk import Desk

NAME_CHARS = 60  # of a file's name


def prompt_key(desk: Desk) -> str:
    """Return the key of a page's prompt: one for all its models, or for each segment, or family if the room says so."""
    part = desk.family.name if desk.room.own_prompts else desk.segment.title if desk.segment is not None else ""
    return state.prompt_key(desk.place, part)


def ref_key(place: str, name: str) -> str:
    """Return the key under which the reference of a page's upload is kept; `place` begins the page's keys."""
    return state.input_key(place, name)


def ref(desk: Desk, item: InputField) -> state.Slot[str]:
    """Return the slot of an upload's reference, "" where there is none."""
    return state.at(ref_key(desk.place, item.name), "")


def problem(desk: Desk, item: InputField) -> state.Slot[str]:
    """Return the slot of what was wrong with the last upload, "" for nothing."""
    return state.at(state.key(ref_key(desk.place, item.name), "problem"), "")


def file_name(desk: Desk, item: InputField) -> state.Slot[tuple[str, str]]:
    """Return the slot of the last upload's reference and the name of its file; what is kept may be another one."""
    return state.at(state.key(ref_key(desk.place, item.name), "file-name"), ("", ""))


def named(desk: Desk, item: InputField) -> str:
    """Return the name of the file that is kept, "" where this session did not upload it."""
    reference, name = file_name(desk, item).get()
    return name if reference and reference == kept_ref(desk, item) else ""


def upload_key(desk: Desk, item: InputField, widget: str) -> str:
    """Return the key of a widget that takes an upload, such as "upload": a new one after each, for an empty box."""
    return state.key(ref_key(desk.place, item.name), widget, turn_of(desk, item))


def text_key(desk: Desk, name: str) -> str:
    """Return the key of a page's text input: the prompt box's for the main text, whatever its name."""
    return prompt_key(desk) if is_main(desk, name) else state.input_key(desk.place, name)


def is_main(desk: Desk, name: str) -> bool:
    """Say whether an input is the text that the model starts from, which the page draws first."""
    main = main_text(desk.family.inputs)
    return main is not None and main.name == name


def type_of(desk: Desk, item: InputField) -> InputType:
    """Return how an input is drawn on a page, by its own room if that can; a sentence for a type that nobody knows."""
    return _BUILT_IN.get(item.type) or rooms.input_type(item.type, desk.room.id) or _UNKNOWN


def wanted(desk: Desk) -> tuple[InputField, ...]:
    """Return the inputs that act under the settings as they are."""
    return acting_inputs(desk.family.inputs, desk.fields, params_form.values(desk.spec, desk.fields))


def collect(desk: Desk) -> dict[str, str]:
    """Return the inputs of a request. Raises `BadInput` for text that cannot be run."""
    found = {item.name: type_of(desk, item).value(desk, item) for item in wanted(desk)}
    return {name: value for name, value in found.items() if value is not None}


def restore(desk: Desk, given: Mapping[str, str]) -> None:
    """Set the page's inputs to those of a request, before their widgets are drawn; other names are passed over."""
    for item in desk.family.inputs:
        type_of(desk, item).restore(desk, item, given)


def held(desk: Desk) -> dict[str, str]:
    """Return what the page holds for a reload, as it is: texts not checked, uploads by their reference."""
    found: dict[str, str | None] = {}
    for item in desk.family.inputs:
        kind = type_of(desk, item)
        with suppress(PlaygroundError):  # what cannot be run now is not kept
            found[item.name] = (kind.hold or kind.value)(desk, item)
    return {name: value for name, value in found.items() if value}


def recall(desk: Desk, given: Mapping[str, str]) -> None:
    """Set what this session has not set yet to what was held; an upload that was cleared is left out."""
    for item in desk.family.inputs:
        value = given.get(item.name)
        if value is None or (not item.is_text and not _is_stored(desk, value)):
            continue
        kind = type_of(desk, item)
        with suppress(PlaygroundError):  # of another version, or from a room that cannot be read any more
            if kind.recall is not None:
                kind.recall(desk, item, given)
            elif not (kind.hold or kind.value)(desk, item):
                kind.restore(desk, item, given)


def _is_stored(desk: Desk, value: str) -> bool:
    return REFERENCE.fullmatch(value) is not None and desk.session.jobs.store.path(value).exists()


def press(desk: Desk, given: Mapping[str, str]) -> str:
    """Return the sentence that says how a request with these inputs is started, as an input's type says it."""
    said = (type_of(desk, item).press for item in desk.family.inputs if given.get(item.name))
    return next(filter(None, said), "Press Run.")


def missing(desk: Desk) -> str:
    """Return a sentence about the uploads that are needed and not there yet; "" where none is missing."""
    names = [
        item.label.lower() for item in wanted(desk)
        if type_of(desk, item).check is not None and not kept_ref(desk, item)
    ]  # fmt: skip
    return f"Please add the {' and the '.join(names)} again: links and files do not include uploads." if names else ""


def draw(desk: Desk) -> None:
    """Draw every input that acts under the settings, but for the main text, which the page draws first."""
    items = [item for item in wanted(desk) if not is_main(desk, item.name) and type_of(desk, item).draw is not None]
    beside = [item for item in items if type_of(desk, item).beside]
    columns = dict(zip((item.name for item in beside), st.columns(max(1, len(beside))), strict=False)) if beside else {}
    for item in items:
        draw_it = type_of(desk, item).draw
        assert draw_it is not None
        if item.name in columns:
            with columns[item.name]:
                draw_it(desk, item)
        else:
            draw_it(desk, item)


def take(desk: Desk, item: InputField, data: bytes, said: str = "") -> None:
    """Make an upload the input `item`.

    Raises `BadInput` for what is too large or cannot be read; what was there before then stays.
    """
    ref(desk, item).set(stored_upload(desk, item, data, said))


def stored_upload(desk: Desk, item: InputField, data: bytes, said: str = "") -> str:
    """Store an upload for the input `item`, with what its type keeps beside it, and return its reference.

    It is read in a process of its own. Raises `BadInput` as `take`.
    """
    return uploads.keep(desk.session, type_of(desk, item), item, data, said, _in_use(desk))


def _in_use(desk: Desk) -> set[str]:
    """Return the references that this page holds, or that a job of its owner waits with."""
    session = desk.session
    views = [view for view in session.jobs.jobs_of(session.owner) if not view.finished]
    given = [text for view in views for request in view.requests for text in request.inputs.values()]
    given += [kept_ref(desk, item) or "" for item in desk.family.inputs if not item.is_text]
    return {text for text in given if REFERENCE.fullmatch(text)}


def take_upload(desk: Desk, item: InputField, *widgets: str) -> None:
    """Check what one of these widgets was given and keep its hash; a bad one leaves what was there."""
    given = next((found for name in widgets if (found := state.at(upload_key(desk, item, name)).get())), None)
    if given is None:
        return
    _turn(desk, item).set(turn_of(desk, item) + 1)  # the box is empty again: what is kept is shown beside it
    problem(desk, item).set("")
    state.clear_notices()  # what was told of an upload that was missing is over
    try:
        take(desk, item, given.getvalue())
        file_name(desk, item).set((ref(desk, item).get(), labels.shorten(given.name, NAME_CHARS)))
    except PlaygroundError as error:
        stays = " What was there before stays." if kept_ref(desk, item) else ""
        problem(desk, item).set(f"{labels.shorten(given.name, NAME_CHARS)}: {error.message}{stays}")


def turn_of(desk: Desk, item: InputField) -> int:
    """Return what the keys of an upload's widgets end in, a new number after each upload."""
    return _turn(desk, item).get()


def _turn(desk: Desk, item: InputField) -> state.Slot[int]:
    return state.at(state.key(ref_key(desk.place, item.name), "turn"), 0)


def draw_limits(item: InputField) -> None:
    """Say, before one uploads, how much is taken."""
    if item.limits:
        st.caption(plain(item.limits))


def draw_problem(desk: Desk, item: InputField) -> None:
    """Say what was wrong with the last upload."""
    if message := problem(desk, item).get():
        st.error(plain(message), icon=":material/error:")


def draw_remove(desk: Desk, item: InputField) -> None:
    """Draw the button that forgets an upload."""
    key = ref_key(desk.place, item.name)
    st.button("Remove", icon=":material/close:", key=f"{key}-remove", on_click=_remove, args=(desk, item))


def draw_example(desk: Desk, item: InputField, ending: str, what: str) -> None:
    """Offer the upload that ships with a model, for those who have none at hand: the example's file of this ending."""
    file = example_file(desk.spec, ending)
    if file is None:
        return
    key = ref_key(desk.place, item.name)

    def chosen() -> None:
        try:
            take(desk, item, file.read_bytes())
            problem(desk, item).set("")
        except PlaygroundError as error:  # a full disk
            problem(desk, item).set(error.message)

    st.button(
        "Use an example", icon=":material/lightbulb:", key=f"{key}-example", on_click=chosen,
        help=f"Loads a sample {what}; then press Run.",
    )  # fmt: skip


def stored(desk: Desk, item: InputField) -> bytes | None:
    """Return a kept upload's bytes, or None; one that was cleared from the store is forgotten."""
    found = kept_ref(desk, item)
    if found is None:
        return None
    try:
        return desk.session.jobs.store.get_bytes(found)
    except PlaygroundError:
        ref(desk, item).pop()
        return None


def _remove(desk: Desk, item: InputField) -> None:
    ref(desk, item).pop()
    problem(desk, item).set("")


def kept_ref(desk: Desk, item: InputField) -> str | None:
    """Return the reference of a kept upload: what a request carries of it."""
    return ref(desk, item).get() or None


def restore_ref(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    """Keep the reference that a request names. What is no reference clears it; a request without it leaves it.

    So does one of a file that is not this owner's: a link, or a result that somebody shared, names their upload.
    """
    if item.name not in given:
        return
    if is_own(desk, given[item.name]):
        ref(desk, item).set(given[item.name])
    else:
        ref(desk, item).pop()


def is_own(desk: Desk, reference: str) -> bool:
    """Say whether a reference is that of a file which the page's owner uploaded or made, and which is still stored."""
    store = desk.session.jobs.store
    if not REFERENCE.fullmatch(reference):
        return False
    return store.path(reference).exists() and store.owns(desk.session.owner, reference)


def _draw_text(desk: Desk, item: InputField) -> None:
    key = text_key(desk, item.name)
    st.text_area(
        item.label or item.name, key=key, height=80, persist_state="session", help=item.help,
        disabled=writers.is_going(key),
    )  # fmt: skip
    writers.draw(desk.session, key)
    writers.draw_told(desk.session, key)


def _text(desk: Desk, item: InputField) -> str | None:
    return check_text(state.at(text_key(desk, item.name), "").get(), item.name)


def _hold_text(desk: Desk, item: InputField) -> str:
    held: str = state.at(text_key(desk, item.name), "").get()
    return held


def _recall_text(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    state.at(text_key(desk, item.name)).start(given[item.name])


def _restore_text(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    if item.name in given or is_main(desk, item.name):
        state.at(text_key(desk, item.name)).set(given.get(item.name, ""))


def _nothing(desk: Desk, item: InputField) -> None:
    return None


def _leave(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    """Set nothing."""


def _draw_unknown(desk: Desk, item: InputField) -> None:
    st.info(
        plain(f"{desk.spec.name} takes an input of the type “{item.type}” ({item.label or item.name}), which nothing "
              "here can draw. Add the room that declares this type."),
        icon=":material/info:",
    )  # fmt: skip


# files that code hands over (kept steps, kept logits) are no widget of a page
_BUILT_IN = {
    "text": InputType(_text, _restore_text, _draw_text, hold=_hold_text, recall=_recall_text),
    "file": InputType(_nothing, _leave),
}
_UNKNOWN = InputType(_nothing, _leave, _draw_unknown)
