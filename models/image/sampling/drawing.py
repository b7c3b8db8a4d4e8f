"""Draw pictures with a loaded pipeline: batches, previews, Stop and Skip, the kept steps."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save

from models import seeds
from models.diffusion import denoising
from models.events import Event, Final, Preview, Progress
from models.image import files
from models.image.sampling import alike, pipelines, weights
from models.image.sampling.previews import Budget
from models.types import SEED_MAX, Output, RunStats
from models.watching import Interrupted, follow

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.image.families.text_to_image import TextToImageParams
    from models.spec import ModelSpec
    from models.types import Request

CHUNK = 4  # pictures denoised together
BIG_BYTES = 500_000_000  # a model above this draws one picture at a time
POLL_S = 0.05


def draw(
    spec: ModelSpec, request: Request, params: TextToImageParams, loaded: Loaded, context: Context
) -> Iterator[Event]:
    """Yield a run's events: progress and previews per step, then one `Final`; see `Family.generate`."""
    run = _Run(spec, request, params, loaded, context)
    yield from run.events()
    notes = list(run.notes)
    if run.skipped:
        notes.append(f"{run.skipped} of {params.num_images} images were skipped.")
    if params.task == "text to image" and params.variation_strength == 0 and alike.remembered(run.drawn):
        notes.append(alike.REMEMBERED)
    outputs: tuple[Output, ...] = tuple(run.outputs)
    if run.kept is not None:
        outputs = (*outputs, run.kept)
    stats: RunStats = {
        "steps": run.steps, "steps_per_s": round(run.steps / run.seconds, 2) if run.seconds > 0 else 0.0,
        "stopped": run.stopped, "notes": notes, "preview_s": round(run.preview_s, 4),
    }  # fmt: skip
    yield Final(outputs, stats)


class _Run:
    """Hold one request while it is drawn."""

    def __init__(
        self, spec: ModelSpec, request: Request, params: TextToImageParams, loaded: Loaded, context: Context
    ) -> None:
        self.request, self.params, self.context = request, params, context
        self.parts = loaded.parts
        self.outputs: list[Output] = []
        self.drawn: list[Any] = []  # the finished pictures' pixels
        self.notes: list[str] = []
        self.kept: Output | None = None
        self.stopped = False
        self.skipped = 0
        self.steps = 0
        self.seconds = 0.0
        self.preview_s = 0.0
        self.chunk = 1 if spec.weights_bytes() > BIG_BYTES else CHUNK
        self.picture, self.mask = self._given()
        self.budget = Budget()
        self._shown: dict[int, Output] = {}

    def _given(self) -> tuple[Any, Any]:
        """Return the picture to start from and the mask, in the run's size, or None."""
        params, context = self.params, self.context
        if params.task == "text to image":
            return None, None
        assert context.open_ref is not None
        size = (params.width, params.height)
        picture = files.fit(files.decode_upload(context.open_ref(self.request.inputs["image"])), *size)
        mask = None
        if params.task == "inpaint":
            mask = files.decode_mask(context.open_ref(self.request.inputs["mask"]), size)
        return picture, mask

    def events(self) -> Iterator[Event]:
        """Draw chunk after chunk."""
        numbers = list(range(self.params.num_images))
        for start in range(0, len(numbers), self.chunk):
            if self.stopped:
                break
            yield from self._draw(numbers[start : start + self.chunk])

    def _draw(self, numbers: list[int]) -> Iterator[Event]:
        """Draw the pictures of these numbers together."""
        params, request = self.params, self.request
        scheduler = pipelines.make_scheduler(self.parts["pipeline"], params)
        pipeline = pipelines.for_task(self.parts["pipeline"], params.task, scheduler)
        if not self.notes:
            negative = params.negative_prompt if params.guidance_scale > 1 else ""
            told = _prompt_notes(pipeline, request.inputs["prompt"])
            self.notes = list(dict.fromkeys([*told, *_prompt_notes(pipeline, negative, "negative prompt")]))
            if self.mask is not None and not self.mask.getbbox():
                self.notes.append("The mask covers nothing, so nothing was redrawn.")
        generators = [seeds.generator(request.seed, number) for number in numbers]

        def unpack(latents: torch.Tensor) -> torch.Tensor:
            return pipelines.unpack(pipeline, latents, params.height, params.width)

        watch = denoising.DenoisingWatch(self.context.stopped, self.context.skipped, unpack, keep=self.kept is None)
        watch.attach(scheduler)
        if self.mask is not None and not pipelines.blends_itself(pipeline):
            watch.blend = pipelines.inpainting(pipeline, scheduler, self.picture, self.mask, request.seed, numbers)
        result: list[torch.Tensor] = []

        def run() -> None:
            with torch.inference_mode():
                prompt, plain, embeds = pipelines.conditions(
                    pipeline, request.inputs["prompt"], params, request.inputs.get("prompt_to", "")
                )
                try:
                    last = pipelines.call(
                        pipeline, prompt, plain, generators, embeds=embeds, image=self.picture, mask=self.mask
                    )
                    result.append(unpack(last))
                except Interrupted as reason:
                    interrupted.append(reason.reason)

        interrupted: list[str] = []
        note = f"image {numbers[0] + 1} of {params.num_images}" if params.num_images > 1 else ""
        yield Progress("prompt", 0, 0, note)
        started = time.monotonic()
        for _ in follow(run, watch, POLL_S):
            yield Progress("denoise", watch.step, watch.total, note)
            if self.budget.allows() and watch.x0 is not None:
                yield Preview(tuple(self._preview(numbers, watch)))
        yield Progress("denoise", watch.step, watch.total, note)
        self.seconds += time.monotonic() - started
        self.steps += watch.step
        reason = interrupted[0] if interrupted else ""
        if reason == "skipped":
            self.skipped += len(numbers)
            return
        self.stopped = self.stopped or reason == "stopped"
        latents = result[0] if result else watch.x0
        assert latents is not None
        yield from self._finish(numbers, latents, "stopped" if reason else "", watch)

    def _finish(self, numbers: list[int], latents: torch.Tensor, finish: str, watch: Any) -> Iterator[Event]:
        """Decode each picture into an output, and keep the first chunk's steps."""
        for row, number in enumerate(numbers):
            yield Progress("decode", row, len(numbers))
            pixels = pipelines.decode(self.parts["vae"], latents[row : row + 1])
            if self.mask is not None:
                pixels = _keep_unmasked(pixels, self.picture, self.mask)
            if not finish:
                self.drawn.append(pixels)
            meta: dict[str, Any] = {"seed": (self.request.seed + number) % (SEED_MAX + 1)}
            if finish:
                meta["finish"] = finish
            output = files.image_output(pixels, self.context.stamp, number, meta)
            self.outputs.append(output)
            self._shown[number] = output
        if watch.kept and self.kept is None:
            self.kept = _steps_output(watch, numbers[0])

    def _preview(self, numbers: list[int], watch: Any) -> list[Output]:
        """Return a small preview of each picture so far, finished or under way."""
        begun = time.monotonic()
        pixels = self.parts["colours"](watch.x0)
        shown = dict(self._shown)
        for row, number in enumerate(numbers):
            meta = {"step": watch.step, "total": watch.total}
            shown[number] = files.preview_output(pixels[row].numpy(), number, meta)
        spent = time.monotonic() - begun
        self.budget.spend(spent)
        self.preview_s += spent
        return [shown[number] for number in sorted(shown)]


