"""Audio families on tiny random models: the same bytes again, batches, Stop, every slider, refusals."""

import io
import itertools
import json

import numpy as np
import pytest
import soundfile

from models.audio import sounds, tunes, uploads
from models.blobs import Blobs
from models.errors import BadInput, BadParam, PlaygroundError
from models.events import is_stepping
from models.params import in_effect
from models.runtime.engine import StopSignal
from models.types import ASIDE, combined_sha256
from tests.tiny import PressedAtStep, final_of
from tests.tiny.audio_nets import SPEAKERS, ask, audio_engine, recording

writers = pytest.mark.parametrize("model", ["gpt", "lstm"])
hearers = pytest.mark.parametrize("model", ["hear", "wav2vec"])
makers = pytest.mark.parametrize(("model", "prompt", "many"), [
    ("gpt", "", "num_variants"), ("lstm", "d2 e", "num_variants"), ("digits", "4 0 7", "num_takes")])  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = audio_engine(tmp_path_factory.mktemp("audio"))
    assert not engine.catalog.problems, engine.catalog.problems
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def upload(engine):
    return Blobs(engine._settings.data_dir).put_bytes(recording())


def quick(model):
    return {"max_new_tokens": 24} if model in ("gpt", "lstm") else {"num_inference_steps": 3}


def heard(final):
    return [soundfile.read(io.BytesIO(one.data))[0] for one in final.outputs if one.kind == "audio"]


def results(final):
    return [one for one in final.outputs if one.kind not in ASIDE]


@makers
def test_same_request_same_bytes_and_a_batch_is_its_single_runs(engine, model, prompt, many):
    request = ask(model, prompt, seed=4, **{many: 3}, **quick(model))
    first, again = final_of(engine, request), final_of(engine, request)
    assert [one.data for one in first.outputs] == [one.data for one in again.outputs]
    assert [one.meta["seed"] for one in results(first)] == [4, 5, 6]
    for number, sound in enumerate(heard(first)):
        alone = heard(final_of(engine, ask(model, prompt, seed=4 + number, **quick(model))))[0]
        assert np.abs(alone - sound).max() < 2e-3
    assert len({one.data for one in results(first)}) == 3


@makers
def test_a_file_holds_its_request(engine, model, prompt, many):
    request = ask(model, prompt, seed=9, **quick(model))
    output = results(final_of(engine, request))[0]
    said = sounds.read_settings(output.data)
    assert (said.model, said.seed, said.inputs) == (request.model, 9, {"prompt": prompt})
    assert said.params.items() >= request.params.items()


@writers
def test_stop_ends_within_a_word_and_keeps_what_is_there(engine, model):
    request = ask(model, "d2 e", num_variants=3, max_new_tokens=80)
    whole = results(final_of(engine, request))[0].text
    final = final_of(engine, request, PressedAtStep(6))
    assert final.stats["stopped"]
    (only,) = results(final)
    assert only.meta["finish"] == "stopped"
    assert whole.startswith(only.text)
    assert len(["d2", "e"]) < len(only.text.split()) - 3 < len(whole.split()) - 3  # the header is three words


def test_stop_ends_a_diffusion_within_a_step_and_keeps_what_is_there(engine):
    final = final_of(engine, ask("digits", "4 0 7", num_takes=3, num_inference_steps=40), PressedAtStep(6))
    assert final.stats["stopped"]
    assert final.stats["steps"] <= 7
    (only,) = results(final)
    assert only.meta["finish"] == "stopped"


def test_stop_between_two_takes_keeps_the_finished_one_whole_and_begins_no_other(engine):
    stop, stages = StopSignal(), []
    for event in engine.generate(ask("digits", "4 0", num_takes=3, **quick("digits")), stop):
        if event.kind == "progress":
            stages.append(event.stage)
            if event.stage == "decode":  # the last step of the first take is behind it
                stop.request()
    assert event.stats["stopped"]
    (only,) = results(event)
    assert "finish" not in only.meta  # nothing of it is missing
    assert stages.count("decode") == 1
    assert stages[-1] == "decode"


