"""The catalogue: one TOML file per model, read into validated `ModelSpec`s."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import BadInput, BadParam, CatalogError, UnknownModel, WeightsError
from models.family import Family, acting_inputs, discover
from models.params import Narrowing, Params, check
from models.settings import Settings
from models.types import Facts, Request


class Weights(BaseModel):
    """Say where weights lie: a folder beside the catalogue file, or a Hub repository at a pinned revision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = None
    hub: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    size_bytes: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either path or hub")
        if self.hub is not None and (self.revision is None or self.size_bytes is None):
            raise ValueError("a hub model needs revision (40 hex digits) and size_bytes")
        return self


class ModelSpec(BaseModel):
    """Describe one model of the catalogue.

    `facts` is what depends on the weights (context length, schedulers, …), written by `python -m models describe`.
    `examples` are prompts drawn as pills. Models of one `collection` learnt from one data set: they can be compared.
    `file` is the TOML file that the entry was read from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^(text|image|audio|video)/[a-z0-9][a-z0-9.-]*$")
    name: str = Field(min_length=1, max_length=60)
    family: str
    summary: str = Field(min_length=1, max_length=300)
    architecture: str = Field(min_length=1)
    trained_on: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    parameters: int = Field(gt=0)
    order: int = 100
    collection: str = ""
    weights: Weights
    params: dict[str, Narrowing] = Field(default_factory=dict)
    facts: Facts = Field(default_factory=Facts)
    examples: tuple[str, ...] = ()
    file: Path = Field(default=Path(), exclude=True)

    @property
    def modality(self) -> str:
        """Return the part of the id before the slash."""
        return self.id.split("/")[0]

    @property
    def embedded(self) -> bool:
        """Say whether the weights ship with the catalogue."""
        return self.weights.path is not None

    def folder(self) -> Path:
        """Return the folder of an embedded model's files. Raises `WeightsError` if it is missing."""
        if self.weights.path is None:
            raise WeightsError(f"{self.id} comes from the Hub and is not on this machine yet.")
        folder = (self.file.parent / self.weights.path).resolve()
        if not folder.is_dir():
            raise WeightsError(f"{self.id}: the folder {self.weights.path} with its weights is missing. Restore it.")
        return folder

    def weight_files(self) -> list[Path]:
        """Return the safetensors files of an embedded model, an adapter's base included. Raises `WeightsError`."""
        base = self.base_folder()
        files = [*sorted(self.folder().rglob("*.safetensors")), *(sorted(base.rglob("*.safetensors")) if base else ())]
        if not files:
            raise WeightsError(f"{self.id}: no .safetensors file lies in {self.weights.path}. Restore it.")
        return files

    def base_folder(self) -> Path | None:
        """Return the folder beside an adapter's (PEFT) that it adapts; None for a model that is whole.

        Raises `WeightsError` for an adapter that names no such folder.
        """
        file = self.folder() / "adapter_config.json"
        if not file.exists():
            return None
        try:
            name = json.loads(file.read_text("utf-8"))["base_model_name_or_path"]
            base: Path = (file.parent / name).resolve()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{self.id}: adapter_config.json is damaged. Restore it.") from error
        if base.parent != file.parent.resolve().parent or not base.is_dir():
            raise WeightsError(f"{self.id}: what it adapts, {name}, is missing. Restore the folder.")
        return base

    def weights_bytes(self) -> int:
        """Return the size of the weights on disk, in bytes."""
        if self.weights.size_bytes is not None:
            return self.weights.size_bytes
        return sum(path.stat().st_size for path in self.weight_files())

    def revision(self) -> str:
        """Return what pins the weights: the Hub revision, or a SHA-256 (hex) over the embedded files."""
        if self.weights.revision is not None:
            return self.weights.revision
        stats = [(path, path.stat()) for path in self.weight_files()]
        return _hash_files(tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats))


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
                f"There is no model {model[:80]!r}.{meant} There are: {', '.join(self._specs)}."
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
    families = discover(tuple(settings.family_dirs))
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
        raise CatalogError(f"{path.name}: id {spec.id!r} should begin with {family.modality}/, as its family makes.")
    try:
        family.fields(spec)
    except BadParam as error:
        raise CatalogError(f"{path.name}: {error.message}") from error
    return spec


@lru_cache(maxsize=64)
def _hash_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash files, read again only when a modification time or size differs."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
