"""Speech by tiny random models of each kind: the same bytes again, sentences and their rows, every slider, Stop."""

import io
import json

import numpy as np
import pytest
import soundfile

from models.audio import phonemes
from models.audio.families.text_to_speech import SENTENCE_MAX_CHARS, joined, sentences
from models.errors import BadInput, BadParam, WeightsError
from models.events import count_words, is_stepping
from models.runtime.engine import StopSignal
from tests.tiny import final_of
from tests.tiny.voice_nets import KINDS, speak, voice_engine

TEXT = "The cat sat on the mat. It slept!"


@pytest.fixture(autouse=True)
def letters_as_sounds(monkeypatch):
    """Let each letter be its own sound: espeak-ng is not asked."""
    monkeypatch.setattr(phonemes, "missing", lambda: "")
    monkeypatch.setattr(phonemes, "of", lambda text, language: text.lower())


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = voice_engine(tmp_path_factory.mktemp("speech"))
    assert not engine.catalog.problems, engine.catalog.problems
    yield engine
    engine.close()


def heard(engine, *given, **params):
    final = final_of(engine, speak(*given, **params))
    return soundfile.read(io.BytesIO(final.outputs[0].data))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_same_request_same_bytes_and_another_seed_another_take(engine, kind):
    one, other = (final_of(engine, speak(kind, TEXT, seed=seed)).outputs[0] for seed in (3, 9))
    engine.unload(f"audio/{kind}")  # which forgets what was said before
    again = final_of(engine, speak(kind, TEXT, seed=3)).outputs[0]
    assert one.data == again.data
    takes = [soundfile.read(io.BytesIO(take.data))[0] for take in (one, other)]
    assert not np.array_equal(*takes)
    assert np.abs(takes[0]).max() > 1e-3
    assert one.meta["sentences"] == 2
    assert one.text == TEXT


def test_progress_counts_sentences(engine):
    events = [event for event in engine.generate(speak("vits", TEXT)) if event.kind == "progress"]
    assert [count_words(event) for event in events if is_stepping(event)] == [
        "0 of 2 sentences", "1 of 2 sentences", "2 of 2 sentences",
    ]  # fmt: skip


def test_without_chance_every_seed_is_alike(engine):
    still = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    one, other = (heard(engine, "vits", TEXT, seed=seed, **still) for seed in (1, 2))
    assert np.array_equal(one, other)


BOTH = ("even (−16 LUFS)", "as it came")
ENDS = {
    "voices": {"speaking_rate": (0.3, 3.0), "noise_scale": (0.0, 2.0), "noise_scale_duration": (0.0, 2.0),
               "pause_s": (0.0, 2.0), "speaker": ("0", "2"), "loudness": BOTH},
    "speecht5": {"voice_number": (0, 9999), "threshold": (0.0, 1.0), "maxlenratio": (1.0, 8.0), "pause_s": (0.0, 2.0),
                 "loudness": BOTH},
    "bark": {"speaker": ("en_a", "en_b"), "semantic_temperature": (0.0, 2.0), "coarse_temperature": (0.0, 2.0),
             "fine_temperature": (0.0, 2.0), "min_eos_p": (0.03, 1.0), "max_seconds": (0.5, 1.0),
             "pause_s": (0.0, 2.0), "loudness": BOTH},
    "pocket": {"speaker": ("alba", "jean"), "temperature": (0.0, 2.0), "num_flow_steps": (1, 16),
               "eos_threshold": (-10.0, 10.0), "max_seconds": (0.5, 2.0), "pause_s": (0.0, 2.0), "loudness": BOTH},
    "phonon": {"speaker": ("alba", "jean"), "temperature": (0.0, 2.0), "eos_threshold": (-10.0, 10.0),
               "max_seconds": (0.5, 2.0), "pause_s": (0.0, 2.0), "loudness": BOTH},
}  # fmt: skip
PLAIN = "as it came"  # each part as it is alone
# what must hold so that an end can be heard in a random model
LET = {"threshold": {"maxlenratio": 4.0}, "eos_threshold": {"max_seconds": 1.0}, "max_seconds": {"eos_threshold": 10.0},
       "maxlenratio": {"threshold": 1.0}}  # fmt: skip


@pytest.mark.parametrize("kind", ENDS)
def test_exactly_the_settings_that_the_call_honours_are_shown(engine, kind):
    spec = engine.catalog[f"audio/{kind}"]
    assert {item.name for item in engine.catalog.family(spec.id).fields(spec)} == {"seed", *ENDS[kind]}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, ends in ENDS.items() for name in ends])
def test_both_ends_of_every_slider_are_heard(engine, kind, name):
    let = {} if kind == "bark" else LET.get(name, {})
    one, other = (heard(engine, kind, TEXT, seed=5, **{**let, name: value}) for value in ENDS[kind][name])
    assert len(one) != len(other) or np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("kind", ["bark", "pocket", "phonon"])
