"""Settings in pictures of other programs, each as the program writes it: all seven are read, the rest is named."""

import json

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from models.diffusion import samplers, schedulers
from models.errors import BadInput
from models.image import makers
from models.image.files import read_settings
from tests.models.image.test_files import encoded, noise
from tests.models.image.test_texts import exif_with

MAGIC = "Magic 3000"


def png(**texts):
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_itxt(key.replace("_0", "-"), value if isinstance(value, str) else json.dumps(value))
    return encoded(noise(16), pnginfo=info)


def comfy(seed=77, denoise=1.0, **more):
    nodes = {
        "3": ("KSampler", {"seed": seed, "steps": 24, "cfg": 6.5, "sampler_name": "euler_ancestral",
                           "scheduler": "karras", "denoise": denoise, "model": ["4", 0], "positive": ["6", 0],
                           "negative": ["7", 0], "latent_image": ["5", 0]}),
        "4": ("CheckpointLoaderSimple", {"ckpt_name": "kites.safetensors"}),
        "5": ("EmptyLatentImage", {"width": 64, "height": 96, "batch_size": 1}),
        "6": ("CLIPTextEncode", {"text": "a red kite", "clip": ["4", 1]}),
        "7": ("CLIPTextEncode", {"text": "dull", "clip": ["4", 1]}),
        "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        "9": ("SaveImage", {"filename_prefix": "k", "images": ["8", 0]}), **more,
    }  # fmt: skip
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def advanced():
    """ComfyUI's sampler in parts, as its newer templates have it, texts and seed in nodes of their own."""
    nodes = {
        "1": ("SamplerCustomAdvanced", {"noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0],
                                        "latent_image": ["6", 0]}),
        "2": ("RandomNoise", {"noise_seed": ["11", 0]}), "11": ("PrimitiveInt", {"value": 77}),
        "3": ("CFGGuider", {"model": ["9", 0], "positive": ["12", 0], "negative": ["8", 0], "cfg": 6.5}),
        "4": ("KSamplerSelect", {"sampler_name": "euler_ancestral"}),
        "5": ("BasicScheduler", {"scheduler": "karras", "steps": 24, "denoise": 1.0, "model": ["9", 0]}),
        "6": ("EmptySD3LatentImage", {"width": 64, "height": 96, "batch_size": 1}),
        "7": ("CLIPTextEncode", {"text": ["10", 0], "clip": ["9", 1]}),
        "10": ("PrimitiveString", {"value": "a red kite"}),
        "8": ("CLIPTextEncode", {"text": "dull", "clip": ["9", 1]}),
        "9": ("CheckpointLoaderSimple", {"ckpt_name": "kites.safetensors"}),
        "12": ("ControlNetApplyAdvanced", {"conditioning": ["7", 0], "strength": 0.5}),
    }  # fmt: skip
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def editor():
    """ComfyUI's editor alone, as it is saved without the graph that ran."""
    return {
        "version": 0.4, "links": [[1, 6, 0, 3, 1, "CONDITIONING"], [2, 7, 0, 3, 2, "CONDITIONING"],
                                  [3, 5, 0, 3, 3, "LATENT"]],
        "nodes": [
            {"id": 3, "type": "KSampler", "widgets_values": [77, "randomize", 24, 6.5, "euler_ancestral", "karras", 1],
             "inputs": [{"name": "positive", "link": 1}, {"name": "negative", "link": 2},
                        {"name": "latent_image", "link": 3}]},
            {"id": 5, "type": "EmptyLatentImage", "widgets_values": [64, 96, 1]},
            {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a red kite"]},
            {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["dull"]},
        ],
    }  # fmt: skip


INVOKE = {"generation_mode": "txt2img", "positive_prompt": "a red kite", "negative_prompt": "dull", "width": 64,
          "height": 96, "seed": 77, "cfg_scale": 6.5, "steps": 24, "scheduler": "euler_a",
          "model": {"name": "kites"}}  # fmt: skip
INVOKE_2 = {"model_weights": "kites", "image": {
    "prompt": "a red kite [dull]", "steps": 24, "cfg_scale": 6.5, "seed": 77, "sampler": "k_euler_a", "width": 64,
    "height": 96, "type": "txt2img"}}  # fmt: skip
DREAM = '"a red kite [dull]" -s 24 -S 77 -W 64 -H 96 -C 6.5 -A k_euler_a'
NOVEL = {"steps": 24, "sampler": "k_euler_ancestral", "seed": 77, "scale": 6.5, "uc": "dull", "prompt": "a red kite",
         "width": 64, "height": 96, "strength": 0.69}  # fmt: skip
SWARM = {"sui_image_params": {
    "prompt": "a red kite", "negativeprompt": "dull", "model": "kites", "seed": 77, "steps": 24, "cfgscale": 6.5,
    "width": 64, "height": 96, "sampler": "euler_ancestral", "scheduler": "karras"}, "sui_extra_data": {}}  # fmt: skip
FOOOCUS = {"base_model": "kites", "metadata_scheme": "fooocus", "prompt": "a red kite", "negative_prompt": "dull",
           "guidance_scale": 6.5, "resolution": "(64, 96)", "sampler": "euler_ancestral", "scheduler": "karras",
           "seed": "77", "steps": 24, "sharpness": 2, "styles": "['Fooocus V2']", "loras": []}  # fmt: skip
EASY = {"prompt": "a red kite", "negative_prompt": "dull", "seed": "77", "num_inference_steps": "24",
        "guidance_scale": "6.5", "width": "64", "height": "96", "sampler_name": "euler_a",
        "use_stable_diffusion_model": "kites", "use_vae_model": "None"}  # fmt: skip
in_exif = lambda settings: encoded(
    noise(16), "JPEG", exif=exif_with(b"UNICODE\0" + json.dumps(settings).encode("utf-16-be"), ">")
)
FILES = {
    "ComfyUI": lambda: png(prompt=comfy(), workflow={"nodes": []}),
    "ComfyUI, in parts": lambda: png(prompt=advanced()),
    "ComfyUI, editor": lambda: png(workflow=editor()),
    "InvokeAI": lambda: png(invokeai_metadata=INVOKE),
    "InvokeAI 2": lambda: png(**{"sd-metadata": json.dumps(INVOKE_2), "Dream": DREAM}),
    "InvokeAI 1": lambda: png(Dream=DREAM),
    "NovelAI": lambda: png(Software="NovelAI", Description="a red kite", Comment=NOVEL),
    "SwarmUI": lambda: png(parameters=SWARM),
    "SwarmUI, JPEG": lambda: in_exif(SWARM),
    "Fooocus": lambda: png(parameters=FOOOCUS, fooocus_scheme="fooocus"),
    "Fooocus, JPEG": lambda: in_exif(FOOOCUS),
    "Easy Diffusion": lambda: png(**EASY),
    "Easy Diffusion, JPEG": lambda: in_exif(EASY),
}


@pytest.mark.parametrize("name", FILES)
def test_the_seven_settings_of_every_program_are_read(name):
    found = read_settings(FILES[name]())
    assert found.source == name.split(",")[0].removesuffix(" 1").removesuffix(" 2")
    assert found.inputs == {"prompt": "a red kite"}
    assert found.seed == 77
    params = dict(found.params)
    if "Invoke" not in name and "Novel" not in name and "Easy" not in name:
        assert params.pop("sigmas") == "karras"
    assert params == {
        "negative_prompt": "dull", "num_inference_steps": 24, "guidance_scale": 6.5, "width": 64, "height": 96,
        "scheduler": "EulerAncestralDiscreteScheduler",
    }  # fmt: skip


def test_comfyui_in_a_webp_stands_in_the_names_of_the_camera():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = f"prompt:{json.dumps(comfy())}", f"workflow:{json.dumps(editor())}"
    assert read_settings(encoded(noise(16), "WEBP", exif=exif)).seed == 77


def test_what_is_not_known_of_a_program_is_named():
    lora = {"20": ("LoraLoader", {"lora_name": "kites_v2", "strength_model": 0.8, "model": ["4", 0]})}
    assert read_settings(png(prompt=comfy(**lora))).unknown == ["LoraLoader: lora_name kites_v2, strength_model 0.8"]
    assert read_settings(png(invokeai_metadata={**INVOKE, "loras": [{"weight": 1}]})).unknown == [
        'loras: [{"weight": 1}]'
    ]
    assert read_settings(FILES["NovelAI"]()).unknown == ["strength: 0.69"]
    assert read_settings(FILES["Fooocus"]()).unknown == ["sharpness: 2", "styles: ['Fooocus V2']"]
    assert read_settings(png(**{**EASY, "upscale_amount": "4"})).unknown == ["upscale_amount: 4"]


@pytest.mark.parametrize(
    ("make", "task", "strength"),
    [
        (lambda: png(prompt=comfy(denoise=0.4, **{"5": ("VAEEncode", {"pixels": ["30", 0]}),
                                                  "30": ("LoadImage", {"image": "a.png"})})), "image to image", 0.4),
        (lambda: png(prompt=comfy(denoise=0.4, **{"5": ("VAEEncodeForInpaint", {"pixels": ["30", 0]}),
                                                  "30": ("LoadImage", {"image": "a.png"})})), "inpaint", 0.4),
        (lambda: png(invokeai_metadata={**INVOKE, "generation_mode": "img2img", "strength": 0.4}), "image to image",
         0.4),
        (lambda: png(invokeai_metadata={**INVOKE, "generation_mode": "inpaint", "strength": 0.4}), "inpaint", 0.4),
        (lambda: png(Software="NovelAI", Comment={**NOVEL, "request_type": "Img2ImgRequest"}), "image to image", 0.69),
        (lambda: png(**EASY, prompt_strength="0.4", init_image="data:"), "image to image", 0.4),
        (lambda: png(parameters={"sui_image_params": {**SWARM["sui_image_params"], "initimagecreativity": 0.4}}),
         "image to image", 0.4),
        (lambda: png(parameters="x\nSteps: 5, Sampler: Euler, Seed: 1, Denoising strength: 0.4"), "image to image",
         0.4),
        (lambda: png(parameters="x\nSteps: 5, Sampler: Euler, Seed: 1, Denoising strength: 0.4, Mask blur: 4"),
         "inpaint", 0.4),
        (lambda: png(parameters="x\nSteps: 5, sampler: Euler, Seed: 1, Denoising Strength: 0.4, Inpaint area: Masked"),
         "inpaint", 0.4),
    ],
)  # fmt: skip
def test_a_picture_from_a_picture_is_told_from_one_from_words(make, task, strength):
    params = read_settings(make()).params
    assert (params["task"], params["strength"]) == (task, strength)


@pytest.mark.parametrize(
    "pair",
    [
        "Hires upscale: 2",
        "Hires steps: 9",
        "Hires upscaler: Latent",
        "First pass size: 0x0",
        "Hires resize-1: 64",
        "Hires CFG Scale: 2",
    ],
)
def test_the_strength_of_a_second_pass_is_none_of_the_first(pair):
    found = read_settings(png(parameters=f"x\nSteps: 5, Sampler: Euler, Seed: 1, Denoising strength: 0.7, {pair}"))
    assert "task" not in found.params
    assert "strength" not in found.params
    assert found.unknown[0].startswith("Denoising strength: 0.7 (")
    assert found.unknown[1] == pair


@pytest.mark.parametrize("seed", [2**32, 6_687_881_544_318_117_707, -5, 1.5, "x", True, None, [3], 1e400])
def test_a_seed_that_cannot_be_had_is_named_and_never_changed(seed):
    found = read_settings(png(prompt=comfy(seed=seed)))
    assert found.seed is None
    assert not found.new_seed
    assert seed is None or found.unknown[0].startswith("seed: ")


def test_minus_one_asks_for_a_new_seed():
    for data in (png(prompt=comfy(seed=-1)), png(parameters="x\nSteps: 5, Sampler: Euler, Seed: -1"),
                 png(**{**EASY, "seed": "-1"})):  # fmt: skip
        found = read_settings(data)
        assert (found.seed, found.new_seed, found.unknown) == (None, True, [])


def test_the_first_pass_of_two_is_read_and_rings_of_links_end():
    second = {"30": ("KSampler", {"seed": 5, "steps": 9, "cfg": 1, "sampler_name": "ddim", "scheduler": "normal",
                                  "denoise": 0.5, "positive": ["6", 0], "negative": ["7", 0],
                                  "latent_image": ["3", 0]})}  # fmt: skip
    found = read_settings(png(prompt=dict(reversed(comfy(**second).items()))))
    assert found.seed == 77
    assert any("KSampler" in name and "seed 5" in name for name in found.unknown)
    ring = comfy(**{"6": ("Ring", {"conditioning": ["7", 0]}), "7": ("Ring", {"conditioning": ["6", 0]})})
    assert "prompt" not in read_settings(png(prompt=ring)).inputs


SAMPLERS = {
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", "karras"),
    "dpmpp_2m_k": ("DPMSolverMultistepScheduler", "karras"),
    "k_dpmpp_2m": ("DPMSolverMultistepScheduler", ""), "k_euler_ancestral": ("EulerAncestralDiscreteScheduler", ""),
    "Euler a": ("EulerAncestralDiscreteScheduler", ""), "euler_a": ("EulerAncestralDiscreteScheduler", ""),
    "uni_pc": ("UniPCMultistepScheduler", ""), "UniPC": ("UniPCMultistepScheduler", ""),
    "kdpm_2_a_k": ("KDPM2AncestralDiscreteScheduler", "karras"), "dpm_2": ("KDPM2DiscreteScheduler", ""),
    "DPM2 a Karras": ("KDPM2AncestralDiscreteScheduler", "karras"), "plms": ("PNDMScheduler", ""),
    "ddim": ("DDIMScheduler", ""), "heun_k": ("HeunDiscreteScheduler", "karras"), "LCM": ("LCMScheduler", ""),
    "DPM++ 2M Exponential": ("DPMSolverMultistepScheduler", "exponential"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_known_by_every_program_s_name(name):
    sampler, schedule = samplers.find(name)
    assert (sampler.scheduler, schedule) == SAMPLERS[name]
    assert sampler.exact


@pytest.mark.parametrize("name", ["dpmpp_2m_sde_gpu", "DPM++ SDE Karras", "DPM++ 2S a", "dpmpp_3m_sde"])
def test_the_nearest_sampler_is_taken_and_told(name):
    assert not samplers.find(name)[0].exact
    found = read_settings(png(parameters=f"x\nSteps: 5, Sampler: {name}, Seed: 1"))
    assert found.params["scheduler"] in schedulers.NAMES
    assert found.unknown[0].startswith(f"Sampler: {name} (the nearest one here is taken: ")


def test_a_sampler_that_nobody_knows_is_named():
    assert samplers.find(MAGIC) is None
    for data in (png(invokeai_metadata={**INVOKE, "scheduler": MAGIC}), png(**{**EASY, "sampler_name": MAGIC})):
        found = read_settings(data)
        assert "scheduler" not in found.params
        assert MAGIC in found.unknown[0]


@pytest.mark.parametrize("name", schedulers.NAMES)
def test_every_scheduler_of_ours_has_a_name_that_is_read_back(name):
    assert samplers.find(samplers.webui_name(name)) == (samplers.Sampler(name, True), "")
    assert samplers.find(name)[0].scheduler == name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=8,
)  # fmt: skip
KEYS = [*INVOKE, *NOVEL, *SWARM["sui_image_params"], *FOOOCUS, *EASY, "image", "sui_image_params", "nodes", "3"]


@hypothesis.settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # machines are busy
@given(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=8), st.sampled_from(
    ["prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Comment", "parameters", "exif:UserComment"]
))  # fmt: skip
def test_whatever_stands_where_settings_are_expected_is_read_or_passed_over(settings, place):
    for text in (json.dumps(settings), json.dumps({"image": settings}), json.dumps({"sui_image_params": settings}),
                 json.dumps({"1": {"class_type": "KSampler", "inputs": settings}})):  # fmt: skip
        found = makers.read({place: text, "Software": "NovelAI"})
        assert found is None or found.seed is None or 0 <= found.seed < 2**32


def test_a_command_line_without_end_is_none():
    assert read_settings(png(Dream=f'"a kite" -s 24 {"x" * makers.LINE_MAX_CHARS}')) is None


def test_a_size_with_a_long_gap_is_named():
    found = read_settings(png(parameters=f"a kite\nSteps: 20, Size: 64x96{' ' * 50_000}a, Seed: 7, CFG scale: 6"))
    assert found.seed == 7
    assert "width" not in found.params
    assert found.unknown[0].startswith("Size: 64x96")


def test_of_very_many_settings_the_first_are_named():
    found = read_settings(png(parameters="a kite\nSteps: 20, Seed: 7, Sampler: Euler a, " + "a: b, " * 20_000))
    assert len(found.unknown) == 51
    assert found.unknown[-1] == "and 19,950 more"


def test_a_text_that_is_too_long_to_be_settings_is_passed_over_and_too_many_are_a_sentence():
    assert read_settings(png(Comment="x" * 300_000, parameters="a kite\nSteps: 20, Seed: 7, CFG scale: 6")).seed == 7
    with pytest.raises(BadInput, match="too long to be settings"):
        read_settings(png(**{f"c{at}": "x" * 150_000 for at in range(6)}))
