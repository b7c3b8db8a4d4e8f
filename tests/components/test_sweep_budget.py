"""A sweep with seconds to spend goes where its results differ, as the room compares them."""

import pytest

from components import sweep_page
from models import plain_text
from tests.components.page_steps import press, said, settle, widget
from tests.fakes import FakeWords

PAGE = "pages/text.py"
MODEL = "text/story-gpt"
VALUES = [round(0.2 + 0.1 * at, 1) for at in range(17)]


class ENGINE(FakeWords):
    """Write nothing but other words above one temperature."""

    def play(self, turn):
        warm = turn.request.params["temperature"] > 1.25
        yield plain_text.text_output("other things" if warm else "cold words", {"seed": turn.request.seed}, 0)


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """Let the box be open: AppTest opens none."""
    monkeypatch.setattr(sweep_page, "_is_open", lambda box: True)


def test_the_seconds_are_spent_where_the_text_changes(pages):
    page = pages.open(PAGE)
    widget(page, "selectbox", f"{MODEL}-sweep-add").set_value("temperature")
    page.run()
    box = next(item for item in page.text_input if item.key == f"{MODEL}-sweep-axis-temperature")
    box.set_value(", ".join(map(str, VALUES)))
    page.run()
    widget(page, "number_input", "text-sweep-seconds").set_value(600)
    page.run()
    assert "17 cells" in said(page)
    settle(pages, press(page, "text-sweep-run"))
    ran = [request.params["temperature"] for request in pages.engine.ran]
    assert sorted(ran) == VALUES
    assert ran[:3] == [1.0, 0.2, 1.8]  # all over the grid
    assert set(ran[3:6]) == {1.4, 1.2, 1.3}  # then the halves in which the words change
