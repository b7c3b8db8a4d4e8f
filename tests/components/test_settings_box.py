"""A picture dropped on the page gives its settings back, and what it cannot give is told."""

import base64
import json

import pytest
from PIL import PngImagePlugin

from components import settings_box
from models.plain_text import text_artifact
from tests.components.image.image_steps import ID, MODEL, PAGE, choose, drawn, kept, pictures, png, run, upload
from tests.components.page_steps import messages, press, settle, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


BOX = "Image with settings"


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
    upload(page, "Image", png())
    run(pages, page)
    first, ref = drawn(pages)[0].data, kept(page, "image")
    here = pages.open(PAGE)
    upload(here, BOX, first)
    assert kept(here, "image") == ref
    pages.store.path(ref).unlink()
    gone = pages.open(PAGE)
    upload(gone, BOX, first)
    assert kept(gone, "image") is None
    assert any("Please add the" in message and "the image" in message for message in messages(gone))


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


def test_a_seed_that_cannot_be_had_is_named_and_the_seed_stays(pages):
    page = pages.open(PAGE, **{f"{MODEL}.seed": "3"})
    upload(page, BOX, webui("a heart\nSteps: 30, Sampler: Euler, CFG scale: 5, Seed: 6687881544318117707"))
    assert widget(page, "number_input", f"{MODEL}.seed").value == 3
    assert any("Seed: 6687881544318117707 (seeds here go from 0 to 4294967295)" in said for said in messages(page))


def test_a_seed_of_minus_one_draws_a_new_one_and_tells_it(pages, monkeypatch):
    monkeypatch.setattr(settings_box, "drawn_seed", lambda: 4711)
    page = pages.open(PAGE, **{f"{MODEL}.seed": "3"})
    upload(page, BOX, webui("a heart\nSteps: 30, Sampler: Euler, CFG scale: 5, Seed: -1"))
    assert widget(page, "number_input", f"{MODEL}.seed").value == 4711
    assert any("new seed at each run (−1): 4711 was drawn" in said for said in messages(page))


def test_a_clip_skip_of_which_there_is_one_is_set(pages):
    page = pages.open(PAGE)
    upload(page, BOX, webui("a heart\nSteps: 30, Sampler: Euler, CFG scale: 5, Seed: 4, Clip skip: 2"))
    run(pages, page)
    assert pages.engine.ran[-1].params["clip_skip"] == 1


def test_a_long_negative_prompt_is_taken_whole(pages):
    page = pages.open(PAGE)
    long = ", ".join(f"bad thing {number}" for number in range(2000))
    upload(page, BOX, webui(f"a heart\nNegative prompt: {long}\nSteps: 30, Sampler: Euler, CFG scale: 5, Seed: 4"))
    run(pages, page)
    assert pages.engine.ran[-1].params["negative_prompt"] == long


def test_what_is_taken_and_has_no_effect_here_is_named(pages):
    page = pages.open(PAGE)
    upload(page, BOX, webui("a heart\nSteps: 30, Sampler: Euler a, Schedule type: Karras, CFG scale: 5, Seed: 4"))
    assert any("Noise schedule (sigmas): karras (has no effect" in said for said in messages(page))


def test_the_model_of_a_picture_is_chosen_where_it_is_one_of_ours(pages):
    page = pages.open(PAGE, model="image/emoji-gan")
    upload(page, BOX, webui(f"a heart\nSteps: 30, Sampler: Euler, CFG scale: 5, Seed: 4, Model: {MODEL}"))
    assert page.session_state["image-model"] == ID


def test_a_text_saved_here_restores_the_text_page(pages):
    request = {"model": "text/story-gpt", "inputs": {"prompt": "Once a dragon"}, "params": {"temperature": 0.5},
               "seed": 12}  # fmt: skip
    page = pages.open("pages/text.py")
    upload(page, "Text with settings", text_artifact("Once a dragon slept.", {"request": request}), "story.txt")
    assert widget(page, "text_area", "text-prompt").value == "Once a dragon"
    assert widget(page, "number_input", "story-gpt.seed").value == 12
    assert widget(page, "slider", "story-gpt.temperature").value == 0.5


ASKED = {"model": "text/story-gpt", "inputs": {"prompt": "Once a dragon"}, "params": {"top_k": 9}, "seed": 12}


