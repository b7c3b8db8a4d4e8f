"""A picture dropped on the page gives its settings back, and what it cannot give is told."""

import json

import pytest
from PIL import PngImagePlugin

from tests.components.image.image_steps import ID, MODEL, PAGE, choose, drawn, kept, pictures, png, run, upload
from tests.components.page_steps import messages, press, settle, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


BOX = "Picture with settings"


def test_a_picture_made_here_restores_its_settings_and_its_bytes(pages):
    page = pages.open(PAGE, **{f"{MODEL}.guidance_scale": "2.5", f"{MODEL}.seed": "9", f"{MODEL}.width": "96"})
    run(pages, page, "sunflower – ümlaut")
    first = drawn(pages)[0].data
    other = pages.open(PAGE)
    upload(other, BOX, first)
    assert messages(other) == ["The prompt, settings and seed of the picture are set. Press Run."]
    run(pages, other)
    assert pages.engine.ran[0] == pages.engine.ran[1]
    assert drawn(pages)[0].data == first


def test_a_picture_from_a_picture_says_when_its_source_is_gone(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Picture", png())
    run(pages, page)
    first, ref = drawn(pages)[0].data, kept(page, "image")
    here = pages.open(PAGE)
    upload(here, BOX, first)
    assert kept(here, "image") == ref
    pages.store.path(ref).unlink()
    gone = pages.open(PAGE)
    upload(gone, BOX, first)
    assert kept(gone, "image") is None
    assert any("Please add the" in message and "the picture" in message for message in messages(gone))


def webui(text):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    return png(pnginfo=info)


def test_a_picture_of_webui_restores_what_is_known_and_names_the_rest(pages):
    page = pages.open(PAGE, **{f"{MODEL}.seed": "3"})
    text = "a heart\nNegative prompt: blue\nSteps: 30, Sampler: Euler, CFG scale: 500, Seed: 42, Hires upscale: 2"
    upload(page, BOX, webui(text))
    assert widget(page, "text_area", "image-prompt").value == "a heart"
    assert widget(page, "text_area", f"{MODEL}.negative_prompt").value == "blue"
    assert widget(page, "slider", f"{MODEL}.num_inference_steps").value == 30
    assert widget(page, "selectbox", f"{MODEL}.scheduler").value == "EulerDiscreteScheduler"
    assert widget(page, "number_input", f"{MODEL}.seed").value == 42
    said = " ".join(messages(page))
    assert "guidance_scale is 500" in said
    assert "Hires upscale: 2" in said
    assert "as far as this model has them" in said


def test_a_picture_without_a_seed_leaves_the_seed(pages):
    page = pages.open(PAGE, **{f"{MODEL}.seed": "3"})
    upload(page, BOX, webui("a heart\nSteps: 30, Sampler: Euler, CFG scale: 5"))
    assert widget(page, "number_input", f"{MODEL}.seed").value == 3


def own(**request):
    body = {"model": ID, "inputs": {"prompt": "x"}, "params": {}, "seed": 1, **request}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("playground", json.dumps({"stamp": {"request": body}}))
    return png(pnginfo=info)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(), "contains no settings"),
        (b"text", "This text contains no settings"),
        (bytes(range(256)), "of no kind that settings are read from, whatever its name says"),
        (b"", "is empty (0 bytes)"),
        (own(seed=-1), "damaged"),
        (own(seed=float("inf")), "damaged"),
        (own(seed=2**40), "damaged"),
        (own(model="image/nobody"), "made by image/nobody, which is not installed"),
        (own(model="text/story-gpt"), "This is for Story GPT on the Text page"),
        (own(params={"guidance_scale": "high", "num_inference_steps": 10**9}), "guidance_scale is"),
        (own(params={"guidance_scale": float("nan")}), "guidance_scale is"),
        (own(inputs={"prompt": "a\0b"}), "null byte"),
        (own(inputs=[1]), "damaged"),
    ],
)
def test_what_cannot_be_taken_from_a_picture_is_told(pages, data, words):
    page = pages.open(PAGE)
    run(pages, page, "before")
    shown = pictures(page)
    upload(page, BOX, data)
    assert any(words in message for message in messages(page)), messages(page)
    assert pictures(page) == shown
    settle(pages, press(page, "run"))
    assert len(pages.engine.ran) == 2
