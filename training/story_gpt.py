"""Train text/story-gpt: a small Llama-shaped language model that writes children's stories.

    python -m training.story_gpt --data ../shared/data --minutes 90 --out models/embedded/story-gpt

Reads top to bottom: tokenizer, token stream, net, optimizers, loop, export. Interrupt it at any time: the checkpoint
in `--work` is taken up by the next call. With more `--minutes` a finished run goes on from the point before its
learning rate fell.

Architecture: Llama (Touvron et al. 2023) with tied embeddings. Hidden matrices learn by Muon (Jordan et al. 2024,
`torch.optim.Muon`), embeddings and norms by AdamW. The learning rate warms up, stays, and falls linearly to zero over
the last half of the time (warm-up–stable–decay, Hu et al. 2024, MiniCPM).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from models.torchaudio_guard import guard
from training import card
from training.data import Stories, load_stories
from training.measure import bits_per_character, longest_copies

VOCABULARY = 4096
CONTEXT = 512
SHORT = 256  # rows of the first part of training: twice as many per batch, cheaper attention
BATCH_TOKENS = 4096
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
WARM_UP_STEPS = 100
DECAY_FROM = 0.5  # share of the time after which the learning rate falls
LONG_FROM = 0.75  # share of the time after which rows are CONTEXT long
BOS, EOS, PAD = "<|story|>", "<|end|>", "<|pad|>"


def main() -> None:
    """Run the training that the command line asks for."""
    options = read_options()
    guard()
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    stories = load_stories(options.data)
    print(f"{len(stories.train):,} + {len(stories.extra):,} training stories, {len(stories.validation)} held out, "
          f"{stories.dropped} near-copies of held-out stories dropped", flush=True)  # fmt: skip
    tokenizer = make_tokenizer(stories, options.work)
    encoded = encode(tokenizer, stories.train + stories.extra)
    model = make_model(tokenizer).to(options.device)
    state = train(model, tokenizer, encoded, stories, options)
    export(model, tokenizer, encoded, stories, state, options)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds stories/ and stories-extra/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded/story-gpt"))
    parser.add_argument("--work", type=Path, default=Path(".train/story-gpt"), help="checkpoints, outside git")
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--export-every", type=float, default=0.0, help="minutes between exports on the way; 0: none")
    parser.add_argument("--log-every", type=int, default=250, help="steps between measurements")
    parser.add_argument("--samples", type=int, default=100, help="samples drawn for the card and the copy check")
    parser.add_argument("--eager", action="store_true", help="do without torch.compile: starts at once, runs slower")
    options = parser.parse_args()
    make_model.shape = (options.hidden, options.layers)  # type: ignore[attr-defined]
    return options


def make_tokenizer(stories: Stories, work: Path) -> Any:
    """Return a byte-level BPE tokenizer (Sennrich et al. 2016), trained on the training stories alone."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    file = work / "tokenizer.json"
    if not file.exists():
        core = Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=[BOS, EOS, PAD], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
        core.train_from_iterator(stories.train + stories.extra, trainer)
        core.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
        )
        core.save(str(file))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=CONTEXT,
        padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip


