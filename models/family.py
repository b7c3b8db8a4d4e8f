"""The base class of families, and their discovery: one file per family in the folders of `Settings.family_dirs`."""

from __future__ import annotations

import importlib.util
import inspect
import keyword
import logging
import re
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from models.conditions import check_condition
from models.errors import BadInput, CatalogError
from models.events import Event
from models.params import ParamField, Params, ShownIf, conditions, impossible
from models.types import Output, Request

if TYPE_CHECKING:
    from models.spec import ModelSpec

Modality = str  # the first part of its models' ids, and the name of a room
P = TypeVar("P", bound=Params, default=Any)  # the params of a family; of any, where a family is not named


log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
ROOM_NAMES = "small letters, digits and _, as text_tasks: what the folder of a Python package can be named"


def is_room_name(name: object) -> bool:
    """Say whether this can be the id of a room (see `ROOM_NAMES`): it names folders of code, and begins models' ids."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and not keyword.iskeyword(name)


@dataclass(frozen=True)
class InputField:
    """Declare one input of a family: a text, or an upload that travels as `sha256:` reference.

    `type` says how it is drawn and decoded: "text", "file" (stored bytes that no widget takes), or a type that a room
    declares (`components.modality.InputType`). A request holds the value of a "text" and of an `inline` input itself,
    such as JSON that a part of the page supplies; of every other input a reference to stored bytes.
    `accept` lists the file endings that page and shell take, without the dot, in each way they are written ("jpg",
    "jpeg"); empty: all that the type reads. A file without an ending is judged by its bytes alone.
    `shown_if` is that of a setting: the input acts, and is drawn, only while each named setting acts and has one of the
    listed values. `max_chars` and `max_bytes` limit a text, `max_bytes` an upload too.
    In a text with `lists`, `{red|blue}` and `__animal__` are drawn before it becomes a request; see `models.lists`.
    `main` marks the text that a model starts from, whatever its name: the page's prompt box, and `--prompt` in a shell
    (see `main_text`).
    Raises `TypeError` for what is none of these, when it is declared.
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
    lists: bool = False
    inline: bool = False
    main: bool = False

    def __post_init__(self) -> None:
        """Refuse a wrong declaration, so that it fails at import."""
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise TypeError(f"InputField name is {self.name!r}; it must be small letters, digits and _, as prompt_to.")
        where = f"InputField {self.name}"
        if not (isinstance(self.type, str) and self.type.strip()):
            raise TypeError(f"{where}: type is {self.type!r}; it must be a word, such as text, file or a room's own.")
        if not isinstance(self.accept, tuple | list) or not all(
            isinstance(one, str) and one and not one.startswith(".") for one in self.accept
        ):
            raise TypeError(f"{where}: accept is {self.accept!r}; it must be a tuple of file endings without the dot.")
        for name in ("max_chars", "max_bytes"):
            limit = getattr(self, name)
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                raise TypeError(f"{where}: {name} is {limit!r}; it must be a whole number above 0, or None.")
        check_condition(self.shown_if, f"{where}: shown_if")
        if self.main not in (False, True) or (self.main and self.type != "text"):
            raise TypeError(f"{where}: main is {self.main!r}, its type {self.type!r}; only a text can be the main one.")

    @property
    def is_text(self) -> bool:
        """Say whether a request holds the value itself, not a reference to stored bytes."""
        return self.type == "text" or self.inline

    def ending_problem(self, file: str | Path) -> str:
        """Return a sentence if a file's ending is none of those that are taken, else ""."""
        ending, taken = Path(file).suffix.lower(), [f".{one.lower()}" for one in self.accept]
        if not (taken and ending) or ending in taken:
            return ""
        allowed = f"{', '.join(taken[:-1])} or {taken[-1]}" if len(taken) > 1 else taken[0]
        return f"the file {file} ends in {ending}; it must end in {allowed}. Give such a file."

    def problem(self, value: str | bytes) -> str:
        """Return a sentence if a text, or the bytes of an upload, is larger than allowed, else ""."""
        what = self.name if self.type == "text" else self.label.lower() or self.name
        if isinstance(value, str) and self.max_chars is not None and len(value) > self.max_chars:
            return f"The {what} has {len(value):,} characters; at most {self.max_chars:,} are allowed. Shorten it."
        size = len(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        if self.max_bytes is not None and size > self.max_bytes:
            cure = "Shorten it." if isinstance(value, str) else "Upload a smaller one."
            return f"The {what} has {size:,} bytes; at most {self.max_bytes:,} are allowed. {cure}"
        return ""


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

    `stopped()` turns true when the user pressed Stop: end within one step with a `Final` of what there is.
    `skipped()` turns true, once for each press, when they pressed Skip: leave the outputs at hand, keep the finished
    ones and go on with the next.
    `open_ref(ref)` returns the bytes of an upload; `open_beside(ref, name)` what was made of it when it was taken, None
    where nothing is kept: then it is made again (see `Blobs.get_beside`). `stamp` is what the artefact embeds: all
    that causes it. `asker` is whom the run is for, "" on one's own machine: nothing that is kept of a run may reach
    another's, be it a time or a count.
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

    `Params` declares the settings, and is the class that `Family[…]` names; `inputs` declares what it takes, and
    `seed_shown_if` when the seed acts (see `ParamField`). `tools` maps a tool's name to the method that serves it,
    called with the model, plain JSON and the stored files: data work only, no forward pass. `costs` maps a tool's name
    to the method that forecasts a call with the same arguments as a `Cost`: what takes above a second runs in a process
    that Stop can end; a tool without a forecast is taken to be quick. `studies` maps a short
    job's name to the method that runs it with the arguments and events of `generate`. `length_tool` names the tool that
    is asked before a long prompt waits in the queue: `{"text", "params"}` → `{"problem", "tokens"}`, the sentence for a
    prompt that is too long, else "". `how_it_works` is markdown for the page's fold: a small mermaid diagram and two
    paragraphs with links to the papers; without it there is no fold. `in_short` says in a sentence or two how its nets
    are trained and make something, for models side by side; `roles` are words by which its room finds it. `saves` lists
    the endings of files that `save` writes, without the dot, the outputs' own first; empty: the outputs' own alone. A
    wrong declaration raises `TypeError` when the class is made.
    """

    name: ClassVar[str]
    title: ClassVar[str]
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
    saves: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a wrong declaration, so that it fails at import; a base of families may leave things out."""
        super().__init_subclass__(**kwargs)
        whole = not any(
            getattr(getattr(cls, name, None), "__isabstractmethod__", False) for name in ("load", "generate")
        )
        if problem := _declaration_problem(cls, whole):
            raise TypeError(f"{cls.__name__}{problem}")

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

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings."""
        from models.params import describe

        return describe(self.Params, spec.params, self.seed_shown_if)


def _declaration_problem(cls: type[Family[Any]], whole: bool) -> str:
    """Return what is wrong with a family's declaration, to follow its class's name; "" for nothing.

    `whole` is false for a base of families: what its families declare is not asked of it.
    """
    from models.params import describe

    params: Any = getattr(cls, "Params", None)
    if params is not None and not (isinstance(params, type) and issubclass(params, Params)):
        return f".Params is {params!r}; it must be a subclass of models.params.Params"
    if whole:
        for name, form, such in (("name", _NAME, "causal_lm"), ("modality", None, "text"), ("title", None, "A title")):
            value = getattr(cls, name, None)
            if not isinstance(value, str) or not value.strip() or (form is not None and not form.fullmatch(value)):
                return f".{name} is {value!r}; a family needs one, such as {such!r}"
        if not is_room_name(cls.modality):
            return f".modality is {cls.modality!r}; it must be {ROOM_NAMES}"
        if params is None:
            return ".Params is missing; a family needs a class of its settings"
    table = {item.name: item for item in describe(params)} if params is not None else {}
    settings = {*table, "seed"}
    seen: set[str] = set()
    for item in cls.inputs:
        if not isinstance(item, InputField):
            return f".inputs holds {item!r}; every input must be an InputField"
        if item.name in seen:
            return f".inputs has two inputs named {item.name}; give one of them another name"
        if item.name in settings:
            return f".inputs {item.name}: a setting has this name; give one of them another name"
        seen.add(item.name)
        if missing := sorted(set(item.shown_if) - settings):
            return f".inputs {item.name}: shown_if names unknown fields {missing}"
        if problem := impossible(table, item.shown_if):
            return f".inputs {item.name}: shown_if: {problem}"
    if len(main := [item.name for item in cls.inputs if item.main]) > 1:
        return f".inputs declares {' and '.join(main)} as the main text; only one can be"
    check_condition(cls.seed_shown_if, f"{cls.__name__}.seed_shown_if")
    if whole and (missing := sorted(set(cls.seed_shown_if) - settings)):
        return f".seed_shown_if names unknown fields {missing}"
    for served in ("tools", "studies"):
        for name, method in getattr(cls, served).items():
            if whole and not (isinstance(method, str) and callable(getattr(cls, method, None))):
                return f".{served} {name!r} names {method!r}, which is not a method of the family"
    if whole and cls.length_tool and cls.length_tool not in cls.tools:
        return f".length_tool is {cls.length_tool!r}; it must be one of its tools: {', '.join(cls.tools) or 'none'}"
    return ""


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