def test_at_temperature_zero_every_seed_is_alike(engine, kind):
    still = {name: 0.0 for name in ENDS[kind] if "temperature" in name}
    one, other = (heard(engine, kind, "A cat.", seed=seed, **still) for seed in (1, 2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["speecht5", "bark", "pocket", "phonon"])
def test_stop_ends_within_a_step_of_a_sentence(engine, kind, monkeypatch):
    from models.audio.sampling import voices

    stop, steps = StopSignal(), []

    def stop_at_the_third(stopped):
        tick = plain(stopped)

        def counted():
            steps.append(1)
            if len(steps) == 3:
                stop.request()
            tick()

        return counted

    plain = voices.stop_at
    monkeypatch.setattr(voices, "stop_at", stop_at_the_third)
    final = final_of(engine, speak(kind, "Never said before by anyone here", seed=77), stop)
    assert final.stats["stopped"]
    assert len(steps) == 3
    assert final.outputs == ()
    assert "during the first sentence" in final.stats["notes"][0]


def test_a_voice_that_ends_at_once_says_so(engine):
    final = final_of(engine, speak("bark", "A cat.", min_eos_p=0.01))
    assert final.outputs == ()
    assert "1 of 1 sentences produced no sound" in final.stats["notes"][0]


def test_one_row_is_made_again_alone(engine, monkeypatch):
    from models.audio.sampling.voices import Vits

    said, say = [], Vits.say

    def listen(self, text, seed, params, tick):
        said.append((text, seed, params.speaking_rate))
        return say(self, text, seed, params, tick)

    monkeypatch.setattr(Vits, "say", listen)
    text = "One new cat. Two new dogs. Three."
    before = final_of(engine, speak("vits", text, seed=40, loudness=PLAIN)).outputs[0]
    assert [one[:2] for one in said] == [("One new cat.", 40), ("Two new dogs.", 41), ("Three.", 42)]
    said.clear()
    changed = speak("vits", text, seed=40, loudness=PLAIN, rows={"1": {"seed": 5, "speaking_rate": 2.0}})
    after = final_of(engine, changed).outputs[0]
    assert said == [("Two new dogs.", 5, 2.0)]
    rows = after.meta["rows"]
    assert [row["seed"] for row in rows] == [40, 5, 42]
    assert rows[1]["own"] == {"seed": 5, "speaking_rate": 2.0}
    first = round(rows[0]["seconds"] * 8000)
    one, two = (soundfile.read(io.BytesIO(take.data))[0] for take in (before, after))
    assert np.array_equal(one[:first], two[:first])
    assert len(one) != len(two)
    engine.unload("audio/vits")  # and from scratch it is the same
    assert final_of(engine, changed).outputs[0].data == after.data


@pytest.mark.parametrize(
    ("rows", "words"),
    [("{", "are damaged"), ("[1]", "are damaged"), ('{"x": {}}', "are damaged"),
     ('{"0": 3}', "are damaged"), ('{"-1": {}}', "are damaged"), ('{"2": {"seed": 1}}', "only 2 sentences"),
     ('{"0": {"seed": -4}}', "seed of a sentence is -4"), ('{"0": {"seed": "x"}}', "seed of a sentence"),
     ('{"0": {"speaking_rate": 9}}', "speaking_rate"), ('{"0": {"volume": 9}}', "no such setting"),
     ("[" * 9000, "are damaged"), (json.dumps({"0": {"speaker": "x" * 30_000}}), "are damaged")],
)  # fmt: skip
def test_bad_rows_are_a_sentence(engine, rows, words):
    request = speak("vits", TEXT)
    with pytest.raises(BadInput, match=words):
        engine.catalog.validate(request.model_copy(update={"inputs": {**request.inputs, "rows": rows}}))


def test_what_was_said_is_forgotten_in_time(monkeypatch):
    from models.audio.families import text_to_speech

    monkeypatch.setattr(text_to_speech, "SAID_MAX_BYTES", 100)
    before, made = text_to_speech.SentenceCache(), []

    def say(key):
        return before.get(key, lambda: made.append(key) or np.zeros(10, np.float32))

    for key in "abacba":
        say(key)
    assert made == ["a", "b", "c", "b", "a"]  # two fit; the one that was used last stays


def test_a_model_of_another_kind_is_a_sentence(engine):
    spec = engine.catalog["audio/vits"]
    file = spec.folder() / "config.json"
    before = file.read_text("utf-8")
    try:
        for content in ('{"model_type": "gpt2"}', "[]", "{"):
            file.write_text(content)
            with pytest.raises(WeightsError, match="of another kind"):
                engine.catalog.family(spec.id).describe(spec)
    finally:
        file.write_text(before)


def test_one_sentence_is_what_it_is_in_a_longer_text(engine):
    whole = heard(engine, "vits", "A cat. A dog.", seed=7, pause_s=0.5, loudness=PLAIN)
    first = heard(engine, "vits", "A cat.", seed=7, loudness=PLAIN)
    second = heard(engine, "vits", "A dog.", seed=8, loudness=PLAIN)
    assert np.abs(whole[: len(first)] - first).max() < 1e-3
    assert np.abs(whole[-len(second) :] - second).max() < 1e-3
    assert len(whole) == len(first) + 4000 + len(second)


def test_the_speaker_is_asked_for_where_there_are_several(engine):
    def names(model):
        spec = engine.catalog[f"audio/{model}"]
        return {item.name: item.choices for item in engine.catalog.family(spec.id).fields(spec)}

    assert "speaker" not in names("vits")
    assert names("voices")["speaker"] == ("0", "1", "2")
    with pytest.raises(BadParam, match="0, 1, 2"):
        engine.catalog.validate(speak("voices", TEXT, speaker="9"))


@pytest.mark.parametrize(
    ("text", "words"), [("", "nothing to say"), ("  \n", "nothing to say"), ("a" * 5001, "5,001 characters")]
)
def test_bad_text_is_a_sentence(engine, text, words):
    with pytest.raises(BadInput, match=words):
        engine.catalog.validate(speak("vits", text))


def test_what_has_no_letters_is_left_out_and_told(engine):
    final = final_of(engine, speak("vits", "A cat. 123."))
    assert final.outputs[0].meta["sentences"] == 1
    assert "1 of 2 sentences produced no sound" in final.stats["notes"][0]


def test_stop_keeps_what_was_said(engine):
    stop = StopSignal()
    for event in engine.generate(speak("vits", "One. Two. Three. Four."), stop):
        if event.kind == "preview":
            stop.request()
    assert event.stats["stopped"]
    assert event.outputs[0].meta["sentences"] == 1
    assert event.outputs[0].meta["finish"] == "stopped"


def test_texts_are_cut_into_sentences():
    assert sentences('He said: "Go!" She went…\nNew line. 3.') == ['He said: "Go!"', "She went…", "New line.", "3."]
    long = "word " * 200
    rows = sentences(long)
    assert all(len(row) <= SENTENCE_MAX_CHARS for row in rows)
    assert " ".join(rows).split() == long.split()
    assert sentences("x" * 900) == ["x" * 400, "x" * 400, "x" * 100]
    assert sentences(" \n ") == []


def test_joints_are_faded_into_one_another():
    parts = [np.ones(1000, np.float32), np.ones(1000, np.float32)]
    assert np.allclose(joined(parts, 8000, 0.0), 1.0)
    assert len(joined(parts, 8000, 0.0)) == 2000 - 160
    assert len(joined(parts, 8000, 0.1)) == 2800
    assert len(joined([], 8000, 0.1)) == 0


def test_a_joint_goes_from_the_end_of_one_to_the_beginning_of_the_next_without_a_jump():
    rate = 8000
    parts = [np.full(1000, 1.0, np.float32), np.full(1000, -1.0, np.float32), np.full(100, 0.5, np.float32)]
    out = joined(parts, rate, 0.0)
    over = 160  # 0.02 s, but no more than a part: the last is faded in over its whole length
    assert len(out) == 2100 - over - 100
    assert (out[0], out[999 - over], out[1000]) == (1.0, 1.0, -1.0)
    assert np.abs(np.diff(out)).max() < 0.02
    assert out[-1] == pytest.approx(0.5)
    paused = joined(parts, rate, 0.01)
    assert [paused[999], *paused[1000:1080], paused[1080]] == [1.0, *[0.0] * 80, -1.0]


def test_a_piper_voice_spells_as_piper_does(engine):
    from models.audio.sampling.voices import Piper

    speaker = Piper(engine.catalog["audio/piper"].folder(), "auto")
    names = {number: letter for letter, number in speaker.parts["tokenizer"].get_vocab().items()}
    assert "".join(names[one] for one in speaker.read("A cat!")[0].tolist()) == "^_a_ _c_a_t_!_$"
    assert speaker.read("Ж").shape == (1, 0)  # nothing that it ever learnt


def test_what_espeak_is_needed_for_is_told_before_and_at_the_run(engine, monkeypatch):
    monkeypatch.setattr(phonemes, "missing", lambda: "Install espeak-ng.")
    request = speak("piper", TEXT)
    spec = engine.catalog["audio/piper"]
    family = engine.catalog.family(spec.id)
    assert family.warnings(spec, request, family.Params()) == ["Install espeak-ng."]
    with pytest.raises(BadInput, match="Install espeak-ng"):
        engine.catalog.validate(request)
    engine.catalog.validate(speak("vits", TEXT))
