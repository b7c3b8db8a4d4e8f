"""A page's sweep: what is varied and what it costs, Run, and its grid; what there is of it: `sweep_state`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import (
    guide,
    inputs,
    params_form,
    quiz_make,
    share_menu,
    state,
    sweep_axes,
    sweep_grid,
    sweep_life,
    sweep_measures,
    sweep_needs,
    sweep_out,
    sweep_state,
    sweep_tiles,
)
from components.escape import plain
from components.share_menu import Asked
from components.sweep_grid import Sent, Wanted
from components.sweep_state import Planned
from models import labels
from models.errors import PlaygroundError
from models.family import main_text
from models.params import ParamField, in_effect
from models.runtime import sweeping
from models.runtime.job_view import JobView
from models.sweeps import cells, results, spec
from models.sweeps import values as sweep_values
from models.sweeps.cells import Cell, Plan
from models.sweeps.results import Result
from models.sweeps.spec import Sweep
from models.types import Output, Run

if TYPE_CHECKING:
    from components.desk import Desk

SECONDS_MOST = 24 * 3600
TILES_S = 0.7  # a page makes tiles for no longer at a time
FEW = 4  # cells of which the first is open from the start


# -- what is varied, what it costs, Run --------------------------------------------------------------------------------


def draw_form(desk: Desk, standing: Sweep | None) -> None:
    """Draw the box in which a sweep is made; `standing` is the one that the page shows."""
    box = st.expander("Sweep: vary settings, seeds, prompts, models", icon=":material/grid_on:", on_change="rerun",
                      key=box_key(desk))  # fmt: skip
    if not _is_open(box):
        return
    with box:
        _draw_last(desk, standing)
        sweep_axes.draw(desk)
        if not sweep_axes.entries(desk).get():
            return
        budget = st.number_input(
            "Seconds to spend", 1, SECONDS_MOST, None, 10, key=_seconds(desk), placeholder="no limit",
            help="With a limit, cells all over the grid come first, then more where neighbouring results differ most; "
            "“Go on” makes the rest.",
        )  # fmt: skip
        good, said = _cost(desk, float(budget or 0)) if sweep_axes.good(desk) else (False, [])
        for sentence in said:
            st.caption(plain(sentence))
        st.button(
            "Run the sweep", type="primary", icon=":material/grid_on:", key=state.key(desk.place, "sweep-run"),
            disabled=not good, on_click=run, args=(desk,),
        )  # fmt: skip


def _draw_last(desk: Desk, standing: Sweep | None) -> None:
    """Draw the button that shows the last sweep again, where something else stands on the page."""
    last = sweep_state.last(desk) if standing is None else None
    if last is not None:
        st.button(
            "Show the last sweep", icon=":material/undo:", key=state.key(desk.place, "sweep-last"), on_click=_reopen,
            args=(desk, last), help="Its grid, with what was made, and what it varied.",
        )  # fmt: skip


def _reopen(desk: Desk, sweep: Sweep) -> None:
    state.clear_notices()
    sweep_state.show(desk, sweep)
    if sweep.request.model != desk.spec.id:
        return
    if not sweep_axes.entries(desk).get():
        sweep_axes.set_to(desk, sweep)
    else:
        state.notify("The last sweep is shown. What you wrote in the box “Sweep” stayed as it is.", "info")


def box_key(desk: Desk) -> str:
    """Return the key of the box in which a page's sweep is made."""
    return state.key(desk.place, "sweep-box")


def draw_menu(desk: Desk) -> None:
    """Draw the menu that varies what has no menu of its own: texts, the seed, the model."""
    known = sweep_axes.choices(desk)
    acting = in_effect(desk.fields, params_form.values(desk.spec, desk.fields))
    texts = {f"{spec.INPUT}{item.name}" for item in inputs.wanted(desk) if item.type == "text"}  # those that one writes
    seeds = {item.name for item in desk.fields if item.type == "seed" and item.name in acting}
    names = [name for name in known if name in {*texts, *seeds, spec.MODEL}]
    if not names:
        return
    key = state.key(desk.place, "sweep-menu")
    st.menu_button(
        "Sweep", names, icon=":material/grid_on:", key=key, format_func=lambda name: plain(known[name].label),
        on_click=_vary_chosen, args=(desk, key), help="Compares several of one kind, in a grid: choose which.",
    )  # fmt: skip


def _vary_chosen(desk: Desk, key: str) -> None:
    vary(desk, str(state.at(key).get()))


def ways(desk: Desk, item: ParamField, now: Any) -> dict[str, Callable[[], None]]:
    """Return what the menu beside a setting with the value `now` offers, by its words."""
    found: dict[str, Callable[[], None]] = {}
    if three := sweep_values.three(item, now):
        words = [labels.value_words(item, value) for value in three]
        found[f"Compare {', '.join(words[:-1])} and {words[-1]}"] = partial(run_three, desk, item)
    found["Vary in a sweep"] = partial(vary, desk, item.name)
    return found


