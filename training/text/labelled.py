"""Read labelled sentences, split them without leaks, and the text without labels that their encoder reads first."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.text.pairs import load_pairs, same
from training.text.story_data import SIMPLE_EXTRA, load_stories, read_stories

TASKS = ("sentiment", "intent")
Row = tuple[str, int]  # a sentence and the number of its label


@dataclass(frozen=True)
class Labelled:
    """Hold the split of one task. No sentence stands in two parts, whatever its spelling.

    `calibration` fits the temperature and the threshold, and no weight; `test` is looked at once. The `outside`
    sentences have none of the labels.
    """

    labels: tuple[str, ...]
    train: list[Row]
    calibration: list[Row]
    test: list[Row]
    outside_train: list[str] = field(default_factory=list)
    outside_calibration: list[str] = field(default_factory=list)
    outside_test: list[str] = field(default_factory=list)


def load(data: Path, task: str) -> Labelled:
    """Return the split of a task, of the folder that `--data` names."""
    return load_sentiment(data) if task == "sentiment" else load_intents(data)


def load_sentiment(data: Path, share: float = 0.1) -> Labelled:
    """Split sentiment/sentence_polarity.tsv (label, tab, sentence) by a hash: `share` for test and calibration each."""
    lines = (data / "sentiment" / "sentence_polarity.tsv").read_text("utf-8").splitlines()
    found = [line.split("\t", 1) for line in lines if "\t" in line]
    names = {"neg": "negative", "pos": "positive"}
    labels = ("negative", "positive")
    rows = _once((unicodedata.normalize("NFC", text), labels.index(names[label])) for label, text in found)
    places = [_fraction(text) for text, _ in rows]
    parts = [[row for row, at in zip(rows, places, strict=True) if low <= at < high]
             for low, high in ((0, share), (share, 2 * share), (2 * share, 1))]  # fmt: skip
    return Labelled(labels, parts[2], parts[1], parts[0])


def load_intents(data: Path) -> Labelled:
    """Return CLINC150's own split (Larson et al. 2019); its validation part is the one for calibration.

    Sentences of training that stand in calibration or test as well, by their letters, are left out of training.
    """
    found = json.loads((data / "intents" / "clinc150_data_full.json").read_text("utf-8"))
    labels = tuple(sorted({label for _, label in found["train"]}))
    numbers = {label: at for at, label in enumerate(labels)}
    parts = {name: [(text, numbers[label]) for text, label in found[name]] for name in ("train", "val", "test")}
    outside = {name: [text for text, _ in found[f"oos_{name}"]] for name in ("train", "val", "test")}
    tested = {same(text) for text in [row[0] for row in parts["test"]] + outside["test"]}
    calibration = [row for row in parts["val"] if same(row[0]) not in tested]
    held = tested | {same(text) for text in [row[0] for row in calibration] + outside["val"]}
    return Labelled(
        labels, [row for row in parts["train"] if same(row[0]) not in held], calibration, parts["test"],
        [text for text in outside["train"] if same(text) not in held], outside["val"], outside["test"],
    )  # fmt: skip


def _once(rows: Iterable[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(same(row[0]), row)
    return list(found.values())


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.sha256(same(text).encode()).digest()[:8], "big") / 2**64


def unlabelled(data: Path) -> dict[str, list[str]]:
    """Return text to pretrain on, by source: training parts alone, nothing of what any task holds out.

    Long texts are cut into pieces of about forty words.
    """
    stories = load_stories(data)
    extra = data / "stories-extra"
    others = [file.name.removesuffix(".txt.gz") for file in sorted(extra.glob("*.txt.gz"))]
    more = [story for name in others if name not in SIMPLE_EXTRA for story in read_stories(extra / f"{name}.txt.gz")]
    questions = gzip.decompress((data / "questions-sql" / "wikisql.tsv.gz").read_bytes()).decode("utf-8").splitlines()
    with (data / "intents" / "banking77_train.csv").open(newline="", encoding="utf-8") as stream:
        banking = [row["text"] for row in csv.DictReader(stream)]
    intents = load_intents(data)
    found = {
        "sentiment": [text for text, _ in load_sentiment(data).train],
        "intents": [text for text, _ in intents.train] + intents.outside_train + banking,
        "sentences": list(dict.fromkeys(english for english, _ in load_pairs(data).train)),
        "questions": [fields[3] for line in questions if len(fields := line.split("\t")) > 3 and fields[0] == "train"],
        "stories": pieces(stories.train + stories.extra),
        "tales": pieces(more),
    }
    held = {same(text) for task in TASKS for part in ("calibration", "test")
            for text, _ in getattr(load(data, task), part)}  # fmt: skip
    held |= {same(text) for text in intents.outside_calibration + intents.outside_test}
    return {name: [text for text in texts if same(text) not in held] for name, texts in found.items()}


def pieces(texts: Sequence[str], words: int = 40) -> list[str]:
    """Cut texts into runs of `words` words; a last run of fewer than ten is left out, unless it is all there is."""
    found = []
    for text in texts:
        split = text.split()
        for start in range(0, len(split), words):
            run = split[start : start + words]
            if len(run) >= 10 or not start:
                found.append(" ".join(run))
    return found


def spliced(rows: Sequence[Row], count: int, choice: random.Random) -> list[str]:
    """Return `count` sentences made of the beginning of one sentence and the end of another, by chance."""
    found = []
    for _ in range(count):
        one, other = (rows[choice.randrange(len(rows))][0].split() for _ in range(2))
        found.append(" ".join(one[: choice.randint(1, len(one))] + other[choice.randint(0, len(other) - 1) :]))
    return found
