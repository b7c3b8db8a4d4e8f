"""A sweep as a quiz: its cells without their values, in an order that a seed draws, and what the answers are worth.

    {"v": 1, "kind": "order", "axis": "temperature", "values": [], "seed": 3, "sweep": {…}}

`order`: the cells of a line of the grid, to be put in order along the axis. `guess`: single cells, whose value on the
axis is to be told. `blind`: pairs of cells that differ by two `values` of the axis alone; which one is better is voted.
A quiz holds no results: they are found by their causes, as a sweep's are, and so it goes into a link.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from models.errors import BadInput
from models.outside import LINK_MAX_CHARS, Unreadable, packed, read_json, unpacked
from models.plain_text import check_text
from models.sweeps import spec
from models.sweeps.cells import Cell, Plan, label, words
from models.sweeps.spec import SEED, Axis, Sweep
from models.types import SEED_MAX, is_number

if TYPE_CHECKING:
    from models.catalog import Catalog

Kind = Literal["order", "guess", "blind"]
KINDS: tuple[Kind, ...] = get_args(Kind)
VERSION = 1
QUERY = "quiz"  # in an address
ORDER_MOST = 6  # cells to be put in order at a time
ROUNDS_MOST = {"order": 8, "guess": 20, "blind": 40}
LETTERS = "ABCDEF"
T = TypeVar("T")


@dataclass(frozen=True)
class Quiz:
    """Hold what is asked: the sweep, the kind, the axis, for `blind` the two values, and the seed of the order."""

    sweep: Sweep
    kind: Kind
    axis: str
    values: tuple[Any, ...] = ()
    seed: int = 0

    def to_json(self) -> str:
        """Return the one JSON text of this quiz, which `read` takes."""
        content = {
            "v": VERSION, "kind": self.kind, "axis": self.axis, "values": list(self.values), "seed": self.seed,
            "sweep": json.loads(self.sweep.to_json()),
        }  # fmt: skip
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def varied(self) -> Axis:
        """Return the axis that is asked for."""
        found = self.sweep.axis(self.axis)
        assert found is not None  # checked where it was made
        return found


@dataclass(frozen=True)
class Round:
    """Hold one question: the `cells` in the order in which they are shown, and each one's place.

    `places` count the axis's values as they stand, for `order` from the least to the most (see `values_in_order`); for
    `blind` they are indices of the quiz's two values.
    """

    cells: tuple[int, ...]
    places: tuple[int, ...]

    @property
    def right(self) -> tuple[int, ...]:
        """Return which of the cells shown comes first along the axis, which second, …"""
        return tuple(sorted(range(len(self.cells)), key=self.places.__getitem__))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    v: int
    kind: Kind
    axis: str = Field(max_length=100)
    values: list[JsonValue] = Field(max_length=2)
    seed: int = Field(ge=0, le=SEED_MAX)
    sweep: dict[str, JsonValue]


def read(data: str | bytes, name: str = "The quiz") -> Quiz:
    """Return the quiz that a JSON text describes. Raises `BadInput` with what is wrong; `name` begins it."""
    try:
        content = read_json(data, most=spec.FILE_MAX_BYTES, constants=False)
    except Unreadable as error:
        raise BadInput(f"{name} {error}. Ask for a new link.") from None
    version = content.get("v") if isinstance(content, dict) else None
    if isinstance(content, dict) and (type(version) is not int or version != VERSION):
        raise BadInput(f"{name} has the version v = {str(version)[:20]}; this playground reads v = {VERSION}.")
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        parts = [".".join(map(str, one["loc"])) or "it" for one in error.errors(include_url=False)]
        raise BadInput(f"{name} cannot be used: {', '.join(parts[:8])[:200]} is wrong or missing.") from None
    sweep = spec.read(json.dumps(file.sweep), name)
    return checked(Quiz(sweep, file.kind, file.axis, tuple(file.values), file.seed), name)


def checked(quiz: Quiz, name: str = "The quiz") -> Quiz:
    """Return a quiz that can be asked. Raises `BadInput` with what is wrong of its axis and values."""
    axis = quiz.sweep.axis(quiz.axis)
    if axis is None:
        names = ", ".join(one.name for one in quiz.sweep.axes)
        raise BadInput(f"{name} asks for {quiz.axis!r}, which its sweep does not vary; it varies: {names}.")
    if said := axis_problem(axis, quiz.kind):
        raise BadInput(f"{name} cannot ask for {quiz.axis}: {said}.")
    if quiz.kind != "blind":
        return quiz if not quiz.values else Quiz(quiz.sweep, quiz.kind, quiz.axis, (), quiz.seed)
    if len(quiz.values) != 2 or any(value not in axis.values for value in quiz.values):
        raise BadInput(f"{name} compares two values of {quiz.axis}; give two of: {_listed(axis.values)}.")
    if quiz.values[0] == quiz.values[1]:
        raise BadInput(f"{name} compares {quiz.axis} = {_listed(quiz.values[:1])} with itself; give another value.")
    return quiz


def axis_problem(axis: Axis, kind: Kind) -> str:
    """Return why an axis cannot be asked for, "" where it can."""
    if axis.name == SEED:
        return "a seed is chance, of which nothing can be told; choose another axis"
    if len(axis.values) < 2:
        return "it has one value alone; vary it"
    if kind == "order" and not all(is_number(value) for value in axis.values):
        return "only numbers have an order; choose another axis, or let the value be guessed"
    return ""


def _listed(values: Iterable[Any]) -> str:
    text = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return text if len(text) <= 200 else f"{text[:199]}…"


# -- what is asked -----------------------------------------------------------------------------------------------------


def rounds(plan: Plan, quiz: Quiz) -> list[Round]:
    """Return the questions of a quiz, the same for the same quiz everywhere. Raises `BadInput` where there are none.

    Cells that look alike, and those in which the axis does nothing, are left out: nothing could be told of them. The
    cells of a round are those that are computed (`Cell.same_as`).
    """
    axis = quiz.sweep.axes.index(quiz.varied)
    lines: dict[tuple[int, ...], list[Cell]] = {}
    for cell in plan.cells:
        if quiz.axis not in cell.idle:
            lines.setdefault(cell.place[:axis] + cell.place[axis + 1 :], []).append(cell)
    make = {"order": _order, "guess": _guess, "blind": _blind}[quiz.kind]
    found = list(make(quiz, axis, list(lines.values())))
    if not found:
        raise BadInput(
            f"No two different results of this sweep are told apart by {quiz.axis} alone: there is nothing to ask. "
            "Choose another axis, or other values."
        )
    return drawn(found, quiz.seed, "rounds")[: ROUNDS_MOST[quiz.kind]]


def _order(quiz: Quiz, axis: int, lines: Sequence[Sequence[Cell]]) -> Iterator[Round]:
    ranks = sorted(range(len(quiz.varied.values)), key=lambda at: quiz.varied.values[at])
    for cells in map(_distinct, lines):
        some = drawn(cells, quiz.seed, "line")[:ORDER_MOST]
        if len(some) > 1:
            yield Round(tuple(cell.same_as for cell in some), tuple(ranks.index(cell.place[axis]) for cell in some))


def _guess(quiz: Quiz, axis: int, lines: Sequence[Sequence[Cell]]) -> Iterator[Round]:
    for cells in map(_distinct, lines):
        if len(cells) > 1:
            yield from (Round((cell.same_as,), (cell.place[axis],)) for cell in cells)


def _blind(quiz: Quiz, axis: int, lines: Sequence[Sequence[Cell]]) -> Iterator[Round]:
    wanted = [quiz.varied.values.index(value) for value in quiz.values]
    for cells in map(_distinct, lines):
        pair = [cell for cell in cells if cell.place[axis] in wanted]
        if len(pair) == 2:
            sides = drawn(pair, quiz.seed, "sides")
            yield Round(tuple(cell.same_as for cell in sides),
                        tuple(wanted.index(cell.place[axis]) for cell in sides))  # fmt: skip


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells of a line whose result no other one of it has."""
    same = [cell.same_as for cell in cells]
    return [cell for cell in cells if same.count(cell.same_as) == 1]


