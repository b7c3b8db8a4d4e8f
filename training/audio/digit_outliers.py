"""Measure what is not a digit: set audio/digit-recogniser's outlier scores, and try them on voices it was not set on.

    python -m training.audio.digit_outliers --data ../shared/data

Run it whenever the weights have changed. It writes `outliers.safetensors` beside them and prints what passes. Scores
are set on training recordings, rows of them, and sentences by some voices of espeak-ng and some noises; they are tried
on the test recordings, and on sentences, voices and kinds of noise that had no part in that.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.torchaudio_guard import guard
from training.audio import voices
from training.audio.digits import load_digits

SENTENCES, NOISES, ROWS = 400, 300, 1200


def main() -> None:
    """Set the scores, write them, and print what passes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds digits/ and stories/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded/digit-recogniser"))
    parser.add_argument("--limit", type=float, default=1.8, help="standard deviations (the catalogue's default)")
    options = parser.parse_args()
    guard()
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes
    from models.audio.looking import outliers

    torch.set_num_threads(1)
    model = AutoModelForCTC.from_pretrained(options.out, dtype=torch.float32).eval()
    known, labels, speakers, strange = features(model, options.data)
    measured = outliers.measure(known, labels, strange, "digit")
    outliers.save(measured, options.out)
    found = tried(model, measured, options.data, options.limit)
    found["new_voices"] = new_voices(known, labels, speakers, strange, options.limit)
    facts = json.loads((options.out / "training.json").read_text())
    facts["outliers"] = {"limit": options.limit, **found}
    (options.out / "training.json").write_text(json.dumps(facts))
    print(facts["outliers"])


def features(model: Any, data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features of known digits with their labels and speakers (-1: a row of several), and of other sounds."""
    from training.audio.digit_recogniser import row, spoilt

    digits = load_digits(data)
    choice, chance = random.Random(5), torch.Generator().manual_seed(5)
    rows = [(*row(digits.train, choice, chance), -1) for _ in range(ROWS)]
    known = [(take.sound, [take.digit], take.speaker) for take in digits.train] + rows
    found = []
    for sound, said, speaker in known:
        heard = parts(model, sound)
        if [label - 1 for label, _ in heard] == said:  # what it mishears teaches nothing about what it knows
            found += [(label, one, speaker) for label, one in heard]
    talk = voices.spoken(voices.sentences(data)[:SENTENCES], voices.LEARNT, voices.LEARNT_ACCENTS, 1)
    other = [*talk, *(spoilt(one, choice, chance) for one in talk), *voices.noises(voices.NOISES_LEARNT, NOISES, 1)]
    strange = [one for sound in other for _, one in parts(model, sound)]
    labels, rows_of, speakers = (list(column) for column in zip(*found, strict=True))
    return np.stack(rows_of), np.array(labels), np.array(speakers), np.stack(strange)


def tried(model: Any, measured: Any, data: Path, limit: float) -> dict[str, float]:
    """Return the share of digits that are still heard, and of other sounds in which a digit is heard."""
    from training.audio.digit_recogniser import row, spoilt

    digits = load_digits(data)
    choice, chance = random.Random(6), torch.Generator().manual_seed(6)
    talk = voices.spoken(voices.sentences(data)[SENTENCES : 2 * SENTENCES], voices.JUDGED_BY, voices.JUDGED_ACCENTS, 2)
    rows = [one for one in (row(digits.test, choice, chance) for _ in range(200)) if one[1]]

    def heard(sound: torch.Tensor) -> list[int]:
        return within(parts(model, sound), measured, limit)

    def passing(sounds: Sequence[torch.Tensor]) -> float:
        return round(sum(bool(heard(sound)) for sound in sounds) / len(sounds), 4)

    def right(takes: Any) -> float:
        return round(sum(heard(take.sound) == [take.digit] for take in takes) / len(takes), 4)

    return {
        "test": right(digits.test),
        "held_out": right(digits.held_out),
        "rows": round(sum(heard(sound) == said for sound, said in rows) / len(rows), 4),
        "rows_without": round(sum([one - 1 for one, _ in parts(model, sound)] == said for sound, said in rows)
                              / len(rows), 4),
        "sentences": passing(talk),
        "sentences_without": round(sum(bool(parts(model, sound)) for sound in talk) / len(talk), 4),
        "sentences_spoilt": passing([spoilt(sound, choice, chance) for sound in talk]),
        "noises": passing(voices.noises(voices.NOISES_JUDGED, NOISES, 2)),
    }  # fmt: skip


def new_voices(known: np.ndarray, labels: np.ndarray, speakers: np.ndarray, strange: np.ndarray, limit: float) -> float:
    """Return the share of a speaker's digits that pass where the scores were set on the five others alone.

    The net itself knows all six: of a stranger's digits rather fewer pass.
    """
    from models.audio.looking import outliers

    passed = []
    for speaker in range(int(speakers.max()) + 1):
        own, others = speakers == speaker, (speakers != speaker) & (speakers >= 0)
        found = outliers.measure(known[others], labels[others], strange, "digit")
        passed += [found.score(one, int(label)) <= limit for one, label in zip(known[own], labels[own], strict=True)]
    return round(float(np.mean(passed)), 4)


@torch.inference_mode()
def parts(model: Any, sound: torch.Tensor) -> list[tuple[int, np.ndarray]]:
    """Return each label that the net names in a sound, with the features by which it is judged."""
    from models.audio.families.speech_to_text import label_runs
    from models.audio.looking import outliers

    found = model(sound[None].float(), output_hidden_states=True)
    odds, hidden = found.logits[0].softmax(-1).numpy(), found.hidden_states[-1][0].numpy()
    runs = label_runs(odds, model.config.pad_token_id or 0)
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
