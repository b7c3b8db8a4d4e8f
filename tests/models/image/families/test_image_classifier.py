"""Classifiers: what they list, how many, in order; what they ask for; and the measures that judge by them."""

import pytest

from models import measuring
from models.blobs import Blobs
from models.catalog import load_catalog
from models.errors import BadInput
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.sweeps import measured
from models.sweeps.cells import plan
from models.sweeps.results import Result
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request, Run
from tests.models.image.families.drawings import BLUE, RED

JUDGE = "image/emoji-judge"
CATALOG = load_catalog(Settings())


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = LocalEngine(Settings(data_dir=tmp_path_factory.mktemp("data")))
    yield engine
    engine.close()


def seen(engine, data, **params):
    ref = Blobs(engine._settings.data_dir).put_bytes(data)
    *_, final = engine.generate(Request(model=JUDGE, inputs={"image": ref}, params=params))
    return final.outputs[0]


def test_it_lists_names_the_likeliest_first(engine):
    output = seen(engine, RED, top_k=3)
    listed = output.meta["seen"]
    assert listed[0]["label"] == output.meta["aloud"] == "red circle"
    assert [one["label"] for one in listed] == [line.split(":")[0] for line in output.text.splitlines()]
    assert [one["probability"] for one in listed] == sorted((one["probability"] for one in listed), reverse=True)
    assert len(listed) == 3
    assert sum(one["probability"] for one in output.meta["styles"]) == pytest.approx(1, abs=1e-3)
    assert seen(engine, BLUE, top_k=20).meta["seen"][0]["label"] == "blue square"


def test_without_an_image_it_says_what_to_do(engine):
    with pytest.raises(BadInput, match=r"image is missing. Give Emoji Judge \(image/emoji-judge\) an image and run"):
        list(engine.generate(Request(model=JUDGE)))


def run(model, data, cell=None, **inputs):
    request = cell.request if cell is not None else Request(model=model, inputs=inputs)
    output = Output("image", 0, data=data, media_type="image/png", meta={"width": 64, "height": 64})
    return Run(str(hash((request.canonical(), data))), "ann", "job", request, "done", 0.0, [output])


def offered(model, kinds=("image",)):
    found = measuring.offers(CATALOG, Settings(), [model], kinds)
    return {one.name: one for one in found if one.model}


@pytest.mark.parametrize("model", ["image/emoji-gan", "image/emoji-vae", "image/emoji-diffusion"])
def test_what_models_of_its_collection_draw_is_judged(model):
    found = offered(model)
    assert list(found) == ["recognised_emoji_judge", "recognised_rank_emoji_judge"]
    assert found["recognised_emoji_judge"].label == "Recognised (Emoji Judge)"
    assert offered(model, ("text",)) == {}


def test_what_another_model_makes_is_not_judged():
    other = CATALOG["image/emoji-gan"].model_copy(update={"collection": "cats"})
    assert not measuring._judges("emoji", other)
    assert measuring._judges("", other)
    assert offered("text/story-gpt") == {}


@pytest.mark.parametrize(
    "prompt, name",
    [("red circle", "red circle"), ("(Red Circle:1.3), flat", "red circle"), ("red circles", "red circle"),
     ("a button", "a button"), ("a", "a button blood type"), ("blue pizza", "pizza")],
)  # fmt: skip
def test_what_was_asked_for_is_the_models_own_name_for_it(prompt, name):
    asked = measuring.asked_of(CATALOG, run("image/emoji-diffusion", RED, prompt=prompt))
    assert asked == name


def test_a_sweep_tells_which_cell_shows_what_was_asked_for():
    sweep = Sweep(Request(model="image/emoji-gan", inputs={"prompt": "red circle"}),
                  (Axis("inputs.prompt", ("red circle", "blue square", "pizza and ox")),))  # fmt: skip
    cells = plan(CATALOG, sweep)
    results = {cell.number: Result(cell, run("", RED, cell)) for cell in cells.cells}
    for name, good in (("recognised_emoji_judge", lambda a, b: a > 0.3 > b),
                       ("recognised_rank_emoji_judge", lambda a, b: a == 1 < b)):  # fmt: skip
        offer = offered("image/emoji-gan")[name]
        wanted = measured.wanted(CATALOG, cells, results, offer)
        (values,) = measuring.heavy(wanted.values(), lambda one: one.data, measuring.here)
        found = measured.numbers(wanted, values)
        assert sorted(found) == [0, 1]  # two names at once are none of its own
        assert good(found[0], found[1])