def drawn(items: Sequence[T], seed: int, what: str) -> list[T]:
    """Return items in an order that the seed draws, the same on every machine and version; `what` names the draw."""

    def key(item: T) -> bytes:
        told = item.number if isinstance(item, Cell) else item.cells if isinstance(item, Round) else item
        return hashlib.sha256(f"{seed}/{what}/{told}".encode()).digest()

    return sorted(items, key=key)


# -- what the answers are worth ----------------------------------------------------------------------------------------


def score(asked: Sequence[Round], answers: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Return how many cells were answered right, and of how many.

    An answer to `order` lists the places of the cells as shown, first to last; to `guess` it is the one value's index.
    """
    right = sum(
        one == other
        for round_, answer in zip(asked, answers, strict=True)
        for one, other in zip(answer, round_.right if len(round_.cells) > 1 else round_.places, strict=False)
    )
    return right, sum(len(round_.cells) for round_ in asked)


def by_chance(asked: Sequence[Round], values: int) -> float:
    """Return how many answers are right on the mean where nobody knows anything; `values` is of the axis."""
    return sum(1.0 if len(round_.cells) > 1 else 1.0 / values for round_ in asked)


def sign_test(one: int, other: int) -> float:
    """Return the two-sided p of the exact sign test: how often a fair coin falls at least as unevenly.

    As `scipy.stats.binomtest(one, one + other)`, which takes 70 MB of the process that draws the pages to import; at a
    half both tails are alike (Conover 1999, 3.4).
    """
    many = one + other
    tail = sum(math.comb(many, at) for at in range(min(one, other) + 1))
    return min(1.0, 2 * tail / (1 << many))


def verdict(one: str, other: str, counts: tuple[int, int, int]) -> str:
    """Say what votes for `one`, for `other` and for neither tell, with the sign test in words."""
    first, second, neither = counts
    votes = first + second
    none = f" In {neither} more no difference was seen; they do not count in the test." if neither else ""
    if not votes:
        return f"No vote was for either: in all {neither} no difference was seen." if neither else "There is no vote."
    winner, most = (one, first) if first >= second else (other, second)
    told = f"{winner} was preferred in {most} of {votes} vote{'s' * (votes != 1)}." if first != second else (
        f"Both were preferred equally often, {first} times each.")  # fmt: skip
    p = sign_test(first, second)
    often = f"{p:.1%}" if p >= 0.001 else "less than 0.1%"
    says = (
        f" A coin would split at least as unevenly in {often} of such series (two-sided sign test, p = {p:.2g}): "
        + ("hardly by chance alone." if p < 0.05 else "that may well be chance alone.")
    )
    few = " Fewer than 6 votes can never show more." if votes < 6 else ""
    return told + says + few + none


# -- links -------------------------------------------------------------------------------------------------------------


def link_to(base_url: str, quiz: Quiz) -> str:
    """Return the address that opens a quiz. Raises `BadInput` where a link cannot carry it."""
    if any(text.startswith("sha256:") for text in quiz.sweep.request.inputs.values()):
        raise BadInput(
            "This sweep starts from a file, which a link cannot carry. The quiz works in this browser; for others, "
            "vary something that needs no file."
        )
    link = f"{base_url.split('?', maxsplit=1)[0]}?{urlencode({QUERY: packed(json.loads(quiz.to_json()))})}"
    if len(link) > LINK_MAX_CHARS:
        raise BadInput(
            f"This quiz makes a link of {len(link):,} characters; at most {LINK_MAX_CHARS:,} are allowed. Shorten the "
            "prompts, or vary fewer values."
        )
    return link


def from_link(text: str) -> Quiz:
    """Return the quiz of a link. Raises `BadInput` with what is wrong."""
    name = "The link's quiz"
    try:
        if len(text) > LINK_MAX_CHARS:
            raise Unreadable("is too long")
        content = unpacked(text)
    except Unreadable:
        raise BadInput("This link is damaged and cannot be opened. Ask for a new link.") from None
    quiz = read(json.dumps(content), name)
    for key, value in quiz.sweep.request.inputs.items():
        if value.startswith("sha256:"):
            raise BadInput(f"{name} starts from a file ({key}), which a link cannot carry. Ask for another one.")
        check_text(value, key)
    return quiz


# -- words -------------------------------------------------------------------------------------------------------------


def title(catalog: Catalog, quiz: Quiz) -> str:
    """Say what is asked, without a value."""
    name = label(catalog, quiz.sweep, quiz.axis)
    return {
        "order": f"Put in order: {name}", "guess": f"Guess: {name}", "blind": "Which is better?",
    }[quiz.kind]  # fmt: skip


def value_of(catalog: Catalog, quiz: Quiz, place: int) -> str:
    """Say a value of the axis by its index; of a blind comparison, of the two values."""
    value = quiz.values[place] if quiz.kind == "blind" else quiz.varied.values[place]
    return words(catalog, quiz.sweep, quiz.axis, value)


def values_in_order(quiz: Quiz) -> list[int]:
    """Return the indices of the axis's values, numbers from the least to the most."""
    values = quiz.varied.values
    ranks = list(range(len(values)))
    return sorted(ranks, key=values.__getitem__) if all(is_number(value) for value in values) else ranks
