"""The catalogue: one TOML file per model, read into validated `ModelSpec`s."""

from __future__ import annotations

import difflib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from models import added, outside, whose
from models.errors import BadInput, BadParam, CatalogError, UnknownModel, WeightsError, restore
from models.family import Family, acting_inputs, discover
from models.params import Narrowing, Params, check
from models.settings import Settings
from models.spec import ModelSpec, Names, Weights
from models.types import Request

PROBLEMS_MAX = 5  # of one file that are told


class Catalog(Mapping[str, ModelSpec]):
    """Hold the models by id, in the order in which they are listed, and their families."""

    def __init__(
        self, specs: list[ModelSpec], families: Mapping[str, Family], problems: tuple[CatalogError, ...] = ()
    ) -> None:
        self.problems = problems
        ranked = sorted(specs, key=lambda spec: (spec.modality, spec.order, spec.id))
        self._specs = {spec.id: spec for spec in ranked}
        self.families = families
        self._shown: dict[str, Catalog] = {}

    def of(self, owner: str) -> Catalog:
        """Return the catalogue as an owner has it: everyone's models, and what they added themselves."""
        place = added.place_of(owner)
        if not any(one.owned == place for one in self._specs.values()):
            place = ""  # as most have it
        if place not in self._shown:
            seen = ("", place)
            self._shown[place] = Catalog(
                [spec for spec in self._specs.values() if spec.owned in seen], self.families,
                tuple(one for one in self.problems if one.details.get("owned", "") in seen),
            )  # fmt: skip
        return self._shown[place]

    def __getitem__(self, model: str) -> ModelSpec:
        """Return the model's spec. Raises `UnknownModel`, with the nearest id and those of its kind."""
        try:
            return self._specs[model]
        except KeyError:
            close = difflib.get_close_matches(model, list(self._specs), n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            same = [one for one in self._specs if one.split("/")[0] == model.split("/", maxsplit=1)[0]] or list(
                self._specs
            )
            raise UnknownModel(f"There is no model {model[:80]!r}.{meant} Available: {', '.join(same)}.") from None

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
            raise BadInput(f"{spec.named} takes no input {extra[0]!r}; it takes: {', '.join(sorted(names))}.")
        if request.study and request.study not in family.studies:
            known = ", ".join(family.studies) or "none"
            raise BadInput(f"{spec.named} has no study {request.study!r}; it has: {known}.")
        acting = acting_inputs(family.inputs, fields, {**params.model_dump(), "seed": request.seed})
        missing = [
            item.name if item.type == "text" else item.label.lower() or item.name
            for item in acting if item.required and item.name not in request.inputs
        ]  # fmt: skip
        if missing:
            article = "an" if missing[0][0] in "aeiou" else "a"
            raise BadInput(f"The {missing[0]} is missing. Give {spec.named} {article} {missing[0]} and run again.")
        for item in family.inputs:
            if item.is_text and (problem := item.problem(request.inputs.get(item.name, ""))):
                raise BadInput(problem)
        family.check_inputs(spec, request, params)
        return params

    def full(self, request: Request) -> Request:
        """Return a request in today's form with its params in full. Raises as `validate` does."""
        request = self.current(request)
        return request.model_copy(update={"params": self.offered(request.model, self.validate(request))})

    def offered(self, model: str, params: Params) -> dict[str, Any]:
        """Return params as plain JSON: those that a model has, not all that its family declares."""
        names = {item.name for item in self.family(model).fields(self[model])}
        return params.model_dump(mode="json", include=names)

    def check_uploads(self, request: Request, open_ref: Callable[[str], bytes]) -> None:
        """Check the size of a request's uploads where their input has a limit. Raises `BadInput`."""
        for item in self.family(request.model).inputs:
            if item.is_text or item.max_bytes is None or item.name not in request.inputs:
                continue
            if problem := item.problem(open_ref(request.inputs[item.name])):
                raise BadInput(problem)

    def current(self, request: Request) -> Request:
        """Return a request in today's form, whenever it was made. Raises `UnknownModel`.

        What was an input of the family once and is a text setting now moves among the params, unless they name it. A
        setting that the family declares and the model does not have goes where it stands at its default: files of
        before hold a family's settings in full.
        """
        spec, family = self[request.model], self.family(request.model)
        fields = {item.name: item for item in family.fields(spec)}
        settings = {name for name, item in fields.items() if item.type == "text"}
        settings -= {item.name for item in family.inputs}
        moved = {name: text for name, text in request.inputs.items() if name in settings}
        idle = {name for name, item in family.Params.model_fields.items()
                if name in request.params and name not in fields and request.params[name] == item.default}  # fmt: skip
        if not moved and not idle:
            return request
        inputs = {name: text for name, text in request.inputs.items() if name not in moved}
        params = {name: value for name, value in request.params.items() if name not in idle}
        return request.model_copy(update={"inputs": inputs, "params": {**moved, **params}})


def load_catalog(settings: Settings, *, strict: bool = True, everyone: bool = False) -> Catalog:
    """Read every `*.toml` of `settings.catalog_dirs`, and what the machine's user added; with `everyone`, all owners.

    Raises `CatalogError` naming the file and what is allowed: bad TOML, an unknown key, a bad range, a family
    that does not exist, an id used twice, missing weights, a family's file that cannot be used. With `strict=False` a
    bad entry or family is left out and its error kept in `Catalog.problems`, so that one bad file does not take the
    other models away.
    """
    families, wrong = discover(settings.family_folders())
    if strict and wrong:
        raise wrong[0]
    specs: dict[str, ModelSpec] = {}
    problems = list(wrong)
    for folder in settings.catalog_dirs:
        if not Path(folder).is_dir():
            raise CatalogError(f"The catalogue folder {folder} does not exist. Check PLAYGROUND_CATALOG_DIRS.")
        for path in sorted(Path(folder).glob("*.toml")):
            try:
                _take(specs, path, families, settings)
            except Exception as error:  # whatever one file brings: the other models stay
                wrong_file = _as_catalog_error(path, error)
                if strict:
                    raise wrong_file from error
                problems.append(wrong_file)
    for owned, path in added.files(settings):
        if not everyone and owned != added.place_of(whose.machine_owner()):
            continue
        try:
            _take(specs, path, families, settings, owned)
        except Exception as error:
            problems.append(CatalogError(_as_catalog_error(path, error).message, file=str(path), owned=owned))
    return Catalog(list(specs.values()), families, tuple(problems))


def _take(
    specs: dict[str, ModelSpec], path: Path, families: Mapping[str, Family], settings: Settings, owned: str = ""
) -> None:
    """Add a file's entry to the others. Raises `CatalogError` for one that is wrong."""
    spec = _kept(_read(path, families), settings.weights_folder()).model_copy(update={"owned": owned})
    if spec.id in specs:
        raise CatalogError(f"{path.name}: the id {spec.id!r} is taken by {specs[spec.id].file.name}.")
    if taken := next((one for one in specs.values() if one.short_id == spec.short_id), None):
        raise CatalogError(
            f"{path.name}: the id {spec.id!r} ends as {taken.id!r} of {taken.file.name} does. The part "
            "after the slash names a model's settings in addresses and its files: give it another one."
        )
    specs[spec.id] = spec
    _check_weights(spec)


def current_catalog(settings: Settings) -> Catalog:
    """Return the catalogue, with what every owner added (see `Catalog.of`), as its files are now.

    They are read again only when one came, changed or went.

    A bad entry or family is left out and told in `problems`. Any thread may call it; one reads, the others wait.
    Raises `CatalogError` for a folder that does not exist.
    """
    where = (tuple(settings.catalog_dirs), settings.family_folders(), settings.weights_folder(), settings.data_dir)
    with _READING:
        owned = [path for _, path in added.files(settings)]
        files = _stamps([*_files(where[0], "*.toml"), *_files(where[1], "*.py"), *owned])
        kept = _READ.get(where)
        if kept is not None and kept.files == files and kept.weights == _stamps(kept.weights):
            return kept.catalog
        started_ns = time.time_ns()
        catalog = load_catalog(settings, strict=False, everyone=True)
        weights = _stamps(place for spec in catalog.values() for place in _weight_places(spec))
        _READ.pop(where, None)
        # weights that change while they are looked at are looked at again
        if all(stamp is None or stamp[0] < started_ns for stamp in weights.values()):
            _READ[where] = _Read(files, weights, catalog)
        return catalog


_Stamps = dict[Path, tuple[int, int] | None]  # time of change in ns and size in bytes; None: it is not there


class _Read(NamedTuple):
    """Hold a catalogue and what its files were like when it was read."""

    files: _Stamps
    weights: _Stamps
    catalog: Catalog


# a hot reload makes this module anew: what was read is then forgotten, and no object outlives its class
_READ: dict[tuple[tuple[Path, ...], tuple[Path, ...], Path, Path], _Read] = {}
_READING = threading.Lock()


def _files(folders: Iterable[Path], pattern: str) -> list[Path]:
    return [path for folder in folders for path in Path(folder).glob(pattern)]


def _stamps(paths: Iterable[Path]) -> _Stamps:
    found: _Stamps = {}
    for path in paths:
        try:
            stat = path.stat()
            found[path] = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            found[path] = None
    return found


def _weight_places(spec: ModelSpec) -> Iterator[Path]:
    """Yield what changes when an embedded model's weights come or go: their folders, and an adapter's base."""
    if spec.weights.path is None:
        return
    own = spec.file.parent / spec.weights.path
    yield from (own.parent, own / "adapter_config.json")
    folders = [own]
    with suppress(WeightsError):
        folders += [base] if (base := spec.base_folder()) else []
    for folder in folders:
        yield folder
        for parent, inner, _ in os.walk(folder):
            yield from (Path(parent, name) for name in inner)


def _kept(spec: ModelSpec, weights: Path) -> ModelSpec:
    """Return an entry with the folder in which its weights are kept once they are got."""
    if spec.weights.sha256 is None:
        return spec
    return spec.model_copy(update={"kept": spec.kept_in(weights)})


def _read(path: Path, families: Mapping[str, Family]) -> ModelSpec:
    try:
        if (size := path.stat().st_size) > 4 * outside.TOML_MAX_CHARS:  # a character takes four bytes at most
            raise CatalogError(f"{path.name} has {size:,} bytes: too long for a catalogue entry. Shorten it.")
        data = outside.read_toml(path.read_text("utf-8"))
    except outside.Unreadable as error:
        raise CatalogError(f"{path.name} {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path.name} cannot be read as TOML: {error}.") from error
    try:
        spec = ModelSpec(**data, file=path)
    except (ValidationError, TypeError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else []
        words = "; ".join(_sentence(problem) for problem in problems[:PROBLEMS_MAX]) or str(error)
        words += f"; and {more:,} more" if (more := len(problems) - PROBLEMS_MAX) > 0 else ""
        raise CatalogError(f"{path.name}: {words}.", file=str(path)) from error
    if spec.names is not None and not (path.parent / spec.names.file).is_file():
        raise CatalogError(
            f"{path.name}: the list of names {spec.names.file} is missing beside it. {restore('models/catalog')}"
        )
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
    except Exception as error:  # whatever a family from elsewhere does: the other models stay
        raise CatalogError(
            f"{path.name}: the family {spec.family!r} gives no table of settings for it ({type(error).__name__}: "
            f"{error})."
        ) from error
    return spec


def _as_catalog_error(path: Path, error: Exception) -> CatalogError:
    if isinstance(error, CatalogError):
        return error
    return CatalogError(
        f"{path.name} cannot be used ({type(error).__name__}: {str(error)[:200]}). Mend it, or take it out of its "
        "folder.", file=str(path),
    )  # fmt: skip


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
        elif where.startswith("names."):
            model = Names
        known = [name for name in model.model_fields if name not in ("file", "kept", "owned") or model is Names]
        return f"unknown key {where[:80]!r}; allowed: {', '.join(known)}"
    return f"{where[:200]}: {problem['msg']} (given: {str(problem['input'])[:80]!r})"
