"""Sound and music from a text: diffusion pipelines of diffusers, and MusicGen's code language model of transformers."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models import seeds
from models.diffusion.denoising import DenoisingWatch
from models.diffusion.schedulers import predicted_x0
from models.watching import Interrupted, Watch

if TYPE_CHECKING:
    from models.audio.families.text_to_audio import TextToAudioParams

# names of the length among a call's arguments; the first that a call has is used
LENGTH_NAMES = ("audio_length_in_s", "audio_end_in_s", "audio_duration_s", "audio_duration", "duration")
CODE_SETTINGS = ("seconds", "guidance_scale", "temperature", "top_k", "top_p")
PREVIEW_EVERY = 50  # frames of codes between two previews
_DIRECT = ("num_inference_steps", "guidance_scale", "negative_prompt", "lyrics", "vocal_language", "bpm", "keyscale",
           "timesignature", "shift")  # fmt: skip


def describe_folder(folder: Path) -> dict[str, Any]:
    """Return the catalogue's facts: kind, sample rate, the settings that the call honours, the longest length.

    Raises `OSError`, `KeyError`, `ValueError` or `AttributeError` for a folder that is damaged or of another kind.
    """
    if not (folder / "model_index.json").exists():
        return _describe_codes(_read(folder / "config.json"))
    index = _read(folder / "model_index.json")
    known = inspect.signature(pipeline_class(str(index["_class_name"])).__call__).parameters
    settings = ["seconds", *(name for name in _DIRECT if name in known)]
    facts: dict[str, Any] = {"kind": str(index["_class_name"]), "settings": settings}
    vae = _read(folder / "vae" / "config.json")
    if "vocoder" in index:
        facts["sample_rate"] = int(_read(folder / "vocoder" / "config.json")["sampling_rate"])
    else:
        facts["sample_rate"] = int(vae["sample_rate"] if "sample_rate" in vae else vae["sampling_rate"])
    transformer = _read(folder / "transformer" / "config.json") if "transformer" in index else {}
    if facts["kind"] == "StableAudioPipeline":
        samples = int(transformer["sample_size"]) * int(np.prod(vae["downsampling_ratios"]))
        facts["max_s"] = round(samples / facts["sample_rate"], 3)
    elif facts["kind"] == "LongCatAudioDiTPipeline":
        facts["max_s"] = 30.0  # its pipeline cuts there
    if (
        transformer.get("is_turbo") or transformer.get("model_version") == "turbo"
    ):  # guidance is distilled into its weights: the call sets it to 1
        settings.remove("guidance_scale")
    return facts


def pipeline_class(name: str) -> Any:
    """Return a text-to-audio pipeline of diffusers by its name. Raises `ValueError` for any other."""
    import diffusers
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2AUDIO_PIPELINES_MAPPING

    known = {one.__name__: one for one in AUTO_TEXT2AUDIO_PIPELINES_MAPPING.values()}
    known["AceStepPipeline"] = diffusers.AceStepPipeline  # which no auto class lists
    if name not in known:
        raise ValueError(f"{name} makes no sound from text; known: {', '.join(known)}")
    return known[name]


def _describe_codes(config: dict[str, Any]) -> dict[str, Any]:
    if config.get("model_type") != "musicgen":
        raise ValueError(f"model type {config.get('model_type')!r} makes no sound from text")
    from transformers import MusicgenConfig

    made = MusicgenConfig(**config)
    decoder, codec = made.decoder, made.audio_encoder
    frames = int(decoder.max_position_embeddings) - int(decoder.num_codebooks)
    return {"kind": "musicgen", "settings": list(CODE_SETTINGS), "sample_rate": int(codec.sampling_rate),
            "max_s": round(frames / codec.frame_rate, 3)}  # fmt: skip


def load(folder: Path, dtype: Any) -> dict[str, Any]:
    """Return the parts of a model in evaluation mode."""
    if (folder / "model_index.json").exists():
        from diffusers import AutoPipelineForText2Audio

        cls = pipeline_class(str(_read(folder / "model_index.json")["_class_name"]))
        auto = cls if cls.__name__ == "AceStepPipeline" else AutoPipelineForText2Audio
        pipeline = auto.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        return {"pipeline": pipeline, **pipeline.components}
    from transformers import AutoProcessor, MusicgenForConditionalGeneration

    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    return {"model": model.eval(), "processor": AutoProcessor.from_pretrained(folder, trust_remote_code=False)}


class LatentWatch(DenoisingWatch):
    """Watch a diffusion pipeline and keep every step's latents as a grid, rows × frames.

    After Stop the pipeline goes on to its decoder with the x0 predicted at that step (`ended`): in the steps that are
    left the denoiser returns its last output without computing.
    """

    def __init__(self, stopped: Callable[[], bool], channels_last: bool) -> None:
        super().__init__(stopped, lambda: False, keep=False)
        self.pictures: list[np.ndarray] = []
        self.ended = False
        self._channels_last = channels_last

    def _observe(self, scheduler: Any, output: torch.Tensor, time: Any, sample: torch.Tensor) -> None:
        if self.ended:
            if self.cancelled:
                raise Interrupted
            return
        try:
            super()._observe(scheduler, output, time, sample)
        except Interrupted:
            if self.cancelled:  # nobody waits for the result
                raise
            x0 = predicted_x0(scheduler, output, time, sample).to(sample.dtype)
            self.blend = lambda latents, later: x0
            self.ended = True

    @contextmanager
    def passing(self, net: torch.nn.Module) -> Iterator[None]:
        """Make a denoiser return its last output again once the run has ended, within this context."""
        forward = net.forward
        said: list[Any] = []

        @functools.wraps(forward)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if not self.ended:
                said[:] = [forward(*args, **kwargs)]
            return said[0]

        net.forward = watched
        try:
            yield
        finally:
            del net.forward

    def take(self, scheduler: Any, output: torch.Tensor, time: Any, sample: torch.Tensor) -> None:
        """Keep the first sound's latents as a grid, time to the right; of four axes the channels are averaged."""
        first = sample[0].float()
        grid = first.mean(0) * first.shape[0] ** 0.5 if first.ndim == 3 else first  # so that noise keeps its scale
        if self._channels_last or first.ndim == 3:
            grid = grid.T
        self.pictures.append(grid.numpy().copy())


