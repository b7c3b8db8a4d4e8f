"""Train audio/folk-gpt and audio/folk-lstm: a Transformer and an LSTM that write folk tunes in words of ABC notation.

    python -m training.audio.folk --net gpt --data ../shared/data --minutes 40
    python -m training.audio.folk --net lstm --data ../shared/data --minutes 40

Both read the same tunes, each in seven keys, with the same words, order and number of minutes, so that their held-out
bits per token can be laid side by side. Reads top to bottom: words, nets, batches, loop, marks, export.

Architectures: Llama (Touvron et al. 2023) with tied embeddings; LSTM (Hochreiter & Schmidhuber 1997). Hidden matrices
of the Transformer learn by Muon (Jordan et al. 2024), all else by AdamW; warm-up–stable–decay (Hu et al. 2024).
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from itertools import accumulate
from typing import Any

import torch

from models.audio import tunes
from training import loop
from training.audio.folk_marks import CONTEXT, batch, held_out_bits, loss_of, measure, words_of
from training.audio.tune_data import COLLECTIONS, Collection, load_tunes, transpose
from training.dropout import drop_residuals
from training.optim import Optimizers

BATCH_WORDS = 4096
RARE = 20  # a word that stands fewer times in the training tunes, over all keys, is not learnt
LEARNING_RATE = {"gpt": 3e-3, "lstm": 1e-2}
EVERY = 250  # steps between measurements
ANY = 0.2  # share of tunes whose kind is not told
RARER = 0.5  # a tune weighs as the number of its kind (and that of its mode) to the power of minus this
HEAVIEST = 6.0  # times the usual weight, at most: a dozen waltzes are not to be learnt by heart
WALTZED = 0.5  # share of the tunes in three-four time that no collection names which are told as waltzes
BOS, EOS, PAD, UNK = "<|tune|>", "<|end|>", "<|pad|>", "<|unk|>"


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/folk-NET", 40.0, "tunes/")
    parser.add_argument("--net", choices=("gpt", "lstm"), required=True, help="Transformer or LSTM")
    parser.add_argument("--dropout", type=float, default=0.1, help="share of values that the Transformer drops "
                        "(default: %(default)s; the LSTM's own is 0.2)")  # fmt: skip
    parser.add_argument("--rate", type=float, default=1.0, help="share of the usual learning rate: less where shipped "
                        "weights go on (default: %(default)s)")  # fmt: skip
    options = parser.parse_args()
    for name in ("out", "work", "shipped"):
        folder = getattr(options, name)
        if folder.name == "folk-NET":
            setattr(options, name, folder.with_name(f"folk-{options.net}"))
    loop.prepare(options)
    found = load_tunes(options.data)
    print(
        f"{len(found.train):,} tunes to learn from, {len(found.held_out)} held out, left out: {found.dropped}",
        flush=True,
    )
    if options.from_shipped:
        tokenizer, model = load_shipped(options)
        rows = Rows(found, set(tokenizer.get_vocab()))
    else:
        rows = Rows(found)
        tokenizer = make_tokenizer(rows)
        model = make_model(options.net, tokenizer)
    if options.net == "gpt":
        drop_residuals(model, options.dropout)
    facts = train(model.to(options.device), tokenizer, rows, found, options)
    export(model, tokenizer, rows, found, facts, options)


class Rows:
    """Hold every training tune in every key as words; `vocabulary` are those that are not rare.

    Rare kinds are drawn more often than their number: half of the tunes are reels, jigs or have no kind, eight in ten
    are major, and eleven are named waltzes.
    """

    def __init__(self, found: Collection, only: set[str] | None = None) -> None:
        """Hold the tunes of `found`; `only`: those alone that are written in these words."""
        counts: Counter[str] = Counter()
        keyed = []
        for tune in found.train:
            moved = [one for tonic in tunes.TONICS if (one := transpose(tune, tonic)) is not None]
            for one in moved:
                counts.update(one.words)
            keyed.append(moved)
        headers = {word for metre in tunes.METRES for tonic in tunes.TONICS for mode in tunes.MODES
                   for rhythm in tunes.RHYTHMS for word in tunes.header(metre, tonic, mode, rhythm)}  # fmt: skip
        self.vocabulary = sorted(headers) + sorted(word for word, count in counts.items() if count >= RARE)
        known = set(self.vocabulary) if only is None else only
        keyed = [[one for one in moved if known.issuperset(one.words)] for moved in keyed]
        self.keyed = [moved for moved in keyed if moved]
        self.known = known
        rhythms = Counter(moved[0].rhythm for moved in self.keyed)
        modes = Counter(moved[0].mode for moved in self.keyed)
        weights = [(rhythms[moved[0].rhythm] * modes[moved[0].mode]) ** -RARER for moved in self.keyed]
        usual = sum(weights) / max(1, len(weights))
        self._until = list(accumulate(min(weight, HEAVIEST * usual) for weight in weights))

    def draw(self, choice: random.Random) -> list[str]:
        """Return a tune's words in a key at random; now and then its kind is not told."""
        tune = choice.choice(choice.choices(self.keyed, cum_weights=self._until)[0])
        rhythm = tune.rhythm
        if (tune.metre, rhythm) == ("3/4", "any") and choice.random() < WALTZED:
            rhythm = "waltz"
        return words_of(tune, "any" if choice.random() < ANY else rhythm)


