"""Measure what is not a digit: set audio/digit-recogniser's outlier scores.

    python -m training.audio.digit_outliers --data ../shared/data

Run it whenever the weights have changed. It writes `outliers.safetensors` beside them, set on training recordings,
digits by the learnt voices of espeak-ng, rows of them, and sentences by these voices and some noises. It prints what
passes at each limit, of voices by which the limit is chosen; `hearing_marks` judges, by others.
"""

from __future__ import annotations

import argparse
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.torchaudio_guard import guard
from training.audio import voices
from training.audio.digits import load_digits

SENTENCES, NOISES, ROWS = 400, 300, 1200
LIMITS = (1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.5, 4.0, 5.0)


def main() -> None:
    """Set the scores, write them, and print what passes at each limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds digits/ and stories/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded/digit-recogniser"))
    options = parser.parse_args()
    guard()
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes
    from models.audio.looking import outliers

    torch.set_num_threads(1)
    model = AutoModelForCTC.from_pretrained(options.out, dtype=torch.float32).eval()
    measured = outliers.measure(*features(model, options.data), "digit")
    outliers.save(measured, options.out)
    for row in passing(model, measured, options.data):
        print(row)


def features(model: Any, data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of known digits with their labels, and of other sounds."""
    from training.audio.digit_recogniser import row, spoilt

    digits = load_digits(data)
    choice, chance = random.Random(5), torch.Generator().manual_seed(5)
    own = voices.LEARNT, voices.LEARNT_ACCENTS
    takes = voices.singles(*own, 3, 5)
    known = [(voices.framed(take.sound), [take.digit]) for take in takes]
    known += [(spoilt(sound, choice, chance), said) for sound, said in [*known, *voices.rows(*own, 300, 6)]]
    known += [(take.sound, [take.digit]) for take in digits.train]
    known += [row(digits.train, choice, chance) for _ in range(ROWS)]
    found = []
    for sound, said in known:
        heard = parts(model, sound)
        if [label - 1 for label, _ in heard] == said:  # what it mishears teaches nothing about what it knows
            found += heard
    talk = voices.spoken(voices.sentences(data)[:SENTENCES], *own, 1)
    other = [*talk, *(spoilt(one, choice, chance) for one in talk), *voices.noises(voices.NOISES_LEARNT, NOISES, 1)]
    strange = [one for sound in other for _, one in parts(model, sound, always=True)]
    choice.shuffle(found)  # a third that is left out is of every kind
    labels, rows_of = (list(column) for column in zip(*found, strict=True))
    return np.stack(rows_of), np.array(labels), np.stack(strange)


def passing(model: Any, measured: Any, data: Path) -> list[dict[str, float]]:
    """Return by limit the share of digits that are heard, and of other sounds in which a digit is heard.

    The digits are the recordings that are held out, and those of voices by which is chosen; they say the sentences.
    """
    digits = load_digits(data)
    own = voices.CHOSEN_BY, voices.LEARNT_ACCENTS
    takes = [(voices.framed(take.sound), [take.digit]) for take in voices.singles(*own, 2, 7)]
    real = [(take.sound, [take.digit]) for take in digits.held_out]
    talk = voices.spoken(voices.sentences(data)[2 * SENTENCES : 2 * SENTENCES + 200], *own, 8)
    noises = voices.noises(voices.NOISES_LEARNT, NOISES, 3)
    known = {name: [(parts(model, sound), said) for sound, said in kind]
             for name, kind in (("held_out", real), ("voices", takes))}  # fmt: skip
    strange = {name: [parts(model, sound) for sound in kind] for name, kind in (("talk", talk), ("noises", noises))}
    found = []
    for limit in (*LIMITS, math.inf):
        row = {"limit": limit}
        for name, kind in known.items():
            row[name] = round(float(np.mean([within(one, measured, limit) == said for one, said in kind])), 4)
        for name, sounds in strange.items():
            row[name] = round(float(np.mean([bool(within(one, measured, limit)) for one in sounds])), 4)
        found.append(row)
    return found


@torch.inference_mode()
def parts(model: Any, sound: torch.Tensor, always: bool = False) -> list[tuple[int, np.ndarray]]:
    """Return each label that the net names in a sound, with the features by which it is judged.

    With `always`, where it names none: what comes nearest to one.
    """
    from models.audio.families.speech_to_text import label_runs
    from models.audio.looking import outliers

    found = model(sound[None].float(), output_hidden_states=True)
    odds, hidden = found.logits[0].softmax(-1).numpy(), found.hidden_states[-1][0].numpy()
    runs = label_runs(odds, model.config.pad_token_id or 0)
    if always and not runs:
        frame, label = divmod(int(odds[:, 1:].argmax()), odds.shape[1] - 1)  # the blank is the first label
        runs = [(label + 1, frame, frame + 1)]
    return [
        (label, outliers.around(hidden, first + int(odds[first:end, label].argmax()))) for label, first, end in runs
    ]


def within(heard: list[tuple[int, np.ndarray]], measured: Any, limit: float) -> list[int]:
    """Return the digits that are left where what is strange is left out."""
    from models.audio.families.speech_to_text import without_strange

    found = [{"label": label, "outlier": measured.score(one, label), "at": at} for at, (label, one) in enumerate(heard)]
    return [int(one["label"]) - 1 for one in without_strange(found, limit)[0]]


if __name__ == "__main__":
    main()
