"""One person on the Image page, in a real browser."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from models.image import files
from models.image.files import read_settings
from tests.browser.conftest import until

SLOW = {"emoji-diffusion.num_inference_steps": 100, "emoji-diffusion.num_images": 8}


def opened(session, **settings):
    viewer = session().open("image", **settings)
    viewer.button("Run").wait_for()
    return viewer


def finished(viewer):
    viewer.button("Use as input").first.wait_for()


def download(viewer, name="Download"):
    with viewer.page.expect_download() as file:
        viewer.page.get_by_role("button", name=name, exact=True).first.click()
    return file.value.path().read_bytes()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.fixture
def photo(tmp_path):
    """Return a file: a picture that no model would draw."""
    rows = np.zeros((90, 90, 3), np.uint8)
    rows[:45] = (250, 200, 20)
    rows[45:] = (20, 60, 180)
    Image.fromarray(rows).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def upload(viewer, file, label="Image"):
    viewer.settled()  # the box that took the last file is just being replaced
    box = viewer.page.get_by_test_id("stFileUploader").filter(has_text=label).first
    box.locator("input[type=file]").set_input_files(file)


def kept(viewer):
    """Wait until what was uploaded is kept: Streamlit's own box names its button by the file."""
    viewer.page.get_by_role("button", name=re.compile(r"^(close )?Remove$")).first.wait_for()


def test_it_draws_and_the_picture_carries_its_settings(session):
    viewer = opened(session, **{"emoji-diffusion.seed": 5})
    viewer.write("pizza")
    viewer.run()
    finished(viewer)
    data = download(viewer)
    assert Image.open(io.BytesIO(data)).size == (64, 64)
    found = read_settings(data)
    assert (found.model, found.seed, found.inputs) == ("image/emoji-diffusion", 5, {"prompt": "pizza"})
    shown = viewer.page.locator("figure img").first
    assert shown.get_attribute("alt") == "pizza"
    # crisp and at a whole multiple
    assert shown.evaluate("image => image.clientWidth") % 64 == 0


def test_previews_come_and_stop_keeps_the_pictures(session):
    viewer = opened(session, **SLOW)
    viewer.run()
    viewer.page.locator("figure img").first.wait_for()
    viewer.sees("of 100 steps")
    sources = set()
    until(lambda: sources.add(viewer.page.locator("figure img").first.get_attribute("src")) or len(sources) > 1)
    viewer.button("Stop").click()
    finished(viewer)
    viewer.sees("stopped by you")
    assert viewer.page.locator("figure img").count() >= 4


def test_an_upload_is_the_picture_to_start_from(session, photo):
    viewer = opened(session, **{"emoji-diffusion.task": "image to image", "emoji-diffusion.strength": 0.1})
    upload(viewer, photo)
    viewer.button("Remove").wait_for()
    viewer.write("blue square")
    viewer.run()
    finished(viewer)
    got = pixels(download(viewer))
    given = np.asarray(files.fit(Image.open(photo), 64, 64)).astype(int)
    assert np.abs(got - given).mean() < 30  # a tenth of noise leaves most of it


def test_an_upload_that_is_being_read_survives_what_is_typed_meanwhile(session, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2200, 2200, 3), np.uint8)  # takes a moment to decode
    Image.fromarray(noise).save(tmp_path / "large.png", compress_level=1)
    viewer = opened(session, **{"emoji-diffusion.task": "image to image"})
    upload(viewer, tmp_path / "large.png")
    box = viewer.page.get_by_role("textbox", name="Prompt", exact=True)
    for number in range(40):  # while it travels, while it is read, and after
        box.fill(f"prompt {number}")
        box.blur()
    kept(viewer)


def test_inpainting_changes_what_is_painted_and_nothing_else(session, photo):
    viewer = opened(session, **{"emoji-diffusion.task": "inpaint", "emoji-diffusion.strength": 1.0})
    upload(viewer, photo)
    viewer.button("Box").click()
    canvas = viewer.page.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    mouse = viewer.page.mouse
    mouse.move(place["x"] + place["width"] * 0.25, place["y"] + place["height"] * 0.25)
    mouse.down()
    mouse.move(place["x"] + place["width"] * 0.75, place["y"] + place["height"] * 0.75, steps=5)
    mouse.up()
    viewer.sees("of the image will be redrawn")
    viewer.settled()  # the mask has come to the app
    viewer.write("red heart")
    viewer.run()
    finished(viewer)
    got = pixels(download(viewer))
    given = np.asarray(files.fit(Image.open(photo), 64, 64)).astype(int)
    changed = (got != given).any(2)
    inside = np.zeros((64, 64), bool)
    inside[15:49, 15:49] = True
    assert not changed[~inside].any()
    assert changed[20:44, 20:44].mean() > 0.5


