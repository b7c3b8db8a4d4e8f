"""From a setting to a sweep over it by its menu, by mouse and by keyboard, wide and on a phone."""

import re

from tests.browser.conftest import until

PHONE = {"width": 390, "height": 844}


def axis(viewer, label):
    """Return the field of an axis's values."""
    return viewer.page.get_by_label(re.compile(f"^(Rows|Columns|Tabs|Strip): {label}")).first


def test_a_settings_menu_opens_the_sweep_with_its_values_and_the_grid_comes(session):
    viewer = session()
    viewer.open("image")
    viewer.button("Run").wait_for()
    viewer.settled()
    assert not axis(viewer, "Guidance").count()
    viewer.button(re.compile("Compare values of Guidance$")).click()
    viewer.page.get_by_role("menuitem", name="Vary in a sweep").click()
    axis(viewer, "Guidance").wait_for()  # the box was closed
    until(lambda: len(axis(viewer, "Guidance").input_value().split(", ")) == 3)
    viewer.sees(re.compile("The sweep varies Guidance"))
    # the menu beside Run, without a mouse
    viewer.settled()
    menu = viewer.button(re.compile("Sweep$"))
    menu.focus()
    viewer.page.keyboard.press("Enter")
    viewer.page.get_by_role("menuitem", name="Seed", exact=True).wait_for()
    viewer.page.get_by_role("menuitem", name="Seed", exact=True).press("Enter")
    axis(viewer, "Seed").wait_for()
    until(lambda: axis(viewer, "Seed").input_value() == "0, 1, 2, 3")
    until(lambda: viewer.button("Run the sweep").is_enabled(), 30)
    viewer.settled()
    viewer.button("Run the sweep").click()
    viewer.page.locator(".sweep .table .cell").first.wait_for()
    assert viewer.page.locator(".sweep .table .cell").count() == 12


def test_on_a_phone_the_menu_says_where_the_values_stand(session):
    viewer = session()
    viewer.page.set_viewport_size(PHONE)
    viewer.open("text")
    viewer.button("Run").wait_for()
    viewer.settled()
    viewer.button(re.compile("Sweep$")).click()
    viewer.page.get_by_role("menuitem", name="Prompt", exact=True).click()
    axis(viewer, "Prompt").wait_for()
    viewer.sees(re.compile("The sweep varies Prompt"))
    assert viewer.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
