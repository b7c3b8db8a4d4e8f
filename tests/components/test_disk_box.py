"""“From disk” on the Models page: looked at, forecast, refused with the reason, added; by whom and how."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from components import disk_box, models_state, owners, runtime, services
from models import added
from models.catalog import current_catalog, load_catalog
from models.errors import BadInput
from models.from_disk import Found
from models.runtime import adding
from models.runtime.getting import Stage
from models.settings import Settings
from tests.components.page_steps import messages, said, widget

PAGE = "pages/models.py"
FOUND = Found("/nets/tiny.gguf", 40_000, {"model.gguf": "/nets/tiny.gguf"}, 90_000, "llama", "Tiny **bold**", "MIT")


class FakeGets:
    def __init__(self):
        self.begun, self.stages, self.errors, self.ready = {}, {}, {}, {}

    def by(self, key):
        return ""

    def start(self, spec, by=""):
        raise AssertionError(spec)

    def begin(self, key, work, named, by=""):
        self.begun[key] = work
        self.stages[key] = Stage("copy", 30_000, 90_000)

    def stage(self, key):
        return self.stages.get(key)

    def stage_s(self, key):
        return 1.0

    def error(self, key):
        return self.errors.get(key, "")

    def made(self, key):
        return self.ready.pop(key, "")

    def stop(self, key):
        self.stages.pop(key, None)


@pytest.fixture
def gets(monkeypatch, pages):
    gets = FakeGets()
    monkeypatch.setattr(services, "gets", lambda: gets)
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: True)
    monkeypatch.setattr(owners, "on_loopback", lambda: True)
    catalog = load_catalog(Settings(data_dir=pages.jobs.settings.data_dir))
    monkeypatch.setattr(runtime, "catalog", lambda: catalog)
    return gets


def press(page, label):
    next(one for one in page.button if one.label == label).click()
    page.run()
    assert not page.exception, page.exception


def look_at(page, path, monkeypatch, found):
    def look(given):
        assert given == path
        if isinstance(found, str):
            raise BadInput(found)
        return found

    monkeypatch.setattr(adding, "look", look)
    widget(page, "text_input", "disk-path").set_value(path)
    press(page, "Look")


def test_a_path_is_looked_at_forecast_and_added_with_progress(pages, gets, monkeypatch):
    page = pages.open(PAGE)
    look_at(page, "/nets/tiny.gguf", monkeypatch, FOUND)
    words = said(page)
    assert "Tiny **bold**: llama, 40,000 parameters, unpacked from 90 kB to 80 kB." in words
    assert "It takes about 61 MB of memory: 40.2 MB loaded, the rest for a run." in words
    widget(page, "text_input", "disk-name").set_value("Mine")
    page.run()
    monkeypatch.setattr(adding, "add", lambda plan, owner, *rest: plan.spec)
    press(page, "Add it")
    [(key, work)] = gets.begun.items()
    assert any(
        "Adding it · Copying: 30 kB of 90 kB" in bar.proto.text.replace("\\", "") for bar in page.get("progress")
    )
    assert work(None, None).startswith("Mine (text/mine")
    gets.stages.clear()
    gets.ready[key] = "Mine (text/mine)"
    page.run()
    assert any("Mine (text/mine) was added: its card is below." in one.replace("\\", "") for one in messages(page))
    assert not any(one.label == "Add it" for one in page.button)


def test_what_is_refused_is_said_and_nothing_is_offered(pages, gets, monkeypatch):
    page = pages.open(PAGE)
    look_at(page, "", monkeypatch, FOUND)
    assert any("Give the path of a GGUF file" in one for one in messages(page))
    look_at(page, "/nets/x", monkeypatch, "config.json asks for code of its own (auto_map): refused.")
    assert any("asks for code of its own" in one.replace("\\", "") for one in messages(page))
    look_at(page, "/nets/tiny.gguf", monkeypatch, replace(FOUND, gguf="rwkv9"))
    assert any("none that runs here" in one.replace("\\", "") for one in messages(page))
    look_at(page, "/nets/tiny.gguf", monkeypatch, replace(FOUND, numbers=10**12))
    assert any("is too large" in one and "llama-server" in one.replace("\\", "") for one in messages(page))
    assert not any(one.label == "Add it" for one in page.button)
    gets.errors["add machine:" + adding.owner_of_shell().partition(":")[2]] = "It does not load."
    page.run()


def test_a_visitor_of_a_shared_host_adds_nothing_and_one_who_signed_in_uploads(pages, gets, monkeypatch):
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: False)
    page = pages.open(PAGE)
    assert not any(one.label == "Look" for one in page.button)
    monkeypatch.setattr(owners, "_user", lambda: owners.Owner("user:one", "user", "One"))
    known = owners.Owner("user:one", "user", "One")
    monkeypatch.setattr(owners, "current", lambda jobs: known)
    page = pages.open(PAGE)
    assert any(one.label == "Look" for one in page.button)
    assert "at most 50 MB each" in said(page) or "MB each" in said(page)
    assert not any(one.key == "disk-path" for one in page.text_input)
    press(page, "Look")
    assert any("Upload a GGUF file" in one for one in messages(page))


def test_paths_are_taken_where_only_this_machine_can_have_asked(pages, gets, monkeypatch):
    monkeypatch.setattr(owners, "on_loopback", lambda: False)  # and PLAYGROUND_OWNERS=machine
    page = pages.open(PAGE)
    assert any(one.label == "Look" for one in page.button)
    assert not any(one.key == "disk-path" for one in page.text_input)


class Upload:
    def __init__(self, name, content):
        self.name, self.content, self.size = name, content, len(content)

    def getbuffer(self):
        return self.content


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session of someone who signed in, with what they upload."""
    settings = Settings(data_dir=tmp_path, uploads_per_owner_bytes=1000)
    given = []
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: False)
    slot = SimpleNamespace(get=lambda: given)
    monkeypatch.setattr(disk_box, "_files", lambda: slot)
    monkeypatch.setattr(disk_box, "_TURN", SimpleNamespace(get=lambda: 0, set=lambda value: None))
    known = owners.Owner("user:one", "user", "One")
    return SimpleNamespace(
        jobs=SimpleNamespace(settings=settings), owner=known.id, known=known, catalog={}, given=given
    )  # fmt: skip


