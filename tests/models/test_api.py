"""One request, one text: API, command line and worker; and the command line's words and exit codes."""

import json
import subprocess
import sys

import pytest

import models
from models.errors import BadInput, WeightsError
from models.runtime.engine import LocalEngine
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.store import Store

REQUEST = models.Request(
    model="text/story-gpt",
    inputs={"prompt": "Once upon a time a small dragon"},
    params={"max_new_tokens": 24, "temperature": 0.9},
    seed=11,
)
ARGUMENTS = ["run", REQUEST.model, "--prompt", REQUEST.inputs["prompt"], "--seed", "11",
             "--param", "max_new_tokens=24", "--param", "temperature=0.9"]  # fmt: skip


def shell(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "models", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def final_of(events):
    return [event for event in events if event.kind == "final"][0]


def test_api_command_line_and_worker_give_the_same_bytes(tmp_path):
    settings = Settings(data_dir=tmp_path)
    here = final_of(models.generate(REQUEST)).outputs[0]
    out = tmp_path / "story.txt"
    run = shell(*ARGUMENTS, "--out", str(out))
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["output_sha256"] == here.sha256
    assert out.read_bytes() == here.data
    assert run.stdout.startswith(here.text)
    worker = WorkerEngine(settings)
    try:
        assert final_of(worker.generate(REQUEST)).outputs[0].sha256 == here.sha256
        worker.unload(REQUEST.model)
        assert final_of(worker.generate(REQUEST)).outputs[0].sha256 == here.sha256  # after eviction and reload
    finally:
        worker.close()


def test_a_sweep_runs_each_value_and_names_it_as_the_page_does(command, tmp_path):
    given = ["sweep", REQUEST.model, "--prompt", "Once", "--param", "max_new_tokens=4", "--over", "temperature"]
    out = tmp_path / "out" / "story.txt"
    out.parent.mkdir()
    run = command(*given, "--out", str(out))
    assert run.returncode == 0, run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("Temperature")] == [
        "Temperature 0.4:", "Temperature 0.8:", "Temperature 1.4:"
    ]  # fmt: skip
    assert sorted(file.name for file in out.parent.iterdir()) == ["story-1.txt", "story-2.txt", "story-3.txt"]
    chosen = command(*given, "--value", "0.5", "--value", "1.5", "--json").stdout.splitlines()
    assert [json.loads(line)["params"]["temperature"] for line in chosen] == [0.5, 1.5]
    wrong = command(*given, "--value", "0.5", "--value", "9")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "temperature is 9; it must be 0 to 2" in wrong.stderr


def test_the_last_line_tells_what_the_issue_of_a_run_was():
    run = shell(*ARGUMENTS, "--json")
    assert len(run.stdout.splitlines()) == 1
    said = json.loads(run.stdout)
    assert said["model"] == REQUEST.model
    assert said["seed"] == 11
    assert said["params"]["temperature"] == 0.9
    assert said["params"]["max_new_tokens"] == 24
    for name in ("seconds", "first_output_s", "tokens_per_s", "peak_bytes"):
        assert said[name] > 0, name
    assert said["outputs"][0]["text"]


