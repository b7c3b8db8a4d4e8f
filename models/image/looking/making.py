"""Short jobs that show how a picture was made: its kept steps decoded, and where each word of the prompt acted.

Word maps: at every step the noise is predicted once more without the word, from the same noisy picture; the map is
where the two predictions differ, as in DiffEdit (Couairon et al. 2022). Cross-attention (DAAM, Tang et al. 2022) would
cost less, but it lights the background too: attention has to go somewhere.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load
from torch.nn import functional as F

from models import seeds
from models.diffusion import denoising
from models.errors import BadInput
from models.events import Event, Final, Progress
from models.image import files
from models.image.sampling import pipelines, weights
from models.types import Output
from models.watching import Interrupted, follow

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.image.families.text_to_image import TextToImageParams
    from models.types import Request

TILE = 128  # px: the side of a strip's tiles at most
WORDS_MAX = 24


def decode_steps(request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of two strips: each step's predicted x0, and its noisy latents x_t, decoded."""
    from PIL import Image

    assert context.open_ref is not None
    try:
        found = load(context.open_ref(request.inputs["steps"]))
        rows = {"x0": found["x0"].float(), "x_t": found["x_t"].float()}
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadInput("This file does not hold saved denoising steps. Open them from a finished image.") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise BadInput("The saved steps are damaged. Run the image again to get new ones.") from error
    vae = loaded.parts["vae"]
    shape = rows["x0"].shape
    if len(shape) != 4 or shape[1] != vae.config.latent_channels or shape != rows["x_t"].shape:
        raise BadInput("These steps belong to another model. Open them with the model that made them.")
    outputs: list[Output] = []
    done, total = 0, 2 * len(rows["x0"])
    for what, latents in rows.items():
        tiles = []
        for one in latents:
            if context.stopped():
                yield Final((), {"stopped": True})
                return
            tile = Image.fromarray(pipelines.decode(vae, one[None]))
            tile.thumbnail((TILE, TILE))
            tiles.append(np.asarray(tile))
            done += 1
            yield Progress("decode", done, total, unit="images")
        meta = {"what": what, "count": len(tiles), "tile": [tiles[0].shape[1], tiles[0].shape[0]]}
        outputs.append(files.image_output(np.concatenate(tiles, 1), context.stamp, len(outputs), meta))
    yield Final(tuple(outputs), {"stopped": False, "notes": []})


