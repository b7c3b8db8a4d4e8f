"""Code that makes a result again: styles that come back as the same request, what is quoted, what is refused."""

import ast
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from types import SimpleNamespace

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import models
from models import coding, whose
from models import command_line as lines
from models.__main__ import _asked
from models.catalog import load_catalog
from models.errors import BadInput, BadParam, PlaygroundError, WeightsError
from models.settings import Settings
from models.stamps import Recovered
from models.store import Store
from models.types import Request, Run
from tests.fresh import ROOT

CATALOG = load_catalog(Settings(), strict=False)
NASTY = "Don't \"say\" '''no''' to \"\"\" {x} {{y}} \\n \\ $HOME `ls` %s\n\tü🙂 \u2028 -x"
STORY = Request(model="text/story-gpt", inputs={"prompt": NASTY}, params={"temperature": 0.5}, seed=7)
each = pytest.mark.parametrize("model", list(CATALOG))
# the part of the public schema (nbformat 4.5) that says what a code or markdown cell is
CELL = {
    "type": "object", "required": ["id", "cell_type", "metadata", "source"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-zA-Z0-9-_]+$", "minLength": 1, "maxLength": 64},
        "cell_type": {"enum": ["markdown", "code"]}, "metadata": {"type": "object"}, "source": {"type": "string"},
        "execution_count": {"type": ["integer", "null"]}, "outputs": {"type": "array"},
    },
    "if": {"properties": {"cell_type": {"const": "code"}}}, "then": {"required": ["outputs", "execution_count"]},
}  # fmt: skip
BOOK = {
    "type": "object", "required": ["metadata", "nbformat_minor", "nbformat", "cells"],
    "properties": {"nbformat": {"const": 4}, "nbformat_minor": {"const": 5}, "cells": {"type": "array", "items": CELL}},
}  # fmt: skip

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
prompts = words.filter(str.strip)


def values(item):
    """Return values of a setting, as a request may hold them."""
    if item.type == "choice":
        found = st.sampled_from(item.choices)
    elif item.type == "toggle":
        found = st.booleans()
    elif item.type == "tags":
        found = st.lists(words, max_size=2)
    elif item.type == "text":
        found = words | st.just("")
    elif item.type in ("integer", "seed"):
        found = st.integers(int(item.ge), int(item.le))
    else:
        found = st.floats(item.ge, item.le)
    return found | st.none() if item.optional else found


@st.composite
def requests(draw, model):
    spec, family = CATALOG[model], CATALOG.family(model)
    fields = [item for item in family.fields(spec) if item.type != "seed" or item.name != "seed"]
    chosen = draw(st.lists(st.sampled_from(fields), unique_by=lambda item: item.name, max_size=6))
    params = {item.name: draw(values(item)) for item in chosen}
    inputs = {}
    for item in family.inputs:
        if item.type == "text" and (item.required or draw(st.booleans())):
            usual = st.sampled_from(spec.examples) if spec.examples else prompts
            inputs[item.name] = draw(prompts | usual if item.type == "text" else usual)
        elif not item.is_text and (item.required or draw(st.booleans())):
            inputs[item.name] = REF
    if spec.facts.get("chat") and draw(st.booleans()):
        said = [{"role": "user", "content": draw(prompts)}, {"role": "assistant", "content": draw(prompts)}]
        inputs["messages"] = json.dumps(said)
    request = Request(model=model, inputs=inputs, params=params, seed=draw(st.integers(0, 2**32 - 1)))
    try:
        CATALOG.validate(request)
    except PlaygroundError:
        assume(False)
    return request


