"""The body of every page that generates: model, write, settings, Run, result, what next. It knows no modality."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import streamlit as st

from components import (
    arrival,
    elsewhere,
    getting_box,
    guide,
    inputs,
    job_drawing,
    job_panel,
    keeping,
    kept_view,
    look_closer,
    model_picker,
    owners,
    params_form,
    presets_menu,
    quiz_page,
    quiz_state,
    result,
    rooms,
    run_list,
    segments,
    sensitivity_page,
    settings_box,
    state,
    sweep_page,
    sweep_state,
    writers,
)  # fmt: skip
from components import desk as desks
from components import session as sessions
from components import status_line as status
from components.desk import Desk
from components.escape import plain
from components.example import example_run
from components.modality import Segment
from models import known
from models.amounts import size, span
from models.errors import PlaygroundError
from models.family import InputField
from models.runtime import forecasts, job_view
from models.runtime.job_view import JobView
from models.sweeps.spec import CELLS_MOST, Sweep
from models.types import STUDY, Request, Run

LOOKED_THROUGH = 8  # jobs, for the newest that made something


def show(name: str, script: str = "") -> None:
    """Draw a page of a room: its first, or the one whose script has this name, without the ending."""
    session, room, page = sessions.here(), rooms.room(name), rooms.page(name, script)
    arrival.read(session, room, page)
    writers.settle(session)
    sitting = quiz_state.standing(session, room.place(page))
    if sitting is not None:  # in place of all that could tell its answers
        quiz_page.draw(session, room.place(page), page, sitting)
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(page.title, anchor=False)
        how = st.container(horizontal=True, width="content", gap="xsmall")
    segment = segments.choose(session.catalog, page, room.place(page))
    spec = model_picker.pick(session.catalog, page, room.place(page), segment)
    if spec is None:
        return
    desk = desks.of(session, room, spec.id)
    with how:
        settings_box.draw(desk)
        _draw_how(desk, segment)
    view = _job_of(desk)
    live = view is not None and not view.finished
    mode = next((mode for mode in room.modes if mode.choose(desk)), None)
    with st.sidebar:
        # a mode's runs are not the page's: a sweep would run a prompt that is not in sight
        ways = partial(sweep_page.ways, desk) if mode is None else None
        params_form.draw(spec, desk.fields, desk.depends, desk.remember, ways, partial(presets_menu.draw, desk))
        status.draw(session.jobs, busy=live)
    if not spec.here:
        _draw_notices()
        getting_box.draw(spec)
    elif mode is not None:
        mode.draw(desk)
        return
    else:
        _draw_bench(desk, view, live, segment)
    st.divider()
    st.header("Earlier results", anchor=False)
    run_list.draw(desk, shown=view.id if view is not None else "")


def _draw_how(desk: Desk, segment: Segment | None) -> None:
    """Draw the fold that tells how the model works; a segment's lesson costs something, so only once it is open."""
    words, lesson = desk.family.how_it_works, segment.lesson if segment is not None else None
    if not words.strip():
        return
    fold = st.popover(
        "How this works", icon=":material/school:", width="content", on_change="ignore" if lesson is None else "rerun",
        key=state.key(desk.place, "how", segment.title if segment is not None else ""),
    )  # fmt: skip
    if lesson is not None and not fold.open:
        return
    with fold:
        st.markdown(words)
        if lesson is not None:
            lesson(desk)


def _draw_bench(desk: Desk, view: JobView | None, live: bool, segment: Segment | None) -> None:
    """Draw what runs: inputs, Run and its kin, the result."""
    session, room, page = desk.session, desk.room, desk.page
    _draw_notices()
    if segment is not None and segment.given is not None:
        segment.given(desk)
    _draw_inputs(desk)
    _draw_run_line(desk, live)
    sweep = sweep_state.shown(desk, view, arrival.opened_at(desk))
    tried = sensitivity_page.shown(desk, view, arrival.opened_at(desk))
    sweep_page.draw_form(desk, sweep if tried is None else None)
    sensitivity_page.draw_form(desk)
    elsewhere.draw(session, page, view.id if view is not None else "")
    _draw_result(desk, view, sweep, tried)
    if room.below is not None:
        room.below(desk)


def _draw_notices() -> None:
    """Draw what was just done where it is seen, whatever was pressed: above the prompt."""
    with st.container():  # a place of its own, as below: what comes and goes moves no upload
        state.draw_notices()


