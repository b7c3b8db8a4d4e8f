"""Measure a tune model: held-out bits, in all and by kind; shares of well-formed, full, stuck and copied samples.

    python -m training.audio.folk_marks --data ../shared/data --model models/embedded/folk-gpt

prints what a training measures at its end, for any folder: the same measure for an old model and a new one.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from models.audio import tunes
from training.audio.tune_data import Collection, Source, load_tunes, transpose

CONTEXT = 512
PER_KIND = 200  # samples of each kind, looked through for a bar that does not end
TIMES = 4  # a bar that stands more often in a row is stuck
NATS_PER_BIT = 0.6931471805599453


def words_of(tune: Source, rhythm: str) -> list[str]:
    """Return a whole tune: header and words."""
    return [*tunes.header(tune.metre, tune.tonic, tune.mode, rhythm), *tune.words]


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


@torch.inference_mode()
def bits_by(
    model: Any, tokenizer: Any, held_out: list[Source], kind: Callable[[Source], str]
) -> dict[str, tuple[float, int]]:
    """Return bits per word and the number of tunes of each kind, in the tunes' own keys.

    Those with a word that was never learnt are left out.
    """
    model.eval()
    device = next(model.parameters()).device
    known = tokenizer.get_vocab().keys()
    nats: Counter[str] = Counter()
    words: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for tune in held_out:
        row = words_of(tune, tune.rhythm)
        if not known >= set(row):
            continue
        ids = batch([[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(row), tokenizer.eos_token_id]], 0)
        many, name = len(row) - 2, kind(tune)
        nats[name] += float(loss_of(model, ids.to(device), -1, device.type)) * many
        words[name] += many
        found[name] += 1
    model.train()
    return {name: (nats[name] / words[name] / NATS_PER_BIT, found[name]) for name in words}


def held_out_bits(model: Any, tokenizer: Any, held_out: list[Source]) -> float:
    """Return bits per word over all held-out tunes."""
    return bits_by(model, tokenizer, held_out, lambda tune: "all")["all"][0]


def by_kind(model: Any, tokenizer: Any, held_out: list[Source]) -> dict[str, list[float]]:
    """Return bits per word and the number of tunes, by what a tune is danced as, its mode, and whether it is in D."""
    kinds: dict[str, Callable[[Source], str]] = {
        "rhythm": lambda tune: tune.rhythm, "mode": lambda tune: tunes.MODES[tune.mode],
        "key": lambda tune: "D major" if (tune.tonic, tune.mode) == ("D", "maj") else "other keys",
    }  # fmt: skip
    return {
        name: [round(bits, 3), many]
        for kind in kinds.values()
        for name, (bits, many) in sorted(bits_by(model, tokenizer, held_out, kind).items())
    }


def sample(model: Any, tokenizer: Any, headers: Sequence[Source], seed: int, at_once: int = 20) -> list[str]:
    """Return tunes written under the headers of these tunes, at temperature 0.9 and top-p 0.95."""
    from transformers import GenerationConfig

    from models.tokens.streaming import left_pad

    torch.manual_seed(seed)
    config = GenerationConfig(
        max_new_tokens=CONTEXT - 4, do_sample=True, temperature=0.9, top_p=0.95, top_k=0,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    written = []
    for at in range(0, len(headers), at_once):
        heads = [
            tunes.header(
                tune.metre, tune.tonic if tune.tonic in tunes.TONICS else "D", tune.mode, tune.rhythm
            ) for tune in headers[at : at + at_once]
        ]  # fmt: skip
        ids = [[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(head)] for head in heads]
        input_ids, mask = left_pad(ids, tokenizer.pad_token_id)
        with torch.inference_mode():
            rows = model.generate(input_ids, attention_mask=mask, generation_config=config)
        written += [tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    return written


def like_training(found: Collection, count: int, seed: int) -> list[Source]:
    """Return tunes to learn from at random, twenty at a time without one twice: their headers are sampled under."""
    choice = random.Random(seed)
    return [tune for _ in range(0, count, 20) for tune in choice.sample(found.train, 20)][:count]


def longest_run(text: str) -> int:
    """Return how many times the bar that is repeated most in a row stands there, repeats of sections not counted."""
    bars = [[]]  # type: list[list[str]]
    for word in text.split()[3:]:
        if word in tunes.BARS:
            bars.append([])
        else:
            bars[-1].append(word)
    return max((len(list(same)) for _, same in groupby(bar for bar in bars if bar)), default=0)


def stuck(model: Any, tokenizer: Any, found: Collection, count: int = PER_KIND, seed: int = 5) -> dict[str, list[int]]:
    """Return for each kind how many of `count` samples hold a bar more than `TIMES` times in a row, and the most."""
    told: dict[str, list[int]] = {}
    for rhythm in tunes.RHYTHMS:
        of_kind = [tune for tune in found.train if tune.rhythm == rhythm]
        headers = random.Random(seed).choices(of_kind, k=count)
        runs = [longest_run(text) for text in sample(model, tokenizer, headers, seed, at_once=100)]
        told[rhythm] = [sum(run > TIMES for run in runs), max(runs)]
    return told


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


def measure(model: Any, tokenizer: Any, found: Collection, seed: int = 0) -> tuple[dict[str, Any], list[str]]:
    """Return every mark of a model on the CPU, and 200 unpicked samples."""
    written = sample(model, tokenizer, like_training(found, 200, seed + 1), seed + 1)
    facts = {
        "held_out_bits": round(held_out_bits(model, tokenizer, found.held_out), 4),
        "bits_by_kind": by_kind(model, tokenizer, found.held_out),
        **{name: round(value, 4) for name, value in marks(written, found).items()},
    }  # fmt: skip
    model.eval()
    return {**facts, "stuck": stuck(model, tokenizer, found)}, written


def main() -> None:
    """Print the marks of the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds tunes/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    options = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import models.tokens.lstm  # noqa: F401 - registers the LSTM

    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    facts, _ = measure(model, AutoTokenizer.from_pretrained(options.model), load_tunes(options.data))
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