def test_params_that_do_not_act_are_not_said_to_be_in_effect(command):
    said = json.loads(
        command(*ARGUMENTS[:-4], "--param", "max_new_tokens=4", "--param", "do_sample=false", "--json").stdout
    )
    assert "temperature" not in said["params"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "text/story-gtp", "--prompt", "x"], "Did you mean text/story-gpt?"),
        (["run", REQUEST.model], "prompt is missing"),
        (["run", REQUEST.model, "--prompt", "  "], "prompt"),
        (["run", REQUEST.model, "--prompt", "x", "--param", "temperature=9"], "temperature is 9; it must be"),
        (["run", REQUEST.model, "--prompt", "x", "--param", "temprature=1"], "did you mean temperature?"),
        (["run", REQUEST.model, "--prompt", "x", "--param", "temperature"], "name=value"),
        (["run", REQUEST.model, "--prompt", "x", "--seed", "-2"], "seed is -2"),
        (["run", REQUEST.model, "--input", "prompt=/nowhere/x"], "cannot be read"),
        (["show", "text/none"], "There is no model"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(command, arguments, words):
    run = command(*arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_list_and_show_name_models_and_settings(command):
    assert "text/story-gpt" in command("list").stdout
    show = command("show", "text/story-gpt").stdout
    assert "temperature (default" in show
    assert "Licence: " in show
    assert "image: At most 20 MB and 25 million pixels." in command("show", "image/emoji-diffusion").stdout


def test_a_text_that_was_an_input_once_is_still_read_from_a_file(command, tmp_path):
    file = tmp_path / "negative.txt"
    file.write_text("The sad dog", "utf-8")
    arguments = ["run", REQUEST.model, "--prompt", "Once", "--param", "guidance_scale=2", "--json"]
    short = ["--param", "max_new_tokens=4"]
    old = json.loads(command(*arguments, *short, "--input", f"negative_prompt={file}").stdout)
    new = json.loads(command(*arguments, *short, "--param", "negative_prompt=The sad dog").stdout)
    assert old["inputs"] == {"prompt": "Once"}
    assert old["params"]["negative_prompt"] == "The sad dog"
    assert old["output_sha256"] == new["output_sha256"]


def test_a_prompt_from_a_file_is_the_same_request(command, tmp_path):
    file = tmp_path / "prompt.txt"
    file.write_text(REQUEST.inputs["prompt"], "utf-8")
    arguments = ["run", REQUEST.model, "--input", f"prompt={file}", *ARGUMENTS[4:], "--json"]
    said = json.loads(command(*arguments).stdout)
    assert said["output_sha256"] == final_of(models.generate(REQUEST)).outputs[0].sha256


def test_a_prompt_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "prompt.bin"
    file.write_bytes(b"\xff\xfe\x00")
    run = shell("run", REQUEST.model, "--input", f"prompt={file}")
    assert run.returncode == 2
    assert "not UTF-8" in run.stderr


def test_an_upload_is_found_by_its_reference(tmp_path):
    engine = LocalEngine(Settings(data_dir=tmp_path))
    ref = Store(Settings(data_dir=tmp_path)).put_bytes(b"data")
    assert engine._blobs.get_bytes(ref) == b"data"
    with pytest.raises(BadInput):
        engine._blobs.get_bytes("sha256:" + "0" * 64)


def test_damaged_weights_are_named(tmp_path):
    import shutil

    spec = models.get_model(REQUEST.model)
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    shutil.copytree(spec.folder(), tmp_path / "embedded" / "story-gpt")
    shutil.copy(spec.file, catalog)
    weights = tmp_path / "embedded" / "story-gpt" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    engine = LocalEngine(Settings(catalog_dirs=(catalog,), data_dir=tmp_path))
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        list(engine.generate(REQUEST))


def test_a_conversation_of_a_file_is_gone_on_with_and_saved_from_the_shell(command, tmp_path):
    hello, hi = {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Tell me of a fox"}
    file, saved = tmp_path / "talk.json", tmp_path / "saved.json"
    file.write_text(json.dumps({"messages": [hello, hi]}))
    arguments = ["run", "text/story-chat", "--input", f"messages={file}", "--param", "max_new_tokens=4", "--json"]
    run = command(*arguments, "--export", str(saved))
    line = json.loads(run.stdout)
    assert line["inputs"] == {"messages": json.dumps([hello]), "prompt": hi["content"]}
    messages = json.loads(saved.read_text())["messages"]
    assert messages[:2] == [hello, hi]
    assert messages[2]["content"] == line["outputs"][0]["text"]
    assert messages[2]["made_by"]["model"] == "text/story-chat"
    assert "the prompt too" in command(*arguments, "--prompt", "x").stderr
    assert "saved as .json or .md" in command(*arguments, "--export", "talk.doc").stderr
    assert "Only a chat" in command("run", "text/story-chat", "--prompt", "x", "--bare", "--export", "talk.md").stderr


def test_lists_in_a_prompt_are_drawn_in_the_shell_as_on_the_page(command):
    def ran(seed):
        done = command("run", REQUEST.model, "--prompt", "A {red|blue|green} __nobody__", "--seed", str(seed),
                       "--param", "max_new_tokens=1", "--json")  # fmt: skip
        assert "No list is named __nobody__" in done.stderr
        return json.loads(done.stdout)["inputs"]["prompt"]

    found = [ran(seed) for seed in (1, 1, 2, 3, 4, 5)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert set(found) <= {f"A {colour} __nobody__" for colour in ("red", "blue", "green")}


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """Return the store that the package writes to, empty."""
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    models._engine.cache_clear()
    yield Store(Settings())
    models._engine.cache_clear()


SWEEP = {
    "v": 1,
    "request": {"model": REQUEST.model, "inputs": REQUEST.inputs, "params": {"max_new_tokens": 5}, "seed": 3},
    "axes": [{"name": "temperature", "values": [0.4, 1.2]}, {"name": "seed", "values": [3, 4]}],
}


def test_a_sweep_from_python_yields_each_cell_and_makes_none_twice(own_store):
    first = list(models.sweep(SWEEP))
    assert sorted(one.cell.place for one in first) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [one.state for one in first] == ["computed"] * 4
    one = next(one for one in first if one.cell.place == (1, 0))
    alone = final_of(models.generate(one.cell.request)).outputs[0]
    assert one.outputs[0].data == alone.data and one.cell.request.params["temperature"] == 1.2
    assert {run.id for run in own_store.runs()} == {one.run.id for one in first}
    again = list(models.sweep(json.dumps(SWEEP)))
    assert [one.state for one in again] == ["cached"] * 4
    assert {one.run.id for one in again} == {one.run.id for one in first}


def test_a_wrong_sweep_is_told_before_a_cell_is_asked_for(own_store):
    with pytest.raises(BadInput, match="v = 2"):
        models.sweep({**SWEEP, "v": 2})
    with pytest.raises(BadInput, match="budget_s is -1"):
        models.sweep(SWEEP, budget_s=-1)
    assert own_store.runs() == []


def test_sensitivity_from_python_ranks_what_the_shell_ranks(own_store):
    request = models.Request(**SWEEP["request"])
    found = models.sensitivity(request, budget_s=20)
    assert found["model"] == REQUEST.model and found["failed"] == 0 and found["error"] == ""
    assert "temperature" in {one["name"] for one in found["settings"]}
    again = models.sensitivity(request, budget_s=20)
    assert again["cached"] >= found["computed"] > 0  # nothing was made twice
