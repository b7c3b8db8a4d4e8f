"""Text-to-image pipelines of five shapes, tiny and random: one family runs them all, alike."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from models.blobs import Blobs
from models.errors import BadInput, BadParam
from models.image import files
from models.image.files import read_settings
from models.image.sampling import drawing, previews
from models.runtime.engine import StopSignal
from models.types import combined_sha256
from tests.tiny import final_of
from tests.tiny.pipelines import KINDS, draw, make_vae, pipelines_engine

each = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = pipelines_engine(tmp_path_factory.mktemp("pipelines"))
    assert not engine.catalog.problems
    yield engine
    engine.close()


def pictures(final):
    return [np.asarray(Image.open(io.BytesIO(one.data))).astype(int) for one in final.outputs if one.kind == "image"]


def alike(left, right):
    """Say whether two pictures differ by no more than the rounding of one level of 255."""
    return np.abs(left - right).max() <= 1


def stored(engine, picture):
    data = io.BytesIO()
    picture.save(data, "PNG")
    return Blobs(engine._settings.data_dir).put_bytes(data.getvalue())


@pytest.fixture(scope="module")
def photo(engine):
    rows = np.linspace(0, 255, 40 * 50 * 3).reshape(40, 50, 3).astype(np.uint8)
    return stored(engine, Image.fromarray(rows))


@pytest.fixture(scope="module")
def right_half(engine):
    mask = np.zeros((32, 32), np.uint8)
    mask[:, 16:] = 255
    return stored(engine, Image.fromarray(mask))


@each
def test_it_draws_and_the_same_request_gives_the_same_bytes(engine, kind):
    final = final_of(engine, draw(kind, seed=3))
    (picture,) = [one for one in final.outputs if one.kind == "image"]
    assert picture.meta == {"width": 32, "height": 32, "seed": 3}
    assert Image.open(io.BytesIO(picture.data)).size == (32, 32)
    assert final.stats["steps"] == 4
    assert final.stats["in_effect"]["num_inference_steps"] == 4
    again = final_of(engine, draw(kind, seed=3))
    assert [one.data for one in again.outputs] == [one.data for one in final.outputs]
    assert not alike(pictures(final)[0], pictures(final_of(engine, draw(kind, seed=4)))[0])


@each
def test_a_batch_is_its_single_runs(engine, kind):
    batch = pictures(final_of(engine, draw(kind, seed=5, num_images=3)))
    for number, picture in enumerate(batch):
        assert alike(picture, pictures(final_of(engine, draw(kind, seed=5 + number)))[0])


@each
def test_every_scheduler_of_the_list_draws_something_of_its_own(engine, kind):
    names = engine.catalog[f"image/{kind}"].facts["schedulers"]
    drawn = {}
    for name in names:
        final = final_of(engine, draw(kind, scheduler=name, num_inference_steps=5))
        assert final.stats["in_effect"]["scheduler"] == name
        drawn[name] = pictures(final)[0]
        assert drawn[name].std() > 1
    assert len({picture.tobytes() for picture in drawn.values()}) >= max(1, len(names) - 2)


@each
def test_a_scheduler_that_does_not_run_is_refused_by_name(engine, kind):
    wrong = "EulerDiscreteScheduler" if kind in ("lcm", "sd3", "flux") else "FlowMatchEulerDiscreteScheduler"
    with pytest.raises(BadParam, match=f"scheduler is '{wrong}'; it must be one of"):
        list(engine.generate(draw(kind, scheduler=wrong)))


@each
def test_previews_come_and_stop_ends_within_a_step(engine, kind, monkeypatch):
    monkeypatch.setattr(previews, "GAP_S", 0.0)
    monkeypatch.setattr(previews, "SHORT_RUN_S", 1e9)
    stop, seen = StopSignal(), []
    for event in engine.generate(draw(kind, num_inference_steps=48), stop):
        seen.append(event)
        if event.kind == "preview":
            stop.request()
    shown = [event for event in seen if event.kind == "preview"]
    assert shown
    assert Image.open(io.BytesIO(shown[0].outputs[0].data)).mode == "RGB"
    asked_at = shown[0].outputs[0].meta["step"]
    final = seen[-1]
    assert final.kind == "final"
    assert final.stats["stopped"]
    assert final.stats["steps"] < 48
    assert final.outputs[0].meta["finish"] == "stopped"
    assert asked_at >= 1


def test_previews_keep_to_their_budget(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(previews.time, "monotonic", lambda: now[0])
    budget = previews.Budget()
    spent = 0.0
    for _ in range(2000):
        now[0] += 0.05
        if budget.allows():
            now[0] += 0.1
            budget.spend(0.1)
            spent += 0.1
    assert 0.03 * now[0] < spent <= 0.05 * now[0] + 0.1


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux"])
def test_a_picture_to_start_from_and_strength(engine, photo, kind):
    near = final_of(engine, draw(kind, task="image to image", image=photo, strength=0.25, num_inference_steps=8))
    far = final_of(engine, draw(kind, task="image to image", image=photo, strength=1.0, num_inference_steps=8))
    assert near.stats["steps"] < far.stats["steps"]
    assert not alike(pictures(near)[0], pictures(far)[0])
    assert pictures(near)[0].shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux"])
def test_inpainting_keeps_what_is_not_masked(engine, photo, right_half, kind):
    final = final_of(engine, draw(kind, task="inpaint", image=photo, mask=right_half, strength=1.0))
    got = pictures(final)[0]
    given = np.asarray(files.fit(files.decode_upload(Blobs(engine._settings.data_dir).get_bytes(photo)), 32, 32))
    assert (got[:, :16] == given[:, :16]).all()
    assert (got[:, 16:] != given[:, 16:]).any()


@each
def test_a_variation_goes_from_one_seed_to_another(engine, kind):
    def at(strength):
        request = draw(kind, seed=1, variation_strength=strength, variation_seed=2)
        return pictures(final_of(engine, request))[0]

    assert alike(at(0.0), pictures(final_of(engine, draw(kind, seed=1)))[0])
    if kind != "lcm":  # its scheduler draws on from the seed's own chance at each step
        assert alike(at(1.0), pictures(final_of(engine, draw(kind, seed=2)))[0])
    assert not alike(at(0.5), at(0.0))


@each
def test_prompts_are_mixed_from_end_to_end(engine, kind):
    def at(mix):
        more = {"prompt_to": "a cat sat on my hat"} if mix is not None else {}
        return pictures(final_of(engine, draw(kind, prompt_mix=mix or 0.0, **more)))[0]

    other = pictures(final_of(engine, draw(kind, prompt="a cat sat on my hat")))[0]
    assert alike(at(0.0), at(None))
    assert alike(at(1.0), other)


def test_guidance_above_one_lets_the_negative_prompt_act(engine):
    def at(guidance, negative):
        return pictures(final_of(engine, draw("sd", guidance_scale=guidance, negative_prompt=negative)))[0]

    assert not alike(at(9.0, ""), at(9.0, "zzz zzz"))
    fields = {item.name: item for item in engine.catalog.family("image/sd").fields(engine.catalog["image/sd"])}
    assert 1.5 in fields["negative_prompt"].shown_if["guidance_scale"]
    assert 1.0 not in fields["negative_prompt"].shown_if["guidance_scale"]


@pytest.mark.parametrize(("name", "value"), [
    ("sigmas", "karras"), ("sigmas", "exponential"), ("sigmas", "beta"), ("timestep_spacing", "trailing"),
    ("clip_skip", 1), ("guidance_scale", 1.0),
])  # fmt: skip
def test_each_setting_acts(engine, name, value):
    common = {"num_inference_steps": 6, "scheduler": "DPMSolverMultistepScheduler"}
    plain = pictures(final_of(engine, draw("sd", **common)))[0]
    assert not alike(plain, pictures(final_of(engine, draw("sd", **common, **{name: value})))[0])


def test_eta_adds_noise_to_ddim(engine):
    still = pictures(final_of(engine, draw("sd", scheduler="DDIMScheduler")))[0]
    assert not alike(still, pictures(final_of(engine, draw("sd", scheduler="DDIMScheduler", eta=1.0)))[0])


def test_skip_leaves_the_chunk_and_goes_on(engine, monkeypatch):
    monkeypatch.setattr(drawing, "CHUNK", 1)
    stop, pressed = StopSignal(), False
    for event in engine.generate(draw("sd", num_images=3, num_inference_steps=40), stop):
        if event.kind == "progress" and event.note == "image 2 of 3" and event.step and not pressed:
            pressed = True
            stop.skip()
    assert [one.index for one in event.outputs if one.kind == "image"] == [0, 2]
    assert not event.stats["stopped"]
    assert "1 of 3 images were skipped." in event.stats["notes"]


def test_stop_keeps_what_was_finished(engine, monkeypatch):
    monkeypatch.setattr(drawing, "CHUNK", 1)
    stop = StopSignal()
    for event in engine.generate(draw("sd", num_images=3, num_inference_steps=40, seed=9), stop):
        if event.kind == "progress" and event.note == "image 2 of 3":
            stop.request()
    first = final_of(engine, draw("sd", num_inference_steps=40, seed=9))
    assert alike(pictures(event)[0], pictures(first)[0])
    assert [one.meta.get("finish") for one in event.outputs if one.kind == "image"] == [None, "stopped"]


def test_two_runs_with_two_schedulers_on_one_pipeline_do_not_disturb_each_other(engine):
    spec, family = engine.catalog["image/sd"], engine.catalog.family("image/sd")
    loaded = family.load(spec)
    names = ["EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"]
    requests = [draw("sd", scheduler=name, num_inference_steps=25, seed=7) for name in names]
    from models.family import Context

    def run(request, into):
        params = engine.catalog.validate(request)
        *_, final = family.generate(spec, request, params, loaded, Context())
        into[request.params["scheduler"]] = pictures(final)[0]

    def threads(into):
        return [threading.Thread(target=run, args=(request, into)) for request in requests]

    alone, together = {}, {}
    # in threads of their own too: one may share out its sums otherwise than the main one, and round otherwise
    for thread in threads(alone):
        thread.start()
        thread.join()
    beside = threads(together)
    for thread in beside:
        thread.start()
    for thread in beside:
        thread.join()
    for name in names:
        assert (alone[name] == together[name]).all()


@each
def test_the_kept_steps_are_decoded(engine, kind):
    request = draw(kind, num_inference_steps=6)
    final = final_of(engine, request)
    kept = final.outputs[-1]
    assert kept.kind == "steps"
    assert kept.meta["count"] == len(kept.meta["distance"]) == len(kept.meta["timesteps"]) == 6
    assert kept.meta["timesteps"] == sorted(kept.meta["timesteps"], reverse=True)
    assert combined_sha256(final.outputs) == final.outputs[0].sha256
    ref = Blobs(engine._settings.data_dir).put_bytes(kept.data)
    strips = final_of(engine, draw(kind, num_inference_steps=6, study="steps", steps=ref)).outputs
    assert [one.meta["what"] for one in strips] == ["x0", "x_t"]
    for strip in strips:
        assert strip.meta["count"] == 6
        assert Image.open(io.BytesIO(strip.data)).size == (6 * 32, 32)
    # the last belief is the picture
    last = np.asarray(Image.open(io.BytesIO(strips[0].data))).astype(int)[:, -32:]
    if kind in ("sd3", "flux", "sd"):
        assert np.abs(last - pictures(final)[0]).mean() < 6


def test_kept_steps_of_another_kind_get_a_sentence(engine, photo):
    with pytest.raises(BadInput, match="saved steps"):
        list(engine.generate(draw("sd", study="steps", steps=photo)))
    with pytest.raises(BadInput, match="has no study"):
        list(engine.generate(draw("sd", study="nonsense")))


@pytest.mark.parametrize("kind", ["sd", "sdxl", "lcm"])
def test_words_have_maps_and_the_picture_stays_the_same(engine, kind):
    plain = pictures(final_of(engine, draw(kind, prompt="a cat ran")))[0]
    final = final_of(engine, draw(kind, prompt="a cat ran", study="words"))
    assert [one.meta.get("word") for one in final.outputs] == [None, "a", "cat", "ran"]
    assert alike(pictures(final)[0], plain)
    for heat in pictures(final)[1:]:
        assert heat.shape == (32, 32)
        assert heat.max() > 0
    assert max(heat.max() for heat in pictures(final)[1:]) == 255  # one scale for all words
    assert alike(pictures(final_of(engine, draw(kind, prompt="a cat ran")))[0], plain)  # nothing is left behind


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_models_without_a_unet_say_so(engine, kind):
    with pytest.raises(BadInput, match="no U-Net"):
        list(engine.generate(draw(kind, study="words")))


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"prompt": " "}, "prompt is empty"),
    ({"width": 33}, "whole multiples of 8. Choose 32 or 40"),
    ({"task": "image to image"}, "needs an image to start from"),
    ({"task": "inpaint", "image": "sha256:" + "0" * 64}, "needs a mask"),
    ({"prompt_mix": 0.5}, "no second prompt"),
    ({"task": "image to image", "image": "sha256:" + "0" * 64, "strength": 0.05}, "leaves no step"),
    ({"task": "image to image", "image": "sha256:" + "0" * 64}, "No file is stored"),
])  # fmt: skip
def test_a_wrong_request_gets_a_sentence(engine, changes, sentence):
    with pytest.raises(BadInput, match=sentence):
        list(engine.generate(draw("sd", **changes)))


def test_a_long_prompt_is_cut_and_said_so(engine):
    final = final_of(engine, draw("sd", prompt="cat " * 40))
    assert final.stats["notes"] == ["The prompt has 40 tokens; the model reads the first 14 and leaves out the rest."]


def test_the_file_carries_its_request(engine):
    request = draw("sd", seed=11, num_images=2, guidance_scale=7.5)
    second = final_of(engine, request).outputs[1]
    found = read_settings(second.data)
    assert (found.source, found.model, found.seed) == ("playground", "image/sd", 11)
    assert found.params["guidance_scale"] == 7.5
    assert found.inputs == {"prompt": "a cat"}
    line = files.file_text(second.data)["parameters"].splitlines()[1]
    assert line.startswith("Steps: 4, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 12")


def test_inpainting_works_for_any_number_of_latent_channels(engine, photo, right_half, tmp_path):
    """diffusers' own refuses all but 4 and 9; ours has 16."""
    spec, family = engine.catalog["image/sd"], engine.catalog.family("image/sd")
    loaded = family.load(spec)
    pipeline = loaded.parts["pipeline"]
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(2)
    config = {**pipeline.unet.config, "in_channels": 6, "out_channels": 6}
    vae = make_vae(6).requires_grad_(False)
    unet = UNet2DConditionModel.from_config(config).eval().requires_grad_(False)
    pipeline.register_modules(unet=unet, vae=vae)
    loaded.parts |= {"vae": vae, "colours": previews.fit_colours(vae)}
    request = draw("sd", task="inpaint", image=photo, mask=right_half, strength=1.0, num_images=2, seed=4)
    from models.family import Context

    blobs = Blobs(engine._settings.data_dir)
    params = engine.catalog.validate(request)
    *_, final = family.generate(spec, request, params, loaded, Context(open_ref=blobs.get_bytes))
    given = np.asarray(files.fit(files.decode_upload(blobs.get_bytes(photo)), 32, 32))
    for got in pictures(final):
        assert (got[:, :16] == given[:, :16]).all()
        assert (got[:, 16:] != given[:, 16:]).any()
    # what is kept is there from the first steps on, not only laid over at the end
    kept = final.outputs[-1].meta
    assert kept["count"] == 4
