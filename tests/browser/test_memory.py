"""What the process that draws the pages has imported once every page was opened, and a tune was made and looked at."""

import pytest

from tests.browser.conftest import App, until
from tests.components.test_memory import TABLES, WORKERS


@pytest.fixture(scope="module")
def fresh_app(tmp_path_factory):
    app = App(tmp_path_factory.mktemp("memory"))
    yield app
    app.close()


def test_the_pages_hold_nothing_that_only_the_worker_needs(session, fresh_app):
    viewer = session(app=fresh_app)
    viewer.open("").sees("What is here")
    viewer.open("text", model="text/story-gpt").button("Run").wait_for()
    viewer.open("image", model="image/emoji-diffusion").button("Run").wait_for()
    viewer.open("audio", **{"folk-gpt.seed": 7, "folk-gpt.rhythm": "jig"})
    until(lambda: viewer.button("Run").is_enabled())
    viewer.button("Run").click()
    viewer.page.get_by_role("button", name="More files").first.wait_for()
    for view in ("Wave", "Notes"):
        viewer.page.get_by_text(view, exact=True).first.click()
        viewer.page.get_by_test_id("stVegaLiteChart").first.locator("svg, canvas").first.wait_for()
    names = fresh_app.modules()
    assert "components.widgets.charts" in names
    assert [name for name in names if name.split(".")[0] in WORKERS + TABLES] == []
