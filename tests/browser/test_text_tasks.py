"""The page "Text tasks" in a real browser, on tiny random models that write and label nonsense."""

import re

import pytest

from tests.browser.conftest import App, until
from tests.browser.test_sweeps import done, open_box, start, vary
from tests.tiny.task_nets import write_task_models

PHONE = {"width": 390, "height": 844}
PARAGRAPH = "The cat sat. A dog ran!\n\n- rain fell to the sea\n- is this good?"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    app = App(tmp_path_factory.mktemp("tasks"), add=write_task_models)
    yield app
    app.close()


def opened(session, tasks, model, settings=None, **more):
    viewer = session(app=tasks, **more).open("text_tasks", model=f"text/{model}", **(settings or {}))
    box(viewer).wait_for()
    viewer.settled()
    return viewer


def box(viewer):
    return viewer.page.get_by_role("textbox", name="Text", exact=True)


def run(viewer, text):
    box(viewer).fill(text)
    box(viewer).press("Control+Enter")


def sides(viewer):
    """Return the sentences of the text and of its translation."""
    return [viewer.page.locator(f".translation .{side} .sentence") for side in ("source", "target")]


def test_a_paragraph_is_translated_side_by_side_and_looked_into(session, tasks):
    viewer = opened(session, tasks, "marian")
    run(viewer, PARAGRAPH)
    source, target = sides(viewer)
    until(lambda: target.count() == 4)
    assert source.all_inner_texts() == ["The cat sat.", "A dog ran!", "rain fell to the sea", "is this good?"]
    assert viewer.page.locator(".translation .source").inner_text() == PARAGRAPH
    source.nth(2).hover()  # its partner is marked
    until(lambda: "partner" in target.nth(2).get_attribute("class"))
    target.nth(1).locator(".word").first.click()
    until(lambda: "chosen" in source.nth(1).get_attribute("class"))
    viewer.sees(re.compile("confidence [0-9.]+%"))
    viewer.page.keyboard.press("ArrowRight")
    until(lambda: "chosen" in source.nth(2).get_attribute("class"))
    viewer.page.get_by_text("Alignment", exact=True).click()
    words = viewer.page.locator(".links .target .token")
    words.first.wait_for()
    words.last.click()
    viewer.sees("attends to")
    shaded = viewer.page.locator(".links .source .token")
    until(lambda: any("rgba" in (one.get_attribute("style") or "") for one in shaded.all()))


def test_a_glossary_s_word_is_kept_and_alternatives_are_listed(session, tasks):
    viewer = opened(session, tasks, "marian", {"marian.alternatives": 3})
    sidebar = viewer.page.get_by_test_id("stSidebar")
    sidebar.get_by_role("combobox", name="Glossary").click()
    viewer.page.keyboard.type("Zorro")
    viewer.page.get_by_role("option", name="Add: Zorro").click()
    viewer.page.keyboard.press("Escape")  # the open list hides the rest of the page
    sidebar.get_by_text("Zorro", exact=True).wait_for()
    viewer.settled()
    run(viewer, "the Zorro sat")
    viewer.page.locator(".translation .word.put").wait_for()
    assert "Zorro" in viewer.page.locator(".translation .target").inner_text()
    assert viewer.page.locator(".translation .others li").count() == 3
    viewer.page.locator(".translation .word.put").hover()
    viewer.sees("was put in from the glossary")


def test_a_csv_is_labelled_with_progress_and_downloaded(session, tasks, tmp_path):
    viewer = opened(session, tasks, "electra")
    choice = viewer.page.get_by_test_id("stSidebar").get_by_role("combobox", name="Label by")
    choice.click()
    viewer.page.get_by_role("option", name="column").click()
    rows = "".join(f"{at},{'the cat sat' if at % 2 else 'a dog ran to the sea'},{'good' if at % 3 else 'bad'}\n"
                   for at in range(3000))  # fmt: skip
    (tmp_path / "reviews.csv").write_text("id,review,stars\n" + rows, "utf-8")
    viewer.page.get_by_test_id("stFileUploader").last.locator("input[type=file]").set_input_files(
        tmp_path / "reviews.csv"
    )
    viewer.sees("3,000 rows, 3 columns")
    right = viewer.page.get_by_role("combobox", name="Column with the right labels")
    right.click()
    viewer.page.get_by_role("option", name="stars").click()
    viewer.settled()
    viewer.button("Run").first.click()
    viewer.sees(re.compile("3,000 rows: "))
    viewer.sees("Right label and the model's")
    until(lambda: viewer.page.get_by_test_id("stVegaLiteChart").count() >= 2)
    with viewer.page.expect_download() as file:
        viewer.page.get_by_role("button", name="Download", exact=True).click()
    lines = file.value.path().read_text("utf-8").splitlines()
    assert lines[0].startswith("id,review,stars,label,probability,p(")
    assert len(lines) == 3001


def test_a_label_s_words_are_shaded_by_what_they_pushed(session, tasks):
    viewer = opened(session, tasks, "electra")
    run(viewer, "the cat sat on the mat")
    viewer.page.get_by_text("Reasons", exact=True).click()
    words = viewer.page.locator(".pushes .token")
    words.first.wait_for()
    assert words.all_inner_texts() == ["the", "cat", "sat", "on", "the", "mat"]
    words.nth(2).click()
    viewer.sees(re.compile("“sat” (pushes (up|down)|hardly moves)"))


def test_beams_are_swept_against_the_length_penalty(session, tasks):
    viewer = opened(session, tasks, "marian")
    box(viewer).fill("the cat sat")
    open_box(viewer)
    vary(viewer, "Beams", "2, 3")
    vary(viewer, "Length penalty", "0, 1, 2")
    start(viewer)
    done(viewer, 6)
    assert viewer.page.locator(".sweep .table .cell").count() >= 6


def test_the_page_works_on_a_phone(session, tasks):
    viewer = opened(session, tasks, "marian", viewport=PHONE, has_touch=True, is_mobile=True)
    run(viewer, PARAGRAPH)
    source, target = sides(viewer)
    until(lambda: target.count() == 4)
    one, other = viewer.page.locator(".translation section").all()
    until(lambda: other.bounding_box()["y"] >= one.bounding_box()["y"] + one.bounding_box()["height"])  # below
    source.nth(1).tap()
    until(lambda: "chosen" in target.nth(1).get_attribute("class"))
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert viewer.page.evaluate(wide)
    viewer.page.get_by_text("Feelings and intentions").first.click()
    viewer.sees("Answers nonsense")
    viewer.settled()
    run(viewer, "the cat")
    viewer.page.get_by_test_id("stVegaLiteChart").first.wait_for()
    assert viewer.page.evaluate(wide)
