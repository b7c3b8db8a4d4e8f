"""The process that draws the pages decodes nothing that came from outside, and says first how much is taken."""

import tomllib
from pathlib import Path

import pytest

from components import rooms, services
from components.escape import plain
from models import readers
from models.audio import decoding, sounds
from models.errors import BadInput
from models.image import files
from tests.components.image.image_steps import PAGE, choose, kept, png, upload
from tests.components.page_steps import messages
from tests.fake_pictures import FakePictures

ENGINE = FakePictures
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_is_read_here(monkeypatch):
    def here(*_, **__):
        raise AssertionError("decoded in the process that draws the pages")

    for module, name in (
        (files, "_open"), (files, "file_text"), (decoding, "read"), (sounds, "read_settings"),
        (readers, "read_settings"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, here)


def test_a_picture_is_checked_shown_and_fitted_elsewhere(pages):
    page = pages.open(PAGE)
    choose(page, "task", "inpaint", "selectbox")
    upload(page, "Image", png(size=(200, 100)))
    upload(page, "Mask", png(255, mode="L", size=(200, 100)))
    assert kept(page, "image")
    assert kept(page, "mask")
    assert messages(page) == []
    upload(page, "Image", b"no picture")
    assert any("not an image file" in message for message in messages(page))


def test_a_painted_mask_that_is_no_picture_is_not_taken(pages, monkeypatch):
    from components.image import picture_input

    painted = {"png": None}
    monkeypatch.setattr(picture_input.mask_painter, "draw", lambda picture, key, *, size: painted["png"])
    page = pages.open(PAGE)
    choose(page, "task", "inpaint", "selectbox")
    upload(page, "Image", png())
    painted["png"] = png()[:60]
    page.run()
    assert kept(page, "mask") is None
    assert any("mask is" in message for message in messages(page))


def test_settings_are_read_from_a_file_elsewhere(pages):
    page = pages.open(PAGE)
    upload(page, "Image with settings", png())
    assert any("contains no settings" in message for message in messages(page))


def test_a_file_that_ends_its_reader_is_a_sentence_and_takes_nothing_away(pages, monkeypatch):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    before = kept(page, "image")
    decoder = services.decoder()

    def ended(*_, **__):
        decoder.close()
        raise BadInput("The image cannot be read: it is damaged, or needs more memory than is allowed.")

    monkeypatch.setattr(decoder, "calling", ended)
    upload(page, "Image", png(9))
    assert any("needs more memory than is allowed" in message for message in messages(page))
    assert kept(page, "image") == before


def test_the_limits_stand_where_one_uploads(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    assert plain("At most 20 MB and 25 million pixels.") in [caption.value for caption in page.caption]
    sound = pages.open("pages/audio.py", model="audio/digit-recogniser")
    assert plain("At most 50 MB and 10 minutes.") in [caption.value for caption in sound.caption]


def test_the_server_takes_what_the_largest_box_takes_and_no_more():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))
    boxes = [room.file.megabytes for room in rooms.every().values() if room.file is not None]
    largest = max(files.UPLOAD_MAX_BYTES, sounds.UPLOAD_MAX_BYTES) // 1_000_000
    assert config["server"]["maxUploadSize"] == max(*boxes, largest)
