"""What families declare they take: which inputs act under which settings, and how large they may be."""

from itertools import product
from typing import ClassVar, Literal, get_args

import pytest
from pydantic import Field

from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.errors import BadInput
from models.events import Final
from models.family import Family, InputField, Loaded, acting_inputs, main_text
from models.params import Params, above, hint, in_effect
from models.runtime import memory
from models.runtime.engine import run_request
from models.runtime.registry import Registry
from models.settings import Settings
from models.spec import ModelSpec
from models.types import Request
from tests.odd import odd_settings

CATALOG = load_catalog(Settings(), strict=False)
SHARES = {"prompt_mix": (0.0, 0.4), "guidance_scale": (0.5, 1.0, 1.5), "num_images": (1, 3)}
PICTURES = {
    "image to image": {"image"}, "inpaint": {"image", "mask"}, "reconstruct": {"image"},
    "interpolate": {"image", "image_to"},
}  # fmt: skip
SUPPLIED = {"messages", "tokens", "rows", "file", "pairs"}  # types that parts of a page, or studies, fill in


class ToyParams(Params):
    way: Literal["sing", "read"] = Field("sing", description="What to do.")
    guidance_scale: float = Field(1.0, ge=1, le=5, description="How hard to follow.")
    aside: str = Field("", description="What to leave.", json_schema_extra=hint(shown_if={"guidance_scale": above(1)}))


class Toy(Family):
    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    modality: ClassVar[str] = "text"
    Params: ClassVar[type[Params]] = ToyParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", max_chars=5, shown_if={"way": ["read"]}),
        InputField("score", "notes", True, "Sheet of notes", max_bytes=8, shown_if={"way": ["sing"]}),
        InputField("seeds", "tokens", False, "Begins with", max_bytes=4, inline=True),
    )

    def load(self, spec):
        return Loaded({})

    def generate(self, spec, request, params, loaded, context):
        yield Final((), {"given": dict(request.inputs), "params": params.model_dump()})


@pytest.fixture
def toys(tmp_path):
    settings = odd_settings(tmp_path)
    entry = {
        "id": "text/toy", "name": "Toy", "family": "toy", "summary": "-", "architecture": "-", "trained_on": "-",
        "licence": "-", "parameters": 1, "weights": {"path": "weights"},
    }  # fmt: skip
    return Catalog([ModelSpec(**entry, file=settings.catalog_dirs[0] / "toy.toml")], {"toy": Toy()})


def ask(inputs, **params):
    return Request(model="text/toy", inputs=inputs, params=params)


def settings_of(fields):
    """Yield full sets of values: every task, and the settings on which an input may hang at several values."""
    axes = {item.name: item.choices if item.name in ("task", "by") else SHARES.get(item.name, ()) for item in fields}
    names = [name for name, values in axes.items() if values]
    for chosen in product(*(axes[name] for name in names)):
        yield {**{item.name: item.default for item in fields}, **dict(zip(names, chosen, strict=True))}


def by_name_and_task(family, fields, values):
    """Return the names that act by a table of names and tasks, written down without the declarations."""
    task = values.get("task", "")
    whole = ("audio",) if task or any(item.name == "prompt" for item in family.inputs) else ("audio", "image")
    names = {*PICTURES.get(task, ()), *(item.name for item in family.inputs if item.type in whole)}
    if values.get("by") == "column":
        names |= {"table", "column", "label_column"}
    elif task not in ("reconstruct", "interpolate"):
        names |= {"prompt", "texts"}
        if values.get("prompt_mix") and "prompt_mix" in in_effect(fields, values):
            names.add("prompt_to")
    return {item.name for item in family.inputs if item.name in names}


@pytest.mark.parametrize("model", list(CATALOG))
def test_inputs_act_by_task_and_setting(model):
    family = CATALOG.family(model)
    fields = family.fields(CATALOG[model])
    seen = set()
    for values in settings_of(fields):
        acting = [item for item in acting_inputs(family.inputs, fields, values) if item.type not in SUPPLIED]
        assert {item.name for item in acting} == by_name_and_task(family, fields, values), values
        assert acting == [item for item in family.inputs if item in acting]  # in the order of declaration
        seen |= {item.name for item in acting}
    assert seen == {item.name for item in family.inputs if item.type not in SUPPLIED}


@pytest.mark.parametrize("model", [spec.id for spec in CATALOG.values() if spec.family == "causal_lm"])
def test_a_negative_prompt_is_asked_for_while_guidance_acts(model):
    fields = CATALOG.family(model).fields(CATALOG[model])
    values = {item.name: item.default for item in fields}
    assert "negative_prompt" not in in_effect(fields, values)
    assert "negative_prompt" in in_effect(fields, {**values, "guidance_scale": 1.1})


@pytest.mark.parametrize("name", list(CATALOG.families))
def test_a_family_names_the_class_of_its_settings_wherever_it_takes_them(name):
    family = CATALOG.families[name]
    bases = [get_args(base) for base in type(family).__orig_bases__]
    assert (family.Params,) in bases
    for method in (one for name in ("generate", "check_inputs") if (one := vars(type(family)).get(name))):
        assert method.__annotations__["params"] == family.Params.__name__