def test_what_became_of_a_file_stands_above_the_prompt(pages):
    page = pages.open("pages/text.py")
    upload(page, "Text with settings", b"just words", "story.txt")
    drawn = [one.type for one in page.main]
    assert "contains no settings" in messages(page)[0]
    assert drawn.index("warning") < drawn.index("text_area")


def test_a_request_alone_is_taken_as_what_a_shell_prints(pages):
    page = pages.open("pages/text.py")
    upload(page, "Text with settings", json.dumps(ASKED).encode(), "request.json")
    assert widget(page, "text_area", "text-prompt").value == "Once a dragon"
    assert widget(page, "number_input", "story-gpt.seed").value == 12


def test_the_file_of_a_sweep_fills_in_what_it_varies(pages):
    axes = [{"name": "temperature", "values": [0.3, 0.8]}, {"name": "seed", "values": [0, 1, 2]}]
    page = pages.open("pages/text.py")
    upload(page, "Text with settings", json.dumps({"v": 1, "request": ASKED, "axes": axes}).encode(), "sweep.json")
    (said,) = messages(page)
    assert "6 cells: Temperature (2) × Seed (3)" in said
    assert widget(page, "text_area", "text-prompt").value == "Once a dragon"
    settle(pages, press(page, "text-sweep-run"))
    made = {(run["params"]["temperature"], run["seed"]) for run in map(dict, pages.engine.ran)}
    assert made == {(heat, seed) for heat in (0.3, 0.8) for seed in (0, 1, 2)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"v": 99}, "has the version v = 99; this playground reads"),
        ({"axes": []}, "axes is empty"),
        ({"axes": [{"name": "nonsense", "values": [1]}]}, "nonsense"),
        ({"request": {**ASKED, "model": "image/digits-diffusion"}}, "digits-diffusion"),
    ],
)
def test_a_sweep_that_cannot_be_filled_in_says_why_and_sets_nothing(pages, changed, words):
    page = pages.open("pages/text.py")
    before = widget(page, "text_area", "text-prompt").value
    content = {"v": 1, "request": ASKED, "axes": [{"name": "seed", "values": [0, 1]}], **changed}
    upload(page, "Text with settings", json.dumps(content).encode(), "sweep.json")
    (said,) = messages(page)
    assert words in said
    assert widget(page, "text_area", "text-prompt").value == before


def test_a_file_of_another_room_says_where_it_belongs(pages):
    request = {"model": "text/story-gpt", "inputs": {"prompt": "x"}, "params": {}, "seed": 1}
    page = pages.open(PAGE)
    upload(page, BOX, text_artifact("x y", {"request": request}))
    assert any("This is for Story GPT on the Text page" in said for said in messages(page))


HALF = "\ud800"
HOSTILE = {
    "half a character in a list": {"params": {"stop": [HALF]}},
    "half a character as a name": {"params": {HALF: 1}},
    "half a character as a choice": {"params": {"json_schema": HALF}},
    "a number beyond all floats": {"params": {"temperature": 10**400}},
    "more digits than Python writes": {"params": {"top_k": 10**4299}},
    "no number": {"params": {"temperature": [1], "max_new_tokens": {"a": 1}}},
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("way", ["file", "link"])
def test_a_value_that_no_setting_takes_is_named_and_the_rest_is_set(pages, name, way):
    request = {"model": "text/story-gpt", "inputs": {"prompt": "Once a dragon"}, "params": {}, "seed": 12,
               **HOSTILE[name]}  # fmt: skip
    if way == "file":
        page = pages.open("pages/text.py")
        upload(page, "Text with settings", json.dumps({"request": request}).encode(), "run.json")
    else:
        packed = base64.urlsafe_b64encode(json.dumps({"v": 1, **request}).encode()).decode().rstrip("=")
        if len(packed) > 2000:
            return  # longer than any link
        page = pages.open("pages/text.py", r=packed)
    assert any("Default kept" in said for said in messages(page)), messages(page)
    assert widget(page, "text_area", "text-prompt").value == "Once a dragon"
    assert widget(page, "number_input", "story-gpt.seed").value == 12
    settle(pages, press(page, "run"))
    assert len(pages.engine.ran) == 1
