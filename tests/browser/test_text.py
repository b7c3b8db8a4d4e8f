"""One person on the Text page, in a real browser."""

import json
import re
import subprocess
import sys

import pytest

from models.plain_text import read_text_artifact
from tests.browser.conftest import App, until

STORY = {"story-gpt.seed": 7}


def test_home_starts_a_first_story_with_one_click(session):
    reader = session().open("")
    reader.button("Write this story").click()
    text = reader.done()
    assert text.startswith("Once upon a time a small dragon")
    assert len(text) > 100


def test_text_streams(session):
    reader = session().open_odd("streams", steps=80)  # four seconds: slow enough on any machine
    reader.run()
    seen = set()

    def grows():
        seen.add(len(reader.text()))
        return len(seen) > 4

    until(grows)
    assert reader.done().endswith("streams-0-79")


def test_four_variants_stand_side_by_side(session):
    reader = session().open(**STORY, **{"story-gpt.max_new_tokens": 60, "story-gpt.num_variants": 4})
    reader.write("Once upon a time a small dragon")
    reader.run()
    reader.button("Continue").wait_for()
    assert reader.page.locator("article").count() == 4


def test_page_and_command_line_write_the_same_text(session, app, tmp_path):
    reader = session().open(**STORY, **{"story-gpt.temperature": 0.9, "story-gpt.max_new_tokens": 40})
    reader.write("Tom and his dog went to the sea.")
    reader.run()
    text = reader.done()
    shell = subprocess.run(
        [sys.executable, "-m", "models", "run", "text/story-gpt", "--prompt", "Tom and his dog went to the sea.",
         "--param", "temperature=0.9", "--param", "max_new_tokens=40", "--seed", "7", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(shell.stdout.splitlines()[-1])
    assert said["outputs"][0]["text"] == text
    with reader.page.expect_download() as download:
        reader.button("Download").first.click()
    data = download.value.path().read_bytes()
    stamp, written = read_text_artifact(data)
    assert written == text
    assert stamp["request"]["params"]["temperature"] == 0.9
    assert download.value.suggested_filename == "story-gpt-seed7.txt"
    import hashlib

    assert hashlib.sha256(data).hexdigest() == said["output_sha256"]


def test_a_copied_link_gives_the_same_story_to_someone_else(session):
    writer = session().open(**STORY, **{"story-gpt.temperature": 1.3, "story-gpt.max_new_tokens": 30})
    writer.write("The old tree “spoke” & smiled")
    writer.run()
    text = writer.done()
    writer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    writer.button("Copy link").press("Enter")
    writer.button("Copied").wait_for()
    link = writer.page.evaluate("navigator.clipboard.readText()")
    assert len(link) <= 2000
    reader = session()
    reader.page.goto(link)
    reader.sees("opened from a link")
    reader.run()
    assert reader.done() == text
    assert "r=" not in reader.address()


def test_markup_is_shown_as_text(session):
    nasty = '<img src=x onerror="window.hacked=1"> <b>bold</b> **stars** [link](http://example.com) $x^2$'
    reader = session().open(**STORY, **{"story-gpt.max_new_tokens": 3})
    reader.write(nasty)
    reader.run()
    assert reader.done().startswith(nasty)
    reader.run()  # the first one is now among the earlier results
    until(lambda: reader.page.get_by_test_id("stExpander").count() >= 2)
    assert reader.page.evaluate("window.hacked") is None
    assert reader.page.locator("article b, article img, article a").count() == 0
    assert reader.page.locator('a[href*="example.com"]').count() == 0


def test_a_slider_moved_during_a_run_changes_nothing_of_it(session):
    reader = session().open(**STORY, **{"story-gpt.max_new_tokens": 500, "story-gpt.num_variants": 4})
    reader.write("Once upon a time")
    reader.run()
    reader.button("Stop").wait_for()
    slider = reader.page.get_by_role("slider", name=re.compile("Temperature"))
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    reader.button("Continue").wait_for()
    reader.sees("Temperature 0.8")
    assert "story-gpt.temperature=1.05" in reader.address()
    assert float(slider.input_value()) == pytest.approx(1.05)


def test_stop_keeps_the_text_and_frees_the_worker(session):
    reader = session().open_odd("long", steps=10000)
    reader.run()
    until(lambda: "long-0-3" in reader.text())
    reader.button("Stop").click()
    text = reader.done(5)
    assert text.startswith("long-0-0")
    reader.write("short")
    reader.open_odd("short", steps=2)
    reader.run()
    until(lambda: reader.text() == "short-0-0 short-0-1", 10)


def test_a_run_pressed_during_warm_up_runs(browser, session, tmp_path):
    young = App(tmp_path)
    try:
        reader = session(app=young).open(**STORY, **{"story-gpt.max_new_tokens": 5})
        reader.write("Once upon a time")
        reader.run()
        reader.sees("Starting: loading the libraries")
        # the first address that a fresh app serves is not Home's: the navigation is there all the same
        reader.page.get_by_test_id("stSidebarNav").get_by_text("Create").wait_for()
        assert reader.done().startswith("Once upon a time")
    finally:
        young.close()


def test_a_prompt_that_is_too_long_is_counted_and_can_be_cut(session):
    reader = session().open(**STORY, **{"story-gpt.max_new_tokens": 5})
    reader.write("Once upon a time there was a dragon. " * 80)
    reader.run()
    reader.sees(re.compile(r"The prompt has [\d,]+ tokens"))
    reader.page.get_by_text("Trim long prompts", exact=True).click()
    until(lambda: "cut_prompt=true" in reader.address())
    reader.run()
    reader.sees(re.compile(r"its last \d+ were read"))


def test_the_title_says_done_to_who_was_away(session):
    reader = session().open_odd("away", steps=80)  # four seconds: time enough to go away
    reader.run()
    reader.button("Stop").wait_for()
    until(reader.text)
    reader.page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    until(lambda: reader.page.title().startswith("Done · "))
    reader.page.evaluate(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => false});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    until(lambda: not reader.page.title().startswith("Done"))


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_window(session, width, scheme):
    for page in ("", "text"):
        reader = session(viewport={"width": width, "height": 900}, color_scheme=scheme).open(page)
        reader.page.locator("article").first.wait_for()
        wide = reader.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        main = reader.page.get_by_test_id("stMain")
        assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        assert reader.page.get_by_test_id("stException").count() == 0


def test_every_control_has_a_name(session):
    reader = session().open()
    reader.page.locator("article").first.wait_for()
    nameless = reader.page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] button, [data-testid=stSidebar] button, input, '
            + 'textarea, [role=slider]')].filter(node => node.checkVisibility() && !(node.ariaLabel
            || node.innerText.trim() || node.title || node.getAttribute('aria-labelledby')
            || (node.labels && node.labels.length)))
            .map(node => node.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
