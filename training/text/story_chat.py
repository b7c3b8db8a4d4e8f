"""Train text/story-chat: story-gpt taught to follow instructions (supervised fine-tuning), as a LoRA adapter.

    python -m training.text.story_chat --data ../shared/data --minutes 40 --threads 1

Ouyang et al. 2022 call this the first step of learning from human feedback: answers to instructions are shown, and the
model learns to say what they say. Instructions and answers are made by rule (`training/text/instructions.py`). LoRA: Hu
et al. 2021. The loss covers answer tokens only. Interrupt it at any time: the next call continues from the checkpoint
in `--work`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training import loop
from training.text import chat_cards
from training.text.chat_marks import COUNT, measure, write_marks
from training.text.chat_model import BASE, load_base, load_merged, make_tokenizer, save_adapter
from training.text.conversations import Conversations, held_out
from training.text.instructions import HAPPY, SAD, first_place, pairs, sentences, things
from training.text.measure import bits_per_character
from training.text.story_data import load_stories

CONTEXT = 512
BATCH_TOKENS = 2048
LEARNING_RATE = 2e-3
WORD, MOOD, ENDING = 8.0, 5.0, 2.0  # weights of what was asked for in the loss
SWAPPED = 0.6  # share of stories told of other things
MOODED = frozenset(HAPPY + SAD)
PLAIN = 0.15  # share of stories without an instruction, so that it does not forget how to go on
RANK = 64
EVERY = 100  # steps between measurements
_HERO = re.compile(r"\bhero\b[a-z ]* ([A-Z][a-z]+)\.")  # a system prompt's


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/story-chat", 40.0, "stories/ and stories-extra/")
    parser.add_argument("--base", type=Path, default=BASE, help="model that the adapter sits on (default: %(default)s)")
    parser.add_argument("--answers", type=Path, default=loop.WORK / "story-chat" / "answers.json",
                        help="what training.text.story_answers wrote (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="learning rate (default: %(default)s)")
    options = parser.parse_args()
    loop.prepare(options)
    stories = load_stories(options.data)
    answers = json.loads(options.answers.read_text("utf-8")) if options.answers.exists() else []
    print(f"{len(answers):,} stories made for instructions", flush=True)
    plain = Conversations(stories.train + stories.extra)
    kept = {pair for _, asked in held_out(plain, COUNT) for pair in pairs(asked.words)}
    answers = [one for one in answers if not kept & set(pairs(one["words"]))]  # what is measured stays unseen
    made = Conversations(stories.train + stories.extra, made=answers, swapped=SWAPPED, kept=kept)
    tokenizer = make_tokenizer(options.base)
    model = load_shipped(options) if options.from_shipped else make_model(options.base, options.seed)
    model.print_trainable_parameters()
    trained = train(model.to(options.device), tokenizer, made, stories.validation, options)
    save_adapter(model, tokenizer, options.out, options.base)
    merged = load_merged(options.out).eval()
    base = load_base(options.base).eval()
    facts = {
        "marks": measure(merged, tokenizer, made), "base_marks": measure(base, tokenizer, made),
        "bits_per_character": round(bits_per_character(merged, tokenizer, stories.validation), 4),
        "base_bits_per_character": round(bits_per_character(base, tokenizer, stories.validation), 4),
        "answers": len(answers), "endings": sum("sad" in one for one in answers),
        **chat_cards.counts(model, trained, options),
    }  # fmt: skip
    (options.work / "facts.json").write_text(json.dumps(facts))
    write_marks(options.out, "supervised", facts["marks"], facts["bits_per_character"])
    chat_cards.write_supervised(options.out, facts, trained["curve"], chat_cards.samples(merged, tokenizer))
    print(json.dumps(facts, indent=1))


def make_model(base: Path, seed: int) -> Any:
    """Return story-gpt with fresh LoRA matrices beside every linear layer; only these learn."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0.05, target_modules=linear, task_type="CAUSAL_LM"
    )  # fmt: skip
    return get_peft_model(load_base(base), config)


def load_shipped(options: argparse.Namespace) -> Any:
    """Return story-gpt with the shipped adapter, which learns."""
    from peft import PeftModel

    return PeftModel.from_pretrained(load_base(options.base), options.shipped, is_trainable=True)


