"""Contact sheets of a sweep: no cell is lost, none is too large, and each says what it was made with."""

import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from models import readers
from models.catalog import load_catalog
from models.errors import BadInput, PlaygroundError
from models.image.files import image_output
from models.settings import Settings
from models.sweeps import sheets
from models.sweeps.cells import plan
from models.sweeps.results import Result
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request, Run

SETTINGS = Settings()
CATALOG = load_catalog(SETTINGS, strict=False)
MODEL = "image/emoji-diffusion"


def colour(number):
    """Return a colour that no header and no other cell has."""
    return (40 + number % 20 * 10, 40 + number // 20 * 10, 7)


def picture(number, side=(32, 32)):
    pixels = np.full((side[1], side[0], 3), colour(number), np.uint8)
    return image_output(pixels, {})


def swept(*axes, side=(32, 32), many=1, left=(), params=None, prompt="red heart"):
    request = Request(model=MODEL, inputs={"prompt": prompt}, params=params or {}, seed=5)
    found = plan(CATALOG, Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes)))
    made = {}
    for cell in found.distinct:
        if cell.number in left:
            continue
        outputs = [picture(cell.number * many + at, side) for at in range(many)]
        made[cell.number] = Result(cell, Run("r", "me", "j", cell.request, "done", 0.0, outputs, {}, None))
    return found, made


def drawn(found, made, ending="png"):
    laid = sheets.of_sweep(CATALOG, found, made, SETTINGS)
    return [(name, Image.open(io.BytesIO(data))) for name, data in laid.files(lambda one: 1 / 0, ending)]


def colours(picture):
    return Counter({shown: many for many, shown in picture.convert("RGB").getcolors(1 << 24)})


def test_every_cell_is_on_one_sheet_and_only_on_one(monkeypatch):
    monkeypatch.setattr(sheets, "PIXELS_MOST", 400_000)
    found, made = swept(("guidance_scale", (1.0, 2.0, 4.0)), ("num_inference_steps", (2, 3, 4, 5)), ("seed", (0, 1, 2)))
    files = drawn(found, made)
    assert [name for name, _ in files] == [f"sheet-{at + 1}.png" for at in range(len(files))]
    assert len(files) == 3
    assert all(one.width * one.height <= 400_000 for _, one in files)
    per_cell = Counter()
    for _, one in files:
        per_cell += Counter({shown: many for shown, many in colours(one).items() if shown[2] == 7})
    assert per_cell == {colour(number): 128 * 128 for number in range(36)}  # 32 px at four times, each once


@pytest.mark.parametrize("axes", [
    (("seed", range(70)),), (("seed", range(2)), ("num_inference_steps", range(2, 32))),
    (("num_inference_steps", range(2, 32)), ("seed", range(2))),
])  # fmt: skip
def test_a_sheet_is_no_longer_than_its_format_takes(monkeypatch, axes):
    monkeypatch.setattr(sheets, "SIDE_MOST", 900)
    files = drawn(*swept(*axes, side=(64, 16)), "jpg")
    assert len(files) > 1
    assert max(max(one.size) for _, one in files) <= 900
    assert {one.format for _, one in files} == {"JPEG"}


def test_the_real_limits_hold_for_the_largest_sweep_of_large_pictures():
    found, _ = swept(("seed", range(2000)))
    made = {cell.number: Result(cell, Run("r", "me", "j", cell.request, "done", 0.0, [
        Output("image", media_type="image/png", sha256="0" * 64, meta={"width": 1024, "height": 768})
    ], {}, None)) for cell in found.cells}  # fmt: skip
    laid = sheets.of_sweep(CATALOG, found, made, SETTINGS)
    places = [(row, column) for block in laid.blocks for row in block.rows for column in block.columns]
    shown = Counter(laid.table[row][column].number for row, column in places if laid.table[row][column] is not None)
    assert shown == dict.fromkeys(range(2000), 1)
    assert 2000 * laid.box[0] * laid.box[1] / len(laid) <= sheets.PIXELS_MOST


