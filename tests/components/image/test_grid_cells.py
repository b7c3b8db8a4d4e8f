"""Pictures as cells of a grid, and the difference of two."""

import io

import numpy as np
from PIL import Image

from components.image import grid_cells
from models.types import Output


def output(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return Output("image", 0, data=file.getvalue(), media_type="image/png")


def read(one):
    return one.data


def pixels(tile):
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGB")).astype(int)


def test_a_small_picture_stays_as_it_is_and_a_large_one_is_made_smaller():
    given = np.arange(64 * 32 * 3).reshape(64, 32, 3) % 251
    tile = grid_cells.tile(output(given), read)
    assert (tile.kind, tile.small, tile.media_type) == ("seen", True, "image/png")
    assert (pixels(tile) == given).all()
    large = grid_cells.tile(output(np.zeros((300, 600, 3))), read)
    assert (large.small, pixels(large).shape) == (False, (96, 192, 3))


def test_a_difference_is_white_where_pixels_are_alike_and_dark_where_not():
    before = np.full((4, 4, 3), 100)
    after = before.copy()
    after[1, 2] = (130, 100, 100)  # 10 on the mean of three channels
    tile = grid_cells.difference(output(before), output(after), read)
    found = pixels(tile)[..., 0]
    assert found[1, 2] == 255 - 30
    assert (np.delete(found.ravel(), 6) == 255).all()
    assert tile.note == "0.6 of 255 apart"
    assert grid_cells.difference(output(before), output(before), read).note == "The same pixels."


def test_pictures_of_other_sizes_are_laid_on_one_another():
    small, large = np.full((8, 8, 3), 50), np.full((16, 16, 3), 50)
    assert grid_cells.difference(output(small), output(large), read).note == "The same pixels."