def _job_of(desk: Desk) -> JobView | None:
    """Return the owner's newest job of a page, but for those that a mode of it keeps to itself.

    The jobs at hand are few; what was made before the app began, or before a run on another page, is in the store.
    None while a link waits to be run.
    """
    session, since = desk.session, arrival.opened_at(desk)
    found = [view for view in session.jobs.jobs_of(session.owner) if _is_of(desk, view)]
    if not found:
        with suppress(PlaygroundError):  # the list of earlier results says what is wrong with the store
            runs = run_list.newest(desk, LOOKED_THROUGH)
            newest = next((run for run in runs if run.outputs and _is_of(desk, job_view.of_runs([run]))), None)
            if newest is not None:
                found = [job_view.of_runs(session.jobs.store.runs(job=newest.job, limit=CELLS_MOST)[::-1])]
    return next((view for view in found[-1:] if not view.finished or view.submitted_at >= since), None)


def _is_of(desk: Desk, view: JobView) -> bool:
    request, catalog = view.requests[0], desk.session.catalog
    if rooms.page_of(catalog, request.model) != desk.page or view.purpose == STUDY or request.study:
        return False
    if request.model in catalog and desk.page.segment_for(catalog[request.model]) != desk.segment:
        return False
    return not any(mode.keeps(view) for mode in desk.room.modes)


def _draw_inputs(desk: Desk) -> None:
    for item in inputs.wanted(desk):
        if inputs.is_main(desk, item.name):
            _draw_prompt(desk, item)
    inputs.draw(desk)


def _draw_prompt(desk: Desk, item: InputField) -> None:
    if desk.spec.examples and item.required:
        desk.prompt.start(desk.spec.examples[0])  # first use needs one click
    st.text_area(
        item.label or item.name.replace("_", " ").capitalize(), key=desk.prompt.key,
        height=desk.page.prompt_px or desk.room.prompt_px,
        persist_state="session", placeholder=(desk.segment or desk.room).placeholder,
        help=item.help or "What the model starts from. Markdown and HTML are shown as plain text.",
        disabled=writers.is_going(desk.prompt.key),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="top", gap="small"):
        writers.draw(desk.session, desk.prompt.key)
        if desk.spec.examples:
            st.pills(
                "Try", desk.spec.examples, key=_example(desk).key, label_visibility="collapsed",
                format_func=_begins, on_change=_take_pill, args=(desk, _example(desk)), wrap=True,
            )  # fmt: skip
    writers.draw_told(desk.session, desk.prompt.key)
    # in a place of its own: what comes and goes above an upload would move it, and the browser drop what it is sending
    with st.container():
        _draw_unseen(desk)


def _begins(text: str) -> str:
    """Return an example as its pill says it: of several lines the first."""
    first, *more = text.splitlines() or [""]
    return plain(f"{first} …" if more else first)


def _draw_unseen(desk: Desk) -> None:
    """Say before Run that the prompt names nothing the model learnt, with what is nearest to press."""
    strange = known.unseen(desk.spec, desk.prompt.get())
    if strange is None:
        return
    st.caption(f":material/info: {plain(strange.sentence)}")
    if strange.nearest:
        slot = _nearest(desk)
        st.pills(
            "Nearest names", strange.nearest, key=slot.key, label_visibility="collapsed", format_func=plain,
            on_change=_take_pill, args=(desk, slot), wrap=True,
        )  # fmt: skip


def _nearest(desk: Desk) -> state.Slot[str | None]:
    """Return the slot of the chosen nearest name."""
    return state.at(state.key(desk.spec.id, "nearest"), None)


def _example(desk: Desk) -> state.Slot[str | None]:
    """Return the slot of the chosen example."""
    return state.at(state.key(desk.spec.id, "examples"), None)


def _take_pill(desk: Desk, slot: state.Slot[str | None]) -> None:
    chosen = slot.get()
    if chosen:
        desk.write(chosen)
        slot.set(None)  # the pill is a shortcut, not a state


def _draw_run_line(desk: Desk, live: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run", type="primary", icon=":material/play_arrow:", shortcut="Ctrl+Enter", key="run", disabled=live,
            on_click=desk.run, width=170,
        )  # fmt: skip
        if desk.by_chance(params_form.values(desk.spec, desk.fields)):
            st.button(
                "Next seed", icon=":material/plus_one:", key="again", disabled=live, on_click=desk.run, args=(True,),
                help="Runs again with seed + 1; all else stays.",
            )  # fmt: skip
        if desk.room.beside_run is not None:
            desk.room.beside_run(desk, live)
        sweep_page.draw_menu(desk)
        st.caption(_forecast(desk, live))
    for sentence in desk.warnings():
        st.caption(f":material/warning: {plain(sentence)}")
    if patience := desk.patience():
        st.caption(f":material/hourglass_top: {plain(patience)}")