def test_uploads_lie_side_by_side_under_their_last_names_within_the_limit(session, tmp_path):
    session.given += [Upload("../../config.json", b"{}"), Upload("model.safetensors", b"x" * 500)]
    folder = tmp_path / "weights" / f".uploaded-{added.place_of('user:one')}"
    assert disk_box._kept_uploads(session) == str(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    session.given[:] = [Upload("a.gguf", b"GGUF")]
    assert disk_box._kept_uploads(session) == str(folder / "a.gguf")
    assert [path.name for path in folder.iterdir()] == ["a.gguf"]  # the last ones went
    for given, words in (
        ([], "Upload a GGUF file"), ([Upload("a", b""), Upload("b/a", b"")], "each of its own name"),
        ([Upload("..", b"")], "each of its own name|could not be kept"),
        ([Upload("a.gguf", b"x" * 1001)], r"1 kB are left of the 1 kB"),
    ):  # fmt: skip
        session.given[:] = given
        with pytest.raises(Exception, match=words):
            disk_box._kept_uploads(session)
    assert {path.parent.name for path in tmp_path.rglob("*") if path.is_file()} <= {folder.name}


def test_who_added_a_model_may_remove_it_and_nobody_else(session):
    own = SimpleNamespace(owned=added.place_of("user:one"))
    others, everyones = SimpleNamespace(owned=added.place_of("user:two")), SimpleNamespace(owned="")
    assert models_state.may_change(session, own)
    assert not models_state.may_change(session, others)
    assert not models_state.may_change(session, everyones)


def test_an_account_that_is_deleted_takes_its_models_along_and_the_machines_stay(monkeypatch, tmp_path):
    entry = {"name": "N", "family": "causal_lm", "summary": "s", "architecture": "a", "trained_on": "t",
             "licence": "MIT", "parameters": 1,
             "weights": {"disk": "/nets/n.gguf", "sha256": "0" * 64, "size_bytes": 10}}  # fmt: skip
    settings = Settings(data_dir=tmp_path)
    machine = adding.owner_of_shell()
    for name, owner in (("mine", "user:one"), ("other", "user:two"), ("own", machine)):
        added.write(settings, owner, name, {**entry, "id": f"text/{name}"})
        spec = current_catalog(settings)[f"text/{name}"]
        spec.kept.mkdir(parents=True)
    monkeypatch.setattr(runtime, "catalog", lambda: current_catalog(settings))
    monkeypatch.setattr(owners.state, "clear", lambda: None)
    forgotten = []
    jobs = SimpleNamespace(settings=settings, forget=forgotten.append)
    owners._forget(jobs, owners.Owner("user:one", "user", "One"))
    owners._forget(jobs, owners.Owner(machine, "machine"))
    assert forgotten == ["user:one", machine]
    there = current_catalog(settings)
    assert {name for name in ("mine", "other", "own") if f"text/{name}" in there} == {"other", "own"}
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "weights").iterdir()) == ["other", "own"]
