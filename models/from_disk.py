"""A model that lies on the disk, looked at before anything of it is taken: what it is, and which files make it.

A GGUF file, or a folder in Hugging Face layout (safetensors, config.json, tokenizer). Nothing is loaded: texts are read
as JSON within bounds, weights by their headers alone. Refused are pickles, whatever asks for code, links that lead out
of the folder, and headers that do not fit their files.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models import amounts, headers, outside
from models.errors import BadInput

ENTRIES_MAX = 2_000
TEXT_MAX_BYTES = 64_000_000
GGUF, WHOLE, PARTS, CONFIG = ".gguf", "model.safetensors", "model.safetensors.index.json", "config.json"
PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras"})
_READ = ("config.json", "generation_config.json", "tokenizer_config.json", "preprocessor_config.json",
         "processor_config.json", "special_tokens_map.json")  # fmt: skip
TAKEN = frozenset({
    *_READ, "tokenizer.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "normalizer.json",
    "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "source.spm", "target.spm",
})  # fmt: skip
TEMPLATES = (".jinja", "_template.json")  # how a prompt is laid out, by the ends of names
# what makes transformers fetch or import code that is not its own
_CODE = ("auto_map", "custom_pipelines", "custom_pipeline", "custom_generate")
_CHOSEN = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal", "experts_implementation")


@dataclass(frozen=True)
class Found:
    """Say what lies at a path: a GGUF file (`gguf` names its architecture), or a folder with its `config`.

    `numbers` counts what its tensors hold; `files` maps the names under which they are taken to where they lie, with
    their `bytes` together. `left` names what is not taken.
    """

    path: str
    numbers: int
    files: dict[str, str]
    bytes: int
    gguf: str = ""
    name: str = ""
    licence: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Return what config.json or the file's head says the net is."""
        said = self.config.get("architectures")
        return (self.gguf,) if self.gguf else tuple(map(str, said)) if isinstance(said, list) else ()

    @property
    def architecture(self) -> str:
        """Say what the net is, with its size as far as config.json tells it."""
        sizes = [f"{self.config[key]:,} {word}" for keys, word in _SIZES for key in keys
                 if isinstance(self.config.get(key), int)]  # fmt: skip
        return ", ".join([" ".join(self.architectures)[:80] or "unknown", *sizes[:2]])


_SIZES = ((("num_hidden_layers", "n_layer", "num_layers"), "layers"), (("hidden_size", "n_embd", "d_model"), "wide"))


def look(path: str | Path) -> Found:
    """Say what lies at a path. Raises `BadInput` with the reason where it is nothing that can be added."""
    try:
        place = Path(path).expanduser()
        if not place.is_absolute():
            place = Path.cwd() / place
        kind = place.stat().st_mode
        place = place.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        why = "there is no such file or folder" if isinstance(error, FileNotFoundError) else _why(error)
        raise BadInput(f"{str(path)[:200]!r} cannot be read: {why}. Give a GGUF file or a folder.") from error
    if stat.S_ISDIR(kind):
        return _folder(place)
    if not stat.S_ISREG(kind):
        raise BadInput(f"{place.name[:80]} is neither a file nor a folder. Give a GGUF file or a folder.")
    if place.suffix.lower() == GGUF:
        head = headers.read_gguf(place)
        return Found(
            str(place), head.numbers, {"model.gguf": str(place)}, place.stat().st_size, head.told["architecture"],
            _line(head.told.get("name", "")), _line(head.told.get("licence", "")),
        )  # fmt: skip
    if place.suffix.lower() in PICKLED:
        raise BadInput(_pickled(place.name))
    if place.suffix.lower() == ".safetensors":
        raise BadInput(f"{place.name[:80]} holds weights alone. Give the folder that has it and its config.json.")
    raise BadInput(f"{place.name[:80]} is no model that is known here. Give a GGUF file, or a folder with safetensors.")


def _folder(place: Path) -> Found:
    try:
        with os.scandir(place) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, ENTRIES_MAX + 1))
    except OSError as error:
        raise BadInput(f"The folder {place.name[:80]} cannot be read ({_why(error)}).") from error
    if len(names) > ENTRIES_MAX:
        raise BadInput(f"The folder {place.name[:80]} has more than {ENTRIES_MAX:,} entries: that is no model's.")
    weights, texts = (
        [name for name in names if name.endswith(".safetensors")],
        [name for name in names if _is_text(name)],
    )
    _refuse_others(place, names, weights)
    told = {name: _json(place, name) for name in texts if name in _READ or name.endswith(TEMPLATES[1])}
    config = told[CONFIG]
    for name, content in told.items():
        if said := _asks_for_code(content):
            raise BadInput(f"{name} asks for code of its own ({said}), which is never run here: refused.")
    if "quantization_config" in config:
        raise BadInput(
            "config.json says that the weights are quantised for other programs. Take the model as it was before that, "
            "or as a GGUF file."
        )
    files, index = _weights(place, weights), PARTS in names and WHOLE not in names
    numbers = sum(headers.read_safetensors(file).numbers for file in files.values())
    files |= {name: _inside(place, name) for name in texts}
    if index:
        files[PARTS] = _inside(place, PARTS)
    for name in files:
        if not name.endswith(".safetensors") and (size := files[name].stat().st_size) > TEXT_MAX_BYTES:
            raise BadInput(f"{name} has {amounts.size(size)}; at most {amounts.size(TEXT_MAX_BYTES)} are read.")
    taken = {file.name for file in files.values()}
    return Found(
        str(place), numbers, {name: str(file) for name, file in files.items()},
        sum(file.stat().st_size for file in files.values()), name=_line(place.name),
        licence=_licence(place), config=config, left=[name for name in names if name not in taken][:20],
    )  # fmt: skip