def _forecast(desk: Desk, live: bool) -> str:
    """Say what a run will take: its time by what this machine measured, its memory from the registry's own state."""
    words = []
    now = params_form.values(desk.spec, desk.fields)
    seconds = desk.forecast()
    if seconds is not None:
        counts = forecasts.limit(desk.fields, now) is not None and not desk.counts_input()
        if seconds >= 10 and not counts:
            words.append(f"about {span(seconds)}")
        else:
            words.append(f"at most {max(1.0, seconds):.0f} s" if counts else f"about {max(0.1, seconds):.1f} s")
    engine = desk.session.jobs.engine.state()
    load = 0 if desk.spec.id in {entry["model"] for entry in engine.loaded} else desk.family.needed_bytes(desk.spec)
    if load and not live:  # a run under way loads it just now
        words.append(f"first loads the model ({size(load)} of memory)")
    with suppress(ValueError):  # a value that is on its way to a valid one
        params = desk.family.Params(**{name: now[name] for name in desk.family.Params.model_fields if name in now})
        asked = Request(model=desk.spec.id, inputs={"prompt": desk.prompt.get()})
        needed = load + desk.family.run_bytes(desk.spec, asked, params)
        if engine.budget_bytes and needed > engine.budget_bytes:
            words.append(
                f"needs about {size(round(needed, -6))} of memory; at most {size(engine.budget_bytes)} is free for it"
            )
    return " · ".join(words)


def _draw_result(
    desk: Desk, view: JobView | None, sweep: Sweep | None, tried: tuple[Request, int] | None
) -> None:  # fmt: skip
    """Draw the newest job, or sweep; kept results stand beside a run, and above what has several."""
    mine = {run.id for run in view.runs} if view is not None else set()
    kept = [run for run in keeping.runs(desk) if run.id not in mine]
    if tried is None and sweep is not None:  # what is kept would stand between its mark and its grid
        if view is not None and not view.finished:
            owners.draw_loss(desk.session.known)
        kept_view.draw(desk, keeping.runs(desk), among=sweep.request)
        guide.draw(view, grid=f"{sweep_page.grid_key(desk, sweep)} {sweep_state.noted_at(desk)}")
        sweep_page.draw(desk, sweep, view, partial(_draw_cell, desk))
        return
    guide.draw(view)
    if tried is not None:
        sensitivity_page.draw(desk, tried, view)
        return
    if view is None:
        kept_view.draw(desk, kept)
        _draw_example(desk)
        return
    if not view.finished:
        owners.draw_loss(desk.session.known)
    if view.purpose:
        kept_view.draw(desk, kept, among=view.requests[0])
        job_drawing.draw(desk, view, closer=True)
    elif not view.finished:
        with kept_view.draw(desk, kept, view.requests[view.index]):
            job_panel.draw(desk.session, view.id)
        _draw_look_before(desk)
        return
    elif kept and view.runs:
        _draw_beside(desk, kept, view)
    else:
        job_drawing.draw_runs(desk, view)


def _draw_cell(desk: Desk, run: Run, key: str) -> None:
    """Draw the chosen cell of a sweep in full, with what can be done with it."""
    result.draw(desk, run, f"{key}-{run.id}")
    st.button(
        "Use these settings", icon=":material/tune:", key=f"sweep-use-{run.id}", on_click=desk.restore,
        args=(run.request,), help="Set prompt, settings and seed to those of this run.",
    )  # fmt: skip
    job_drawing.draw_further(desk, run)


def _draw_beside(desk: Desk, kept: Sequence[Run], view: JobView) -> None:
    for run in view.runs:
        with kept_view.draw(desk, kept, run):
            if desk.room.end_line:
                job_panel.draw_end(view)
            result.draw_made(desk.session.jobs, run, view.id)
        result.draw_told(desk, run, view.id)
        job_drawing.draw_further(desk, run)


def _draw_look_before(desk: Desk) -> None:
    """Draw the look that is open into the result before, so that it keeps its place until the new one is there."""
    found = [view for view in desk.session.jobs.jobs_of(desk.session.owner)
             if view.finished and not view.purpose and _is_of(desk, view)]  # fmt: skip
    for run in found[-1].runs[:1] if found else ():
        look_closer.draw(desk.session, run, f"after-{run.id}", before=True)


def _draw_example(desk: Desk) -> None:
    if arrival.opened_model(desk) == desk.spec.id:
        st.info("Press Run to see what was shared.", icon=":material/link:")
        return
    example = example_run(desk.spec)
    if example is not None:
        share = desk.spec.example_share
        usual = f" {share:.0%} of seeds come out as asked for these examples." if share is not None else ""
        st.caption(f":material/lightbulb: **An example** from this model.{usual} Press Run to make your own.")
        result.draw_outputs(None, example.outputs, f"example-{desk.spec.id}", request=example.request)
        st.caption(result.facts(desk.session.catalog, example))
