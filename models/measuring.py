"""Which measures there are for some results, and what they say: cheap ones at once, heavy ones in batches elsewhere.

It knows no modality: the rooms' measures are found beside their folders of families (`Settings.family_dirs`), as their
readers of files are, and a family's as its attribute. A heavy measure reads files: `measure_files` runs in the process
that decodes uploads (`models.runtime.decoder`), or, from a shell, where it is called.
"""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import PlaygroundError
from models.family import Family, import_file, main_text
from models.known import named
from models.measures import COMMON, Measure
from models.types import Output, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings
    from models.spec import ModelSpec
    from models.store import Store

log = logging.getLogger(__name__)
MODULE = "measures.py"
NEEDS = ("numpy", "scipy.special")  # imported before the process that measures counts what a call leaves
BATCH_S = 4.0  # of a call: others' uploads wait for it
BATCH_BYTES, BATCH_MOST = 30_000_000, 200
Read = Callable[[Output], bytes]
Values = dict[tuple[str, str], float | None]  # by a run's id and `Wanted.name`


@dataclass(frozen=True)
class Offer:
    """Hold a measure and where it is declared: `file`, and `family` where it is one's own; `model` judges, if any."""

    measure: Measure
    file: str = ""
    family: str = ""
    model: str = ""
    weights: str = ""
    title: str = ""
    collection: str = ""  # of the judging model: it judges what models of its own collection make

    @property
    def name(self) -> str:
        """Return the name of its column: that of the measure, with the judging model's where there is one."""
        tail = self.model.split("/", 1)[-1].replace("-", "_")
        return f"{self.measure.name}_{tail}" if tail else self.measure.name

    @property
    def label(self) -> str:
        """Return its label, with the judging model's name."""
        return f"{self.measure.label} ({self.title})" if self.title else self.measure.label


@dataclass(frozen=True)
class Wanted:
    """Name one value: a measure of a run, beside a reference's run where it takes one; `prompt` made the run."""

    offer: Offer
    run: Run
    reference: Run | None = None
    prompt: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what the value is kept by: the run's id, and the measure with its version and reference."""
        measure = self.offer.measure
        beside = f"@{self.reference.id}" if self.reference is not None and measure.pairs else ""
        return self.run.id, f"{self.offer.name}/{measure.version}{beside}"


def offers(catalog: Catalog, settings: Settings, models: Iterable[str], kinds: Iterable[str]) -> tuple[Offer, ...]:
    """Return what can be measured of results of these kinds that these models made: rooms', families', judges', all.

    A file that cannot be read is left out, and told in the log.
    """
    made = [catalog[model] for model in models]
    wanted, made_by = set(kinds), {spec.family for spec in made}
    found: list[Offer] = []
    for folder in settings.family_folders():
        file = folder.parent / MODULE
        if file.is_file():
            found += [Offer(one, str(file)) for one in _of_file(file)]
    for name, family in catalog.families.items():
        for one in family.measures:
            file_name = inspect.getfile(type(family))
            if not one.judges and name in made_by:
                found.append(Offer(one, file_name, family=name))
            if one.judges:
                found += [
                    Offer(one, file_name, "", spec.id, str(spec.folder()), spec.name, spec.collection)
                    for spec in (catalog[model] for model in catalog) if spec.family == name and _is_there(spec)
                    and any(_judges(spec.collection, other) for other in made)
                ]  # fmt: skip
    named: dict[str, Offer] = {}
    for offer in (*(one for one in found if wanted & set(one.measure.kinds)), *map(Offer, COMMON)):
        named.setdefault(offer.name, offer)
    return tuple(named.values())


def _judges(collection: str, other: ModelSpec) -> bool:
    """Say whether a judge of this collection knows what `other` makes: a judge of none is asked about all."""
    return not collection or other.collection == collection


def _is_there(spec: Any) -> bool:
    try:
        return Path(spec.folder()).is_dir()
    except PlaygroundError:
        return False


