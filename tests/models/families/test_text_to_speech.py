"""Speech by tiny random VITS models: the same bytes again, sentences, every slider, refusals, Stop."""

import io

import numpy as np
import pytest
import soundfile

from models.engine import StopSignal
from models.errors import BadInput, BadParam
from models.families.text_to_speech import SENTENCE_MAX_CHARS, joined, sentences
from tests.tiny import final_of
from tests.tiny.audio_nets import ask, audio_engine

TEXT = "The cat sat on the mat. It slept!"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = audio_engine(tmp_path_factory.mktemp("speech"))
    assert not engine.catalog.problems, engine.catalog.problems
    yield engine
    engine.close()


def heard(engine, *given, **params):
    final = final_of(engine, ask(*given, **params))
    return soundfile.read(io.BytesIO(final.outputs[0].data))[0]


def test_same_request_same_bytes_and_another_seed_another_take(engine):
    one, again, other = (final_of(engine, ask("vits", TEXT, seed=seed)).outputs[0] for seed in (3, 3, 4))
    assert one.data == again.data
    assert not np.array_equal(*(soundfile.read(io.BytesIO(take.data))[0] for take in (one, other)))
    assert one.meta["sentences"] == 2
    assert one.text == TEXT


def test_without_chance_every_seed_is_alike(engine):
    still = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    one, other = (heard(engine, "vits", TEXT, seed=seed, **still) for seed in (1, 2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "ends"),
    [("speaking_rate", (0.3, 3.0)), ("noise_scale", (0.0, 2.0)), ("noise_scale_duration", (0.0, 2.0)),
     ("pause_s", (0.0, 2.0)), ("speaker", ("0", "2"))],
)  # fmt: skip
def test_both_ends_of_every_slider_are_heard(engine, name, ends):
    one, other = (heard(engine, "voices", TEXT, seed=5, **{name: value}) for value in ends)
    assert len(one) != len(other) or np.abs(one - other).max() > 1e-3


def test_one_sentence_is_what_it_is_in_a_longer_text(engine):
    whole = heard(engine, "vits", "A cat. A dog.", seed=7, pause_s=0.5)
    first = heard(engine, "vits", "A cat.", seed=7)
    second = heard(engine, "vits", "A dog.", seed=8)
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
        engine.catalog.validate(ask("voices", TEXT, speaker="9"))


@pytest.mark.parametrize(
    ("text", "words"), [("", "nothing to say"), ("  \n", "nothing to say"), ("a" * 5001, "5,001 characters")]
)
def test_bad_text_is_a_sentence(engine, text, words):
    with pytest.raises(BadInput, match=words):
        engine.catalog.validate(ask("vits", text))


def test_what_has_no_letters_is_left_out_and_told(engine):
    final = final_of(engine, ask("vits", "A cat. 123."))
    assert final.outputs[0].meta["sentences"] == 1
    assert "1 sentences" in final.stats["notes"][0]


def test_stop_keeps_what_was_said(engine):
    stop = StopSignal()
    for event in engine.generate(ask("vits", "One. Two. Three. Four."), stop):
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
