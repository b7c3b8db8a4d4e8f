"""A finished result: the largest thing on the page, its facts, and what can be done with it next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import links, rooms, state
from components.escape import plain
from components.modality import Act, Modality, Showing, Takes
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.stamps import file_name
from models.types import ASIDE, Output, Request, Run

if TYPE_CHECKING:
    from components.desk import Desk

FINISH = {
    "eos": "ended by itself", "length": "length limit reached", "stop string": "stop sequence found",
    "stopped": "stopped by you",
}  # fmt: skip

TILE_CHARS = 80


def draw_outputs(
    jobs: Jobs | None, outputs: Sequence[Output], key: str, *, live: bool = False, request: Request
) -> None:
    """Draw outputs as their room does; bytes that were left in the store are fetched.

    What the room cannot draw is told in a sentence.
    """
    room = rooms.of(request.model)
    read = partial(stored, jobs) if jobs is not None else _own
    showing = Showing(outputs, key, read, live, request)
    for kind in dict.fromkeys(output.kind for output in outputs if output.kind not in ASIDE):
        view = room.views.get(kind)
        if view is not None:
            view(showing)
        else:
            st.info(
                plain(f"This is an output of the kind “{kind}”, which the {room.title} page cannot show. Download it "
                      "to look at it elsewhere."),
                icon=":material/info:",
            )  # fmt: skip


def _own(output: Output) -> bytes:
    return output.data


def draw_waiting(request: Request, key: str) -> None:
    """Draw what a run starts from while nothing has come yet."""
    waiting = rooms.of(request.model).waiting
    if waiting is not None:
        waiting(request, key)


def draw(desk: Desk, run: Run, key: str) -> None:
    """Draw a run with its facts and actions."""
    jobs = desk.session.jobs
    if run.error:
        _draw_error(jobs, run, key)
    if run.outputs:
        draw_outputs(jobs, run.outputs, key, request=run.request)
    st.caption(facts(run))
    for note in run.stats.get("notes", []):
        st.caption(f":material/info: {plain(note)}")
    if run.stats.get("not_stored"):
        st.warning(plain(f"This result could not be saved: {run.stats['not_stored']}"), icon=":material/warning:")
    if run.outputs:
        draw_actions(desk, run, key)


def facts(run: Run) -> str:
    """Say what a run took and what acted: "seed 7 · 1.2 s · 160 tokens, 180 per second · temperature 0.8 · …"."""
    stats, words = run.stats, rooms.of(run.request.model).words
    parts = []
    if "seed" in stats.get("in_effect", {}):
        parts.append(f"seed {run.request.seed}")
    if stats.get("seconds"):
        parts.append(f"{stats['seconds']:.1f} s")
    if stats.get("tokens"):
        speed = f", {stats['tokens_per_s']:,.0f} per second" if stats.get("tokens_per_s") else ""
        parts.append(f"{stats['tokens']:,} {words.counted}{speed}")
    elif stats.get("steps"):
        word = stats.get("counted") or (words.one if stats["steps"] == 1 else "steps")
        speed = f", {stats['steps_per_s']:,.0f} per second" if stats.get("steps_per_s") and stats["steps"] > 1 else ""
        parts.append(f"{stats['steps']:,} {word}{speed}")
    ends = [str(output.meta.get("finish", "")) for output in run.outputs]
    said = list(dict.fromkeys(FINISH[end] for end in ends if end in FINISH))
    if run.status == "failed" and run.outputs:
        said = ["partial result"]
    settings = [f"{name} {short(value)}" for name, value in stats.get("in_effect", {}).items() if name != "seed"]
    return " · ".join([*parts, *said]) + ("  \nIn effect: " + plain(", ".join(settings)) if settings else "")


def settings_json(run: Run) -> str:
    """Return a run's request and what came of it as JSON text."""
    body = {
        "request": run.request.model_dump(), "status": run.status, "stats": run.stats,
        "output_sha256": run.output_sha256 if run.outputs else None,
    }  # fmt: skip
    return json.dumps(body, ensure_ascii=False, indent=2)


def _draw_error(jobs: Jobs, run: Run, key: str) -> None:
    error = run.error or {}
    st.error(plain(error.get("message", "The run failed.")), icon=":material/error:")
    if error.get("code") == "model_refused":
        st.button(
            "Try anyway", icon=":material/refresh:", key=f"allow-{key}", on_click=jobs.engine.allow,
            args=(run.request.model,), help="Allows this model again; then press Run.",
        )  # fmt: skip