def _of_file(file: Path) -> tuple[Measure, ...]:
    try:
        return tuple(one for one in import_file(file).MEASURES if isinstance(one, Measure))
    except Exception:  # whatever a file from elsewhere does: the other rooms stay
        log.exception("%s cannot be read", file)
        return ()


def prompt_of(catalog: Catalog, run: Run) -> str:
    """Return the text that a run started from, "" for none."""
    main = main_text(catalog.family(run.request.model).inputs)
    return run.request.inputs.get(main.name, "") if main is not None else ""


def asked_of(catalog: Catalog, run: Run) -> str:
    """Return what a run was asked for, as a judge is told: the model's own name for it where it declares names."""
    prompt = prompt_of(catalog, run)
    return named(catalog[run.request.model], prompt) or prompt


def applies(catalog: Catalog, offer: Offer, run: Run) -> bool:
    """Say whether a finished run can have a value of this measure."""
    if run.status != "done" or (offer.family and catalog[run.request.model].family != offer.family):
        return False
    if not _judges(offer.collection, catalog[run.request.model]):
        return False
    kinds = offer.measure.read
    return not kinds or any(one.kind in kinds for one in run.outputs)


def cheap(wanted: Wanted, size: Callable[[Output], int] = lambda output: len(output.data)) -> float | None:
    """Return the value of a measure that is not heavy; `size` says how many bytes an output's file has."""
    measure, run = wanted.offer.measure, wanted.run
    if measure.takes == "run":
        sized = [replace(one, meta={**one.meta, "file_bytes": size(one)}) for one in run.outputs]
        return _guarded(measure, lambda: measure.of(replace(run, outputs=sized)))
    found = [replace(one, data=b"") for one in run.outputs]
    beside = [replace(one, data=b"") for one in wanted.reference.outputs] if wanted.reference else []
    return _mean(measure, found, beside)


def _mean(
    measure: Measure, outputs: Sequence[Output], reference: Sequence[Output], prompt: str = "", weights: str = ""
) -> float | None:
    """Return the mean over a run's outputs of the measure's kinds, those without a value left out; None for none."""
    found = []
    for output in (one for one in outputs if one.kind in measure.read):
        given: list[Any] = [output]
        if measure.pairs:
            others = [one for one in reference if one.kind == output.kind]
            other = next((one for one in others if one.index == output.index), others[0] if others else None)
            if other is None:
                continue
            given.append(other)
        if measure.judges:
            given += [Path(weights)] if measure.pairs else [prompt, Path(weights)]
        value = _guarded(measure, lambda given=given: measure.of(*given))  # type: ignore[misc]
        if value is not None:
            found.append(value)
    return sum(found) / len(found) if found else None


def _guarded(measure: Measure, work: Callable[[], float | None]) -> float | None:
    """Return a measure's value; one that fails, or is no finite number, gives none."""
    try:
        value = work()
    except MemoryError:
        return None
    except Exception:  # of one result: the others are measured
        log.warning("%s could not be measured", measure.label, exc_info=True)
        return None
    return float(value) if value is not None and math.isfinite(value) else None


# -- heavy ones --------------------------------------------------------------------------------------------------------


@dataclass
class _Batch:
    """Gather what goes to the other process in one call: each file once."""

    wanted: list[Wanted] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def add(self, one: Wanted, read: Read) -> None:
        """Take one value in. Raises `PlaygroundError` where a file was cleared."""
        kinds = one.offer.measure.read
        parts = {
            name: [self._placed(output, read) for output in run.outputs if output.kind in kinds] if run else []
            for name, run in (("outputs", one.run), ("reference", one.reference))
        }
        offer = one.offer
        self.wanted.append(one)
        self.asked.append({
            **parts, "file": offer.file, "family": offer.family or bool(offer.model), "name": offer.measure.name,
            "prompt": one.prompt, "weights": offer.weights,
        })  # fmt: skip

    def _placed(self, output: Output, read: Read) -> list[Any]:
        name = output.sha256 or f"{id(output)}"
        if name not in self.places:
            data = output.data or (read(output) if output.sha256 else b"")
            self.places[name] = len(self.files)
            self.files.append(data)
        return [output.to_header(), self.places[name]]

    @property
    def full(self) -> bool:
        return len(self.wanted) >= BATCH_MOST or sum(map(len, self.files)) >= BATCH_BYTES