@makers
def test_previews_show_the_sound_growing(engine, model, prompt, many):
    events = engine.generate(ask(model, prompt, **quick(model)))
    seen = [event.outputs[0] for event in events if event.kind == "preview"]
    assert seen
    assert all(one.kind == "audio" for one in seen)
    so_far = [one.meta["seconds"] for one in seen if not one.data]
    if model != "digits":
        texts = [one.text for one in seen]
        assert all(later.startswith(sooner) for sooner, later in itertools.pairwise(texts))
        assert so_far[-1] > 0
    else:
        assert set(so_far) == {round(3 * 32 * 64 / 8000, 2)}  # all of it grows at once


@writers
def test_a_tune_begins_as_asked_and_its_sound_is_as_long_as_its_notes(engine, model):
    request = ask(model, "d2|e2 (3 d/2e^c", metre="9/8", tonic="Bb", mode="Mixolydian", rhythm="slip jig", tempo=100,
                  reverb=0.0, max_new_tokens=16)  # fmt: skip
    with pytest.raises(BadInput, match="d/2"):
        final_of(engine, request)
    request = request.model_copy(update={"inputs": {"prompt": "d2|e2 (3 de^c"}})
    output = results(final_of(engine, request))[0]
    assert output.text.startswith("M:9/8 K:Bbmix R:slip_jig d2 | e2 (3 d e ^c")
    eighths = sum(note.length for note in tunes.play(tunes.read(output.text)))
    assert output.meta["seconds"] == pytest.approx(float(eighths) / 3 * 0.6 + 1.2, abs=0.1)
    assert not {"M:", "K:", "R:"} & {word[:2] for word in output.text.split()[3:]}


