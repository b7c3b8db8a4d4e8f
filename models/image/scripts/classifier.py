"""The script that names an image again: an image classifier of transformers, ours by its carried source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from models.image.scripts.saving import IMPORTS, UPLOADS
from models.scripts import Part, Script, constants, weights
from models.stamps import file_name

if TYPE_CHECKING:
    from models.image.families.image_classifier import ImageClassifierParams
    from models.spec import ModelSpec
    from models.types import Request

# by `model_type` of config.json: architectures that transformers does not have
_OWN_TYPES = {"playground_emoji_judge": "models.image.nets.emoji_judge:EmojiJudge"}


def script(spec: ModelSpec, request: Request, params: ImageClassifierParams) -> Script:
    """Return the script of a request; see `Family.script`."""
    folder, imports = weights(spec)
    kind = json.loads((spec.folder() / "config.json").read_text("utf-8"))["model_type"] if spec.here else ""
    load = [
        "model = AutoModelForImageClassification.from_pretrained(WEIGHTS, dtype=torch.float32).eval()",
        "processor = AutoImageProcessor.from_pretrained(WEIGHTS)",
    ]
    look = [
        'picture = ImageOps.exif_transpose(Image.open(IMAGE)).convert("RGB")',
        "with torch.inference_mode():",
        '    pixels = processor(picture, return_tensors="pt")["pixel_values"]  # 1 × 3 × side × side',
        "    odds = model(pixels).logits[0].float().softmax(-1)  # one probability per name",
        "found = odds.topk(min(NAMES, len(odds)))",
    ]
    name = file_name(spec.id, request.seed)
    show = [
        "rows = [(model.config.id2label[at], round(float(value), 4)) for at, value in",
        "        zip(found.indices.tolist(), found.values, strict=True)]",
        'text = "\\n".join(f"{label}: {probability:.1%}" for label, probability in rows)',
        f'Path({name!r}).write_text(text, "utf-8", newline="\\n")',
        "print(text)",
    ]
    return Script(
        f"{folder}\n{constants(IMAGE='image.png', NAMES=params.top_k)}",
        (Part("Load", "\n".join(load)), Part("Look", "\n".join(look)), Part("Show", "\n".join(show))),
        ("import torch", "from PIL import ImageOps", *IMPORTS, *imports,
         "from transformers import AutoImageProcessor, AutoModelForImageClassification"),
        (_OWN_TYPES[kind],) if kind in _OWN_TYPES else (), (UPLOADS,),
    )  # fmt: skip
