"""Amounts as people read them: a small one is not rounded to nothing."""

import pytest

from models.amounts import size, span


@pytest.mark.parametrize(
    ("seconds", "words"), [(8, "8 s"), (240, "4 minutes"), (7190, "120 minutes"), (36_000, "10 hours")]
)
def test_a_forecast_is_said_in_the_unit_that_fits(seconds, words):
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 MB"), (1, "1 byte"), (740, "740 bytes"), (1_000, "1 kB"), (1_240, "1.2 kB"), (12_345, "12 kB"),
     (999_499, "999 kB"), (999_500, "1 MB"), (8_500_000, "8.5 MB"), (120_400_000, "120 MB"), (1.24e9, "1.2 GB")],
)  # fmt: skip
def test_a_number_of_bytes_is_said_in_the_unit_that_fits(count, words):
    assert size(count) == words
