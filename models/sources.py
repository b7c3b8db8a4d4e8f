"""The source of this package as data: what each module defines at its top, and which names its text uses for what.

No module is imported for it: its file is parsed. `models.carrying` puts definitions together from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Symbol:
    """Name what a module defines at its top, or what a library has: then `library` is true.

    `name` is "" for a module of a library as a whole.
    """

    module: str
    name: str
    library: bool = False
    called: str = ""  # what the importing module calls it


@dataclass
class Use:
    """Hold one use of a symbol in a module's text: the bytes of a line that name it."""

    symbol: Symbol
    line: int
    start: int
    end: int
    soft: bool  # in an annotation alone
    bound: frozenset[str]  # what else the functions around it call by names of their own


@dataclass
class Piece:
    """Hold one statement at a module's top: what it defines, its lines (from 1, both included) and its uses."""

    node: ast.stmt
    names: tuple[str, ...]
    first: int
    last: int
    uses: list[Use] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)  # lines of imports inside functions


@dataclass
class Module:
    name: str
    file: Path
    lines: list[bytes]
    doc: str
    pieces: list[Piece] = field(default_factory=list)
    imported: dict[str, Symbol] = field(default_factory=dict)
    soft: set[str] = field(default_factory=set)  # names that exist for type checkers alone

    def piece(self, name: str) -> Piece | None:
        return next((one for one in self.pieces if name in one.names), None)


@lru_cache(maxsize=256)
def _read(file: Path, changed_ns: int, name: str) -> Module:
    text = file.read_text("utf-8")
    tree = ast.parse(text)
    module = Module(name, file, [line.encode() for line in text.split("\n")], ast.get_docstring(tree) or "")
    _take(module, tree.body, soft=False)
    for piece in module.pieces:
        _uses(module, piece)
    return module


def module_of(name: str) -> Module:
    path = ROOT.joinpath(*name.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return _read(file, file.stat().st_mtime_ns, name)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def _take(module: Module, body: Sequence[ast.stmt], soft: bool) -> None:
    """Note the imports and definitions of a module's top; `soft`: for type checkers alone."""
    before = 0
    for node in body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        if isinstance(node, ast.Import | ast.ImportFrom):
            for called, symbol in _imported(node):
                module.imported.setdefault(called, symbol)
                module.soft |= {called} if soft else set()
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            _take(module, node.body, soft=True)
        else:
            while first - 1 > before and module.lines[first - 2].startswith(b"#"):
                first -= 1  # a comment that stands above it
            names = _defined(node)
            if names or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
                module.pieces.append(Piece(node, names, first, node.end_lineno or first))
                module.soft |= set(names) if soft else set()
        before = node.end_lineno or first


def _defined(node: ast.stmt) -> tuple[str, ...]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return tuple(one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Symbol]]:
    """Yield what an import calls a thing, with the thing."""
    for one in node.names:
        if isinstance(node, ast.Import):
            if _ours(one.name):
                continue  # for its effect
            called = one.asname or one.name.split(".")[0]
            yield called, Symbol(one.name, "", True, called)
        elif node.module != "__future__":
            assert node.module is not None and not node.level, "imports name their module in full"
            called = one.asname or one.name
            whole = f"{node.module}.{one.name}"
            if not _ours(node.module):
                yield called, Symbol(node.module, one.name, True, called)
            elif _is_module(whole):
                yield called, Symbol(whole, "")
            else:
                yield called, Symbol(node.module, one.name)


