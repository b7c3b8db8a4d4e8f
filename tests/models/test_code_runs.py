"""Scripts with public libraries alone are run, without this project, and make what the run made, to the last bit."""

import io
import json
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from models import coding
from models.blobs import Blobs
from models.catalog import load_catalog
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.types import ASIDE, Request
from tests.apart import assert_same, run_apart

CATALOG = load_catalog(Settings(), strict=False)
ROOT = Path(__file__).parents[2]
STORY, LSTM, CHAT = "text/story-gpt", "text/story-lstm", "text/story-chat"
EMOJI, GAN, VAE, JUDGE, CAPTION = (f"image/emoji-{name}" for name in ("diffusion", "gan", "vae", "judge", "caption"))
FOLK, FOLK_LSTM = "audio/folk-gpt", "audio/folk-lstm"
DIGITS, EAR = "audio/digits-diffusion", "audio/digit-recogniser"


def picture():
    file = io.BytesIO()
    Image.linear_gradient("L").resize((80, 64)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def mask():
    file = io.BytesIO()
    made = Image.new("L", (64, 64))
    made.paste(255, (10, 10, 40, 40))
    made.save(file, "PNG")
    return file.getvalue()


def recording():
    """Return two digits as they were said for the model's card, at another rate."""
    samples, rate = soundfile.read(ROOT / "models" / "embedded" / "digits-diffusion" / "samples.wav", dtype="float32")
    file = io.BytesIO()
    soundfile.write(file, samples[: 2 * rate], rate * 2, format="WAV", subtype="PCM_16")
    return file.getvalue()


UPLOADS = {"image.png": picture, "image_to.png": mask, "mask.png": mask, "audio.wav": recording}  # names of scripts
# the seed of each is its place: it names the files that a script writes
CASES = {
    "transformers' own stages": (STORY, {"prompt": "Once \"upon\" a '''time''' \\n {x} ü,"}, {
        "max_new_tokens": 24, "top_k": 50, "min_p": 0.02, "typical_p": 0.9, "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 3, "num_variants": 2}),
    "greedy, a forced beginning, a stop sequence": (STORY, {"prompt": "Once", "forced": "[300, 301]"}, {
        "max_new_tokens": 40, "do_sample": False, "stop": ["\\n", "."]}),
    "our stages behind a recurrent net": (LSTM, {"prompt": "Once upon a time"}, {
        "max_new_tokens": 24, "dry_multiplier": 0.8, "xtc_probability": 0.5, "mirostat_tau": 4.0,
        "bias": ["dragon: +5"], "banned": ["the"], "num_variants": 2, "guidance_scale": 1.5, "dynatemp_range": 0.3,
        "top_n_sigma": 2.0, "frequency_penalty": 0.5, "presence_penalty": 0.2, "negative_prompt": "A dog"}),
    "a schema and looking ahead": (STORY, {"prompt": "Once"}, {
        "max_new_tokens": 30, "prompt_lookup_num_tokens": 3,
        "json_schema": '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}'}),
    "a conversation": (CHAT, {"prompt": "Write a story about a fox.", "messages": "[]"}, {"max_new_tokens": 24}),
    "a conversation that names a special token": (CHAT, {
        "prompt": "Write about <|user|> a fox.", "messages": json.dumps([{"role": "assistant", "content": "Hello."}])},
        {"max_new_tokens": 16, "cut_prompt": True}),
    "a diffusion model as it is": (EMOJI, {"prompt": "red heart"}, {
        "num_inference_steps": 4, "negative_prompt": "blue"}),
    "weighted words, another scheduler, several images": (EMOJI, {"prompt": "(red:1.4) heart, [3d]"}, {
        "num_inference_steps": 3, "num_images": 5, "variation_strength": 0.3, "scheduler": "DDIMScheduler", "eta": 0.5,
        "clip_skip": 1, "guidance_scale": 3.0}),
    "two prompts": (EMOJI, {"prompt": "red heart", "prompt_to": "sunflower"}, {
        "num_inference_steps": 3, "prompt_mix": 0.4, "scheduler": "EulerAncestralDiscreteScheduler"}),
    "image to image": (EMOJI, {"prompt": "red heart", "image": "image"}, {
        "num_inference_steps": 5, "task": "image to image", "strength": 0.7}),
    "inpainting": (EMOJI, {"prompt": "red heart", "image": "image", "mask": "mask"}, {
        "num_inference_steps": 4, "task": "inpaint", "strength": 0.9, "sigmas": "karras"}),
    "a generator": (GAN, {"prompt": "red heart", "prompt_to": "pizza"}, {
        "truncation": 0.8, "num_images": 2, "variation_strength": 0.2, "prompt_mix": 0.3}),
    "a latent drawn by words": (VAE, {"prompt": "red heart", "prompt_to": "cat"}, {
        "component_2": 1.5, "num_images": 2, "variation_strength": 0.4, "prompt_mix": 0.5}),
    "a latent of two images": (VAE, {"image": "image", "image_to": "mask"}, {
        "task": "interpolate", "mix": 0.3, "component_1": -1.0}),
    "what an image shows": (JUDGE, {"image": "image"}, {"top_k": 4}),
    "an image in words": (CAPTION, {"image": "image"}, {"captions": 4}),
    "an image in drawn words, by one decoder": (CAPTION, {"image": "image"}, {
        "decoder": "lstm", "do_sample": True, "temperature": 1.6, "top_k": 20, "top_p": 0.9, "with_style": False}),
    "a tune": (FOLK, {"prompt": "d2 f a |"}, {
        "max_new_tokens": 40, "num_variants": 2, "top_k": 30, "min_p": 0.02, "chords": 0.4, "drone": 0.2,
        "instrument": "whistle"}),
    "a tune of a recurrent net, greedy": (FOLK_LSTM, {}, {
        "max_new_tokens": 40, "temperature": 0.0, "loudness": "as it came", "metre": "4/4", "swing": 0.6}),
    "digits said": (DIGITS, {"prompt": "four 2"}, {
        "num_inference_steps": 4, "griffin_lim_rounds": 8, "num_takes": 2, "speaker": "george"}),
    "digits heard": (EAR, {"audio": "audio"}, {"min_confidence": 0.1, "max_outlier": 4.0}),
}  # fmt: skip


pytestmark = pytest.mark.timeout(600)  # one interpreter runs all scripts: minutes where other tests run beside it


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return each case's request, what the engine made, and the folder in which its script made the same again."""
    folder = tmp_path_factory.mktemp("scripts")
    engine = LocalEngine(Settings(data_dir=tmp_path_factory.mktemp("data")))
    uploads = {}
    for name, make in UPLOADS.items():
        (folder / name).write_bytes(make())
        uploads[name.partition(".")[0]] = Blobs(engine._settings.data_dir).put_bytes(make())
    found = {}
    for seed, (case, (model, inputs, params)) in enumerate(CASES.items()):
        given = {name: uploads.get(name, text) for name, text in inputs.items()}
        request = Request(model=model, inputs=given, params=params, seed=seed)
        (folder / f"script-{seed}.py").write_text(coding.write(CATALOG, Settings(), request), "utf-8")
        final = [event for event in engine.generate(request, StopSignal()) if event.kind == "final"][0]
        found[case] = (request, [one for one in final.outputs if one.kind not in ASIDE])
    engine.close()
    for weights in (ROOT / "models" / "embedded").iterdir():
        (folder / weights.name).symlink_to(weights)
    scripts = [f"script-{seed}.py" for seed in range(len(CASES))]
    run_apart(folder, scripts)
    return found, folder


@pytest.mark.parametrize("case", CASES)
def test_a_script_makes_what_the_run_made(made, case):
    found, folder = made
    request, outputs = found[case]
    assert_same(folder, request, outputs)
