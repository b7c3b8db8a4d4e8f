"""Recognisers that write token by token, tiny and random: the same text again, honoured settings, Stop, long sound."""

import pytest

from models.blobs import Blobs
from models.errors import BadInput, BadParam, WeightsError
from models.events import count_words, is_stepping
from models.family import Context
from tests.tiny import final_of
from tests.tiny.audio_nets import recording
from tests.tiny.ear_nets import KINDS, ear_engine, listen

WHISPER = ("temperature", "num_beams", "timestamps", "no_speech_threshold", "seed")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = ear_engine(tmp_path_factory.mktemp("ears"))
    assert not engine.catalog.problems, engine.catalog.problems
    yield engine
    engine.close()


def text(engine, kind, seconds=1.0, seed=0, **params):
    return final_of(engine, listen(engine, kind, recording(seconds), seed, **params)).outputs[0].text


def names(engine, kind):
    spec = engine.catalog[f"audio/{kind}"]
    return {item.name: item for item in engine.catalog.family(spec.id).fields(spec)}


@pytest.mark.parametrize("kind", KINDS)
def test_same_request_same_text_and_chance_only_where_it_is_asked_for(engine, kind):
    likeliest = [text(engine, kind, seed=seed) for seed in (1, 1, 2)]
    assert len(set(likeliest)) == 1
    assert likeliest[0]
    drawn = [text(engine, kind, seed=seed, temperature=1.5) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("whisper", {"language", "task", *WHISPER}), ("english", {*WHISPER}),
     ("moonshine", {"temperature", "num_beams", "seed"})],
)  # fmt: skip
def test_only_what_the_call_honours_is_shown(engine, kind, shown):
    table = names(engine, kind)
    assert set(table) == shown
    assert 0.0 not in table["seed"].shown_if["temperature"]
    assert 0.5 in table["seed"].shown_if["temperature"]
    with pytest.raises(BadParam, match="no such setting"):
        engine.catalog.validate(listen(engine, kind, recording(), min_confidence=0.5))


def test_languages_are_those_of_the_model(engine):
    assert names(engine, "whisper")["language"].choices == ("found out", "de", "en", "fr")
    with pytest.raises(BadParam, match=r"found out \(auto-detect\), de, en, fr"):
        engine.catalog.validate(listen(engine, "whisper", recording(), language="xx"))


