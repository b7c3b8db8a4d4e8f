"""What is measured of pictures. Each is decoded as it was saved, and laid on white where it is clear."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from models.measures import Measure
from models.types import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float64]

PSNR_MOST_DB = 100.0  # of pictures that are the same, whose ratio is infinite
_WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in lightness: ITU-R BT.709
_WINDOW = 7  # px, of the structural similarity


def pixels(output: Output) -> Pixels:
    """Return a picture, height × width × 3 (red, green, blue), 0 … 255."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(output.data)) as opened:
        clear = opened.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return np.asarray(Image.alpha_composite(white, clear).convert("RGB"), np.float64)


def grey(picture: Pixels) -> Pixels:
    """Return a picture's luma, height × width, 0 … 255."""
    import numpy as np

    luma: Pixels = picture @ np.array(_WEIGHTS)
    return luma


def similarity(output: Output, reference: Output) -> float | None:
    """Return the structural similarity of two pictures, −1 … 1, by scikit-image; None where their sizes differ.

    Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity, on the luma.
    """
    from skimage.metrics import structural_similarity

    a, b = grey(pixels(output)), grey(pixels(reference))
    if a.shape != b.shape or min(a.shape) < _WINDOW:
        return None
    return float(structural_similarity(a, b, data_range=255.0, win_size=_WINDOW))


def signal_to_noise(output: Output, reference: Output) -> float | None:
    """Return the peak signal-to-noise ratio in dB, at most `PSNR_MOST_DB`; None where their sizes differ."""
    from skimage.metrics import peak_signal_noise_ratio

    a, b = pixels(output), pixels(reference)
    if a.shape != b.shape:
        return None
    if (a == b).all():
        return PSNR_MOST_DB
    found = peak_signal_noise_ratio(b, a, data_range=255.0)
    return min(PSNR_MOST_DB, float(found))


def difference(output: Output, reference: Output) -> float:
    """Return the root mean square difference of two pictures' red, green and blue, 0 the same … 1 black and white.

    The smaller one is scaled to the size of the other (bicubic).
    """
    import numpy as np
    from PIL import Image

    a, b = sorted((pixels(output), pixels(reference)), key=lambda one: (one.shape[0] * one.shape[1], one.shape))
    if a.shape != b.shape:
        small = Image.fromarray(a.astype(np.uint8)).resize((b.shape[1], b.shape[0]), Image.Resampling.BICUBIC)
        a = np.asarray(small, np.float64)
    return float(np.sqrt(((a - b) ** 2).mean()) / 255)


def pixels_changed(output: Output, reference: Output) -> float | None:
    """Return the share of pixels that two pictures do not have alike, in percent; None where their sizes differ."""
    a, b = pixels(output), pixels(reference)
    return float((a != b).any(axis=-1).mean() * 100) if a.shape == b.shape else None


def sharpness(output: Output) -> float:
    """Return the variance of the Laplacian of the luma (0 … 255): 0 for a plain area, higher the finer the edges.

    Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy: a comparative study.
    """
    from scipy.ndimage import laplace

    return float(laplace(grey(pixels(output)), mode="nearest").var())


def colourfulness(output: Output) -> float:
    """Return how colourful a picture is: 0 for grey, about 15 for slightly, 59 for quite, above 100 for extremely.

    Hasler & Süsstrunk 2003, Measuring Colourfulness in Natural Images, equation 2 and table 2.
    """
    red, green, blue = (pixels(output)[..., at] for at in range(3))
    across, along = red - green, (red + green) / 2 - blue
    spread = math.hypot(across.std(), along.std())
    return spread + 0.3 * math.hypot(across.mean(), along.mean())


def brightness(output: Output) -> float:
    """Return the mean luma, 0 (black) … 1 (white)."""
    return float(grey(pixels(output)).mean() / 255)


_KINDS = ("image",)
MEASURES = (
    Measure("ssim", "Similarity (SSIM)", similarity, "", _KINDS, "pair", heavy=True,
            help="Structural similarity to the reference of the same seed. 1: the same; 0: nothing in common."),
    Measure("psnr_db", "Closeness (PSNR)", signal_to_noise, "dB", _KINDS, "pair", heavy=True, places=1,
            help="Peak signal-to-noise ratio to the reference of the same seed. Higher is closer; 100: the same."),
    Measure("pixel_difference", "Pixel difference", difference, "", _KINDS, "pair", heavy=True, apart=True, places=3,
            help="Root mean square difference to the reference of the same seed. 0: the same; 1: black against white."),
    Measure("pixels_changed", "Pixels changed", pixels_changed, "%", _KINDS, "pair", heavy=True, places=1,
            help="Share of pixels that are not those of the reference of the same seed, however little they differ."),
    Measure("sharpness", "Sharpness", sharpness, "", _KINDS, heavy=True, places=0,
            help="Variance of the Laplacian: how much fine detail and noise there is. 0: a plain area."),
    Measure("colourfulness", "Colourfulness", colourfulness, "", _KINDS, heavy=True, places=1,
            help="By Hasler and Süsstrunk. 0: grey; 15: slightly; 59: quite colourful; above 100: extremely."),
    Measure("brightness", "Brightness", brightness, "", _KINDS, heavy=True, help="Mean lightness. 0: black, 1: white."),
)  # fmt: skip