def vary(desk: Desk, name: str) -> None:
    """Open the box of the sweep with one more axis, and values to start from; what is varied already stays."""
    state.clear_notices()
    said = sweep_axes.add(desk, name)
    state.at(box_key(desk)).set(True)
    state.notify(said, "info")


def _is_open(box: Any) -> bool:
    return bool(box.open)


def _cost(desk: Desk, budget_s: float) -> tuple[bool, list[str]]:
    """Say what the sweep as the page is set will cost; False where it cannot be run."""
    try:
        found = sweep_state.planned(desk, sweep_axes.sweep_of(desk, desk.request()[0]))
        found.look(desk, older_s=sweep_life.LOOK_S)
    except PlaygroundError as error:
        return False, [error.message]
    catalog, jobs = desk.session.catalog, desk.session.jobs
    for view in jobs.jobs_of(desk.session.owner):  # what has just been made, too
        found.take(view)
    cost = sweeping.cost(catalog, found.plan, len(found.plan.distinct) - len(found.left), jobs.rates)
    words = [cost.words, *sweep_needs.words(desk, found, cost.seconds)]
    if budget_s and budget_s < cost.seconds:
        each = cost.seconds / max(1, cost.to_make)
        words.append(
            f"about {min(cost.to_make, max(1, int(budget_s / max(each, 1e-6)))):,} of them in {budget_s:,.0f} s"
        )
    return True, [*found.plan.said, " · ".join(words)]


def run(desk: Desk) -> None:
    """Run the sweep as the page is set, behind what runs already; what is wrong becomes a notice."""
    state.clear_notices()
    try:
        sweep_state.start(
            desk, sweep_axes.sweep_of(desk, desk.request()[0]), float(state.at(_seconds(desk)).get() or 0)
        )
    except PlaygroundError as error:
        state.notify(error.message)


def run_three(desk: Desk, item: ParamField) -> None:
    """Run the page's prompt with a setting at three values around the one at hand; what is wrong becomes a notice."""
    state.clear_notices()
    if desk.busy():
        return
    try:
        now = params_form.values(desk.spec, desk.fields)[item.name]
        sweep_state.start(desk, sweep_values.over(desk.request()[0], item.name, sweep_values.three(item, now)))
    except PlaygroundError as error:
        state.notify(error.message)


def _seconds(desk: Desk) -> str:
    return state.key(desk.place, "sweep-seconds")


def go_on(desk: Desk, sweep: Sweep) -> None:
    """Make what is left of a sweep; what is wrong becomes a notice."""
    state.clear_notices()
    if desk.busy():
        return
    try:
        sweep_state.start(desk, sweep)
    except PlaygroundError as error:
        state.notify(error.message)


# -- the grid ----------------------------------------------------------------------------------------------------------


def draw(desk: Desk, sweep: Sweep, view: JobView | None, full: Callable[[Run, str], None]) -> None:
    """Draw a sweep's grid, living or finished; `full(run, key)` draws the chosen cell's run below it."""
    try:
        found = sweep_state.planned(desk, sweep)
    except PlaygroundError as error:  # of a model that is gone, or has other settings now
        st.warning(plain(f"This sweep cannot be shown: {error.message}"), icon=":material/warning:")
        return
    found.look(desk, older_s=sweep_life.LOOK_S)
    key = grid_key(desk, sweep)
    st.markdown(plain(title(desk, found.plan)))
    chosen: state.Slot[int | None] = state.at(state.key(key, "chosen"))
    show = partial(_draw_grid, desk, found, key, chosen)
    still = sweep_life.draw(desk, view, key, show, found, "cell")
    if still:
        sweep_life.draw_left(desk, found, "cell", "sweep-go-on", partial(go_on, desk, sweep))
        with st.container(horizontal=True):
            sweep_out.draw(desk, found.plan, found.there, key)
            quiz_make.draw(desk, found.plan, key)
            draw_share(desk, found, key)
    at = chosen.get()
    if at is None and still and len(found.plan.cells) <= FEW:
        at = 0
    result = results.of(found.there, found.plan.cells[at]) if at is not None and at < len(found.plan.cells) else None
    if result is not None and result.run is not None:
        guide.draw_opened(named(desk, found.plan, found.plan.cells[at or 0]), key, _picks(key).get())
        full(result.run, state.key(key, "full"))


def grid_key(desk: Desk, sweep: Sweep) -> str:
    """Return the key of a sweep's grid, which is its name in the browser too."""
    return state.key(desk.place, "sweep-grid", hashlib.sha256(sweep.to_json().encode()).hexdigest()[:12])


def _picks(key: str) -> state.Slot[int]:
    """Return how often a cell of the grid under `key` was opened."""
    return state.at(state.key(key, "picks"), 0)


def draw_share(desk: Desk, found: Planned, key: str) -> None:
    """Draw the menu that shares a sweep with what there is of it, if there is anything."""
    made = {number: one.run for number, one in sorted(found.there.items()) if one.run is not None and one.outputs}
    if made:
        runs = list(made.values())
        share_menu.draw(desk.session, Asked(
            "sweep", f"this sweep with {len(runs):,} result{'s' * (len(runs) != 1)}, its prompts and settings",
            tuple(run.id for run in runs), tuple(made), found.plan.sweep.to_json(),
            uploads=any(share_menu.has_uploads(run.request) for run in runs),
        ), state.key(key, "share"))  # fmt: skip


