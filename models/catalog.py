"""The catalogue: one TOML file per model, read into validated `ModelSpec`s."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from models.errors import BadInput, BadParam, CatalogError, UnknownModel, WeightsError
from models.family import Family, acting_inputs, discover
from models.params import Narrowing, Params, check
from models.settings import Settings
from models.spec import ModelSpec, Weights
from models.types import Request


class Catalog(Mapping[str, ModelSpec]):
    """Hold the models by id, in the order in which they are listed, and their families."""

    def __init__(
        self, specs: list[ModelSpec], families: Mapping[str, Family], problems: tuple[CatalogError, ...] = ()
    ) -> None:
        self.problems = problems
        ranked = sorted(specs, key=lambda spec: (spec.modality, spec.order, spec.id))
        self._specs = {spec.id: spec for spec in ranked}
        self.families = families

    def __getitem__(self, model: str) -> ModelSpec:
        """Return the model's spec. Raises `UnknownModel`, with the nearest id and the list."""
        try:
            return self._specs[model]
        except KeyError:
            close = difflib.get_close_matches(model, list(self._specs), n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise UnknownModel(
                f"There is no model {model[:80]!r}.{meant} Available: {', '.join(self._specs)}."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, model: object) -> bool:
        return model in self._specs

    def get(self, model: str, default: Any = None) -> Any:
        return self._specs.get(model, default)

    def family(self, model: str) -> Family:
        """Return the family that runs `model`. Raises `UnknownModel`."""
        return self.families[self[model].family]

    def validate(self, request: Request) -> Params:
        """Check a request as the page, the CLI and the engine do. Raises `BadRequest` errors.

        A request in an old form passes as what it is in today's (see `current`). Returns the params in full: the
        request's own over the model's defaults.
        """
        request = self.current(request)
        spec, family = self[request.model], self.family(request.model)
        fields = family.fields(spec)
        params = check(family.Params, fields, request.params, spec.id)
        names = {item.name for item in family.inputs}
        extra = sorted(set(request.inputs) - names)
        if extra:
            raise BadInput(f"{spec.id} takes no input {extra[0]!r}; it takes: {', '.join(sorted(names))}.")
        if request.study and request.study not in family.studies:
            known = ", ".join(family.studies) or "none"
            raise BadInput(f"{spec.id} has no study {request.study!r}; it has: {known}.")
        acting = acting_inputs(family.inputs, fields, {**params.model_dump(), "seed": request.seed})
        missing = [
            item.name if item.type == "text" else item.label.lower() or item.name
            for item in acting if item.required and item.name not in request.inputs
        ]  # fmt: skip
        if missing:
            raise BadInput(f"The {missing[0]} is missing. Give {spec.id} a {missing[0]} and run again.")
        for item in family.inputs:
            if item.is_text and (problem := item.problem(request.inputs.get(item.name, ""))):
                raise BadInput(problem)
        family.check_inputs(spec, request, params)
        return params

    def check_uploads(self, request: Request, open_ref: Callable[[str], bytes]) -> None:
        """Check the size of a request's uploads where their input has a limit. Raises `BadInput`."""
        for item in self.family(request.model).inputs:
            if item.is_text or item.max_bytes is None or item.name not in request.inputs:
                continue
            if problem := item.problem(open_ref(request.inputs[item.name])):
                raise BadInput(problem)

    def current(self, request: Request) -> Request:
        """Return a request in today's form, whenever it was made. Raises `UnknownModel`.

        What was an input of the family once and is a text setting now moves among the params, unless they name it.
        """
        spec, family = self[request.model], self.family(request.model)
        settings = {item.name for item in family.fields(spec) if item.type == "text"}
        settings -= {item.name for item in family.inputs}
        moved = {name: text for name, text in request.inputs.items() if name in settings}
        if not moved:
            return request
        inputs = {name: text for name, text in request.inputs.items() if name not in moved}
        return request.model_copy(update={"inputs": inputs, "params": {**moved, **request.params}})


def load_catalog(settings: Settings, *, strict: bool = True) -> Catalog:
    """Read every `*.toml` of `settings.catalog_dirs`.

    Raises `CatalogError` naming the file and what is allowed: bad TOML, an unknown key, a bad range, a family
    that does not exist, an id used twice, missing weights. With `strict=False` a bad entry is left out and its
    error kept in `Catalog.problems`, so that one bad file does not take the other models away.
    """
    families = discover(settings.family_folders())
    specs: dict[str, ModelSpec] = {}
    problems: list[CatalogError] = []
    for folder in settings.catalog_dirs:
        if not Path(folder).is_dir():
            raise CatalogError(f"The catalogue folder {folder} does not exist. Check PLAYGROUND_CATALOG_DIRS.")
        for path in sorted(Path(folder).glob("*.toml")):
            try:
                spec = _read(path, families)
                if spec.id in specs:
                    raise CatalogError(f"{path.name}: the id {spec.id!r} is taken by {specs[spec.id].file.name}.")
                specs[spec.id] = spec
                _check_weights(spec)
            except CatalogError as error:
                if strict:
                    raise
                problems.append(error)
    return Catalog(list(specs.values()), families, tuple(problems))


def _read(path: Path, families: Mapping[str, Family]) -> ModelSpec:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"{path.name} cannot be read as TOML: {error}.") from error
    try:
        spec = ModelSpec(**data, file=path)
    except (ValidationError, TypeError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else []
        words = "; ".join(_sentence(problem) for problem in problems) or str(error)
        raise CatalogError(f"{path.name}: {words}.", file=str(path)) from error
    family = families.get(spec.family)
    if family is None:
        raise CatalogError(f"{path.name}: there is no family {spec.family!r}; allowed: {', '.join(sorted(families))}.")
    if family.modality != spec.modality:
        raise CatalogError(
            f"{path.name}: id {spec.id!r} must begin with {family.modality}/, the modality of its family."
        )
    try:
        family.fields(spec)
    except BadParam as error:
        raise CatalogError(f"{path.name}: {error.message}") from error
    return spec


def _check_weights(spec: ModelSpec) -> None:
    if not spec.embedded:
        return
    try:
        spec.weight_files()
    except WeightsError as error:
        raise CatalogError(f"{spec.file.name}: {error.message}") from error


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model: type[BaseModel] = ModelSpec
        if where.startswith("weights."):
            model = Weights
        elif where.startswith("params."):
            model = Narrowing
        known = [name for name in model.model_fields if name != "file"]
        return f"unknown key {where!r}; allowed: {', '.join(known)}"
    return f"{where}: {problem['msg']} (given: {str(problem['input'])[:80]!r})"
