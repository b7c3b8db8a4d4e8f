"""Sound and music by tiny random models of each kind: the same bytes again, honoured settings, every slider, Stop."""

import io
import json
from functools import partial

import numpy as np
import pytest
import soundfile

from models.audio.families import text_to_audio
from models.errors import BadInput, BadParam, WeightsError
from models.runtime.engine import StopSignal
from models.watching import follow
from tests.tiny import final_of
from tests.tiny.music_nets import KINDS, ask, music_engine

DIFFUSION = ("audioldm", "stable", "longcat", "ace", "turbo")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = music_engine(tmp_path_factory.mktemp("music"))
    assert not engine.catalog.problems, engine.catalog.problems
    yield engine
    engine.close()


def heard(engine, *given, **params):
    final = final_of(engine, ask(*given, **params))
    return soundfile.read(io.BytesIO(final.outputs[0].data))[0]


def names(engine, kind):
    spec = engine.catalog[f"audio/{kind}"]
    return {item.name: item for item in engine.catalog.family(spec.id).fields(spec)}


@pytest.mark.parametrize("kind", KINDS)
def test_same_request_same_bytes_and_another_seed_another_sound(engine, kind):
    one, again, other = (final_of(engine, ask(kind, seed=seed)).outputs[0] for seed in (3, 3, 4))
    assert one.data == again.data
    assert not np.array_equal(*(soundfile.read(io.BytesIO(take.data))[0] for take in (one, other)))
    assert one.text == "soft rain"
    samples, rate = soundfile.read(io.BytesIO(one.data), always_2d=True)
    assert rate == 8000
    assert abs(len(samples) / rate - 0.5) <= 32 / 8000  # a frame of codes or latents, at most
    assert samples.shape[1] == (1 if kind in ("audioldm", "longcat", "musicgen") else 2)
    assert np.abs(samples).max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "more"),
    [("audioldm", {"negative_prompt"}), ("stable", {"negative_prompt"}), ("longcat", {"negative_prompt"}),
     ("ace", {"shift", "lyrics", "vocal_language", "bpm", "keyscale", "timesignature"})],
)  # fmt: skip
def test_only_what_the_call_honours_is_shown(engine, kind, more):
    assert set(names(engine, kind)) == {"seconds", "num_inference_steps", "guidance_scale", "seed", "loudness"} | more


def test_a_distilled_model_has_no_guidance_and_codes_have_no_steps(engine):
    assert set(names(engine, "ace")) - set(names(engine, "turbo")) == {"guidance_scale"}
    assert set(names(engine, "musicgen")) == {
        "seconds",
        "guidance_scale",
        "temperature",
        "top_k",
        "top_p",
        "seed",
        "loudness",
    }
    with pytest.raises(BadParam, match="no such setting"):
        engine.catalog.validate(ask("musicgen", num_inference_steps=5))


def test_no_sound_is_longer_than_the_model_can_make(engine):
    assert names(engine, "stable")["seconds"].le == 1.024
    assert names(engine, "musicgen")["seconds"].le == 5.08
    assert names(engine, "audioldm")["seconds"].le == 120
    with pytest.raises(BadParam, match=r"at most|1\.024"):
        engine.catalog.validate(ask("stable", seconds=2.0))
    assert len(heard(engine, "stable", seconds=1.0)) == 8000
    assert abs(len(heard(engine, "musicgen", seconds=5.0)) - 40_000) <= 80


ENDS = {"guidance_scale": (1.0, 8.0), "num_inference_steps": (2, 8), "seconds": (0.5, 1.0), "shift": (1.0, 6.0),
        "negative_prompt": ("", "low quality"), "lyrics": ("", "drums"), "vocal_language": ("en", "de"),
        "bpm": (None, 4), "keyscale": ("", "low"), "timesignature": ("any", "4"), "temperature": (0.0, 2.0),
        "top_k": (1, 0), "top_p": (0.01, 1.0), "loudness": ("even (−16 LUFS)", "as it came")}  # fmt: skip


@pytest.mark.parametrize("kind", ["audioldm", "stable", "longcat", "ace", "musicgen"])
def test_both_ends_of_every_slider_are_heard(engine, kind):
    for name in names(engine, kind):
        # a tiny tokenizer cuts the header of the lyrics and has one word for languages and keys that it does not know
        if name in ("seed", "vocal_language", "bpm"):
            continue
        one, other = (heard(engine, kind, seed=5, **{name: value}) for value in ENDS[name])
        assert len(one) != len(other) or np.abs(one - other).max() > 1e-4, name


def test_temperature_zero_leaves_nothing_to_chance(engine):
    one, other = (heard(engine, "musicgen", seed=seed, temperature=0.0) for seed in (1, 2))
    assert np.array_equal(one, other)
    assert names(engine, "musicgen")["seed"].shown_if == names(engine, "musicgen")["top_k"].shown_if


@pytest.mark.parametrize("kind", DIFFUSION)
def test_diffusion_shows_its_latents_step_by_step(engine, kind):
    events = list(engine.generate(ask(kind, num_inference_steps=5, seconds=1.0)))
    final = events[-1]
    assert [output.meta.get("what") for output in final.outputs] == [None, "mel", "steps"]
    steps = final.outputs[2].meta
    assert steps["count"] == 5
    assert len(steps["timesteps"]) == 5
    assert len(set(steps["timesteps"])) == 5
    assert final.stats["steps"] == 5
    assert any(event.kind == "preview" for event in events)
    if kind in ("longcat", "ace", "turbo", "stable"):  # frames run to the right: a wide picture
        assert steps["tile"][0] > steps["tile"][1]


