"""A model that is not on this machine: what it takes, a button, how far it is, what went wrong."""

import pytest

from components import runtime, services
from models.catalog import Catalog, load_catalog
from models.runtime.getting import Stage
from models.settings import Settings
from tests.components.page_steps import said

PAGE, MODEL = "pages/text.py", "text/smollm2-135m-instruct"


class FakeGets:
    def __init__(self):
        self.started, self.stopped, self.now, self.wrong = [], [], None, ""

    def by(self, key):
        return ""

    def made(self, key):
        return ""

    def start(self, spec, by=""):
        self.started.append(spec.id)
        self.now = Stage("download", 30_000_000, 90_000_000)

    def stage(self, model):
        return self.now

    def stage_s(self, model):
        return 52.4

    def error(self, model):
        return "" if self.now else self.wrong

    def stop(self, model):
        self.stopped.append(model)
        self.now = None


@pytest.fixture
def gets(monkeypatch, tmp_path):
    gets = FakeGets()
    monkeypatch.setattr(services, "gets", lambda: gets)
    read = load_catalog(Settings(data_dir=tmp_path))  # where nothing was got
    monkeypatch.setattr(runtime, "catalog", lambda: Catalog(list(read.values()), read.families))
    return gets


def told(page):
    return said(page).replace("\\", "")


def names(page):
    return [button.label for button in page.button]


def press(page, name):
    next(button for button in page.button if button.label == name).click()
    page.run()
    assert not page.exception, page.exception


def test_a_model_that_is_not_here_offers_a_button_in_place_of_run(pages, gets):
    page = pages.open(PAGE, model=MODEL)
    assert "SmolLM2 135M is not on this machine yet" in told(page)
    assert "92.9 MB to download, 272 MB on disk" in told(page)
    assert "Run" not in names(page)
    assert page.header[0].value == "Earlier results"
    press(page, "Get it (92.9 MB)")
    assert gets.started == [MODEL]
    assert "Get it (92.9 MB)" not in names(page)
    assert page.get("progress")[0].proto.text.replace("\\", "") == "Downloading: 30 MB of 90 MB"
    press(page, "Stop")
    assert gets.stopped == [MODEL]
    page.run()
    assert "Get it (92.9 MB)" in names(page)


def test_a_stage_without_a_count_tells_how_long_it_has_lasted(pages, gets):
    gets.now = Stage("convert")
    page = pages.open(PAGE, model=MODEL)
    [bar] = page.get("progress")
    assert bar.proto.text.replace("\\", "") == "Putting it into the form that is loaded: a minute or two · 52 s"


def test_what_went_wrong_is_said_and_the_button_stays(pages, gets):
    gets.wrong = "The package index does not give it."
    page = pages.open(PAGE, model=MODEL)
    assert page.error[0].value.replace("\\", "") == "The package index does not give it."
    assert "Get it (92.9 MB)" in names(page)


def test_other_models_run_as_before(pages, gets):
    page = pages.open(PAGE)
    assert "Run" in names(page)
    assert "not on this machine" not in told(page)
