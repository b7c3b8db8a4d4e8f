"""What is measured of pictures: exact small values, bounds, and what does not change them."""

import io

import numpy as np
import pytest
from PIL import Image

from models.image import measures
from models.types import Output


def picture(pixels, mode=None):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(file, "PNG")
    return Output("image", data=file.getvalue(), media_type="image/png")


def plain(*colour, side=16):
    return picture(np.full((side, side, len(colour)), colour))


def noise(seed=0, side=16):
    return picture(np.random.default_rng(seed).integers(0, 256, (side, side, 3)))


def value(name, *outputs):
    return next(one for one in measures.MEASURES if one.name == name).of(*outputs)


def test_plain_areas():
    assert value("brightness", plain(255, 255, 255)) == pytest.approx(1)
    assert value("brightness", plain(0, 0, 0)) == 0
    assert value("brightness", plain(0, 255, 0)) == pytest.approx(0.7152)
    assert value("sharpness", plain(9, 99, 199)) == pytest.approx(0)
    assert value("colourfulness", plain(77, 77, 77)) == pytest.approx(0)
    # all pixels red: no spread, the mean alone: 0.3 × √(255² + 127.5²)
    assert value("colourfulness", plain(255, 0, 0)) == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_one_bright_pixel_is_as_sharp_as_its_laplacian():
    dot = np.zeros((5, 5, 3))
    dot[2, 2] = 255
    laplacian = np.zeros((5, 5))
    laplacian[2, 2] = -4 * 255
    for at in ((1, 2), (3, 2), (2, 1), (2, 3)):
        laplacian[at] = 255
    assert value("sharpness", picture(dot)) == pytest.approx(laplacian.var())


def test_turning_and_mirroring_change_nothing_but_the_place():
    pixels = np.random.default_rng(1).integers(0, 256, (12, 20, 3)).astype(np.uint8)
    for name in ("sharpness", "colourfulness", "brightness"):
        found = [value(name, picture(one)) for one in (pixels, pixels[::-1], pixels.transpose(1, 0, 2))]
        assert found == pytest.approx([found[0]] * 3), name


def test_a_picture_is_like_itself_and_less_like_another():
    same, other, near = noise(), noise(1), np.asarray(Image.open(io.BytesIO(noise().data))).astype(int)
    near = picture(np.clip(near + 3, 0, 255))
    assert value("ssim", same, same) == pytest.approx(1)
    assert value("psnr_db", same, same) == 100
    assert value("ssim", near, same) > 0.9 > 0.5 > abs(value("ssim", other, same))
    assert value("ssim", near, same) == pytest.approx(value("ssim", same, near))
    assert value("psnr_db", plain(10, 10, 10), plain(20, 20, 20)) == pytest.approx(20 * np.log10(255 / 10))
    for name in ("ssim", "psnr_db"):
        assert value(name, noise(side=16), noise(side=24)) is None
    assert value("ssim", noise(side=4), noise(side=4)) is None


def test_what_is_clear_is_white():
    assert value("brightness", picture(np.zeros((8, 8, 4)))) == pytest.approx(1)


def test_the_pixel_difference_is_of_all_colours_and_of_any_size():
    assert value("pixel_difference", plain(0, 0, 0), plain(255, 255, 255)) == pytest.approx(1)
    assert value("pixel_difference", plain(255, 0, 0), plain(0, 255, 0)) == pytest.approx((2 / 3) ** 0.5)
    assert value("pixel_difference", noise(1), noise(1)) == 0
    assert value("pixel_difference", plain(9, 9, 9, side=16), plain(9, 9, 9, side=24)) == 0
    between = value("pixel_difference", noise(1), noise(2, side=24))
    assert between == value("pixel_difference", noise(2, side=24), noise(1)) > 0.1


def test_pixels_changed_count_however_little_they_differ():
    pixels = np.zeros((10, 10, 3), np.uint8)
    black = picture(pixels)
    pixels[0, :5, 2] = 1
    assert value("pixels_changed", picture(pixels), black) == pytest.approx(5)
    assert value("pixels_changed", black, black) == 0
    assert value("pixels_changed", plain(1, 1, 1), black) is None  # of another size