def encode(tokenizer: Any, stories: list[str]) -> list[list[int]]:
    """Return each story as token ids, start and end tokens included."""
    rows = tokenizer(stories, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return [[tokenizer.bos_token_id, *row, tokenizer.eos_token_id] for row in rows]


def make_model(tokenizer: Any) -> Any:
    """Return an untrained Llama whose residual outputs start small (GPT-2's scaling by depth)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers = make_model.shape  # type: ignore[attr-defined]
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=hidden, num_hidden_layers=layers,
            intermediate_size=-(-hidden * 8 // 3 // 32) * 32, num_attention_heads=hidden // 64,
            num_key_value_heads=hidden // 64, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(weight, std=0.02 / (2 * layers) ** 0.5)
    return model


def batches(encoded: list[list[int]], rows: int, length: int, random_state: random.Random) -> Any:
    """Yield int64 tensors (rows × length + 1) cut from the stories in a new order each pass, without end."""
    stream: list[int] = []
    need = rows * (length + 1)
    while True:
        for index in random_state.sample(range(len(encoded)), len(encoded)):
            stream += encoded[index]
            while len(stream) >= need:
                yield torch.tensor(stream[:need]).view(rows, length + 1)
                stream = stream[need:]


def learning_rate(step: int, progress: float) -> float:
    """Return the factor on the peak learning rate at a share `progress` (0–1) of the time."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * min(1.0, max(0.0, (1 - progress) / (1 - DECAY_FROM)))


def train(model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, options: argparse.Namespace) -> Any:
    """Train until the minutes are used; return what was seen: steps, seconds, tokens and the curve."""
    hidden = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(hidden, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "tokens": 0, "curve": [], "decayed": False}
    resume(model, optimizers, state, options)
    loss_of = loss_function(model, options.device)
    if not options.eager:
        loss_of = torch.compile(loss_of)
    random_state = random.Random(options.seed * 1_000_003 + state["step"])
    recent: list[float] = []
    losses: list[float] = []
    length, feed = 0, iter(())
    saved = exported = state["seconds"]
    started = time.perf_counter()
    while (progress := state["seconds"] / (60 * options.minutes)) < 1:
        now_long = CONTEXT if progress >= LONG_FROM else SHORT
        if now_long != length:
            length = now_long
            feed = batches(encoded, BATCH_TOKENS // length, length, random_state)
        if progress >= DECAY_FROM and not state["decayed"]:
            save(options.work / "stable.pt", model, optimizers, state)
            state["decayed"] = True
        loss = loss_of(next(feed).to(options.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * learning_rate(state["step"], progress)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        seconds, started = time.perf_counter() - started, time.perf_counter()
        # a pause (SIGSTOP) is no training time: a step counts at most three times the usual
        recent = [*recent[-50:], seconds]
        state["seconds"] += min(seconds, 3 * statistics.median(recent))
        state["step"] += 1
        state["tokens"] += BATCH_TOKENS
        if state["step"] % options.log_every == 0:
            bpc = validate(model, tokenizer, stories.validation[:64])
            state["curve"].append([state["step"], state["seconds"] / 60, sum(losses) / len(losses), bpc])
            speed = BATCH_TOKENS / statistics.median(recent)
            print(f"step {state['step']:,}  {state['seconds'] / 60:.1f} min  loss {sum(losses) / len(losses):.3f}  "
                  f"{bpc:.4f} bits/char  {speed:,.0f} tokens/s", flush=True)  # fmt: skip
            losses = []
            started = time.perf_counter()
        if state["seconds"] - saved > 300:
            save(options.work / "latest.pt", model, optimizers, state)
            saved = state["seconds"]
        if options.export_every and state["seconds"] - exported > 60 * options.export_every:
            write_weights(model, tokenizer, options.work / "export")
            exported = state["seconds"]
    save(options.work / "latest.pt", model, optimizers, state)
    return state


def loss_function(model: Any, device: str) -> Any:
    """Return ids (rows × length + 1) → mean loss in nats, computed in bfloat16."""

    def loss(ids: torch.Tensor) -> torch.Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            states = model.model(ids[:, :-1], use_cache=False).last_hidden_state  # rows × length × hidden
            logits = model.lm_head(states)  # rows × length × vocabulary
        return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())

    return loss


def validate(model: Any, tokenizer: Any, stories: list[str]) -> float:
    """Return bits per character in evaluation mode."""
    model.eval()
    bpc = bits_per_character(model, tokenizer, stories)
    model.train()
    return bpc


def save(file: Path, model: Any, optimizers: list[Any], state: dict[str, Any]) -> None:
    """Write a checkpoint so that a half-written file is never taken for one."""
    content = {"model": model.state_dict(), "optimizers": [one.state_dict() for one in optimizers], "state": state}
    torch.save(content, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def resume(model: Any, optimizers: list[Any], state: dict[str, Any], options: argparse.Namespace) -> None:
    """Take up the newest checkpoint; one whose learning rate has begun to fall only if that is still its place."""
    for name in ("latest.pt", "stable.pt"):
        file = options.work / name
        if not file.exists():
            continue
        found = torch.load(file, map_location=options.device, weights_only=True)
        if found["state"]["decayed"] and found["state"]["seconds"] < DECAY_FROM * 60 * options.minutes:
            continue
        model.load_state_dict(found["model"])
        for optimizer, content in zip(optimizers, found["optimizers"], strict=True):
            optimizer.load_state_dict(content)
        state.update(found["state"])
        print(f"resumed {name} at step {state['step']:,}, minute {state['seconds'] / 60:.1f}", flush=True)
        return


def write_weights(model: Any, tokenizer: Any, out: Path) -> None:
    """Write config, fp16 safetensors and tokenizer in Hugging Face layout."""
    out.mkdir(parents=True, exist_ok=True)
    copy = make_model(tokenizer)
    copy.load_state_dict({name: value.cpu() for name, value in model.state_dict().items()})
    copy.half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def export(
    model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, state: dict[str, Any],
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the shipped folder: weights, tokenizer, curve and the card, with what is measured on the shipped bytes."""
    from transformers import LlamaForCausalLM

    write_weights(model, tokenizer, options.out)
    shipped = LlamaForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    bpc = bits_per_character(shipped, tokenizer, stories.validation)
    train_bpc = bits_per_character(shipped, tokenizer, stories.train[: len(stories.validation)])
    samples = card.draw_samples(shipped, tokenizer, options.samples)
    copies = longest_copies(samples, encoded)
    facts = {
        "bits_per_character": round(bpc, 4), "train_bits_per_character": round(train_bpc, 4),
        "copied_samples": sum(copies), "samples": len(samples), "steps": state["step"], "tokens": state["tokens"],
        "minutes": round(state["seconds"] / 60, 1), "parameters": shipped.num_parameters(), "seed": options.seed,
        "device": card.hardware(options.device), "validation_stories": len(stories.validation),
        "train_stories": len(stories.train), "extra_stories": len(stories.extra), "dropped": stories.dropped,
    }  # fmt: skip
    card.write(options.out, facts, state["curve"], samples[:10], tokenizer, shipped.config)
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
