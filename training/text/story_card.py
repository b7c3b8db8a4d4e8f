"""Write a story model's card: what it learnt from, how long, its numbers, its curve and unpicked samples."""

from __future__ import annotations

import argparse
import csv
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.text import story_marks
from training.text.measure import bits_per_character, longest_copies
from training.text.story_data import Stories

PROMPTS = (
    "Once upon a time a small dragon", "Once upon a time", "One day, a little girl named Mia", "Tom had a red ball.",
    "There was a big tree in the park.",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Hold what a card says of one architecture: `net` is a format string over the config."""

    name: str
    script: str
    net: str
    note: str


GPT = Kind(
    "story-gpt", "training/text/story_gpt.py",
    "Llama: {config.num_hidden_layers} layers, width {config.hidden_size}, {config.num_attention_heads} heads, "
    "context {config.max_position_embeddings} tokens, tied embeddings",
    "A Transformer: each token attends to every token before it. After 95 minutes without it went on with a tenth of\n"
    "what its blocks add left out at random (dropout) and, in every second story, other names.",
)  # fmt: skip
LSTM = Kind(
    "story-lstm", "training/text/story_lstm.py",
    "LSTM: {config.num_hidden_layers} layers of {config.hidden_size} units, embeddings of {config.embedding_size} "
    "(tied), dropout {config.dropout}",
    "A recurrent network: all that it remembers of the text so far is a state of fixed size. Stories, tokenizer and\n"
    "held-out split are those of story-gpt; the time and the tokens of each training are in the tables.",
)  # fmt: skip


def hardware(device: str, precision: str = "bfloat16") -> str:
    """Name the processor that trained, and on a CPU the precision of its sums."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{threads} CPU thread{'s' * (threads != 1)} ({platform.machine()}), {precision}"


@torch.inference_mode()
def draw_samples(model: Any, tokenizer: Any, count: int) -> list[list[int]]:
    """Return `count` samples as token ids: prompts in turn, seed = the sample's number, temperature 0.8, top-p 0.95."""
    samples = []
    for number in range(count):
        torch.manual_seed(number)
        ids = tokenizer(PROMPTS[number % len(PROMPTS)], return_tensors="pt")["input_ids"]  # 1 × tokens
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=220, do_sample=True, temperature=0.8, top_k=0,
            top_p=0.95,
        )  # fmt: skip
        samples.append(out[0].tolist())
    return samples


def ship(
    out: Path, shipped: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, trained: dict[str, Any],
    options: argparse.Namespace, kind: Kind,
) -> None:  # fmt: skip
    """Measure the shipped weights, write card and curve, print the facts; `trained` is what the run returned."""
    samples = draw_samples(shipped, tokenizer, options.samples)
    rules, _ = story_marks.measure(shipped, tokenizer, stories.train + stories.extra, options.told)
    facts = {
        **rules,
        "bits_per_character": round(bits_per_character(shipped, tokenizer, stories.validation), 4),
        "train_bits_per_character": round(
            bits_per_character(shipped, tokenizer, stories.train[: len(stories.validation)]), 4
        ),
        "copied_samples": sum(longest_copies(samples, encoded)), "samples": len(samples), "steps": trained["steps"],
        "tokens": trained["tokens"], "minutes": trained["minutes"], "parameters": shipped.num_parameters(),
        "seed": options.seed, "device": hardware(options.device), "validation_stories": len(stories.validation),
        "train_stories": len(stories.train), "extra_stories": len(stories.extra), "dropped": stories.dropped,
    }  # fmt: skip
    write(out, facts, trained["curve"], samples[:10], tokenizer, shipped.config, kind)
    print(json.dumps(facts, indent=1))


def write(
    out: Path, facts: dict[str, Any], curve: list[list[float]], samples: list[list[int]], tokenizer: Any, config: Any,
    kind: Kind,
) -> None:  # fmt: skip
    """Write README.md, curve.csv and curve.png into the model's folder."""
    with (out / "curve.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "minutes", "train_loss_nats_per_token", "validation_bits_per_character"])
        writer.writerows([[step, f"{minutes:.2f}", f"{loss:.4f}", f"{bpc:.4f}"] for step, minutes, loss, bpc in curve])
    draw_curve(out / "curve.png", curve)
    texts = [tokenizer.decode(sample, skip_special_tokens=True) for sample in samples]
    shown = "\n".join(f"**Seed {number}.** " + text.replace("\n", "  \n") + "\n" for number, text in enumerate(texts))
    (out / "README.md").write_text(CARD.format(
        **facts, config=config, shown=shown, millions=facts["tokens"] / 1e6, kind=kind,
        architecture=kind.net.format(config=config),
    ))  # fmt: skip


def draw_curve(file: Path, curve: list[list[float]]) -> None:
    """Draw validation bits per character over minutes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([point[1] for point in curve], [point[3] for point in curve], color="#6d4aff")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("bits per character, held-out stories")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=90)


CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# {kind.name}

A small language model that writes short children's stories in simple English. Trained from scratch by
`{kind.script}`; it ships with the playground, so the Text page works with no download.

{kind.note}

| | |
|---|---|
| Architecture | {architecture} |
| Parameters | {parameters:,}, stored as fp16 |
| Tokenizer | byte-level BPE, {config.vocab_size:,} tokens, trained on the training stories |
| **Bits per character, held-out stories** | **{bits_per_character}** (training stories: {train_bits_per_character}) |
| Of {stories} stories that begin with a named hero | {name_kept:.1%} keep the name (of {name_counted} in which a name \
comes back twice), {pronouns_agree:.1%} its "she" or "he" (of {pronouns_counted} that can be told), \
{no_sentence_repeated:.1%} say no sentence twice, {ended:.1%} end within 250 tokens |
| Copies | {copied_samples} of {samples} samples hold a run of 60 tokens of a training story |
| Training | {steps:,} steps, {millions:.1f} million tokens, {minutes} minutes on {device}, seed {seed} |

Bits per character: −log₂ p summed over all tokens of the stories (end tokens included), divided by their Unicode
characters; read in windows that overlap by half the context.

## Data
- {train_stories:,} stories of TinyStories (Eldan & Li 2023, CDLA-Sharing-1.0).
- {extra_stories:,} more: other parts of TinyStories (CDLA-Sharing-1.0) and fables written by Mistral-7B, SmolLM2,
  Phi-3-mini and Qwen2.5-7B (TinyFabulist, MIT).
- Held out: {validation_stories} stories of the first set (5%, chosen by hash). Training stories that nearly repeat
  one of them were dropped: {dropped}.

The weights are a result of computing on this data and are released under Apache-2.0.

## Curve
![Bits per character on held-out stories over minutes of training](curve.png)

(64 of the held-out stories; the numbers are in `curve.csv`.)

## Limits
It knows nothing but small stories. It forgets who is who, contradicts itself, and cannot follow instructions, count or
state facts. It has the stereotypes of its data: most heroes are called Lily or Tim. English only.

## Ten unpicked samples
Seeds 0 to 9, temperature 0.8, top-p 0.95, at most 220 new tokens.

{shown}"""