UPLOAD = b"the bytes of an upload"
REF = f"sha256:{hashlib.sha256(UPLOAD).hexdigest()}"
SOME = settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def told_by_shell(text, folder):
    """Return the request that the lines of the shell style make in `folder`, as the command line reads them."""
    *before, line = _commands(text)
    for words in before:
        command, template, value, arrow, file = words
        assert (command, template, arrow) == ("printf", "%s", ">")
        (folder / file).write_bytes(value.encode())
    assert line[:4] == ["python", "-m", "models", "run"]
    options = lines.parser("", **dict.fromkeys(("list", "show", "describe", "settings", "run", "sweep", "sensitivity",
                                                "tipping"), lambda *_: 0)).parse_args(line[3:])  # fmt: skip
    cwd = os.getcwd()
    os.chdir(folder)
    try:
        return _asked(options, Settings())[1]
    finally:
        os.chdir(cwd)


def _commands(text):
    """Return the shell's commands: what stands in quotation marks may hold line ends."""
    commands, held = [], ""
    for line in text.split("\n"):
        if not held and line.startswith("# "):
            continue
        held += ("\n" if held else "") + line
        try:
            if words := shlex.split(held):
                commands.append(words)
            held = ""
        except ValueError:  # a quotation that is not closed yet
            continue
    assert not held
    return commands


def told_by_python(text):
    """Return the request that a script of the style models makes, without what it runs."""
    tree = ast.parse(text)
    assignment = next(one for one in tree.body if isinstance(one, ast.Assign) and one.targets[0].id == "request")
    made = {}
    exec(compile(ast.Module([assignment], []), "script", "exec"), {"models": models}, made)
    return made["request"]


@each
@SOME
@given(st.data())
def test_shell_and_python_come_back_as_the_same_request(model, tmp_path, monkeypatch, data):
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    request = data.draw(requests(model))
    for item in CATALOG.family(model).inputs:
        if not item.is_text:
            name = f"{item.name}.{item.accept[0]}" if item.accept else item.name
            (tmp_path / name).write_bytes(UPLOAD)
    full = CATALOG.full(request)
    for made in (request, full):  # what is at its default and does not act is left out: the same run
        python = told_by_python(coding.write(CATALOG, Settings(), made, "models"))
        shell = told_by_shell(coding.write(CATALOG, Settings(), made, "cli"), tmp_path)
        assert python.params == shell.params
        assert CATALOG.full(python) == CATALOG.full(shell) == full
        assert not any(coding.refusals(CATALOG, made)[style] for style in ("models", "cli"))


def test_what_acts_is_named_and_what_is_off_is_not():
    line = coding.write(CATALOG, Settings(), CATALOG.full(STORY), "cli")
    assert "--param temperature=0.5" in line and "--param top_p=0.95" in line  # the default, which may change one day
    assert "top_k" not in line and "dry_base" not in line


def test_a_prompt_of_quotes_and_line_ends_stays_as_it_is():
    for style in ("libraries", "notebook"):
        text = coding.write(CATALOG, Settings(), STORY, style)
        code = text if style == "libraries" else "\n".join(
            cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"
        )  # fmt: skip
        found = next(
            one for one in ast.parse(code).body if isinstance(one, ast.Assign) and one.targets[0].id == "PROMPT"
        )
        assert ast.literal_eval(found.value) == NASTY


def test_a_notebook_is_of_the_public_schema_and_holds_the_script_in_cells():
    book = json.loads(coding.write(CATALOG, Settings(), STORY, "notebook"))
    jsonschema.validate(book, BOOK)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    code = [cell["source"] for cell in book["cells"] if cell["cell_type"] == "code"]
    script = coding.write(CATALOG, Settings(), STORY, "libraries")
    assert all(line in script for cell in code for line in cell.split("\n"))
    ast.parse("\n".join(code))


@each
def test_every_model_has_a_script_or_says_in_words_why_not(model):
    spec, family = CATALOG[model], CATALOG.family(model)
    inputs = {item.name: (spec.examples[0] if spec.examples else "a") if item.type == "text" else REF
              for item in family.inputs if item.required}  # fmt: skip
    why = coding.refusals(CATALOG, Request(model=model, inputs=inputs))
    assert list(why) == list(coding.STYLES)
    assert not why["models"] and not why["cli"]
    for style in ("libraries", "notebook"):
        if why[style] and "models get" in why[style]:
            assert not spec.here
        elif why[style]:
            assert why[style].endswith("Choose the style “models” or “cli”.")
        else:
            assert "import models" not in coding.write(CATALOG, Settings(), Request(model=model, inputs=inputs), style)