def word_maps(request: Request, params: TextToImageParams, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of the picture and one heat map (grey, 0 … 255) for each word of the prompt.

    The U-Net that is watched is a copy that shares its weights.
    """
    base = loaded.parts["pipeline"]
    unet = getattr(base, "unet", None)
    if unet is None:
        raise BadInput("This model has no U-Net with cross-attention, so there are no word maps to show.")
    shared = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    private = copy.deepcopy(unet, shared)
    scheduler = pipelines.make_scheduler(base, params)
    pipeline = pipelines.for_task(base, params.task, scheduler)
    pipeline.register_modules(unet=private)
    read = weights.read(request.inputs["prompt"], weights=weights.takes(pipeline)).plain
    words = words_of(pipeline.tokenizer, read)[:WORDS_MAX]
    single = params.model_copy(update={"num_images": 1})
    watch = denoising.DenoisingWatch(context.stopped, context.skipped, keep=False)
    watch.attach(scheduler)
    picture, mask = _given(request, params, context)
    if mask is not None and not pipelines.blends_itself(pipeline):
        watch.blend = pipelines.inpainting(pipeline, scheduler, picture, mask, request.seed, [0])
    result: list[torch.Tensor] = []
    effects = _WordEffects(private)

    def run() -> None:
        with torch.inference_mode():
            effects.states = _with_and_without(pipeline, [word for word, _ in words], single)
            other = request.inputs.get("prompt_to", "")
            prompt, plain, embeds = pipelines.conditions(pipeline, request.inputs["prompt"], single, other)
            with suppress(Interrupted):
                last = pipelines.call(
                    pipeline, prompt, plain, [seeds.generator(request.seed)], embeds=embeds, image=picture, mask=mask
                )
                result.append(last)

    for _ in follow(run, watch):
        yield Progress("denoise", watch.step, watch.total)
    if not result:
        yield Final((), {"stopped": True})
        return
    yield Progress("decode", 0, 1)
    outputs = [files.image_output(pipelines.decode(base.vae, result[0]), context.stamp, 0, {"what": "picture"})]
    maps = effects.maps(params.height, params.width)  # words × height × width
    for (word, _), heat in zip(words, maps, strict=False):
        outputs.append(files.heat_output(heat.numpy(), len(outputs), {"word": word, "what": "heat"}))
    yield Final(tuple(outputs), {"stopped": False, "notes": []})


def _with_and_without(pipeline: Any, words: list[str], params: TextToImageParams) -> torch.Tensor | None:
    """Return the text encoder's states of the whole prompt, then of it without each word: 1 + words × tokens × width.

    None for no words. Weights and blends of the run have no part in it: words are compared as they stand.
    """
    known = inspect.signature(pipeline.encode_prompt).parameters
    values = {"device": torch.device("cpu"), "num_images_per_prompt": 1, "do_classifier_free_guidance": False,
              "clip_skip": params.clip_skip, "prompt_2": None}  # fmt: skip
    given = {name: value for name, value in values.items() if name in known}
    if not words:
        return None
    texts = [words, *(words[:at] + words[at + 1 :] for at in range(len(words)))]
    return torch.cat([pipeline.encode_prompt(prompt=" ".join(text), **given)[0] for text in texts])


def _given(request: Request, params: TextToImageParams, context: Context) -> tuple[Any, Any]:
    if params.task == "text to image":
        return None, None
    assert context.open_ref is not None
    size = (params.width, params.height)
    picture = files.fit(files.decode_upload(context.open_ref(request.inputs["image"])), *size)
    mask = files.decode_mask(context.open_ref(request.inputs["mask"]), size) if params.task == "inpaint" else None
    return picture, mask


def words_of(tokenizer: Any, prompt: str) -> list[tuple[str, list[int]]]:
    """Return the prompt's words, each with the places of its tokens in the encoder's input (the start token is 0)."""
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids[1:-1]
    found: list[tuple[str, list[int]]] = []
    begun = False
    for place, (number, token) in enumerate(zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True), 1):
        text = tokenizer.decode([number]).strip()
        if begun:
            word, places = found[-1]
            found[-1] = (word + text, [*places, place])
        else:
            found.append((text, [place]))
        begun = not token.endswith("</w>")
    return found


class _WordEffects:
    """Predict the noise without each word at every call of a U-Net, and add up where the prediction differs."""

    def __init__(self, unet: Any) -> None:
        self.states: torch.Tensor | None = None  # 1 + words × tokens × width: the whole prompt first
        self.sums: torch.Tensor | None = None  # words × height × width, in latents
        self._own = unet.forward
        unet.forward = self._forward

    def _forward(
        self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        """Predict as the U-Net does; the last row is the one with the prompt."""
        result = self._own(sample, timestep, encoder_hidden_states, *args, **kwargs)
        if self.states is None:
            return result
        alone = {name: _last(value, len(sample)) for name, value in kwargs.items()}
        whole, *others = (
            self._own(sample[-1:], timestep, states[None], *args, **alone)[0][0] for states in self.states
        )  # channels × height × width each
        effects = [(whole - other).float().square().mean(0).sqrt() for other in others]
        found = torch.stack(effects)
        self.sums = found if self.sums is None else self.sums + found
        return result

    def maps(self, height: int, width: int) -> torch.Tensor:
        """Return the map of each word, words × height × width, 0 … 1: the greatest effect of any word is 1."""
        if self.sums is None:
            return torch.zeros(0, height, width)
        large = F.interpolate(self.sums[None], (height, width), mode="bicubic", align_corners=False)[0].clamp(min=0)
        return large / large.max().clamp(min=1e-9)


def _last(value: Any, rows: int) -> Any:
    """Return the last row of every tensor that has a row per picture, in dictionaries too; all else as it is."""
    if isinstance(value, dict):
        return {name: _last(one, rows) for name, one in value.items()}
    return value[-1:] if isinstance(value, torch.Tensor) and value.ndim and len(value) == rows else value
