"""Make stories that keep an instruction, for story-chat to learn from: an opening by rule, the rest by story-gpt.

    python -m training.story_answers --count 4000 --threads 1

The words asked for stand in an opening sentence of our own wording; story-gpt goes on from there. What ends by itself
and repeats no run of words is kept, and the mood of its ending becomes part of what was asked (hindsight relabelling,
Andrychowicz et al. 2017). A net that knows its own training stories by heart learns little from those about
instructions; these are new to it, and cost it nothing but the link between instruction and story.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import torch

from training.chat_marks import repeats
from training.instructions import THINGS, joined, things, with_article

NAMES = (
    "Lily", "Tom", "Mia", "Ben", "Anna", "Max", "Sue", "Tim", "Lucy", "Sam", "Ella", "Jack", "Rosa", "Leo", "Kim", "Bob"
)  # fmt: skip
OPENINGS = (
    "Once upon a time there was a child named {name} who loved {all}.",
    "Once upon a time, in a small town, {name} had {all}.",
    "One day, {name} found {all}.",
    "One day, {name} went for a walk and saw {all}.",
    "One morning, {name} woke up and thought of {all}.",
    "{name} had a dream about {all}.",
    "There was once a boy named {name}. He wanted {all} more than anything.",
    "There was once a girl named {name}. She knew a secret about {all}.",
    "Once there was {first}. {name} liked to play near it{rest}.",
    "Once upon a time there was {first}.{then}",
    "In a land far away there lived {name}, who had {first}.{then}",
    "{name} was playing outside. There was {all}.",
    "{name} and a friend went out to look for {all}.",
    "It was a sunny day. {name} saw {first}.{then}",
    "It was a cold day, and {name} was alone with {all}.",
    "{name}'s mom told a story about {all}.",
)
THEN = (" Then {name} saw {others}, too.", " Not far away there was {others}.", " Near it there was {others}.",
        " One day, {name} came along with {others}.")  # fmt: skip
MAX_NEW_TOKENS = 280
ROWS = 128


def main() -> None:
    """Write `{"text", "words"}` for each kept story into `--out`, going on from what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=Path("models/embedded/story-gpt"))
    parser.add_argument("--out", type=Path, default=Path(".train/story-chat/answers.json"))
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    from models.torchaudio_guard import guard

    guard()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.base)
    model = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32).eval()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(options.out.read_text("utf-8")) if options.out.exists() else []
    until = time.monotonic() + 60 * options.minutes
    choice = random.Random(options.seed * 1_000_003 + len(kept))
    while len(kept) < options.count and time.monotonic() < until:
        kept += batch(model, tokenizer, choice)
        options.out.write_text(json.dumps(kept))
        print(f"{len(kept):,} stories", flush=True)


def opening(words: list[str], choice: random.Random) -> str:
    """Return one or two sentences that name all the words."""
    named = [with_article(word) for word in words]
    others = joined(named[1:]) if len(named) > 1 else ""
    name = choice.choice(NAMES)
    then = choice.choice(THEN).format(name=name, others=others) if others else ""
    return choice.choice(OPENINGS).format(
        name=name, all=joined(named), first=named[0], then=then, rest=f", with {others}" if others else ""
    )


@torch.inference_mode()
def batch(model: Any, tokenizer: Any, choice: random.Random) -> list[dict[str, Any]]:
    """Return the stories of one batch that are whole: their text and the words of their opening."""
    asked = [choice.sample(THINGS, choice.choice((1, 2, 2, 3))) for _ in range(ROWS)]
    begun = [opening(words, choice) for words in asked]
    given = tokenizer(begun, return_tensors="pt", padding=True)
    torch.manual_seed(choice.randrange(2**31))
    out = model.generate(
        input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=MAX_NEW_TOKENS,
        do_sample=True, temperature=0.7, top_p=0.95, top_k=0, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    found = []
    for words, row in zip(asked, out.tolist(), strict=True):
        text = tokenizer.decode(row, skip_special_tokens=True).strip()
        whole = tokenizer.eos_token_id in row and not repeats(text) and set(words) <= things(text)
        if whole and len(text) > 200:
            found.append({"text": text, "words": words})
    return found


if __name__ == "__main__":
    main()
