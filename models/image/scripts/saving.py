"""What the scripts of this room share: noise from a seed, pictures read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.scripts import Part
from models.stamps import file_name

if TYPE_CHECKING:
    from models.spec import ModelSpec
    from models.types import Request

PIXELS = "((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()"
IMPORTS = ("from PIL import Image",)
_CHUNK, _BIG_BYTES = 4, 500_000_000  # as `models.image.sampling.drawing` has them, which needs torch
UPLOADS = (
    "an uploaded image is a file beside this script; the playground first lays transparency on white and turns other "
    "colour spaces into sRGB, so give an opaque sRGB image of 8 bits."
)


def chunk(spec: ModelSpec) -> int:
    """Return how many images the playground denoises together: single ones may differ from them in the last bit."""
    return 1 if spec.weights_bytes() > _BIG_BYTES else _CHUNK


def save(request: Request) -> Part:
    """Return the part that writes `images` (arrays of uint8, height × width × 3) into PNG files."""
    stem, ending = file_name(request.model, request.seed, media_type="image/png").rsplit(".", 1)
    lines = [
        "for number, pixels in enumerate(images):",
        f'    name = {stem!r} + (f"-{{number + 1}}" if number else "") + {f".{ending}"!r}',
        "    Image.fromarray(pixels).save(name)",
        "    print(name)",
    ]
    return Part("Save", "\n".join(lines))


def generator(seed: str = "SEED + number") -> str:
    """Return the expression for a picture's own generator: image n is a single run with seed + n − 1."""
    return f'torch.Generator("cpu").manual_seed(({seed}) % 2**32)'
