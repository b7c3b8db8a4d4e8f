"""Phone, keyboard and screen reader: what axe finds, where the focus goes, what is read out."""

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import until

# inside Streamlit's own markup: its navigation is a list of headings and lists, its overlays lie outside of all regions
THEIRS = {
    "list": "stSidebarNavItems",
    "listitem": "e1o1t1hb4",
    "region": "stFloatingOverlayPortal",
}
PAGES = ("", "text?model=text/story-gpt", "text?model=text/story-chat", "image", "audio", "runs", "models")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def faults(viewer):
    """Return what axe finds, but for what is Streamlit's own, as rule and element."""
    found = Axe().run(viewer.page).response["violations"]
    return [
        (one["id"], node["html"][:200], node["any"][0]["message"] if node["any"] else "")
        for one in found for node in one["nodes"]
        if THEIRS.get(one["id"], "nothing") not in node["html"]
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"viewport": {"width": 1440, "height": 1000}}, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_of_ours(session, scheme, size):
    viewer = session(color_scheme=scheme, **size)
    for page in PAGES:
        viewer.page.goto(viewer.app.url(page))
        viewer.page.get_by_role("heading", level=1).wait_for()
        viewer.settled()
        found, limit = faults(viewer), time.monotonic() + 5
        while found and time.monotonic() < limit:  # what is just being replaced is faded
            found = faults(viewer)
        assert found == [], page


RUNS = {
    "story": ("text", {"model": "text/story-gpt", "story-gpt.max_new_tokens": 12}),
    "images": ("image", {"model": "image/emoji-diffusion", "emoji-diffusion.num_inference_steps": 4,
                         "emoji-diffusion.num_images": 2}),
    "tune": ("audio", {"model": "audio/folk-lstm"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_axe_finds_nothing_of_ours_in_a_result_and_the_looks_into_it(session, name):
    viewer = session(color_scheme="dark")
    page, settings = RUNS[name]
    viewer.open(page, **settings)
    viewer.settled()
    viewer.button("Run").click()
    viewer.button("Keep this one").first.wait_for()
    viewer.settled()
    assert faults(viewer) == []
    looks = viewer.page.locator("[class*='-choice']").get_by_test_id("stButtonGroup").first.locator("button")
    for look in looks.all():
        look.click()
        viewer.settled()
        found, limit = faults(viewer), time.monotonic() + 30
        while found and time.monotonic() < limit:
            found = faults(viewer)
        assert found == [], look.inner_text()


def test_a_result_is_read_out_and_has_the_focus(session):
    viewer = session()
    viewer.open_odd("read me", steps=60, step_s=0.1)
    heard = []
    viewer.page.expose_function("heard", lambda said: heard.append(said))  # noqa: PLW0108 — playwright marks the function
    viewer.page.evaluate("""() => {
        const told = new Set();
        const look = (root) => root.querySelectorAll("*").forEach((one) => {
          if (one.getAttribute("aria-live") === "polite" && one.textContent && !told.has(one.textContent)) {
            told.add(one.textContent); window.heard(one.textContent);
          }
          if (one.shadowRoot) look(one.shadowRoot);
        });
        setInterval(() => look(document), 50);
    }""")
    viewer.button("Run").click()
    viewer.done()
    until(lambda: any("Done. The result follows." in one for one in heard))
    assert [one for one in heard if one in ("Started", "Half is done")] == ["Started", "Half is done"]
    assert not any("read me-0" in one for one in heard)  # a growing text would drown what is said of it
    focus = """(() => {
      let one = document.activeElement;
      while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
      return one?.ariaLabel;
    })()"""
    until(lambda: viewer.page.evaluate(focus) == "Result")


def test_on_a_phone_the_settings_are_behind_a_button_and_run_goes_to_the_result(session):
    viewer = session(**PHONE)
    viewer.open_odd("small", steps=3)
    viewer.settled()
    settings = viewer.page.get_by_test_id("stExpandSidebarButton")
    assert "Pages and settings" in settings.evaluate("one => getComputedStyle(one, '::after').content")
    assert viewer.page.locator("kbd:visible").count() == 0
    settings.click()
    sheet = viewer.page.get_by_test_id("stSidebar")
    until(lambda: sheet.bounding_box()["width"] == 390)
    assert sheet.bounding_box()["y"] > 844 * 0.4  # what a setting changes stays in sight above
    viewer.page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
    viewer.button("Run").click()
    viewer.done()
    top = until(lambda: (time.sleep(0.5), viewer.page.locator("article").first.bounding_box())[1])
    assert 0 <= top["y"] < 844 / 2


def test_diagrams_can_be_read_at_every_width(session):
    for options in (PHONE, {}):
        viewer = session(**options)
        viewer.open("text")
        viewer.button("How this works").click()
        picture = viewer.page.get_by_test_id("stMermaidChart").locator("img")
        picture.wait_for()
        scale = "one => one.naturalWidth && one.getBoundingClientRect().width / one.naturalWidth"
        shown = until(lambda picture=picture, scale=scale: picture.evaluate(scale))
        assert shown * 16 >= 11.9  # px of its letters
        assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_is_used_by_keyboard_alone(session):
    viewer = session()
    viewer.open("text")
    viewer.button("Run").wait_for()
    viewer.settled()
    until(lambda: viewer.page.evaluate("'__playgroundTab' in window"))  # what listens for Tab is there
    card = viewer.button("Model card")
    card.focus()
    viewer.page.keyboard.press("Enter")
    viewer.page.get_by_text("Trained on", exact=True).locator("visible=true").first.wait_for()
    viewer.page.keyboard.press("Tab")
    inside = "document.activeElement.closest('[data-testid=stPopoverBody]') !== null"
    until(lambda: viewer.page.evaluate(inside))
    viewer.page.keyboard.press("Shift+Tab")
    until(lambda: viewer.page.evaluate("document.activeElement.dataset.testid === 'stPopoverButton'"))
    viewer.page.keyboard.press("Tab")
    until(lambda: viewer.page.evaluate(inside))
    viewer.page.keyboard.press("Escape")
    until(lambda: not viewer.page.get_by_text("Trained on", exact=True).locator("visible=true").count())


def test_names_of_controls_carry_no_markup_when_settings_are_changed(session):
    viewer = session()
    viewer.open("text", **{"model": "text/story-gpt", "story-gpt.temperature": 1.2, "story-gpt.presence_penalty": 1})
    viewer.button("Run").wait_for()
    viewer.settled()
    panel = viewer.page.get_by_test_id("stSidebar")
    for slider in panel.get_by_role("slider").all():
        assert not re.search(r":\w+\[", slider.get_attribute("aria-label") or "")
    fold = panel.locator("summary").first
    assert fold.inner_text().split("\n")[-1] == "Advanced"
    after = "one => getComputedStyle(one, '::after').content"
    assert "●" in fold.locator("p").evaluate(after)
    assert "●" in panel.get_by_text("Temperature", exact=True).first.evaluate(after)
    menus = panel.get_by_role("button", name=re.compile("^Compare values of "))
    names = [menu.inner_text().split("\n")[-1] for menu in menus.all()]
    assert "Compare values of Temperature" in names
    assert len(set(names)) == len(names) > 3