def run_pipeline(
    pipeline: Any, prompt: str, params: TextToAudioParams, seed: int, watch: LatentWatch
) -> np.ndarray | None:
    """Return a diffusion pipeline's sound, float32, frames × channels; after Stop, decoded from the x0 predicted then.

    None where it was cancelled.
    """
    scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    own = type(pipeline)(**{**pipeline.components, "scheduler": scheduler})  # state of a call is this request's alone
    own.set_progress_bar_config(disable=True)
    watch.attach(scheduler)
    known = inspect.signature(type(own).__call__).parameters
    values = {name: getattr(params, name) for name in _DIRECT if name in known}
    values[next(name for name in LENGTH_NAMES if name in known)] = params.seconds
    if params.guidance_scale <= 1 or not params.negative_prompt:
        values.pop("negative_prompt", None)
    given = {name: value for name, value in values.items() if value not in (None, "any")}
    # some use the global generator as well: AudioLDM2's language model, the Brownian tree of SDE schedulers
    net = own.transformer if "transformer" in own.components else own.unet
    with torch.inference_mode(), seeds.seeded(seed), watch.passing(net):
        try:
            made = own(prompt=prompt, generator=seeds.generator(seed), **given).audios
        except Interrupted:
            return None
    sound = torch.as_tensor(made)[0].float()  # samples, or channels × samples
    return limit_peak((sound if sound.ndim == 1 else sound.T).numpy())


def limit_peak(sound: np.ndarray) -> np.ndarray:
    """Return sound (frames, or frames × channels) as float32, scaled down as a whole where it would clip."""
    sound = sound[:, 0] if sound.ndim == 2 and sound.shape[1] == 1 else sound
    peak = float(np.abs(sound).max()) if sound.size else 0.0
    return np.asarray(sound * (0.89 / peak) if peak > 1 else sound, dtype=np.float32)


class CodeWatch(Watch):
    """Watch MusicGen's `generate()`, from frame to frame of codes; now and then decode the sound so far.

    It is passed as a stopping criterion. `ended` is set where Stop ended the run: `sound` is then what there was.
    """

    def __init__(self, model: Any, total: int, stopped: Callable[[], bool]) -> None:
        super().__init__(stopped, total)
        self.ended = False
        self.sound: np.ndarray | None = None
        self._model = model

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Take the codes, rows of codebooks × frames, where `generate()` asks whether it is done."""
        self.step += 1
        if self.ending():
            self.sound, self.ended = decode_codes(self._model, input_ids), True
            raise Interrupted
        if self.step % PREVIEW_EVERY == 0:
            self.sound = decode_codes(self._model, input_ids)
        self.changed.set()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def decode_codes(model: Any, ids: torch.Tensor) -> np.ndarray:
    """Return sound, float32, frames (× channels), of codes in the delay pattern (Copet et al. 2023).

    `ids` is codebooks × columns, the first column a start token; codebook k lags k columns. In stereo, left and right
    alternate and lag by the same number.
    """
    sides = int(model.decoder.config.audio_channels)
    books = ids.shape[0] // sides
    length = ids.shape[1] - books
    if length < 1:
        return np.zeros((0,) if sides == 1 else (0, sides), np.float32)
    tracks = []
    for side in range(sides):
        rows = [ids[k * sides + side, 1 + k : 1 + k + length] for k in range(books)]
        codes = torch.stack(rows)[None, None].clamp(max=model.audio_encoder.config.codebook_size - 1)
        tracks.append(model.audio_encoder.decode(codes, audio_scales=[None]).audio_values[0, 0].float())
    return limit_peak(torch.stack(tracks, 1).numpy())


def frames_of(model: Any, seconds: float) -> int:
    """Return the number of frames of codes for a length in seconds."""
    return max(1, round(seconds * float(model.config.audio_encoder.frame_rate)))


def generate_codes(
    model: Any, processor: Any, prompt: str, params: TextToAudioParams, seed: int, watch: CodeWatch
) -> np.ndarray:
    """Return MusicGen's sound, float32, frames (× channels); after Stop, the sound so far."""
    given = processor(text=[prompt], padding=True, return_tensors="pt")
    books = int(model.decoder.config.num_codebooks) // int(model.decoder.config.audio_channels)
    length = frames_of(model, params.seconds)
    chance = (
        {"do_sample": True, "temperature": params.temperature, "top_k": params.top_k, "top_p": params.top_p}
        if params.temperature > 0 else {"do_sample": False}
    )  # fmt: skip
    with torch.inference_mode(), seeds.seeded(seed):
        try:
            out = model.generate(
                **given, max_new_tokens=length + books - 1, guidance_scale=params.guidance_scale,
                stopping_criteria=[watch], **chance,
            )  # fmt: skip
        except Interrupted:
            assert watch.sound is not None
            return watch.sound
    return limit_peak(out[0].float().T.numpy())


def _read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} holds no JSON object")
    return found
