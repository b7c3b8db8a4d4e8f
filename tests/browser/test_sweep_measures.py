"""What is measured of a sweep, and which settings matter, in a real browser: colours, curves, words, bars."""

import re

from tests.browser.conftest import until
from tests.browser.test_sweeps import done, open_box, start, vary

SHADES = "all => new Set(all.map(one => getComputedStyle(one).backgroundColor)).size"


def measure(viewer, name):
    """Choose a measure by its name; a redraw may close the list while it is open."""
    box = viewer.page.get_by_role("combobox", name=re.compile("Measure")).first
    option = viewer.page.get_by_role("option", name=name, exact=True)

    def typed():
        viewer.settled()
        box.fill("")  # the same text typed once more opens nothing
        box.fill(name)
        viewer.page.wait_for_timeout(700)

    until(lambda: option.count() or typed())
    option.click()


def test_a_sweep_is_coloured_and_drawn_and_its_effects_are_told(session):
    viewer = session().open("text", **{"story-gpt.max_new_tokens": 12})
    viewer.button("Run").wait_for()
    open_box(viewer)
    vary(viewer, "Length", "4, 12")
    vary(viewer, "Seed", "0, 1, 2, 3, 4, 5")
    start(viewer)
    done(viewer, 12)
    viewer.settled()
    cells = viewer.page.locator(".sweep .table .cell")
    assert cells.evaluate_all(SHADES) == 1
    measure(viewer, "Characters")
    viewer.sees(re.compile("none at .* characters, full at .* characters"))
    until(lambda: cells.evaluate_all(SHADES) > 2)
    viewer.sees("Is it real?")
    row = viewer.page.locator("table tr", has_text="Length 4 tokens → 12 tokens")
    row.get_by_text(re.compile(r"^\d+\.\d × seed noise$")).wait_for()
    assert "characters +" in row.inner_text()
    # a line with a point for each value
    until(
        lambda: viewer.page.locator("[data-testid=stVegaLiteChart] svg path[aria-roledescription=point]").count() == 2
    )

    # a heavy one comes from a process of its own, and the page goes on meanwhile
    measure(viewer, "Surprise")
    viewer.sees(re.compile("none at .* bits per token, full at"))


def test_one_press_says_which_settings_matter_and_a_reload_finds_it(session):
    viewer = session().open("text", **{"story-gpt.max_new_tokens": 8})
    viewer.button("Run").wait_for()
    viewer.page.get_by_text("Sensitivity: which settings matter here").click()
    viewer.sees(re.compile(r"settings × \d seeds: \d+ runs"))
    viewer.button("What matters here?").click()
    viewer.button("Stop").wait_for()
    viewer.button("Stop").wait_for(state="detached", timeout=180_000)
    bars = viewer.page.locator("[data-testid=stProgress]")
    until(lambda: bars.count() > 5 and "seed noise (changed words" in bars.first.inner_text(), 90)
    viewer.sees(re.compile("moves the result as far as another seed does"))
    viewer.settled()
    first = bars.first.inner_text()
    viewer.page.reload()
    until(lambda: bars.count() > 5 and bars.first.inner_text() == first, 90)
