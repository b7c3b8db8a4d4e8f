"""The Models page: what there is, found by filters, where it stands, what may be done with it, and by whom."""

import time
from dataclasses import replace

import pytest

from components import owners, runtime, services
from models.catalog import Catalog, load_catalog
from models.errors import PlaygroundError
from models.runtime import getting
from models.runtime.engine import EngineState
from models.runtime.getting import Stage
from models.settings import Settings
from models.types import Request
from tests.components.page_steps import messages, press, said, widget
from tests.fakes import FakeWords
from tests.stored import make_run

PAGE, CHAT, SMALL = "pages/models.py", "text/smollm2-135m-instruct", "text/letters-to-sounds"


class FakeGets:
    def __init__(self):
        self.started, self.stopped, self.stages, self.errors = [], [], {}, {}
        self.ready, self.who = {}, {}

    def start(self, spec, by=""):
        self.who[spec.id] = by
        self.started.append(spec.id)
        self.stages[spec.id] = Stage("download", 30_000_000, 90_000_000, 5_000_000)

    def stage_s(self, model):
        return 3.0

    def stage(self, model):
        return self.stages.get(model)

    def error(self, model):
        return "" if model in self.stages else self.errors.get(model, "")

    def by(self, key):
        return self.who.get(key, "")

    def begin(self, key, work, named, by=""):
        self.ready[key] = work(lambda stage: None, lambda: False)

    def made(self, key):
        return self.ready.pop(key, "")

    def stop(self, model):
        self.stopped.append(model)
        self.stages.pop(model, None)


class Engine(FakeWords):
    """An engine that says which models are loaded, and unloads those that no run uses."""

    def __init__(self):
        super().__init__()
        self.loaded, self.unloaded = [], []

    def state(self):
        used = sum(one["bytes"] for one in self.loaded)
        return EngineState("ready", time.time(), 1, tuple(self.loaded), used, 500_000_000)

    def unload(self, model):
        self.unloaded.append(model)
        if any(one["model"] == model and one["leases"] for one in self.loaded):
            raise PlaygroundError(f"{model} is in use by a run.")
        self.loaded = [one for one in self.loaded if one["model"] != model]


ENGINE = Engine


@pytest.fixture
def gets(monkeypatch, pages):
    monkeypatch.setattr("models.device.has_bfloat16", lambda: False)  # what memory it takes is that of any machine
    gets = FakeGets()
    monkeypatch.setattr(services, "gets", lambda: gets)
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: True)
    pages.catalog = load_catalog(Settings(data_dir=pages.jobs.settings.data_dir))  # where nothing was got
    monkeypatch.setattr(runtime, "catalog", lambda: Catalog(list(pages.catalog.values()), pages.catalog.families))
    return gets


def cards(page):
    """Return the names of the models that are shown, in order."""
    return [item.value.replace("\\", "") for item in page.header]


def keys(page):
    return [item.key for item in page.button]


def keep(pages, model):
    """Put files into a model's folder, as a get does; return the folder."""
    spec = pages.catalog[model]
    spec.kept.mkdir(parents=True)
    (spec.kept / "net.safetensors").write_bytes(b"weights")
    getting.write_list(spec, spec.kept)
    return spec.kept


def choose(page, kind, name, value):
    widget(page, kind, f"models-{name}").set_value(value)
    page.run()
    assert not page.exception, page.exception


def test_every_model_has_a_card_that_says_what_it_takes(pages, gets):
    page = pages.open(PAGE)
    assert len(cards(page)) == len(pages.catalog)
    words = said(page)
    assert "92.9 MB to download, 272 MB on disk · Apache-2.0 · text/smollm2-135m-instruct" in words
    assert "Text generation · 134.5 million parameters" in words
    assert "Does not fit this machine: needs about 675 MB of memory: 544 MB loaded" in words  # of 500 MB
    assert "Free to use, change and share, commercially too; keep its notices" in words
    assert "Its defaults; no others are recommended." in words
    assert "Presets of its kind, in its page's settings" in words
    assert "None," not in words  # a setting that is off is none of a preset's
    assert "not by you yet" in words
    texts = [bar.proto.text.replace("\\", "") for bar in page.get("progress")]
    assert any(text.startswith("Disk: ") for text in texts)
    assert "Memory: models take 0 MB of 500 MB" in texts


