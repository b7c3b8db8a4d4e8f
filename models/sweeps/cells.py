"""The cells of a sweep: a request for each combination of its axes' values, and which of them are one and the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from models.errors import BadParam, PlaygroundError
from models.family import acting_inputs
from models.labels import setting_words, value_words
from models.params import ParamField, in_effect, problem, taken, values_in_effect
from models.sweeps.spec import INPUT, MODEL, SEED, TOLD_MOST, Axis, Sweep, check_size
from models.types import Request, is_number

if TYPE_CHECKING:
    from models.catalog import Catalog

_Fields = tuple[ParamField, ...]


@dataclass(frozen=True)
class Cell:
    """Hold one combination: `place` gives the index of its value on each axis.

    `request` holds only what acts in it. `same_as` is the number of the first cell that has the same result, the cell's
    own where it is that one. `idle` names the axes that do nothing in it.
    """

    number: int
    place: tuple[int, ...]
    request: Request
    same_as: int
    idle: tuple[str, ...] = ()

    @property
    def is_first(self) -> bool:
        """Say whether no cell before it has the same result: the others need not be computed."""
        return self.same_as == self.number


@dataclass(frozen=True)
class Plan:
    """Hold a sweep's cells, the last axis turning fastest, and sentences about what does nothing."""

    sweep: Sweep
    cells: tuple[Cell, ...]
    said: tuple[str, ...] = ()

    @property
    def distinct(self) -> tuple[Cell, ...]:
        """Return the cells that have to be computed."""
        return tuple(cell for cell in self.cells if cell.is_first)

    def at(self, place: Sequence[int]) -> Cell:
        """Return the cell of these indices, one for each axis."""
        number = 0
        for many, index in zip(self.sweep.shape, place, strict=True):
            if not 0 <= index < many:
                raise IndexError(f"{tuple(place)} lies outside of {self.sweep.shape}")
            number = number * many + index
        return self.cells[number]


def plan(catalog: Catalog, sweep: Sweep) -> Plan:
    """Return a sweep's cells, each checked as a run's request is.

    Raises `BadParam` and `BadInput` that name each wrong value, axis and model, and `UnknownModel`.
    """
    check_size(sweep.shape)
    base = catalog.current(sweep.request)
    models = sweep.axis(MODEL)
    known = {str(name): _model(catalog, name) for name in (models.values if models else (base.model,))}
    _check_axes(sweep, known)
    cells: list[Cell] = []
    first: dict[str, int] = {}
    checked = cache(lambda content: _problem(catalog, Request.model_validate(json.loads(content))))
    problems: dict[str, None] = {}
    for number, place in enumerate(itertools.product(*map(range, sweep.shape))):
        chosen = {axis.name: axis.values[at] for axis, at in zip(sweep.axes, place, strict=True)}
        model = known[str(chosen.get(MODEL, base.model))]
        request, values = _request(model, base, chosen)
        if wrong := checked(request.canonical()):
            problems[f"{model.named}: {wrong}" if len(known) > 1 else wrong] = None
        idle = tuple(axis.name for axis in sweep.axes if not _acts(model, request, values, axis))
        same = first.setdefault(_cause(model, request, values), number)
        cells.append(Cell(number, place, request, same, idle))
    if problems:
        told = list(problems)[:TOLD_MOST]
        raise BadParam(" ".join(told), problems=list(problems))
    found = Plan(sweep, tuple(cells))
    _check_idle(found, known)
    return Plan(sweep, found.cells, tuple(_sentences(found, known)))


@dataclass(frozen=True)
class _Model:
    """Hold what is asked of one model, read once."""

    catalog: Catalog
    id: str
    fields: _Fields

    @property
    def named(self) -> str:
        return str(self.catalog[self.id].name)

    def field(self, name: str) -> ParamField | None:
        return next((item for item in self.fields if item.name == name), None)

    def inputs(self, values: Mapping[str, Any]) -> set[str]:
        return {item.name for item in acting_inputs(self.catalog.family(self.id).inputs, self.fields, values)}


