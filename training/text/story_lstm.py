"""Train text/story-lstm: a recurrent language model on the stories, tokenizer and split of text/story-gpt.

    python -m training.text.story_lstm --data ../shared/data --minutes 80 --threads 1

All that differs from `training/text/story_gpt.py` is the net: what the held-out numbers differ by is what the
architecture does. Interrupt it at any time: the next call continues from the checkpoint in `--work`.

Architecture: LSTM (Hochreiter & Schmidhuber 1997), tied embeddings (Press & Wolf 2017), dropout between the layers
and before the output (Merity et al. 2018). Matrices learn by Muon, the rest by AdamW.
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
from training.optim import Optimizers
from training.text import story_card, story_marks
from training.text.measure import validate
from training.text.name_swap import Names, Renamed
from training.text.story_data import Stories, Stream, encode, load_stories

BATCH_TOKENS = 4096  # as in training/text/story_gpt.py
CONTEXT = 512
LEARNING_RATE = 1e-2
LENGTH = 256  # tokens in a row of the first part; the state starts at zero in each
LONG_FROM = 0.75  # share of the time after which rows are CONTEXT long
EVERY = 200  # steps between measurements


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/story-lstm", 80.0, "stories/ and stories-extra/")
    parser.add_argument("--hidden", type=int, default=464, help="width of each layer (default: 464)")
    parser.add_argument("--dropout", type=float, default=0.1, help="share of values dropped (default: 0.1)")
    parser.add_argument("--renamed", type=float, default=0.5, help="share of stories given other names (default: 0.5)")
    parser.add_argument("--samples", type=int, default=100, help="samples drawn for the card and the copy check")
    parser.add_argument("--told", type=int, default=story_marks.COUNT, help="stories that the card's rules read")
    parser.add_argument("--teacher", type=Path, default=Path("models/embedded/story-gpt"),
                        help="model whose tokenizer is used (default: %(default)s)")  # fmt: skip
    options = parser.parse_args()
    loop.prepare(options)
    from transformers import AutoTokenizer

    from models.tokens.lstm import LSTMForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(options.teacher)
    stories = load_stories(options.data)
    encoded = encode(tokenizer, stories.train + stories.extra)
    if options.from_shipped:
        model = LSTMForCausalLM.from_pretrained(options.shipped, dtype=torch.float32)
    else:
        model = make_model(tokenizer, options)
    print(f"{model.num_parameters():,} parameters, {len(encoded):,} stories", flush=True)
    facts = train(model.to(options.device), encoded, tokenizer, stories, options)
    export(model, tokenizer, encoded, stories, facts, options)


def make_model(tokenizer: Any, options: argparse.Namespace) -> Any:
    """Return an untrained LSTM of about the size of story-gpt."""
    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

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
    """Train until the minutes are used; return steps, tokens, minutes and the curve."""
    choice = loop.draws(options)
    told = Renamed(
        stories.train + stories.extra, encoded, Names.of(stories), options.renamed, choice, partial(encode, tokenizer)
    )
    feed = Stream(told, BATCH_TOKENS, choice)
    optimizers = Optimizers(model, LEARNING_RATE, weight_decay=0.1, edges=("embed", "lm_head"))
    run = loop.Run(options, EVERY, "tokens", model=model, optimizers=optimizers, feed=feed, choice=choice)
    model.train()
    for rate in run:
        length = CONTEXT if run.progress >= LONG_FROM else LENGTH
        loss = loss_of(model, feed.take(length).to(options.device))
        loss.backward()
        optimizers.step(rate)
        if run.count(BATCH_TOKENS, loss=loss):
            run.note(bits_per_character=validate(model, tokenizer, stories.validation[:64]))
    return run.facts()


def export(
    model: Any, tokenizer: Any, encoded: list[list[int]], stories: Stories, facts: dict[str, Any],
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Write the shipped folder: weights, tokenizer, curve and the card, with what is measured on the shipped bytes."""
    from transformers import AutoModelForCausalLM

    options.out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).cpu().half().save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    shipped = AutoModelForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    story_card.ship(options.out, shipped, tokenizer, encoded, stories, facts, options, story_card.LSTM)


if __name__ == "__main__":
    main()