def test_search_and_filters_narrow_and_are_cleared(pages, gets):
    page = pages.open(PAGE)
    for kind, name, value, found in (
        ("text_input", "text", "chat hugging", ["SmolLM2 135M"]),
        ("multiselect", "tasks", ["Speech recognition"], ["Digit Recogniser", "Whisper tiny"]),
        ("multiselect", "nets", ["GAN"], ["Emoji GAN"]),
        ("multiselect", "licences", ["CC BY 4.0"], ["Emoji Diffusion"]),
    ):
        choose(page, kind, name, value)
        assert set(found) <= set(cards(page)), (name, cards(page))
        assert len(cards(page)) < 6
        press(page, "models-clear")
        assert len(cards(page)) == len(pages.catalog)
    choose(page, "toggle", "fits", True)
    assert "SmolLM2 135M" not in cards(page)
    choose(page, "toggle", "there", True)
    assert "Letters to sounds" not in cards(page)
    choose(page, "text_input", "text", "no such thing")
    assert "No model fits" in said(page)
    press(page, "models-clear-all")
    choose(page, "selectbox", "size", "Up to 10 MB")
    assert "Whisper tiny" not in cards(page)
    assert "Story GPT" in cards(page)


def test_a_get_shows_bytes_rate_and_time_left_and_is_stopped(pages, gets):
    page = pages.open(PAGE)
    press(page, f"get-{CHAT}")
    assert gets.started == [CHAT]
    assert f"get-{CHAT}" not in keys(page)
    assert f"remove-{CHAT}" not in keys(page)
    texts = [bar.proto.text.replace("\\", "") for bar in page.get("progress")]
    assert "Downloading: 30 MB of 90 MB · 5 MB/s · 12 s left" in texts
    assert "being got" in said(page)
    press(page, f"stop-get-{CHAT}")
    assert gets.stopped == [CHAT]
    gets.errors[CHAT] = "The package index does not give it."
    page.run()
    assert "The package index does not give it." in messages(page)
    assert f"get-{CHAT}" in keys(page)


def test_what_is_here_is_checked_and_removed(pages, gets):
    folder = keep(pages, SMALL)
    page = pages.open(PAGE)
    assert f"get-{SMALL}" not in keys(page)
    press(page, f"verify-{SMALL}")
    assert [item.value for item in page.success] == ["Checked: every file is what was kept."]
    (folder / "net.safetensors").write_bytes(b"others")
    press(page, f"verify-{SMALL}")
    assert "net.safetensors is not the file that was kept. Remove it and get it again." in messages(page)
    press(page, f"remove-{SMALL}")
    assert not folder.exists()
    assert any("Letters to sounds was removed" in one for one in messages(page))
    assert f"get-{SMALL}" in keys(page)
    assert not page.success


def test_a_model_is_unloaded_before_it_is_removed_and_one_in_use_stays(pages, gets, engine):
    folder = keep(pages, SMALL)
    engine.loaded = [{"model": SMALL, "bytes": 3_000_000, "leases": 2}]
    page = pages.open(PAGE)
    assert "on disk · in use by 2 runs" in said(page)
    press(page, f"remove-{SMALL}")
    assert folder.exists()
    assert "Letters to sounds is in use by a run. Stop that run first, or wait until it is done." in messages(page)
    assert engine.unloaded == []
    engine.loaded = [{"model": SMALL, "bytes": 3_000_000, "leases": 0}]
    page.run()
    assert "on disk · loaded" in said(page)
    press(page, f"remove-{SMALL}")
    assert engine.unloaded == [SMALL]
    assert not folder.exists()


def test_a_model_is_unloaded(pages, gets, engine):
    engine.loaded = [{"model": "text/story-gpt", "bytes": 17_000_000, "leases": 0}]
    page = pages.open(PAGE)
    assert "17 MB of memory loaded" in said(page)
    press(page, "unload-text/story-gpt")
    assert engine.loaded == []
    assert "unload-text/story-gpt" not in keys(page)


def test_what_an_ended_get_left_is_told_and_removed(pages, gets):
    left = pages.jobs.settings.weights_folder() / ".letters-to-sounds-abc"
    left.mkdir(parents=True)
    (left / "wheel").write_bytes(bytes(2_000_000))
    page = pages.open(PAGE)
    assert "partly there (2 MB), unusable" in said(page)
    assert f"get-{SMALL}" in keys(page)
    press(page, f"remove-{SMALL}")
    assert not left.exists()


