"""Scripts of families whose models are fetched from elsewhere, run with tiny random models: sounds, made and heard."""

import os

import pytest

from tests.apart import assert_same, run_apart, written_beside
from tests.tiny.audio_nets import ask as say
from tests.tiny.audio_nets import audio_engine, recording
from tests.tiny.ear_nets import ear_engine, listen
from tests.tiny.music_nets import ask, music_engine
from tests.tiny.voice_nets import speak, voice_engine

MUSIC = {"audioldm": {"negative_prompt": "noise", "guidance_scale": 2.0}, "ace": {"lyrics": "la"},
         "musicgen": {"temperature": 0.9, "top_k": 12, "loudness": "as it came"}}  # fmt: skip
VOICES = {"voices": {"speaker": "1", "speaking_rate": 1.2}, "speecht5": {"voice_number": 3}, "bark": {},
          "pocket": {"temperature": 0.5}, "piper": {"noise_scale": 0.3}}  # fmt: skip
EARS = {"whisper": {"num_beams": 2, "no_speech_threshold": 1.0}, "moonshine": {"temperature": 1.2},
        "english": {"temperature": 1.2, "timestamps": "words"}}  # fmt: skip
DIGITS = {"digits": {"vocoder": "trained", "num_inference_steps": 3, "num_takes": 2}}
CASES = [(f"audio/{kind}", seed) for seed, kinds in ((3, MUSIC), (5, EARS), (6, VOICES), (8, DIGITS)) for kind in kinds]


pytestmark = pytest.mark.timeout(600)  # one interpreter runs all scripts: minutes where other tests run beside it


@pytest.fixture(scope="module")
def letters_as_sounds(tmp_path_factory):
    """Put a program in place of espeak-ng, here and for the scripts, that gives a text back in small letters."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "espeak-ng").write_text("#!/bin/sh\ntr A-Z a-z\n")
    (folder / "espeak-ng").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, letters_as_sounds):
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "audio.wav").write_bytes(recording())
    ears = ear_engine(tmp_path_factory.mktemp("ears"))
    music = [ask(kind, seed=3, **params) for kind, params in MUSIC.items()]
    heard = [listen(ears, kind, recording(), 5, **params) for kind, params in EARS.items()]
    spoken = [speak(kind, "A cat sat. A dog ran, too!", 6, {"1": {"seed": 9}}, **params)
              for kind, params in VOICES.items()]  # fmt: skip
    digits = [say(kind, "4 0", seed=8, **params) for kind, params in DIGITS.items()]
    scripts, found = [], {}
    for engine, requests in (
        (music_engine(tmp_path_factory.mktemp("music"), *MUSIC), music), (ears, heard),
        (voice_engine(tmp_path_factory.mktemp("voices"), *VOICES), spoken),
        (audio_engine(tmp_path_factory.mktemp("digits")), digits),
    ):  # fmt: skip
        names, outputs = written_beside(engine, requests, folder)
        scripts += names
        found |= outputs
    run_apart(folder, scripts)
    return folder, found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_script_makes_what_the_run_made(made, case):
    folder, found = made
    assert_same(folder, *found[case])
