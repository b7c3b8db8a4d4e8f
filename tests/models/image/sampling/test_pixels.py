"""Pictures to tensors and back, and noise of each picture from its own seed."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from PIL import Image

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

from models.image.sampling import pixels  # noqa: E402


@given(drawn.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_every_picture_comes_back_as_it_was(picture):
    tensor = pixels.to_tensor(Image.fromarray(picture))
    assert tensor.shape == (1, 3, *picture.shape[:2])
    assert -1 <= float(tensor.min()) <= float(tensor.max()) <= 1
    assert np.array_equal(pixels.to_pixels(tensor[0]), picture)


@pytest.mark.parametrize(("value", "byte"), [(-3.0, 0), (-1.0, 0), (0.0, 128), (1.0, 255), (7.0, 255)])
def test_what_is_out_of_range_is_cut(value, byte):
    assert (pixels.to_pixels(torch.full((3, 2, 2), value)) == byte).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    assert pixels.to_tensor(Image.new(mode, (4, 3))).shape == (1, 3, 3, 4)


def noise(seed, number, strength=0.0, other=9):
    params = SimpleNamespace(variation_strength=strength, variation_seed=other)
    return pixels.seeded_noise((1, 4, 8, 8), seed, number, params)


def test_picture_k_of_seed_s_is_the_first_of_seed_s_plus_k():
    assert torch.equal(noise(5, 2), noise(7, 0))
    assert not torch.equal(noise(5, 2), noise(5, 3))


def test_a_variation_goes_from_one_noise_to_the_other_and_stays_as_strong():
    here, there = noise(5, 0), noise(9, 0)
    assert torch.equal(noise(5, 0, 1.0), there)
    distances = [float((noise(5, 0, share) - here).norm()) for share in (0.0, 0.25, 0.5, 1.0)]
    assert distances == sorted(distances)
    assert distances[0] == 0
    half = noise(5, 0, 0.5)
    assert abs(float(half.norm()) / float(here.norm()) - 1) < 0.15
