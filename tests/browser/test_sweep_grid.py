"""The grid of a sweep by itself, over results that are made at once: headings, lines, keys, sounds, where it stands."""

import re
from urllib.parse import urlencode

import pytest

from models.sweeps.page import to_html
from tests.browser.conftest import until
from tests.browser.sweep_grid_app import HEBREW, LONG
from tests.browser.test_image_components import Demo
from tests.browser.test_sweeps import FOCUSED, NOTE_PLAYED
from tests.models.sweeps.test_results import CATALOG, planned

PLACE = "one => { const { x, y } = one.getBoundingClientRect(); return [Math.round(x), Math.round(y)]; }"
SCROLL = "one => [one.scrollLeft, one.scrollTop]"
LINES = """all => all.map(one => {
    const inner = one.getBoundingClientRect(), outer = one.closest(".cell").getBoundingClientRect();
    const line = parseFloat(getComputedStyle(one).lineHeight);
    return [inner.height / line, inner.bottom <= outer.bottom && inner.top >= outer.top];
})"""
IN_TABLE = """one => {
    const box = one.getBoundingClientRect(), room = one.closest(".table").getBoundingClientRect();
    return box.left >= room.left && box.right <= room.right && box.top >= room.top && box.bottom <= room.bottom;
}"""


class Grid(Demo):
    """The page of the grid."""

    script = "tests/browser/sweep_grid_app.py"

    def url(self, page="", **query):
        return f"http://127.0.0.1:{self.port}/?{urlencode(query)}"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    demo = Grid(tmp_path_factory.mktemp("demo"))
    yield demo
    demo.close()


def opened(session, options=None, **query):
    """Return a viewer of a grid whose first results are there."""
    viewer = session(**(options or {})).open(**query)
    viewer.page.locator(".sweep .cell").first.wait_for()
    if "late" not in query:
        viewer.page.locator(".sweep .cell .text, .sweep .cell img").first.wait_for()
    viewer.settled()
    return viewer


def part(viewer, name):
    return viewer.page.locator(f".sweep {name}")


def cell(viewer, number):
    return part(viewer, f".cell[data-cell='{number}']")


def test_headings_stay_in_sight_when_the_table_scrolls(session):
    viewer = opened(session, axes="12,12")
    table, corner = part(viewer, ".table"), part(viewer, ".head.corner")
    column, row = part(viewer, ".head.column").nth(5), part(viewer, ".head.row").nth(5)
    at = [one.evaluate(PLACE) for one in (column, row, corner)]
    table.evaluate("one => one.scrollTo(300, 500)")
    moved = [one.evaluate(PLACE) for one in (column, row, corner)]
    assert moved == [[at[0][0] - 300, at[0][1]], [at[1][0], at[1][1] - 500], at[2]]
    x, y = corner.evaluate(PLACE)
    on_top = "(one, [x, y]) => one.getRootNode().elementFromPoint(x, y).className"
    assert table.evaluate(on_top, [x + 9, y + 9]) == "head corner"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_page_of_a_sweep_scrolls_as_a_whole_and_its_headings_stay(browser, width, scheme):
    sweep = planned(("top_k", range(1, 41)), ("temperature", [at / 10 for at in range(3, 15)]), ("seed", (0, 1)))
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_content(to_html(CATALOG, sweep, {}))
    title, tabs, column = page.locator("h1"), page.get_by_role("tablist"), page.get_by_role("columnheader").nth(9)
    row = page.get_by_role("rowheader").nth(9)
    page.evaluate("scrollTo(900, 0)")
    assert 0 < title.bounding_box()["x"] == tabs.bounding_box()["x"] < 40
    assert title.bounding_box()["width"] < width
    page.evaluate("scrollTo(900, 600)")
    assert column.bounding_box()["y"] == 0
    assert row.bounding_box()["x"] == 0
    page.close()


def test_a_long_prompt_is_shortened_in_sight_and_whole_in_words(session):
    viewer = opened(session, axes="4,2", order="2,0", kind="hebrew")
    long, hebrew = part(viewer, ".head.row").first, part(viewer, ".head.row").nth(1)
    assert long.bounding_box()["height"] <= cell(viewer, 0).bounding_box()["height"] + 1
    assert long.locator(".value").bounding_box()["height"] < 110  # px: five lines
    assert LONG in long.get_attribute("title")
    assert LONG in long.get_attribute("aria-label")
    assert LONG in cell(viewer, 0).get_attribute("title")
    ways = "one => [getComputedStyle(one).direction, getComputedStyle(one).unicodeBidi]"
    assert hebrew.locator(".value").evaluate(ways) == ["rtl", "isolate"]
    assert long.locator(".value").evaluate(ways) == ["ltr", "isolate"]
    assert cell(viewer, 0).locator(".text").evaluate(ways) == ["rtl", "isolate"]
    assert f"\u2068“{HEBREW}”\u2069" in cell(viewer, 2).get_attribute("title")
    part(
        viewer,
        ".acts button",
    ).filter(has_text="Transpose").click()
    assert part(viewer, ".head.column").first.bounding_box()["height"] < 90  # three lines


