"""Looking inside the model that wrote a text, in a real browser."""

import re

import pytest

from tests.browser.conftest import until

STORY = {"story-gpt.seed": 7, "story-gpt.max_new_tokens": 25}


@pytest.fixture
def reader(session):
    """Return a session with a short finished text."""
    reader = session().open(**STORY)
    reader.write("Once upon a time a small <b>dragon</b>")
    reader.run()
    assert reader.done().startswith("Once upon a time a small <b>dragon</b>")
    return reader


def look(reader, name):
    reader.page.get_by_role("radio", name=name, exact=True).click()


def said(reader, root):
    return reader.page.locator(f"{root} .said").inner_text()


def shades(reader, root):
    """Return the background of every token."""
    return reader.page.locator(f"{root} .token").evaluate_all("all => all.map((one) => one.style.background)")


def test_attention_layers_and_tokens_of_a_text(reader):
    page = reader.page
    look(reader, "Attention")
    page.locator(".attention .token").first.wait_for()
    assert page.locator(".attention .token").first.inner_text() == "<|story|>"
    assert page.locator(".attention b b, .attention .token b").count() == 0  # markup of the prompt is text
    before = shades(reader, ".attention")

    head = page.get_by_role("radio", name="Layer 2, head 3")
    head.click()
    until(lambda: head.get_attribute("aria-checked") == "true")
    page.get_by_role("img", name=re.compile("Attention of layer 2, head 3")).wait_for()
    until(lambda: shades(reader, ".attention") != before)
    boxes = page.get_by_test_id("stSelectbox").get_by_role("combobox")
    until(lambda: {"Layer 2 of 4", "Head 3 of 4"} <= {box.input_value() for box in boxes.all()})

    # by keyboard: the first token can only attend to itself
    page.locator(".attention .token.chosen").press("Home")
    until(lambda: "attends to “<|story|>” 100% (itself)" in said(reader, ".attention"))
    page.keyboard.press("ArrowRight")
    until(lambda: said(reader, ".attention").startswith("“Once” attends to"))
    assert page.locator(".attention .token").nth(1).evaluate("one => one === one.getRootNode().activeElement")
    page.get_by_role("radio", name="attended to by").check()
    until(lambda: "is attended to by" in said(reader, ".attention"))

    look(reader, "Layers")
    table = page.locator(".lens table")
    table.wait_for()
    assert table.locator("tbody tr").count() == 5
    table.locator("td[aria-selected=true]").press("ArrowUp")
    until(lambda: said(reader, ".lens").startswith("After layer 3 at the position of"))
    page.keyboard.press("ArrowRight")
    until(lambda: table.locator("td[aria-selected=true]").get_attribute("data-column") == "1")
    assert "rank" in said(reader, ".lens")

    look(reader, "Tokens")
    token = page.locator(".tokens .token")
    token.first.wait_for()
    assert "special" in token.first.get_attribute("class")
    token.nth(1).click()
    until(lambda: re.search(r"“Once”\s+·\s+token 2 of \d+\s+·\s+id \d+\s+·\s+4 bytes: 4F 6E 63 65",
                            said(reader, ".tokens")))  # fmt: skip
    look(reader, "Another text")
    page.get_by_role("textbox", name="Any text").fill("a 🐉 <b>")
    page.keyboard.press("Control+Enter")  # which starts no run here
    until(lambda: any("F0" in text for text in token.all_inner_texts()))
    assert page.locator(".tokens .token b").count() == 0
    assert reader.button("Run").is_enabled()
    assert page.get_by_role("textbox", name="Any text").input_value() == "a 🐉 <b>"


def test_a_text_written_after_a_look_is_the_same_as_before_it(reader):
    text = reader.text()
    look(reader, "Attention")
    reader.page.locator(".attention .token").first.wait_for()
    reader.run()
    until(lambda: reader.page.locator(".attention").count() == 0)  # a new run has its own choice
    assert reader.done() == text


@pytest.mark.parametrize("width", [1440, 390])
def test_the_views_fit_their_window(session, width):
    reader = session(viewport={"width": width, "height": 900}).open(**STORY)
    reader.write("Once upon a time a small dragon")
    reader.run()
    reader.done()
    for name, root in (("Attention", ".attention"), ("Layers", ".lens"), ("Tokens", ".tokens")):
        look(reader, name)
        reader.page.locator(f"{root} .said").wait_for()
        main = reader.page.get_by_test_id("stMain")
        assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        assert reader.page.get_by_test_id("stException").count() == 0
