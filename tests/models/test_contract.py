"""What every model of the catalogue keeps: a true entry, small weights, a card, settings explained, runs that end."""

import hashlib
import io
import math
import re

import pytest
from PIL import Image
from safetensors import safe_open

from models.audio import sounds
from models.blobs import Blobs
from models.catalog import load_catalog
from models.device import import_libraries
from models.events import is_stepping
from models.family import acting_inputs
from models.params import describe, in_effect, problem
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.types import Request
from tests.tiny.audio_nets import recording

CATALOG = load_catalog(Settings(), strict=False)
ALL = list(CATALOG)
EMBEDDED = [spec.id for spec in CATALOG.values() if spec.embedded]


def picture():
    """Return a small picture as an upload."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(file, "PNG")
    return file.getvalue()


UPLOADS = {"audio": recording(), "image": picture()}  # by type of input
REFS = {kind: f"sha256:{hashlib.sha256(data).hexdigest()}" for kind, data in UPLOADS.items()}
FILE_MAX_BYTES = 25_000_000
TOGETHER_MAX_BYTES = 120_000_000
QUICK = {"max_new_tokens": 16, "num_inference_steps": 3}  # settings that say how long a run is

each = pytest.mark.parametrize("model", ALL)
each_embedded = pytest.mark.parametrize("model", EMBEDDED)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = LocalEngine(Settings(data_dir=tmp_path_factory.mktemp("data")))
    blobs = Blobs(engine._settings.data_dir)
    assert {kind: blobs.put_bytes(data) for kind, data in UPLOADS.items()} == REFS
    yield engine
    engine.close()


def quick(model, seed=1, **longer):
    """Return a short request for a model; `longer` overrides those of its settings that it has."""
    spec, family = CATALOG[model], CATALOG.family(model)
    names = {item.name for item in family.fields(spec)}
    inputs = {}
    fields = family.fields(spec)
    for item in acting_inputs(family.inputs, fields, {one.name: one.default for one in fields}):
        if item.name == "prompt":
            inputs["prompt"] = spec.examples[0]
        elif item.required:
            inputs[item.name] = REFS[item.type]
    if spec.facts.get("chat"):  # its examples are instructions, which it answers by its template
        inputs["messages"] = "[]"
    params = {name: value for name, value in {**QUICK, **longer}.items() if name in names}
    return Request(model=model, inputs=inputs, params=params, seed=seed)


def writes(spec):
    """Say whether a model takes a text, of which its entry then has examples."""
    return any(item.name == "prompt" for item in CATALOG.family(spec.id).inputs)


def test_every_entry_loads_and_there_are_some():
    assert list(load_catalog(Settings())) == ALL
    assert "text/story-gpt" in EMBEDDED


@each
def test_an_entry_says_what_a_reader_needs(model):
    spec = CATALOG[model]
    for words in (spec.name, spec.summary, spec.licence, spec.architecture, spec.trained_on):
        assert words.strip() == words != ""
    assert spec.summary.endswith(".")
    assert bool(spec.examples) == writes(spec)
    assert all(example.strip() for example in spec.examples)
    assert CATALOG.family(model).how_it_works.strip()


@each
def test_every_setting_is_explained_in_a_sentence(model):
    spec, family = CATALOG[model], CATALOG.family(model)
    # the whole family's table too: a model may hide a setting that another one shows
    for item in (*family.fields(spec), *describe(family.Params)):
        assert item.help.endswith("."), item.name
        assert item.help[0].isupper(), item.name
        assert item.label.strip(), item.name


@each
def test_temperature_zero_is_greedy_or_its_refusal_says_what_is(model):
    sampling = (item for item in CATALOG.family(model).fields(CATALOG[model])
                if item.name.endswith("temperature") and item.group == "Sampling")  # fmt: skip
    for item in sampling:
        assert problem(item, 0.0) == "" or "greedy" in problem(item, 0.0), item.name
        assert "greedy" not in problem(item, 99.0)


@each
def test_the_examples_are_requests_that_run(model):
    for example in CATALOG[model].examples:
        CATALOG.validate(Request(model=model, inputs={"prompt": example}))


@each_embedded
def test_the_facts_are_those_of_the_files(model):
    import_libraries(Settings())
    spec, family = CATALOG[model], CATALOG.family(model)
    assert spec.facts == family.describe(spec)


# what lies in a weights file and is computed, not learnt, so that nobody counts it: the filter bank of mels, principal
# components. Besides: `latent_rgb.safetensors`, the fit by which previews are drawn, and `outliers.safetensors`.
FIXED = {
    "audio/digit-recogniser": ("bank",), "image/emoji-vae": ("mean", "spread", "basis"),
    "text/translate-en-fr": ("final_logits_bias",), "text/translate-fr-en": ("final_logits_bias",),
}  # fmt: skip
SINES = "embed_positions.weight"  # of Marian: computed when it is loaded, in no file
# what batch norm saw on average; its counters of batches are whole numbers, and nothing reads them
AVERAGES, COUNTER = (".running_mean", ".running_var"), ".num_batches_tracked"


@each_embedded
def test_the_weights_are_small_fp16_and_counted(model):
    spec = CATALOG[model]
    stored = adapter = fixed = 0
    for path in spec.weight_files():
        assert path.stat().st_size <= FILE_MAX_BYTES, path
        if path.stem == "outliers":  # measured, not learnt: means and a covariance need their digits
            continue
        with safe_open(path, "np") as file:
            slices = {name: file.get_slice(name) for name in file.keys() if not name.endswith(COUNTER)}
        assert {one.get_dtype() for one in slices.values()} == {"F16"}
        counts = {name: math.prod(one.get_shape()) for name, one in slices.items()}
        count = sum(counts.values())
        stored += count
        fixed += (
            count
            if path.stem == "latent_rgb"
            else sum(many for name, many in counts.items() if name in FIXED.get(model, ()) or name.endswith(AVERAGES))
        )
        adapter += count if spec.base_folder() and path.is_relative_to(spec.folder()) else 0
    assert spec.parameters == stored - fixed
    # a card counts the adapter alone, or each part of a pipeline
    card = (spec.folder() / "README.md").read_text("utf-8")
    told = re.findall(r"([\d,]{5,}) parameters|\| Parameters \| ([\d,]{5,}),", card)
    assert sum(int((one or other).replace(",", "")) for one, other in told) == (adapter or spec.parameters)
    # as loaded, too: a tensor that is missing would be made up at random, one too many ignored
    import_libraries(Settings())
    modules = CATALOG.family(model).load(spec).modules()
    learnt = {
        one.data_ptr(): one.numel()
        for module in modules
        for name, one in module.named_parameters()
        if not name.endswith(SINES)
    }
    assert sum(learnt.values()) == spec.parameters - adapter
    loaded = {
        one.data_ptr(): one.numel()
        for module in modules
        for name, one in module.state_dict().items()
        if not name.endswith((COUNTER, SINES))
    }
    assert sum(loaded.values()) == stored - adapter  # an adapter is merged into the weights that it adapts


@each_embedded
def test_nothing_but_safetensors_holds_weights(model):
    kinds = {path.suffix for path in CATALOG[model].folder().rglob("*")}
    assert not kinds & {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".onnx", ".py"}


@each_embedded
def test_a_card_lies_beside_the_weights(model):
    card = CATALOG[model].folder() / "README.md"
    assert card.is_file()
    assert CATALOG[model].licence.lower() in card.read_text("utf-8").lower()


def test_all_embedded_weights_fit_the_repository():
    files = {path for model in EMBEDDED for path in CATALOG[model].weight_files()}
    assert sum(path.stat().st_size for path in files) <= TOGETHER_MAX_BYTES


@each_embedded
def test_a_short_run_ends_in_one_final_with_the_same_bytes_again(engine, model):
    runs = []
    for _ in range(2):
        events = list(engine.generate(quick(model)))
        assert [event.kind for event in events].count("final") == 1
        assert events[-1].kind == "final"
        assert events[-1].outputs
        assert not events[-1].stats["stopped"]
        runs.append([output.data for output in events[-1].outputs])
    assert all(runs[0])
    assert runs[0] == runs[1]
    counted = {event.unit for event in events if event.kind == "progress" and is_stepping(event)}
    assert counted & {"tokens", "parts"} or "tokens" not in events[-1].stats
    assert "bare" not in events[-1].stats  # every file holds what made it
    for output in events[-1].outputs:
        assert output.sha256 == hashlib.sha256(output.data).hexdigest()
    engine.unload(model)
    assert [output.data for output in list(engine.generate(quick(model)))[-1].outputs] == runs[0]


@each_embedded
def test_another_seed_gives_another_output(engine, model):
    finals = [list(engine.generate(quick(model, seed, max_new_tokens=20)))[-1] for seed in (1, 2)]
    first = [final.outputs[0] for final in finals]
    seed = next(item for item in CATALOG.family(model).fields(CATALOG[model]) if item.type == "seed")
    fields = CATALOG.family(model).fields(CATALOG[model])
    chance = seed.name in in_effect(fields, {item.name: item.default for item in fields})
    assert len({what_is_seen(one) for one in first}) == (2 if chance else 1)


def what_is_seen(output):
    """Return what a person sees or hears: a file's bytes hold its settings, and with them the seed."""
    if output.kind == "image":
        return Image.open(io.BytesIO(output.data)).tobytes()
    return sounds.read_wav(output.data)[0].tobytes() if output.kind == "audio" else output.text


