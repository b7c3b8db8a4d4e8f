"""Quizzes in a real browser: by link in somebody else's, by keyboard alone, on a phone, in the dark."""

import re

from models.settings import Settings
from models.store import Store
from models.sweeps import quiz
from models.sweeps.quiz import Quiz
from models.sweeps.spec import Axis, Sweep
from models.types import Request
from tests.browser.conftest import until

PHONE = {"width": 390, "height": 844}
FIRST_MS = 120_000  # the libraries are loaded first
VALUES = (0.31, 1.47)
REQUEST = Request(model="text/story-gpt", inputs={"prompt": "Once upon a time"}, params={"max_new_tokens": 12})
SWEEP = Sweep(REQUEST, (Axis("temperature", VALUES), Axis("seed", (0, 1))))


def cells(viewer):
    return viewer.page.locator("figure")


def make(viewer):
    """Make the cells that are missing, and begin."""
    viewer.button(re.compile("^Make ")).click()
    viewer.button("Start").click(timeout=FIRST_MS)


def tells(viewer):
    """Return the compared values that the page tells anywhere: in texts, attributes, addresses of files."""
    everything = """() => {
        const all = (root) => [...root.querySelectorAll("*")].flatMap((one) =>
            one.shadowRoot ? [one, ...all(one.shadowRoot)] : [one]);
        return [location.href, ...all(document.body).map((one) =>
            [...one.attributes ?? []].map((at) => at.value).join(" ")
            + " " + (one.shadowRoot ? one.shadowRoot.textContent : ""))].join(" ") + document.body.innerText;
    }"""
    text = viewer.page.evaluate(everything)
    return [value for value in VALUES if str(value) in text]


def test_a_quiz_is_made_of_a_sweep_and_opens_by_its_link_in_another_browser(session, app):
    link = quiz.link_to("http://x/text", Quiz(SWEEP, "order", "temperature", (), 7)).split("quiz=")[1]
    first = session().open("text", quiz=link)
    first.sees("Put in order: Temperature")
    make(first)
    cells(first).nth(1).wait_for()
    shown = [cells(first).nth(at).inner_text() for at in (0, 1)]
    second = session(viewport=PHONE, color_scheme="dark", has_touch=True, is_mobile=True).open("text", quiz=link)
    second.sees(re.compile("^4 cells · about"))  # what somebody else made is not theirs
    make(second)
    cells(second).nth(1).wait_for()
    assert [cells(second).nth(at).inner_text() for at in (0, 1)] == shown  # a class sees the same
    assert tells(second) == []
    assert second.page.evaluate("document.documentElement.scrollWidth <= 390")
    second.page.reload()
    second.sees("1 of 2")
    tab = second.context.new_page()
    tab.goto(app.url("text"))
    tab.get_by_role("button", name="Run", exact=True).wait_for()  # an ordinary page
    tab.close()
    second.button("Leave the quiz").click()
    second.button("Run").wait_for()


def test_a_blind_comparison_is_voted_by_keyboard_alone(session, app):
    link = quiz.link_to("http://x/text", Quiz(SWEEP, "blind", "temperature", VALUES, 7)).split("quiz=")[1]
    viewer = session().open("text", quiz=link)
    viewer.sees("Which is better?")

    def press(name):
        """Go to a button by Tab and press it."""
        viewer.button(name).wait_for()
        focused = "document.activeElement?.tagName === 'BUTTON' ? document.activeElement.innerText : ''"
        for _ in range(40):
            if name in viewer.page.evaluate(focused):
                break
            viewer.page.keyboard.press("Tab")
        assert name in viewer.page.evaluate(focused)
        viewer.page.keyboard.press("Enter")

    press("Make 4 cells")
    viewer.button("Start").wait_for(timeout=FIRST_MS)
    press("Start")
    viewer.sees("1 of 2")
    until(lambda: cells(viewer).count() == 2)
    assert tells(viewer) == []
    viewer.page.keyboard.press("b")
    viewer.sees("2 of 2")
    assert tells(viewer) == []
    viewer.page.keyboard.press("n")
    viewer.sees(re.compile("was preferred in 1 of 1 vote"))
    viewer.sees("All your votes (CSV)")
    store = Store(Settings(data_dir=app.folder / "data"))
    with store._read() as connection:
        owners = {row[0] for row in connection.exec_driver_sql("select owner from votes")}
    kept = [one for owner in owners for one in store.votes(owner)]
    assert [one["content"]["vote"] for one in kept] == ["B", "no difference"]
    assert until(lambda: tells(viewer)) == list(VALUES)
