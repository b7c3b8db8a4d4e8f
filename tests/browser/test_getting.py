"""A model that is not here is got from the page, with progress, and runs; another visitor sees the same."""

import os

import pytest

from tests.browser.conftest import App
from tests.models.runtime.test_getting import made, packed


def app_of_an_index(folder, owners="cookie"):
    """Return an app whose catalogue has a model that comes in a wheel; pip sees a folder in place of an index."""
    wheel, _ = packed(folder)
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        del os.environ[name]
    os.environ.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheel.parent))
    try:
        return App(folder, add=lambda catalog: made(folder, wheel, entries=catalog), owners=owners)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def index_app(tmp_path_factory):
    app = app_of_an_index(tmp_path_factory.mktemp("getting"))
    yield app
    app.close()


def test_a_model_is_got_with_progress_and_runs(session, index_app):
    viewer, other = session(app=index_app), session(app=index_app)
    for one in (viewer, other):
        one.open("text_tasks", model="text/thing")
        one.sees("Thing is not on this machine yet")
    assert viewer.button("Run").count() == 0
    viewer.button("Get it").click()
    viewer.sees("Putting it into the form that is loaded")
    viewer.page.get_by_role("textbox", name="Text", exact=True).wait_for()
    viewer.page.get_by_role("textbox", name="Text", exact=True).fill("abc")
    viewer.button("Run").click()
    viewer.button("Copy link").first.wait_for()
    other.open("text_tasks", model="text/thing")
    other.button("Run").wait_for()