def test_several_pictures_of_a_cell_are_all_there_and_a_cell_that_was_not_made_says_so():
    found, made = swept(("seed", (0, 10)), ("num_inference_steps", (2, 3)), many=3, left=(2,))
    ((_, sheet),) = drawn(found, made)
    seen = {shown for shown in colours(sheet) if shown[2] == 7}
    assert seen == {colour(cell * 3 + at) for cell in (0, 1, 3) for at in range(3)}
    assert colours(sheet)[(0xEC, 0xEA, 0xF2)] > 1000  # the ground of a cell without a result


@pytest.mark.parametrize("ending", sheets.ENDINGS)
def test_a_sheet_holds_the_settings_and_the_sweep(ending):
    found, made = swept(("guidance_scale", (1.0, 2.0)), params={"num_inference_steps": 7})
    laid = sheets.of_sweep(CATALOG, found, made, SETTINGS)
    ((name, data),) = laid.files(lambda one: b"", ending)
    assert name == f"sheet-1.{ending}"
    kind, said = readers.read_settings(data, SETTINGS)
    assert (kind, said.source, said.model, said.seed) == ("picture", "playground", MODEL, 5)
    assert said.params["num_inference_steps"] == 7
    assert said.inputs == {"prompt": "red heart"}
    assert json.dumps("guidance_scale") in data.decode("latin-1")  # the sweep, whole
    assert [*laid.files(lambda one: b"", ending)] == [(name, data)]


def test_a_jpeg_whose_sweep_is_too_long_for_its_comment_keeps_the_settings():
    found, made = swept(("inputs.prompt", ["heart " * 9000, "star " * 9000]))
    laid = sheets.of_sweep(CATALOG, found, made, SETTINGS)
    ((_, data),) = laid.files(lambda one: b"", "jpg")
    assert readers.read_settings(data, SETTINGS)[1].model == MODEL


def test_headers_are_wrapped_and_take_any_text():
    prompts = ["Жёлтая звезда, 黄色い星, ★ \u202e\t " * 20, "x" * 5000]
    ((_, sheet),) = drawn(*swept(("inputs.prompt", prompts), ("seed", (0, 1))))
    assert sheet.width < 1200
    assert sum(many for shown, many in colours(sheet).items() if sum(shown) < 200) > 500  # ink


def test_pillow_s_own_font_shows_what_it_lacks_by_its_code(monkeypatch):
    monkeypatch.setattr(sheets, "_FONTS", ())
    sheets._font.cache_clear()
    sheets._lines.cache_clear()
    try:
        assert sheets._wrapped("Öl", 200) == ["\\xd6l"]
        assert drawn(*swept(("seed", (0, 1)), prompt="Öl"))
    finally:
        sheets._font.cache_clear()
        sheets._lines.cache_clear()


def test_a_picture_that_is_gone_takes_no_other_away():
    found, made = swept(("seed", (0, 1)))
    lost = Output("image", media_type="image/png", sha256="0" * 64, meta={"width": 32, "height": 32})
    made[0].run.outputs[:] = [lost]

    def read(output):
        raise PlaygroundError("Its file was cleared.")

    ((_, data),) = sheets.of_sweep(CATALOG, found, made, SETTINGS).files(read)
    assert {shown for shown in colours(Image.open(io.BytesIO(data))) if shown[2] == 7} == {colour(1)}


def test_what_no_room_lays_out_has_no_sheet():
    request = Request(model="text/story-gpt", inputs={"prompt": "Once"})
    found = plan(CATALOG, Sweep(request, (Axis("seed", (0, 1)),)))
    made = {cell.number: Result(cell, Run("r", "me", "j", cell.request, "done", 0.0, [Output("text", text="a")]))
            for cell in found.cells}  # fmt: skip
    assert sheets.of_sweep(CATALOG, found, made, SETTINGS) is None
    assert sheets.of_sweep(CATALOG, found, {}, SETTINGS) is None


def test_another_kind_of_file_is_refused():
    laid = sheets.of_sweep(CATALOG, *swept(("seed", (0, 1))), SETTINGS)
    with pytest.raises(BadInput, match=r"\.gif; choose png or jpg"):
        next(laid.files(lambda one: b"", "gif"))
