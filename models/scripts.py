"""What a family says of the script that makes one of its results again with public libraries alone.

A family gives a `Script`: its parts in order, the imports that they need, and which definitions of this package it
carries along (`models.carrying`). `python_text` and `notebook` write it out.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from models import carrying
from models.settings import PACKAGE_DIR

if TYPE_CHECKING:
    from pathlib import Path

    from models.spec import ModelSpec

_WIDTH = 116
_CARRIED_WORDS = (
    "No public library has what follows, so it is carried along as it stands in the playground's repository "
    "(Apache-2.0): only what is needed here."
)


@dataclass(frozen=True)
class Part:
    """Hold one step of a script: its title, words that explain it, and its code."""

    title: str
    code: str
    words: str = ""


@dataclass(frozen=True)
class Script:
    """Hold a script in parts: the constants that a reader may change (`settings`), and the `parts` that use them.

    `imports` are statements, one each; `carries` are definitions of this package, "module:name", that stand between
    the two. `cannot` are sentences on what differs from the run.
    """

    settings: str
    parts: tuple[Part, ...]
    imports: tuple[str, ...]
    carries: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """Hold what the head of a script says: what it makes (a sentence) and under what the run was made.

    `versions` are of libraries, by the name under which they are installed.
    """

    title: str
    versions: Mapping[str, str]
    threads: int
    device: str = "cpu"
    dtype: str = "float32"
    measured: bool = False  # of the run itself, not of what is installed here


def replace_cannot(script: Script, cannot: tuple[str, ...]) -> Script:
    """Return a script that says `cannot` in its head."""
    return replace(script, cannot=cannot)


def constants(**values: Any) -> str:
    """Return assignments, one a line: every value as Python writes it, whatever a text holds."""
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


def weights(spec: ModelSpec, name: str = "WEIGHTS") -> tuple[str, tuple[str, ...]]:
    """Return the lines that name the folder of a model's weights and end the script where it is not, and their imports.

    An adapter's base is named too, as `BASE`. Raises `WeightsError`.
    """
    if spec.weights.hub is not None:
        code = f"{name} = Path(snapshot_download({spec.weights.hub!r}, revision={spec.weights.revision!r}))"
        return code, ("from pathlib import Path", "from huggingface_hub import snapshot_download")
    names = [name]
    lines = [_folder_line(spec.folder(), name)]
    if (base := spec.base_folder()) is not None:
        names.append("BASE")
        lines.append(_folder_line(base, "BASE"))
    lines += [
        f"for folder in ({', '.join(names)},):",
        "    if not folder.is_dir():  # a library would look for it on the Hub",
        '        raise SystemExit(f"The folder {folder} is not here: copy it to where this script runs; see above.")',
    ]
    return "\n".join(lines), ("from pathlib import Path",)


def _folder_line(folder: Path, name: str) -> str:
    """Return the line that names a folder of weights by its last part, with where it is found."""
    own = folder.is_relative_to(PACKAGE_DIR)
    where = f"{folder.relative_to(PACKAGE_DIR.parent).as_posix()} of the repository" if own else "where its weights lie"
    return f"{name} = Path({folder.name!r})  # copy this folder from {where}"


def dtype(spec: ModelSpec, above: int | None) -> str:
    """Return the expression for the dtype of a model's weights: as stored above so many bytes, else float32."""
    return "torch.float32" if above is None or spec.weights_bytes() < above else '"auto"'


def python_text(script: Script, header: Header) -> str:
    """Return a script as one Python file."""
    imports, parts = _assembled(script, header)
    body: list[str] = []
    for part in parts:
        body += ["", *_comment(f"==== {part.title} ===="), *_comment(part.words), part.code, ""]
    code = "\n".join([*imports, "", *body])
    lines = [_docstring(script, header, code), "", "from __future__ import annotations", "", code]
    return "\n".join(lines).rstrip("\n") + "\n"


