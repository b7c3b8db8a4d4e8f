"""Presets in a real browser: what one changes is said before it is set, and one's own is found again."""

import re

from tests.browser.conftest import until


def choose(viewer, name):
    """Choose a preset by its name; the menu is open."""
    box = viewer.page.get_by_role("combobox", name=re.compile("Preset"))
    option = viewer.page.get_by_role("option", name=name, exact=True)

    def typed():
        viewer.settled()
        box.fill("")
        box.fill(name)
        viewer.page.wait_for_timeout(700)

    until(lambda: option.count() or typed())
    option.click()


def test_a_preset_is_set_and_ones_own_is_found_after_a_reload(session):
    viewer = session().open("text", model="text/story-gpt")
    viewer.button("Run").wait_for()
    viewer.button("Presets").click()
    choose(viewer, "Min-p, hot")
    viewer.sees("Temperature 0.8 → 1.5")
    viewer.button("Set these").click()
    viewer.sees("1.50")
    viewer.settled()
    viewer.button("Presets").click()
    viewer.page.get_by_role("textbox", name=re.compile("Keep these settings as")).fill("Mine")
    viewer.page.keyboard.press("Enter")
    until(lambda: viewer.page.get_by_role("button", name="Keep", exact=True).is_enabled())
    viewer.page.get_by_role("button", name="Keep", exact=True).click()
    viewer.sees("Changes nothing: all is set so already.")
    viewer.page.reload()
    viewer.button("Run").wait_for()
    viewer.button("Presets").click()
    choose(viewer, "Mine (yours)")
    viewer.button("Delete").wait_for()
