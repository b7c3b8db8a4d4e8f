"""What a test does on the Image page, and what it sees there."""

import io
import json
import time

from PIL import Image

from components import inputs
from tests.components.page_steps import owner, press, settle, widget

PAGE = "pages/image.py"
MODEL = "emoji-diffusion"
ID = f"image/{MODEL}"


def png(shade=90, size=(40, 40), mode="RGB", kind="PNG", **options):
    file = io.BytesIO()
    Image.new(mode, size, shade if mode == "L" else (shade, 20, 30, 128)[: len(mode)]).save(file, kind, **options)
    return file.getvalue()


def pictures(page):
    """Return what the picture components show: the address of every picture, "" for one that is to come."""
    return [one["url"] for data in components(page, "pictures") for one in data["pictures"]]


def components(page, name):
    """Return the data of the components on the page that have `name` in it."""
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return [data for data in found if name in data]


def wall(page):
    """Return the ids behind the thumbnails, by group."""
    return [[cell["id"] for cell in group] for data in components(page, "groups") for group in data["groups"]]


def uploader(page, label):
    return next((item for item in page.file_uploader if item.label == label), None)


def upload(page, label, data, name="picture.png"):
    uploader(page, label).set_value((name, data, "image/png"))
    page.run()
    assert not page.exception, page.exception
    return page


def choose(page, name, value, kind="slider", model=MODEL):
    widget(page, kind, f"{model}.{name}").set_value(value)
    page.run()
    assert not page.exception, page.exception
    return page


def kept(page, name):
    return page.session_state[key] if (key := inputs.ref_key("image", name)) in page.session_state else None


def run(pages, page, prompt=None):
    if prompt is not None:
        widget(page, "text_area", "image-prompt").set_value(prompt)
    return settle(pages, press(page, "run"))


def drawn(pages):
    """Return the outputs of the newest run with their bytes."""
    return pages.store.runs(owner(pages), load=True)[0].outputs


def waited(check):
    limit = time.monotonic() + 5
    while not check():
        assert time.monotonic() < limit
        time.sleep(0.01)
