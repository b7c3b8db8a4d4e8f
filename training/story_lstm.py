"""Train text/story-lstm: a recurrent language model on the stories, tokenizer and split of text/story-gpt.

    python -m training.story_lstm --data ../shared/data --minutes 80 --threads 1

All that differs from `training/story_gpt.py` is the net: what the held-out numbers differ by is what the architecture
does. Interrupt it at any time: the checkpoint in `--work` is taken up by the next call.

Architecture: LSTM (Hochreiter & Schmidhuber 1997), tied embeddings (Press & Wolf 2017), dropout between the layers
and before the output (Merity et al. 2018). Matrices learn by Muon, the rest by AdamW.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training import card, loop
from training.data import Stories, load_stories
from training.measure import bits_per_character, longest_copies
from training.story_gpt import BATCH_TOKENS, CONTEXT, batches, encode, validate

LEARNING_RATE = 1e-2
LENGTH = 256  # tokens in a row; the state starts at zero in each
EVERY = 200  # steps between measurements


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/story-lstm", minutes=80.0)
    parser.add_argument("--hidden", type=int, default=464)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--samples", type=int, default=100, help="samples drawn for the card and the copy check")
    parser.add_argument("--teacher", type=Path, default=Path("models/embedded/story-gpt"), help="whose tokenizer")
    options = parser.parse_args()
    loop.prepare(options)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.teacher)
    stories = load_stories(options.data)
    encoded = encode(tokenizer, stories.train + stories.extra)
    model = make_model(tokenizer, options)
    print(f"{model.num_parameters():,} parameters, {len(encoded):,} stories", flush=True)
    state = train(model, encoded, tokenizer, stories, options)
    export(model, tokenizer, encoded, stories, state, options)


def make_model(tokenizer: Any, options: argparse.Namespace) -> Any:
    """Return an untrained LSTM of about the size of story-gpt."""
    from models.nets.lstm import LSTMConfig, LSTMForCausalLM

    return LSTMForCausalLM(LSTMConfig(
        vocab_size=len(tokenizer), embedding_size=256, hidden_size=options.hidden, num_hidden_layers=2,
        dropout=options.dropout, max_position_embeddings=CONTEXT, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    ))  # fmt: skip


def loss_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the mean loss in nats of ids (int64, rows × length + 1), computed in bfloat16."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # rows × length × vocabulary
    return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())


def train(
    model: Any, encoded: list[list[int]], tokenizer: Any, stories: Stories, options: argparse.Namespace
) -> dict[str, Any]:
    """Train until the minutes are used; return what was seen: steps, seconds, tokens and the curve."""
    optimizer = loop.Optimizers(model, LEARNING_RATE, weight_decay=0.1, edges=("embed", "lm_head"))
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "tokens": 0, "curve": []}
    resumed = loop.resume(options.work / "latest.pt", options.device)
    if resumed:
        model.load_state_dict(resumed["model"])
        optimizer.load_state_dict(resumed["optimizer"])
        state = resumed["state"]
    clock = loop.Clock(options.minutes, state["seconds"])
    feed = batches(encoded, BATCH_TOKENS // LENGTH, LENGTH, random.Random(options.seed * 1_000_003 + state["step"]))
    saved, losses = clock.seconds, [0.0]
    model.to(options.device).train()
    while clock.progress < 1:
        loss = loss_of(model, next(feed).to(options.device))
        loss.backward()
        optimizer.step(loop.falling(state["step"], clock.progress))
        losses.append(float(loss.detach()))
        usual = clock.step()
        state["step"] += 1
        state["tokens"] += BATCH_TOKENS
        state["seconds"] = clock.seconds
        if state["step"] % EVERY == 0:
            bpc, mean = validate(model, tokenizer, stories.validation[:64]), sum(losses) / len(losses)
            state["curve"].append([state["step"], clock.seconds / 60, mean, bpc])
            print(f"step {state['step']:,}  {clock.seconds / 60:.1f} min  loss {mean:.3f}  {bpc:.4f} bits/char  "
                  f"{BATCH_TOKENS / usual:,.0f} tokens/s", flush=True)  # fmt: skip
            losses = []
            clock.restart()
        if clock.seconds - saved > 240 or clock.progress >= 1:
            content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "state": state}
            loop.save(options.work / "latest.pt", content)
            saved = clock.seconds
            clock.restart()
    return state


def export(
    model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, state: dict[str, Any],
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the shipped folder: weights, tokenizer, curve and the card, with what is measured on the shipped bytes."""
    from transformers import AutoModelForCausalLM

    options.out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).half().save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    shipped = AutoModelForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    samples = card.draw_samples(shipped, tokenizer, options.samples)
    facts = {
        "bits_per_character": round(bits_per_character(shipped, tokenizer, stories.validation), 4),
        "train_bits_per_character": round(
            bits_per_character(shipped, tokenizer, stories.train[: len(stories.validation)]), 4
        ),
        "copied_samples": sum(longest_copies(samples, encoded)), "samples": len(samples), "steps": state["step"],
        "tokens": state["tokens"], "minutes": round(state["seconds"] / 60, 1), "parameters": shipped.num_parameters(),
        "seed": options.seed, "device": card.hardware(options.device), "validation_stories": len(stories.validation),
        "train_stories": len(stories.train), "extra_stories": len(stories.extra), "dropped": stories.dropped,
    }  # fmt: skip
    card.write(options.out, facts, state["curve"], samples[:10], tokenizer, shipped.config, card.LSTM)
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
