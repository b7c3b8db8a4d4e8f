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
import re
from collections import Counter
from typing import Any

import torch
from torch.nn import functional as F

from models.audio import tunes
from training import loop
from training.audio.tune_data import Collection, Source, load_tunes, transpose
from training.optim import Optimizers

CONTEXT = 512
BATCH_WORDS = 4096
RARE = 20  # a word that stands fewer times in the training tunes, over all keys, is not learnt
LEARNING_RATE = {"gpt": 3e-3, "lstm": 1e-2}
EVERY = 250  # steps between measurements
ANY = 0.2  # share of tunes whose kind is not told
BOS, EOS, PAD, UNK = "<|tune|>", "<|end|>", "<|pad|>", "<|unk|>"


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/folk-NET", 40.0, "tunes/")
    parser.add_argument("--net", choices=("gpt", "lstm"), required=True, help="Transformer or LSTM")
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
    rows = Rows(found)
    if options.from_shipped:
        tokenizer, model = load_shipped(options)
    else:
        tokenizer = make_tokenizer(rows)
        model = make_model(options.net, tokenizer)
    facts = train(model.to(options.device), tokenizer, rows, found, options)
    export(model, tokenizer, rows, found, facts, options)


class Rows:
    """Hold every training tune in every key as words; `vocabulary` are those that are not rare."""

    def __init__(self, found: Collection) -> None:
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
        known = set(self.vocabulary)
        keyed = [[one for one in moved if known.issuperset(one.words)] for moved in keyed]
        self.keyed = [moved for moved in keyed if moved]
        self.known = known

    def draw(self, choice: random.Random) -> list[str]:
        """Return a tune's words in a key at random; now and then its kind is not told."""
        tune = choice.choice(choice.choice(self.keyed))
        return words_of(tune, "any" if choice.random() < ANY else tune.rhythm)


def words_of(tune: Source, rhythm: str) -> list[str]:
    """Return a whole tune: header and words."""
    return [*tunes.header(tune.metre, tune.tonic, tune.mode, rhythm), *tune.words]


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


def batch(rows: list[list[int]], pad: int) -> torch.Tensor:
    """Return ids, int64, rows × longest, padded on the right."""
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def loss_of(model: Any, ids: torch.Tensor, pad: int, device: str) -> torch.Tensor:
    """Return the mean loss in nats of the words after the header; the header is given, not asked for."""
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    target = ids[:, 1:].clone()
    target[target == pad] = -100
    target[:, :3] = -100
    return F.cross_entropy(logits.flatten(0, 1).float(), target.flatten())


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
    optimizers = Optimizers(model, LEARNING_RATE[options.net], weight_decay=0.1, edges=("embed", "lm_head"))
    run = loop.Run(options, EVERY, "words", model=model, optimizers=optimizers, feed=feed, choice=choice)
    model.train()
    for rate in run:
        ids = next(feed).to(options.device)  # rows × longest
        loss = loss_of(model, ids, tokenizer.pad_token_id, options.device)
        loss.backward()
        optimizers.step(rate)
        if run.count(int((ids != tokenizer.pad_token_id).sum()), loss=loss):
            run.note(held_out_bits_per_token=held_out_bits(model, tokenizer, rows, found.held_out[:80]))
    return run.facts()


@torch.inference_mode()
def held_out_bits(model: Any, tokenizer: Any, rows: Rows, held_out: list[Source]) -> float:
    """Return bits per word on tunes in their own key; those with a word that was never learnt are left out."""
    model.eval()
    device = next(model.parameters()).device
    total, count = 0.0, 0
    for tune in held_out:
        words = words_of(tune, tune.rhythm)
        if not rows.known.issuperset(words):
            continue
        ids = batch([[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(words), tokenizer.eos_token_id]], 0)
        total += float(loss_of(model, ids.to(device), -1, device.type)) * (len(words) - 2)
        count += len(words) - 2
    model.train()
    return total / count / 0.6931471805599453


def sample(model: Any, tokenizer: Any, found: Collection, count: int, seed: int) -> list[str]:
    """Return tunes written under the headers of training tunes at random, at temperature 0.9 and top-p 0.95."""
    from transformers import GenerationConfig

    from models.tokens.streaming import left_pad

    choice = random.Random(seed)
    torch.manual_seed(seed)
    written = []
    for _ in range(0, count, 20):
        heads = []
        for tune in choice.sample(found.train, 20):
            tonic = tune.tonic if tune.tonic in tunes.TONICS else "D"
            heads.append(tunes.header(tune.metre, tonic, tune.mode, tune.rhythm))
        ids = [[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(head)] for head in heads]
        input_ids, mask = left_pad(ids, tokenizer.pad_token_id)
        config = GenerationConfig(
            max_new_tokens=CONTEXT - 4, do_sample=True, temperature=0.9, top_p=0.95, top_k=0,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        with torch.inference_mode():
            rows = model.generate(input_ids, attention_mask=mask, generation_config=config)
        written += [tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    return written[:count]


def marks(written: list[str], found: Collection) -> dict[str, float]:
    """Return shares over samples: well formed by our reader, read by music21, bars that fill their metre, copies."""
    good = full = bars = 0
    parsed = 0
    known = {window for tune in found.train for window in windows(tune)}
    copies = 0
    for text in written:
        tune = tunes.read(text)
        good += not tune.problems
        one, total = tunes.filled(tune)
        full, bars = full + one, bars + total
        parsed += _music21_reads(tunes.to_abc(text, "sample"))
        words = text.split()
        copies += any(window in known for window in windows(
            Source("", tune.metre, tune.key[:-3], tune.key[-3:], tune.rhythm, words[3:])
        ))  # fmt: skip
    count = len(written)
    return {"well_formed": good / count, "parsed": parsed / count, "filled": full / bars, "copied": copies / count,
            "samples": count}  # fmt: skip


def windows(tune: Source, bars: int = 8) -> set[str]:
    """Return every run of `bars` bars in scale degrees, octaves and section signs left out."""
    plain = transpose(tune, "C") or tune
    words = ["|" if word in tunes.BARS else re.sub("[,']", "", word).upper() for word in plain.words]
    rows = [row for part in " ".join(words).split("|") if (row := part.strip())]
    return {" | ".join(rows[at : at + bars]) for at in range(len(rows) - bars + 1)}


def _music21_reads(abc: str) -> bool:
    from music21 import converter

    try:
        return len(converter.parse(abc, format="abc").flatten().notes) > 0
    except Exception:  # the library raises what it likes
        return False


def export(
    model: Any, tokenizer: Any, rows: Rows, found: Collection, trained: dict[str, Any], options: argparse.Namespace
) -> None:
    """Write the fp16 folder and what is measured on the shipped bytes."""
    from transformers import AutoModelForCausalLM

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    model.cpu().eval().half().save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    shipped = AutoModelForCausalLM.from_pretrained(options.out, dtype=torch.float32).eval()
    written = sample(shipped, tokenizer, found, 200, options.seed + 1)
    facts = {
        "held_out_bits": round(held_out_bits(shipped, tokenizer, rows, found.held_out), 4),
        **{name: round(value, 4) for name, value in marks(written, found).items()},
        **trained, "parameters": shipped.num_parameters(), "train": len(found.train), "held_out": len(found.held_out),
        "vocabulary": len(tokenizer), "texts": written[:10],
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name not in ("curve", "texts")})


if __name__ == "__main__":
    main()
