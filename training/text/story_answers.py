"""Make stories that keep an instruction, for story-chat to learn from: an opening by rule, the rest by story-gpt.

    python -m training.text.story_answers --count 4000 --threads 1
    python -m training.text.story_answers --endings --threads 1

The words asked for stand in an opening of our own wording (`training/text/story_openings.py`); story-gpt goes on from
there. What ends by itself, repeats no run of words, comes back to something asked for and keeps its hero's name is
kept, and the mood of its ending becomes part of what was asked (hindsight relabelling,
Andrychowicz et al. 2017). A net that knows its own training stories by heart learns little from those about
instructions; these are new to it, and cost it nothing but the link between instruction and story.

Few stories end sadly by themselves (6 of 100). `--endings` gives those that end happily a second ending: they are cut
at the middle, a turn of our own wording follows, and story-gpt goes on with sad words made likelier and happy ones
less likely. The two endings of one beginning show what the mood in an instruction does.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch

from training import loop
from training.text.chat_marks import repeats
from training.text.chat_model import BASE
from training.text.instructions import HAPPY, SAD, THINGS, mood_of, sentences, things
from training.text.story_marks import name_kept, pronouns_agree
from training.text.story_openings import NAMES, Opening, opening

TURNS = (
    "But then something bad happened.", "But the next day, everything was gone.", "Suddenly, there was a loud noise.",
    "But then {name} fell down.", "Then a big storm came.", "But {name} did not listen.", "Then it broke.",
    "But nobody came to help.", "Then the {word} was gone.", "But the {word} was lost.", "But {name} was too late.",
    "Then {name} had to say goodbye.", "But {name} had made a mistake.", "But in the night a fire came.",
    "But then {name} got very sick.", "Then someone took the {word} away.", "But it was too late for the {word}.",
)  # fmt: skip
BIAS = 1.5  # nats, on the words that decide the mood
MAX_NEW_TOKENS, MAX_ENDING = 280, 140
ROWS = 128


def main() -> None:
    """Write `{"text", "words"}` for each kept story into `--out`, going on from what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--base", type=Path, default=BASE, help="model that writes the stories (default: %(default)s)")
    add("--out", type=Path, default=loop.WORK / "story-chat" / "answers.json",
        help="file of stories, added to (default: %(default)s)")  # fmt: skip
    add("--count", type=int, default=4000, help="stories in all (default: 4000)")
    add("--minutes", type=float, default=15.0, help="time for this call (default: 15)")
    add("--threads", type=int, default=0, help="CPU threads; 0: as many as torch takes")
    add("--seed", type=int, default=0, help="fixes openings and draws (default: 0)")
    add("--endings", action="store_true", help="give the happy stories of --out a sad ending each")
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
    clock = loop.Clock(options.minutes)
    choice = random.Random(options.seed * 1_000_003 + len(kept))
    if options.endings:
        while clock.progress < 1 and (rest := [one for one in kept if lacks_sad(one)]):
            end_sadly(model, tokenizer, choice.sample(rest, min(ROWS, len(rest))), choice)
            options.out.write_text(json.dumps(kept))
            print(f"{sum('sad' in one for one in kept):,} sad endings", flush=True)
            clock.step()
        return
    while len(kept) < options.count and clock.progress < 1:
        kept += batch(model, tokenizer, choice)
        options.out.write_text(json.dumps(kept))
        print(f"{len(kept):,} stories", flush=True)
        clock.step()


def lacks_sad(story: dict[str, Any]) -> bool:
    """Say whether a made story ends happily and has no second, sad ending yet."""
    return "sad" not in story and mood_of(story["text"]) == "happy"


@torch.inference_mode()
def batch(model: Any, tokenizer: Any, choice: random.Random) -> list[dict[str, Any]]:
    """Return the stories of one batch that are whole: their text and the words of their opening.

    Of those that end by themselves are kept which tell of something asked for beyond their opening, and in which the
    hero's name and "she" or "he" stay right.
    """
    asked = [choice.sample(THINGS, choice.choice((1, 2, 2, 3))) for _ in range(ROWS)]
    begun = [opening(words, choice) for words in asked]
    told = go_on(model, tokenizer, [one.text for one in begun], choice, MAX_NEW_TOKENS)
    found = []
    for words, one, (text, ended) in zip(asked, begun, told, strict=True):
        whole = ended and not repeats(text) and set(words) <= things(text) and len(text) > 200
        if whole and set(words) & things(text[len(one.text) :]) and holds_together(text, one):
            found.append({"text": text, "words": words})
    return found


def holds_together(text: str, begun: Opening) -> bool:
    """Say whether a story keeps its hero's name and never calls a girl "he" or a boy "she"; True without a hero."""
    names = set(NAMES)
    if not begun.name:
        return True
    kept = name_kept(text, begun.text, begun.name, names) is not False
    return kept and pronouns_agree(text, begun.name, begun.kind, names) is not False


def end_sadly(model: Any, tokenizer: Any, some: list[dict[str, Any]], choice: random.Random) -> None:
    """Put a sad ending, as the whole text `sad`, to those of `some` stories where it came out well."""
    bias = mood_bias(tokenizer)
    begun = [turned(one, choice) for one in some]
    for story, (text, ended) in zip(some, go_on(model, tokenizer, begun, choice, MAX_ENDING, bias), strict=True):
        if ended and not repeats(text) and set(story["words"]) <= things(text) and mood_of(text) == "sad":
            story["sad"] = text


def turned(story: dict[str, Any], choice: random.Random) -> str:
    """Return the first third to two thirds of a story and a turn for the worse."""
    told = sentences(story["text"])
    name = next((one for one in NAMES if one in story["text"]), "the child")
    begun = told[: max(2, round(len(told) * choice.uniform(0.3, 0.65)))]
    return " ".join([*begun, choice.choice(TURNS).format(name=name, word=choice.choice(story["words"]))])


def mood_bias(tokenizer: Any) -> dict[tuple[int, ...], float]:
    """Return what is added to the logits of the words that count as sad and as happy."""
    bias = {}
    for words, value in ((SAD, BIAS), (HAPPY, -BIAS)):
        for word in words:
            bias[tuple(tokenizer.encode(f" {word}", add_special_tokens=False))] = value
    return bias


def go_on(
    model: Any, tokenizer: Any, begun: list[str], choice: random.Random, length: int, bias: Any = None
) -> list[tuple[str, bool]]:
    """Return each beginning with story-gpt's continuation and whether it ended by itself."""
    given = tokenizer(begun, return_tensors="pt", padding=True)
    torch.manual_seed(choice.randrange(2**31))
    out = model.generate(
        input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=length, do_sample=True,
        temperature=0.7, top_p=0.95, top_k=0, pad_token_id=tokenizer.pad_token_id, sequence_bias=bias,
    )  # fmt: skip
    new = out[:, given["input_ids"].shape[1] :].tolist()
    return [
        (tokenizer.decode(row, skip_special_tokens=True).strip(), tokenizer.eos_token_id in after)
        for row, after in zip(out.tolist(), new, strict=True)
    ]


if __name__ == "__main__":
    main()
