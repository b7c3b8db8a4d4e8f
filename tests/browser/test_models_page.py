"""The Models page: a model is got with progress, checked and removed, on a phone's width too."""

import pytest

from tests.browser.conftest import until
from tests.browser.test_getting import app_of_an_index

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def own_app(tmp_path_factory):
    """An app on loopback alone: whoever opens it runs the machine."""
    app = app_of_an_index(tmp_path_factory.mktemp("models"), owners="auto")
    yield app
    app.close()


@pytest.mark.parametrize("size", [{}, PHONE], ids=["wide", "phone"])
def test_a_model_is_got_checked_and_removed(session, own_app, size):
    viewer = session(app=own_app, **size)
    viewer.open("models")
    viewer.page.get_by_role("textbox", name="Search").fill("text/thing")
    viewer.page.get_by_role("textbox", name="Search").press("Enter")
    viewer.sees("1 model · 0 here")
    assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    viewer.button("Get it").click()
    viewer.sees("Putting it into the form that is loaded")
    viewer.button("Verify").click(timeout=240_000)  # a child process imports torch first
    viewer.sees("Checked: every file is what was kept.")
    assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    viewer.button("Remove").click()
    viewer.button("Remove from disk").click()
    viewer.sees("Thing was removed")
    until(lambda: viewer.button("Get it").count() == 1)
