"""A finished run is shared, opened by somebody else, tried, and revoked: then its link says so."""

import re

from tests.browser.conftest import until
from tests.browser.test_reach import faults

PHONE = {"width": 390, "height": 844}


def share(viewer):
    """Share what is on the page, and return the link's address."""
    viewer.settled()
    viewer.button("Share").first.click()
    viewer.page.get_by_role("dialog").wait_for()
    viewer.sees("Whoever has the link sees")
    viewer.settled()
    viewer.button("Make a link").click()
    viewer.button("Revoke").wait_for()
    viewer.settled()
    link = viewer.page.locator("code").filter(has_text="/shared?s=").inner_text()
    assert re.fullmatch(re.escape(viewer.app.url("shared")) + r"\?s=[0-9a-f]{32}", link)
    return link


def test_what_is_shared_is_read_by_somebody_else_until_it_is_revoked(session):
    viewer, reader = session(), session()
    viewer.open_odd("a heron by the lake", steps=3)
    viewer.run()
    made = viewer.done()
    link = share(viewer)
    viewer.page.get_by_role("dialog").get_by_role("img", name="QR code of the link").wait_for()
    assert faults(viewer) == []

    reader.page.goto(link)
    reader.button("Try it yourself").wait_for()
    until(lambda: reader.text() == made)
    reader.settled()
    until(lambda: reader.page.title() == "a heron by the lake · shared")
    assert faults(reader) == []
    assert not reader.button("Delete").count()
    assert not reader.page.get_by_role("navigation").get_by_text("Shared").count()
    reader.page.set_viewport_size(PHONE)
    reader.settled()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    reader.button("Try it yourself").click()
    box = reader.page.get_by_role("textbox", name="Prompt", exact=True)
    box.wait_for()
    assert box.input_value() == "a heron by the lake"
    reader.sees("opened from what somebody shared")
    assert not reader.button("Stop").count()  # nothing was started

    viewer.button("Revoke").click()
    viewer.button("Make a link").wait_for()
    reader.page.goto(link)
    reader.sees("This link was revoked")
    assert "heron" not in reader.page.content()
    reader.button("To the playground").click()
    until(lambda: reader.address().split("?")[0] == reader.app.url(""))


def test_shared_links_are_listed_and_revoked_on_the_runs_page(session):
    viewer, reader = session(), session()
    viewer.open_odd("a boat in the fog", steps=3)
    viewer.run()
    viewer.done()
    link = share(viewer)
    viewer.page.keyboard.press("Escape")
    viewer.page.get_by_role("dialog").wait_for(state="hidden")
    viewer.settled()
    viewer.page.goto(viewer.app.url("runs"))
    viewer.page.get_by_text("Shared links (1)").click()
    viewer.sees("Open until you revoke it")
    viewer.settled()
    assert viewer.page.get_by_role("link", name="Open").get_attribute("href") == link
    viewer.button("Revoke").click()
    viewer.page.get_by_text("Shared links").wait_for(state="hidden")
    reader.page.goto(link)
    reader.sees("This link was revoked")
