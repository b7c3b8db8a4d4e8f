"""Train text/story-gpt: a small Llama-style language model that writes children's stories.

    python -m training.text.story_gpt --data ../shared/data --minutes 90 --out models/embedded/story-gpt

Reads top to bottom: tokenizer, net, loss, training, export. Interrupt it at any time: the next call continues from the
checkpoint in `--work`. The first edition had no dropout and knew its stories by heart: 0.40 bits per character, 0.70 on
others. Half of the stories are read with other names (`training/text/name_swap.py`).

Architecture: Llama (Touvron et al. 2023) with tied embeddings. Hidden matrices learn by Muon (Jordan et al. 2024,
`torch.optim.Muon`), embeddings and norms by AdamW. The learning rate warms up, stays, and falls linearly to zero over
the last half of the time (warm-up–stable–decay, Hu et al. 2024, MiniCPM).
"""

from __future__ import annotations

import argparse
import copy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training import loop
from training.dropout import drop_residuals
from training.optim import Optimizers
from training.text import story_card, story_marks
from training.text.measure import validate
from training.text.name_swap import Names, Renamed
from training.text.story_data import Stories, Stream, encode, load_stories

VOCABULARY = 4096
CONTEXT = 512
SHORT = 256  # rows of the first part of training: twice as many per batch, cheaper attention
BATCH_TOKENS = 4096
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
LONG_FROM = 0.75  # share of the time after which rows are CONTEXT long
BOS, EOS, PAD = "<|story|>", "<|end|>", "<|pad|>"


def main() -> None:
    """Run the training that the command line asks for."""
    options = read_options()
    loop.prepare(options)
    stories = load_stories(options.data)
    print(f"{len(stories.train):,} + {len(stories.extra):,} training stories, {len(stories.validation)} held out, "
          f"{stories.dropped} near-copies of held-out stories dropped", flush=True)  # fmt: skip
    if options.from_shipped:
        from transformers import AutoTokenizer, LlamaForCausalLM

        tokenizer = AutoTokenizer.from_pretrained(options.shipped)
        model = LlamaForCausalLM.from_pretrained(options.shipped, dtype=torch.float32)
    else:
        tokenizer = make_tokenizer(stories, options.work)
        model = make_model(tokenizer, options.hidden, options.layers)
    encoded = encode(tokenizer, stories.train + stories.extra)
    drop_residuals(model, options.dropout)
    facts = train(model.to(options.device), tokenizer, encoded, stories, options)
    export(model, tokenizer, encoded, stories, facts, options)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = loop.options(__doc__, "models/embedded/story-gpt", 90.0, "stories/ and stories-extra/")
    parser.add_argument("--hidden", type=int, default=256, help="width of the net (default: 256)")
    parser.add_argument("--layers", type=int, default=4, help="depth of the net (default: 4)")
    parser.add_argument("--export-every", type=float, default=0.0, help="minutes between exports on the way; 0: none")
    parser.add_argument("--log-every", type=int, default=250, help="steps between measurements (default: 250)")
    parser.add_argument("--samples", type=int, default=100, help="samples drawn for the card and the copy check")
    parser.add_argument("--told", type=int, default=story_marks.COUNT, help="stories that the card's rules read")
    parser.add_argument("--dropout", type=float, default=0.1, help="share of a block's values dropped (default: 0.1)")
    parser.add_argument("--renamed", type=float, default=0.5, help="share of stories given other names (default: 0.5)")
    parser.add_argument(
        "--batch-tokens", type=int, default=BATCH_TOKENS, help="tokens of a step (default: %(default)s)"
    )
    parser.add_argument("--eager", action="store_true", help="skip torch.compile: starts sooner, trains more slowly")
    return parser.parse_args()


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


def make_model(tokenizer: Any, hidden: int, layers: int) -> Any:
    """Return an untrained Llama whose residual outputs start small (GPT-2's scaling by depth)."""
    from transformers import LlamaConfig, LlamaForCausalLM

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


def loss_function(model: Any, device: str) -> Any:
    """Return ids (rows × length + 1) → mean loss in nats, computed in bfloat16."""

    def loss(ids: torch.Tensor) -> torch.Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            states = model.model(ids[:, :-1], use_cache=False).last_hidden_state  # rows × length × hidden
            logits = model.lm_head(states)  # rows × length × vocabulary
        return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())

    return loss


def train(
    model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, options: argparse.Namespace
) -> dict[str, Any]:
    """Train until the minutes are used; return steps, tokens, minutes and the curve."""
    choice = loop.draws(options)
    told = Renamed(
        stories.train + stories.extra, encoded, Names.of(stories), options.renamed, choice, partial(encode, tokenizer)
    )
    feed = Stream(told, options.batch_tokens, choice)
    optimizers = Optimizers(model, LEARNING_RATE, WEIGHT_DECAY)
    run = loop.Run(options, options.log_every, "tokens", model=model, optimizers=optimizers, feed=feed, choice=choice)
    loss_of = loss_function(model, options.device)
    if not options.eager:
        loss_of = torch.compile(loss_of)
    exported = run.clock.seconds
    for rate in run:
        ids = feed.take(CONTEXT if run.progress >= LONG_FROM else SHORT)  # rows × length + 1
        loss = loss_of(ids.to(options.device))
        loss.backward()
        optimizers.step(rate)
        if run.count(options.batch_tokens, loss=loss):
            run.note(bits_per_character=validate(model, tokenizer, stories.validation[:64]))
        if options.export_every and run.clock.seconds - exported > 60 * options.export_every:
            write_weights(model, tokenizer, options.work / "export")
            exported = run.clock.seconds
            run.clock.restart()
    return run.facts()


def write_weights(model: Any, tokenizer: Any, out: Path) -> None:
    """Write config, fp16 safetensors and tokenizer in Hugging Face layout."""
    out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).cpu().half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def export(
    model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, facts: dict[str, Any],
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the shipped folder: weights, tokenizer, curve and the card, with what is measured on the shipped bytes."""
    from transformers import LlamaForCausalLM

    write_weights(model, tokenizer, options.out)
    shipped = LlamaForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    story_card.ship(options.out, shipped, tokenizer, encoded, stories, facts, options, story_card.GPT)


if __name__ == "__main__":
    main()
