"""Train text/story-chat: story-gpt taught to follow instructions (supervised fine-tuning), as a LoRA adapter.

    python -m training.story_chat --data ../shared/data --minutes 40 --threads 1

Ouyang et al. 2022 call this the first step of learning from human feedback: answers to instructions are shown, and the
model learns to say what they say. Instructions and answers are made by rule (`training/instructions.py`). LoRA: Hu et
al. 2021. The loss counts the answers alone. Interrupt it at any time: the checkpoint in `--work` is taken up.
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

from training import chat_cards, loop
from training.chat_marks import COUNT, measure, write_marks
from training.conversations import Conversations, held_out
from training.data import load_stories
from training.instructions import HAPPY, SAD, first_place, pairs, sentences, things
from training.measure import bits_per_character

BASE = Path("models/embedded/story-gpt")
# " " before an answer belongs to its first word: the template ends before it
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}Rules: {{ message['content'] }}\n"
    "{% elif message['role'] == 'user' %}Asked: {{ message['content'] }}\n{% else %}Told: {{ message['content'] }}"
    "{{ eos_token }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}Told:{% endif %}"
)
CONTEXT = 512
BATCH_TOKENS = 2048
LEARNING_RATE = 2e-3
WORD, MOOD, ENDING = 8.0, 5.0, 2.0  # weights of what was asked for in the loss
SWAPPED = 0.6  # share of stories told of other things
MOODED = frozenset(HAPPY + SAD)
PLAIN = 0.15  # share of stories without an instruction, so that it does not forget how to go on
RANK = 64
EVERY = 100


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/story-chat", minutes=40.0)
    parser.add_argument("--base", type=Path, default=BASE)
    parser.add_argument("--answers", type=Path, default=Path(".train/story-chat/answers.json"), help="of story_answers")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
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
    model = make_model(options.base, options.seed)
    model.print_trainable_parameters()
    state = train(model, tokenizer, made, stories.validation, options)
    save_adapter(model, tokenizer, options.out, options.base)
    merged = load_merged(options.out).eval()
    base = load_base(options.base).eval()
    facts = {
        "marks": measure(merged, tokenizer, made), "base_marks": measure(base, tokenizer, made),
        "bits_per_character": round(bits_per_character(merged, tokenizer, stories.validation), 4),
        "base_bits_per_character": round(bits_per_character(base, tokenizer, stories.validation), 4),
        "answers": len(answers), "endings": sum("sad" in one for one in answers),
        **chat_cards.counts(model, state, options),
    }  # fmt: skip
    (options.work / "facts.json").write_text(json.dumps(facts))
    write_marks(options.out, "supervised", facts["marks"], facts["bits_per_character"])
    chat_cards.write_supervised(options.out, facts, state["curve"], chat_cards.samples(merged, tokenizer))
    print(json.dumps(facts, indent=1))


def make_tokenizer(base: Path) -> Any:
    """Return story-gpt's tokenizer with the chat template."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def load_base(base: Path) -> Any:
    """Return story-gpt in float32."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def make_model(base: Path, seed: int) -> Any:
    """Return story-gpt with fresh LoRA matrices beside every linear layer; they alone learn."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0.05, target_modules=linear, task_type="CAUSAL_LM"
    )  # fmt: skip
    return get_peft_model(load_base(base), config)


def load_merged(folder: Path) -> Any:
    """Return base and adapter as one model, float32: as the app loads it."""
    from peft import PeftModel

    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    base = load_base((folder / config["base_model_name_or_path"]).resolve())
    return PeftModel.from_pretrained(base, folder).merge_and_unload()


