"""What a family declares beside its settings: its inputs; and what may be wrong with a declaration, as a sentence."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import presets
from models.conditions import check_condition
from models.params import Params, ShownIf, impossible

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
    `accept` lists the file endings that page and shell take, without the dot, as "jpg" and "jpeg"; empty: all that the
    type reads. A file without an ending is judged by its bytes alone. `shown_if` is that of a setting: the input acts,
    and is drawn, only while each named setting acts and has one of the listed values. `max_chars` and
    `max_bytes` limit a text, `max_bytes` an upload too; `limits` is what one is told before. In a text with `lists`,
    `{red|blue}` and `__animal__` are drawn before it becomes a request; see `models.lists`. `main` marks the text that
    a model starts from, whatever its name: the page's prompt box, and `--prompt` in a shell (see `main_text`). Raises
    `TypeError` for what is none of these.
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
    limits: str = ""

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


def problem_of(cls: Any, whole: bool) -> str:
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
        if not isinstance(cls.task, str):
            return f".task is {cls.task!r}; it must be a text, such as 'text generation'"
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
    for known in ("architectures", "gguf"):
        names = getattr(cls, known)
        if not isinstance(names, frozenset) or not all(isinstance(one, str) and one for one in names):
            return f".{known} is {names!r}; it must be a frozenset of names"
    check_condition(cls.seed_shown_if, f"{cls.__name__}.seed_shown_if")
    if whole and (missing := sorted(set(cls.seed_shown_if) - settings)):
        return f".seed_shown_if names unknown fields {missing}"
    for served in ("tools", "studies"):
        for name, method in getattr(cls, served).items():
            if whole and not (isinstance(method, str) and callable(getattr(cls, method, None))):
                return f".{served} {name!r} names {method!r}, which is not a method of the family"
    for preset in cls.presets:
        if whole and (problems := presets.fit(tuple(table.values()), preset, {})[1]):
            return f".presets {preset.name!r}: {problems[0]}"
    if whole and cls.length_tool and cls.length_tool not in cls.tools:
        return f".length_tool is {cls.length_tool!r}; it must be one of its tools: {', '.join(cls.tools) or 'none'}"
    return ""
