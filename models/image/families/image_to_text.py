"""Models that say in words what an image shows: an encoder of images and decoders that write word by word."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import WeightsError, restore
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.image import files
from models.image.caption_settings import BOTH, WRITERS, CaptionParams
from models.params import Params, ShownIf

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec
    from models.types import Request, RunStats

CAPTIONS = "captions"  # the role of what says in words what an image shows
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  P[image] --> C[convolutions]
  C --> G[grid of 8 × 8 features]
  G -->|attention: where to look for this word?| L[LSTM: one state, word after word]
  G -->|cross-attention| T[Transformer: attends to all words so far]
  L --> A[“red heart, 3d”]
  T --> B[“red heart, 3d”]
```

Image captioning is where recurrent networks are introduced: the encoder turns the image into a grid of features, and a
decoder writes one word at a time. Before each word it attends to the grid: it weighs the places by how much they matter
now, and reads their mean ([Show, Attend and Tell](https://arxiv.org/abs/1502.03044)). The LSTM has only its state to
remember what it wrote; the [Transformer](https://arxiv.org/abs/1706.03762) attends to every word before, too. Both
share one encoder and were trained at once on the same images, so that what differs is the decoder alone.

A caption's probability is the product of its words'. The likeliest word each time need not make the likeliest caption:
beam search follows several at once. Sampling draws each word by chance; the higher the temperature, the more names mix.
Attention tells where a decoder read, not why it chose the word.
"""


class ImageToText(Family[CaptionParams]):
    """Run a captioner of this package: one encoder, and each of its decoders by name."""

    name: ClassVar[str] = "image_to_text"
    saves: ClassVar[tuple[str, ...]] = ("txt", "md")
    title: ClassVar[str] = "Image captioning"
    task: ClassVar[str] = "image to text"
    in_short: ClassVar[str] = "Learnt to write an image's name word by word; it draws none."
    called: ClassVar[str] = "caption captioning describe"
    roles: ClassVar[frozenset[str]] = frozenset({CAPTIONS})
    modality: ClassVar[Modality] = "image"
    reentrant: ClassVar[bool] = True
    seed_shown_if: ClassVar[ShownIf] = {"do_sample": (True,)}
    Params: ClassVar[type[Params]] = CaptionParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("image", "image", True, "Image", "The image to describe.", limits=files.LIMITS),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read weights, processor and words; see `Family.load`."""
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer

        from models.image.nets.captioner import Captioner

        folder = spec.folder()
        model = Captioner.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
        processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "processor": processor, "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the number of words and the styles, read from config.json."""
        try:
            config = json.loads((spec.folder() / "config.json").read_text("utf-8"))
            return {"vocabulary_size": int(config["vocab_size"]), "styles": [str(one) for one in config["styles"]]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{spec.id}: config.json is missing or damaged. {restore()}") from error

    def script(self, spec: ModelSpec, request: Request, params: CaptionParams) -> Script:
        """Return a captioner whose net is carried along; see `Family.script`."""
        from models.image.scripts import captioner

        return captioner.script(spec, request, params)

    def generate(
        self, spec: ModelSpec, request: Request, params: CaptionParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Write captions with each decoder that is asked for: one text, a line for each; see `Family.generate`."""
        import torch

        from models.image.sampling.captioning import Captioning
        from models.watching import Interrupted

        writers = list(WRITERS) if params.decoder == BOTH else [params.decoder]
        yield Progress("describe", 0, len(writers), unit="decoders")
        assert context.open_ref is not None
        picture = files.decode_upload(context.open_ref(request.inputs["image"]))
        found: list[dict[str, Any]] = []
        with torch.inference_mode():
            image = loaded.parts["processor"](picture, return_tensors="pt")["pixel_values"]  # 1 × 3 × side × side
            work = Captioning(loaded.parts["model"], loaded.parts["tokenizer"], image, params, context.stopped)
            for at, writer in enumerate(writers):
                try:
                    found.append({"decoder": writer, "captions": work.write(writer, request.seed)})
                except Interrupted:
                    break
                yield Progress("describe", at + 1, len(writers), unit="decoders")
        stopped = len(found) < len(writers)
        stats: RunStats = {
            "steps": work.words, "counted": "word" if work.words == 1 else "words", "stopped": stopped,
            "notes": _notes(params, work.cut_off),
        }  # fmt: skip
        if not found:
            yield Final((), stats)
            return
        first = max((one["captions"][0] for one in found), key=lambda one: float(one["probability"]))
        meta = {"captioned": found, "grid": work.grid, "picture": _seen(image), "aloud": first["text"]}
        yield Final((plain_text.text_output(_lines(found), context.stamp, 0, meta),), stats)


def said(writer: str, caption: Mapping[str, Any]) -> str:
    """Return a caption with its decoder, its probability and how often it came: "LSTM: heart (93.0%, 2 times)"."""
    times = f", {caption['count']} times" if caption.get("count", 1) > 1 else ""
    return f"{WRITERS.get(writer, writer)}: {caption['text']} ({caption['probability']:.1%}{times})"


def _lines(found: list[dict[str, Any]]) -> str:
    return "\n".join(said(one["decoder"], caption) for one in found for caption in one["captions"])


def _notes(params: CaptionParams, cut_off: int) -> list[str]:
    notes = []
    if not params.do_sample and params.captions > params.num_beams:
        beams = "1 caption" if params.num_beams == 1 else f"{params.num_beams} captions"
        notes.append(f"{beams} of each decoder, not {params.captions}: no more than beams. Raise Beams.")
    if cut_off:
        notes.append(f"{cut_off} caption{'s' * (cut_off != 1)} had come to no end and "
                     f"{'was' if cut_off == 1 else 'were'} cut off: the model writes no more words.")  # fmt: skip
    return notes


def _seen(image: Any) -> str:
    """Return the image as the model got it (1 × 3 × side × side, −1 … 1) as a PNG in base64: maps are laid on it."""
    import numpy as np

    pixels = ((image[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return base64.b64encode(files.preview_output(pixels).data).decode("ascii")
