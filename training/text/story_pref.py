"""Train text/story-chat-pref: story-chat optimised by feedback, with direct preference optimisation by the trl library.

    python -m training.text.story_pref --data ../shared/data --minutes 30 --threads 1

Preference tuning by DPO (Rafailov et al. 2023): story-chat answers each instruction several times, a rule scores the
answers (`training/text/chat_marks.py`), and the model learns to prefer the best to the worst while a penalty (β) keeps
it near to where it began. Sampling and learning take turns for `--rounds` rounds, each from the answers of the newest
model (on-policy); the reference is always story-chat. The steps are trl's; minutes, curve and checkpoint are those of
`training/loop.py`: an interrupted run continues from the last whole round, with the pairs that lie in `--work`.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training import loop
from training.text import chat_cards
from training.text.chat_marks import COUNT, MISNAMED, VARIETY, alike, answers, measure, rewards, write_marks
from training.text.chat_model import BASE, load_base, load_merged, save_adapter
from training.text.conversations import Conversations, held_out
from training.text.instructions import Asked, ask
from training.text.instructions import pairs as pairs_of
from training.text.measure import bits_per_character
from training.text.story_data import load_stories

TAKES = 6
PAIRS = 2  # of one instruction at most: the best and the worst, the second best and the second worst
GAP = 0.25  # of reward: pairs closer than this teach little
ROWS = 96  # instructions answered at a time
BATCH = 8
BETA = 0.1
LIKELIHOOD = 0.2  # weight of the better answers' own loss: without it both answers grow unlikely, and fluency goes
LEARNING_RATE = 1.5e-4
SHARE = 0.8  # of the way from story-chat to the last round's weights that ships


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/story-chat-pref", 30.0, "stories/ and stories-extra/", begins=False)
    parser.add_argument("--chat", type=Path, default=Path("models/embedded/story-chat"),
                        help="the supervised adapter: start and reference (default: %(default)s)")  # fmt: skip
    parser.add_argument("--base", type=Path, default=BASE, help="model that the adapter sits on (default: %(default)s)")
    parser.add_argument("--prompts", type=int, default=500, help="instructions in each round (default: 500)")
    parser.add_argument("--rounds", type=int, default=3, help="at most; fewer where --minutes end (default: 3)")
    parser.add_argument("--share", type=float, default=SHARE, help="of the way from the supervised adapter to the "
                        "tuned one that is written (default: %(default)s)")  # fmt: skip
    options = parser.parse_args()
    loop.prepare(options)
    from peft import PeftModel
    from transformers import AutoTokenizer

    stories = load_stories(options.data)
    made = Conversations(stories.train + stories.extra)
    tokenizer = AutoTokenizer.from_pretrained(options.chat)
    reference = load_merged(options.chat).eval().requires_grad_(False)
    model = PeftModel.from_pretrained(load_base(options.base), options.chat, is_trainable=True)
    done = {"rounds": 0, "pairs": 0, "prompts": 0}
    run = loop.Run(options, 1, "pairs", model=model, done=done)
    # another round must fit into the minutes, if it takes as long as the mean of those before
    while done["rounds"] < options.rounds and run.progress * (done["rounds"] + 1) <= max(1, done["rounds"]):
        pairs = make_pairs(model, tokenizer, made, done, run, options)
        learn(model, reference, tokenizer, pairs, done["rounds"], run, options)
        save_adapter(model, tokenizer, options.work / f"round-{done['rounds']}", options.base)
        done["rounds"] += 1
        run.save()
    save_adapter(model, tokenizer, options.out, options.base)
    go_part_of_the_way(options.chat, options.out, options.share)
    merged = load_merged(options.out).eval()
    kl, kl_answer = divergence(merged, reference, tokenizer, made)
    facts = {
        "marks": measure(merged, tokenizer, made), "chat_marks": measure(reference, tokenizer, made),
        "base_marks": measure(load_base(options.base).eval(), tokenizer, made), "kl": kl, "kl_answer": kl_answer,
        "bits_per_character": round(bits_per_character(merged, tokenizer, stories.validation), 4),
        "base_bits_per_character": round(
            bits_per_character(load_base(options.base).eval(), tokenizer, stories.validation), 4
        ),
        **done, "takes": TAKES, "batch": BATCH, "beta": BETA, "rate": LEARNING_RATE, "likelihood": LIKELIHOOD,
        "variety": VARIETY, "misnamed": MISNAMED, "share": options.share,
        **chat_cards.counts(model, run.facts(), options, "float32"),
    }  # fmt: skip
    (options.work / "facts.json").write_text(json.dumps(facts))
    write_marks(options.out, "preferred", facts["marks"], facts["bits_per_character"], divergence=round(kl, 4))
    chat_cards.write_preference(options.out, facts, run.curve, chat_cards.samples(merged, tokenizer))
    print(json.dumps(facts, indent=1))


def go_part_of_the_way(start: Path, end: Path, share: float) -> None:
    """Write the adapter of `end` anew as that share (0 … 1) of the way from the adapter of `start` to it, in fp16.

    Averaging of weights along a fine-tuning (Wortsman et al. 2022): of what feedback costs in fluency more is won back
    than of what it taught is lost.
    """
    from safetensors.torch import load_file, save_file

    name = "adapter_model.safetensors"
    first, last = load_file(start / name), load_file(end / name)
    mixed = {key: ((1 - share) * first[key].float() + share * last[key].float()).half() for key in last}
    save_file(mixed, end / name, {"format": "pt"})


def instructions(made: Conversations, count: int, seed: int) -> list[tuple[str, Asked]]:
    """Return instructions to learn from: words of the training stories, no two of them held out together."""
    choice = random.Random(1000 + seed)
    kept = {pair for _, asked in held_out(made, COUNT) for pair in pairs_of(asked.words)}
    words = sorted({word for story in made.stories for word in story.words})
    found: list[tuple[str, Asked]] = []
    while len(found) < count:
        asked = Asked(tuple(choice.sample(words, choice.choice((1, 2, 2, 3)))), choice.choice(("happy", "sad", "", "")))
        if not kept & set(pairs_of(asked.words)):
            found.append((ask(asked, choice), asked))
    return found


def make_pairs(
    model: Any, tokenizer: Any, made: Conversations, done: dict[str, int], run: loop.Run, options: argparse.Namespace
) -> list[dict[str, str]]:
    """Return up to `PAIRS` pairs of answers to each instruction, the better one first, as far apart as `GAP`."""
    file = options.work / f"pairs-{done['rounds']}.json"
    if not file.exists():
        file.write_text(json.dumps(sample_pairs(model, tokenizer, made, done["rounds"], options)))
    found = json.loads(file.read_text("utf-8"))
    pairs = list(found["pairs"])
    done["pairs"] += len(pairs)
    done["prompts"] += found["prompts"]
    run.clock.seconds += found["seconds"]
    return pairs


def sample_pairs(
    model: Any, tokenizer: Any, made: Conversations, number: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Let the model answer, and return the pairs, the number of instructions and the seconds that it took."""
    clock = loop.Clock(options.minutes)
    asked = instructions(made, options.prompts, number)
    texts = [text for text, _ in asked for _ in range(TAKES)]
    model.eval()
    told = []
    for start in range(0, len(texts), ROWS):
        told += answers(model, tokenizer, texts[start : start + ROWS], 10_000 * (number + 1) + start, rows=ROWS)
        clock.step()
    pairs, total = [], 0.0
    scores = rewards([one for _, one in asked for _ in range(TAKES)], told)
    for at, (text, _) in enumerate(asked):
        takes = [(scores[place], told[place][0]) for place in range(at * TAKES, (at + 1) * TAKES)]
        total += sum(score for score, _ in takes) / TAKES
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        ranked = sorted(takes, reverse=True)
        for best, worst in zip(ranked[:PAIRS], ranked[::-1], strict=False):
            if best[0] - worst[0] >= GAP:
                # the space belongs to the answer's first word; the library's tokenizer call puts the start token
                begun = prompt.removeprefix(tokenizer.bos_token)
                pairs.append({"prompt": begun, "chosen": f" {best[1]}", "rejected": f" {worst[1]}"})
    most = max(alike([text for text, _ in told]))
    print(
        f"round {number}: mean reward {total / len(asked):.3f}, {len(pairs)} pairs, {most:.1%} begin alike", flush=True
    )
    return {"pairs": pairs, "prompts": len(asked), "seconds": clock.seconds}


