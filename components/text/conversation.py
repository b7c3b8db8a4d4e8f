"""The tree of conversations that an owner's runs hold: each run's request has the whole way to its answer.

A way is a tuple of texts, question and answer in turn: `("Tell me …", "Once …", "And then?")` ends in a question. The
tree is a trie of ways: an answer that came twice in the same words is one node with two makers. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.errors import PlaygroundError
from models.text.prompts import Message, read_messages
from models.types import SEED_MAX, Output, Request, Run

Way = tuple[str, ...]


@dataclass(frozen=True)
class Maker:
    """Say what made an answer: a run, and which of its outputs; None where it ended before there was any."""

    run: Run
    output: Output | None

    @property
    def text(self) -> str:
        """Return the answer."""
        return self.output.text if self.output is not None else ""

    @property
    def stopped(self) -> bool:
        """Say whether the answer was cut by Stop."""
        finish = self.output.meta.get("finish") if self.output is not None else None
        return finish == "stopped" or (not finish and self.run.status == "stopped")


@dataclass
class Tree:
    """Hold the nodes: what follows each way, in the order in which it came, and who made each answer.

    `born` counts the runs up to the one that last made or passed a way.
    """

    following: dict[Way, list[str]] = field(default_factory=dict)
    makers: dict[Way, list[Maker]] = field(default_factory=dict)
    born: dict[Way, int] = field(default_factory=dict)

    def add(self, way: Way, moment: int) -> None:
        """Add a way with every shorter one."""
        for length in range(1, len(way) + 1):
            after = self.following.setdefault(way[: length - 1], [])
            if way[length - 1] not in after:
                after.append(way[length - 1])
            self.born[way[:length]] = max(moment, self.born.get(way[:length], 0))


def is_chat(request: Request) -> bool:
    """Say whether a request is a turn of a conversation."""
    return bool(request.inputs.get("messages"))


def read(request: Request) -> tuple[str, Way]:
    """Return the system prompt ("" for none) and the way to the question. Raises `BadInput` for damaged messages."""
    messages = read_messages(request.inputs.get("messages", "")) or []
    system = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
    said = [one["content"] for one in messages if one["role"] != "system"]
    return system, (*said, request.inputs.get("prompt", ""))


def messages_before(way: Way, system: str) -> list[Message]:
    """Return the messages before the question that a way ends in, as a request's input holds them."""
    head = [{"role": "system", "content": system}] if system.strip() else []
    roles = ("user", "assistant")
    return [*head, *({"role": roles[at % 2], "content": text} for at, text in enumerate(way[:-1]))]


def grow(runs: Iterable[Run]) -> Tree:
    """Return the tree of all chat runs among `runs`, whatever their order."""
    tree = Tree()
    found = sorted((run for run in runs if is_chat(run.request)), key=lambda run: (run.created_at, run.id))
    for moment, run in enumerate(found, 1):
        try:
            _, way = read(run.request)
        except PlaygroundError:
            continue  # such a run was refused: it has no answer
        answers: list[Output | None] = [output for output in run.outputs if output.kind == "text"]
        for output in answers or [None]:
            maker = Maker(run, output)
            tree.add((*way, maker.text), moment)
            tree.makers.setdefault((*way, maker.text), []).append(maker)
    return tree


def siblings(tree: Tree, way: Way) -> tuple[list[Way], int]:
    """Return the ways that differ from `way` in their last text alone, `way` among them, and its place."""
    if not way:
        return [()], 0
    found = [(*way[:-1], text) for text in tree.following.get(way[:-1], [])]
    return (found, found.index(way)) if way in found else ([*found, way], len(found))


def newest_leaf(tree: Tree, way: Way = ()) -> Way:
    """Return the way on from `way` that was made last, down to its last answer."""
    while after := tree.following.get(way):
        way = max(((*way, text) for text in after), key=lambda one: tree.born[one])
    return way


def next_seed(tree: Tree, maker: Maker) -> int:
    """Return the seed after the largest that model and settings of `maker` have had for its question."""
    request = maker.run.request
    _, way = read(request)
    seeds = [
        other.run.request.seed for text in tree.following.get(way, []) for other in tree.makers.get((*way, text), [])
        if other.run.request.model == request.model and other.run.request.params == request.params
        and other.run.request.inputs == request.inputs
    ]  # fmt: skip
    return (max([request.seed, *seeds]) + 1) % (SEED_MAX + 1)


def starts(tree: Tree) -> list[Way]:
    """Return the first questions, the one last asked or gone on from first."""
    return sorted(((text,) for text in tree.following.get((), [])), key=lambda way: -tree.born[way])


def transcript(way: Sequence[str], system: str = "") -> str:
    """Return a conversation as text to keep."""
    lines = [f"System prompt: {system}"] if system.strip() else []
    lines += [f"{('You', 'Model')[at % 2]}: {text}" for at, text in enumerate(way)]
    return "\n\n".join(lines) + "\n"
