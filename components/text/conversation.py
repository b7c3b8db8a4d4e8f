"""The tree of conversations that an owner's runs hold: each run's request has the whole way to its answer.

A way is a tuple of texts, question and answer in turn: `("Tell me …", "Once …", "And then?")` ends in a question. The
tree is a trie of ways: an answer that came twice in the same words is one node with two makers. Where the assistant
speaks first, the way begins with an empty question: `("", "Hello.", "Tell me …")`. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from models.errors import PlaygroundError
from models.text.conversations import Talk, talk_of
from models.text.prompts import Message
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

    `born` counts the runs up to the one that last made or passed a way. `came` has what a file says of an answer.
    """

    following: dict[Way, list[str]] = field(default_factory=dict)
    makers: dict[Way, list[Maker]] = field(default_factory=dict)
    born: dict[Way, int] = field(default_factory=dict)
    came: dict[Way, Request] = field(default_factory=dict)

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
    if not is_chat(request):
        return "", (request.inputs.get("prompt", ""),)
    talk = talk_of(request)
    return talk.system, (*way_of(talk), request.inputs.get("prompt", ""))


def way_of(talk: Talk) -> Way:
    """Return the turns of a talk, an empty question before an opening."""
    said = tuple(one["content"] for one in talk.turns)
    return ("", *said) if len(said) % 2 else said


def opening_of(way: Way) -> str:
    """Return what the assistant says first, "" where the user does."""
    return way[1] if len(way) > 1 and not way[0] else ""


def opened(way: Way, opening: str) -> Way:
    """Return a way, that of a new conversation with its opening, if there is one."""
    return ("", opening) if not way and opening.strip() else way


def messages_before(way: Way, system: str) -> list[Message]:
    """Return the messages before the question that a way ends in, as a request's input holds them."""
    head = [{"role": "system", "content": system}] if system.strip() else []
    roles = ("user", "assistant")
    said = [{"role": roles[at % 2], "content": text} for at, text in enumerate(way[:-1])]
    return [*head, *(said if not said or way[0] else said[1:])]


def talk_along(tree: Tree, way: Way, system: str) -> Talk:
    """Return a way as a talk, each answer with its newest request; an empty answer at the end is left out."""
    question = ""
    if len(way) % 2 == 0 and way and not way[-1]:
        way, question = way[:-2], way[-2]
    messages = messages_before((*way, ""), system)
    first = len(messages) - len(way)
    made = {}
    for at in range(1, len(way), 2):
        part = way[: at + 1]
        request = tree.makers[part][-1].run.request if part in tree.makers else tree.came.get(part)
        if request is not None:
            made[first + at] = request
    return Talk(tuple(messages), question, made)


def leaves(tree: Tree, way: Way) -> list[Way]:
    """Return the ends of all branches that go on from `way`."""
    after = tree.following.get(way, [])
    return [leaf for text in after for leaf in leaves(tree, (*way, text))] if after else [way]


def system_of(tree: Tree, way: Way) -> str:
    """Return the system prompt of the answer that a way ends in, "" for none and where nobody knows it."""
    request = tree.makers[way][-1].run.request if way in tree.makers else tree.came.get(way)
    return read(request)[0] if request is not None else ""


def grow(runs: Iterable[Run], talks: Iterable[tuple[float, Talk]] = ()) -> Tree:
    """Return the tree of all chat runs among `runs`, whatever their order, and of talks that came at a time."""
    tree = Tree()
    # in time: a run, or a talk of a file
    found: list[tuple[float, str, Run | Talk]] = [
        (run.created_at, run.id, run) for run in runs if is_chat(run.request)
    ]  # fmt: skip
    found += [(at, "", talk) for at, talk in talks]
    for moment, (_, _, one) in enumerate(sorted(found, key=lambda item: item[:2]), 1):
        if isinstance(one, Run):
            _add_run(tree, one, moment)
        else:
            _add_talk(tree, one, moment)
    return tree


def _add_run(tree: Tree, run: Run, moment: int) -> None:
    try:
        _, way = read(run.request)
    except PlaygroundError:
        return  # such a run was refused: it has no answer
    answers: list[Output | None] = [output for output in run.outputs if output.kind == "text"]
    for output in answers or [None]:
        maker = Maker(run, output)
        tree.add((*way, maker.text), moment)
        tree.makers.setdefault((*way, maker.text), []).append(maker)


def _add_talk(tree: Tree, talk: Talk, moment: int) -> None:
    way = way_of(talk)
    tree.add(way, moment)
    first = len(talk.messages) - len(way)
    tree.came |= {way[: at - first + 1]: request for at, request in talk.made.items()}


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
    """Return the first questions, with the opening before them, the one last asked or gone on from first."""
    found: list[Way] = []
    for text in tree.following.get((), []):
        if text:
            found.append((text,))
            continue
        for opening in tree.following.get(("",), []):
            asked = tree.following.get(("", opening), [])
            found += [("", opening, question) for question in asked] or ([("", opening)] if opening else [])
    return sorted(found, key=lambda way: -tree.born[way])


def start_of(way: Way) -> Way:
    """Return what names a way's conversation: its first question, with the opening before it."""
    return way[:1] if way and way[0] else way[:3]
