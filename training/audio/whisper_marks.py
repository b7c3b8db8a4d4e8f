"""Measure spoken digits by an ear that learnt elsewhere: what Whisper tiny.en hears in digits-diffusion's samples.

    python -m models get audio/whisper-tiny-en
    python -m training.audio.whisper_marks --data ../shared/data

Whisper is lost in a single short word, so it hears rows of four digits in one voice, joined as the page joins them. The
same samples are heard with the phases of Griffin-Lim and with those of the trained vocoder, and so are as many of the
test recordings, as they are and through both: no sample can be expected to be heard better than those. digit-recogniser
hears all of them as well.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training.audio import voices
from training.audio.digits import RATE, load_digits

EAR = "audio/whisper-tiny-en"
ROW = 4  # digits
ALIKE = {"to": 2, "too": 2, "for": 4, "fore": 4, "won": 1, "ate": 8, "oh": 0, "o": 0}  # by ear the same word


def main() -> None:
    """Print what is heard, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds digits/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded"), help="folder of the model folders")
    parser.add_argument("--count", type=int, default=120, help="digits, in rows of four (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of denoising (default: %(default)s)")
    options = parser.parse_args()
    from models.torchaudio_guard import guard
    from training.audio.digit_marks import keep

    guard()
    torch.set_num_threads(1)
    found = measure(options.out, options.data, options.count, options.steps)
    print(found)
    keep(options.out, whisper=found)


def measure(folder: Path, data: Path, count: int, steps: int) -> dict[str, Any]:
    """Return how many of `count` digits are heard as asked, in rows of four, by Whisper and by digit-recogniser."""
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes
    from training.audio.digit_marks import FIRST, FIRST_SEED, USUAL, Speaker
    from training.audio.digit_recogniser import heard

    speaker = Speaker(folder / "digits-diffusion")
    recogniser = AutoModelForCTC.from_pretrained(folder / "digit-recogniser", dtype=torch.float32).eval()
    people = len(speaker.meaning.speakers)
    choice, test = random.Random(0), load_digits(data).test
    asked = [([choice.randrange(10) for _ in range(ROW)], number % people) for number in range(count // ROW)]
    classes = [digit * people + person for said, person in asked for digit in said]
    drawn = speaker.draw(classes, FIRST_SEED, USUAL[0], steps)
    before = speaker.draw(classes, FIRST_SEED, USUAL[0], steps, **FIRST)
    takes = [
        choice.choice([take for take in test if (take.digit, take.speaker) == (digit, person)]).sound
        for said, person in asked for digit in said
    ]  # fmt: skip
    mels = [speaker.mels.to_mel(sound) for sound in takes]
    sets = {"first": speaker.voiced(before), "griffin_lim": speaker.voiced(drawn), "recordings": takes,
            "recordings_griffin_lim": speaker.voiced(mels)}  # fmt: skip
    if speaker.vocoder is not None:
        sets |= {"trained": speaker.voiced(drawn, True), "recordings_trained": speaker.voiced(mels, True)}
    found: dict[str, Any] = {"count": count, "steps": steps}
    for name, sounds in sets.items():
        rows = [joined(sounds[at : at + ROW]) for at in range(0, len(sounds), ROW)]
        texts = by_whisper(rows)
        pairs = [(digits_of(text), said) for text, (said, _) in zip(texts, asked, strict=True)]
        own = [(one, said) for one, (said, _) in zip(heard(recogniser, rows), asked, strict=True)]
        found |= {name: sum(right(*pair) for pair in pairs), f"{name}_recogniser": sum(right(*pair) for pair in own)}
        wrong = [f"{said}: {text[:60]}" for text, (got, said) in zip(texts, pairs, strict=True) if got != said]
        print(name, found[name], found[f"{name}_recogniser"], wrong, flush=True)
    return found


def joined(sounds: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return digits one after another with the page's pause, between two moments of silence."""
    from models.audio.sampling.spectrograms import trim

    pause = torch.zeros(round(0.12 * RATE))
    parts = [part for one in sounds for part in (torch.from_numpy(trim(one.numpy(), RATE)), pause)]
    return torch.cat([pause, *parts])


def right(heard: Sequence[int], said: Sequence[int]) -> int:
    """Return how many of what was said is heard: its length less the edits between the two, at least 0."""
    from torchaudio.functional import edit_distance

    return max(0, len(said) - int(edit_distance(list(heard), list(said))))


def by_whisper(sounds: Sequence[torch.Tensor]) -> list[str]:
    """Return the text that the recogniser writes for each sound, by the settings of its page."""
    from models.audio.sounds import encode
    from models.blobs import Blobs
    from models.runtime.engine import LocalEngine
    from models.settings import Settings
    from models.types import Request

    settings = Settings()
    engine, blobs = LocalEngine(settings), Blobs(settings.data_dir)
    found = []
    try:
        for sound in sounds:
            ref = blobs.put_bytes(encode(sound.numpy(), RATE))
            *_, final = engine.generate(Request(model=EAR, inputs={"audio": ref}, seed=0))
            found.append(next(one.text for one in final.outputs if one.kind == "text"))
    finally:
        engine.close()
    return found


def digits_of(text: str) -> list[int]:
    """Return the digits that a text names, as numerals or words or words that sound the same; −1 for another word."""
    names = {name: digit for digit, name in enumerate(voices.NAMES)} | ALIKE
    return [int(word) if word.isdigit() else names.get(word, -1) for word in re.findall(r"\d|[a-z']+", text.lower())]


if __name__ == "__main__":
    main()
