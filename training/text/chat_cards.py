"""Write the cards of story-chat and story-chat-pref: how they learnt, their marks beside the base, unpicked answers."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training import cards
from training.text import story_card
from training.text.chat_marks import answers

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
            "minutes": trained["minutes"], "device": story_card.hardware(options.device, precision),
            "seed": options.seed}  # fmt: skip


def samples(model: Any, tokenizer: Any) -> list[tuple[str, str]]:
    """Return `SAMPLES` with the first answer of seeds 0 to 9."""
    return [(one, answers(model, tokenizer, [one], seed)[0][0]) for seed, one in enumerate(SAMPLES)]


def table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Return marks as a markdown table, one row a model."""
    names = {"passed": "all requirements met", "words": "words used", "mood": "mood of the ending",
             "ended": "ended by itself", "no_repetition": "no repetition",
             "used_later": "words used after the first sentence", "alike": "begin alike"}  # fmt: skip
    head = "| | " + " | ".join(names.values()) + " |\n|---|" + "---|" * len(names)
    return "\n".join([head, *(f"| {who} | " + " | ".join(f"{marks[name]:.1%}" for name in names) + " |"
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
    bits = {"kl_bits": facts["kl"] / math.log(2), "kl_answer_bits": facts["kl_answer"] / math.log(2)}
    (out / "README.md").write_text(PREFERENCE.format(**facts, **bits, table=marks, told=_told(told)))


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
training stories are often ignored. It has the stereotypes of its data. English only.

## Ten unpicked answers
Seeds 0 to 9, temperature 0.7, top-p 0.95. The first, seventh and last are outside its training data: unknown words, or
no story at all.

{told}"""

SUPERVISED = (
    _HEAD
    + """# story-chat

story-gpt taught to follow instructions: supervised fine-tuning (SFT), the step from a text generator to a chat model. A
LoRA adapter beside `../story-gpt`, trained by `training/text/story_chat.py`; the app merges it into its own copy at
load.

{table}

300 instructions whose requested words never occur together in a training story (temperature 0.7, top-p 0.95), checked
by rule. "Begin alike": of the first 100 stories, those with the commonest first six words. Bits per character of
held-out stories: {bits_per_character} (base {base_bits_per_character}).

## Data
Instructions are made by rule from story-gpt's own training stories (`training/text/instructions.py`,
`training/text/conversations.py`): which things a story names, how it ends, who is in it.

- Seven in ten conversations are about stories made for this purpose. A rule writes an opening that names the words
  (`training/text/story_openings.py`), and story-gpt continues. Stories that end by themselves without repetition, come
  back to a word and keep their hero's name were saved (`training/text/story_answers.py`): {answers:,} stories.
- {endings:,} of them got a second, sad ending from the middle on: a turn of our own wording, then story-gpt with sad
  words made likelier.
- The other answers are training stories, and sentences made from them.
- Three in ten have a system prompt that the story keeps: its length, its hero's name, its mood, or one of its things.
- In six of ten conversations, one to three things are swapped for others of their kind, in instruction and story alike
  (`training/text/word_swap.py`). So only the instruction tells what the story is about.

No person wrote or chose any conversation. The licences of the data are those in story-gpt's card; the weights are
released under Apache-2.0.

## Training
{own_parameters:,} parameters of rank 64 beside every linear layer, {steps:,} steps, {tokens:,} tokens, {minutes}
minutes on {device}, seed {seed}. The loss covers answer tokens only: ×8 where a requested word first appears, ×2 in the
last three sentences if a mood was asked for, ×5 on their happy or sad words. 15% of the rows are stories without an
instruction.

![Loss on held-out answers over minutes](curve.png)

"""
    + _LIMITS
)

PREFERENCE = (
    _HEAD
    + """# story-chat-pref

story-chat after preference tuning: direct preference optimisation (DPO, Rafailov et al. 2023) on pairs of its own
answers, ranked by a rule. A LoRA adapter beside `../story-gpt`, trained by `training/text/story_pref.py` with the `trl`
library.

{table}

The same 300 held-out instructions as for story-chat. Bits per character of held-out stories: {bits_per_character}
(base {base_bits_per_character}). **KL divergence from story-chat: {kl_bits:.3f} bits per token**, {kl_answer_bits:.1f}
bits per answer, over its own answers.

## Preferences
For each of {prompts:,} instructions the newest model, at first story-chat, gave {takes} answers. A rule scored them
(`training/text/chat_marks.py`): are the words there, after the first sentence too, is the mood right, does the answer
end by itself, without repetition? An answer that begins as many others do loses up to {variety} of 1. The best and the
worst answer make a pair, and so do the second best and the second worst: {pairs:,} pairs.

No person judged: the model learns the rule, with its blind spots. Of a model without the rule against alike beginnings
most stories began with one of two openings; without one against “Nothing” as somebody's name (it takes {misnamed} of 1,
in the shipped training in the last round alone) every eighth answer told of Nothing, who was sad and lost.

## Training
{own_parameters:,} parameters, {steps:,} steps of {batch} pairs, β {beta}, learning rate {rate} falling to zero in each
of {rounds} rounds, {minutes} minutes in all on {device}, seed {seed}. A supervised loss on the better answer (weight
{likelihood}) keeps fluency: without it both answers of a pair grow unlikely.

The shipped weights lie {share} of the way from story-chat's to those (averaging of weights, Wortsman et al. 2022): a
little less obedient, more fluent.

![Share of pairs ranked right](curve.png)

"""
    + _LIMITS
)
