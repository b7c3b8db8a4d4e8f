"""Measure how digit-recogniser hears voices that it never learnt, and what it takes for a digit that is none.

    python -m training.audio.hearing_marks --data ../shared/data

Judged by the page's own rule (the outlier limit of the catalogue) and by the net alone, on voices of espeak-ng and
kinds of noise that no training has met (`training.audio.voices`), on the voices of audio/hibari and audio/joe where
they have been got (`python -m models get …`), and on the test recordings. `--folder` measures
other weights by the same.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.audio import voices
from training.audio.digits import RATE, load_digits

Said = tuple[torch.Tensor, list[int]]
LIMIT = 1.8  # standard deviations: the catalogue's default of the first edition
SENTENCES, NOISES = 400, 300
MORE = ("audio/hibari", "audio/joe")


def main() -> None:
    """Print the marks of the weights in each folder, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds digits/ and stories/")
    parser.add_argument("--folder", type=Path, nargs="+", default=[Path("models/embedded/digit-recogniser")])
    parser.add_argument("--limit", type=float, nargs="+", default=[LIMIT], help="standard deviations, for each folder")
    parser.add_argument("--edition", nargs="+", default=["second"], help="the name of each folder's marks")
    parser.add_argument("--into", type=Path, help="JSON file of marks by edition, to write them to")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    torch.set_num_threads(1)
    sounds = known(options.data), strange(options.data)
    torch.set_num_threads(1)  # the engine that spoke has set its own
    found = json.loads(options.into.read_text()) if options.into and options.into.exists() else {}
    for folder, limit, edition in zip(options.folder, options.limit, options.edition, strict=True):
        found[edition] = measure(folder, *sounds, limit)
        print(edition, json.dumps(found[edition], indent=1), flush=True)
        if options.into:
            options.into.write_text(json.dumps(found, indent=1) + "\n")


def measure(
    folder: Path, digits: dict[str, list[Said]], others: dict[str, list[torch.Tensor]], limit: float
) -> dict[str, Any]:
    """Return the share of digits that are heard, and of other sounds in which one is, with the limit and without."""
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes
    from models.audio.looking import outliers
    from training.audio.digit_outliers import parts, within

    model = AutoModelForCTC.from_pretrained(folder, dtype=torch.float32).eval()
    measured = outliers.read(folder)
    found: dict[str, Any] = {"limit": limit}
    for kind, said in digits.items():
        heard = [(parts(model, one), labels) for one, labels in said]
        for name, bound in ((kind, limit), (f"{kind}_without", math.inf)):
            found[name] = share([within(one, measured, bound) == labels for one, labels in heard])
        found[f"{kind}_count"] = len(said)
    for kind, sounds in others.items():
        named = [parts(model, one) for one in sounds]
        for name, bound in ((kind, limit), (f"{kind}_without", math.inf)):
            found[name] = share([bool(within(one, measured, bound)) for one in named])
    return found


def share(holds: Sequence[bool]) -> float:
    """Return the share of what holds."""
    return round(sum(holds) / len(holds), 4)


def known(data: Path) -> dict[str, list[Said]]:
    """Return recordings with their digits, by kind: all of them are new to every recogniser that is measured."""
    from training.audio.digit_recogniser import row, spoilt

    digits = load_digits(data)
    every = voices.JUDGED_BY
    rows = random.Random(6), torch.Generator().manual_seed(6)
    new = said_by(voices.singles(every, voices.JUDGED_ACCENTS, 4, 11))
    plain = said_by(voices.singles(every, voices.LEARNT_ACCENTS, 2, 12))
    choice, chance = random.Random(7), torch.Generator().manual_seed(7)
    loud = random.Random(8)

    def under(sound: torch.Tensor, at: int) -> torch.Tensor:
        kind = voices.NOISES_JUDGED[at % len(voices.NOISES_JUDGED)]
        return voices.noises((kind,), 1, at, len(sound) / RATE)[0]

    found = {
        "test": said_by(digits.test),
        "held_out": said_by(digits.held_out),
        "rows": [one for one in (row(digits.test, *rows) for _ in range(200)) if one[1]],
        "voices": new,
        "voices_plain": plain,
        "voices_rows": [(voices.framed(one), said) for one, said in
                        voices.rows(every, voices.JUDGED_ACCENTS, 10 * len(every), 13)],
        "voices_noise": [(voices.mixed(one, under(one, at), loud.uniform(8, 25)), said)
                         for at, (one, said) in enumerate(new)],
        "voices_spoilt": [(spoilt(one, choice, chance), said) for one, said in new],
    }  # fmt: skip
    for model in MORE:
        made = by_model(model)
        if made:
            found[model.split("/")[1]] = made
        else:
            print(f"{model} has not been got here: left out")
    return found


def strange(data: Path) -> dict[str, list[torch.Tensor]]:
    """Return sounds that are no digits, by kind: sentences, noises."""
    from training.audio.digit_recogniser import spoilt

    choice, chance = random.Random(6), torch.Generator().manual_seed(6)
    texts = voices.sentences(data)[SENTENCES : 2 * SENTENCES]
    talk = voices.spoken(texts, voices.JUDGED_BY, voices.JUDGED_ACCENTS, 2)
    words = sorted({word.strip(".,!?'").lower() for text in texts for word in text.split()} - voices.SOUND_ALIKE)
    single = voices.spoken(words[:SENTENCES], voices.JUDGED_BY, voices.JUDGED_ACCENTS, 3)
    return {
        "sentences": talk, "sentences_spoilt": [spoilt(one, choice, chance) for one in talk],
        "words": [voices.framed(one) for one in single], "noises": voices.noises(voices.NOISES_JUDGED, NOISES, 2),
    }  # fmt: skip


def said_by(takes: Sequence[Any]) -> list[Said]:
    """Return single digits, each with a little near silence around it unless it is a recording."""
    return [(take.sound if take.speaker >= 0 else voices.framed(take.sound), [take.digit]) for take in takes]


def by_model(name: str) -> list[Said]:
    """Return the ten digits by a speech model, at three rates, then sixty rows of three; nothing without the model."""
    from scipy.signal import resample_poly

    from models.audio.sounds import read_wav
    from models.catalog import load_catalog
    from models.errors import PlaygroundError
    from models.runtime.engine import LocalEngine
    from models.settings import Settings
    from models.types import Request

    settings = Settings()
    engine = LocalEngine(settings)
    rate = int(load_catalog(settings)[name].facts["sample_rate"])
    choice = random.Random(3)
    asked = [([digit], speed) for speed in (0.8, 0.9, 1.0, 1.15, 1.3) for digit in range(10)]
    asked += [([choice.randrange(10) for _ in range(3)], choice.uniform(0.8, 1.2)) for _ in range(30)]
    found: list[Said] = []
    try:
        for said, speed in asked:
            text = ", ".join(voices.NAMES[digit] for digit in said).capitalize() + "."
            request = Request(model=name, inputs={"prompt": text}, params={"speaking_rate": speed}, seed=0)
            *_, final = engine.generate(request)
            samples, _ = read_wav(next(one for one in final.outputs if one.kind == "audio").data)
            common = math.gcd(RATE, rate)
            sound = resample_poly(samples.mean(1), RATE // common, rate // common)
            found.append((voices.framed(voices.even(sound.astype(np.float32))), said))
    except PlaygroundError:
        return []
    finally:
        engine.close()
    return found


if __name__ == "__main__":
    main()