@pytest.mark.parametrize(
    ("kind", "name", "ends"),
    [("whisper", "language", ("de", "fr")), ("whisper", "task", ("transcribe", "translate")),
     ("whisper", "num_beams", (1, 8)), ("moonshine", "num_beams", (1, 8)), ("whisper", "temperature", (0.0, 1.5)),
     ("moonshine", "temperature", (0.0, 1.5))],
)  # fmt: skip
def test_both_ends_of_every_setting_are_read(engine, kind, name, ends):
    tried = [[text(engine, kind, seconds, seed=3, **{name: end}) for seconds in (1.0, 2.0, 5.0)] for end in ends]
    assert tried[0] != tried[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_longer_than_a_window_is_heard_to_the_end(engine, kind):
    events = list(engine.generate(listen(engine, kind, recording(65.0))))
    told = [event for event in events if event.kind == "progress" and is_stepping(event)]
    assert count_words(told[0]) == "0%"
    assert [count_words(event) for event in told] == [f"{event.step}%" for event in told]
    meta = events[-1].outputs[0].meta
    assert meta["seconds"] == 65.0
    assert meta["segments"]
    assert all(one["start_s"] <= one["end_s"] for one in meta["segments"])
    assert events[-1].outputs[0].text == " ".join(one["label"] for one in meta["segments"])
    single = final_of(engine, listen(engine, kind, recording(5.0)))
    assert events[-1].stats["steps"] > single.stats["steps"]


@pytest.mark.parametrize("seconds", [5.0, 40.0])
@pytest.mark.parametrize("kind", ["whisper", "english"])
def test_every_word_has_its_time_and_the_text_is_the_same(engine, kind, seconds):
    found = {name: final_of(engine, listen(engine, kind, recording(seconds), timestamps=name)).outputs[0]
             for name in ("segments", "words")}  # fmt: skip
    assert found["words"].text == found["segments"].text
    assert "words" not in found["segments"].meta
    words = found["words"].meta["words"]
    assert "".join(one["label"] for one in words) == "".join(found["words"].text.split())
    assert all(0 <= one["start_s"] <= one["end_s"] <= seconds for one in words)
    assert [one["start_s"] for one in words] == sorted(one["start_s"] for one in words)


def test_a_run_with_word_times_leaves_the_model_as_it_was(engine):
    final_of(engine, listen(engine, "english", recording(1.0), timestamps="words"))
    with engine._registry.lease("audio/english") as loaded:
        assert loaded.parts["model"].config._attn_implementation == "sdpa"


def test_words_take_their_times_from_the_end_of_each_token(engine):
    import torch

    from models.audio.sampling import transcribing

    class Tokenizer:
        eos_token_id = 100

        def decode(self, tokens, **more):
            return "".join({1: " small", 2: " bo", 3: "at", 4: "."}[one] for one in tokens)

    segment = {"start": 1.0, "tokens": torch.tensor([150, 1, 2, 3, 4, 170]),
               "token_timestamps": torch.tensor([1.1, 1.5, 1.7, 1.9, 2.0, 2.2])}  # fmt: skip
    assert transcribing.words_of(Tokenizer(), segment) == [
        {"label": "small", "start_s": 1.1, "end_s": 1.5}, {"label": "boat.", "start_s": 1.5, "end_s": 2.0},
    ]  # fmt: skip


def test_what_is_silence_for_sure_enough_is_skipped(engine):
    texts = [text(engine, "english", 5.0, no_speech_threshold=share) for share in (None, 1.0, 0.0)]
    assert texts[0] == texts[1] != ""
    assert texts[2] == ""


def test_without_times_there_are_none_and_no_subtitles(engine):
    request = listen(engine, "english", recording(5.0), timestamps="none")
    output = final_of(engine, request).outputs[0]
    assert output.text == text(engine, "english", 5.0)
    assert output.meta["segments"] == []
    family = engine.catalog.family("audio/english")
    with pytest.raises(BadInput, match="no times"):
        family.save(request, output, "srt")


def test_words_are_offered_where_the_weights_tell_which_heads_align(engine):
    assert names(engine, "whisper")["timestamps"].choices == ("none", "segments", "words")
    spec = engine.catalog["audio/whisper"]
    blind = spec.model_copy(update={"facts": {**spec.facts, "word_times": False}})
    table = {item.name: item for item in engine.catalog.family(spec.id).fields(blind)}
    assert table["timestamps"].choices == ("none", "segments")
    assert table["timestamps"].default == "segments"


@pytest.mark.parametrize("kind", KINDS)
def test_stop_keeps_what_was_written(engine, kind):
    spec = engine.catalog[f"audio/{kind}"]
    family, request = engine.catalog.family(spec.id), listen(engine, kind, recording(9.0), temperature=1.5)
    asked = iter(range(100))
    blobs = Blobs(engine._settings.data_dir)
    # the first question comes before the recording is heard, the others after each token
    context = Context(stopped=lambda: next(asked) > 4, open_ref=blobs.get_bytes)
    with engine._registry.lease(spec.id) as loaded:
        final = list(family.generate(spec, request, engine.catalog.validate(request), loaded, context))[-1]
    assert final.stats["stopped"]
    assert final.stats["steps"] == 5
    assert final.outputs[0].meta["finish"] == "stopped"
    whole = text(engine, kind, 9.0, temperature=1.5)
    if kind == "moonshine":
        assert final.outputs[0].text
        assert whole.startswith(final.outputs[0].text)
    assert len(final.outputs[0].text) < len(whole)


def test_a_damaged_config_is_a_sentence(engine):
    spec = engine.catalog["audio/whisper"]
    file = spec.folder() / "config.json"
    before = file.read_text("utf-8")
    try:
        for content in ("{", "[]", "{}"):
            file.write_text(content)
            with pytest.raises(WeightsError, match="audio/whisper"):
                engine.catalog.family(spec.id).describe(spec)
    finally:
        file.write_text(before)