def _keep_unmasked(pixels: Any, picture: Any, mask: Any) -> Any:
    """Return the drawn pixels inside the mask and the given picture's own outside of it."""
    import numpy as np

    return np.where(np.asarray(mask)[:, :, None] > 127, pixels, np.asarray(picture.convert("RGB")))


def _prompt_notes(pipeline: Any, text: str, name: str = "prompt") -> list[str]:
    """Return notes for what the text encoder does not read of a prompt: what is too long, tags, weights."""
    told = weights.notes(pipeline, text)
    prompt = weights.read(text, weights=weights.takes(pipeline)).plain
    tokenizer = getattr(pipeline, "tokenizer", None)
    limit = getattr(tokenizer, "model_max_length", 0)
    if tokenizer is None or not 0 < limit < 10_000:
        return told
    count = len(tokenizer(prompt).input_ids)
    if count <= limit:
        return told
    return [*told, f"The {name} has {count - 2} tokens; the model reads the first {limit - 2} and leaves out the rest."]


def _steps_output(watch: Any, number: int) -> Output:
    """Return the kept steps of picture `number` as safetensors: `x_t` and `x0`, steps × channels × height × width."""
    tensors = {
        "x_t": torch.stack([pair[0] for pair in watch.kept]).contiguous(),
        "x0": torch.stack([pair[1] for pair in watch.kept]).contiguous(),
    }
    data = save(tensors)
    distances = denoising.distances(watch.kept)
    meta = {
        "index_of": number, "count": len(watch.kept), "total": watch.step, "timesteps": watch.times[: len(watch.kept)],
        "distance": distances, "settled": denoising.settled(distances),
    }  # fmt: skip
    return Output(
        kind="steps", index=number, data=data, media_type="application/safetensors",
        sha256=hashlib.sha256(data).hexdigest(), meta=meta,
    )  # fmt: skip
