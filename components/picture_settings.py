"""Drop a result, get its settings back: ours in full, stable-diffusion-webui's as far as they are known here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from pydantic import ValidationError

from components import inputs, links, params_form, state
from models import sounds
from models.catalog import Catalog
from models.errors import BadInput, PlaygroundError
from models.images import read_settings
from models.jobs import Jobs
from models.plain_text import check_text
from models.stamps import Recovered
from models.types import Request

_TURN = "settings-from-picture-turn"


@dataclass(frozen=True)
class _Kind:
    """Say how the files of a modality are called, told and read."""

    name: str
    hint: str
    types: tuple[str, ...]
    megabytes: int
    read: Callable[[bytes], Recovered | None]


_KINDS = {
    "image": _Kind(
        "picture", "Drop a picture that was made here, or by stable-diffusion-webui: its prompt, settings and seed are "
        "set on this page. The picture is read on this machine and not kept.",
        ("png", "jpg", "jpeg", "webp"), inputs.UPLOAD_MB, read_settings,
    ),
    "audio": _Kind(
        "sound", "Drop a WAV, FLAC or MP3 file that was made here: its settings and seed are set here again. The file "
        "is read on this machine and not kept.",
        ("wav", "flac", "mp3"), inputs.SOUND_MB, sounds.read_settings,
    ),
}  # fmt: skip
MODALITIES = tuple(_KINDS)


def draw(jobs: Jobs, catalog: Catalog, modality: str) -> None:
    """Draw the box that takes the file; it closes when one was taken, and the notices say what became of it."""
    kind = _KINDS[modality]
    turn = st.session_state.get(_TURN, 0)
    key = f"settings-from-picture-{turn}"
    with st.popover(f"Settings from a {kind.name}", icon=":material/settings_backup_restore:", key=f"{key}-box"):
        st.caption(kind.hint)
        st.file_uploader(
            f"{kind.name.capitalize()} with settings", list(kind.types), key=key, on_change=_take,
            args=(jobs, catalog, modality), max_upload_size=kind.megabytes,
        )  # fmt: skip


def _take(jobs: Jobs, catalog: Catalog, modality: str) -> None:
    turn = st.session_state.get(_TURN, 0)
    upload = st.session_state.get(f"settings-from-picture-{turn}")
    if upload is None:
        return
    st.session_state[_TURN] = turn + 1
    state.clear_notices()
    kind = _KINDS[modality]
    try:
        found = kind.read(upload.getvalue())
        if found is None:
            state.notify(
                f"This {kind.name} carries no settings: it was not made here, or they were stripped.", "warning"
            )
            return
        apply(jobs, catalog, modality, found)
    except PlaygroundError as error:
        state.notify(error.message, "warning")
    except (ValidationError, OverflowError) as error:  # a seed out of range, numbers beyond all measure
        state.notify(
            f"The settings in this {kind.name} are damaged: a value is impossible ({type(error).__name__}).", "warning"
        )


def apply(jobs: Jobs, catalog: Catalog, modality: str, found: Recovered) -> None:
    """Set the page to what a picture says, and say what could not be taken."""
    model = found.model if found.model in catalog else None
    kind = _KINDS[modality]
    if found.source == "playground" and model is None:
        name = str(found.model)[:60]
        state.notify(f"The {kind.name} was made by {name}, which is not here. The rest was taken.", "warning")
    spec = catalog[model or _chosen(catalog, modality)]
    family = catalog.family(spec.id)
    fields = family.fields(spec)
    seed = params_form.values(spec, fields)["seed"] if found.seed is None else found.seed
    for name, text in found.inputs.items():
        check_text(text, name)
    pictures = [item.name for item in family.inputs if item.type != "text"]
    given = {name: "" if name in pictures and not _is_here(jobs, ref) else ref for name, ref in found.inputs.items()}
    links.apply(catalog, modality, Request(model=spec.id, inputs=given, params=found.params, seed=seed))
    what = "prompt and settings" if found.seed is None else "prompt, settings and seed"
    source = "" if found.source == "playground" else " as far as this model has them"
    state.notify(f"The {what} of the {kind.name} are set{source}. Press Run.", "info")
    if said := inputs.missing(family, spec, fields):
        state.notify(said, "warning")
    if found.unknown:
        state.notify(f"Not known here and left out: {'; '.join(found.unknown)}.", "warning")


def _chosen(catalog: Catalog, modality: str) -> str:
    """Return the model that the page is set to."""
    first = next(spec.id for spec in catalog.values() if spec.modality == modality)
    return str(st.session_state.get(state.model_key(modality)) or first)


def _is_here(jobs: Jobs, ref: str) -> bool:
    """Say whether the file of a reference is stored here."""
    try:
        return jobs.store.path(ref).exists()
    except BadInput:
        return False
