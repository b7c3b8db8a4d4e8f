"""Where each model stands on this machine, and what may be done with it: unload, remove, check. No drawing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import owners, services, state
from models import added
from models.amounts import size
from models.errors import PlaygroundError
from models.runtime import getting

if TYPE_CHECKING:
    from components.session import Session
    from models.runtime.engine import EngineState
    from models.runtime.getting import Stage
    from models.spec import ModelSpec

FIELDS = {"text": "", "rooms": [], "tasks": [], "nets": [], "licences": [], "size": "", "fits": False, "there": False}
CHECKED: state.Slot[dict[str, list[str]]] = state.slot("models-checked", {})  # what the last check of each one said
ONLY_OWNER = "Only whoever runs this machine may do this: others use the model too."


@dataclass(frozen=True)
class Standing:
    """Say where a model stands.

    `stage` is of a get of this app, `elsewhere` says that another process gets it, `left` are bytes of a get that was
    ended. `loaded` are the bytes in memory, None where it is not loaded; `users` runs use it now.
    """

    here: bool
    embedded: bool
    stage: Stage | None = None
    elsewhere: bool = False
    left: int = 0
    loaded: int | None = None
    users: int = 0

    @property
    def words(self) -> str:
        """Say it in a few words."""
        if self.stage is not None:
            return "being got"
        if self.elsewhere:
            return "being got by another process"
        if not self.here:
            return f"partly there ({size(self.left)}), unusable" if self.left else "not here"
        place = "came with the app" if self.embedded else "on disk"
        if self.users:
            return f"{place} · in use by {self.users} run{'s' * (self.users != 1)}"
        return f"{place} · loaded" if self.loaded is not None else place


def field(name: str) -> state.Slot[Any]:
    """Return the slot of a widget that narrows the list."""
    return state.at(state.key("models", name))


def clear() -> None:
    """Show every model again."""
    for name, nothing in FIELDS.items():
        field(name).set(nothing)


def standing(session: Session, spec: ModelSpec, engine: EngineState) -> Standing:
    """Return where a model stands."""
    loaded = next((one for one in engine.loaded if one["model"] == spec.id and not one.get("tool")), None)
    held, users = (int(loaded["bytes"]), int(loaded["leases"])) if loaded is not None else (None, 0)
    if spec.kept is None:
        return Standing(spec.here, spec.embedded, loaded=held, users=users)
    settings, stage = session.jobs.settings, services.gets().stage(spec.id)
    elsewhere = stage is None and getting.is_under_way(spec, settings)
    left = 0 if stage is not None or elsewhere else getting.left_bytes(spec, settings)
    return Standing(spec.here, spec.embedded, stage, elsewhere, left, held, users)


def may_change(session: Session, spec: ModelSpec) -> bool:
    """Say whether this visitor may unload, check and remove a model: whoever runs the machine, or who added it."""
    return owners.runs_machine(session.jobs) or spec.owned == added.place_of(session.owner)


def unload(session: Session, spec: ModelSpec) -> None:
    """Take a model out of memory; as a callback: what is wrong becomes a notice."""
    _try(session, spec, lambda: _unload(session, spec))


def remove(session: Session, spec: ModelSpec) -> None:
    """Take a model out of memory and from the disk, as a callback; one in use stays, with a sentence."""

    def both() -> None:
        _unload(session, spec)
        count = getting.remove(spec, session.jobs.settings)
        CHECKED.held().pop(spec.id, None)
        state.notify(f"{spec.name} was removed: {size(count)} of disk are free again.", "info")

    _try(session, spec, both)


def check(session: Session, spec: ModelSpec) -> None:
    """Begin to check that a model's files are what was kept, as a callback: gigabytes would hold the page."""

    def look() -> None:
        CHECKED.held().pop(spec.id, None)
        services.gets().begin(
            check_key(session, spec),
            lambda tell, stopped: json.dumps(getting.verify(spec, tell, stopped)),
            spec.named,
            session.owner,
        )

    _try(session, spec, look)


def check_key(session: Session, spec: ModelSpec) -> str:
    """Return under which key a check of this owner's is known."""
    return f"check {session.owner} {spec.id}"


def collect(session: Session) -> None:
    """Take over what checks that came to their end have said."""
    for spec in session.catalog.values():
        if spec.kept is not None and (said := services.gets().made(check_key(session, spec))):
            CHECKED.held()[spec.id] = json.loads(said)


def _unload(session: Session, spec: ModelSpec) -> None:
    engine = session.jobs.engine
    loaded = next((one for one in engine.state().loaded if one["model"] == spec.id), None)
    if loaded is None:
        return
    if loaded["leases"]:
        raise PlaygroundError(f"{spec.name} is in use by a run. Stop that run first, or wait until it is done.")
    engine.unload(spec.id)


def _try(session: Session, spec: ModelSpec, change: Any) -> None:
    state.clear_notices()
    if not may_change(session, spec):  # the button is not drawn then; whoever asks all the same gets no more
        state.notify(ONLY_OWNER)
        return
    try:
        change()
    except PlaygroundError as error:
        state.notify(error.message)
