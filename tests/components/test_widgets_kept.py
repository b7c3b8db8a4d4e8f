"""A session keeps nothing of the widgets of results long gone."""

import gc

from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1 import AppTest

from models.types import Run
from tests.components.page_steps import press, settle, widget

HOME = "Home.py"
PAGE = "pages/text.py"


def session_of(page):
    found = page.session_state
    while not isinstance(found, SessionState):
        found = found._state
    return found


def test_however_many_runs_a_session_makes_it_keeps_the_widgets_of_the_last(pages):
    page = pages.open(HOME).switch_page(PAGE).run()
    counts = []
    for number in range(8):
        widget(page, "text_area", "text-prompt").set_value(f"prompt {number}").run()
        page = settle(pages, press(page, "run"))
        counts.append(len(session_of(page)._new_widget_state.widget_metadata))
    folds = 8 - 2  # each earlier result has one more, and twenty at most are listed
    assert counts[-1] - counts[1] <= 2 * folds
    named = {key for key in session_of(page)._key_id_mapper._key_id_mapping if key.startswith("keep-")}
    assert len(named) <= 3  # now, and the time before
    gc.collect()
    alive = {run.id for run in gc.get_objects() if type(run) is Run and run.outputs and run.outputs[0].data}
    assert len(alive) <= 4


def draws():
    import streamlit as st

    from components import state

    pressed = st.session_state.setdefault("pressed", [])
    turn = st.session_state.get("turn", 0)
    st.session_state["turn"] = turn + 1
    st.button("Always", key="always", on_click=pressed.append, args=("always",))
    if turn < 2:
        st.text_input("Name", key="name", persist_state="session")
        st.text_input("Gone", key="gone")
    st.session_state["dropped"] = state.let_go_of_widgets()


def test_what_is_drawn_again_works_on_and_what_persists_is_kept():
    page = AppTest.from_function(draws).run()
    page.text_input(key="name").set_value("ann")
    page.text_input(key="gone").set_value("bob").run()
    assert page.session_state["dropped"] == 0
    page.run()
    assert page.session_state["dropped"] == 0  # drawn the time before
    page.run()
    assert page.session_state["dropped"] == 1
    assert page.session_state["name"] == "ann"
    page.button(key="always").click().run()
    assert page.session_state["pressed"] == ["always"]


def test_the_events_of_a_component_are_kept_as_long_as_it_is_drawn(pages):
    page = pages.open(HOME).switch_page(PAGE).run()
    page = settle(pages, press(page, "run"))

    def events():
        return {name for name in session_of(page)._new_widget_state.widget_metadata if name.endswith("__events")}

    for _ in range(3):  # what was drawn while it ran alone is let go of
        page.run()
    found = events()
    assert found
    for _ in range(3):  # it is registered at its first draw alone
        page.run()
    assert events() == found