def test_texts_end_with_a_whole_line(session):
    viewer = opened(session, axes="3,5", measure="1")
    until(lambda: part(viewer, ".cell .text").count() == 15)
    for many, inside in part(viewer, ".cell .text, .cell .note, .cell .mark").evaluate_all(LINES):
        assert abs(many - round(many)) < 0.05
        assert inside


def test_a_card_of_a_quiz_ends_with_a_whole_line_and_shows_the_rest_when_asked(session):
    viewer = session(viewport={"width": 390, "height": 844}).open(kind="cards")
    texts, more = viewer.page.locator("figure .text"), viewer.page.locator("figure button")
    more.first.wait_for()
    line = texts.first.evaluate("one => parseFloat(getComputedStyle(one).lineHeight)")
    assert abs(texts.first.bounding_box()["height"] - 14 * line) < 1
    assert [one.is_visible() for one in more.all()] == [True, False]
    more.first.click()
    until(lambda: texts.first.bounding_box()["height"] > 20 * line)
    assert texts.first.evaluate("one => one.scrollHeight <= one.clientHeight + 1")


def test_the_value_of_a_measure_stands_in_its_cell(session):
    viewer = opened(session, axes="2,2", measure="1")
    assert part(viewer, ".mark").all_inner_texts() == ["0.10", "0.24", "0.39", "0.53"]
    assert cell(viewer, 2).get_attribute("aria-label").endswith("Repetition: 0.39")
    assert cell(viewer, 2).get_attribute("title").endswith("Repetition: 0.39")


@pytest.mark.parametrize("role", ["columns", "rows", "tabs", "strip"])
def test_no_column_is_kept_for_headings_of_rows_that_are_none(session, role):
    viewer = opened(session, axes="3")
    part(viewer, ".axes select").select_option(role)
    until(lambda: cell(viewer, 0).count())
    assert part(viewer, ".head.corner").count() == 0
    left = part(viewer, ".table").evaluate(PLACE)[0] + 1
    if role == "rows":
        assert part(viewer, ".head.row").first.evaluate(PLACE)[0] == left
    else:
        assert cell(viewer, 0).evaluate(PLACE)[0] == left


