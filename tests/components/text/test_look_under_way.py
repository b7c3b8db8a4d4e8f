"""A look that is being computed while Run is pressed: it is told of above and drawn where it was opened."""

from tests.components.page_steps import press, said, settle, widget
from tests.fake_texts import FakeTexts

ENGINE = FakeTexts


def test_run_pressed_while_a_look_is_computed_leaves_the_page_whole(pages):
    page = pages.open("pages/text.py")
    widget(page, "text_area", "text-prompt").set_value("A")
    page.run()
    page = settle(pages, press(page, "run"))
    pages.engine.gate.clear()
    next(item for item in page.get("button_group") if item.key.endswith("-choice")).set_value("Attention")
    page.run()
    press(page, "run")  # no exception: each Stop has a key of its own
    assert "One run at a time" in said(page)
    assert "could not be drawn" not in said(page)
    assert len([item for item in page.button if item.label == "Stop"]) == 2
    pages.engine.gate.set()