def test_a_picture_dropped_back_restores_its_settings_and_its_bytes(session, tmp_path):
    viewer = opened(session, **{"emoji-diffusion.guidance_scale": 2.5, "emoji-diffusion.seed": 9})
    viewer.write("sunflower")
    viewer.run()
    finished(viewer)
    first = download(viewer)
    (tmp_path / "back.png").write_bytes(first)
    other = opened(session)
    other.page.get_by_text("Settings from a file").click()
    other.settled()  # what is sent while the page is drawn anew may be dropped by the browser
    upload(other, tmp_path / "back.png", "Image with settings")
    other.sees("The prompt, settings and seed of the picture are set")
    assert other.page.get_by_role("textbox", name="Prompt", exact=True).first.input_value() == "sunflower"
    other.run()
    finished(other)
    assert download(other) == first


def test_bad_uploads_get_a_sentence_and_nothing_is_lost(session, photo, tmp_path):
    (tmp_path / "text.png").write_text("I am no picture.")
    whole = io.BytesIO()
    Image.open(photo).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    viewer = opened(session, **{"emoji-diffusion.task": "image to image"})
    upload(viewer, photo)
    viewer.button("Remove").wait_for()
    for name, words in (("text.png", "The image is not an image file"), ("cut.jpg", "The image is damaged")):
        upload(viewer, tmp_path / name)
        viewer.sees(words)
    assert viewer.button("Remove").count() == 1  # the good one is still there


def test_the_other_architectures_draw(session):
    viewer = opened(session, model="image/emoji-vae")
    viewer.write("pizza")
    viewer.run()
    finished(viewer)
    assert Image.open(io.BytesIO(download(viewer))).size == (64, 64)


def test_a_result_becomes_the_next_input(session):
    viewer = opened(session)
    viewer.run()
    finished(viewer)
    viewer.button("Use as input").first.click()
    viewer.sees("This image is now the starting image.")
    viewer.button("Remove").wait_for()
    viewer.run()
    until(lambda: viewer.page.get_by_text("strength 0.6").count())


def look_closer(viewer, name):
    viewer.page.get_by_role("radio", name=name).or_(
        viewer.page.get_by_role("button", name=name, exact=True)
    ).first.click()


def test_the_steps_are_scrubbed(session):
    viewer = opened(session, **{"emoji-diffusion.num_inference_steps": 12})
    viewer.run()
    finished(viewer)
    look_closer(viewer, "Steps")
    viewer.sees("step 1 of 12")
    viewer.page.get_by_role("slider").last.press("End")
    viewer.sees("step 12 of 12")
    look_closer(viewer, "Words")
    viewer.sees("when this word is left out of the prompt")
    viewer.page.get_by_text("heart", exact=True).first.wait_for()


def test_a_walk_ends_as_frames_and_a_film(session):
    viewer = opened(session, **{"emoji-diffusion.num_inference_steps": 6})
    viewer.run()
    finished(viewer)
    look_closer(viewer, "Walk")
    viewer.page.get_by_role("button", name="Walk", exact=True).last.click()
    viewer.button("Download GIF").wait_for()
    film = Image.open(io.BytesIO(download(viewer, "Download GIF")))
    assert film.format == "GIF"
    assert film.n_frames == 14  # eight there, six back


def test_one_name_by_every_architecture(session):
    viewer = opened(session)
    viewer.run()
    finished(viewer)
    look_closer(viewer, "Three architectures")
    viewer.button("Draw with all").click()
    viewer.sees("Learnt to compress images")
    until(lambda: viewer.page.locator("figure img").count() >= 2)


def test_one_press_names_and_describes_an_image(session):
    viewer = opened(session)
    viewer.run()
    finished(viewer)
    viewer.button("What does it see?").first.click()
    for words in ("Emoji Judge", "Emoji Caption", "LSTM", "Transformer", "Where each word of the first caption"):
        viewer.sees(words)
    maps = viewer.page.get_by_role("img", name="Where the decoder attended to")
    until(lambda: maps.count() >= 6)  # at least a word, the comma and the style of each decoder
    assert maps.first.evaluate("image => image.naturalWidth") == 192


def test_choosing_a_task_brings_its_inputs(session):
    viewer = opened(session)
    assert viewer.page.get_by_test_id("stFileUploader").count() == 0
    viewer.page.get_by_role("combobox", name="Task").click()
    viewer.page.get_by_role("option", name="image to image").click()
    viewer.page.get_by_test_id("stFileUploader").filter(has_text="Image").first.wait_for()
    viewer.sees("Strength")
