"""Scripts of families whose models are fetched from elsewhere, run with tiny random models: texts and images."""

import pytest

from models.types import Request
from tests.apart import assert_same, run_apart, written_beside
from tests.tiny.pipelines import draw, pipelines_engine
from tests.tiny.task_nets import task_engine

LONG = "the cat sat on the mat. is this good?\n- a dog ran to the sea and the rain fell! is it bad? the cat sat."
TASKS = {
    "beams": ("marian", {"num_beams": 3, "length_penalty": 0.5, "max_new_tokens": 8}),
    "beams of the recurrent one": ("lstm", {"num_beams": 3, "max_new_tokens": 8, "no_repeat_ngram_size": 2}),
    "sampled by sentences": ("t5", {"num_beams": 1, "do_sample": True, "top_k": 20, "temperature": 1.3,
                                    "max_new_tokens": 8, "parts": "sentences", "prefix": "is: "}),
    "one label": ("electra", {"temperature": 0.7, "threshold": 0.1}),
    "several labels": ("both", {"threshold": 0.2}),
    "labels of one's own": ("inference", {"labels": ["good", "bad"], "template": "it is {}.", "temperature": 2.0}),
    "labels of which several hold": ("inference", {"labels": ["good", "bad"], "several": True, "threshold": 0.1}),
    "nearness": ("near", {"by": "sentences", "pooling": "max", "threshold": 0.1, "top_texts": 3}),
}  # fmt: skip
DRAWN = {
    "sd": {"width": 64, "num_images": 2},
    "sdxl": {"negative_prompt": "a dog", "guidance_scale": 3.0, "scheduler": "EulerDiscreteScheduler"},
    "lcm": {"prompt_to": "a dog", "prompt_mix": 0.5},
    "sd3": {"guidance_scale": 2.0, "scheduler": "FlowMatchEulerDiscreteScheduler"},
    "flux": {"num_images": 2, "variation_strength": 0.3, "scheduler": "FlowMatchEulerDiscreteScheduler"},
}
CASES = [
    *((f"text/{model}", seed) for seed, (model, _) in enumerate(TASKS.values())),
    *((f"image/{kind}", 7) for kind in DRAWN),
]  # fmt: skip


pytestmark = pytest.mark.timeout(600)  # one interpreter runs all scripts: minutes where other tests run beside it


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    tasks = [Request(model=f"text/{model}", inputs={"prompt": LONG}, params=params, seed=seed)
             for seed, (model, params) in enumerate(TASKS.values())]  # fmt: skip
    # brackets weigh nothing where two encoders read the prompt
    drawn = [draw(kind, "a (cat)" if "x" in kind else "a cat", 7, **params) for kind, params in DRAWN.items()]
    scripts, texts = written_beside(task_engine(tmp_path_factory.mktemp("tasks")), tasks, folder)
    more, images = written_beside(pipelines_engine(tmp_path_factory.mktemp("drawn")), drawn, folder)
    run_apart(folder, [*scripts, *more])
    return folder, {**texts, **images}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_script_makes_what_the_run_made(made, case):
    folder, found = made
    assert_same(folder, *found[case])
