"""What a page says of the settings that matter: before the press, while they are tried, and after a reload."""

import time

import pytest

from components import sensitivity_page
from models.sweeps import sensitivity
from tests.components.page_steps import messages, newest_job, owner, press, said, settle_all, widget
from tests.fakes import FakeWords

PAGE = "pages/text.py"
RUN = "text-sensitivity-run"


class Warm(FakeWords):
    """Write the more words the warmer it is, and more for later seeds; nothing else that is set has an effect."""

    def play(self, turn):
        self.steps = int(10 * turn.request.params.get("temperature", 0.8)) + turn.request.seed % 4
        yield from super().play(turn)


ENGINE = Warm


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """Let the box be open: AppTest opens none."""
    monkeypatch.setattr(sensitivity_page, "_is_open", lambda box: True)


def bars(page):
    return [item.proto.text.replace("\\", "") for item in page.get("progress")]


def told(pages, page):
    """Wait until the other process has compared the results."""
    settle_all(pages.jobs, owner(pages), page)
    limit = time.monotonic() + 60
    while "Comparing results" in said(page) or not bars(page):
        assert time.monotonic() < limit
        time.sleep(0.1)
        page.run()
        assert not page.exception, page.exception
    return page


def test_one_press_ranks_the_settings_and_a_reload_finds_them(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    assert "settings × 2 seeds: " in said(page)
    page = told(pages, press(page, RUN))
    job = newest_job(pages)
    assert job.purpose == "sweep"
    assert len(job.runs) == len({run.request.canonical() for run in job.runs}) == len(pages.engine.ran)
    assert bars(page)[0].startswith("Temperature 0.8 → 1: ")
    assert "× seed noise (changed words 0." in bars(page)[0]
    assert all(bar.endswith("no change") for bar in bars(page)[2:])  # greedy: every seed as the first
    assert "the step moves the result as far as another seed does" in said(page)
    assert "with 2 seeds only" in said(page)
    made = len(pages.engine.ran)
    again = told(pages, pages.open(PAGE))
    assert bars(again) == bars(page)
    widget(again, "text_area", "text-prompt").set_value("A hen")
    again.run()
    assert "all here already" in said(again)
    assert len(pages.engine.ran) == made


def test_more_seconds_are_more_seeds_and_what_is_there_is_not_made_again(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    page = told(pages, press(page, RUN))
    two = len(pages.engine.ran)
    widget(page, "number_input", "text-sensitivity-seconds").set_value(3600)
    page.run()
    assert "settings × 4 seeds: " in said(page)
    page = told(pages, press(page, RUN))
    assert "seeds only" not in said(page)
    assert len(pages.engine.ran) < 2 * two + 2
    assert len({request.canonical() for request in pages.engine.ran}) == len(pages.engine.ran)


def test_a_run_after_it_takes_its_place_and_what_is_left_is_offered(pages, monkeypatch):
    monkeypatch.setattr(sensitivity, "SEEDS_MOST", 2)
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    pages.engine.hold_from = 5
    press(page, RUN)
    limit = time.monotonic() + 20
    while len(pages.engine.ran) < 6:
        assert time.monotonic() < limit
        time.sleep(0.01)
    pages.jobs.stop(owner(pages), newest_job(pages).id)
    pages.engine.hold_from = None
    page = told(pages, page)
    assert "Not tried yet: " in said(page)
    left = widget(page, "button", "text-sensitivity-go-on")
    assert left.label.startswith("Go on: ")
    page = told(pages, press(page, "text-sensitivity-go-on"))
    assert "Not tried yet" not in said(page)
    page = settle_all(pages.jobs, owner(pages), press(page, "run"))
    assert not [bar for bar in bars(page) if "seed noise" in bar]


def test_a_page_that_cannot_run_says_why_in_place_of_the_cost(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("")
    page.run()
    assert widget(page, "button", RUN).disabled is True
    assert not messages(page)