def draw_actions(desk: Desk, run: Run, key: str, brief: bool = False) -> None:
    """Draw what can be done with each output of a run; `brief`: without the link and the settings."""
    shown = [output for output in run.outputs if output.kind not in ASIDE]
    actions = rooms.of(run.request.model).actions
    for place, output in enumerate(shown):
        name = f" {output.index + 1}" if len(shown) > 1 else ""
        with st.container(horizontal=True, key=f"actions-{key}-{output.index}"):
            if (act := actions.get(output.kind)) is not None:
                act(Act(desk, run, output, name, f"{key}-{output.index}"))
            draw_takes(desk, output, name, f"{key}-{output.index}")
            st.download_button(
                f"Download{name}", partial(stored, desk.session.jobs, output),  # read when pressed, not at each draw
                file_name(run.request.model, run.request.seed, output.index, output.media_type),
                output.media_type, icon=":material/download:", key=f"download-{key}-{output.index}", on_click="ignore",
                help="The file does not contain the settings that made it: keep them by “Settings”."
                if output.index in run.stats.get("bare", [])
                else "The file also contains the settings that made it.",
            )  # fmt: skip
            if place == 0 and not brief:
                _draw_sharing(run, key)


def draw_takes(desk: Desk, output: Output, name: str, key: str) -> None:
    """Draw a button for each way in which a room, this page's or another one, takes an output as its input."""
    for room in rooms.every().values():
        for takes in (one for one in room.takes if one.kind == output.kind and one.fits(desk, output)):
            label, own = f"{takes.label}{name}", f"{takes.name}-{key}"
            if room.id == desk.room.id:
                st.button(label, icon=takes.icon, key=own, on_click=_take_here, args=(takes, desk, output),
                          help=takes.help)  # fmt: skip
            elif st.button(label, icon=takes.icon, key=own, help=takes.help) and _take(takes, desk, output):
                st.switch_page(room.page.script)


def _take_here(takes: Takes, desk: Desk, output: Output) -> None:
    _take(takes, desk, output)


def _take(takes: Takes, desk: Desk, output: Output) -> bool:
    state.clear_notices()
    try:
        takes.take(desk, output)
    except PlaygroundError as error:
        state.notify(error.message)
        return False
    return True


def _draw_sharing(run: Run, key: str) -> None:
    with st.popover("Copy link", icon=":material/link:"):
        link = links.link_to(st.context.url or "", run.request)
        if link is None:
            st.text(
                f"This prompt is too long for a link (at most {links.LINK_MAX_CHARS:,} characters in all). "
                "Download the result instead: its settings are inside."
            )
        else:
            st.caption(
                "Opens this page with the same prompt, settings and seed. Anyone with the link can read the prompt."
            )
            if any(value.startswith("sha256:") for value in run.request.inputs.values()):
                st.caption(":material/info: Links carry no files. Whoever opens it must add the starting file.")
            st.code(link, language=None, wrap_lines=True)
    with st.popover("Settings", icon=":material/data_object:"):
        st.code(settings_json(run), language="json", wrap_lines=True)
        st.download_button(
            "Download JSON", settings_json(run), file_name(run.request.model, run.request.seed, 0, "application/json"),
            "application/json", icon=":material/download:", key=f"json-{key}", on_click="ignore",
        )  # fmt: skip


def stored(jobs: Jobs, output: Output) -> bytes:
    """Return the artefact; a run that failed has none, nor one whose file was cleared: then its text alone."""
    if output.data:
        return output.data
    with suppress(PlaygroundError):
        if output.sha256:
            return jobs.store.get_bytes(output.sha256)
    return output.text.encode()


def short(value: Any) -> str:
    """Say a setting's value: "on" and "off", a list's members apart."""
    if isinstance(value, list):
        return " / ".join(repr(one) for one in value)
    return {True: "on", False: "off"}.get(value, f"{value}") if isinstance(value, bool) else f"{value}"


def draw_tile(room: Modality, output: Output, key: str, jobs: Jobs | None = None) -> None:
    """Draw an output small, as its room does; where the room has no tile, its first words."""
    if room.tile is not None:
        room.tile(output, partial(stored, jobs) if jobs is not None else _own, key)
    elif output.text:
        st.caption(plain(" ".join(output.text.split())[:TILE_CHARS]))
