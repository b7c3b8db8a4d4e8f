"""Captions on the page: the decoders side by side, each word's attention, and what a list says of them."""

import base64
import io
import json

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from components import inputs
from components.example import EXAMPLES
from components.image import caption_view
from components.image.page import ROOM
from models.types import Output
from tests.components.image.image_steps import PAGE, components, png, upload
from tests.components.image.seeing import CAPTIONED, CAPTIONER, Seeing
from tests.components.page_steps import press, settle, widget

ENGINE = Seeing
OUTPUT = Output("text", 0, "LSTM: red *heart*, 3d (81.0%)", meta=CAPTIONED)


def opened(pages):
    page = pages.open(PAGE)
    widget(page, "selectbox", "image-model").set_value(CAPTIONER)
    page.run()
    assert not page.exception
    upload(page, "Image", png())
    return settle(pages, press(page, "run"))


def test_whoever_has_no_image_takes_the_example(pages):
    page = pages.open(PAGE, model=CAPTIONER)
    assert any("An example" in item.value for item in page.caption)
    page = press(page, inputs.ref_key("image", "image") + "-example")
    settle(pages, press(page, "run"))
    given = pages.store.get_bytes(pages.engine.ran[0].inputs["image"])
    assert given == (EXAMPLES / "image-emoji-caption-input.png").read_bytes()
    assert "Use an example" not in [button.label for button in page.button]


def look(page, name):
    control = next(item for item in page.segmented_control if item.label == "Look closer")
    control.set_value(name)
    page.run()
    assert not page.exception
    return page


def seen(one):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(one["url"].partition(",")[2]))).convert("RGB")).astype(int)


def test_decoders_stand_side_by_side_with_their_captions(pages):
    page = opened(pages)
    asked = pages.engine.ran[-1]
    assert asked.model == CAPTIONER
    heads = [item.value for item in page.markdown if item.value.startswith("####")]
    assert heads == ["#### red \\*heart\\*, 3d", "#### red rose, 3d"]
    assert {"LSTM", "Transformer"} <= {item.value for item in page.caption}


def test_attention_is_looked_at_caption_by_caption(pages):
    page = look(opened(pages), "Attention")
    pills = next(item for item in page.pills if item.label == "Caption")
    pills.set_value(1)
    page.run()
    assert not page.exception
    shown = components(page, "pictures")[-1]["pictures"]
    assert [one["label"] for one in shown] == ["rose 37%", ", 37%", "3d 37%"]
    for at, one in enumerate(shown):  # word n attends to place n of the first row: there it is strongest
        values = seen(one).sum(-1)
        row, column = np.unravel_index(values.argmin(), values.shape)
        assert (row // 24, column // 24) == (0, at)


def test_lists_say_the_likeliest_caption():
    assert caption_view.words(OUTPUT) == "red rose, 3d"
    assert ROOM.says(OUTPUT) == "caption: red rose, 3d"
    assert caption_view.words(Output("text", 0, "else")) == ""
    assert json.dumps(CAPTIONED)  # it travels as JSON


def test_a_caption_without_words_is_told():
    def page():
        from dataclasses import replace

        from components.image import caption_view
        from components.modality import Showing
        from tests.components.image.seeing import CAPTIONED
        from tests.components.image.test_caption_view import OUTPUT

        empty = {"text": "", "probability": 0.5, "count": 1, "words": [], "attention": []}
        one = replace(OUTPUT, meta={**CAPTIONED, "captioned": [{"decoder": "odd", "captions": [empty]}]})
        caption_view.draw(one, Showing([one], "k", lambda output: output.data))

    drawn = AppTest.from_function(page).run()
    assert not drawn.exception
    assert drawn.markdown[0].value == "#### no words"
    assert drawn.caption[0].value == "odd"
