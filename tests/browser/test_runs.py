"""What was made is found after the app's restart: by a word of its prompt, with a star, side by side, taken back."""

import pytest

from tests.browser.conftest import App, until
from tests.browser.test_reach import faults
from tests.browser.test_share import share
from tests.postgres import Server

PHONE = {"width": 390, "height": 844}


def run(viewer, prompt):
    viewer.open_odd(prompt, steps=3)
    viewer.run()
    viewer.done()


def rows(viewer):
    """Return the titles of the rows on show."""
    return viewer.page.locator('[class*="st-key-found-"] strong').all_inner_texts()


def part(viewer, name):
    """Return a button of the first row: open, star or mark."""
    return viewer.page.locator(f'[class*="st-key-found-{name}-"] button:visible').first


def search(viewer, words, wanted):
    box = viewer.page.get_by_role("textbox", name="Search")
    box.fill(words)
    box.press("Enter")
    until(lambda: rows(viewer) == wanted)


def press_key(viewer, key, then):
    viewer.page.keyboard.press(key)
    until(then)
    viewer.settled()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """Return the URL of an index on each kind of database; the test is skipped where PostgreSQL is not installed."""
    if request.param == "sqlite":
        yield ""
        return
    server = Server()
    yield server.url(server.bare())
    server.close()


def test_runs_are_found_after_a_restart_starred_compared_shared_deleted_and_taken_back(session, tmp_path, database):
    first = App(tmp_path, database=database)
    try:
        viewer = session(app=first)
        run(viewer, "a whale in the harbour")
        run(viewer, "a boat in the harbour")
        viewer.settled()
    finally:
        first.close()
    second = App(tmp_path, database=database)
    try:
        viewer.page.goto(second.url("runs"))
        until(lambda: rows(viewer) == ["a boat in the harbour", "a whale in the harbour"])
        viewer.settled()
        search(viewer, "whal", ["a whale in the harbour"])
        viewer.button("Star").first.click()
        viewer.button("Starred").first.wait_for()
        search(viewer, "harb", ["a boat in the harbour", "a whale in the harbour"])
        viewer.settled()
        viewer.page.get_by_role("heading", name="Runs").click()  # the keys are the list's, not the search's
        viewer.page.keyboard.press("j")
        press_key(viewer, "x", lambda: viewer.button("Compare 1").count() == 1)
        viewer.page.keyboard.press("j")
        press_key(viewer, "x", lambda: viewer.button("Compare 2").count() == 1)
        viewer.button("Compare 2").click()
        viewer.sees("2 results side by side")
        viewer.settled()
        assert viewer.page.locator("table").inner_text().split("\n")[0].startswith("What differs")
        viewer.app = second
        link = share(viewer)
        other = session(app=second)
        other.page.goto(link)  # as somebody else
        other.button("Try it yourself").first.wait_for()
        viewer.button("Revoke").click()
        viewer.button("Make a link").wait_for()
        other.page.goto(link)
        other.sees("This link was revoked")
        viewer.page.keyboard.press("Escape")
        viewer.page.get_by_role("dialog").wait_for(state="hidden")
        viewer.settled()
        viewer.button("All results").click()
        until(lambda: len(rows(viewer)) == 2)
        viewer.settled()
        part(viewer, "open").click()
        viewer.button("Use these settings").wait_for()
        viewer.settled()
        address = viewer.address()
        viewer.page.locator('[class*="st-key-detail-delete-"] button').first.click()
        viewer.sees("1 result deleted")
        until(lambda: rows(viewer) == ["a whale in the harbour"])
        viewer.settled()
        viewer.button("Undo").click()
        until(lambda: len(rows(viewer)) == 2)
        other.page.goto(address)
        other.sees("There is no such result of yours")
        assert "a boat in the harbour" not in other.page.content()
        assert (tmp_path / "data" / "runs.sqlite").exists() == (database == "")
        phone(viewer)
    finally:
        second.close()


def phone(viewer):
    """See that nothing of the list is cut on a phone."""
    viewer.page.set_viewport_size(PHONE)
    viewer.settled()
    assert viewer.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in ("open", "star", "mark"):
        box = part(viewer, name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]


def test_a_filled_list_and_an_open_run_are_reached_by_everybody(session):
    viewer = session()
    run(viewer, "a heron by the lake")
    viewer.settled()
    viewer.page.goto(viewer.app.url("runs"))
    until(lambda: "a heron by the lake" in rows(viewer))
    viewer.settled()
    assert faults(viewer) == []
    viewer.page.get_by_role("radio", name="Table").click()
    until(lambda: not rows(viewer))
    viewer.settled()
    assert faults(viewer) == []
    viewer.page.get_by_role("heading", name="Runs").click()
    viewer.page.keyboard.press("j")
    press_key(viewer, "s", lambda: viewer.button("Starred").count() == 1)
    press_key(viewer, "x", lambda: viewer.button("Compare 1").count() == 1)
    phone(viewer)
    part(viewer, "open").click()
    viewer.button("Use these settings").wait_for()
    viewer.settled()
    assert faults(viewer) == []
    viewer.button("Use these settings").click()
    viewer.page.get_by_role("textbox", name="Prompt", exact=True).wait_for()
    assert viewer.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "a heron by the lake"