def make_tokenizer(rows: Rows) -> Any:
    """Return a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = [BOS, EOS, PAD, UNK]
    core = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate([*special, *rows.vocabulary])}, unk_token=UNK)
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, unk_token=UNK, model_max_length=CONTEXT,
        padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_model(net: str, tokenizer: Any) -> Any:
    """Return an untrained net: 3 to 4 million parameters either way."""
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    if net == "lstm":
        from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

        return LSTMForCausalLM(LSTMConfig(
            vocab_size=len(tokenizer), embedding_size=256, hidden_size=512, num_hidden_layers=2, dropout=0.2,
            max_position_embeddings=CONTEXT, **ends,
        ))  # fmt: skip
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=4, intermediate_size=704, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=CONTEXT, tie_word_embeddings=True, attention_dropout=0.0, **ends,
    ))  # fmt: skip
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(weight, std=0.02 / 8**0.5)
    return model


def load_shipped(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the shipped tokenizer and net, float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    tokenizer = AutoTokenizer.from_pretrained(options.shipped)
    return tokenizer, AutoModelForCausalLM.from_pretrained(options.shipped, dtype=torch.float32)


def draw_batches(tokenizer: Any, rows: Rows, choice: random.Random) -> list[torch.Tensor]:
    """Return batches (int64, rows × longest) of about `BATCH_WORDS` tokens: 512 tunes, sorted by length."""
    drawn = [rows.draw(choice) for _ in range(512)]
    ids = [[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(words), tokenizer.eos_token_id] for words in drawn]
    ids.sort(key=len)
    found, at = [], 0
    while at < len(ids):
        size = max(1, BATCH_WORDS // len(ids[min(len(ids) - 1, at + 20)]))
        found.append(batch(ids[at : at + size], tokenizer.pad_token_id))
        at += size
    choice.shuffle(found)
    return found


def train(model: Any, tokenizer: Any, rows: Rows, found: Collection, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used; return steps, words, minutes and the curve."""
    choice = loop.draws(options)
    feed = loop.Feed(lambda: draw_batches(tokenizer, rows, choice))
    optimizers = Optimizers(
        model, options.rate * LEARNING_RATE[options.net], weight_decay=0.1, edges=("embed", "lm_head")
    )
    run = loop.Run(options, EVERY, "words", model=model, optimizers=optimizers, feed=feed, choice=choice)
    model.train()
    for factor in run:
        ids = next(feed).to(options.device)  # rows × longest
        loss = loss_of(model, ids, tokenizer.pad_token_id, options.device)
        loss.backward()
        optimizers.step(factor)
        if run.count(int((ids != tokenizer.pad_token_id).sum()), loss=loss):
            run.note(held_out_bits_per_token=held_out_bits(model, tokenizer, found.held_out[:80]))
    return run.facts()


def export(
    model: Any, tokenizer: Any, rows: Rows, found: Collection, trained: dict[str, Any], options: argparse.Namespace
) -> None:
    """Write the fp16 folder and what is measured on the shipped bytes."""
    from transformers import AutoModelForCausalLM

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    model.cpu().eval().half().save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    shipped = AutoModelForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    marks, written = measure(shipped, tokenizer, found, options.seed)
    facts = {
        **marks,
        **trained, "collections": list(COLLECTIONS), "parameters": shipped.num_parameters(),
        "train": len(found.train), "held_out": len(found.held_out),
        "three_four": sum((tune.metre, tune.rhythm) == ("3/4", "any") for tune in found.train),
        "vocabulary": len(tokenizer), "texts": written[:10],
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name not in ("curve", "texts")})


if __name__ == "__main__":
    main()