ENDS = {
    "temperature": (0.0, 2.0), "top_p": (0.05, 1.0), "top_k": (1, 200), "min_p": (0.01, 1.0),
    "max_new_tokens": (16, 60),
    "metre": ("6/8", "2/4"), "tonic": ("D", "G"), "mode": ("major", "minor"), "rhythm": ("jig", "reel"),
    "instrument": ("whistle", "organ"), "tempo": (40, 260), "repeats": (True, False), "chords": (0.0, 1.0),
    "drone": (0.0, 1.0), "reverb": (0.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_both_ends_of_every_setting_of_a_tune_are_heard(engine, name):
    settings = {"max_new_tokens": 40, "temperature": 1.5, "top_p": 1.0}
    one, other = (
        heard(final_of(engine, ask("gpt", "|: d2 e2 d2 :|", seed=8, **{**settings, name: value})))[0]
        for value in ENDS[name]
    )
    assert len(one) != len(other) or np.abs(one - other).max() > 0.01


def test_swing_is_heard_where_it_acts_and_nowhere_else(engine):
    def at(swing, metre):
        return heard(final_of(engine, ask("gpt", "c d e f", seed=3, metre=metre, swing=swing, max_new_tokens=16)))[0]

    assert not np.array_equal(at(0.5, "4/4"), at(0.75, "4/4"))
    assert np.array_equal(at(0.5, "6/8"), at(0.75, "6/8"))


@pytest.mark.parametrize(
    ("name", "ends"),
    [("speaker", SPEAKERS), ("num_inference_steps", (1, 100)), ("guidance_scale", (0.0, 1.0)),
     ("guidance_scale", (1.0, 10.0)), ("pause_s", (0.0, 0.6)), ("griffin_lim_rounds", (1, 200)),
     ("scheduler", ("DDIMScheduler", "EulerAncestralDiscreteScheduler")), ("vocoder", ("griffin-lim", "trained"))],
)  # fmt: skip
def test_both_ends_of_every_setting_of_a_spoken_word_are_heard(engine, name, ends):
    one, other = (
        heard(final_of(engine, ask("digits", "4 0", seed=3, **{"num_inference_steps": 4, name: value})))[0]
        for value in ends
    )
    assert len(one) != len(other) or np.abs(one - other).max() > 0.01


def test_no_setting_is_left_out_of_those_whose_ends_are_heard(engine):
    tested = {"gpt": {*ENDS, "swing", "num_variants", "loudness"},
              "digits": {"speaker", "num_inference_steps", "guidance_scale", "pause_s", "griffin_lim_rounds",
                         "scheduler", "vocoder", "num_takes", "loudness"},
              "hear": {"min_confidence"}}  # fmt: skip
    for model, names in tested.items():
        fields = engine.catalog.family(f"audio/{model}").fields(engine.catalog[f"audio/{model}"])
        assert {item.name for item in fields} - {"seed"} == names
        for item in fields:  # the very ends of a slider
            if item.name in ENDS and item.le is not None and item.name != "max_new_tokens":
                assert set(ENDS[item.name]) == {item.ge, item.le}, item.name


def test_every_scheduler_that_is_offered_runs(engine):
    spec = engine.catalog["audio/digits"]
    item = next(item for item in engine.catalog.family(spec.id).fields(spec) if item.name == "scheduler")
    for name in item.choices:
        sound = heard(final_of(engine, ask("digits", "7", num_inference_steps=3, scheduler=name)))[0]
        assert np.isfinite(sound).all(), name
        assert np.abs(sound).max() > 0.1, name


def test_a_vocoder_is_offered_where_there_is_one_and_goes_on_from_the_iterations(engine):
    spec = engine.catalog["audio/digits"]
    family = engine.catalog.family(spec.id)
    assert family.describe(spec)["vocoder"] is True
    bare = spec.model_copy(update={"facts": {**spec.facts, "vocoder": False}})
    for one, names in ((spec, {"vocoder", "griffin_lim_rounds"}), (bare, {"griffin_lim_rounds"})):
        fields = family.fields(one)
        values = {item.name: item.default for item in fields}
        assert {"vocoder", "griffin_lim_rounds"} & set(in_effect(fields, values)) == names
    trained = in_effect(family.fields(spec), {**values, "vocoder": "trained"})
    assert "griffin_lim_rounds" in trained


def test_a_request_without_the_vocoder_means_griffin_lim(engine):
    same = (heard(final_of(engine, ask("digits", "4", num_inference_steps=3, **more)))[0]
            for more in ({}, {"vocoder": "griffin-lim"}))  # fmt: skip
    assert np.array_equal(*same)


def test_numbers_without_an_end_are_a_sentence(engine, monkeypatch):
    from diffusers import DDPMScheduler

    step = DDPMScheduler.step

    def broken(self, *given, **more):
        found = step(self, *given, **more)
        found.prev_sample[0, 0, 0, 0] = float("nan")
        return found

    monkeypatch.setattr(DDPMScheduler, "step", broken)
    with pytest.raises(PlaygroundError, match="DDPMScheduler came to numbers without an end at step 1 of 3. Choose"):
        final_of(engine, ask("digits", "4", num_inference_steps=3, scheduler="DDPMScheduler"))


def test_words_are_said_one_after_another_with_their_views(engine):
    final = final_of(engine, ask("digits", "one four oh seven", num_inference_steps=3, pause_s=0.3))
    assert results(final)[0].text == "1 4 0 7"
    assert results(final)[0].meta["seconds"] > 0.9
    views = {one.meta["what"]: one.meta for one in final.outputs if one.kind == "view"}
    assert views["steps"]["count"] == 3
    assert views["mel"]["top_hz"] == 4000
    assert combined_sha256(final.outputs) == results(final)[0].sha256  # views are no result


@hearers
def test_a_recording_at_any_rate_is_heard_alike_each_time(engine, upload, model):
    one, again = (final_of(engine, ask(model, audio=upload)) for _ in range(2))
    assert [output.data for output in one.outputs] == [output.data for output in again.outputs]
    kinds = {output.meta.get("what") for output in one.outputs}
    assert {"mel", "odds"} <= kinds
    odds = json.loads(next(output.data for output in one.outputs if output.meta.get("what") == "odds"))
    assert odds["labels"] == ["<pad>", "0", "1", "4", "7"]
    assert all(abs(sum(row) - 1) < 0.01 for row in odds["odds"])
    assert odds["seconds"] == pytest.approx(1.0, abs=0.01)


@hearers
def test_what_was_decoded_when_it_was_taken_is_not_decoded_again(engine, monkeypatch, tmp_path, model):
    blobs, data = Blobs(engine._settings.data_dir), recording(1.2 if model == "hear" else 1.3)
    ref = blobs.put_bytes(data)
    decode, decoded = sounds.decode_upload, []
    monkeypatch.setattr(sounds, "decode_upload", lambda *given: decoded.append(given) or decode(*given))
    fresh = final_of(engine, ask(model, audio=ref))
    assert len(decoded) == 1
    uploads.check(tmp_path, data, "recording")
    blobs.keep_beside(ref, sounds.DECODED, tmp_path / sounds.DECODED)
    taken = final_of(engine, ask(model, audio=ref))
    assert len(decoded) == 1
    assert [output.data for output in taken.outputs] == [output.data for output in fresh.outputs]


@hearers
def test_what_is_unsure_is_left_out(engine, upload, model):
    everything = results(final_of(engine, ask(model, audio=upload)))[0]
    nothing = final_of(engine, ask(model, audio=upload, min_confidence=0.99))
    assert results(nothing)[0].text == ""
    assert results(nothing)[0].meta["left_out"] == len(everything.meta["segments"])
    assert nothing.stats["notes"]


@hearers
def test_a_long_recording_is_heard_part_by_part_and_stop_keeps_what_was_heard(engine, model):
    ref = Blobs(engine._settings.data_dir).put_bytes(recording(70.0))
    events = list(engine.generate(ask(model, audio=ref)))
    steps = [(event.step, event.total) for event in events if event.kind == "progress" and event.stage == "listen"]
    assert len(steps) >= 3
    assert {event.unit for event in events if event.kind == "progress" and is_stepping(event)} == {"parts"}
    assert {total for _, total in steps} == {len(steps)}
    said = results(events[-1])[0]
    assert said.meta["segments"][-1]["end_s"] > 55
    ends = [one["end_s"] for one in said.meta["segments"]]
    assert ends == sorted(ends)
    odds = json.loads(next(one.data for one in events[-1].outputs if one.meta.get("what") == "odds"))
    assert odds["seconds"] == pytest.approx(70.0, abs=0.1)
    stop = StopSignal()
    for event in engine.generate(ask(model, audio=ref), stop):
        if event.kind == "preview":
            stop.request()
    assert event.stats["stopped"]
    part = results(event)[0]
    assert said.text.startswith(part.text) and 0 < len(part.text) < len(said.text)
    assert 15 < part.meta["segments"][-1]["end_s"] < 35


def test_odds_of_a_long_recording_keep_the_narrow_peaks():
    from models.audio.families.speech_to_text import _odds_view

    odds = np.zeros((30_000, 3))
    odds[:, 0] = 1.0
    odds[12_345] = (0.1, 0.0, 0.9)
    table = np.array(json.loads(_odds_view(odds, ["-", "a", "b"], 600.0).data)["odds"])
    assert len(table) <= 1500
    assert table[:, 2].max() == 0.9
    assert abs(table[:, 2].argmax() / len(table) - 12_345 / 30_000) < 0.01


def test_repeats_and_blanks_are_taken_out_of_the_odds():
    from models.audio.families.speech_to_text import segments

    rows = [[0.9, 0.1, 0], [0.1, 0.9, 0], [0.2, 0.8, 0], [0.9, 0.1, 0], [0.3, 0.7, 0], [0, 0, 1.0], [1.0, 0, 0]]
    found = segments(np.array(rows), 0, 7.0)
    assert [(one["label"], one["start_s"], one["end_s"], one["confidence"]) for one in found] == [
        (1, 1.0, 3.0, 0.9), (1, 4.0, 5.0, 0.7), (2, 5.0, 6.0, 1.0)]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "words"),
    [(ask("gpt", "H2 d"), ["“H”", "vocabulary"]), (ask("gpt", "d " * 95), ["95 notes and bars", "91"]),
     (ask("digits", "4 9"), ["“9”", "0, 1, 4, 7"]), (ask("digits", "hello"), ["hello"]),
     (ask("digits", " "), ["nothing"]),
     (ask("digits", "4" * 13), ["13 words", "12"]), (ask("hear"), ["no recording"])],
)  # fmt: skip
def test_bad_input_is_a_sentence_before_anything_runs(engine, request_, words):
    with pytest.raises(BadInput) as caught:
        engine.catalog.validate(request_)
    assert all(word in caught.value.message for word in words), caught.value.message


def test_a_strange_speaker_is_refused_with_those_that_there_are(engine):
    with pytest.raises(BadParam, match="ann, bob"):
        engine.catalog.validate(ask("digits", "4", speaker="cleo"))


def test_a_silent_recording_is_a_sentence(engine):
    ref = Blobs(engine._settings.data_dir).put_bytes(sounds.encode(np.zeros(9000, np.float32), 8000))
    with pytest.raises(BadInput, match="silent"):
        final_of(engine, ask("hear", audio=ref))