def title(desk: Desk, plan: Plan) -> str:
    """Say what a sweep varies, and of what."""
    axes = " × ".join(
        f"{cells.label(desk.session.catalog, plan.sweep, axis.name)} ({len(axis.values)})" for axis in plan.sweep.axes
    )
    return f"{_subject(desk, plan)}{len(plan.cells):,} cells: {axes}. All else is alike."


def _subject(desk: Desk, plan: Plan) -> str:
    """Name model and prompt, but for what is varied: "Story GPT, “Once upon a time”: "."""
    catalog, request = desk.session.catalog, plan.sweep.request
    varied = {axis.name for axis in plan.sweep.axes}
    main = main_text(catalog.family(request.model).inputs)
    prompt = labels.prompt_of(catalog, request) if main and f"{spec.INPUT}{main.name}" not in varied else ""
    parts = [
        "" if spec.MODEL in varied else labels.model_name(catalog, request.model),
        f"“{labels.shorten(prompt, labels.PROMPT_CHARS)}”" if prompt else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said}: " if said else ""


def named(desk: Desk, plan: Plan, cell: Cell) -> str:
    """Return the values of a cell in words."""
    return ", ".join(
        cells.words(desk.session.catalog, plan.sweep, axis.name, axis.values[at], cell.request.model)
        for axis, at in zip(plan.sweep.axes, cell.place, strict=True)
    )


def draw_kept(desk: Desk, found: Planned, key: str) -> int | None:
    """Draw the grid of a sweep that is kept as it is, and return the cell that was chosen in it, None for none."""
    chosen: state.Slot[int | None] = state.at(state.key(key, "chosen"))
    every_s = sweep_measures.every_s(key)
    st.fragment(_draw_grid, run_every=every_s)(desk, found, key, chosen, None, every_s)
    at = chosen.get()
    return at if at is not None and at < len(found.plan.cells) else None


def _draw_grid(
    desk: Desk, found: Planned, key: str, chosen: state.Slot[int | None], view: JobView | None,
    every_s: float | None,
) -> None:  # fmt: skip
    found.take(view)
    plan, there = found.plan, found.there
    states: list[str] = [results.state(there, cell) for cell in plan.cells]
    if view is not None and not view.finished and view.state == "running":
        at_hand = {found.numbers.get(view.requests[at].canonical()) for at in (view.index, *view.at_once)}
        for cell in plan.cells:
            if cell.same_as in at_hand and states[cell.number] == "waiting":
                states[cell.number] = "running"
    catalog = desk.session.catalog
    axes = [
        (
            cells.label(catalog, plan.sweep, axis.name),
            [cells.words(catalog, plan.sweep, axis.name, one) for one in axis.values],
        )
        for axis in plan.sweep.axes
    ]
    want = sweep_grid.wanted(key)
    look = sweep_measures.look(desk, plan, there, key, want.pin)
    sweep_grid.draw(
        key, name=key, axes=axes, states=states, same=[cell.same_as for cell in plan.cells],
        sent=_tiles(desk, plan, there, want), chosen=chosen.get(), heat=look.heat,
        measure=look.chosen.label if look.chosen is not None else "", marks=look.marks,
        live=view is not None and not view.finished, on_want=lambda: None, on_pick=partial(_pick, key, chosen),
    )  # fmt: skip
    sweep_measures.draw(desk, plan, look, key)
    # a living job's panel looks again anyway
    if _PICKED.pop() or ((view is None or view.finished) and sweep_measures.every_s(key) != every_s):
        st.rerun()


_PICKED = state.slot("sweep-cell-picked", False)


def _pick(key: str, chosen: state.Slot[int | None]) -> None:
    at = sweep_grid.picked(key)
    if at is not None:
        chosen.set(at)
        _picks(key).set(_picks(key).get() + 1)
        _PICKED.set(True)


def _tiles(desk: Desk, plan: Plan, there: Mapping[int, Result], want: Wanted) -> list[Sent]:
    """Return the tiles that the browser lacks, as far as there are results for them.

    They are sent at each look until the browser has them and asks for others: what was sent may not have been drawn.
    """
    read = partial(_read, desk)
    reference = results.of(there, plan.cells[want.pin]).run if 0 <= want.pin < len(plan.cells) else None
    found: list[Sent] = []
    until = time.monotonic() + TILES_S
    for number in want.cells:
        if time.monotonic() > until:  # the browser asks again for what did not come
            break
        if 0 <= number < len(plan.cells) and (run_ := results.of(there, plan.cells[number]).run) is not None:
            found.append(Sent(want.mount, want.pin, number, sweep_tiles.tile(run_, read, reference)))
    return found


def _read(desk: Desk, output: Output) -> bytes:
    return output.data or desk.session.jobs.store.get_bytes(output.sha256)
