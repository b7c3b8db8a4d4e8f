"""A finished result: the largest thing on the page, its facts, and what can be done with it next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import copy_link, keeping, labelled, links, opening, rooms, share_menu, state
from components.escape import plain
from components.modality import Act, Modality, Showing, Takes
from models import labels
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField
from models.runtime.jobs import Jobs
from models.stamps import file_name
from models.types import ASIDE, Output, Request, Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.session import Session

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
            st.info(plain(_unknown(room, kind)), icon=":material/info:")


def _unknown(room: Modality, kind: str) -> str:
    return (
        f"This is an output of the kind “{kind}”, which the {room.title} page cannot show. Download it to look at it "
        "elsewhere."
    )


def _own(output: Output) -> bytes:
    return output.data


def draw_waiting(request: Request, key: str) -> None:
    """Draw what a run starts from while nothing has come yet."""
    waiting = rooms.of(request.model).waiting
    if waiting is not None:
        waiting(request, key)


def draw(desk: Desk, run: Run, key: str) -> None:
    """Draw a run with its facts and actions."""
    draw_made(desk.session.jobs, run, key)
    draw_told(desk, run, key)


def draw_made(jobs: Jobs, run: Run, key: str) -> None:
    """Draw what a run made, and why it failed if it did."""
    if run.error:
        _draw_error(jobs, run, key)
    if run.outputs:
        draw_outputs(jobs, run.outputs, key, request=run.request)


def draw_told(desk: Desk, run: Run, key: str) -> None:
    """Draw a run's facts, and what can be done with it."""
    catalog, said = desk.session.catalog, facts(desk.session.catalog, run)
    if run.request.model != desk.spec.id:  # the page went on to another model
        model = run.request.model
        said = f"By {plain(catalog[model].name if model in catalog else model)} · {said}"
    st.caption(said)
    for note in run.stats.get("notes", []):
        st.caption(f":material/info: {plain(note)}")
    if run.stats.get("not_stored"):
        st.warning(plain(f"This result could not be saved: {run.stats['not_stored']}"), icon=":material/warning:")
    if run.outputs:
        draw_actions(desk, run, key)


def facts(catalog: Catalog, run: Run) -> str:
    """Say what a run took and what acted, in the sliders' words: "seed 7 · 1.2 s · Temperature 0.8 · …"."""
    stats, words = run.stats, rooms.of(run.request.model).words
    parts = []
    if "seed" in stats.get("in_effect", {}):
        parts.append(f"seed {run.request.seed}")
    others = int(stats.get("together") or 1) - 1
    if stats.get("seconds"):
        at_once = f" at once with {others:,} other{'s' * (others != 1)}" if others > 0 else ""
        parts.append(f"{stats['seconds']:.1f} s{at_once}")
    if stats.get("tokens"):
        told = stats.get("tokens_per_s") and others < 1  # the speed of one among several is not the model's
        speed = f", {stats['tokens_per_s']:,.0f} per second" if told else ""
        parts.append(f"{stats['tokens']:,} {words.counted}{speed}")
    elif stats.get("steps") and (stats["steps"], stats.get("counted")) != (1, "part"):  # a text read whole
        word = stats.get("counted") or (words.one if stats["steps"] == 1 else "steps")
        speed = f", {stats['steps_per_s']:,.0f} per second" if stats.get("steps_per_s") and stats["steps"] > 1 else ""
        parts.append(f"{stats['steps']:,} {word}{speed}")
    ends = [str(output.meta.get("finish", "")) for output in run.outputs]
    said = list(dict.fromkeys(FINISH[end] for end in ends if end in FINISH))
    if run.status == "failed" and run.outputs:
        said = ["partial result"]
    settings = [labels.setting_words(item, value) for item, value in in_effect(catalog, run) if item.name != "seed"]
    return " · ".join([*parts, *said]) + ("  \nIn effect: " + plain(", ".join(settings)) if settings else "")


def in_effect(catalog: Catalog, run: Run, *, asked: bool = False) -> list[tuple[ParamField, Any]]:
    """Return the settings that acted in a run, with their values; one that its model has no longer goes by its name.

    `asked`: those too that were asked for, as where a run ended before it said what acted.
    """
    known = catalog.family(run.request.model).fields(catalog[run.request.model]) if run.request.model in catalog else ()
    fields = {item.name: item for item in known}
    return [
        (fields.get(name) or ParamField(name, name.replace("_", " ").capitalize(), "text", None, ""), value)
        for name, value in {**(run.request.params if asked else {}), **run.stats.get("in_effect", {})}.items()
    ]


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
    """Draw what can be done with a run's output, of several with the chosen one.

    `brief`: without the link and the settings, and it cannot be kept.
    """
    output = _chosen(desk.session.catalog, run, key)
    if output is None:
        return
    own = f"{key}-{output.index}"
    with st.container(horizontal=True, key=f"actions-{own}"):
        if not brief:
            _draw_keep(desk, run, key)
        if (act := rooms.of(run.request.model).actions.get(output.kind)) is not None:
            act(Act(desk, run, output, own))
        draw_takes(desk, output, own)
        _draw_download(desk.session.jobs, run, output, own)
        if not brief:
            _draw_link(run, key)
            _draw_settings(desk.session.catalog, run, key)
            share_menu.draw_run(desk.session, run, state.key("share", key))