def test_the_head_says_under_what_the_run_was_made_and_what_differs_now():
    facts = {
        "revision": "f" * 64,
        "versions": {"torch": "1.2.3+cpu"},
        "threads": 3,
        "device": "cpu",
        "dtype": "float32",
    }
    text = coding.write(CATALOG, Settings(), STORY, "libraries", facts)
    head = " ".join(ast.get_docstring(ast.parse(text)).split())
    assert "torch==1.2.3 " in head
    assert "The run was made on cpu, 3 threads, float32" in head
    assert "trained again or changed since the run" in head
    assert "torch.set_num_threads(3)" in text
    now = coding.write(CATALOG, Settings(), STORY, "libraries")
    assert "The playground that wrote this runs on cpu, 1 thread" in " ".join(now.split())
    assert "trained again" not in now


def test_what_cannot_be_written_is_a_sentence():
    with pytest.raises(BadParam, match=r"no style “perl”\. Choose libraries, models, cli, notebook"):
        models.code(STORY, "perl")
    with pytest.raises(BadInput, match="looks into a result"):
        models.code(STORY.model_copy(update={"study": "lens"}))
    with pytest.raises(BadInput, match="does not say which model and seed"):
        coding.requested(Recovered("another program"))


@pytest.fixture
def shell(tmp_path, monkeypatch, command):
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: command(*map(str, arguments))


def test_the_command_takes_requests_saved_results_and_stored_runs(shell, tmp_path):
    wanted = coding.write(CATALOG, Settings(), STORY, "cli")
    full = CATALOG.full(STORY)
    plain = {"model": STORY.model, "inputs": STORY.inputs, "params": STORY.params, "seed": 7}
    for name, content in (("run.json", {**plain, "tokens": 3}), ("page.json", {"request": plain, "status": "done"})):
        (tmp_path / name).write_text(json.dumps(content))
        done = shell("code", tmp_path / name, "--style", "cli")
        assert (done.returncode, done.stdout) == (0, wanted)
    from models import plain_text

    stamp = {"request": full.model_dump(), "revision": CATALOG[STORY.model].revision(), "threads": 1,
             "versions": {"torch": "9.9"}, "device": "cpu", "dtype": "float32"}  # fmt: skip
    output = plain_text.text_output("A text.", stamp)
    (tmp_path / "story.txt").write_bytes(output.data)
    store = Store(Settings(data_dir=tmp_path / "data"))
    store.save_run(Run("run-1", whose.machine_owner(), "job", STORY, "done", 1.0, [output]))
    store.close()
    for named in (tmp_path / "story.txt", "run-1"):
        done = shell("code", named, "--out", tmp_path / "again.py")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert "torch==9.9 " in (tmp_path / "again.py").read_text()
    run = SimpleNamespace(request=STORY, outputs=[output])
    store = Store(Settings(data_dir=tmp_path / "data"))
    assert coding.facts_of(run, store, Settings())["versions"] == {"torch": "9.9"}
    store.path(output.sha256).unlink()
    assert coding.facts_of(run, store, Settings()) is None
    store.close()


