"""A reload, a new tab and the app's restart find what a browser made; another browser finds nothing."""

import re

from tests.browser.conftest import App, until


def write_and_run(viewer, prompt):
    viewer.open_odd(prompt, steps=3)
    viewer.run()
    return viewer.done()


def prompt(viewer):
    return viewer.page.get_by_role("textbox", name="Prompt", exact=True).first


def finds(viewer, text):
    until(lambda: text in viewer.text())
    assert prompt(viewer).input_value() == "mine"
    viewer.page.get_by_role("spinbutton", name="steps").or_(viewer.page.get_by_text("steps")).first.wait_for()


def test_a_reload_and_a_new_tab_find_prompt_settings_and_result_and_another_browser_nothing(session):
    viewer = session()
    text = write_and_run(viewer, "mine")
    viewer.settled()
    viewer.page.goto(viewer.app.url("text"))  # as typed anew: no setting is in the address
    finds(viewer, text)
    viewer.settled()
    assert "odd.steps=3" in viewer.address()
    tab = viewer.context.new_page()
    tab.goto(viewer.app.url("text"))
    tab.get_by_text(text).first.wait_for()
    other = session()
    other.open("text", model="text/odd")
    other.sees("Does what its prompt says.")
    other.settled()
    assert prompt(other).input_value() != "mine"
    assert text not in other.page.content()


def test_the_cookie_is_a_random_number_for_a_day_and_stays_on_this_site(session):
    viewer = session()
    viewer.open("text")
    cookie = until(lambda: next((c for c in viewer.context.cookies() if c["name"] == "playground_owner"), None))
    assert cookie["sameSite"] == "Strict"
    assert re.fullmatch("[A-Za-z0-9_-]{43}", cookie["value"])
    viewer.settled()
    viewer.button("Your results").click()
    viewer.sees("A cookie with a random number")
    lasts = cookie["expires"] - viewer.page.evaluate("Date.now() / 1000")
    assert 23 * 3600 < lasts <= 24 * 3600 + 60


def test_forget_me_deletes_the_cookie_and_what_hangs_on_it(session):
    viewer = session()
    text = write_and_run(viewer, "mine")
    viewer.page.reload()
    until(lambda: text in viewer.text())
    viewer.button("Your results").click()
    viewer.button("Forget me").click()
    until(lambda: not any(c["name"] == "playground_owner" for c in viewer.context.cookies()))
    viewer.settled()
    assert text not in viewer.page.content()
    viewer.page.goto(viewer.app.url("text", model="text/odd"))
    viewer.sees("Does what its prompt says.")
    viewer.settled()
    assert text not in viewer.page.content()


def test_the_apps_restart_loses_nothing(session, tmp_path):
    first = App(tmp_path)
    try:
        viewer = session(app=first)
        text = write_and_run(viewer, "mine")
    finally:
        first.close()
    second = App(tmp_path)
    try:
        viewer.page.goto(second.url("text"))
        finds(viewer, text)
    finally:
        second.close()
