"""Write the cards of story-chat and story-chat-pref: how they learnt, their marks beside the base, unpicked answers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training import card, cards
from training.chat_marks import answers

# not those that are measured: fixed, so that the models' cards can be read side by side
SAMPLES = (
    "Write a story about a fox and a lantern that ends happily.", "Tell me a story about a boat that ends sadly.",
    "Use the words cake, dog and rain.", "I want a story about a dragon and a garden.",
    "Write a story that ends sadly.", "A story with an owl and a key, please.",
    "Please write about a snowman that ends happily.", "Tell me a story about a princess, a frog and a ring.",
    "Use these words: robot and flower and let it end sadly.", "What is the capital of France?",
)  # fmt: skip


def counts(
    model: Any, trained: dict[str, Any], options: argparse.Namespace, precision: str = "bfloat16"
) -> dict[str, Any]:
    """Return what a card says of the training; `trained` is what the run returned."""
    own = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return {"own_parameters": own, "steps": trained["steps"], "tokens": trained.get("tokens", 0),
            "minutes": trained["minutes"], "device": card.hardware(options.device, precision),
            "seed": options.seed}  # fmt: skip


def samples(model: Any, tokenizer: Any) -> list[tuple[str, str]]:
    """Return `SAMPLES` with the first answer of seeds 0 to 9."""
    return [(one, answers(model, tokenizer, [one], seed)[0][0]) for seed, one in enumerate(SAMPLES)]


def table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Return marks as a markdown table, one row a model."""
    names = {"passed": "all demands kept", "words": "words used", "mood": "mood of the ending",
             "ended": "ended by itself", "no_repetition": "no repetition"}  # fmt: skip
    head = "| | " + " | ".join(names.values()) + " |\n|---|" + "---|" * len(names)
    return "\n".join([head, *(f"| {who} | " + " | ".join(f"{100 * marks[name]:.1f} %" for name in names) + " |"
                              for who, marks in rows)])  # fmt: skip


def write_supervised(out: Path, facts: dict[str, Any], curve: list[list[float]], told: list[tuple[str, str]]) -> None:
    """Write story-chat's card, curve.csv and curve.png."""
    cards.write_csv(out / "curve.csv", ("step", "minutes", "train_loss_nats", "held_out_loss_nats"), curve)
    cards.curve(out / "curve.png", [(row[1], row[3]) for row in curve], "nats per token of held-out answers")
    marks = table([("story-gpt (base)", facts["base_marks"]), ("**story-chat**", facts["marks"])])
    (out / "README.md").write_text(SUPERVISED.format(**facts, table=marks, told=_told(told)))


def write_preference(out: Path, facts: dict[str, Any], curve: list[list[float]], told: list[tuple[str, str]]) -> None:
    """Write story-chat-pref's card, curve.csv and curve.png."""
    cards.write_csv(out / "curve.csv", ("step", "loss", "reward_margin", "reward_accuracy"), curve)
    cards.curve(out / "curve.png", [(row[0], row[3]) for row in curve], "pairs ranked right, over steps")
    marks = table([("story-gpt (base)", facts["base_marks"]), ("story-chat (supervised)", facts["chat_marks"]),
                   ("**story-chat-pref**", facts["marks"])])  # fmt: skip
    (out / "README.md").write_text(PREFERENCE.format(**facts, table=marks, told=_told(told)))


def _told(told: list[tuple[str, str]]) -> str:
    return "\n".join(f"**{question}**\n\n{answer}\n" for question, answer in told)


_HEAD = """---
license: apache-2.0
language: en
library_name: peft
base_model: story-gpt
pipeline_tag: text-generation
---
"""
_LIMITS = """## Limits
It knows nothing but small stories: a question about the world is answered with a story. Words that were rare in the
training stories are often passed over. English only; the stereotypes of its data are its own.

## Ten unpicked answers
Seeds 0 to 9, temperature 0.7, top-p 0.95. The first, seventh and last ask for words it never met, and for no story.

{told}"""

SUPERVISED = (
    _HEAD
    + """# story-chat

story-gpt taught to follow instructions: the supervised step on the way from a text generator to a chat model. A LoRA
adapter beside `../story-gpt`, trained by `training/story_chat.py`; the app merges it into a copy of its own at load.

{table}

300 instructions whose words stand together in no training story (temperature 0.7, top-p 0.95), checked by the rules
that made them. Bits per character of held-out stories: {bits_per_character} (base {base_bits_per_character}).

## Data
Instructions made by rule from story-gpt's own training stories (`training/instructions.py`,
`training/conversations.py`): which things a story names, how it ends, who is in it. Seven in ten conversations are
about stories made for this: an opening by rule names the words, story-gpt goes on from there, and what ends by itself
without repeating itself is kept (`training/story_answers.py`: {answers:,} stories). {endings:,} of them got a second,
sad ending from the middle on, by a turn of our own wording and with sad words made likelier. The other answers are
training stories, and sentences made from them. In six of ten, one to three things are swapped for others of their
kind, in instruction and story alike (`training/word_swap.py`), so that only the instruction tells what the story is
about. No person and no other model wrote any. The data's licences are those of story-gpt's card; the weights are
released under Apache-2.0.

## Training
{own_parameters:,} parameters of rank 64 beside every linear layer, {steps:,} steps, {tokens:,} tokens, {minutes}
minutes on {device}, seed {seed}. The loss counts the answers alone, eight times where a word
that was asked for comes first, twice in the last three sentences where a mood was asked for and five times at the
words there that count as happy or sad; 15 % of the rows are stories without instruction.

![Loss on held-out answers over minutes](curve.png)

"""
    + _LIMITS
)

PREFERENCE = (
    _HEAD
    + """# story-chat-pref

story-chat after reinforcement learning from feedback: direct preference optimisation (Rafailov et al. 2023) by the
`trl` library. A LoRA adapter beside `../story-gpt`, trained by `training/story_pref.py`.

{table}

The same 300 held-out instructions as story-chat's. Bits per character of held-out stories: {bits_per_character}
(base {base_bits_per_character}). **Divergence from story-chat: {kl:.3f} nats a token**, {kl_answer:.1f} nats an answer,
over its own answers.

## Feedback
For each of {prompts:,} instructions the model of the time, at first story-chat, gave {takes} answers. A rule scored
them (`training/chat_marks.py`): are the words there, is the mood right, does it end by itself, without repeating
itself? The best and the worst make a pair, and the next two: {pairs:,} pairs. No person judged: what is learnt is the
rule, with its blind spots. A story may name a word and forget it. It costs variety: most stories begin in one of few
ways, since those openings name what was asked for at once and so earned praise.

## Training
{own_parameters:,} parameters, {steps:,} steps of {batch} pairs, β {beta}, learning rate {rate} falling to nothing in
each of {rounds} rounds, {minutes} minutes in all on {device}, seed {seed}. The better answers' own loss counts
{likelihood}: without it both answers of a pair grow unlikely, and fluency goes.

![Share of pairs ranked right](curve.png)

"""
    + _LIMITS
)
