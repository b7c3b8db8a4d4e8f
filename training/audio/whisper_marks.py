"""Measure spoken digits by an ear that learnt elsewhere: what Whisper tiny.en hears in digits-diffusion's samples.

    python -m models get audio/whisper-tiny-en
    python -m training.audio.whisper_marks --data ../shared/data

The same samples are heard with the phases of Griffin-Lim and with those of the trained vocoder, and so are as many of
the test recordings, as they are and through both: no sample can be expected to be heard better than those.
digit-recogniser hears all of them as well.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training.audio import voices
from training.audio.digits import RATE, load_digits

EAR = "audio/whisper-tiny-en"
ALIKE = {"to": 2, "too": 2, "for": 4, "fore": 4, "won": 1, "ate": 8, "oh": 0, "o": 0}  # by ear the same word


def main() -> None:
    """Print what is heard, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds digits/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded"), help="folder of the model folders")
    parser.add_argument("--count", type=int, default=64, help="samples (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of denoising (default: %(default)s)")
    parser.add_argument("--into", type=Path, help="JSON file to write the marks to")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    torch.set_num_threads(1)
    found = measure(options.out, options.data, options.count, options.steps)
    print(found)
    if options.into:
        options.into.write_text(json.dumps(found, indent=1))


def measure(folder: Path, data: Path, count: int, steps: int) -> dict[str, Any]:
    """Return of how many samples exactly the asked-for digit is heard, by Whisper and by digit-recogniser."""
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes
    from training.audio.digit_marks import FIRST_SEED, USUAL, Speaker
    from training.audio.digit_recogniser import heard

    speaker = Speaker(folder / "digits-diffusion")
    recogniser = AutoModelForCTC.from_pretrained(folder / "digit-recogniser", dtype=torch.float32).eval()
    people = len(speaker.meaning.speakers)
    digits = [at % 10 for at in range(count)]
    classes = [digit * people + (at // 10) % people for at, digit in enumerate(digits)]
    drawn = speaker.draw(classes, FIRST_SEED, USUAL[0], steps)
    takes = random.Random(0).sample(load_digits(data).test, count)
    real, said = [take.sound for take in takes], [take.digit for take in takes]
    mels = [speaker.mels.to_mel(sound) for sound in real]
    sets = {"griffin_lim": (speaker.voiced(drawn), digits), "recordings": (real, said),
            "recordings_griffin_lim": (speaker.voiced(mels), said)}  # fmt: skip
    if speaker.vocoder is not None:
        sets |= {"trained": (speaker.voiced(drawn, True), digits),
                 "recordings_trained": (speaker.voiced(mels, True), said)}  # fmt: skip
    found: dict[str, Any] = {"count": count, "steps": steps}
    silence = torch.zeros(RATE // 5)
    for name, (sounds, wanted) in sets.items():
        framed = [torch.cat([silence, one, silence]) for one in sounds]
        texts = by_whisper(framed)
        right = [digits_of(text) == [digit] for text, digit in zip(texts, wanted, strict=True)]
        own = [one == [digit] for one, digit in zip(heard(recogniser, framed), wanted, strict=True)]
        found |= {name: sum(right), f"{name}_recogniser": sum(own)}
        wrong = [f"{digit}: {text}" for text, digit, ok in zip(texts, wanted, right, strict=True) if not ok]
        print(name, sum(right), sum(own), wrong, flush=True)
    return found


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