def test_pictures_differ_by_task():
    family = CATALOG.family("image/emoji-vae")
    fields = family.fields(CATALOG["image/emoji-vae"])

    def names(**values):
        full = {**{item.name: item.default for item in fields}, **values}
        return [item.name for item in acting_inputs(family.inputs, fields, full)]

    assert names(task="sample", prompt_mix=0.2) == ["prompt", "prompt_to"]
    assert names(task="reconstruct", prompt_mix=0.2) == ["image"]  # a setting that does not act asks for nothing
    assert names(task="interpolate") == ["image", "image_to"]


def test_a_mask_is_a_type_of_its_own_and_further_types_are_free():
    inputs = {item.name: item for item in CATALOG.family("image/emoji-diffusion").inputs}
    assert (inputs["image"].type, inputs["mask"].type) == ("image", "mask")
    assert [InputField("x", kind).is_text for kind in ("text", "messages", "file", "clip")] == [True] + [False] * 3
    assert InputField("x", "verses", inline=True).is_text
    inline = {item.name for name in CATALOG.families for item in CATALOG.families[name].inputs if item.inline}
    assert {"messages", "forced", "rows"} <= inline  # what requests have always held as JSON


def test_the_main_text_is_the_one_that_says_so_else_the_text_named_prompt():
    prompt, order = InputField("prompt"), InputField("order", main=True)
    assert main_text((prompt, order)) == order
    assert main_text((InputField("image", "image"), prompt)) == prompt
    assert main_text((InputField("prompt", "verses", inline=True), InputField("order"))) is None


def test_an_input_whose_condition_names_no_setting_fails_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Bad\.inputs image: shown_if names unknown fields \['tusk'\]"):

        class Bad(Toy):
            inputs: ClassVar[tuple[InputField, ...]] = (InputField("image", "image", shown_if={"tusk": ["draw"]}),)


def test_a_needed_input_is_missing_only_while_it_acts(toys):
    with pytest.raises(BadInput, match=r"The sheet of notes is missing\. Give Toy \(text/toy\) a sheet of notes"):
        toys.validate(ask({"prompt": "hey"}))
    with pytest.raises(BadInput, match="The prompt is missing"):
        toys.validate(ask({}, way="read"))
    assert toys.validate(ask({"prompt": "hey"}, way="read")).way == "read"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"prompt": "123456"}, "The prompt has 6 characters; at most 5 are allowed. Shorten it."),
        ({"prompt": "12345", "seeds": "ééé"}, "The begins with has 6 bytes; at most 4 are allowed. Shorten it."),
    ],
)
def test_a_text_beyond_its_limit_gets_one_sentence(toys, inputs, words):
    with pytest.raises(BadInput) as caught:
        toys.validate(ask(inputs, way="read"))
    assert caught.value.message == words
    toys.validate(ask({"prompt": "ééééé", "seeds": "éé"}, way="read"))  # just within


def test_an_upload_beyond_its_limit_is_refused_before_the_model_is_loaded(toys, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    registry = Registry(toys, memory.budget_bytes(Settings()))

    def run(data):
        request = ask({"score": blobs.put_bytes(data)})
        return list(run_request(request, toys, registry, Settings(), stopped=lambda: False, open_ref=blobs.get_bytes))

    with pytest.raises(
        BadInput, match=r"The sheet of notes has 9 bytes; at most 8 are allowed\. Upload a smaller one\."
    ):
        run(b"123456789")
    assert not registry.holds("text/toy")
    assert run(b"12345678")[-1].kind == "final"


def test_an_input_that_is_a_text_setting_now_moves_there(toys):
    old = ask({"score": "sha256:" + "0" * 64, "aside": "flats"}, guidance_scale=2.0)
    new = toys.current(old)
    assert new.inputs == {"score": old.inputs["score"]}
    assert new.params == {"guidance_scale": 2.0, "aside": "flats"}
    assert toys.current(new) is new
    assert toys.validate(old) == toys.validate(new)
    both = toys.current(old.model_copy(update={"params": {"aside": "sharps"}}))
    assert both.params == {"aside": "sharps"}  # what the params name holds
    assert "aside" not in both.inputs
    with pytest.raises(BadInput, match="takes no input 'way'"):  # no text setting
        toys.validate(ask({"prompt": "x", "way": "read"}))


def test_a_run_gets_an_old_request_in_its_new_form(toys, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    registry = Registry(toys, memory.budget_bytes(Settings()))
    request = ask({"prompt": "hey", "aside": "flats"}, way="read", guidance_scale=2.0)
    *_, final = run_request(request, toys, registry, Settings(), stopped=lambda: False, open_ref=blobs.get_bytes)
    assert final.stats["given"] == {"prompt": "hey"}
    assert final.stats["params"]["aside"] == "flats"


def test_a_models_table_of_settings_is_made_once(toys):
    family, spec = toys.family("text/toy"), toys["text/toy"]
    assert family.fields(spec) is family.fields(spec)