def test_on_a_shared_host_visitors_get_and_nothing_more(pages, gets, engine, monkeypatch):
    folder = keep(pages, SMALL)
    engine.loaded = [{"model": SMALL, "bytes": 3_000_000, "leases": 0}]
    page = pages.open(PAGE)
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: False)
    press(page, f"remove-{SMALL}")  # as of a page that was drawn before
    assert folder.exists()
    assert engine.loaded
    page = pages.open(PAGE)
    assert "whoever runs this machine alone may unload, verify and remove them" in said(page)
    assert [key for key in keys(page) if key.startswith(("unload-", "verify-", "remove-"))] == []
    assert f"get-{CHAT}" in keys(page)


def test_a_get_is_stopped_by_whoever_began_it_or_runs_the_machine(pages, gets, monkeypatch):
    page = pages.open(PAGE)
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: False)
    press(page, f"get-{CHAT}")
    assert gets.who[CHAT]
    assert f"stop-get-{CHAT}" in keys(page)
    gets.who[CHAT] = "somebody"
    press(page, f"stop-get-{CHAT}")  # as of a page that was drawn before
    assert gets.stopped == []
    page = pages.open(PAGE)
    assert f"stop-get-{CHAT}" not in keys(page)
    assert "Whoever began this may stop it" in said(page)
    monkeypatch.setattr(owners, "runs_machine", lambda jobs: True)
    page = pages.open(PAGE)
    press(page, f"stop-get-{CHAT}")
    assert gets.stopped == [CHAT]


def test_open_leads_to_the_models_page_with_it_chosen(pages, gets):
    page = pages.open("Home.py")
    page.switch_page(PAGE).run()
    press(page, "open-text/translate-en-fr")
    assert page.title[0].value == "Text tasks"
    assert widget(page, "selectbox", "text/text_tasks-model").value == "text/translate-en-fr"


def test_own_runs_are_told_and_no_others(pages, gets, monkeypatch):
    monkeypatch.setattr("components.presence.session_id", lambda: "me")
    for name, owner in (("a", "me"), ("b", "me"), ("c", "somebody")):
        request = Request(model="text/story-gpt", inputs={"prompt": "x"}, seed=1)
        pages.store.save_run(make_run(name, "x", owner=owner, request=request, job=name))
    assert pages.store.ran("me") == {"text/story-gpt": 2}
    assert "2 runs of yours came to their end" in said(pages.open(PAGE))


def test_a_page_that_stands_for_what_changed_is_drawn_anew(pages, gets, engine, monkeypatch):
    from components import models_page

    asked = []

    def asked_for(scope):
        asked.append(scope)

    monkeypatch.setattr(models_page.st, "rerun", asked_for)
    pages.open(PAGE)
    assert asked == []
    monkeypatch.setattr(models_page, "_signature", lambda session, seen=iter(range(9)): next(seen))
    pages.open(PAGE)
    assert asked == ["app"]


def test_another_process_that_gets_it_is_told(pages, gets, monkeypatch):
    monkeypatch.setattr(getting, "is_under_way", lambda spec, settings: spec.id == SMALL)
    page = pages.open(PAGE)
    assert "being got by another process" in said(page)
    assert f"get-{SMALL}" not in keys(page)


@pytest.mark.parametrize(
    ("rule", "loopback", "may"),
    [("auto", True, True), ("auto", False, False), ("machine", False, True), ("cookie", True, False),
     ("session", True, False)],
)  # fmt: skip
def test_who_runs_the_machine(pages, monkeypatch, rule, loopback, may):
    monkeypatch.setattr(owners, "on_loopback", lambda: loopback)
    jobs = replace_settings(pages.jobs, rule)
    assert owners.runs_machine(jobs) is may


def replace_settings(jobs, rule):
    jobs.settings = jobs.settings.model_copy(update={"owners": rule})
    return jobs


def test_a_stage_says_its_numbers():
    assert str(Stage("wait")) == ""
    assert str(Stage("download", 1_000_000, 3_000_000)) == "1 MB of 3 MB"
    assert str(replace(Stage("download", 1_000_000, 3_000_000), rate=100_000)) == "1 MB of 3 MB · 100 kB/s · 20 s left"


def test_an_address_narrows_the_list_and_what_is_none_is_passed_over(pages, gets):
    page = pages.open(PAGE, **{"models-text": "chat hugging", "models-size": "Up to 1 GB"})
    assert cards(page) == ["SmolLM2 135M"]
    page = pages.open(PAGE, **{"models-nets": "GAN"})
    assert cards(page) == ["Emoji GAN"]
    page = pages.open(PAGE, **{"models-nets": "Nothing", "models-size": "-1", "models-fits": "perhaps"})
    assert len(cards(page)) == len(pages.catalog)