def encode(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[float]] | None:
    """Return token ids and each one's weight in the loss; None for a conversation that is longer than the context.

    Nothing but answers counts, and what instruction and system prompt asked for counts more: `WORD` for the place where
    a word or a hero's name comes first, `ENDING` for the sentences that decide the mood and `MOOD` for their words that
    count as happy or sad. What the template makes of the whole is what comes of the parts, so that training and use
    read alike.
    """
    ids: list[int] = [tokenizer.bos_token_id]
    weights = [0.0]
    rules = asked = ""
    for message in messages:
        name = {"system": "Rules", "user": "Asked", "assistant": "Told"}[message["role"]]
        head = tokenizer.encode(f"{name}:", add_special_tokens=False)
        told = message["role"] == "assistant"
        text = f" {message['content']}" + ("" if told else "\n")
        body = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tail = [tokenizer.eos_token_id, *tokenizer.encode("\n", add_special_tokens=False)] if told else []
        ids += [*head, *body["input_ids"], *tail]
        worth = _worth(text, asked, body["offset_mapping"]) if told else [0.0] * len(body["input_ids"])
        weights += [*[0.0] * len(head), *worth, *[1.0, 0.0][: len(tail)]]
        rules = message["content"] if message["role"] == "system" else rules
        asked = f"{rules} {message['content']}" if message["role"] == "user" else asked
    return (ids, weights) if len(ids) <= CONTEXT else None


def _worth(text: str, asked: str, places: list[tuple[int, int]]) -> list[float]:
    """Return the weight of each token of an answer, whose characters lie at `places`."""
    spans = [(*span, WORD) for word in things(asked) if (span := first_place(word, text))]
    if (hero := _HERO.search(asked)) and (found := re.search(rf"\b{hero[1]}\b", text)):
        spans.append((*found.span(), WORD))
    if "happ" in asked or "sad" in asked:
        begin = max(0, len(text) - len(" ".join(sentences(text)[-3:])))
        spans.append((begin, len(text), ENDING))
        spans += [(*found.span(), MOOD) for found in re.finditer("[a-z]+", text.lower())
                  if found.start() >= begin and found[0] in MOODED]  # fmt: skip
    return [
        max([1.0, *(worth for start, end, worth in spans if left < end and right > start)]) for left, right in places
    ]


def draw(tokenizer: Any, made: Conversations, choice: random.Random) -> tuple[list[int], list[float]]:
    """Return one row: mostly a conversation, sometimes a story alone."""
    while True:
        if choice.random() < PLAIN:
            text = made.stories[choice.randrange(len(made.stories))].text
            ids = [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)][: CONTEXT - 1]
            return [*ids, tokenizer.eos_token_id], [0.0, *[1.0] * len(ids)]
        if found := encode(tokenizer, made.draw(choice)):
            return found


def draw_batches(tokenizer: Any, made: Conversations, choice: random.Random) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return batches of 256 rows, those of like length together: ids (int64) and weights, both rows × longest."""
    rows = sorted((draw(tokenizer, made, choice) for _ in range(256)), key=lambda row: len(row[0]))
    cut, at = [], 0
    while at < len(rows):
        size = max(1, BATCH_TOKENS // len(rows[min(len(rows) - 1, at + 10)][0]))
        cut.append(rows[at : at + size])
        at += size
    choice.shuffle(cut)
    return [padded(part, tokenizer.pad_token_id) for part in cut]


def padded(rows: list[tuple[list[int], list[float]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids (int64) and weights (float32), both rows × longest, padded on the right."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), pad)
    weights = torch.zeros(len(rows), longest)
    for row, (found, worth) in enumerate(rows):
        ids[row, : len(found)] = torch.tensor(found)
        weights[row, : len(found)] = torch.tensor(worth)
    return ids, weights


def loss_of(model: Any, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean loss in nats of the answers' tokens."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # right padding cannot reach back
    losses = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    worth = weights[:, 1:].flatten()
    return (losses * worth).sum() / worth.sum()


def train(
    model: Any, tokenizer: Any, made: Conversations, validation: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Train until the minutes are used; return steps, tokens, minutes and the curve."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    # on the same instructions after four minutes: 20% kept with Muon, 3% with AdamW
    optimizer = torch.optim.Muon(weights, lr=options.rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    chance = random.Random(0)
    held = Conversations(validation, often=1)
    fixed = [draw_batches(tokenizer, held, chance)[0] for _ in range(4)]
    choice = loop.draws(options)
    feed = loop.Feed(lambda: draw_batches(tokenizer, made, choice))
    run = loop.Run(
        options, EVERY, "tokens", decay_from=0.4, warm_up=20, model=model, optimizer=optimizer, feed=feed, choice=choice
    )
    model.train()
    for rate in run:
        ids, targets = (part.to(options.device) for part in next(feed))  # each rows × longest
        loss = loss_of(model, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if run.count(ids.numel(), loss=loss):
            run.note(held_out_loss=held_out_loss(model, fixed))
    return run.facts()


@torch.inference_mode()
def held_out_loss(model: Any, fixed: list[Any]) -> float:
    """Return the mean loss in nats over a few batches of conversations about held-out stories."""
    model.eval()
    device = next(model.parameters()).device
    losses = [float(loss_of(model, ids.to(device), weights.to(device))) for ids, weights in fixed]
    model.train()
    return sum(losses) / len(losses)


if __name__ == "__main__":
    main()
