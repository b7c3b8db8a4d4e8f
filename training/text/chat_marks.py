"""Measure how well a model follows instructions, by the rules that made them; the reward of the preference step.

    python -m training.text.chat_marks --data ../shared/data --model models/embedded/story-lstm

measures a model that learnt from texts alone (asked in the words of the chat template) and writes its marks.json.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training.text.chat_model import make_tokenizer
from training.text.conversations import Conversations, held_out
from training.text.instructions import Asked, sentences, things
from training.text.measure import bits_per_character
from training.text.story_data import load_stories

COUNT = 300  # held-out instructions
MAX_NEW_TOKENS = 300
TEMPERATURE, TOP_P = 0.7, 0.95
RUN = 6  # words: a run that comes twice is a repetition
ALIKE, LOOKED_AT = 6, 100  # words that two stories may begin with alike; stories that are compared
VARIETY = 0.3  # of reward, lost by an answer that begins as every tenth does, or more
NAMELESS = re.compile(r"\b(Nothing|Anything)\b")  # as a hero's name; real stories have it once in a thousand
MISNAMED = 0.4  # of reward, lost by an answer that has one


@torch.inference_mode()
def answers(
    model: Any, tokenizer: Any, instructions: Sequence[str], seed: int, rows: int = 50, system: str = ""
) -> list[tuple[str, bool]]:
    """Return each instruction's answer and whether it ended by itself; `rows` at a time, sampled from `seed` on.

    A `system` prompt stands before each.
    """
    found = []
    head = [{"role": "system", "content": system}] if system else []
    for start in range(0, len(instructions), rows):
        prompts = [
            tokenizer.apply_chat_template(
                [*head, {"role": "user", "content": one}], tokenize=False, add_generation_prompt=True
            )
            for one in instructions[start : start + rows]
        ]
        given = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        torch.manual_seed(seed + start)
        out = model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=MAX_NEW_TOKENS,
            do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        for row in out[:, given["input_ids"].shape[1] :].tolist():
            ended = tokenizer.eos_token_id in row
            kept = row[: row.index(tokenizer.eos_token_id)] if ended else row
            found.append((tokenizer.decode(kept, skip_special_tokens=True).strip(), ended))
    return found


def repeats(text: str) -> bool:
    """Say whether a run of `RUN` words comes twice."""
    words = text.lower().split()
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    return len(set(runs)) < len(runs)


def passes(asked: Asked, text: str, ended: bool) -> bool:
    """Say whether an answer keeps every demand, ends by itself and does not repeat itself."""
    return all(asked.kept(text).values()) and ended and not repeats(text)


def beginning(text: str) -> tuple[str, ...]:
    """Return the first `ALIKE` words of a story, in small letters."""
    return tuple(re.findall(r"[a-z']+", text.lower())[:ALIKE])


def used_later(asked: Asked, text: str) -> list[bool]:
    """Say of each word that was asked for whether the story names it after its first sentence."""
    found = things(" ".join(sentences(text)[1:]))
    return [word in found for word in asked.words]


def reward(asked: Asked, text: str, ended: bool) -> float:
    """Return 0 … 1: for words and mood, words used after the first sentence, a clean ending, no repetition.

    All demands kept together count once more, so that the best answer of several stands out.
    """
    kept, later = list(asked.kept(text).values()), used_later(asked, text)
    share = sum(kept) / max(1, len(kept))
    use = sum(later) / max(1, len(later))
    whole = passes(asked, text, ended)
    return 0.25 * share + 0.2 * use + 0.1 * ended + 0.15 * (not repeats(text)) + 0.3 * whole


def alike(texts: Sequence[str]) -> list[float]:
    """Return for each story the share of all that begin with the same words."""
    begun = [beginning(text) for text in texts]
    counts = Counter(begun)
    return [counts[one] / len(begun) for one in begun]


def rewards(asked: Sequence[Asked], told: Sequence[tuple[str, bool]]) -> list[float]:
    """Return each answer's reward, less what it loses for beginning as many others do and for "Nothing" as a name.

    In sad stories the adapters took "Nothing" for somebody ("Nothing was lost and alone"), and feedback without this
    penalty made that more frequent, from 6% of the better answers to 29%: it kept company with the mood.
    """
    shares = alike([text for text, _ in told])
    return [
        reward(one, text, ended) - VARIETY * min(1.0, share / 0.1) - MISNAMED * bool(NAMELESS.search(text))
        for one, (text, ended), share in zip(asked, told, shares, strict=True)
    ]


def measure(model: Any, tokenizer: Any, made: Conversations, seed: int = 5) -> dict[str, float]:
    """Return shares of the held-out instructions: passed in all, words, mood, ended, free of repetition.

    `used_later` is the share of words that come after the first sentence, `alike` of the first `LOOKED_AT` stories the
    share that begin with the commonest six words.
    """
    asked = held_out(made, COUNT)
    told = answers(model, tokenizer, [text for text, _ in asked], seed)
    rows = [(one.kept(text), text, ended, one) for (_, one), (text, ended) in zip(asked, told, strict=True)]
    words = [value for kept, *_ in rows for name, value in kept.items() if name != "mood"]
    moods = [kept["mood"] for kept, *_ in rows if "mood" in kept]

    def share(values: Sequence[bool]) -> float:
        return round(sum(values) / len(values), 4)

    return {
        "passed": share([passes(one, text, ended) for _, text, ended, one in rows]), "words": share(words),
        "mood": share(moods), "ended": share([ended for _, _, ended, _ in rows]),
        "no_repetition": share([not repeats(text) for _, text, _, _ in rows]), "instructions": len(rows),
        "used_later": share([later for _, text, _, one in rows for later in used_later(one, text)]),
        "alike": round(max(alike([text for _, text, _, _ in rows[:LOOKED_AT]])), 4),
    }  # fmt: skip


def write_marks(folder: Path, learnt: str, marks: dict[str, float], bits_per_character: float, **more: float) -> None:
    """Write marks.json, which the catalogue's facts are made from; `learnt` is "text", "supervised" or "preferred"."""
    kept = {"passed": marks["passed"], "instructions": marks["instructions"], "alike": marks["alike"]}
    content = {"learnt": learnt, "marks": {**kept, "bits_per_character": bits_per_character, **more}}
    (folder / "marks.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def main() -> None:
    """Measure the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds stories/ and stories-extra/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to measure")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    from transformers import AutoModelForCausalLM

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    stories = load_stories(options.data)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    tokenizer = make_tokenizer(options.model)
    marks = measure(model, tokenizer, Conversations(stories.train + stories.extra))
    write_marks(options.model, "text", marks, round(bits_per_character(model, tokenizer, stories.validation), 4))
    print(json.dumps(marks, indent=1))


if __name__ == "__main__":
    main()