def _ours(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == ROOT.name


def _uses(module: Module, piece: Piece) -> None:
    """Note what a piece uses, and where it names what it defines."""
    node = piece.node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        start = module.lines[node.lineno - 1].index(node.name.encode())
        spots = [(node.name, node.lineno, start, start + len(node.name.encode()))]
    else:
        spots = [(one.id, one.lineno, one.col_offset, one.end_col_offset or 0) for one in ast.walk(node)
                 if isinstance(one, ast.Name) and one.id in piece.names and isinstance(one.ctx, ast.Store)]  # fmt: skip
    for name, line, first, last in spots:
        piece.uses.append(Use(Symbol(module.name, name), line, first, last, False, frozenset()))
    _Visitor(module, piece).visit(node)


class _Visitor(ast.NodeVisitor):
    """Find the uses of symbols in a piece: names that no function around them binds."""

    def __init__(self, module: Module, piece: Piece) -> None:
        self.module, self.piece = module, piece
        self.scopes: list[set[str]] = []
        self.local: list[dict[str, Symbol]] = []
        self.soft = False

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, _SCOPES):
            self._function(node)
        elif isinstance(node, _COMPREHENSIONS):
            self._inside(_targets(one.target for one in node.generators), {}, node)
        elif isinstance(node, ast.arg):
            self._annotation(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            self._annotation(node.annotation)
            for part in (node.target, node.value):
                if part is not None:
                    self.visit(part)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            self._attribute(node, node.value)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and (symbol := self._symbol(node.id)) is not None:
                self._note(symbol, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if all(_ours(one.name) for one in node.names) if isinstance(node, ast.Import) else _ours(str(node.module)):
                self.piece.gone.append((node.lineno, node.end_lineno or node.lineno))
        else:
            self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        for outer in (*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outer)
        self._annotation(getattr(node, "returns", None))
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
        for one in every:
            self.visit(one)
        body = node.body if isinstance(node.body, list) else [node.body]
        bound, ours = {one.arg for one in every}, dict[str, Symbol]()
        for part in _own_nodes(body):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del):
                bound.add(part.id)
            elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
                bound |= {part.name} if part.name else set()
            elif isinstance(part, ast.Import | ast.ImportFrom):
                for called, symbol in _imported(part):
                    if symbol.library:
                        bound.add(called)
                    else:
                        ours[called] = symbol
        self.scopes.append(bound)
        self.local.append(ours)
        for part in body:
            self.visit(part)
        self.scopes.pop()
        self.local.pop()

    def _inside(self, bound: set[str], ours: dict[str, Symbol], node: ast.AST) -> None:
        self.scopes.append(bound)
        self.local.append(ours)
        self.generic_visit(node)
        self.scopes.pop()
        self.local.pop()

    def _annotation(self, node: ast.expr | None) -> None:
        if node is not None:
            was, self.soft = self.soft, True
            self.visit(node)
            self.soft = was

    def _attribute(self, node: ast.Attribute, owner: ast.Name) -> None:
        symbol = self._symbol(owner.id)
        if symbol is not None and not symbol.library and not symbol.name:  # a module of ours
            self._note(self._followed(Symbol(symbol.module, node.attr)), node)
        elif symbol is not None:
            self._note(symbol, owner)

    def _symbol(self, name: str) -> Symbol | None:
        for bound, ours in zip(reversed(self.scopes), reversed(self.local), strict=True):
            if name in ours:
                return self._followed(ours[name])
            if name in bound:
                return None
        if self.module.piece(name) is not None:
            return Symbol(self.module.name, name)
        found = self.module.imported.get(name)
        if found is None or (not found.library and name in self.module.soft):
            return None
        return self._followed(found)

    def _followed(self, symbol: Symbol) -> Symbol:
        """Return where a symbol is defined, which may be behind further imports."""
        while not symbol.library and symbol.name:
            module = module_of(symbol.module)
            if module.piece(symbol.name) is not None or symbol.name not in module.imported:
                break
            symbol = module.imported[symbol.name]
        return symbol

    def _note(self, symbol: Symbol, node: ast.expr) -> None:
        assert node.end_lineno == node.lineno and node.end_col_offset is not None
        bound = frozenset().union(*self.scopes) if self.scopes else frozenset()
        self.piece.uses.append(
            Use(symbol, node.lineno, node.col_offset, node.end_col_offset, self.soft, frozenset(bound))
        )


def _own_nodes(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a function that are in its own scope, definitions inside it without their insides."""
    for node in body:
        yield node
        if not isinstance(node, (*_SCOPES, ast.ClassDef)):
            yield from _own_nodes(list(ast.iter_child_nodes(node)))


def _targets(nodes: Iterator[ast.expr]) -> set[str]:
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}