def learn(
    model: Any, reference: Any, tokenizer: Any, pairs: list[dict[str, str]], number: int, run: loop.Run,
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Go through the pairs once with trl's `DPOTrainer`; each of its steps is counted by `run`."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class Count(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            run.count(BATCH)

    begun = run.step
    config = DPOConfig(
        loss_type=["sigmoid", "sft"], loss_weights=[1.0, LIKELIHOOD],
        output_dir=str(options.work / "trl"), per_device_train_batch_size=BATCH, num_train_epochs=1, beta=BETA,
        learning_rate=LEARNING_RATE, lr_scheduler_type="linear", warmup_steps=5, max_length=512,
        logging_steps=5, save_strategy="no", report_to=[], bf16=False, use_cpu=options.device == "cpu",
        seed=options.seed + number, gradient_checkpointing=False, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = DPOTrainer(
        model, ref_model=reference, args=config, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer,
        callbacks=[Count()],
    )  # fmt: skip
    run.clock.restart()
    trainer.train()
    for row in trainer.state.log_history:
        if "loss" in row and "rewards/margins" in row:
            point = [begun + row["step"], row["loss"], row["rewards/margins"], row["rewards/accuracies"]]
            run.curve.append(point)


@torch.inference_mode()
def divergence(
    model: Any, reference: Any, tokenizer: Any, made: Conversations, count: int = 100
) -> tuple[float, float]:
    """Return how far `model` is from `reference` on its own answers: Kullback–Leibler, nats a token and an answer."""
    asked = [text for text, _ in held_out(made, count)]
    told = answers(model, tokenizer, asked, 77)
    total, tokens = 0.0, 0
    for question, (text, _) in zip(asked, told, strict=True):
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        head = tokenizer.encode(prompt, add_special_tokens=False)
        ids = torch.tensor([[*head, *tokenizer.encode(f" {text}", add_special_tokens=False)]])[:, :512]
        ours, theirs = (F.log_softmax(net(input_ids=ids).logits[0, len(head) - 1 : -1].float(), -1)
                        for net in (model, reference))  # fmt: skip
        total += float((ours.exp() * (ours - theirs)).sum())
        tokens += len(ours)
    return total / max(1, tokens), total / len(asked)


if __name__ == "__main__":
    main()
