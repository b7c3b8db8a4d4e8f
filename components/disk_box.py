"""“From disk” on the Models page: a model by its path or as an upload, with what it takes told before it is added."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import getting_box, owners, services, state
from components.escape import plain
from models import added
from models.amounts import size
from models.errors import BadInput, PlaygroundError
from models.runtime import adding

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.session import Session
    from models.from_disk import Found
    from models.runtime.getting import Tell

ENDINGS = ["gguf", "safetensors", "json", "txt", "jinja", "model", "spm"]
FILES_MAX = 100
UPLOADED = ".uploaded-"  # how folders of uploads begin, among the weights
KEEP_S = 24 * 3600.0
_FOUND: state.Slot[Found | None] = state.slot("disk-found", None)
_REFUSED = state.slot("disk-refused", "")
_TURN = state.slot("disk-turn", 0)  # a widget of files is emptied by a new key


def may_add(session: Session) -> bool:
    """Say whether this visitor may add models: whoever runs the machine, and who signed in. They see their own."""
    return owners.runs_machine(session.jobs) or session.known.kind == "user"


def by_path(session: Session) -> bool:
    """Say whether this visitor may name paths: they are of the machine that serves, and only it can have asked."""
    return owners.runs_machine(session.jobs) and owners.on_loopback()


def tell(session: Session) -> None:
    """Leave a notice of what was added since the page was drawn."""
    if made := services.gets().made(_key(session)):
        state.notify(f"{made} was added: its card is below.", "info")


def draw(session: Session, room_bytes: int) -> None:
    """Draw it, for those who may add models; `room_bytes` is what models may take of memory."""
    if not may_add(session):
        return
    key, gets = _key(session), services.gets()
    with st.expander("From disk", icon=":material/hard_drive:", key="disk-box"):
        if gets.stage(key) is not None:
            getting_box.draw_stage(key, "Adding it")
            return
        if error := gets.error(key):
            st.error(plain(error), icon=":material/block:")
        if by_path(session):
            st.markdown("A GGUF file, or a folder with safetensors, `config.json` and a tokenizer. It is copied; "
                        "nothing in it is run.")  # fmt: skip
            with st.form("disk-form", border=False):
                st.text_input("Path", key=_field("path").key, placeholder="/home/me/models/some-model.gguf")
                st.form_submit_button("Look", icon=":material/search:", on_click=_look, args=(session,))
        else:
            st.markdown("A GGUF file, or the files of a folder with safetensors, `config.json` and a tokenizer: at "
                        f"most {st.get_option('server.maxUploadSize')} MB each. Nothing in them is run.")  # fmt: skip
            with st.form("disk-form", border=False):
                st.file_uploader("Files", type=ENDINGS, accept_multiple_files=True, key=_files().key)
                st.form_submit_button("Look", icon=":material/search:", on_click=_look, args=(session,))
        if said := _REFUSED.get():
            st.error(plain(said), icon=":material/block:")
        found = _FOUND.get()
        if found is not None:
            _draw_found(session, found, room_bytes)


def _draw_found(session: Session, found: Found, room_bytes: int) -> None:
    settings = session.jobs.settings
    st.text_input("Name", key=_field("name").key, max_chars=adding.NAME_MAX, placeholder=found.name or "As its file")
    try:
        plan = adding.plan(found, session.catalog, session.owner, str(_field("name").get() or ""))
        for sentence in adding.words(plan):
            st.caption(plain(sentence))
        adding.refuse_too_large(plan, room_bytes, settings)
    except PlaygroundError as error:
        st.error(plain(error.message), icon=":material/block:")
        return
    st.button("Add it", type="primary", icon=":material/add:", key="disk-add", on_click=_add,
              args=(session, plan, room_bytes))  # fmt: skip


def _look(session: Session) -> None:
    """Look at what was given, as a callback: what it is or why it is refused stands in the session."""
    _FOUND.set(None)
    _REFUSED.set("")
    if not may_add(session):
        return
    try:
        if by_path(session):
            path = str(_field("path").get() or "").strip()
            if not path:
                raise BadInput("Give the path of a GGUF file or of a folder.")
        else:
            path = _kept_uploads(session)
        _FOUND.set(adding.look(path))
    except PlaygroundError as error:
        _REFUSED.set(error.message)


def _add(session: Session, plan: adding.Plan, room_bytes: int) -> None:
    """Begin to add a model, as a callback."""
    settings, owner, uploaded = session.jobs.settings, session.owner, not by_path(session)
    if not may_add(session):
        return
    _FOUND.set(None)
    _field("name").set("")

    def work(tell: Tell, stopped: Callable[[], bool]) -> str:
        try:
            return adding.add(plan, owner, room_bytes, settings, tell, stopped).named
        finally:
            if uploaded:
                shutil.rmtree(_uploads(session), ignore_errors=True)

    services.gets().begin(_key(session), work, plan.spec.name, owner)


def _kept_uploads(session: Session) -> str:
    """Write the uploads of this owner side by side; return the path of the one file, or of their folder."""
    given = list(_files().get() or ())
    if not given:
        raise BadInput("Upload a GGUF file, or the files of a folder.")
    names = [Path(file.name).name for file in given]
    if len(given) > FILES_MAX or len({*names}) < len(names) or not all(names):
        raise BadInput(f"Upload at most {FILES_MAX} files, each of its own name.")
    settings = session.jobs.settings
    most = max(0, (limit := settings.uploads_per_owner_bytes) - _bytes_of(session))
    if (count := sum(file.size for file in given)) > most:
        raise BadInput(
            f"These files have {size(count)}; {size(most)} are left of the {size(limit)} that your models may take. "
            "Remove one that you added, or take a smaller one."
        )
    folder = _uploads(session)
    for left in folder.parent.glob(f"{UPLOADED}*"):  # of those who went away
        with suppress(OSError):
            if left == folder or time.time() - left.stat().st_mtime > KEEP_S:
                shutil.rmtree(left, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        for name, file in zip(names, given, strict=True):
            (folder / name).write_bytes(file.getbuffer())
    except OSError as error:
        raise PlaygroundError(f"The upload could not be kept ({error.strerror}). Try again later.") from error
    _TURN.set(_TURN.get() + 1)
    return str(folder / names[0] if len(names) == 1 else folder)


def _bytes_of(session: Session) -> int:
    """Return what an owner's added models take; whoever runs the machine has no limit but its disk."""
    if owners.runs_machine(session.jobs):
        return 0
    return sum(spec.weights_bytes() for spec in session.catalog.values() if spec.owned)


def _uploads(session: Session) -> Path:
    return session.jobs.settings.weights_folder() / f"{UPLOADED}{added.place_of(session.owner)}"


def _key(session: Session) -> str:
    return f"add {session.owner}"


def _field(name: str) -> state.Slot[str]:
    return state.at(state.key("disk", name))


def _files() -> state.Slot[list[Any]]:
    return state.at(state.key("disk", "files", str(_TURN.get())))
