"""The texts of one prompt as a tree: which one branched from which, and where. No state but the runs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.types import Output, Request, Run


@dataclass(frozen=True)
class Written:
    """Hold one text of a run: its tokens (`ids`, without the prompt's), how many of them were `forced` on it.

    `scores` is what was computed again of its making, in place of what was kept.
    """

    run: Run
    index: int
    ids: tuple[int, ...]
    forced: int
    scores: Output | None = None

    @property
    def output(self) -> Output:
        """Return the text."""
        return next(one for one in self.run.outputs if one.kind == "text" and one.index == self.index)

    @property
    def view(self) -> Output:
        """Return what was kept of its making, or computed again."""
        return self.scores or next(one for one in self.run.outputs if is_view(one) and one.index == self.index)


@dataclass(frozen=True)
class Node:
    """Hold a text in its tree: `depth` 0 for one that branched from none, `start` the characters it shares."""

    written: Written
    depth: int
    start: int


def is_view(output: Output) -> bool:
    """Say whether an output is what was kept of a text's making."""
    return output.kind == "view" and output.meta.get("what") == "logits"


def root(request: Request) -> tuple[str, str, str]:
    """Return what the texts of one tree have in common: model, prompt, and the turns before it."""
    return request.model, request.inputs.get("prompt", ""), request.inputs.get("messages", "")


def written_from(runs: Sequence[Run], request: Request) -> list[Written]:
    """Return the texts that began as `request` did and whose making was kept, oldest first."""
    found = []
    for run in sorted(runs, key=lambda one: one.created_at):
        if run.request.study or root(run.request) != root(request):
            continue
        for output in run.outputs:
            if is_view(output):
                ids, forced = output.meta.get("ids", []), int(output.meta.get("forced", 0))
                found.append(Written(run, output.index, tuple(ids), forced))
    return found


def tree(texts: Sequence[Written]) -> list[Node]:
    """Return the texts, oldest first, as nodes in reading order: each branch below the text that it left.

    A text that was made to begin with k tokens left the newest earlier one that has the first k − 1 of them and went on
    by itself from there.
    """
    parents: list[int | None] = []
    for at, text in enumerate(texts):
        shared = text.forced - 1
        parents.append(next(
            (other for other in range(at - 1, -1, -1)
             if shared >= 0 and texts[other].forced <= shared < len(texts[other].ids)
             and texts[other].ids[:shared] == text.ids[:shared]), None,
        ))  # fmt: skip
    nodes: list[Node] = []

    def add(at: int, depth: int) -> None:
        parent = parents[at]
        start = 0 if parent is None else _shared(texts[parent].output.text, texts[at].output.text)
        nodes.append(Node(texts[at], depth, start or int(texts[at].output.meta.get("prompt_chars", 0))))
        for child in range(at + 1, len(texts)):
            if parents[child] == at:
                add(child, depth + 1)

    for at, parent in enumerate(parents):
        if parent is None:
            add(at, 0)
    return nodes


def _shared(one: str, other: str) -> int:
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return at