def save_adapter(model: Any, tokenizer: Any, out: Path, base: Path) -> None:
    """Write the adapter in fp16 with tokenizer and template; the base is named beside it, `../story-gpt`."""
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)  # peft's own: ours is written later
    weights = out / "adapter_model.safetensors"
    save_file({name: value.half() for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    file = out / "adapter_config.json"
    config = json.loads(file.read_text("utf-8"))
    near = out.resolve().parent == base.resolve().parent
    config["base_model_name_or_path"] = f"../{base.name}" if near else str(base.resolve())
    file.write_text(json.dumps(config, indent=2, sort_keys=True))
    tokenizer.save_pretrained(out)


def encode(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[float]] | None:
    """Return token ids and each one's weight in the loss; None for a conversation that is longer than the context.

    Nothing but answers counts, and what the instruction asked for counts more: `WORD` for the place where a word that
    it names comes first, `ENDING` for the sentences that decide the mood and `MOOD` for their words that count as happy
    or sad. What the template makes of the whole is what comes of the parts, so that training and use read alike.
    """
    ids: list[int] = [tokenizer.bos_token_id]
    weights = [0.0]
    asked = ""
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
        asked = message["content"] if message["role"] == "user" else asked
    return (ids, weights) if len(ids) <= CONTEXT else None


def _worth(text: str, asked: str, places: list[tuple[int, int]]) -> list[float]:
    """Return the weight of each token of an answer, whose characters lie at `places`."""
    spans = [(*span, WORD) for word in things(asked) if (span := first_place(word, text))]
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


def batches(tokenizer: Any, made: Conversations, choice: random.Random) -> Any:
    """Yield ids (int64) and weights (float32), both rows × longest, of rows of like length."""
    while True:
        rows = sorted((draw(tokenizer, made, choice) for _ in range(256)), key=lambda row: len(row[0]))
        cut, at = [], 0
        while at < len(rows):
            size = max(1, BATCH_TOKENS // len(rows[min(len(rows) - 1, at + 10)][0]))
            cut.append(rows[at : at + size])
            at += size
        choice.shuffle(cut)
        for part in cut:
            longest = max(len(ids) for ids, _ in part)
            ids = torch.full((len(part), longest), tokenizer.pad_token_id)
            weights = torch.zeros(len(part), longest)
            for row, (found, worth) in enumerate(part):
                ids[row, : len(found)] = torch.tensor(found)
                weights[row, : len(found)] = torch.tensor(worth)
            yield ids, weights


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
    """Train until the minutes are used; return steps, seconds, tokens and the curve."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    # on the same instructions after four minutes: 20 % kept with Muon, 3 % with AdamW
    optimizer = torch.optim.Muon(weights, lr=options.rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "tokens": 0, "curve": []}
    if resumed := loop.resume(options.work / "latest.pt", options.device):
        model.load_state_dict(resumed["model"])
        optimizer.load_state_dict(resumed["optimizer"])
        state = resumed["state"]
    held = Conversations(validation, often=1)
    chance = random.Random(0)
    fixed = [next(batches(tokenizer, held, chance)) for _ in range(4)]
    clock = loop.Clock(options.minutes, state["seconds"])
    feed = batches(tokenizer, made, random.Random(options.seed * 1_000_003 + state["step"]))
    saved, losses = clock.seconds, [0.0]
    model.to(options.device).train()
    while clock.progress < 1:
        ids, targets = (part.to(options.device) for part in next(feed))
        loss = loss_of(model, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * loop.falling(state["step"], clock.progress, decay_from=0.4, warm_up=20)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        usual = clock.step()
        state["step"] += 1
        state["tokens"] += ids.numel()
        state["seconds"] = clock.seconds
        if state["step"] % EVERY == 0:
            held_out, mean = held_out_loss(model, fixed), sum(losses) / len(losses)
            state["curve"].append([state["step"], clock.seconds / 60, mean, held_out])
            print(f"step {state['step']:,}  {clock.seconds / 60:.1f} min  loss {mean:.3f}  held out {held_out:.3f}  "
                  f"{BATCH_TOKENS / usual:,.0f} tokens/s", flush=True)  # fmt: skip
            losses = []
            clock.restart()
        if clock.seconds - saved > 240 or clock.progress >= 1:
            content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "state": state}
            loop.save(options.work / "latest.pt", content)
            saved = clock.seconds
            clock.restart()
    return state


@torch.inference_mode()
def held_out_loss(model: Any, fixed: list[Any]) -> float:
    """Return the mean loss in nats over a few batches of conversations about held-out stories."""
    model.eval()
    losses = [float(loss_of(model, *batch)) for batch in fixed]
    model.train()
    return sum(losses) / len(losses)


if __name__ == "__main__":
    main()
