"""Conversations in a real browser: turns that stream, branches, Stop, reloads, links, a narrow screen."""

import re

import pytest

from tests.browser.conftest import until


class Talk:
    """A conversation with the odd model that has a chat template."""

    def __init__(self, session, steps=3, step_s=0.05, **options):
        self.reader = session(**options)
        self.page = self.reader.page
        self.reader.open(**{"model": "text/talker", "talker.steps": steps, "talker.step_s": step_s})
        self.box.wait_for()

    @property
    def box(self):
        return self.page.get_by_test_id("stChatInputTextArea")

    def send(self, text):
        until(self.box.is_enabled)
        self.box.fill(text)
        self.box.press("Enter")

    def said(self):
        """Return the texts of the conversation on show."""
        return [text.strip() for text in self.page.locator("p.said").all_inner_texts()]

    def last(self):
        """Return the last text of the conversation on show, "" where there is none."""
        return (self.said() or [""])[-1]

    def shows(self, *texts, timeout_s=60):
        until(lambda: self.said() == list(texts), timeout_s)

    def button(self, name, place=0):
        return self.page.get_by_role("button", name=name, exact=True).nth(place)


def answer(question, steps=3, seed=0):
    return " ".join(f"{question}-{seed}-{step}" for step in range(steps))


def test_two_turns_a_branch_and_the_way_back(session):
    talk = Talk(session)
    talk.send("one")
    talk.shows("one", answer("one"))
    talk.send("two")
    talk.shows("one", answer("one"), "two", answer("two"))
    talk.page.get_by_role("button", name="Edit").first.click()
    words = talk.page.get_by_role("textbox", name="Your message")
    words.wait_for()
    words.fill("other")
    words.press("Control+Enter")
    talk.shows("other", answer("other"))
    talk.page.get_by_text("2 of 2").wait_for()
    talk.button("‹").click()
    talk.shows("one", answer("one"), "two", answer("two"))
    talk.page.get_by_role("button", name="Next seed").last.click()
    talk.shows("one", answer("one"), "two", answer("two", seed=1))
    talk.button("‹", 1).click()
    talk.shows("one", answer("one"), "two", answer("two"))


def test_an_answer_streams_and_stop_keeps_it_marked(session):
    talk = Talk(session, steps=10_000)
    talk.send("long")
    until(lambda: "long-0-3" in talk.last())
    assert talk.box.is_disabled()
    talk.reader.button("Stop").click()
    talk.page.get_by_text("stopped by you").wait_for()
    text = talk.last()
    assert text.startswith("long-0-0 long-0-1")
    talk.page.get_by_role("button", name="Next seed").wait_for()
    until(talk.box.is_enabled)


def test_a_reload_in_the_middle_of_an_answer_finds_it_again(session):
    talk = Talk(session, steps=100, step_s=0.1)
    talk.page.get_by_text("System prompt").first.click()
    talk.page.get_by_role("textbox", name="System prompt").fill("Count.")
    talk.page.get_by_role("textbox", name="System prompt").press("Control+Enter")
    talk.send("keep")
    until(lambda: "keep-0-4" in talk.last())
    talk.page.reload()
    until(lambda: talk.said() and "keep-0-8" in talk.said()[-1], 15)
    talk.shows("keep", answer("keep", 100))
    talk.page.get_by_text("System prompt: Count").wait_for()


def test_going_to_another_page_and_back_keeps_the_conversation(session):
    talk = Talk(session)
    talk.send("one")
    talk.shows("one", answer("one"))
    nav = talk.page.get_by_test_id("stSidebarNav")
    nav.get_by_role("link", name="Image").click()
    talk.page.get_by_role("heading", name="Image").wait_for()
    nav.get_by_role("link", name="Text", exact=True).click()
    talk.shows("one", answer("one"))


def test_a_copied_link_gives_the_same_conversation_to_someone_else(session):
    talk = Talk(session)
    talk.send("one")
    talk.shows("one", answer("one"))
    talk.send("two")
    talk.shows("one", answer("one"), "two", answer("two"))
    talk.page.get_by_role("button", name="Share").click()
    talk.reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    talk.page.get_by_role("button", name="Copy link").press("Enter")
    talk.page.get_by_role("button", name="Copied").wait_for()
    link = talk.page.evaluate("navigator.clipboard.readText()")
    other = Talk(session)
    other.page.goto(link)
    other.shows("one", answer("one"))
    other.page.get_by_text("This answer came with a link or a file.").wait_for()
    until(lambda: other.box.input_value() == "two")
    other.box.press("Enter")
    other.shows("one", answer("one"), "two", answer("two"))


def test_a_refused_turn_comes_back_into_the_box(session):
    talk = Talk(session)
    talk.send("segfault")
    talk.page.get_by_text(re.compile("worker process")).first.wait_for()
    talk.page.get_by_role("button", name="New conversation").click()
    until(lambda: talk.said() == [])
    talk.send("nothing\0")
    talk.page.get_by_text("null byte").wait_for()
    until(lambda: talk.box.input_value().startswith("nothing"))


def test_markup_in_a_conversation_is_text(session):
    nasty = '<img src=x onerror="window.hacked=1"><b>bold</b>**stars**'
    talk = Talk(session)
    talk.send(nasty)
    talk.shows(nasty, answer(nasty))
    assert talk.page.evaluate("window.hacked") is None
    assert talk.page.locator("p.said b, p.said img").count() == 0


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_conversation_fits_its_window_and_names_its_controls(session, width, scheme):
    talk = Talk(session, viewport={"width": width, "height": 900}, color_scheme=scheme)
    talk.send("word" * 60)
    talk.page.get_by_role("button", name="Next seed").wait_for()
    wide = talk.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert talk.page.get_by_test_id("stException").count() == 0
    over = talk.page.locator("p.said").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert max(over) <= 0
    nameless = talk.page.evaluate(
        """() => [...document.querySelectorAll('.stMainBlockContainer button, .stMainBlockContainer textarea')]
            .filter(node => node.offsetParent && node.checkVisibility({visibilityProperty: true}))
            .filter(node => !(node.ariaLabel || node.innerText.trim() || node.title
            || node.getAttribute('aria-labelledby') || (node.labels && node.labels.length)))
            .map(node => node.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
