"""Tipping points in a real browser: the strip by pointer and keys, on a phone, and what Run writes beyond an edge."""

import re

import pytest

from tests.browser.conftest import until

STORY = {"story-gpt.seed": 7, "story-gpt.max_new_tokens": 30, "story-gpt.temperature": 0.9}


@pytest.fixture
def reader(session):
    """Return a session with the strip of a short story's temperature."""
    reader = session().open(**STORY)
    reader.write("Once upon a time a small dragon")
    reader.run()
    reader.done(150)
    reader.page.get_by_role("radio", name="Tipping points", exact=True).click()
    stretches(reader).first.wait_for()
    return reader


def stretches(reader):
    return reader.page.locator(".tip .strip [role=option]")


def said(reader):
    return reader.page.locator(".tip .said").inner_text()


def test_a_stretch_is_told_by_key_and_pointer_and_run_writes_what_it_says(reader):
    page = reader.page
    first = reader.text()
    told = page.get_by_text(re.compile("This text stays the same with temperature")).first.inner_text()
    until(lambda: said(reader).endswith("the text stays the same (this text)"))
    strip = page.get_by_role("listbox", name=re.compile("^Temperature: what becomes of the text"))
    assert page.locator(".tip .own").is_visible()
    strip.focus()
    strip.press("ArrowRight")
    until(lambda: "(this text)" not in said(reader))
    found = re.search(r"At ([\d.]+) token (\d+) becomes “(.*?)” \(was “(.*?)”\)", told)
    assert found is not None
    assert said(reader).startswith(found[1])
    assert f"token {found[2]} becomes “{found[3]}”" in said(reader)
    strip.press("Home")
    until(lambda: said(reader) == stretches(reader).first.get_attribute("aria-label"))
    strip.press("ArrowLeft")  # stays at the end
    assert said(reader).startswith("0")

    at = next(place for place in range(stretches(reader).count())
              if stretches(reader).nth(place).get_attribute("aria-label").startswith(found[1]))  # fmt: skip
    stretches(reader).nth(at).click()
    use = page.get_by_role("button", name=f"Use {found[1]} for the next run")
    use.wait_for()
    assert reader.text() == first  # nothing was written so far
    use.click()
    until(lambda: f"story-gpt.temperature={found[1]}" in reader.address())
    page.get_by_role("textbox", name="Prompt", exact=True).press("Control+Enter")
    until(lambda: reader.text() not in (first, "") and reader.text()[:5] == first[:5])
    reader.done(150)
    same = next((at for at, (a, b) in enumerate(zip(first, reader.text(), strict=False)) if a != b), 0)
    assert same > len("Once upon a time a small dragon")


def test_the_strip_and_the_list_of_stretches_fit_a_phone(reader):
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 844})
    tip = page.locator(".tip")
    until(lambda: tip.evaluate("box => box.scrollWidth <= box.clientWidth"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    box, strip = tip.bounding_box(), page.locator(".tip .strip").bounding_box()
    assert box["x"] <= strip["x"] and strip["x"] + strip["width"] <= box["x"] + box["width"] + 1
    page.locator(".tip summary").click()
    items = page.locator(".tip li")
    assert items.count() == stretches(reader).count()
    assert "the text stays the same (this text)" in page.locator(".tip li.made").inner_text()
