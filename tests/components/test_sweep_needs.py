"""Which models a sweep proposes, what it says of the disk, what it takes from what was made before."""

from types import SimpleNamespace

import pytest

from components import sweep_needs, sweep_page
from models.catalog import load_catalog
from models.sweeps import cells
from models.types import Output, Request, Run
from tests.components.page_steps import press, said, settle, widget
from tests.components.test_sweep_page import MODEL, vary, write

PAGE = "pages/text.py"


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """Let the box be open: AppTest opens none."""
    monkeypatch.setattr(sweep_page, "_is_open", lambda box: True)


def options(page, key):
    return next(item for item in page.multiselect if item.key == key).options


def test_only_models_that_can_run_what_the_page_holds_are_proposed(pages):
    model = "audio/folk-gpt"
    page = pages.open("pages/audio.py")
    widget(page, "selectbox", f"{model}-sweep-add").set_value("model")
    page.run()
    assert not page.exception, page.exception
    # Digits Diffusion takes a text of the same name, and needs one
    assert options(page, f"{model}-sweep-axis-model") == ["Folk GPT", "Folk LSTM"]
    assert not widget(page, "button", "audio-sweep-run").disabled


def test_a_model_without_a_setting_that_is_varied_is_not_proposed(pages):
    found = cells.takes
    known = load_catalog(pages.jobs.settings)
    asked = Request(model=MODEL, inputs={"prompt": "A hen"})
    assert found(known, asked, "text/story-lstm", ["temperature", "seed", "inputs.prompt"])
    assert not found(known, asked, "text/story-lstm", ["guidance_of_nobody"])
    assert not found(known, asked, "audio/folk-gpt")  # it never saw these words


def test_the_disk_is_forecast_by_runs_of_about_that_length_or_not_at_all(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    page = write(vary(page, "seed"), "seed", "0, 1, 2, 3")
    assert "on the disk" not in said(page)
    settle(pages, press(page, "run"))
    page.run()
    assert "on the disk" in said(page)
    page = write(vary(page, "max_new_tokens"), "max_new_tokens", "3, 200")
    assert "on the disk" not in said(page)  # of three tokens nothing is known


def kept_of(pages, runs, size_each, logits, shared=False):
    """Return a stand-in for a desk whose owner made `runs`: each has a text, and logits beside it."""
    made = []
    for seed in range(runs):
        request = Request(model=MODEL, inputs={"prompt": "A hen"}, params={"max_new_tokens": 10}, seed=seed)
        outputs = [Output("text", 0, data=b"x" * (size_each - 4) + b"%04d" % seed),
                   Output("view", 1, data=b"y" * (logits - 4) + b"%04d" % (0 if shared else seed))]  # fmt: skip
        run = Run(f"{seed:032}", "me", "j", request, "done", float(seed), outputs)
        pages.store.save_run(run)
        made.append(request)
    catalog = load_catalog(pages.jobs.settings)
    return SimpleNamespace(session=SimpleNamespace(jobs=pages.jobs, catalog=catalog, owner="me"))


@pytest.mark.parametrize(("shared", "logits_total"), [(False, 20 * 100_000), (True, 20 * 100_000 / 5)])
def test_logits_that_are_pruned_or_shared_count_as_often_as_they_are_kept(pages, shared, logits_total):
    desk = kept_of(pages, 5, 3000, 100_000, shared)
    left = [SimpleNamespace(request=Request(model=MODEL, inputs={"prompt": "A hen"}, params={"max_new_tokens": 9},
                                            seed=seed)) for seed in range(1000)]  # fmt: skip
    most, stay = sweep_needs.disk_bytes(desk, left, 1e6)
    assert 1000 * 3000 + logits_total < stay < 1000 * 4000 + logits_total
    assert most == stay
    most, stay_too = sweep_needs.disk_bytes(desk, left, 60.0)  # all of them are there for some minutes
    assert stay_too == stay
    assert most == stay + logits_total / 20 * 980
    several = [SimpleNamespace(request=one.request.model_copy(update={"params": {"num_variants": 4}})) for one in left]
    assert sweep_needs.disk_bytes(desk, several, 60.0) is None
    assert sweep_needs.disk_bytes(desk, [], 60.0) is None
