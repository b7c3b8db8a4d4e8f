"""The base class of families, and their discovery: one file per family in the folders of `Settings.family_dirs`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from models.errors import CatalogError
from models.events import Event
from models.params import ParamField, Params, ShownIf, conditions
from models.types import Output, Request

if TYPE_CHECKING:
    from models.spec import ModelSpec

Modality = str  # the first part of its models' ids, and the name of a room
P = TypeVar("P", bound=Params, default=Any)  # the params of a family; of any, where a family is not named


# types of input whose value in a request is text or JSON itself; every other type is a reference to stored bytes
TEXT_TYPES = frozenset({"text", "messages", "rows", "tokens"})


@dataclass(frozen=True)
class InputField:
    """Declare one input of a family: a text, or an upload that travels as `sha256:` reference.

    `type` says how it is drawn and decoded: "text", "image", "mask", "audio", "file", and what parts of a page supply
    themselves: "messages" (earlier turns, JSON), "rows" (sentences of speech, JSON), "tokens" (ids, JSON). A room may
    use further types. `accept` lists the file endings that are taken, without the dot; empty: all that the type reads.
    `shown_if` is that of a setting: the input acts, and is drawn, only while each named setting acts and has one of the
    listed values. `max_chars` and `max_bytes` limit a text, `max_bytes` an upload too.
    """

    name: str
    type: str = "text"
    required: bool = True
    label: str = ""
    help: str = ""
    accept: tuple[str, ...] = ()
    shown_if: ShownIf = field(default_factory=dict)
    max_chars: int | None = None
    max_bytes: int | None = None

    @property
    def is_text(self) -> bool:
        """Say whether a request holds the value itself, not a reference to stored bytes."""
        return self.type in TEXT_TYPES

    def problem(self, value: str | bytes) -> str:
        """Return a sentence if a text, or the bytes of an upload, is larger than allowed, else ""."""
        what = self.name if self.type == "text" else self.label.lower() or self.name
        if isinstance(value, str) and self.max_chars is not None and len(value) > self.max_chars:
            return f"The {what} has {len(value):,} characters; at most {self.max_chars:,} are allowed. Shorten it."
        size = len(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        if self.max_bytes is not None and size > self.max_bytes:
            cure = "Shorten it." if isinstance(value, str) else "Give a smaller one."
            return f"The {what} has {size:,} bytes; at most {self.max_bytes:,} are allowed. {cure}"
        return ""


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

    `stopped()` turns true when the user pressed Stop: end within one step with a `Final` of what there is.
    `skipped()` turns true, once for each press, when they pressed Skip: leave the outputs at hand, keep the finished
    ones and go on with the next.
    `open_ref(ref)` returns the bytes of an upload; `open_beside(ref, name)` what was made of it when it was taken, None
    where nothing is kept: then it is made again (see `Blobs.get_beside`). `stamp` is what the artefact embeds: all
    that causes it.
    """

    stopped: Callable[[], bool] = lambda: False
    skipped: Callable[[], bool] = lambda: False
    open_ref: Callable[[str], bytes] | None = None
    open_beside: Callable[[str, str], bytes | None] = lambda ref, name: None
    stamp: dict[str, Any] = field(default_factory=dict)


class Family(ABC, Generic[P]):
    """Load and run one kind of model. Import torch only inside methods.

    `Params` declares the settings, and is the class that `Family[…]` names; `inputs` declares what it takes, and
    `seed_shown_if` when the seed acts (see `ParamField`). `tools` maps a tool's name to the method that serves it,
    called with the model, plain JSON and the stored files: data work only, no forward pass. `studies` maps a short
    job's name to the method that runs it with the arguments and events of `generate`. `how_it_works` is markdown for
    the page's fold: a small mermaid diagram and two paragraphs with links to the papers. `saves` lists the endings of
    files that `save` writes, without the dot, the outputs' own first; empty: the outputs' own alone.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    modality: ClassVar[Modality]
    Params: ClassVar[type[Params]]
    inputs: ClassVar[tuple[InputField, ...]] = (InputField("prompt"),)
    seed_shown_if: ClassVar[ShownIf] = {}
    tools: ClassVar[Mapping[str, str]] = {}
    studies: ClassVar[Mapping[str, str]] = {}
    how_it_works: ClassVar[str] = ""
    saves: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse an input whose `shown_if` names no setting, so that a bad declaration fails at import."""
        super().__init_subclass__(**kwargs)
        params: type[Params] | None = getattr(cls, "Params", None)
        for item in cls.inputs:
            missing = set(item.shown_if) - set(params.model_fields if params is not None else ())
            if missing:
                raise TypeError(f"{cls.__name__}.inputs {item.name}: shown_if names unknown fields {sorted(missing)}")

    @abstractmethod
    def load(self, spec: ModelSpec) -> Loaded:
        """Read the weights into memory, ready to run. Raises `WeightsError`."""

    @abstractmethod
    def generate(
        self, spec: ModelSpec, request: Request, params: P, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Yield `Progress` and `Preview`s, then exactly one `Final`. Raises errors from `models.errors`."""

    def needed_bytes(self, spec: ModelSpec) -> int:
        """Forecast the bytes that loading adds: here, fp16 weights cast to fp32 at load."""
        return 2 * spec.weights_bytes()

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the facts that depend on the weights (the catalogue's `[facts]`), read from its files.

        Call `models.device.import_libraries` first: a family may ask the libraries what runs. Raises `WeightsError`.
        """
        return {}

    def check_inputs(self, spec: ModelSpec, request: Request, params: P) -> None:
        """Check what can be checked without the model. Raises `BadInput`. Runs on page, CLI and API alike."""

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

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings."""
        from models.params import describe

        return describe(self.Params, spec.params, self.seed_shown_if)


def discover(family_dirs: tuple[Path, ...]) -> Mapping[str, Family]:
    """Import every module in the folders and return one instance per family, by name.

    Imported once, and again when a file came or went. Raises `CatalogError` for two families of one name.
    """
    return _families(tuple(path for folder in family_dirs for path in sorted(Path(folder).glob("[!_]*.py"))))


@cache
def _families(files: tuple[Path, ...]) -> Mapping[str, Family]:
    found: dict[str, Family] = {}
    for path in files:
        module = _import(path)
        for _, member in inspect.getmembers(module, inspect.isclass):
            if not issubclass(member, Family) or inspect.isabstract(member) or member.__module__ != module.__name__:
                continue
            if member.name in found:
                other = inspect.getfile(type(found[member.name]))
                raise CatalogError(f"{path.name}: the family name {member.name!r} is taken by {Path(other).name}.")
            found[member.name] = member()
    return found


def _import(path: Path) -> Any:
    own = Path(__file__).resolve().parent
    if (here := path.resolve()).is_relative_to(own):
        return importlib.import_module(".".join((own.name, *here.relative_to(own).with_suffix("").parts)))
    name = f"_playground_families_{path.stem}_{abs(hash(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
