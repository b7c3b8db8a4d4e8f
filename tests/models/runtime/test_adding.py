"""A model from the disk is looked at, tried in a child, kept for its owner, runs, is removed; or nothing is left."""

import json
import os
import pickle
import shutil

import pytest
from safetensors.torch import load_file, save_file

from models import added, from_disk
from models.catalog import current_catalog, load_catalog
from models.errors import BadInput, PlaygroundError, Stopped, WeightsError
from models.runtime import adding, adding_process, getting, memory
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request
from tests.tiny import final_of, ggufs, make_model, make_tokenizer
from tests.tiny.ear_nets import ear_engine
from tests.tiny.task_nets import write_task_models
from tests.tiny.voice_nets import voice_engine

ROOM = 10**9
ME, OTHER = adding.owner_of_shell(), "user:other"


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A folder of a tiny Llama, as anybody has it."""
    folder = tmp_path_factory.mktemp("nets") / "My Net"
    tokenizer = make_tokenizer()
    make_model("llama", tokenizer).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(catalog_dirs=(tmp_path,), data_dir=tmp_path / "data", threads=1)


@pytest.fixture
def at_once(monkeypatch):
    """Carry out what a child would in this process, without its limits: a child imports torch each time."""
    from transformers import PreTrainedModel

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", PreTrainedModel.__dict__["from_pretrained"])  # put back

    def asked(order, place, stopped, limit_s):
        try:
            return adding_process.carry_out(json.loads(json.dumps(order)), limit=lambda order: None)
        except PlaygroundError as error:
            raise BadInput(error.message) from error

    monkeypatch.setattr(adding, "_asked", asked)


def plan_of(path, settings, owner=ME, name=""):
    return adding.plan(adding.look(str(path)), load_catalog(settings, everyone=True), owner, name)


def add(path, settings, owner=ME, name="", room=ROOM, tell=lambda stage: None, stopped=lambda: False):
    return adding.add(plan_of(path, settings, owner, name), owner, room, settings, tell, stopped)


def left(settings):
    """Return all that lies in the data folder, but for empty folders."""
    return [str(path.relative_to(settings.data_dir)) for path in settings.data_dir.rglob("*") if path.is_file()]


def test_a_gguf_file_is_added_runs_and_is_removed(tmp_path, settings):
    file = ggufs.write(tmp_path / "tiny.gguf")
    plan = plan_of(file, settings)
    assert plan.spec.id == "text/tiny"
    assert plan.total_bytes > plan.load_bytes > 0
    assert adding.words(plan)[0].startswith("Tiny: llama, 39,840 parameters, unpacked from 87 kB to 80 kB")
    told = []
    spec = adding.add(plan, ME, ROOM, settings, told.append)
    assert [stage.name for stage in told][-1] == "convert"
    assert told[0].total == file.stat().st_size
    catalog = load_catalog(settings)
    assert catalog[spec.id].facts == {"context_length": 64, "vocabulary_size": 300, "chat": True,
                                      "insides": ["attention", "lens"]}  # fmt: skip
    assert (spec.licence, spec.parameters) == ("MIT", plan.found.numbers)
    assert getting.verify(catalog[spec.id]) == []
    with pytest.raises(WeightsError, match=r"here already, as Tiny \(text/tiny\)"):
        adding.add(plan, ME, ROOM, settings, lambda stage: None)
    engine = LocalEngine(settings)
    request = Request(model=spec.id, inputs={"prompt": "Once"}, params={"max_new_tokens": 4, "temperature": 0}, seed=0)
    final = final_of(engine, request)
    engine.close()
    import torch

    tokenizer, plain = make_tokenizer(), ggufs.make_net(make_tokenizer())
    ids = tokenizer("Once", add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        wanted = plain.generate(ids, max_new_tokens=4, do_sample=False, pad_token_id=2)[0]
    assert final.outputs[0].text == tokenizer.decode(wanted, skip_special_tokens=True)
    assert file.exists()
    assert getting.remove(catalog[spec.id], settings) > 80_000
    assert left(settings) == []
    assert file.exists()  # what it was added from is not ours to remove
    assert spec.id not in load_catalog(settings)


def test_a_folder_is_added_as_it_is_for_its_owner_alone(settings, net, at_once):
    (net / "training_args.bin").write_bytes(pickle.dumps("never read"))
    spec = add(net, settings, OTHER)
    assert sorted(path.name for path in spec.kept.iterdir()) == [
        "config.json", "generation_config.json", "kept.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    assert load_catalog(settings).get(spec.id) is None  # a shell has its user's own
    everyone = current_catalog(settings)
    assert spec.id in everyone
    assert spec.id in everyone.of(OTHER)
    assert spec.id not in everyone.of(ME)
    assert everyone.of("cookie:a") is everyone.of("cookie:b")
    assert spec.id.startswith("text/my-net-")  # nobody else can guess it
    assert spec.id.endswith(added.place_of(OTHER)[:8])
    assert spec.file.parent == added.folder(settings, OTHER)
    shutil.rmtree(net)  # what was copied is what runs
    assert everyone[spec.id].here
    assert getting.verify(everyone[spec.id]) == []
    shutil.copytree(spec.kept, net, ignore=shutil.ignore_patterns("kept.json"))
    shutil.rmtree(spec.kept)
    with pytest.raises(WeightsError, match="are gone from .* add it from the disk again"):
        everyone[spec.id].folder()
    assert getting.remove(everyone[spec.id], settings) == 0  # the entry goes all the same
    assert left(settings) == []


def test_every_kind_that_a_family_declares_is_one_of_the_library_and_finds_that_family():
    import transformers
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    catalog, found = load_catalog(Settings()), {}
    for family in catalog.families.values():
        assert family.gguf <= set(GGUF_SUPPORTED_ARCHITECTURES)
        for name in family.architectures:
            assert hasattr(transformers, name), name
            for labels in ({}, {"id2label": {"0": "CONTRADICTION", "1": "entailment"}}):
                if family.adopts({"architectures": [name], **labels}):
                    assert found.setdefault((name, bool(labels)), family.name) == family.name
    assert found["BertForSequenceClassification", True] == "zero_shot_classifier"
    assert found["BertForSequenceClassification", False] == "text_classifier"


def test_nets_of_several_families_are_added_and_run(tmp_path, settings, at_once):
    ready = {}
    (tmp_path / "tasks").mkdir()
    (tmp_path / "ears").mkdir()
    (tmp_path / "voices").mkdir()
    write_task_models(tmp_path / "tasks")
    ear_engine(tmp_path / "ears")
    voice_engine(tmp_path / "voices", "vits")
    for name, family in (
        ("tasks/marian", "seq2seq_lm"), ("tasks/t5", "seq2seq_lm"), ("tasks/bart", "seq2seq_lm"),
        ("tasks/electra", "text_classifier"), ("tasks/bert", "text_classifier"),
        ("tasks/inference", "zero_shot_classifier"), ("ears/whisper", "speech_to_text"),
        ("ears/moonshine", "speech_to_text"), ("voices/vits", "text_to_speech"),
    ):  # fmt: skip
        spec = add(tmp_path / name, settings)
        assert spec.family == family
        ready[spec.short_id] = spec
    engine = LocalEngine(settings)
    for name in ("marian", "electra"):
        assert final_of(engine, Request(model=f"text/{name}", inputs={"prompt": "the cat"}, seed=0)).outputs
    assert final_of(engine, Request(model="audio/vits", inputs={"prompt": "abc"}, seed=0)).outputs
    engine.close()


def test_names_are_given_or_found_and_ids_are_free(settings, net, at_once):
    first = add(net, settings, name="  Grüße, ../Net! ")
    assert (first.name, first.id) == ("Grüße, ../Net!", "text/gr-e-..-net")
    again = net.parent / "again"
    shutil.copytree(net, again)
    weights = load_file(again / "model.safetensors")
    save_file({name: value * 2 for name, value in weights.items()}, again / "model.safetensors", {"format": "pt"})
    assert add(again, settings, name="Grüße, ../Net!").id == "text/gr-e-..-net-2"
    assert plan_of(again, settings, name="!!!").spec.id == "text/model"
    shutil.rmtree(again)


def test_an_architecture_that_nothing_runs_is_refused_and_named(tmp_path, settings, net):
    other = tmp_path / "other"
    shutil.copytree(net, other)
    (other / "config.json").write_text(json.dumps({"architectures": ["NewNet"]}))
    with pytest.raises(BadInput, match=r"its architecture \(NewNet\) is none that runs here\. Known are .*Llama"):
        plan_of(other, settings)
    (other / "config.json").write_text(json.dumps({"architectures": "LlamaForCausalLM"}))
    with pytest.raises(BadInput, match="none that runs here"):
        plan_of(other, settings)
    with pytest.raises(BadInput, match=r"\(rwkv9\) is none that runs here.*llama\.cpp"):
        plan_of(ggufs.write(tmp_path / "a.gguf", architecture="rwkv9"), settings)


def test_one_that_is_too_large_for_memory_or_disk_is_refused(tmp_path, settings, net, monkeypatch):
    file = ggufs.write(tmp_path / "tiny.gguf")
    with pytest.raises(WeightsError, match=r"too large: unpacked to 20\.1 MB.*models may take 1 MB.*llama\.cpp server"):
        add(file, settings, room=10**6)
    with pytest.raises(WeightsError, match="too large: .* Take a smaller one"):
        add(net, settings, room=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(WeightsError, match=r"of disk while it is added, and 1 byte are free.*PLAYGROUND_WEIGHTS_DIR"):
        add(file, settings)
    assert left(settings) == []


@pytest.mark.parametrize("at", ["copy", "convert"])
def test_stop_leaves_nothing(settings, net, at):
    seen = []
    with pytest.raises(Stopped):
        add(net, settings, tell=lambda stage: seen.append(stage.name), stopped=lambda: at in seen)
    assert left(settings) == []


def test_weights_that_do_not_fit_the_config_are_refused(tmp_path, settings, net, at_once):
    """What a file lacks the library makes by chance; what is none of the net's it leaves out."""
    other = tmp_path / "other"
    shutil.copytree(net, other)
    config = json.loads((net / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 20}))
    with pytest.raises(BadInput, match=r"its files lack 162 of the weights .* such as model\.layers"):
        add(other, settings)
    (other / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(BadInput, match="does not load"):
        add(other, settings)
    (other / "config.json").write_text(json.dumps({**config, "max_position_embeddings": None}))
    with pytest.raises(BadInput, match="does not load"):
        add(other, settings)
    shutil.copy(net / "config.json", other)
    (other / "tokenizer.json").write_text('{"model": 1}')
    with pytest.raises(BadInput, match="does not load"):
        add(other, settings)
    assert left(settings) == []


def test_a_net_without_end_ends_in_its_child(tmp_path, settings, net):
    other = tmp_path / "other"
    shutil.copytree(net, other)
    config = json.loads((net / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "vocab_size": 10**9, "hidden_size": 10**4}))
    with pytest.raises(PlaygroundError, match=r"does not load|within the memory and time"):
        add(other, settings)
    assert left(settings) == []