def _model(catalog: Catalog, name: Any) -> _Model:
    spec = catalog[str(name)]
    return _Model(catalog, spec.id, catalog.family(spec.id).fields(spec))


def takes(catalog: Catalog, request: Request, model: str, names: Iterable[str] = ()) -> bool:
    """Say whether a model can make a request of another one as a cell of its sweep, along axes of these names."""
    known = _model(catalog, model)
    if any(True for name in names for _ in _axis_problems(Axis(name, ()), known)):
        return False
    base = catalog.current(request)
    return not _problem(catalog, _request(known, base, {MODEL: known.id})[0])


def _check_axes(sweep: Sweep, known: Mapping[str, _Model]) -> None:
    """Refuse what no model of the sweep can have. Raises `BadParam` that names all of it."""
    wrong: dict[str, None] = {}
    for axis, model in itertools.product(sweep.axes, known.values()):
        for sentence in _axis_problems(axis, model):
            wrong[sentence] = None
    for value in _twice(sweep.axes):
        wrong[value] = None
    if wrong:
        told, more = list(wrong)[:TOLD_MOST], len(wrong) - TOLD_MOST
        raise BadParam("; ".join(told) + (f"; and {more} more" if more > 0 else "") + ".", problems=list(wrong))


def _axis_problems(axis: Axis, model: _Model) -> Iterator[str]:
    if axis.name == MODEL:
        return
    if axis.input:
        taken_by = {item.name for item in model.catalog.family(model.id).inputs if item.is_text}
        if axis.input not in taken_by:
            yield f"{model.named} takes no text input {axis.input!r}; it takes: {', '.join(sorted(taken_by)) or 'none'}"
        return
    item = model.field(axis.name)
    if item is None:
        names = ", ".join(one.name for one in model.fields)
        yield f"{axis.name}: {model.named} has no such setting; it has: {names}, {MODEL} and inputs.NAME"
        return
    yield from (said for value in axis.values if (said := problem(item, taken(item, value))))


def _twice(axes: Sequence[Axis]) -> Iterator[str]:
    for axis in axes:
        seen = [json.dumps(0 if is_number(value) and not value else value, sort_keys=True) for value in axis.values]
        for value in dict.fromkeys(one for one in seen if seen.count(one) > 1):
            yield f"{axis.name} has the value {value if len(value) <= 60 else value[:57] + '…'} more than once"