def test_headings_are_reached_by_arrows_hidden_by_delete_and_are_no_stops_of_tab(session):
    viewer = opened(session, axes="3,3")
    page = viewer.page
    assert part(viewer, ".table [tabindex='0']").count() == 1
    assert {one.get_attribute("tabindex") for one in part(viewer, ".table button").all()} == {"0", "-1"}
    cell(viewer, 1).focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate(FOCUSED) == "seed 1"
    page.keyboard.press("Delete")
    assert [one.get_attribute("aria-label") for one in part(viewer, ".head.column").all()] == ["seed 0", "seed 2"]
    assert page.evaluate(FOCUSED) == "seed 2"  # in its place
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED).startswith("Temperature 0, seed 2: ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUSED) == "Temperature 0"
    part(viewer, ".acts button").filter(has_text="Show all").click()
    assert part(viewer, ".head.column").count() == 3


def test_what_is_pressed_in_the_bar_keeps_the_focus(session):
    viewer = opened(session, axes="2,2")
    viewer.button("Transpose").focus()
    viewer.page.keyboard.press("Enter")
    assert part(viewer, ".head.row").first.inner_text().startswith("seed 0")
    active = "one => one.getRootNode().activeElement?.textContent"
    assert part(viewer, ".bar").evaluate(active) == "Transpose"


def test_sounds_play_by_key_and_on_hover_only_where_that_is_switched_on(session):
    viewer = opened(session, axes="2,2", kind="sound")
    page = viewer.page
    viewer.button("Play on hover").wait_for()
    page.evaluate(NOTE_PLAYED)
    played = "window.played.length"
    cell(viewer, 0).hover()
    cell(viewer, 1).hover()
    assert page.evaluate(played) == 0
    cell(viewer, 0).focus()
    page.keyboard.press("ArrowRight")
    until(lambda: page.evaluate(played) == 2)
    page.keyboard.press(" ")  # pauses
    page.keyboard.press(" ")
    until(lambda: page.evaluate(played) == 3)
    viewer.button("Play on hover").click()
    assert page.evaluate(played) == 3  # what goes back to its place plays nothing
    cell(viewer, 2).hover()
    until(lambda: page.evaluate(played) == 4)


def test_a_place_that_a_script_alone_focuses_shows_no_ring_and_a_button_does(session):
    viewer = opened(session, axes="2,2")
    ring = "one => (one.focus(), getComputedStyle(one).outlineStyle)"
    viewer.page.keyboard.press("Tab")  # from here on it is a keyboard's focus
    assert viewer.page.get_by_role("region", name="Result").evaluate(ring) == "none"
    assert cell(viewer, 0).evaluate(ring) == "solid"
    cell(viewer, 0).press("Enter")
    back = viewer.button("Back to the grid")
    back.wait_for()
    assert viewer.page.get_by_role("heading", name="Temperature 0, seed 0").evaluate(ring) == "none"
    assert back.evaluate(ring) == "solid"


def test_the_grid_moves_to_what_is_made_and_stays_where_it_was_left(session):
    middle = ",".join(map(str, (210, 211, 209, 190)))
    viewer = opened(session, axes="20,20", made=middle, late="1")
    table = part(viewer, ".table")
    viewer.settled()
    assert table.evaluate(SCROLL) == [0, 0]  # nothing is made yet
    viewer.button("Let it be running").click()
    until(lambda: cell(viewer, 190).evaluate(IN_TABLE))
    table.hover()
    viewer.page.mouse.wheel(200, 300)
    until(lambda: (at := table.evaluate(SCROLL)) == table.evaluate(SCROLL) and at)
    viewer.page.wait_for_timeout(500)  # it rolls out
    left = table.evaluate(SCROLL)
    viewer.button("Let it be done").click()
    viewer.page.get_by_text("It is running.").wait_for(state="detached")
    viewer.settled()
    until(lambda: part(viewer, ".table").evaluate(SCROLL) == left, 10)
    assert part(viewer, ".cell").first.inner_text() == "Not made."


def test_a_cell_that_is_not_there_says_why_it_does_not_open(session):
    viewer = opened(session, axes="2,2", made="1", late="1")
    told = part(viewer, ".told")
    cell(viewer, 1).click()
    assert told.inner_text() == "This cell waits to be made. Press it again once it is there."
    viewer.button("Let it be running").click()
    until(lambda: not told.inner_text())  # it is there
    viewer.settled()
    viewer.button("Let it be done").click()
    viewer.page.get_by_text("It is running.").wait_for(state="detached")
    viewer.settled()
    cell(viewer, 0).click()
    assert "“Go on” makes what is left" in told.inner_text()
    assert viewer.button("Back to the grid").count() == 0
    cell(viewer, 1).click()
    viewer.button("Back to the grid").wait_for()
    assert not told.inner_text()


@pytest.mark.parametrize("scrolled", [False, True])
def test_a_grid_that_is_mounted_anew_stays_where_it_was_seen_unless_the_reader_scrolls(session, scrolled):
    viewer = opened(session, axes="20,20", made="210", late="1", short="1")
    table, main = part(viewer, ".table"), viewer.page.locator("[data-testid='stMain']")
    viewer.button("Let it be running").click()
    viewer.page.get_by_text("It is running.").wait_for()
    viewer.settled()
    viewer.button("Let it be done").focus()
    viewer.page.wait_for_timeout(300)  # it scrolls to it
    at, top = table.bounding_box()["y"], main.evaluate("one => one.scrollTop")
    viewer.page.keyboard.press("Enter")
    until(lambda: main.evaluate("one => one.scrollTop") < top - 50, 10)  # there is no more of the page
    if scrolled:
        until(lambda: table.count() and abs(table.bounding_box()["y"] - at) < 2, 10)
        viewer.page.mouse.move(20, 500)
        viewer.page.mouse.wheel(0, -150)
        until(lambda: abs(table.bounding_box()["y"] - at - 150) < 2, 10)
    viewer.settled()
    viewer.page.wait_for_timeout(500)
    assert abs(table.bounding_box()["y"] - at - 150 * scrolled) < 2


def test_a_grid_with_gaps_begins_at_the_first_cell_that_is_made(session):
    viewer = opened(session, axes="20,20", made="210,290")
    until(lambda: cell(viewer, 210).evaluate(IN_TABLE))


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_was_opened_comes_into_view_and_there_is_a_way_back(session, motion):
    viewer = opened(session, {"reduced_motion": motion}, axes="12,12")
    page, table = viewer.page, part(viewer, ".table")
    table.evaluate("one => one.scrollTo(200, 300)")
    cell(viewer, 53).click()
    name = page.get_by_role("heading", name="Temperature 4, seed 5")
    until(lambda: name.count() and 0 < name.bounding_box()["y"] < 300, 20)
    until(lambda: name.evaluate("one => one.getRootNode().activeElement === one"))
    viewer.button("Back to the grid").click()
    until(lambda: 0 < table.bounding_box()["y"] < 300, 20)
    assert table.evaluate(SCROLL) == [200, 300]
    assert re.match("Temperature 4, seed 5: ", page.evaluate(FOCUSED))
    viewer.settled()
    page.wait_for_timeout(500)
    assert 0 < table.bounding_box()["y"] < 300  # nothing brings it away again
    cell(viewer, 53).click()  # the same once more
    until(lambda: 0 < name.bounding_box()["y"] < 300, 20)