@pytest.mark.parametrize("model", [spec.id for spec in CATALOG.values() if spec.embedded and spec.names
                                   and spec.names.modifiers and writes(spec)])  # fmt: skip
def test_every_modifier_of_a_name_changes_what_is_made(engine, model):
    def made(prompt):
        request = quick(model).model_copy(update={"inputs": {"prompt": prompt}})
        return what_is_seen(list(engine.generate(request, StopSignal()))[-1].outputs[0])

    seen = {word: made(f"pizza, {word}" if word else "pizza") for word in ("", *CATALOG[model].names.modifiers)}
    assert {word for word in seen if seen[word] == seen[""]} <= {"", "noto"}  # which is drawn where no style is named


@each_embedded
def test_a_stopped_run_ends_early_with_what_there_was(engine, model):
    stop = StopSignal()
    stop.request()
    request = quick(model, max_new_tokens=100, num_inference_steps=20, num_images=8)
    events = list(engine.generate(request, stop))
    assert [event.kind for event in events].count("final") == 1
    assert events[-1].kind == "final"
    assert events[-1].stats["stopped"] is True
    assert all(event.step <= 1 for event in events if event.kind == "progress" and is_stepping(event))


@each
def test_every_tool_forecasts_what_it_takes(model):
    family = CATALOG.family(model)
    assert set(family.costs) == set(family.tools)


@each_embedded
def test_a_request_in_full_is_one_that_the_model_takes(model):
    full = CATALOG.full(quick(model))
    assert CATALOG.full(full) == full
    family, names = CATALOG.family(model), {item.name for item in CATALOG.family(model).fields(CATALOG[model])}
    assert set(full.params) <= names
    # as files of before have it: all that the family declares
    idle = {name: item.default for name, item in family.Params.model_fields.items() if name not in names}
    assert CATALOG.full(full.model_copy(update={"params": {**full.params, **idle}})) == full