def test_many_steps_are_kept_thinned_out(engine):
    final = final_of(engine, ask("stable", num_inference_steps=120))
    assert final.stats["steps"] == 120
    assert final.outputs[2].meta["count"] <= 50


@pytest.mark.parametrize("kind", ["musicgen", "stereo"])
def test_codes_are_heard_as_they_come_and_stop_keeps_what_there_was(engine, kind, monkeypatch):
    from models.audio.sampling import music

    monkeypatch.setattr(music, "PREVIEW_EVERY", 5)
    monkeypatch.setattr(text_to_audio, "follow", partial(follow, interval_s=0.0))
    stop = StopSignal()
    seen = []
    for event in engine.generate(ask(kind, seconds=5.0), stop):
        if event.kind == "preview":
            seen.append(event.outputs[0].meta["seconds"])
            stop.request()
    final = event
    assert seen
    assert final.stats["stopped"]
    assert final.outputs[0].meta["finish"] == "stopped"
    whole, part = heard(engine, kind, seconds=5.0), soundfile.read(io.BytesIO(final.outputs[0].data))[0]
    assert 0 < len(part) < len(whole)


@pytest.mark.parametrize("kind", ["musicgen", "stereo"])
def test_the_codes_that_stop_keeps_decode_as_the_library_decodes_them(engine, kind):
    import torch

    from models.audio.sampling import music
    from models.seeds import seeded

    with engine._registry.lease(f"audio/{kind}") as loaded:
        model, processor = loaded.parts["model"], loaded.parts["processor"]
        kept = []

        def keep(ids, scores, **_):
            kept.append(ids.clone())
            return torch.zeros(len(ids), dtype=torch.bool)

        given = processor(text=["rain"], return_tensors="pt")
        with torch.inference_mode(), seeded(1):
            wave = model.generate(**given, max_new_tokens=43, do_sample=True, stopping_criteria=[keep])
            own = music.decode_codes(model, kept[-1])
    assert np.allclose(own, music.limit_peak(wave[0].T.numpy()), atol=1e-5)


def stopped_after(engine, kind, steps, monkeypatch, **params):
    """Return the end of a run that is stopped after some steps, and how often its net was asked."""
    from models.audio.sampling import music

    stop, asked, take = StopSignal(), [], music.LatentWatch.take

    def count(self, *given):
        take(self, *given)
        if self.step == steps:
            stop.request()

    monkeypatch.setattr(music.LatentWatch, "take", count)
    with engine._registry.lease(f"audio/{kind}") as loaded:
        parts = loaded.parts["pipeline"].components
        net = parts["transformer"] if "transformer" in parts else parts["unet"]
        hook = type(net).forward
        monkeypatch.setattr(type(net), "forward", lambda *a, **k: (asked.append(1), hook(*a, **k))[1])
        final = final_of(engine, ask(kind, seed=2, **params), stop)
        assert "forward" not in vars(net)
    monkeypatch.undo()
    return final, len(asked)


@pytest.mark.parametrize("kind", DIFFUSION)
def test_a_stopped_diffusion_ends_within_a_step_and_keeps_what_it_believed_in(engine, kind, monkeypatch):
    final, asked = stopped_after(engine, kind, 2, monkeypatch, num_inference_steps=40)
    assert final.stats["stopped"]
    assert final.stats["steps"] == 2
    assert asked <= 4  # with and without the description: nothing was asked after the stop
    assert final.outputs[0].meta["finish"] == "stopped"
    assert "Stopped after 2 steps" in final.stats["notes"][0]
    samples = soundfile.read(io.BytesIO(final.outputs[0].data))[0]
    assert abs(len(samples) / 8000 - 0.5) <= 32 / 8000
    assert np.isfinite(samples).all() and np.abs(samples).max() > 1e-3
    assert [output.meta.get("what") for output in final.outputs] == [None, "mel", "steps"]
    assert final.outputs[2].meta["count"] == 2


@pytest.mark.parametrize("kind", ["stable", "longcat", "ace"])
def test_stopped_at_its_last_step_a_diffusion_is_nearly_the_whole_one(engine, kind, monkeypatch):
    last, _ = stopped_after(engine, kind, 6, monkeypatch, num_inference_steps=6)
    first, _ = stopped_after(engine, kind, 1, monkeypatch, num_inference_steps=6)
    late, early = (soundfile.read(io.BytesIO(final.outputs[0].data))[0] for final in (last, first))
    whole = heard(engine, kind, seed=2, num_inference_steps=6)
    assert np.abs(late - whole).max() < 0.02
    assert np.abs(early - whole).max() > 3 * np.abs(late - whole).max()


def test_a_run_leaves_nothing_behind_on_the_shared_pipeline(engine):
    alone = heard(engine, "ace", seed=2)
    heard(engine, "ace", seed=9, num_inference_steps=7, shift=1.0)
    assert np.array_equal(heard(engine, "ace", seed=2), alone)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_description_is_a_sentence(engine, text):
    with pytest.raises(BadInput, match="description is empty"):
        engine.catalog.validate(ask("ace", text))


@pytest.mark.parametrize("damage", ["missing", "no json", "a list", "another model"])
def test_a_damaged_config_is_a_sentence(engine, damage, tmp_path):
    spec = engine.catalog["audio/musicgen"]
    file = spec.folder() / "config.json"
    before = file.read_text("utf-8")
    content = {"no json": "{", "a list": "[]", "another model": json.dumps({"model_type": "gpt2"})}
    try:
        file.unlink() if damage == "missing" else file.write_text(content[damage])
        with pytest.raises(WeightsError, match="audio/musicgen"):
            engine.catalog.family(spec.id).describe(spec)
    finally:
        file.write_text(before)
