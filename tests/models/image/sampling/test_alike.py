"""Near copies over seeds are told from pictures that differ."""

import numpy as np

from models.image.sampling.alike import remembered


def picture(x, shade=0):
    found = np.full((64, 64, 3), 255, np.uint8)
    found[16:48, x : x + 32] = shade
    return found


def test_copies_that_differ_by_a_pixel_or_a_shade_are_remembered():
    assert remembered([picture(16), picture(17), picture(16, 10)])


def test_one_that_differs_is_enough():
    assert not remembered([picture(16), picture(16), picture(32)])
    assert not remembered([picture(16), picture(16, 120)])


def test_one_picture_alone_says_nothing():
    assert not remembered([picture(16)])
    assert not remembered([])
