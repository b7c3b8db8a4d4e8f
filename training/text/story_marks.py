"""Measure what bits per character do not see in a story model, by rules over 200 unpicked stories.

    python -m training.text.story_marks --data ../shared/data --model models/embedded/story-gpt

Each story begins with a sentence that names a girl or a boy; seed = the story's number, temperature 0.8, top-p 0.95, at
most 250 new tokens. Names and whose they are come from the training stories ("a girl named Mia"). `--judge` names the
folder of another language model: its bits per character over the first 60 stories, what an outsider makes of them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from training import loop
from training.text.measure import bits_per_character
from training.text.story_data import load_stories

COUNT, NEW_TOKENS, JUDGED = 200, 250, 60
NAMES = 25  # of girls, and as many of boys: those that the training stories name most often
OPENINGS = (
    "Once upon a time, there was a little {kind} named {name}.", "One day, a {kind} named {name} went to the park.",
    "{name} was a happy {kind} who lived in a small house.", "There was once a {kind} named {name} who loved to play.",
)  # fmt: skip
_PERSON = re.compile(r"\b(girl|boy|woman|man) (?:named|called) ([A-Z][a-z]+)\b")
_CALLED = re.compile(r"\b(?:named|called) ([A-Z][a-z]+)\b")
_WORD = re.compile(r"[A-Za-z']+")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]?")
_HERS, _HIS = frozenset({"she", "her", "hers", "herself"}), frozenset({"he", "him", "his", "himself"})
_OTHERS = frozenset({
    "mom", "mommy", "mother", "mum", "mama", "dad", "daddy", "father", "papa", "sister", "brother", "grandma",
    "grandpa", "grandmother", "grandfather", "aunt", "uncle", "friend", "friends", "man", "woman", "lady", "boy",
    "girl", "boys", "girls", "people", "neighbor", "policeman", "king", "queen", "prince", "princess", "teacher",
    "doctor", "farmer", "baby", "child", "fairy", "witch", "wizard", "monster", "dragon", "dog", "cat", "bird",
    "bear", "rabbit", "bunny", "fox", "frog", "mouse", "squirrel", "fish", "lion", "monkey", "elephant", "owl",
    "butterfly", "bee", "puppy", "kitten", "duck", "horse", "cow", "pig", "sheep", "turtle", "snake", "wolf",
})  # fmt: skip


def known_names(stories: Iterable[str], most: int = NAMES) -> tuple[list[str], list[str], set[str]]:
    """Return the `most` commonest girls' and boys' names, and every word that a story calls anyone by."""
    girls: Counter[str] = Counter()
    boys: Counter[str] = Counter()
    every: set[str] = set()
    for story in stories:
        every.update(_CALLED.findall(story))
        for kind, name in _PERSON.findall(story):
            (girls if kind in ("girl", "woman") else boys)[name] += 1
    either = {name for name in girls if boys[name] * 5 > girls[name] and girls[name] * 5 > boys[name]}
    first = [[name for name, _ in found.most_common() if name not in either][:most] for found in (girls, boys)]
    return first[0], first[1], every


def openings(girls: Sequence[str], boys: Sequence[str], count: int = COUNT) -> list[tuple[str, str, str]]:
    """Return `count` openings with the hero's name and kind ("girl", "boy"), in turn."""
    found = []
    for number in range(count):
        kind, names = (("girl", girls or ["Lily"]), ("boy", boys or ["Tom"]))[number % 2]
        name = names[number // 2 % len(names)]
        found.append((OPENINGS[number // 2 // len(names) % len(OPENINGS)].format(kind=kind, name=name), name, kind))
    return found


def name_kept(story: str, opening: str, name: str, names: set[str]) -> bool | None:
    """Say whether the name that comes back most often is the hero's; None where no name comes back twice."""
    counts = Counter(word for word in _WORD.findall(story[len(opening) :].replace("'s", "")) if word in names | {name})
    if not counts or max(counts.values()) < 2:
        return None
    return counts[name] == max(counts.values())


def pronouns_agree(story: str, name: str, kind: str, names: set[str]) -> bool | None:
    """Say whether "she" and "he" fit the hero wherever nobody else is meant; None where no such sentence has one.

    Looked at are sentences that hold the hero's name, no other name and no word for another being.
    """
    wrong = _HIS if kind == "girl" else _HERS
    right = _HERS if kind == "girl" else _HIS
    seen = False
    for sentence in _SENTENCE.findall(story):
        words = [word.removesuffix("'s") for word in _WORD.findall(sentence)]
        small = {word.lower() for word in words}
        named = {word for word in words if word in names}
        if name not in words or named - {name} or small & (_OTHERS - {kind}):
            continue
        if small & wrong:
            return False
        seen = seen or bool(small & right)
    return True if seen else None


def repeats_a_sentence(story: str) -> bool:
    """Say whether a sentence of four words or more stands in a story twice."""
    sentences = [" ".join(_WORD.findall(one.lower())) for one in _SENTENCE.findall(story)]
    long = [one for one in sentences if one.count(" ") >= 3]
    return len(set(long)) < len(long)


@torch.inference_mode()
def write(model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int = NEW_TOKENS) -> list[tuple[str, bool]]:
    """Return each prompt's story and whether it came to its end; seed = the prompt's number."""
    found = []
    for number, prompt in enumerate(prompts):
        torch.manual_seed(number)
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]  # 1 × tokens
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=True, temperature=0.8,
            top_k=0, top_p=0.95,
        )  # fmt: skip
        row = out[0].tolist()
        found.append((tokenizer.decode(row, skip_special_tokens=True), row[-1] == tokenizer.eos_token_id))
    return found


def told(written: Sequence[tuple[str, bool]], begun: Sequence[tuple[str, str, str]], names: set[str]) -> dict[str, Any]:
    """Return the shares of stories that keep each rule, and over how many the first two are counted."""
    kept = [
        name_kept(story, opening, name, names) for (story, _), (opening, name, _) in zip(written, begun, strict=True)
    ]
    agree = [
        pronouns_agree(story, name, kind, names) for (story, _), (_, name, kind) in zip(written, begun, strict=True)
    ]
    many = len(written)
    return {
        "name_kept": _share(kept), "name_counted": sum(one is not None for one in kept),
        "pronouns_agree": _share(agree), "pronouns_counted": sum(one is not None for one in agree),
        "no_sentence_repeated": round(sum(not repeats_a_sentence(story) for story, _ in written) / many, 3),
        "ended": round(sum(ended for _, ended in written) / many, 3), "stories": many,
    }  # fmt: skip


def _share(found: Sequence[bool | None]) -> float:
    counted = [one for one in found if one is not None]
    return round(sum(counted) / max(1, len(counted)), 3)


def measure(model: Any, tokenizer: Any, stories: Sequence[str], count: int = COUNT) -> tuple[dict[str, Any], list[str]]:
    """Return the shares of a model and the stories that it wrote; `stories` are those that it learnt from."""
    girls, boys, names = known_names(stories)
    begun = openings(girls, boys, count)
    written = write(model, tokenizer, [opening for opening, _, _ in begun])
    return told(written, begun, names), [story for story, _ in written]


def main() -> None:
    """Print the marks of the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds stories/ and stories-extra/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--judge", type=Path, help="folder of another language model that reads the stories")
    parser.set_defaults(seed=0, threads=0, work=loop.WORK)
    options = parser.parse_args()
    loop.prepare(options)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    stories = load_stories(options.data)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    facts, written = measure(model, tokenizer, stories.train + stories.extra)
    if options.judge:
        judge = AutoModelForCausalLM.from_pretrained(options.judge, dtype=torch.float32).eval()
        reader = AutoTokenizer.from_pretrained(options.judge)
        facts["judged_bits"] = round(bits_per_character(judge, reader, written[:JUDGED], 2048), 4)
        facts["judged_bits_of_real"] = round(bits_per_character(judge, reader, stories.validation[:JUDGED], 2048), 4)
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