def test_what_changes_while_it_is_copied_is_refused(tmp_path, settings, net, at_once):
    other = tmp_path / "other"
    shutil.copytree(net, other)
    plan = plan_of(other, settings)
    (other / "config.json").write_text('{"auto_map": {"AutoModel": "x.Y"}}')
    with pytest.raises(BadInput, match="asks for code of its own"):
        adding.add(plan, ME, ROOM, settings, lambda stage: None)
    (other / "config.json").write_text("x" * (from_disk.outside.JSON_MAX_CHARS + plan.found.bytes))
    with pytest.raises(WeightsError, match="grew while it was read"):
        adding.add(plan, ME, ROOM, settings, lambda stage: None)
    save_file({}, other / "model.safetensors")
    shutil.copy(net / "config.json", other)
    with pytest.raises(BadInput, match="changed while it was copied"):
        adding.add(plan, ME, ROOM, settings, lambda stage: None)
    assert left(settings) == []


def test_a_disk_that_fills_up_leaves_nothing(settings, net, at_once, monkeypatch):
    real = os.replace

    def full(source, target):
        if str(source).endswith("made"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PlaygroundError, match="is full"):
        add(net, settings)
    assert left(settings) == []


def test_a_damaged_entry_takes_no_other_model_away_and_is_told_to_its_owner_alone(settings):
    for owner in (ME, OTHER):
        added.folder(settings, owner).mkdir(parents=True)
        (added.folder(settings, owner) / f"bad-{owner[:4]}.toml").write_text("id = 1")
    everyone = load_catalog(settings, everyone=True)
    assert len(everyone.problems) == 2
    assert [one.message.split(":")[0] for one in load_catalog(settings).problems] == ["bad-mach.toml"]
    elsewhere = settings.data_dir / "weights.toml"
    elsewhere.write_text("")
    added.remove(settings, elsewhere)
    assert elsewhere.exists()


