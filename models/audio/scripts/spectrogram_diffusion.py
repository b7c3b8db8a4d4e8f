"""The script that says words again: a U-Net of diffusers, sampled and made sound by our carried source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.audio.scripts.saving import IMPORTS, even, save
from models.scripts import Part, Script, constants, weights

if TYPE_CHECKING:
    from models.audio.families.spectrogram_diffusion import SpectrogramParams
    from models.spec import ModelSpec
    from models.types import Request

_SAMPLING = "models.audio.sampling"


def script(spec: ModelSpec, request: Request, params: SpectrogramParams, words: Sequence[str]) -> Script:
    """Return the script of a request; see `Family.script`. `words` are the labels of what is to be said."""
    folder, imports = weights(spec)
    named: dict[str, Any] = {"WORDS": list(words), "SPEAKER": params.speaker, "TAKES": params.num_takes}
    named |= {"STEPS": params.num_inference_steps, "GUIDANCE": params.guidance_scale, "PAUSE_S": params.pause_s}
    named |= {"ROUNDS": params.griffin_lim_rounds, "SEED": request.seed}
    trained = params.vocoder == "trained"
    level, more = even(params.loudness, "sound", "rate")
    load = [
        'unet = UNet2DModel.from_pretrained(WEIGHTS / "unet", torch_dtype=torch.float32).eval()',
        'schedule = DDPMScheduler.from_pretrained(WEIGHTS / "scheduler")',
        "layout = read_layout(WEIGHTS)",
        "mels, rate = Mels(layout.mel), layout.mel.sample_rate",
        *(['vocoder = Vocoder.from_pretrained(WEIGHTS / "vocoder", torch_dtype=torch.float32).eval()'] * trained),
    ]
    draw = [
        "classes = layout.classes(WORDS, SPEAKER)",
        "sounds = []",
        "for take in range(TAKES):",
        "    # each word has chance of its own, and take t is a single run with seed + t",
        '    base = torch.Generator("cpu").manual_seed((SEED + take) % 2**32)',
        "    seeds = [int(torch.randint(0, 2**31, (1,), generator=base)) for _ in WORDS]",
        '    generators = [torch.Generator("cpu").manual_seed(one) for one in seeds]',
        f'    scheduler = make({{**schedule.config, "_class_name": "DDPMScheduler"}}, {params.scheduler!r})',
        "    with torch.inference_mode():",
        "        for step in denoise(unet, scheduler, classes, layout.unconditional, GUIDANCE, STEPS, generators,",
        "                            lambda: False):",
        "            pass  # step.x0 is the spectrogram as it is predicted at this step",
        f"        sound = speak(mels, layout.unfold(step.x0), PAUSE_S, ROUNDS{', vocoder' * trained})",
        *[f"    {line}" for line in level],
        "    sounds.append(sound)",
    ]
    carries = [
        f"{_SAMPLING}.mels:Mels", *(f"{_SAMPLING}.spectrograms:{name}" for name in ("read_layout", "denoise", "speak")),
        "models.diffusion.schedulers:make", *(["models.audio.nets.vocoder:Vocoder"] * trained), *more,
    ]  # fmt: skip
    return Script(
        f"{folder}\n{constants(**named)}",
        (
            Part("Load", "\n".join(load), "A U-Net whose images are folded spectrograms."),
            Part("Draw and make it sound", "\n".join(draw), "Noise becomes spectrograms, and their phases are found."),
            save(request, "rate"),
        ),
        ("import torch", "from diffusers import DDPMScheduler, UNet2DModel", *IMPORTS, *imports), tuple(carries),
    )  # fmt: skip