def notebook(script: Script, header: Header) -> str:
    """Return a script as a notebook (the public schema nbformat 4.5, JSON): an explained cell for each part."""
    imports, parts = _assembled(script, header)
    code = "\n".join([*imports, *(part.code for part in parts)])
    first = "\n".join(["from __future__ import annotations", "", *imports])
    cells = [_cell("markdown", _markdown(script, header, code), 0), _cell("code", first, 1)]
    for part in parts:
        cells.append(_cell("markdown", f"## {part.title}\n\n{part.words}".rstrip(), len(cells)))
        cells.append(_cell("code", part.code, len(cells)))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4,
            "nbformat_minor": 5}  # fmt: skip
    return json.dumps(book, ensure_ascii=False, indent=1) + "\n"


def _cell(kind: str, text: str, number: int) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _assembled(script: Script, header: Header) -> tuple[list[str], list[Part]]:
    """Return the imports and all parts: the settings, the carried source if there is any, and the script's own."""
    settings = script.settings
    if "import torch" in script.imports:
        settings += f"\ntorch.set_num_threads({header.threads})  # the run's own: another number may round differently"
    parts = [Part("Settings", settings, "What made this result. Change a line to make another one."), *script.parts]
    taken = frozenset(
        node.id for part in parts for node in ast.walk(ast.parse(part.code))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )  # fmt: skip
    found = carrying.carry(script.carries, taken)
    texts = []
    for file, said, text in found.files:
        texts.append("\n".join([*_comment(f"---- {file} ----"), *_comment(_plain(said)), "", text]))
    if texts:
        parts.insert(1, Part("Source carried from the playground", "\n\n\n".join(texts), _CARRIED_WORDS))
    return carrying.merged([*script.imports, *found.imports]), parts


def _plain(said: str) -> str:
    """Return a module's docstring without the examples and drawings that stand indented in it."""
    blocks = said.split("\n\n")
    return "\n\n".join(one for one in blocks if not one.startswith("    "))


def _comment(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n") if text else []:
        lines += [f"# {one}".rstrip() for one in textwrap.wrap(line, _WIDTH) or [""]]
    return lines


def _docstring(script: Script, header: Header, code: str) -> str:
    paragraphs = [header.title, *_said(script, header, code)]
    text = "\n\n".join("\n".join(textwrap.wrap(one, _WIDTH, break_on_hyphens=False)) for one in paragraphs)
    return f'"""{text.replace(chr(92), chr(92) * 2).replace(chr(34) * 3, "")}\n"""'


def _markdown(script: Script, header: Header, code: str) -> str:
    return "\n\n".join([f"# {header.title.rstrip('.')}", *_said(script, header, code)])


def _said(script: Script, header: Header, code: str) -> list[str]:
    """Return what is to be known before the script runs, a paragraph each."""
    # "+cpu" names a build of PyTorch's own index: the plain version is found everywhere
    versions = {name: version.partition("+")[0] for name, version in header.versions.items()}
    needs = [f"{name}=={versions[name]}" if name in versions else name for name in _packages(code)]
    whose = "The run was made" if header.measured else "The playground that wrote this runs"
    threads = "1 thread" if header.threads == 1 else f"{header.threads} threads"
    said = [
        f"It needs: pip install {' '.join(needs)}",
        f"{whose} on {header.device}, {threads}, {header.dtype}, with these versions. The same numbers come out where "
        "versions, number of threads and kind of CPU are the same; elsewhere they may differ in their last digits, and "
        "what is drawn by chance may then differ.",
    ]
    return said + [f"Not the same as in the run: {sentence}" for sentence in script.cannot]


def _packages(code: str) -> list[str]:
    """Return what has to be installed for a script, the libraries of models first."""
    roots: dict[str, None] = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            roots[str(node.module).split(".")[0]] = None
        elif isinstance(node, ast.Import):
            roots |= dict.fromkeys(one.name.split(".")[0] for one in node.names)
    names = [_distributions().get(root, root) for root in roots if root not in sys.stdlib_module_names]
    names += [more for name, more in (("transformers", "safetensors"), ("diffusers", "transformers")) if name in names]
    first = ("torch", "transformers", "diffusers")
    return sorted(dict.fromkeys(names), key=lambda name: (name not in first, name))


@cache
def _distributions() -> Mapping[str, str]:
    return {root: names[0] for root, names in importlib.metadata.packages_distributions().items() if names}


def installed(names: Sequence[str] | None = None) -> dict[str, str]:
    """Return the versions of installed packages that a script may name."""
    wanted = set(names or _distributions().values())
    found = {}
    for name in wanted:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