def _request(model: _Model, base: Request, chosen: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
    """Return a cell's request with what acts in it alone, and the model's settings in full."""
    given = {name: value for name, value in base.params.items() if model.field(name) is not None}
    if model.id == base.model:
        given = dict(base.params)  # what the model does not have is told by the check
    given |= {name: value for name, value in chosen.items() if name not in (MODEL, SEED) and "." not in name}
    seed = chosen.get(SEED, base.seed)
    full = {**{item.name: item.default for item in model.fields}, **given, "seed": seed}
    acting = set(in_effect(model.fields, full))
    strange = {name for name in given if model.field(name) is None}
    # what begins to act beside another value alone has its default
    params = {name: value for name, value in given.items() if name in acting or name in strange}
    texts = {name.split(".", 1)[1]: value for name, value in chosen.items() if "." in name}
    wanted = model.inputs(full)
    family_inputs = {item.name for item in model.catalog.family(model.id).inputs}
    inputs = {
        name: value for name, value in {**base.inputs, **texts}.items()
        if name in wanted or (name not in family_inputs and model.id == base.model)
    }  # fmt: skip
    # chance has no part: cells that differ in the seed alone are one
    seed = seed if SEED in acting else base.seed
    return Request(model=model.id, inputs=inputs, params=params, seed=seed), full


def _problem(catalog: Catalog, request: Request) -> str:
    try:
        catalog.validate(request)
    except PlaygroundError as error:
        return error.message
    return ""


def _acts(model: _Model, request: Request, values: Mapping[str, Any], axis: Axis) -> bool:
    if axis.name == MODEL:
        return True
    if axis.input:
        return axis.input in model.inputs(values)
    return axis.name in in_effect(model.fields, values)


def _cause(model: _Model, request: Request, values: Mapping[str, Any]) -> str:
    """Return a text that is the same for requests whose results are."""
    acted = values_in_effect(model.fields, values)
    return json.dumps([model.id, request.inputs, acted], sort_keys=True, default=list)


def _check_idle(plan: Plan, known: Mapping[str, _Model]) -> None:
    """Refuse an axis that does nothing in any cell. Raises `BadParam`."""
    for axis in plan.sweep.axes:
        if all(axis.name in cell.idle for cell in plan.cells):
            why = _why(plan, axis.name, known)
            raise BadParam(f"{_label(plan, axis.name, known)} does nothing{why}. Change that, or vary something else.")


def _sentences(plan: Plan, known: Mapping[str, _Model]) -> Iterator[str]:
    many = len(plan.cells)
    same = many - len(plan.distinct)
    for axis in plan.sweep.axes:
        idle = sum(axis.name in cell.idle for cell in plan.cells)
        if idle:
            why = _why(plan, axis.name, known)
            yield f"{_label(plan, axis.name, known)} does nothing{why}: that is so in {idle:,} of {many:,} cells."
    if same:
        yield f"{same:,} of {many:,} cells have the same result as another: each is made once."


def _label(plan: Plan, name: str, known: Mapping[str, _Model]) -> str:
    items = (model.field(name) for model in known.values())
    return next((item.label for item in items if item is not None), name.removeprefix("inputs."))


def _why(plan: Plan, name: str, known: Mapping[str, _Model]) -> str:
    """Return " while Sample is off" for the first cell in which an axis does nothing; "" where no setting says why."""
    cell = next(cell for cell in plan.cells if name in cell.idle)
    model = known[cell.request.model]
    chosen = {axis.name: axis.values[at] for axis, at in zip(plan.sweep.axes, cell.place, strict=True)}
    _, values = _request(model, plan.sweep.request, chosen)
    item = model.field(name)
    shown_if = item.shown_if if item is not None else {}
    for other, listed in shown_if.items():
        cause = model.field(other)
        if cause is not None and values.get(other) not in listed:
            return f" while {setting_is(cause, values.get(other))}"
        if cause is not None and other not in in_effect(model.fields, values):
            return f" while {cause.label} does nothing"
    return ""


def setting_is(item: ParamField, value: Any) -> str:
    """Say a setting's value in a sentence: "Sample is off", "Guidance is 1"."""
    return f"{item.label} is {value_words(item, value)}"


def label(catalog: Catalog, sweep: Sweep, name: str) -> str:
    """Say what an axis varies: "Temperature", "Seed", "Model", a text's name."""
    if name == MODEL:
        return "Model"
    spec = catalog[sweep.request.model]
    if name.startswith(INPUT):
        name = name.removeprefix(INPUT)
        item = next((one for one in catalog.family(spec.id).inputs if one.name == name), None)
        return (item.label if item is not None else "") or name.replace("_", " ").capitalize()
    setting = next((one for one in catalog.family(spec.id).fields(spec) if one.name == name), None)
    return setting.label if setting is not None else name


def words(catalog: Catalog, sweep: Sweep, name: str, value: Any, model: str = "") -> str:
    """Say an axis's value: "Temperature 0.8", "seed 3", "Story GPT", a prompt in quotes."""
    if name == MODEL:
        return str(catalog[str(value)].name)
    if name == SEED:
        return f"seed {value}"
    if name.startswith("inputs."):
        return f"“{value}”"
    spec = catalog[model or sweep.request.model]
    item = next((one for one in catalog.family(spec.id).fields(spec) if one.name == name), None)
    return setting_words(item, value) if item is not None else f"{name} {value}"