def heavy(wanted: Iterable[Wanted], read: Read, call: Callable[..., Any]) -> Iterator[Values]:
    """Yield the values of heavy measures, batch by batch; `call` is a decoder's, or `here`.

    `read` returns the bytes of an output's file. What cannot be measured, such as a file that was cleared or one that
    ends the process, has no value.
    """
    left = list({one.key: one for one in wanted}.values())
    alone = 0  # so many of the next ones are measured one by one
    while left:
        batch, lost = _Batch(), Values()
        for one in left:
            try:
                batch.add(one, read)
            except PlaygroundError:
                lost[one.key] = None
            if alone or batch.full:
                break
        taken = len(batch.wanted) + len(lost)
        try:
            done = call(measure_files, *batch.files, said="result", asked=batch.asked) if batch.asked else []
        except PlaygroundError as error:
            if len(batch.wanted) > 1:  # one of them may be to blame
                alone = len(batch.wanted)
                continue
            log.warning("a result could not be measured: %s", error.message)
            done = [None]
        # a call does what it has time for
        reached = {one.key for one in batch.wanted[: len(done)]} | set(lost)
        yield {**lost, **{one.key: value for one, value in zip(batch.wanted, done, strict=False)}}
        alone = max(0, alone - taken)
        left = [one for one in left[:taken] if one.key not in reached] + left[taken:]


def values(
    store: Store, every: Sequence[Wanted], read: Read, call: Callable[..., Any], *,
    size: Callable[[Output], int] = lambda output: len(output.data), said: Callable[[int, int], None] | None = None,
) -> Values:  # fmt: skip
    """Return the values of `every`: cheap ones made anew, heavy ones from the store, or measured and kept there.

    `read` and `call` are those of `heavy`, `size` that of `cheap`; `said(known, wanted)` hears how far it is.
    """
    found = store.measured({one.run.id for one in every})
    found |= {one.key: cheap(one, size) for one in every if not one.offer.measure.heavy}
    left = [one for one in every if one.key not in found]
    for new in heavy(left, read, call):
        found |= new
        store.save_measured(new)
        if said is not None:
            said(sum(one.key in found for one in every), len(every))
    return found


def here(work: Callable[..., Any], *files: bytes, said: str = "", **options: Any) -> Any:
    """Call `work` as a decoder does, in this process."""
    return work(Path(), *files, **options)


def measure_files(folder: Path, *files: bytes, asked: list[dict[str, Any]], most_s: float = BATCH_S) -> list[Any]:
    """Return the values of the first of what is `asked`, at least one of them, as many as `most_s` seconds allow."""
    values: list[float | None] = []
    until = time.monotonic() + most_s
    known: dict[tuple[str, str], Measure | None] = {}
    for one in asked:
        which = (one["file"], one["name"])
        if which not in known:
            known[which] = _declared(one)
        measure = known[which]
        outputs, reference = (
            [Output(**header, data=files[place]) for header, place in one[name]] for name in ("outputs", "reference")
        )
        values.append(_mean(measure, outputs, reference, one["prompt"], one["weights"]) if measure else None)
        if time.monotonic() > until:
            break
    return values


def _declared(one: Mapping[str, Any]) -> Measure | None:
    """Return the measure that was asked for by its name, from the file that declares it."""
    file = Path(one["file"])
    if not one["family"]:
        return next((measure for measure in _of_file(file) if measure.name == one["name"]), None)
    for member in vars(import_file(file)).values():
        if inspect.isclass(member) and issubclass(member, Family):
            for measure in member.measures:
                if measure.name == one["name"]:
                    return measure
    return None
