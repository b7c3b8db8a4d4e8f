"""What is measured of a page's sweep: colours for its grid, curves along an axis, and what its axes do, in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from components import services, state, sweep_curves
from components.escape import plain
from components.widgets import charts
from models.errors import PlaygroundError
from models.measuring import Offer, Wanted
from models.runtime.measuring_apart import Measurer
from models.settings import current
from models.sweeps import cells, measured
from models.sweeps.cells import Plan
from models.sweeps.measured import Numbers, Told
from models.sweeps.results import Result
from models.sweeps.spec import SEED
from models.types import Output

if TYPE_CHECKING:
    from components.desk import Desk

POLL_S = 1.0
FEW = 8  # effects that are told before one asks for all
TABLE_MOST = 6  # measures of one table
_MEASURER: state.Slot[Measurer | None] = state.slot("sweep-measurer", None)


@dataclass(frozen=True)
class Look:
    """Hold what is measured of a sweep at the moment.

    `chosen` colours the grid and is drawn as curves, the `tabled` ones are told together. `values` are by measure and
    cell, of all measures of which effects are told, `marks` those of the chosen one in words, for each cell; so many
    values are `wanted`, and `known` of them so far. `reference` is the cell that others are compared with.
    """

    offers: Mapping[str, Offer] = field(default_factory=dict)
    chosen: Offer | None = None
    tabled: tuple[Offer, ...] = ()
    values: Mapping[str, Numbers] = field(default_factory=dict)
    heat: list[float | None] | None = None
    marks: list[str] | None = None
    wanted: int = 0
    known: int = 0
    reference: int = 0

    @property
    def pending(self) -> bool:
        """Say whether more is being found out."""
        return self.known < self.wanted


def look(desk: Desk, plan: Plan, there: Mapping[int, Result], key: str, pin: int = -1) -> Look:
    """Measure what is chosen of what there is, as far as it goes in half a second; the rest is begun.

    `key` is the grid's; `pin` the cell that the reader compares others with, if any.
    """
    catalog = desk.session.catalog
    offers = {one.name: one for one in measured.of_sweep(catalog, current(), plan, there)}
    if len(plan.cells) < 2 or not offers:
        return Look()
    pinned = _pinned(key)
    if 0 <= pin < len(plan.cells):
        pinned.set(pin)
    chosen = offers.get(state.at(_chosen(key), "").get() or "")
    if chosen is None:
        return Look(offers, reference=pinned.get())
    also = [name for name in state.at(_also(key), list[str]()).get() if name in offers]
    tabled = tuple(dict.fromkeys([chosen.name, *also]))
    # what is real is told by all measures together: those that are looked at are measured first
    names = dict.fromkeys([*tabled, *(one.name for one in offers.values() if one.measure.steady)])
    wanted = {name: measured.wanted(catalog, plan, there, offers[name], pinned.get()) for name in names}
    every = [one for of_name in wanted.values() for one in of_name.values()]
    whole = known(desk, every)
    found = {name: measured.numbers(of_name, values(desk)) for name, of_name in wanted.items()}
    so_far = len(every) if whole else sum(one.key in values(desk) for one in every)
    return Look(
        offers, chosen, tuple(offers[name] for name in tabled), found, heat=measured.heat(plan, found[chosen.name]),
        marks=_marks(plan, found[chosen.name], chosen), wanted=len(every), known=so_far, reference=pinned.get(),
    )  # fmt: skip


def _marks(plan: Plan, values: Numbers, chosen: Offer) -> list[str]:
    found = (values.get(cell.same_as) for cell in plan.cells)
    return ["" if value is None else chosen.measure.words(value) for value in found]


def _pinned(key: str) -> state.Slot[int]:
    return state.at(state.key(key, "measured-beside"), 0)


def reference(key: str) -> int:
    """Return the number of the cell that others are compared with: the one that the reader chose, else the first."""
    return _pinned(key).get()


def _chosen(key: str) -> str:
    return state.key(key, "measure")


def _also(key: str) -> str:
    return state.key(key, "measured-also")


def _measurer(desk: Desk) -> Measurer:
    found = _MEASURER.get()
    if found is None:
        store, decoder = desk.session.jobs.store, services.decoder()
        found = Measurer(store, lambda one: one.data or store.get_bytes(one.sha256), decoder.call)
        _MEASURER.set(found)
    return found


def _size(desk: Desk, output: Output) -> int:
    with suppress(OSError, PlaygroundError):  # its file was cleared
        if output.sha256:
            return desk.session.jobs.store.path(f"sha256:{output.sha256}").stat().st_size
    return len(output.data) or len(output.text.encode())


def known(desk: Desk, wanted: Sequence[Wanted]) -> bool:
    """Say whether all of these values are known; the others are begun, as far as it goes in half a second."""
    return _measurer(desk).measure(wanted, lambda one: _size(desk, one))


def values(desk: Desk) -> Mapping[tuple[str, str], float | None]:
    """Return what is known, by `Wanted.key`."""
    return _measurer(desk).values


def note_pending(key: str, pending: bool) -> None:
    """Note whether what stands under `key` is still being measured."""
    state.at(state.key(key, "measuring"), False).set(pending)


def every_s(key: str) -> float | None:
    """Return after how many seconds the grid under `key` is drawn again: None while nothing is being found out."""
    return POLL_S if state.at(state.key(key, "measuring"), False).get() else None


def draw(desk: Desk, plan: Plan, now: Look, key: str) -> None:
    """Draw the choice of a measure, and what it says, below the grid."""
    if not now.offers:
        return
    names = list(now.offers)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Measure", names, index=None, key=_chosen(key), format_func=lambda name: now.offers[name].label,
            placeholder="Choose what to measure", help="Colours the grid, and is drawn as curves below it.",
        )  # fmt: skip
        if now.chosen is not None:
            others = [one.name for one in now.offers.values() if one.measure.steady and one is not now.chosen]
            st.multiselect(
                "Show effects on", others, key=_also(key), max_selections=TABLE_MOST - 1,
                format_func=lambda name: now.offers[name].label, placeholder="More measures",
                help="Their steps stand in the same table. Which are real does not depend on what is shown.",
            )  # fmt: skip
    pending = False
    if now.chosen is not None:
        st.caption(plain(_scale(desk, plan, now)))
        if now.values[now.chosen.name]:
            _draw_curves(desk, plan, now, now.chosen, key)
            pending = not now.pending and _draw_effects(desk, plan, now, key)
    note_pending(key, now.pending or pending)


def _scale(desk: Desk, plan: Plan, now: Look) -> str:
    """Say what the grid's colours mean: both ends in the measure's words, and what is missing."""
    assert now.chosen is not None
    measure, values = now.chosen.measure, now.values[now.chosen.name]
    said = [measure.help] if measure.help else []
    if measure.pairs:
        beside = _named(desk, plan, now.reference)
        said.append(
            f"Each cell is compared with {beside} at the same seed. To change that, choose another cell, press "
            "Reference and then Difference."
        )
    if values:
        low, high = min(values.values()), max(values.values())
        said.append(
            f"Colour: none at {measure.words(low)}, full at {measure.words(high)}." if low < high
            else f"All the same: {measure.words(low)}."
        )  # fmt: skip
    elif measure.pairs and all(axis.name == SEED for axis in plan.sweep.axes):
        said.append("Only seeds are varied, so no cell has another to compare with: vary a setting or a text, too.")
    elif not now.pending:
        said.append("No cell has a value yet.")
    if now.pending:
        said.append(f"Measuring: {now.known:,} of {now.wanted:,} values so far.")
    return " ".join(said)


def _named(desk: Desk, plan: Plan, number: int) -> str:
    cell = plan.cells[number]
    return ", ".join(
        cells.words(desk.session.catalog, plan.sweep, axis.name, axis.values[at], cell.request.model)
        for axis, at in zip(plan.sweep.axes, cell.place, strict=True) if axis.name != SEED
    ) or "the first cell"  # fmt: skip


def _draw_curves(desk: Desk, plan: Plan, now: Look, offer: Offer, key: str) -> None:
    catalog, axes = desk.session.catalog, plan.sweep.axes
    usable = [at for at, axis in enumerate(axes) if len(axis.values) > 1]
    usable.sort(key=lambda at: axes[at].name == SEED)  # the luck of the draw has no direction
    if not usable:
        return
    titles = [cells.label(catalog, plan.sweep, axis.name) for axis in axes]
    along, lines = usable[0], None
    if len(usable) > 1:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            along = st.selectbox("Curves along", usable, key=state.key(key, "curves-along"),
                                 format_func=lambda at: titles[at])  # fmt: skip
            others = [at for at in usable if at != along]
            first = next((at for at in others if axes[at].name != SEED), None)
            lines = st.selectbox(
                "A line for each", others, index=others.index(first) if first is not None else None,
                key=state.key(key, "curves-lines", along), format_func=lambda at: titles[at],
                placeholder="None: the mean of all",
            )  # fmt: skip
    words = [[cells.words(catalog, plan.sweep, axis.name, value) for value in axis.values] for axis in axes]
    item = next((one for one in desk.fields if one.name == axes[along].name), None)
    chart = sweep_curves.chart(
        plan, now.values[offer.name], offer.measure, offer.label, along, lines, words, titles, item
    )
    charts.draw(chart, state.key(key, "curves"))
    seeds = measured.seed_axis(plan)
    over = [titles[at] for at in usable if at not in (along, lines, seeds)]
    said = [f"Each point is the mean over {' and '.join(over)}."] if over else []
    if seeds is not None and seeds in usable and seeds not in (along, lines):
        said.append("The band runs from the lowest seed to the highest.")
    if said:
        st.caption(plain(" ".join(said)))


def _draw_effects(desk: Desk, plan: Plan, now: Look, key: str) -> bool:
    """Draw what the axes do to the measures chosen; say whether that is still being found out."""
    tabled = {offer.name: offer for offer in now.tabled if offer.measure.steady}
    if not tabled:
        st.caption("Time and memory depend on what ran before, too: no effects are shown on them.")
        return False
    asked = measured.effects_asked(plan, now.offers, {name: of for name, of in now.values.items() if of})
    name = hashlib.sha256(json.dumps((key, asked)).encode()).hexdigest()
    found = _measurer(desk).effects(name, len(plan.cells) * len(asked["values"]), lambda: asked)
    if found is None:
        st.caption("Comparing with what seeds alone do …")
        return True
    told = measured.tell(desk.session.catalog, plan, (one for one in found if one.measure in tabled), now.offers)
    if told:
        st.markdown("**Is it real?**")
        st.markdown(_table(told[:FEW]))
        if len(told) > FEW:
            with st.expander(f"All {len(told)} steps"):
                st.markdown(_table(told[FEW:]))
        st.caption(f"Bold: real. {measured.rule(found)}")
    alike = [offer.label for name, offer in tabled.items() if now.values[name] and name not in asked["values"]]
    if alike and now.tabled[0].label not in alike:  # of that one it is said above
        st.caption(plain(f"The same in all cells: {', '.join(alike)}."))
    left_out = [offer.label for name, offer in tabled.items() if offer.measure.pairs and now.values[name]]
    if left_out:
        st.caption(plain(
            f"{' and '.join(left_out)}: steps from the reference itself are left out, as it is not compared with "
            "itself. Three values or more have steps between the others."
        ))  # fmt: skip
    return False


def _table(told: Sequence[Told]) -> str:
    """Return effects as a table in markdown; values are people's words and are escaped."""
    lines = ["| Step | Change | Compared with seeds |", "|---|---|---|"]
    for one in told:
        verdict = f"**{one.verdict}**" if one.effect.verdict == "real" else one.verdict
        lines.append(f"| {_part(one.step)} | {_part(one.change)} | {verdict} |")
    return "\n".join(lines)


def _part(text: str) -> str:
    return plain(" ".join(text.split()))  # with every | escaped
