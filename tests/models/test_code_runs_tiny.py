"""Scripts of families whose models are fetched from elsewhere, run with tiny random models of their kinds."""

import pytest

from models import coding
from models.settings import Settings
from models.types import Request
from tests.apart import assert_same, run_apart
from tests.tiny import final_of, results
from tests.tiny.audio_nets import recording
from tests.tiny.ear_nets import ear_engine, listen
from tests.tiny.music_nets import ask, music_engine
from tests.tiny.task_nets import task_engine

LONG = "the cat sat on the mat. is this good?\n- a dog ran to the sea and the rain fell! is it bad? the cat sat."
TASKS = {
    "beams": ("marian", {"num_beams": 3, "length_penalty": 0.5, "max_new_tokens": 8}),
    "sampled by sentences": ("t5", {"num_beams": 1, "do_sample": True, "top_k": 20, "temperature": 1.3,
                                    "max_new_tokens": 8, "parts": "sentences", "prefix": "is: "}),
    "one label": ("electra", {"temperature": 0.7, "threshold": 0.1}),
    "several labels": ("both", {"threshold": 0.2}),
    "labels of one's own": ("inference", {"labels": ["good", "bad"], "template": "it is {}.", "temperature": 2.0}),
    "labels of which several hold": ("inference", {"labels": ["good", "bad"], "several": True, "threshold": 0.1}),
}  # fmt: skip
MUSIC = {"audioldm": {"negative_prompt": "noise", "guidance_scale": 2.0}, "longcat": {}, "ace": {"lyrics": "la"},
         "musicgen": {"temperature": 0.9, "top_k": 12, "loudness": "as it came"}}  # fmt: skip
EARS = {"whisper": {"num_beams": 2}, "english": {"temperature": 1.2}, "moonshine": {"temperature": 1.2}}


def made_by(engine, requests, folder):
    """Write the script of each request into `folder`, beside the models; return what the engine makes of each."""
    catalog = engine.catalog
    for spec in catalog.values():
        (folder / spec.folder().name).symlink_to(spec.folder())
    found = []
    for request in requests:
        name = f"{request.model.replace('/', '-')}-{request.seed}.py"
        (folder / name).write_text(coding.write(catalog, Settings(threads=1), request), "utf-8")
        found.append((name, request, results(final_of(engine, request))))
    engine.close()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    tasks = [Request(model=f"text/{model}", inputs={"prompt": LONG}, params=params, seed=seed)
             for seed, (model, params) in enumerate(TASKS.values())]  # fmt: skip
    music = [ask(kind, seed=3, **params) for kind, params in MUSIC.items()]
    ears = ear_engine(tmp_path_factory.mktemp("ears"))
    (folder / "audio.wav").write_bytes(recording())
    heard = [listen(ears, kind, recording(), 5, **params) for kind, params in EARS.items()]
    found = [
        *made_by(task_engine(tmp_path_factory.mktemp("tasks")), tasks, folder),
        *made_by(music_engine(tmp_path_factory.mktemp("music"), *MUSIC), music, folder),
        *made_by(ears, heard, folder),
    ]
    run_apart(folder, [name for name, _, _ in found])
    return {(request.model, request.seed): (request, outputs) for _, request, outputs in found}, folder


CASES = [
    *((f"text/{model}", seed) for seed, (model, _) in enumerate(TASKS.values())),
    *((f"audio/{kind}", 3) for kind in MUSIC), *((f"audio/{kind}", 5) for kind in EARS),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_script_makes_what_the_run_made(made, case):
    found, folder = made
    assert_same(folder, *found[case])
