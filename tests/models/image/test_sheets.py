"""Strips, films and maps of heat: sizes, order, loops, equal bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from models.errors import PlaygroundError
from models.image import sheets


def png(colour, size=(64, 48), mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def opened(data):
    return Image.open(io.BytesIO(data))


COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
FRAMES = [png(colour) for colour in COLOURS]


def test_a_strip_holds_the_pictures_in_order_pixel_for_pixel():
    strip = opened(sheets.strip(FRAMES))
    assert strip.size == (5 * 64, 48)
    assert [strip.getpixel((index * 64 + edge, 47)) for index in range(5) for edge in (0, 63)] == [
        colour for colour in COLOURS for _ in range(2)
    ]


def test_a_strip_of_unequal_pictures_takes_the_size_of_the_first():
    strip = opened(sheets.strip([FRAMES[0], png((9, 9, 9), (32, 32))]))
    assert strip.size == (128, 48)
    assert strip.getpixel((127, 47)) == (9, 9, 9)


def test_tiles_are_small_and_keep_their_shape():
    sheet, tile = sheets.tiles([png((1, 2, 3), (600, 300)), png((4, 5, 6), (600, 300))], 200)
    assert tile == (200, 100)
    assert opened(sheet).size == (400, 100)
    assert sheets.tiles(FRAMES)[1] == (64, 48)  # never enlarged


def test_a_thumbnail_of_a_small_picture_is_that_picture():
    assert sheets.thumbnail(FRAMES[0], 64) is FRAMES[0]
    assert opened(sheets.thumbnail(png((0, 0, 0), (300, 100)), 150)).size == (150, 50)


@pytest.mark.parametrize("count, frames", [(1, 1), (2, 2), (3, 4), (5, 8)])
def test_a_film_goes_there_and_back_for_ever(count, frames):
    film = opened(sheets.gif(FRAMES[:count]))
    assert getattr(film, "n_frames", 1) == frames
    seen = []
    for index in range(frames):
        film.seek(index)
        seen.append(film.convert("RGB").getpixel((5, 5)))
    there = list(range(count))
    assert seen == [COLOURS[index] for index in [*there, *there[-2:0:-1]]]
    if frames > 1:
        assert film.info["loop"] == 0


def test_a_film_of_small_pictures_is_enlarged_by_a_whole_number():
    assert opened(sheets.gif(FRAMES)).size == (256, 192)
    assert opened(sheets.gif([png((1, 1, 1), (300, 200))])).size == (300, 200)


def test_the_pace_of_a_film():
    film = opened(sheets.gif(FRAMES, fps=4))
    film.seek(1)
    assert film.info["duration"] == 250


def test_equal_pictures_give_equal_bytes():
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(3):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(file, "PNG")
        frames.append(file.getvalue())
    for make in (sheets.strip, sheets.gif):
        assert make(frames) == make(list(frames))
    assert sheets.heat_over(frames[0], FRAMES[0]) == sheets.heat_over(frames[0], FRAMES[0])


def test_heat_is_pale_where_little_and_strong_where_much():
    heat = np.zeros((48, 64), dtype=np.uint8)
    heat[:, 32:] = 255
    file = io.BytesIO()
    Image.fromarray(heat).save(file, "PNG")
    covered = opened(sheets.heat_over(png((200, 30, 30)), file.getvalue()))
    assert covered.size == (64, 48)
    cold, hot = np.array(covered.getpixel((0, 0)), int), np.array(covered.getpixel((63, 0)), int)
    assert np.ptp(cold) <= 2  # grey: only heat has colour
    assert hot[2] - hot[1] > 80
    assert cold.mean() - hot.mean() > 30


def test_heat_of_another_size_is_fitted():
    assert opened(sheets.heat_over(FRAMES[0], png(255, (8, 8), "L"))).size == (64, 48)


def test_below_heat_a_picture_is_enlarged_pixel_for_pixel():
    chess, file = np.indices((6, 8)).sum(0) % 2 * np.uint8(200), io.BytesIO()
    Image.fromarray(chess.astype(np.uint8)).save(file, "PNG")
    plain, large = (np.asarray(opened(sheets.heat_over(file.getvalue(), png(0, (2, 2), "L"), times)))
                    for times in (1, 3))  # fmt: skip
    assert np.array_equal(large, plain.repeat(3, 0).repeat(3, 1))


def test_the_legend_runs_from_nothing_to_much():
    row = np.asarray(opened(sheets.heat_legend(100, 4)))[0].astype(int)
    assert np.ptp(row[0]) <= 2
    assert row[-1][2] - row[-1][1] > 80
    assert opened(sheets.heat_legend(100, 4)).size == (100, 4)


@pytest.mark.parametrize("make", [sheets.strip, sheets.gif, sheets.tiles])
def test_no_picture_and_a_damaged_one_are_sentences(make):
    with pytest.raises(PlaygroundError, match="no picture"):
        make([])
    for broken in (b"", b"not a png", FRAMES[0][:60]):
        with pytest.raises(PlaygroundError, match="damaged"):
            make([FRAMES[0], broken])
