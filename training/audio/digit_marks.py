"""Measure speech by the ear of a machine: what digit-recogniser hears in what digits-diffusion says.

    python -m training.audio.digit_marks

It writes `marks.json` and `samples.wav` beside the weights.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch

from models import seeds
from models.torchaudio_guard import guard

GUIDANCES = (1.0, 3.0, 5.0)
STEPS = (5, 10, 20, 50)
USUAL = 3.0, 50, "DDPMScheduler"  # the catalogue's guidance, steps and scheduler
FEW = 20  # steps
FAST = "DPMSolverMultistepScheduler"
FIRST = {"timestep_spacing": "leading"}  # how the steps of the first edition were spaced, with the same U-Net
FIRST_SEED = 10_000  # other draws than those by which the usual settings were chosen


class Speaker:
    """Say digits with a stored model."""

    def __init__(self, folder: Path) -> None:
        from diffusers import DDPMScheduler, UNet2DModel

        from models.audio.sampling.mels import Mels
        from models.audio.sampling.spectrograms import read_layout

        self.unet = UNet2DModel.from_pretrained(folder / "unet").float().eval()
        self.schedule = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.meaning = read_layout(folder)
        self.mels = Mels(self.meaning.mel)
        self.vocoder: Any = None
        if (folder / "vocoder").is_dir():
            from models.audio.nets.vocoder import Vocoder

            self.vocoder = Vocoder.from_pretrained(folder / "vocoder", torch_dtype=torch.float32).eval()

    def say(
        self, classes: list[int], first_seed: int, guidance: float, steps: int, trained: bool = False
    ) -> list[torch.Tensor]:
        """Return one sound per class, at the model's rate, each from a seed of its own; by Griffin-Lim or trained."""
        return self.voiced(self.draw(classes, first_seed, guidance, steps), trained)

    @torch.inference_mode()
    def voiced(self, mels: list[torch.Tensor], trained: bool = False) -> list[torch.Tensor]:
        """Return the sound of each spectrogram (bands × frames)."""
        from models.audio.sampling import spectrograms

        vocoder = self.vocoder if trained else None
        return [torch.from_numpy(spectrograms.speak(self.mels, mel[None], 0.0, 64, vocoder)) for mel in mels]

    @torch.inference_mode()
    def draw(
        self, classes: list[int], first_seed: int, guidance: float, steps: int, scheduler_name: str = "",
        **changes: Any,
    ) -> list[torch.Tensor]:  # fmt: skip
        """Return one spectrogram (bands × frames) per class; `changes` are to the scheduler's config."""
        from models.audio.sampling import spectrograms
        from models.diffusion import schedulers

        config = {**self.schedule.config, **changes, "_class_name": "DDPMScheduler"}
        found: list[torch.Tensor] = []
        for at in range(0, len(classes), 20):
            part = classes[at : at + 20]
            generators = [seeds.generator(first_seed, at + number) for number in range(len(part))]
            scheduler = schedulers.make(config, scheduler_name or USUAL[2])
            *_, last = spectrograms.denoise(
                self.unet, scheduler, part, self.meaning.unconditional, guidance, steps, generators, lambda: False
            )
            found += self.meaning.unfold(last.x0)
        return found


def rate(
    speaker: Speaker, recogniser: Any, count: int, guidance: float, steps: int, scheduler: str = "", **changes: Any
) -> float:
    """Return the share of samples in which exactly the asked-for digit is heard; `changes` as `draw` takes them."""
    from training.audio.digit_recogniser import heard

    choice = random.Random(0)
    voices = len(speaker.meaning.speakers)
    digits = [choice.randrange(10) for _ in range(count)]
    classes = [digit * voices + choice.randrange(voices) for digit in digits]
    silence = torch.zeros(800)
    said = speaker.voiced(speaker.draw(classes, FIRST_SEED, guidance, steps, scheduler, **changes))
    sounds = [torch.cat([silence, one, silence]) for one in said]
    got = heard(recogniser, sounds)
    return sum(one == [digit] for one, digit in zip(got, digits, strict=True)) / count


def measure(folder: Path) -> dict[str, Any]:
    """Return what the recogniser hears, by guidance and by steps, and write `samples.wav`."""
    guard()
    from transformers import AutoModelForCTC

    import models.audio.nets.speech_ctc  # noqa: F401 - registers the recogniser with the Auto classes

    speaker = Speaker(folder / "digits-diffusion")
    recogniser = AutoModelForCTC.from_pretrained(folder / "digit-recogniser", dtype=torch.float32).eval()
    steps = {count: rate(speaker, recogniser, 200, USUAL[0], count) for count in STEPS}
    before = {count: rate(speaker, recogniser, 200, USUAL[0], count, **FIRST) for count in STEPS}
    guided = {guidance: rate(speaker, recogniser, 200, guidance, FEW) for guidance in GUIDANCES}
    fast = [rate(speaker, recogniser, 200, USUAL[0], FEW, FAST, **changes) for changes in ({}, FIRST)]
    sample(folder, speaker)
    return {
        "recognised": steps[USUAL[1]],
        "by_guidance": ", ".join(f"{value:.1%} at {guidance:g}" for guidance, value in guided.items()),
        "by_steps": {f"s{count}": value for count, value in steps.items()},
        "by_steps_first": {f"s{count}": value for count, value in before.items()},
        "fast": fast[0], "fast_first": fast[1],
    }  # fmt: skip


def sample(folder: Path, speaker: Speaker) -> None:
    """Write `samples.wav`: each digit, by the speakers in turn."""
    from models.audio import sounds

    voices = len(speaker.meaning.speakers)
    said = speaker.say([digit * voices + digit % voices for digit in range(10)], 0, USUAL[0], USUAL[1])
    row = torch.cat([part for one in said for part in (one, torch.zeros(1600))])
    (folder / "digits-diffusion" / "samples.wav").write_bytes(
        sounds.encode(row.numpy(), speaker.meaning.mel.sample_rate)
    )


def keep(folder: Path, **found: Any) -> None:
    """Write marks into `marks.json` of digits-diffusion, beside those that it holds."""
    file = folder / "digits-diffusion" / "marks.json"
    so_far = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**so_far, **found}, indent=1) + "\n")


if __name__ == "__main__":
    keep(Path("models/embedded"), **measure(Path("models/embedded")))
