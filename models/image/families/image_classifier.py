"""Classifiers of pictures: what a picture shows, as names with their probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models import plain_text
from models.errors import WeightsError, restore
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.image import files
from models.measures import Measure
from models.params import Params, hint
from models.types import Request, RunStats

if TYPE_CHECKING:
    from pathlib import Path

    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec
    from models.types import Output

SEES = "sees"  # the role of what names a picture
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  P[image] --> C[convolutions, around which the input goes]
  C --> F[768 features]
  F --> N[a score for each name]
  N --> S[probabilities: softmax]
  F --> Y[a score for each style]
```

A classifier gives each name that it learnt a score; the softmax turns the scores into probabilities that add up to 1.
A [residual network](https://arxiv.org/abs/1512.03385) adds each block's input to its output, so that a block learns
what to change. This one was trained on real emoji alone, turned, scaled and tinted at random, and never saw a generated
one: so it can say of a generated image whether it shows what was asked for.

It must always choose among its names: a photo of a dog gets the emoji that it resembles most. How far such
probabilities can be trusted is [a question of its own](https://arxiv.org/abs/1706.04599): labels were smoothed in
training, so that real emoji get 0.93 (the median) and not 1, and a drawn one that comes first may get 0.1.
"""


def _recognised(output: Output, asked: str, folder: Path) -> float | None:
    from models.image.looking import judging

    return judging.name_odds(output, asked, folder)


def _rank(output: Output, asked: str, folder: Path) -> float | None:
    from models.image.looking import judging

    return judging.name_rank(output, asked, folder)


class ImageClassifierParams(Params):
    """Declare what is told of what was seen."""

    top_k: int = Field(
        5, ge=1, le=20, description="How many names are listed, the likeliest first.",
        json_schema_extra=hint(label="Names listed", counts=True, step=1, group="Reading"),
    )  # fmt: skip


class ImageClassifier(Family[ImageClassifierParams]):
    """Run any `AutoModelForImageClassification` with its processor on an image."""

    name: ClassVar[str] = "image_classifier"
    saves: ClassVar[tuple[str, ...]] = ("txt", "md")
    title: ClassVar[str] = "Image recognition"
    task: ClassVar[str] = "image classification"
    in_short: ClassVar[str] = "Learnt to name images; it draws none."
    roles: ClassVar[frozenset[str]] = frozenset({SEES})
    reentrant: ClassVar[bool] = True
    modality: ClassVar[Modality] = "image"
    Params: ClassVar[type[Params]] = ImageClassifierParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("image", "image", True, "Image", "The image to recognise.", limits=files.LIMITS),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("recognised", "Recognised", _recognised, "", ("image",), "judged", heavy=True,
                help="Probability that a recogniser gives the image the name asked for. Real emoji: 0.9; near 0: it "
                "sees something else."),
        Measure("recognised_rank", "Recognised: rank", _rank, "", ("image",), "judged", heavy=True, places=1,
                help="Place of the name asked for among all that a recogniser knows. 1: it sees what was asked for."),
    )  # fmt: skip

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings; the seed never acts: there is no chance in it."""
        return tuple(
            replace(item, shown_if={"top_k": ()}) if item.type == "seed" else item for item in super().fields(spec)
        )

    def load(self, spec: ModelSpec) -> Loaded:
        """Read weights and processor; see `Family.load`."""
        import torch
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        import models.image.nets.emoji_judge  # noqa: F401 - registers ours with the Auto classes

        folder = spec.folder()
        model = AutoModelForImageClassification.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
        )
        processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "processor": processor})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the number of names and, where it tells them apart, the styles, read from config.json."""
        try:
            config = json.loads((spec.folder() / "config.json").read_text("utf-8"))
            found = {"labels": len(config["id2label"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{spec.id}: config.json is missing or damaged. {restore()}") from error
        return {**found, **({"styles": config["styles"]} if config.get("styles") else {})}

    def script(self, spec: ModelSpec, request: Request, params: ImageClassifierParams) -> Script:
        """Return a classifier of transformers; see `Family.script`."""
        from models.image.scripts import classifier

        return classifier.script(spec, request, params)

    def generate(
        self, spec: ModelSpec, request: Request, params: ImageClassifierParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Name an image: one text, a line for each name with its probability; see `Family.generate`."""
        import torch

        yield Progress("recognise", 0, 1, unit="images")
        if context.stopped():
            yield Final((), {"steps": 0, "stopped": True, "notes": []})
            return
        assert context.open_ref is not None
        picture = files.decode_upload(context.open_ref(request.inputs["image"]))
        model, known = loaded.parts["model"], spec.facts.get("styles", [])
        with torch.inference_mode():
            given = loaded.parts["processor"](picture, return_tensors="pt")["pixel_values"]  # 1 × 3 × side × side
            odds = model(given).logits[0].float().softmax(-1)  # names
            styles = model.style_logits(given)[0].softmax(-1) if known else ()
        likeliest = odds.topk(min(params.top_k, len(odds)))
        seen = _listed([model.config.id2label[at] for at in likeliest.indices.tolist()], likeliest.values)
        text = "\n".join(f"{one['label']}: {one['probability']:.1%}" for one in seen)
        meta = {"seen": seen, "styles": _listed(known, styles), "aloud": seen[0]["label"]}
        stats: RunStats = {"steps": 1, "stopped": False, "notes": []}
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)


def _listed(labels: Sequence[str], odds: Sequence[Any]) -> list[dict[str, Any]]:
    """Return names with their probabilities as plain JSON."""
    return [
        {"label": label, "probability": round(float(value), 4)} for label, value in zip(labels, odds, strict=True)
    ]  # fmt: skip