def test_the_shell_adds_lists_and_removes(tmp_path, settings, net, monkeypatch, capsys, at_once):
    from models.__main__ import main

    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(settings.catalog_dirs[0])]))
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("PLAYGROUND_MEMORY_BYTES", str(ROOM))
    assert main(["add", str(tmp_path / "nothing.gguf")]) == 2
    assert "there is no such file or folder" in capsys.readouterr().err
    assert main(["add", str(net), "--look"]) == 0
    told = capsys.readouterr()
    assert "It takes about" in told.err
    assert not told.out
    assert left(settings) == []
    assert main(["add", str(net), "--name", "Mine"]) == 0
    assert "text/mine: added and kept in" in capsys.readouterr().out
    assert main(["list"]) == 0
    assert "here" in capsys.readouterr().out
    assert main(["verify", "text/mine"]) == 0
    assert main(["run", "text/mine", "--prompt", "abc", "--param", "max_new_tokens=4"]) == 0
    assert main(["remove", "text/mine"]) == 0
    assert "removed" in capsys.readouterr().out
    assert main(["show", "text/mine"]) == 2
    monkeypatch.setattr(memory, "budget_bytes", lambda settings: 1000)
    assert main(["add", str(net)]) == 2
    assert "is too large" in capsys.readouterr().err