def _is_text(name: str) -> bool:
    return name in TAKEN or name.endswith(TEMPLATES)


def _refuse_others(place: Path, names: list[str], weights: list[str]) -> None:
    """Refuse a folder that is none in this layout, with the reason."""
    if not weights:
        if pickled := [name for name in names if Path(name).suffix.lower() in PICKLED]:
            raise BadInput(_pickled(pickled[0]))
        if ggufs := [name for name in names if name.lower().endswith(GGUF)]:
            raise BadInput(f"The folder holds {ggufs[0][:80]}. Give the path of that file.")
        raise BadInput(f"The folder {place.name[:80]} holds no .safetensors file.")
    if CONFIG not in names:
        if "model_index.json" in names:
            raise BadInput(
                "The folder holds a pipeline of several models, which is not added this way yet. Write an entry for "
                "it: README, “Adding things”."
            )
        if "adapter_config.json" in names:
            raise BadInput("The folder holds an adapter alone. Merge it into the model that it adapts first.")
        raise BadInput("The folder has no config.json, which says what kind of model it is.")


def _weights(place: Path, weights: list[str]) -> dict[str, Path]:
    """Return the files of weights that transformers would load, by the names under which they are taken."""
    if WHOLE in weights:
        return {WHOLE: _inside(place, WHOLE)}
    if (place / PARTS).exists():
        told = _json(place, PARTS).get("weight_map")
        parts = sorted({str(name) for name in told.values()}) if isinstance(told, dict) else []
        if not parts or len(parts) > ENTRIES_MAX:
            raise BadInput(f"{PARTS} names no files.")
        for name in parts:
            if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
                raise BadInput(f"{PARTS} names {name[:80]!r}, which leads out of the folder or is no safetensors.")
            if name not in weights:
                raise BadInput(f"{name[:80]} is missing: {PARTS} names it.")
        return {name: _inside(place, name) for name in parts}
    if len(weights) > 1:
        raise BadInput(f"The folder has {len(weights)} files of weights and no {PARTS} that says what they are.")
    return {WHOLE: _inside(place, weights[0])}


def _inside(place: Path, name: str) -> Path:
    """Return a file of the folder; a link that leads out of it, or what is no file, is refused."""
    file = place / name
    try:
        real = file.resolve(strict=True)
        kind = real.stat().st_mode
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{name[:80]} cannot be read ({_why(error)}).") from error
    if not real.is_relative_to(place):
        raise BadInput(
            f"{name[:80]} is a link that leads out of the folder. Copy the folder with what it links to (`cp -rL`), "
            "and give the copy."
        )
    if not stat.S_ISREG(kind):
        raise BadInput(f"{name[:80]} is no file.")
    return file


def _json(place: Path, name: str) -> dict[str, Any]:
    file = _inside(place, name)
    try:
        if file.stat().st_size > outside.JSON_MAX_CHARS:
            raise BadInput(f"{name} is too long: at most {amounts.size(outside.JSON_MAX_CHARS)} are read.")
        found = outside.read_json(file.read_bytes())
    except outside.Unreadable as error:
        raise BadInput(f"{name} {error}.") from error
    except OSError as error:
        raise BadInput(f"{name} cannot be read ({_why(error)}).") from error
    if not isinstance(found, dict):
        raise BadInput(f"{name} holds no JSON object.")
    return found


def _asks_for_code(content: Any) -> str:
    """Return what in a config would make a library run code that is not its own, "" for nothing."""
    for key, value in _pairs(content):
        if key in _CODE and value:
            return key
        if key in _CHOSEN and isinstance(value, str) and "/" in value:
            return f"{key} {value[:60]}"
    return ""


def _pairs(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        yield from content.items()
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _pairs(one)


def _licence(place: Path) -> str:
    """Return the licence that the head of README.md names, "" for none."""
    try:
        with _inside(place, "README.md").open(encoding="utf-8", errors="replace") as file:
            head = file.read(4000)
    except (BadInput, OSError):
        return ""
    lines = head.split("\n---", maxsplit=1)[0].splitlines() if head.startswith("---") else []
    return next((_line(line.partition(":")[2].strip(" \"'")) for line in lines if line.startswith("license:")), "")


def _line(text: str) -> str:
    """Return a text from outside on one line, short, of printable letters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())[:60]


def _pickled(name: str) -> str:
    return (
        f"{name[:80]} is of a kind that may run code when it is read (pickle): refused. Take the model as safetensors, "
        "or as a GGUF file."
    )


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
