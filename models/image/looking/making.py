"""Short jobs that show how a picture was made: its kept steps decoded, and where each word of the prompt acted.

Word maps: cross-attention averaged over heads, layers and steps, as in DAAM (Tang et al. 2022).
"""

from __future__ import annotations

import copy
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
            yield Progress("decode", done, total)
        meta = {"what": what, "count": len(tiles), "tile": [tiles[0].shape[1], tiles[0].shape[0]]}
        outputs.append(files.image_output(np.concatenate(tiles, 1), context.stamp, len(outputs), meta))
    yield Final(tuple(outputs), {"stopped": False, "notes": []})


def word_maps(request: Request, params: TextToImageParams, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of the picture and one heat map (grey, 0 … 255) for each word of the prompt.

    The recording attention processors are set on a copy of the U-Net that shares its weights.
    """
    base = loaded.parts["pipeline"]
    unet = getattr(base, "unet", None)
    if unet is None:
        raise BadInput("This model has no U-Net with cross-attention, so there are no word maps to show.")
    shared = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    private = copy.deepcopy(unet, shared)
    attention_maps = _AttentionMaps()
    for name, module in private.named_modules():
        if name.endswith("attn2"):
            module.set_processor(_RecordingProcessor(attention_maps))
    scheduler = pipelines.make_scheduler(base, params)
    pipeline = pipelines.for_task(base, params.task, scheduler)
    pipeline.register_modules(unet=private)
    single = params.model_copy(update={"num_images": 1})
    watch = denoising.DenoisingWatch(context.stopped, context.skipped, keep=False)
    watch.attach(scheduler)
    picture, mask = _given(request, params, context)
    if mask is not None and not pipelines.blends_itself(pipeline):
        watch.blend = pipelines.inpainting(pipeline, scheduler, picture, mask, request.seed, [0])
    result: list[torch.Tensor] = []

    def run() -> None:
        with torch.inference_mode():
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
    maps = attention_maps.maps(params.height, params.width)  # tokens × height × width
    read = weights.read(request.inputs["prompt"], weights=weights.takes(pipeline)).plain
    for word, tokens in words_of(pipeline.tokenizer, read)[:WORDS_MAX]:
        heat = maps[[token for token in tokens if token < len(maps)]].mean(0) if tokens[0] < len(maps) else None
        if heat is None:
            break  # beyond what the text encoder reads
        heat = (heat - heat.min()) / (heat.max() - heat.min()).clamp(min=1e-9)
        outputs.append(files.heat_output(heat.numpy(), len(outputs), {"word": word, "what": "heat"}))
    yield Final(tuple(outputs), {"stopped": False, "notes": []})


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


class _AttentionMaps:
    """Add up cross-attention, separately for each size of grid."""

    def __init__(self) -> None:
        self.sums: dict[int, torch.Tensor] = {}  # positions -> tokens × positions
        self.counts: dict[int, int] = {}

    def add(self, attention: torch.Tensor) -> None:
        """Add attention (batch × heads × positions × tokens); the last of the batch is the one with the prompt."""
        mean = attention[-1].mean(0).T.float()  # tokens × positions
        places = mean.shape[1]
        self.sums[places] = self.sums.get(places, 0) + mean
        self.counts[places] = self.counts.get(places, 0) + 1

    def maps(self, height: int, width: int) -> torch.Tensor:
        """Return the mean map of each token, tokens × height × width."""
        together: list[torch.Tensor] = []
        for places, total in self.sums.items():
            rows = max(1, round((places * height / width) ** 0.5))
            grid = (total / self.counts[places]).view(1, len(total), rows, places // rows)
            together.append(F.interpolate(grid, (height, width), mode="bicubic", align_corners=False)[0])
        return torch.stack(together).mean(0).clamp(min=0)


class _RecordingProcessor:
    """Attend as diffusers' plain processor does, and add the weights to the maps."""

    def __init__(self, attention_maps: _AttentionMaps) -> None:
        self.attention_maps = attention_maps

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None, temb: Any = None, *args: Any, **kwargs: Any,
    ) -> torch.Tensor:  # fmt: skip
        assert encoder_hidden_states is not None
        batch = len(hidden_states)
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))  # batch · heads × positions × width
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        value = attn.head_to_batch_dim(attn.to_v(encoder_hidden_states))
        attention = attn.get_attention_scores(query, key, attention_mask)  # batch · heads × positions × tokens
        self.attention_maps.add(attention.view(batch, -1, *attention.shape[1:]))
        out: torch.Tensor = attn.to_out[0](attn.batch_to_head_dim(torch.bmm(attention, value)))
        return out / attn.rescale_output_factor
