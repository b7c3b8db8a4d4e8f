"""What a command was given, read: settings and inputs as its arguments write them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from models import encodings, outside, plain_text, shell
from models.amounts import size
from models.errors import BadInput, BadParam
from models.family import Family, InputField, main_text
from models.params import ParamField
from models.settings import Settings
from models.store import Store

FILE_MAX_BYTES = 100_000_000  # what a file holds is limited by its kind; nothing that is taken is larger


def params(pairs: list[str], fields: dict[str, ParamField]) -> dict[str, Any]:
    """Read `name=value` pairs: JSON where the field takes it, text where it takes text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BadParam(f"--param {pair!r} has no value; write it as name=value, such as temperature=0.8.")
        kind = fields[name].type if name in fields else ""
        value: Any = text
        if kind not in ("text", "choice") or (text == "null" and fields[name].optional):
            try:
                value = outside.read_json(text)
            except outside.Unreadable:
                value = {"on": True, "off": False if kind == "toggle" else None}.get(text, text)
        if kind == "tags":
            value = [*found.get(name, []), *(value if isinstance(value, list) else [text])]
        found[name] = value
    return found


def file_bytes(file: str) -> bytes:
    """Return the bytes of a file, at most `FILE_MAX_BYTES`: a larger one is not read. Raises `BadInput`."""
    if not file or Path(file).is_dir():
        raise BadInput(f"“{file}” is a folder. Name one file." if file else "no file is named. Name one, by its path.")
    try:
        with Path(file).open("rb") as opened:
            held = os.fstat(opened.fileno()).st_size  # 0 of a pipe
            data = opened.read(FILE_MAX_BYTES + 1) if held <= FILE_MAX_BYTES else b""
            held = max(held, len(data))
    except OSError as error:
        raise BadInput(f"the file {file} cannot be read ({error.strerror}).") from error
    if held > FILE_MAX_BYTES:
        most = size(FILE_MAX_BYTES)
        raise BadInput(f"the file {file} is {size(held)}; at most {most} are read. Choose a smaller one.")
    return data


def taken_by(file: str, family: Family) -> InputField | None:
    """Return the input that a file is for: the upload or text that takes its ending, else the main text, else the first
    upload that takes any ending.
    """
    ending = Path(file).suffix[1:].lower()
    named = (item for item in family.inputs if ending and ending in item.accept)
    any_file = (item for item in family.inputs if not item.is_text and not item.accept and item.type != "file")
    return next(named, None) or main_text(family.inputs) or next(any_file, None)


def params_for(item: InputField, params: dict[str, Any]) -> dict[str, Any]:
    """Return the settings under which an input acts, where they are not given: the first value of each condition."""
    asked = {name: values[0] for name, values in item.shown_if.items() if isinstance(values, tuple | list) and values}
    return {name: value for name, value in asked.items() if name not in params}


def whole_file(file: str, family: Family, settings: Settings) -> dict[str, str]:
    """Return the input that is read from one file: `--in FILE`. A text may have any encoding. Raises `BadInput`."""
    item = taken_by(file, family)
    if item is None:
        raise BadInput(f"--in: {family.title} takes no file. Give its inputs by --prompt and --input.")
    try:
        data = file_bytes(file)
    except BadInput as error:
        raise BadInput(f"--in: {error.message}") from error
    if not item.is_text:
        return {item.name: Store(settings).put_bytes(data)}
    text, encoding = encodings.decode(data, f"file {file}")
    if encoding != "utf-8":
        shell.tell(f"--in: {file} was read as {encoding}.")
    return {item.name: plain_text.check_text(text, item.name)}


def texts(pairs: list[str], already: dict[str, str]) -> dict[str, str]:
    """Read `name=text` pairs: inputs that are written out. Raises `BadInput`, also for one that is there `already`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--text {pair!r} has no text; write it as name=text, such as column=review.")
        if name in already or name in found:
            raise BadInput(f"--text {name}: the {name} is given twice. Leave out one of the two.")
        found[name] = plain_text.check_text(text, name)
    return found


def inputs(
    prompt: str | None, pairs: list[str], family: Family, texts: set[str], settings: Settings
) -> dict[str, str]:  # fmt: skip
    """Read the prompt, which is the family's main text, and `name=FILE` pairs.

    A file is text for those in `texts`, a reference to stored bytes for others. Raises `BadInput`.
    """
    found: dict[str, str] = {}
    if prompt is not None:
        main = main_text(family.inputs)
        name = main.name if main is not None else "prompt"
        found[name] = plain_text.check_text(prompt, name)
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--input {pair!r} has no file; write it as name=FILE.")
        item = next((item for item in family.inputs if item.name == name), None)
        if item is not None and (problem := item.ending_problem(file)):
            raise BadInput(f"--input {name}: {problem}")
        try:
            data = file_bytes(file)
        except BadInput as error:
            raise BadInput(f"--input {name}: {error.message}") from error
        if name in found:
            raise BadInput(f"--input {name}: the {name} is given twice. Leave out one of the two.")
        if name in texts:
            try:
                told, said = family.read_input(name, data.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise BadInput(f"--input {name}: {file} is not UTF-8 text (byte {error.start}).") from error
            if said:
                shell.tell(said)
            if twice := [one for one in told if one != name and one in found]:
                raise BadInput(f"--input {name}: {file} gives the {twice[0]} too. Leave out one of the two.")
            found |= {one: plain_text.check_text(value, one) for one, value in told.items()}
        else:
            found[name] = Store(settings).put_bytes(data)
    return found
