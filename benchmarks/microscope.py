"""Milliseconds to score a text in the microscope under every stage, alone and all together.

    python -m benchmarks.microscope --tokens 200 --vocabulary 4096

Random logits as spread as a small model's, a text drawn from them, a byte-level tokenizer for the stages that look at
words. Prints the median and the least of several rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from models.text.kept import Kept
from models.text.looking.microscope import position, score
from models.text.sampling.spelling import Spelling

TOKENIZER = Path(__file__).resolve().parent.parent / "models" / "embedded" / "story-gpt" / "tokenizer.json"
SCHEMA = json.dumps({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
SETTINGS = {
    "bias": ["dragon: +2", "the: -1"], "repetition_penalty": 1.2, "frequency_penalty": 0.3, "presence_penalty": 0.3,
    "dry_multiplier": 0.8, "no_repeat_ngram_size": 4, "banned": ["tomato", "sad day"], "json_schema": SCHEMA,
    "top_n_sigma": 3.0, "temperature": 0.8, "dynatemp_range": 0.3, "top_k": 60, "top_p": 0.95, "min_p": 0.02,
    "typical_p": 0.95, "xtc_probability": 0.5, "mirostat_tau": 5.0,
}  # fmt: skip


def make_text(tokens: int, vocabulary: int, seed: int = 0) -> Kept:
    """Return kept logits, and a text drawn from them, behind a prompt of 20 tokens."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 2.5, (tokens, vocabulary)).astype(np.float16)
    ids = (logits + chance.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)
    return Kept(
        logits, ids, chance.integers(3, vocabulary, 20).astype(np.int32), seed=np.array([seed]),
        end=np.array([1], np.int32),
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    kept = make_text(options.tokens, options.vocabulary)
    words = Spelling(Tokenizer.from_file(str(TOKENIZER)))
    cases = {"nothing": {}, **{name: {name: value} for name, value in SETTINGS.items()}, "all": SETTINGS}
    cases["all but the schema"] = {name: value for name, value in SETTINGS.items() if name != "json_schema"}
    for name, settings in cases.items():
        took = []
        for _ in range(options.rounds):
            started = time.process_time()
            score(kept, settings, words)
            took.append(1000 * (time.process_time() - started))
        print(f"{name:22} {statistics.median(took):6.1f} ms (least {min(took):.1f})")
    started = time.process_time()
    position(kept, SETTINGS, options.tokens - 1, words=words)
    print(f"{'one position, all':22} {1000 * (time.process_time() - started):6.1f} ms")


if __name__ == "__main__":
    main()