def test_what_run_prints_of_an_upload_becomes_code(shell, tmp_path):
    picture = ROOT / "components/examples/image-emoji-caption-input.png"
    printed = shell("run", "image/emoji-caption", "--in", picture, "--json").stdout
    assert json.loads(printed)["inputs"]["image"].startswith("sha256:")
    (tmp_path / "run.json").write_text(printed)
    for style in ("cli", "models", "libraries", "notebook"):
        done = shell("code", tmp_path / "run.json", "--style", style)
        assert (done.returncode, done.stderr) == (0, "")
        assert "image" in done.stdout
    request = json.loads(printed)
    (tmp_path / "run.json").write_text(json.dumps({**request, "inputs": {"image": "sha256:zz"}}))
    done = shell("code", tmp_path / "run.json")
    assert (done.returncode, "is not a file reference" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("style", "missing"), [("libraries", "The folder emoji-caption is not here"), ("models", "image is not here")]
)
def test_a_script_says_which_file_or_folder_is_missing(tmp_path, style, missing):
    request = Request(model="image/emoji-caption", inputs={"image": f"sha256:{'a' * 64}"})
    done = subprocess.run(
        [sys.executable, "-c", coding.write(CATALOG, Settings(), request, style)], cwd=tmp_path, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PLAYGROUND_DATA_DIR": str(tmp_path / "data")}, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert missing in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}', "This JSON is not a request: it has no “model”"),
        ('{"model": "text/story-gpt", "inputs": {}, "params": {}, "seed": 1.5}', "seed is '1.5'; it must be a whole"),
        ('{"model": "text/story-gpt", "inputs": {}, "params": {}, "seed": true}', "seed is 'True'"),
        ('{"model": "text/story-gpt", "inputs": {}, "params": {}, "seed": -1}', "from 0 to"),
        ('{"model": "text/story-gpt", "inputs": {"prompt": 5}, "params": {}, "seed": 1}', "inputs.prompt is '5'"),
        ('{"model": "text/story-gpt", "inputs": {}, "params": null, "seed": 1}', "params is 'None'"),
        ("plain text", "settings"),
        ("", "empty"),
        ('{"model": "te', "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_request_is_told_so(shell, tmp_path, content, said):
    (tmp_path / "file.json").write_text(content)
    done = shell("code", tmp_path / "file.json")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_name_of_nothing_is_told_so(shell):
    done = shell("code", "nowhere")
    assert done.returncode == 2
    assert "“nowhere” is neither a file nor the id of a run" in done.stderr


HUB = """
id = "{room}/far"
name = "Far"
family = "{family}"
summary = "It is elsewhere."
architecture = "unknown"
trained_on = "much"
licence = "MIT"
parameters = 1
[weights]
hub = "some-one/far.model"
revision = "{revision}"
size_bytes = 900000000
[facts]
context_length = 512
vocabulary_size = 1000
"""


def test_a_damaged_file_beside_the_weights_is_a_sentence(tmp_path):
    shutil.copytree(ROOT / "models/embedded/story-lstm", tmp_path / "net")
    (tmp_path / "net/config.json").write_text("{")
    entry = (
        (ROOT / "models/catalog/story-lstm.toml").read_text().replace("../embedded/story-lstm", str(tmp_path / "net"))
    )
    (tmp_path / "net.toml").write_text(entry)
    own = Settings(catalog_dirs=(tmp_path,))
    with pytest.raises(WeightsError, match="is damaged or missing"):
        coding.write(load_catalog(own), own, Request(model="text/story-lstm", inputs={"prompt": "a"}))


@pytest.mark.parametrize(("room", "family"), [("text", "causal_lm"), ("image", "text_to_image")])
def test_weights_from_a_hub_are_named_with_their_pinned_revision(tmp_path, room, family):
    revision = "0123456789" * 4
    (tmp_path / "far.toml").write_text(HUB.format(room=room, family=family, revision=revision))
    own = Settings(catalog_dirs=(tmp_path,), threads=2)
    request = Request(model=f"{room}/far", inputs={"prompt": "a cat"})
    text = coding.write(load_catalog(own), own, request)
    ast.parse(text)
    assert f"WEIGHTS = Path(snapshot_download('some-one/far.model', revision='{revision}'))" in text
    assert "huggingface_hub" in ast.get_docstring(ast.parse(text)).replace("-", "_")
    assert "torch.set_num_threads(2)" in text
