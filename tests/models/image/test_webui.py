"""Settings that travel inside pictures: ours word for word, webui's as far as we have them, hostile ones refused."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from models import stamps
from models.diffusion import schedulers
from models.errors import BadInput
from models.image import files, webui
from models.image.files import read_settings
from models.image.webui import parameters_text, parse_parameters
from models.types import PARTS_MAX

REQUEST = {
    "model": "image/emoji-diffusion", "inputs": {"prompt": "a red heart, “big”: yes"}, "seed": 4_294_967_295,
    "params": {"num_inference_steps": 25, "guidance_scale": 4.5, "scheduler": "EulerAncestralDiscreteScheduler",
               "width": 64, "height": 96, "negative_prompt": "blue, dull", "sigmas": "karras", "clip_skip": 2,
               "variation_strength": 0.2, "variation_seed": 9},
}  # fmt: skip
PIXELS = np.zeros((16, 16, 3), np.uint8)


def png(**texts):
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_our_own_file_gives_the_request_back():
    output = files.image_output(PIXELS, {"request": REQUEST, "versions": {"torch": "x"}}, 1)
    assert output.data == files.image_output(PIXELS, {"versions": {"torch": "x"}, "request": REQUEST}, 1).data
    found = read_settings(output.data)
    assert (found.source, found.model, found.seed) == ("playground", REQUEST["model"], REQUEST["seed"])
    assert found.inputs == REQUEST["inputs"]
    assert found.params == REQUEST["params"]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(output.data))), PIXELS)


def test_what_we_write_in_webuis_words_is_read_back():
    found = parse_parameters(parameters_text(REQUEST, index=1))
    assert found.source == "webui"
    assert found.inputs["prompt"] == REQUEST["inputs"]["prompt"]
    assert found.seed == 0  # the second picture of a request with the highest seed
    assert found.params == REQUEST["params"]
    assert found.unknown == []


def test_a_file_of_webui_is_read_as_far_as_it_is_known():
    text = (
        "masterpiece, (a castle:1.2),\nsecond line\nNegative prompt: lowres, bad\nhands\n"
        'Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234567, Size: 512x768, Model hash: "ab, c: d", '
        "Model: dream_8, Denoising strength: 0.45, Clip skip: 2, Hires upscale: 2, ENSD: 31337, Version: v1.9.4"
    )
    found = read_settings(png(parameters=text))
    assert found.inputs["prompt"] == "masterpiece, (a castle:1.2),\nsecond line"
    assert found.seed == 1_234_567
    assert found.params == {
        "negative_prompt": "lowres, bad\nhands", "num_inference_steps": 28, "guidance_scale": 7.0, "sigmas": "karras",
        "scheduler": "DPMSolverMultistepScheduler", "width": 512, "height": 768, "clip_skip": 1,
    }  # fmt: skip
    assert found.made_with == "dream_8"
    assert [named.split(" (")[0] for named in found.unknown] == [
        "Model hash: ab, c: d", "Denoising strength: 0.45", "Hires upscale: 2", "ENSD: 31337", "Version: v1.9.4",
    ]  # fmt: skip


def test_values_that_make_no_sense_are_named_and_the_rest_is_taken():
    found = parse_parameters(
        "x\nSteps: many, Sampler: Magic 3000, CFG scale: 7, Seed: 5, Size: big, Schedule type: Odd"
    )
    assert found.params == {"guidance_scale": 7.0}
    assert found.seed == 5
    assert found.unknown == ["Steps: many", "Sampler: Magic 3000", "Size: big", "Schedule type: Odd"]


@pytest.mark.parametrize("text", ["", "\n \0", "\ufeff"])
def test_a_text_that_says_nothing_gives_none(text):
    assert parse_parameters(text) is None


def test_a_picture_without_settings_gives_none():
    assert read_settings(png()) is None
    assert read_settings(png(Comment="hello")) is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "{}", '{"stamp": {}}', '{"stamp": {"request": 5}}', "[" * 60_000,
     json.dumps({"stamp": {"request": {**REQUEST, "seed": "x"}}}),
     json.dumps({"stamp": {"request": {**REQUEST, "inputs": 4}}})],
)  # fmt: skip
def test_damaged_settings_of_ours_are_a_sentence(text):
    with pytest.raises(BadInput, match="damaged"):
        read_settings(png(playground=text))


def test_settings_longer_than_any_are_refused():
    for key in ("playground", "parameters"):
        with pytest.raises(BadInput, match="too long"):
            read_settings(png(**{key: "x" * (stamps.TEXT_MAX_CHARS + 1)}))


@given(st.text(max_size=300))
def test_any_text_is_read_or_passed_over(text):
    found = parse_parameters(text)
    assert found is None or found.source == "webui"


plain = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=60)


@given(
    plain, plain, st.integers(1, 150), st.floats(1, 20).map(lambda value: round(value, 2)), st.integers(0, 2**32 - 1),
    st.sampled_from(schedulers.NAMES), st.sampled_from(["default", "karras", "exponential", "beta"]),
)  # fmt: skip
def test_whatever_is_written_is_read_back(prompt, negative, steps, guidance, seed, scheduler, sigmas):
    params = {"num_inference_steps": steps, "guidance_scale": guidance, "scheduler": scheduler, "sigmas": sigmas,
              "negative_prompt": negative}  # fmt: skip
    request = {"model": "image/x", "inputs": {"prompt": prompt}, "params": params, "seed": seed}
    found = parse_parameters(parameters_text(request))
    if sigmas == "default":
        del params["sigmas"]
    if prompt.startswith("Negative prompt:") or not negative.strip():
        return
    assert found.seed == seed
    assert found.inputs["prompt"] == prompt.strip()
    assert found.params == {**params, "negative_prompt": negative.strip()}


PAIRS = "Steps: 20, Sampler: Euler a, CFG scale: 6.5, Seed: 77, Size: 64x96"
READ = {"num_inference_steps": 20, "scheduler": "EulerAncestralDiscreteScheduler", "guidance_scale": 6.5, "width": 64,
        "height": 96}  # fmt: skip
PLACES = {
    "lines behind the pairs": f"a kite\nNegative prompt: dull\n{PAIRS}\nTemplate: a {{kite|boat}}\n"
    "Negative Template: x",
    "carriage returns": f"a kite\r\nNegative prompt: dull\r\n{PAIRS}",
    "old line ends": f"a kite\rNegative prompt: dull\r{PAIRS}",
    "one line of full stops": f"a kite.Negative prompt: dull.{PAIRS}",
    "one line of spaces": f"a kite Negative prompt: dull {PAIRS}",
    "indented": f"a kite\n   Negative prompt: dull\n  {PAIRS}",
    "a comma at the end": f"a kite\nNegative prompt: dull\n{PAIRS},",
    "an empty line between": f"\n\na kite\n\nNegative prompt: dull\n\n{PAIRS}\n\n",
    "another order": f"a kite\nNegative prompt: dull\nSampler: Euler a, {PAIRS.replace(' Sampler: Euler a,', '')}",
    "brackets with pairs in them": f'a kite\nNegative prompt: dull\n{PAIRS}, Hashes: {{"Seed": 9, "x": "Steps: 3, y"}}',
    "quotes with a line break": f'a kite\nNegative prompt: dull\n{PAIRS}, Wildcard: "a\nb, Seed: 9", Last: 1',
    "a mark of byte order": f"\ufeffa kite\nNegative prompt: dull\n{PAIRS}\0",
}


@pytest.mark.parametrize("name", PLACES)
def test_the_pairs_are_found_wherever_they_stand(name):
    found = parse_parameters(PLACES[name])
    assert found.inputs == {"prompt": "a kite"}
    assert found.params == {"negative_prompt": "dull", **READ}
    assert found.seed == 77
    assert "\r" not in "".join(found.unknown)


def test_lines_behind_the_pairs_are_named():
    assert parse_parameters(PLACES["lines behind the pairs"]).unknown == [
        "Template: a {kite|boat}", "Negative Template: x",
    ]  # fmt: skip
    assert parse_parameters(PLACES["quotes with a line break"]).unknown == ["Wildcard: a\nb, Seed: 9", "Last: 1"]


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [("a kite\nNegative prompt: dull", "a kite", "dull"), ("a kite over the sea", "a kite over the sea", ""),
     ("a: b\nc: d", "a: b\nc: d", ""), ("Negative prompt: dull", "", "dull"),
     ("a kite Negative prompt: x", "a kite", "x"), ("a\r\nb\r\nNegative prompt: c\r\nd", "a\nb", "c\nd"),
     ("Steps: up to heaven, a stair", "Steps: up to heaven, a stair", "")],
)  # fmt: skip
def test_without_pairs_the_prompts_are_taken(text, prompt, negative):
    found = parse_parameters(text)
    assert (found.inputs["prompt"], found.params.get("negative_prompt", "")) == (prompt, negative)
    assert found.seed is None


def test_a_settings_text_in_a_prompt_is_part_of_the_prompt():
    found = parse_parameters(f"Steps: 9, Sampler: Heun, Seed: 1, CFG scale: 2\nsuch a line\n{PAIRS}")
    assert found.inputs["prompt"] == "Steps: 9, Sampler: Heun, Seed: 1, CFG scale: 2\nsuch a line"
    assert found.params == READ


def test_the_schedule_s_own_pair_says_more_than_an_older_sampler_s_name():
    found = parse_parameters("x\nSchedule type: Exponential, Sampler: DPM++ 2M Karras, Seed: 1, Steps: 5")
    assert found.params["sigmas"] == "exponential"


@pytest.mark.parametrize(
    "piece", ["a", ": ", '": "', "[", '{"a', "a: [", 'a: "', "Steps: 5,", "\nSteps: 5, ", ", ", "(a:1.2) "]
)
def test_the_longest_text_of_one_piece_is_read_in_no_time(piece, monkeypatch):
    """Counted in what the pattern and the decoder are given, not in seconds: no stretch is read over and over."""
    given_chars = [0]
    decode = webui._DECODER.raw_decode

    class Counting:
        def raw_decode(self, text, at):
            given_chars[0] += len(text) - at
            return decode(text, at)

    monkeypatch.setattr(webui, "_DECODER", Counting())
    text = piece * (50_000 // len(piece))
    parse_parameters(text)
    assert given_chars[0] <= 4 * 20 * len(text)


@pytest.mark.parametrize("key", ["params", "inputs"])
def test_more_settings_than_any_model_has_are_damaged(key):
    request = {**REQUEST, key: {f"a{at}": "1" for at in range(PARTS_MAX + 1)}}
    with pytest.raises(BadInput, match="damaged"):
        read_settings(png(playground=json.dumps({"stamp": {"request": request}})))
