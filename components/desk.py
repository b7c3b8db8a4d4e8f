"""What the parts of a page share while it is drawn: the session, the room, the chosen model, and what can be run."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from components import inputs, job_panel, opening, params_form, rooms, state
from components.modality import Modality, RoomPage, Segment
from components.session import Session
from models import lists
from models.errors import PlaygroundError, PromptTooLong
from models.family import Family, acting_inputs, main_text
from models.params import ParamField, check, in_effect
from models.runtime import forecasts
from models.spec import ModelSpec
from models.types import Request

log = logging.getLogger(__name__)
_HELD: state.Slot[dict[str, str]] = state.slot("desks-held", {})  # what was kept last, by model


@dataclass(frozen=True)
class Desk:
    """Hold what the callbacks of one drawn page need: `fields` is the table of settings of the model `spec`.

    `page` is the page that shows this model, `place` what the page's keys begin with. `away`: it is used on another
    page, and what sets the page to something opens it.
    """

    session: Session
    room: Modality
    page: RoomPage
    place: str
    spec: ModelSpec
    family: Family
    fields: tuple[ParamField, ...]
    away: bool = False

    @property
    def prompt(self) -> state.Slot[str]:
        """Return the slot of the page's prompt box."""
        return state.at(inputs.prompt_key(self), "")

    @property
    def segment(self) -> Segment | None:
        """Return the segment of the page that shows this model; None on a page without any."""
        return self.page.segment_for(self.spec)

    @property
    def bench(self) -> str:
        """Return what the names begin with of what stands on the page: of each segment its own."""
        segment = self.segment
        return f"{self.place}-{segment.title}" if segment is not None else self.place

    def run(self, again: bool = False) -> None:
        """Freeze prompt and settings into a request and queue it; what is wrong becomes a notice."""
        state.clear_notices()
        if self.busy():
            return
        params_form.next_seed(self.spec, again)
        try:
            request, said = self.request()
            if said:
                state.notify(said, "warning")
            self.check_length(request)
            self.session.submit([request])
        except PlaygroundError as error:
            state.notify(error.message)

    def request(self) -> tuple[Request, str]:
        """Return what Run would run, and a sentence about its lists, "" for none. Raises `BadInput`."""
        params, seed = params_form.acting_values(self.spec, self.fields)
        given, said = lists.draw_inputs(self.family, inputs.collect(self), seed, self.session.jobs.settings)
        return Request(model=self.spec.id, inputs=given, params=params, seed=seed), said

    def busy(self) -> bool:
        """Say whether a run of this owner is under way, on the page too."""
        return job_panel.busy(self.session)

    def warnings(self) -> list[str]:
        """Return what a person should read before Run; nothing where the request cannot be made yet."""
        params, seed = params_form.acting_values(self.spec, self.fields)
        try:
            request = Request(model=self.spec.id, inputs=inputs.held(self), params=params, seed=seed)
            return self.family.warnings(self.spec, request, check(self.family.Params, self.fields, params))
        except PlaygroundError:
            return []

    def forecast(self) -> float | None:
        """Return how many seconds a run takes as the page is set, at most; None where nothing was measured yet."""
        params, seed = params_form.acting_values(self.spec, self.fields)
        given = {self.main: self.prompt.get()} if self.main else {}
        found = [
            inputs.type_of(self, item).amount(self, item)  # type: ignore[misc]
            for item in inputs.wanted(self) if inputs.type_of(self, item).amount is not None
        ]  # fmt: skip
        amount = next((one for one in found if one), None)
        request = Request(model=self.spec.id, inputs=given, params=params, seed=seed)
        return self.session.jobs.forecast(request, amount)

    def counts_input(self) -> bool:
        """Say whether a run's inputs, and not its greatest length, tell how long it takes."""
        with suppress(PlaygroundError):
            params = check(self.family.Params, self.fields, params_form.acting_values(self.spec, self.fields)[0])
            return self.family.amount(self.spec, Request(model=self.spec.id), params) is not None
        return False

    @property
    def main(self) -> str:
        """Return the name of the text that the model starts from, "" for none."""
        item = main_text(self.family.inputs)
        return item.name if item is not None else ""

    def patience(self) -> str:
        """Say before Run that it takes longer than a run should where others share the machine, "" if it does not."""
        seconds, budget_s = self.forecast(), self.session.jobs.settings.run_budget_s
        if seconds is None or self.session.known.kind == "machine":
            return ""
        return forecasts.patience(seconds, budget_s, self.fields, params_form.values(self.spec, self.fields))

    def check_length(self, request: Request) -> None:
        """Refuse a prompt that is too long before it waits in the queue. Raises `PromptTooLong`.

        The worker counts, by the family's `length_tool`. While it warms up it is not asked: the run checks again.
        """
        main = main_text(self.family.inputs)
        prompt = request.inputs.get(main.name, "") if main is not None else ""
        engine = self.session.jobs.engine
        short = len(prompt.encode()) < self.spec.facts.get("context_length", 0)
        ready = engine.state().phase == "ready"
        if short or not ready or not self.family.length_tool:
            return
        counted = engine.call(self.spec.id, self.family.length_tool, {"text": prompt, "params": request.params})
        if counted["problem"]:
            raise PromptTooLong(counted["problem"], tokens=counted["tokens"])

    def write(self, text: str, run: bool = False) -> None:
        """Put a text into the prompt box, and go on from it if `run`."""
        if self.away:
            state.at(state.model_key(self.place)).set(self.spec.id)
        self.prompt.set(text)
        self._open()
        if run:
            self.run()

    def submit(self, request: Request) -> None:
        """Run a request that was made from another one, and set the page to it."""
        state.clear_notices()
        if self.busy():
            return
        try:
            self.session.submit([request])
            apply(self.session, self.page, request)
            self._open()
        except PlaygroundError as error:
            state.notify(error.message)

    def restore(self, request: Request) -> None:
        """Set the page to a run's request."""
        state.clear_notices()
        try:
            apply(self.session, self.page, request)
            self._open()
        except PlaygroundError as error:
            state.notify(error.message, "warning")

    def _open(self) -> None:
        if self.away:
            opening.ask(self.page.script)

    def remember(self) -> None:
        """Keep what the page holds for its owner, so that a reload or a new tab finds it; what fails is logged."""
        params = params_form.values(self.spec, self.fields)
        seed = int(params.pop("seed", 0))
        request = Request(model=self.spec.id, inputs=inputs.held(self), params=params, seed=seed)
        content = request.canonical()
        if _HELD.held().get(self.spec.id) == content:
            return
        try:
            self.session.jobs.store.save_desk(self.session.owner, request)
            _HELD.held()[self.spec.id] = content
        except PlaygroundError as error:
            log.warning("the page was not kept: %s", error.message)

    def recall(self, request: Request, addressed: Collection[str]) -> None:
        """Set what `remember` kept, but for what this session has set already.

        Where the address sets any of them (`addressed`), bounded settings are the address's alone.
        """
        good: dict[str, Any] = {} if addressed else {"seed": request.seed}
        for item in self.fields:
            value = request.params.get(item.name, item.default)
            if value == item.default or (addressed and item.type not in ("tags", "text")):
                continue
            with suppress(PlaygroundError):  # a range has changed since
                good[item.name] = getattr(
                    check(self.family.Params, self.fields, {item.name: value}, self.spec.id), item.name
                )  # fmt: skip
        params_form.start(self.spec, self.fields, params_form.switched(self.fields, good))
        inputs.recall(self, request.inputs)

    def by_chance(self, values: Mapping[str, Any]) -> bool:
        """Say whether the seed acts under the values of all settings: without it, a run can only repeat itself."""
        return "seed" in in_effect(self.fields, values)

    def depends(self, values: Mapping[str, Any]) -> object:
        """Return what the page beside the form takes from the settings: inputs that act, chance, the time."""
        wanted = acting_inputs(self.family.inputs, self.fields, values)
        used = {name: values.get(name) for item in wanted for name in inputs.type_of(self, item).uses}
        cost = forecasts.work(self.fields, values), forecasts.limit(self.fields, values)
        return [item.name for item in wanted], used, self.by_chance(values), cost


def of(session: Session, room: Modality, model: str) -> Desk:
    """Return the desk of a page that is set to `model`. Raises `UnknownModel`."""
    spec, family = session.catalog[model], session.catalog.family(model)
    page = rooms.page_of(session.catalog, model)
    return Desk(session, room, page, rooms.of(model).place(page), spec, family, family.fields(spec))


def apply(session: Session, page: RoomPage, request: Request) -> None:
    """Set the page to a request. Settings that are out of range are named and left at the default.

    Raises `UnknownModel`, and `PlaygroundError` for a model of another page.
    """
    request = session.catalog.current(request)
    there = of(session, rooms.of(request.model), request.model)
    if there.page != page:
        raise PlaygroundError(f"This is for {there.spec.name} on the {there.page.title} page; open it there.")
    good: dict[str, Any] = {"seed": request.seed}
    for name, value in request.params.items():
        try:
            good[name] = getattr(check(there.family.Params, there.fields, {name: value}, there.spec.id), name)
        except PlaygroundError as error:
            state.notify(f"Default kept: {error.message}", "warning")
    state.at(state.model_key(there.place)).set(there.spec.id)
    inputs.restore(there, request.inputs)
    params_form.set_values(there.spec, there.fields, good)
