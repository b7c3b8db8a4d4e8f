"""Carry source out of this package: a few definitions with all that they need of it, as one text that stands alone.

The text is taken from the files as they are now: definitions keep their comments and docstrings, names keep their
spelling unless two files use one name for two things. Annotations are not evaluated (the text that takes the source
begins with `from __future__ import annotations`), so what only annotations name is not carried.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.sources import ROOT, Module, Piece, Symbol, module_of

_PRAGMAS = ("# type: ignore", "# noqa", "# fmt:")


@dataclass(frozen=True)
class Carried:
    """Hold carried source: import lines, and for each file its name, its docstring and the text of its definitions."""

    imports: tuple[str, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    names: frozenset[str] = frozenset()


def carry(wanted: Sequence[str], taken: frozenset[str] = frozenset()) -> Carried:
    """Return the source of the definitions `wanted`, each "module:name", and of all that they use of this package.

    `taken` are names that the text around it gives to its own things: carried ones are then called otherwise, but for
    those that are wanted. Raises `LookupError` for a name that its module does not define.
    """
    roots = [Symbol(module, name) for module, _, name in (one.partition(":") for one in wanted)]
    found = _closure(roots)
    names = _named(found, roots, taken)
    order: list[str] = []
    for root in roots:
        _sort(root.module, found, order)
    files = []
    for name in order:
        module = module_of(name)
        texts = [_text(module, piece, names) for piece in module.pieces if _belongs(module, piece, found)]
        if texts:
            shown = module.file.relative_to(ROOT.parent).as_posix()
            files.append((shown, module.doc, _joined(texts)))
    imports = [_import_line(one, names[one]) for one in found if one.library]
    return Carried(tuple(merged(imports)), tuple(files), frozenset(names.values()))


def merged(imports: Sequence[str]) -> list[str]:
    """Return import lines sorted, those from one module joined; `imports` hold one statement each."""
    whole: set[str] = set()
    parts: dict[str, set[str]] = {}
    for line in imports:
        node = ast.parse(line).body[0]
        if isinstance(node, ast.ImportFrom):
            parts.setdefault(str(node.module), set()).update(map(ast.unparse, node.names))
        else:
            whole.add(line)
    found = [f"from {module} import {', '.join(sorted(names))}" for module, names in parts.items()]
    return [*sorted(whole), *sorted(found)]


def _closure(roots: Sequence[Symbol]) -> dict[Symbol, None]:
    """Return all symbols that are needed, in the order in which they were met."""
    found: dict[Symbol, None] = {}
    waiting = list(roots)
    while waiting:
        symbol = waiting.pop(0)
        if symbol in found:
            continue
        found[symbol] = None
        if symbol.library:
            continue
        module = module_of(symbol.module)
        piece = module.piece(symbol.name)
        if piece is None:
            if (other := module.imported.get(symbol.name)) is None:
                raise LookupError(f"{symbol.module} defines no {symbol.name}")
            raise LookupError(f"{symbol.name} stands in {other.module}, not in {symbol.module}")
        waiting += [use.symbol for use in piece.uses if not use.soft or _light(use.symbol)]
        waiting += [Symbol(symbol.module, name) for name in piece.names]  # what one statement defines
    for name in {one.module for one in found if not one.library}:
        for piece in module_of(name).pieces:  # what is registered with a library when the module is imported
            if not piece.names and _belongs(module_of(name), piece, found):
                found |= dict.fromkeys(use.symbol for use in piece.uses)
    return found


def _light(symbol: Symbol) -> bool:
    """Say whether what an annotation names is carried: of a library, or an alias for type checkers."""
    if symbol.library:
        return True
    module = module_of(symbol.module)
    piece = module.piece(symbol.name)
    return piece is not None and isinstance(piece.node, ast.Assign) and all(
        use.symbol == symbol or use.symbol.library or _light(use.symbol) for use in piece.uses
    )  # fmt: skip


def _belongs(module: Module, piece: Piece, found: dict[Symbol, None]) -> bool:
    if piece.names:
        return any(Symbol(module.name, name) in found for name in piece.names)
    own = [use.symbol for use in piece.uses if not use.symbol.library]
    return bool(own) and all(one in found for one in own)


def _sort(name: str, found: dict[Symbol, None], order: list[str], under: frozenset[str] = frozenset()) -> None:
    """Put a module and those that it needs into an order in which each stands behind what it needs."""
    if name in order or name in under:
        return
    module = module_of(name)
    for piece in module.pieces:
        if _belongs(module, piece, found):
            for use in piece.uses:
                if not use.symbol.library and use.symbol in found:
                    _sort(use.symbol.module, found, order, under | {name})
    order.append(name)


def _named(found: dict[Symbol, None], roots: Sequence[Symbol], taken: frozenset[str]) -> dict[Symbol, str]:
    """Give each symbol its name in the carried text: its own, unless that means something else already."""
    uses = [use for one in found if not one.library for use in (module_of(one.module).piece(one.name) or _none()).uses]
    names: dict[Symbol, str] = {}
    used: set[str] = set()
    for symbol in sorted(found, key=lambda one: (one not in roots, not one.library)):
        name = first = symbol.called or symbol.name
        hidden = {bound for use in uses if use.symbol == symbol for bound in use.bound}
        while name in used or name in hidden or (name in taken and symbol not in roots and not symbol.library):
            name = f"{symbol.module.rsplit('.', 1)[-1]}_{name.lstrip('_')}" if name == first else f"{name}_"
        if symbol in roots and name != first:
            raise LookupError(f"two things are called {first}: one of them is wanted under this name")
        names[symbol] = name
        used.add(name)
    return names


def _none() -> Piece:
    return Piece(ast.Pass(), (), 0, 0)


def _import_line(symbol: Symbol, name: str) -> str:
    if not symbol.name:
        return f"import {symbol.module}" + (f" as {name}" if name != symbol.module.split(".")[0] else "")
    return f"from {symbol.module} import {symbol.name}" + (f" as {name}" if name != symbol.name else "")


def _text(module: Module, piece: Piece, names: dict[Symbol, str]) -> str:
    """Return a piece's text with the names that were given, without imports of this package and words to tools."""
    lines = list(module.lines)
    for use in sorted(piece.uses, key=lambda one: (one.line, one.start), reverse=True):
        if use.symbol in names:
            line = lines[use.line - 1]
            lines[use.line - 1] = line[: use.start] + names[use.symbol].encode() + line[use.end :]
    gone = {at for first, last in piece.gone for at in range(first, last + 1)}
    kept = [lines[at - 1] for at in range(piece.first, piece.last + 1) if at not in gone]
    return _without_pragmas(textwrap.dedent(b"\n".join(kept).decode()))


def _joined(texts: Sequence[str]) -> str:
    """Return statements one under another, with space around definitions."""
    text = texts[0]
    for before, after in pairwise(texts):
        near = not any(one.startswith(("def ", "class ", "@")) for one in (before, after))
        text += ("\n" if near else "\n\n\n") + after
    return text


def _without_pragmas(text: str) -> str:
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.string.startswith(_PRAGMAS):
            row = token.start[0] - 1
            lines[row] = lines[row][: token.start[1]].rstrip()
    return "\n".join(lines).strip("\n")
