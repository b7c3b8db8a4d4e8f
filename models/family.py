"""The base class of families, and their discovery: one file per family in the folders of `Settings.family_dirs`."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from models.declarations import ROOM_NAMES, InputField, is_room_name, problem_of
from models.described import table
from models.errors import BadInput, CatalogError, PlaygroundError
from models.events import Event
from models.measures import Measure
from models.params import ParamField, Params, ShownIf, conditions
from models.presets import Preset
from models.types import Output, Request

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec

__all__ = [
    "ROOM_NAMES",
    "Context",
    "Cost",
    "Family",
    "InputField",
    "Loaded",
    "Modality",
    "acting_inputs",
    "discover",
    "import_file",
    "is_room_name",
    "main_text",
]  # fmt: skip

Modality = str  # the first part of its models' ids, and the name of a room
P = TypeVar("P", bound=Params, default=Any)  # the params of a family; of any, where a family is not named

_UNSCRIPTED = "The family “{}” does not say how its results are made with public libraries alone."
_OTHER_STYLES = "Choose the style “models” or “cli”."

log = logging.getLogger(__name__)


def main_text(inputs: Sequence[InputField]) -> InputField | None:
    """Return the text that a model starts from: the input declared `main`, else the text named prompt, if any."""
    declared = (item for item in inputs if item.main)
    usual = (item for item in inputs if item.name == "prompt" and item.type == "text")
    return next(declared, None) or next(usual, None)


def acting_inputs(
    inputs: Sequence[InputField], fields: Sequence[ParamField], values: Mapping[str, Any]
) -> tuple[InputField, ...]:
    """Return the inputs that act under `values` (a full set) of a model's settings, in the order of declaration."""
    holds = conditions(fields, values)
    return tuple(item for item in inputs if holds(item.shown_if))


@dataclass
class Loaded:
    """Hold a loaded model in the registry: `parts` are the family's own objects.

    `modules()` gives the torch modules whose parameters and buffers are counted as the model's bytes.
    """

    parts: dict[str, Any]

    def modules(self) -> list[Any]:
        """Return the torch modules among the parts."""
        return [part for part in self.parts.values() if hasattr(part, "parameters") and hasattr(part, "buffers")]


@dataclass
class Context:
    """Give a running family what it may use of its surroundings.

    `stopped()` turns true when the user pressed Stop: end within one step with a `Final` of what there is. A run set
    aside rests in it. `skipped()` turns true, once for each press, when they pressed Skip: leave the outputs at hand,
    keep the finished ones and go on with the next. `open_ref(ref)` returns the bytes of an upload; `open_beside(ref,
    name)` what was made of it when it was taken, None where nothing is kept: then it is made again (see
    `Blobs.get_beside`). `stamp` is what the artefact embeds: all that causes it. `asker` is whom the run is for, "" on
    one's own machine: nothing that is kept of a run may reach another's, be it a time or a count.
    """

    stopped: Callable[[], bool] = lambda: False
    skipped: Callable[[], bool] = lambda: False
    open_ref: Callable[[str], bytes] | None = None
    open_beside: Callable[[str, str], bytes | None] = lambda ref, name: None
    stamp: dict[str, Any] = field(default_factory=dict)
    asker: str = ""


@dataclass(frozen=True)
class Cost:
    """Forecast what a call of a tool takes: `seconds` on one core, `bytes` at its peak; `of` names what it is given.

    `of` stands in a sentence: "36 s of sound".
    """

    seconds: float = 0.0
    bytes: int = 0
    of: str = ""


