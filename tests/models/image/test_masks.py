"""Masks: cropped and scaled as their picture is, painted on black, white or nothing at all."""

import numpy as np
import pytest
from PIL import Image

from models.image import files
from tests.models.image.test_files import encoded


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 96)])
@pytest.mark.parametrize("shape", [(200, 100), (100, 200), (64, 64), (130, 77), (333, 1000)])
def test_what_is_redrawn_is_where_it_was_painted_in_a_picture_of_any_shape(shape, size):
    rows, columns = np.mgrid[0 : shape[1], 0 : shape[0]]
    spot = (columns - shape[0] * 0.45) ** 2 + (rows - shape[1] * 0.55) ** 2 < (min(shape) / 5) ** 2
    picture = Image.fromarray(np.where(spot[..., None], (255, 0, 0), (0, 0, 255)).astype(np.uint8))
    mask = Image.fromarray(np.where(spot, 255, 0).astype(np.uint8))
    seen = np.asarray(files.fit(files.decode_upload(encoded(picture)), *size))[..., 0] > 127
    taken = np.asarray(files.decode_mask(encoded(mask), size)) > 127
    assert taken.shape == (size[1], size[0])
    assert (seen ^ taken).mean() < 0.04  # the edge alone: one is smoothed, the other is not
    assert (seen & taken).sum() > 0.8 * seen.sum() > 0


@pytest.mark.parametrize(
    ("ground", "stroke"),
    [((0, 0, 0, 0), (255, 255, 255, 255)), ((255, 255, 255, 0), (0, 0, 0, 255)), ((0, 0, 0, 0), (255, 0, 0, 128)),
     ((9, 9, 9, 0), (20, 20, 20, 60)), ((0, 0, 0, 255), (255, 255, 255, 255))],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "palette"])
def test_what_was_painted_is_redrawn_and_what_is_transparent_is_kept(ground, stroke, kind):
    picture = Image.new("RGBA", (64, 64), ground)
    picture.paste(stroke, (16, 16, 48, 48))
    if kind == "palette":
        data = encoded(picture.quantize(8, Image.Quantize.FASTOCTREE))
    else:
        data = encoded(picture, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    mask = np.asarray(files.decode_mask(data, (64, 64)))
    assert (mask[16:48, 16:48] == 255).all()
    assert mask.sum() == 255 * 32 * 32


def test_a_transparent_key_is_transparent_in_a_mask_too():
    grey = Image.new("L", (64, 64), 255)
    grey.paste(0, (0, 0, 32, 64))
    mask = np.asarray(files.decode_mask(encoded(grey, transparency=255), (64, 64)))
    assert (mask[:, :32] == 255).all()
    assert not mask[:, 32:].any()


def test_white_and_black_on_transparent_ground_have_the_white_redrawn():
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    picture.paste((255, 255, 255, 255), (0, 0, 20, 60))
    picture.paste((0, 0, 0, 255), (20, 0, 40, 60))
    mask = np.asarray(files.decode_mask(encoded(picture), (60, 60)))
    assert (mask[:, :20] == 255).all()
    assert not mask[:, 20:].any()


def test_nothing_painted_on_nothing_redraws_nothing():
    assert not np.asarray(files.decode_mask(encoded(Image.new("RGBA", (32, 32), (9, 9, 9, 0))), (32, 32))).any()


def test_a_mask_in_the_shape_of_the_run_is_taken_as_it_always_was():
    values = np.random.default_rng(3).integers(0, 255, (128, 96, 3), np.uint8)
    given = Image.fromarray(values)
    before = given.convert("L").resize((48, 64), Image.Resampling.NEAREST).point(lambda value: 255 * (value > 127))
    assert files.decode_mask(encoded(given), (48, 64)).tobytes() == before.tobytes()


def test_a_mask_is_shown_over_its_picture_with_the_share_that_is_redrawn():
    mask = Image.new("L", (40, 40), 0)
    mask.paste(255, (0, 0, 10, 40))
    over, share = files.mask_over(Image.new("RGB", (40, 40), "white"), mask)
    assert share == 0.25
    assert over.getpixel((30, 5)) == (255, 255, 255)
    assert over.getpixel((3, 5))[2] > over.getpixel((3, 5))[1] < 200