def draw_files(session: Session, run: Run, key: str) -> None:
    """Draw what a reader may take along of a run: its files, of several the chosen one, and its settings."""
    output = _chosen(session.catalog, run, key)
    with st.container(horizontal=True, key=f"files-{key}"):
        if output is not None:
            _draw_download(session.jobs, run, output, f"{key}-{output.index}")
        _draw_settings(session.catalog, run, key)


def _draw_download(jobs: Jobs, run: Run, output: Output, key: str) -> None:
    st.download_button(
        "Download", partial(stored, jobs, output),  # read when pressed, not at each draw
        file_name(run.request.model, run.request.seed, output.index, output.media_type),
        output.media_type, icon=":material/download:", key=f"download-{key}", on_click="ignore",
        help="The file does not contain the settings that made it: keep them by “Settings”."
        if output.index in run.stats.get("bare", [])
        else "The file also contains the settings that made it.",
    )  # fmt: skip


def _chosen(catalog: Catalog, run: Run, key: str) -> Output | None:
    """Return the output that the bar of actions is for; let the reader choose one of several, by number and seed."""
    shown = [output for output in run.outputs if output.kind not in ASIDE]
    if len(shown) < 2:
        return shown[0] if shown else None
    names = labelled.of_outputs(catalog, [(run, output) for output in shown], says=False)
    place = st.segmented_control(
        "Actions for", range(len(shown)), default=0, required=True, key=f"{key}-chosen", wrap=True,
        format_func=lambda at: plain(_numbered(shown[at], names[at])),
    )  # fmt: skip
    return shown[place or 0]


def _numbered(output: Output, name: str) -> str:
    """Return an output's number and what tells it from the others, where that is more than the number."""
    return f"{output.index + 1} · {name}" if "seed" in output.meta else name.capitalize()


def _draw_keep(desk: Desk, run: Run, key: str) -> None:
    is_kept = keeping.is_kept(desk, run)
    st.button(
        "Kept" if is_kept else "Keep this one", icon=f":material/{'keep_off' if is_kept else 'keep'}:",
        key=f"keep-{key}-{run.id}", on_click=keeping.let_go if is_kept else keeping.keep, args=(desk, run),
        type="primary" if is_kept else "secondary",
        help="Keeps it no longer beside the others. It stays among the earlier results." if is_kept
        else "Keeps this result beside the next ones. Then move a slider and run again.",
    )  # fmt: skip


def draw_takes(desk: Desk, output: Output, key: str) -> None:
    """Draw a button for each way in which a room, this page's or another one, takes an output as its input."""
    for room in rooms.every().values():
        for takes in (one for one in room.takes if one.kind == output.kind and one.fits(desk, output)):
            # what is taken is set before this page is drawn again, and another page is opened from within it
            pressed = st.button(
                takes.label, icon=takes.icon, key=f"{takes.name}-{key}", on_click=_take,
                args=(room, takes, desk, output), help=takes.help,
            )  # fmt: skip
            if pressed:
                opening.follow()


def _take(room: Modality, takes: Takes, desk: Desk, output: Output) -> None:
    """Take an output as input, and say which page is to be opened for it, if it is not the one at hand."""
    state.clear_notices()
    opening.ask(None)
    try:
        model = takes.take(desk, output)
    except PlaygroundError as error:
        state.notify(error.message)
        return
    here = desk.page if room.id == desk.room.id else room.page
    there = rooms.page_of(desk.session.catalog, model) if model is not None else here
    if there != desk.page or desk.away:
        opening.ask(there.script)


def _draw_link(run: Run, key: str) -> None:
    uploads = any(value.startswith("sha256:") for value in run.request.inputs.values())
    copy_link.draw(
        links.link_to(st.context.url or "", run.request), f"link-{key}-{run.id}",
        hint="Copies a link that opens this page with the same prompt, settings and seed.",
        said="Copied. Anyone with the link can read the prompt."
        + (" It carries no files: whoever opens it must add the starting file." if uploads else ""),
        too_long=f"This prompt is too long for a link (at most {links.LINK_MAX_CHARS:,} characters in all). Press "
        "Share: it makes a short link to the result, or to its settings alone.",
    )  # fmt: skip


def _draw_settings(catalog: Catalog, run: Run, key: str) -> None:
    with st.popover("Settings", icon=":material/data_object:"):
        rows = [f"- {plain(labels.setting_words(item, value))} · `{item.name}`"
                for item, value in in_effect(catalog, run)]  # fmt: skip
        if rows:
            st.markdown("\n".join(rows))
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


def draw_tile(room: Modality, output: Output, key: str, jobs: Jobs | None = None) -> None:
    """Draw an output small, as its room does by its kind; without a tile its first words, else where it can be seen."""
    tile = room.tiles.get(output.kind)
    if tile is not None:
        tile(output, partial(stored, jobs) if jobs is not None else _own, key)
    elif output.text.strip():
        st.caption(plain(labels.shorten(labels.own_words(output) or output.text, TILE_CHARS)))
    elif output.kind in room.views:
        st.caption(plain(f"Shown in full on the {room.title} page."))
    else:
        st.caption(plain(_unknown(room, output.kind)))