class Family(ABC, Generic[P]):
    """Load and run one kind of model. Import torch only inside methods.

    `task` is what its models are for in the field's words ("text to speech"), where their entries do not say (the fact
    `task`). `Params` declares the settings, and is the class that `Family[…]` names; `inputs` declares what it takes,
    and `seed_shown_if` when the seed acts (see `ParamField`). `tools` maps a tool's name to the method that serves it,
    called with the model, plain JSON and the stored files: data work only, no forward pass. `costs` maps a tool's name
    to the method that forecasts a call with the same arguments as a `Cost`: what takes above a second runs in a process
    that Stop can end; a tool without a forecast is taken to be quick. `studies` maps a short job's name to the method
    that runs it with the arguments and events of `generate`. `length_tool` names the tool that is asked before a long
    prompt waits in the queue: `{"text", "params"}` → `{"problem", "tokens"}`, the sentence for a prompt that is too
    long, else "". `how_it_works` is markdown for the page's fold: a small mermaid diagram and two paragraphs with links
    to the papers; without it there is no fold. `in_short` says in a sentence or two how its nets are trained and make
    something, for models side by side; `roles` are words by which its room finds it, `called` words for what it
    does by which a person looks for it. `saves` lists the endings of files
    that `save` writes, without the dot, the outputs' own first; empty: the outputs' own alone. `reentrant`: no run
    keeps anything on the loaded model. `libraries_bytes` is what the first load and run in a process add by imports,
    which no unloading gives back. `together_most`: how many requests it may make at once (`together`). Weights above
    `stored_above_bytes` stay in their stored dtype; where it is None, all are cast to float32. `measures` are numbers
    read from its results, `presets` settings under a name for all of its models. `architectures` names the nets, as
    config.json does, that it runs from a folder of anybody's; `gguf` those (general.architecture) that its room's
    converter `gguf` makes of a file. `unscripted` says in a sentence why there is no `script`, where there is none. A
    wrong declaration raises `TypeError` when the class is made.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    task: ClassVar[str] = ""
    modality: ClassVar[Modality]
    Params: ClassVar[type[Params]]
    inputs: ClassVar[tuple[InputField, ...]] = (InputField("prompt"),)
    seed_shown_if: ClassVar[ShownIf] = {}
    tools: ClassVar[Mapping[str, str]] = {}
    costs: ClassVar[Mapping[str, str]] = {}
    studies: ClassVar[Mapping[str, str]] = {}
    length_tool: ClassVar[str] = ""
    how_it_works: ClassVar[str] = ""
    in_short: ClassVar[str] = ""
    roles: ClassVar[frozenset[str]] = frozenset()
    called: ClassVar[str] = ""
    reentrant: ClassVar[bool] = False
    saves: ClassVar[tuple[str, ...]] = ()
    libraries_bytes: ClassVar[int] = 40_000_000
    together_most: ClassVar[int] = 1
    stored_above_bytes: ClassVar[int | None] = None
    measures: ClassVar[tuple[Measure, ...]] = ()
    presets: ClassVar[tuple[Preset, ...]] = ()
    architectures: ClassVar[frozenset[str]] = frozenset()
    gguf: ClassVar[frozenset[str]] = frozenset()
    unscripted: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a wrong declaration, so that it fails at import; a base of families may leave things out."""
        super().__init_subclass__(**kwargs)
        whole = not any(
            getattr(getattr(cls, name, None), "__isabstractmethod__", False) for name in ("load", "generate")
        )
        if problem := problem_of(cls, whole):
            raise TypeError(f"{cls.__name__}{problem}")

    @abstractmethod
    def load(self, spec: ModelSpec) -> Loaded:
        """Read the weights into memory, ready to run. Raises `WeightsError`."""

    @abstractmethod
    def generate(
        self, spec: ModelSpec, request: Request, params: P, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Yield `Progress` and `Preview`s, then exactly one `Final`. Raises errors from `models.errors`."""

    def together(self, spec: ModelSpec, request: Request, params: P) -> str:
        """Return what requests have in common that may be made at once, "" for one that is made alone. No torch."""
        return ""

    def generate_together(
        self, spec: ModelSpec, requests: Sequence[Request], params: Sequence[P], loaded: Loaded, context: Context,
        stamps: Sequence[dict[str, Any]],
    ) -> Iterator[tuple[int, Event | PlaygroundError]]:  # fmt: skip
        """Make requests at once of which `together` says the same: yield what `generate` would, with its index.

        Each ends, once, with its `Final` or the error that it failed with; those that ended stay, whatever the others
        do. Every artefact has the bytes of its single run. `stamps` stand in for that of `context`.
        """
        for index, (request, values, stamp) in enumerate(zip(requests, params, stamps, strict=True)):
            try:
                for event in self.generate(spec, request, values, loaded, replace(context, stamp=stamp)):
                    yield index, event
            except PlaygroundError as error:
                yield index, error

    def needed_bytes(self, spec: ModelSpec) -> int:
        """Forecast the bytes that loading adds: here, fp16 weights cast to fp32, or kept (`stored_above_bytes`)."""
        stored = spec.weights_bytes()
        return stored if self.stored_above_bytes is not None and stored >= self.stored_above_bytes else 2 * stored

    def dtype(self, spec: ModelSpec) -> str:
        """Return the name of torch's dtype in which a model computes on this machine, as a run notes it. No torch."""
        return "float32"

    def run_bytes(self, spec: ModelSpec, request: Request, params: P) -> int:
        """Forecast the most bytes that a run, or a study, takes beside its loaded model: activations and outputs.

        A low forecast costs a second try, a high one refuses what would run. Here: half of the model's own bytes.
        """
        return 32_000_000 + self.needed_bytes(spec) // 2

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the facts that depend on the weights (the catalogue's `[facts]`), read from its files.

        Call `models.device.import_libraries` first: a family may ask the libraries what runs. Raises `WeightsError`.
        """
        return {}

    def adopts(self, config: Mapping[str, Any]) -> bool:
        """Say whether it runs a folder that somebody adds, by its config.json: here, by `architectures` alone."""
        said = config.get("architectures")
        return isinstance(said, list) and any(isinstance(one, str) and one in self.architectures for one in said)

    def amount(self, spec: ModelSpec, request: Request, params: P) -> float | None:
        """Return about how much a request's inputs ask for, in what its run counts (`tokens`, else `steps`).

        None where its settings alone tell. Cheap, without the model: a forecast multiplies it by the settings' part.
        """
        return None

    def check_inputs(self, spec: ModelSpec, request: Request, params: P) -> None:
        """Check what can be checked without the model. Raises `BadInput`. Runs on page, CLI and API alike."""

    def usual_inputs(self, spec: ModelSpec) -> Mapping[str, str]:
        """Return what the page adds to a prompt alone, and a command where it is not told otherwise: input to value."""
        return {}

    def warnings(self, spec: ModelSpec, request: Request, params: P) -> list[str]:
        """Return sentences that a person should read before this request runs: it runs, but hardly as they mean it.

        Cheap, without the model. Runs on page, CLI and API alike; a run tells them among its notes.
        """
        return []

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return a finished output as a file of an ending of `saves`; here, all are the output's own bytes.

        `request` names every setting.
        """
        return output.data

    def read_input(self, name: str, text: str) -> tuple[dict[str, str], str]:
        """Return the inputs that a file of text given as input `name` means, and a sentence on it, "" for none.

        Raises `BadInput`.
        """
        return {name: text}, ""

    def export(self, request: Request, outputs: Sequence[Output], suffix: str) -> bytes:
        """Return a result with what led to it as a file of another program's kind, told by `suffix` such as ".json".

        With no outputs it says whether that can be done. Raises `BadInput` where there is no such kind.
        """
        raise BadInput(f"The model's family, {self.name}, exports nothing. Save its result with --out.")

    def script(self, spec: ModelSpec, request: Request, params: P) -> Script:
        """Return the script that makes a request's result again with public libraries alone. No torch.

        `request` names every setting. Raises `BadInput` with the reason where there is none: `unscripted`, or what of
        this request cannot be done so.
        """
        raise BadInput(f"{self.unscripted or _UNSCRIPTED.format(self.title)} {_OTHER_STYLES}")

    def embed(self, folder: Path, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """Return a vector of length 1 for each text, by the weights in a folder, without torch; None: it cannot."""
        return None

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings."""
        return table(self.Params, spec, self.seed_shown_if)


def discover(family_dirs: tuple[Path, ...]) -> tuple[Mapping[str, Family], tuple[CatalogError, ...]]:
    """Import every module in the folders; return one instance per family, by name, and what is wrong with the others.

    Imported once, and again when a file came or went; a file that cannot be used is tried again each time.
    """
    files = tuple(path for folder in family_dirs for path in sorted(Path(folder).glob("[!_]*.py")))
    found: dict[str, Family] = {}
    problems: list[CatalogError] = []
    for path in files:
        try:
            for family in _families(path, files):
                if family.name in found:
                    other = inspect.getfile(type(found[family.name]))
                    raise CatalogError(f"{path.name}: the family name {family.name!r} is taken by {Path(other).name}.")
                found[family.name] = family
        except CatalogError as error:
            problems.append(error)
    return found, tuple(problems)


@cache  # an exception is not kept
def _families(path: Path, files: tuple[Path, ...]) -> tuple[Family, ...]:
    """Return the families of a file, one of `files`. Raises `CatalogError` for one that cannot be used."""
    try:
        module = import_file(path)
        return tuple(
            member() for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, Family) and not inspect.isabstract(member) and member.__module__ == module.__name__
        )  # fmt: skip
    except (Exception, SystemExit) as error:  # whatever a file from elsewhere does: the other families stay
        log.info("the family file %s cannot be used", path, exc_info=True)  # a shell shows the sentence alone
        lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if Path(at.filename) == path.resolve()]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        where = f", line {line}" if line else ""
        why = error.msg if isinstance(error, SyntaxError) else (str(error).splitlines() or ["no reason given"])[0]
        raise CatalogError(
            f"{path.name}: this family file cannot be used ({type(error).__name__}{where}: {why.rstrip('.')}). "
            "Mend it, or take it out of its folder.", file=str(path),
        ) from error  # fmt: skip


def import_file(path: Path) -> Any:
    """Import a file: one of ours as a module of this package, one from elsewhere under a name of its own."""
    own = Path(__file__).resolve().parent
    if (here := path.resolve()).is_relative_to(own):
        return importlib.import_module(".".join((own.name, *here.relative_to(own).with_suffix("").parts)))
    name = f"_playground_{path.parent.name}_{path.stem}_{abs(hash(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # a half of a module serves nobody
        raise
    return module
