"""A room with two pages: each has its own models, results and links, and keys of its own."""

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from components import links, rooms, runtime
from components import session as sessions
from components.modality import Modality, RoomPage
from models.types import Request
from tests.components.page_steps import messages, press, said, settle_all, widget
from tests.components.toy_app import OWNER, ROOT

FIRST = RoomPage(Path("a.py"), "A", ":material/help:", "")
SECOND = replace(FIRST, script=Path("b.py"), families=("tall", "wide"))
THIRD = replace(FIRST, script=Path("c.py"))


@pytest.fixture
def app(toy):
    """Return what opens a page of the toy's room within the app, as its navigation does."""
    folder, jobs = toy
    home = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not home.exception, home.exception

    def opened(script, **query):
        home.query_params.clear()
        home.query_params.update(query)
        home.switch_page(str(folder / "rooms" / "dance" / script)).run()
        assert not home.exception, home.exception
        return home

    return opened, jobs


def ran(jobs, page):
    press(page, "run")
    return settle_all(jobs, OWNER, page)


def models(page):
    return next(item for item in page.selectbox if item.label == "Model").options


def titles(page):
    return [item.value for item in page.title]


def test_a_page_has_the_families_it_names_and_the_first_without_names_the_rest():
    room = Modality("toy", (FIRST, SECOND, THIRD), {})
    assert [room.page_for(name) for name in ("tall", "wide", "round", "")] == [SECOND, SECOND, FIRST, FIRST]
    assert replace(room, pages=(SECOND, THIRD)).page_for("round") == THIRD
    assert replace(room, pages=(SECOND,)).page_for("round") == SECOND  # no model is without a page
    assert [room.place(page) for page in room.pages] == ["toy", "toy/b", "toy/c"]


def test_a_model_that_is_gone_belongs_to_the_first_page(toy):
    catalog = runtime.catalog()
    pages = rooms.room("dance").pages
    assert [rooms.page_of(catalog, f"dance/{name}") for name in ("waltz", "march", "gone")] == [
        pages[0], pages[1], pages[0],
    ]  # fmt: skip
    found = [[spec.id for spec in rooms.models_on(catalog, page)] for page in pages]
    assert found == [["dance/waltz"], ["dance/march"]]


def test_every_page_of_our_rooms_has_models(monkeypatch):
    catalog = runtime.catalog()
    shown = [spec.id for room in rooms.every().values() for page in room.pages
             for spec in rooms.models_on(catalog, page)]  # fmt: skip
    assert sorted(shown) == sorted(spec.id for spec in catalog.values())


def test_each_page_lists_its_own_models_and_keeps_its_own_prompt(app):
    opened, _ = app
    page = opened("dance.py")
    assert (titles(page), models(page)) == (["Dance"], ["Waltz"])
    widget(page, "text_area", "dance-prompt").set_value("a tango")
    page.run()
    page = opened("drill.py")
    assert (titles(page), models(page)) == (["Drill"], ["March"])
    assert widget(page, "text_area", "dance/drill-prompt").value == "about turn"
    assert widget(opened("dance.py"), "text_area", "dance-prompt").value == "a tango"


def test_a_result_of_one_page_is_not_shown_on_the_other(app):
    opened, jobs = app
    page = ran(jobs, opened("drill.py"))
    made = f"Danced: {jobs.jobs_of(OWNER)[-1].runs[0].outputs[0].text}"
    assert made in said(page)
    press(page, next(item.key for item in page.button if item.key.startswith("keep-")))
    page = opened("dance.py")
    assert "Danced: " not in said(page)
    assert "Your results gather here" in said(page)
    assert not [item for item in page.button if item.key.startswith("let-go-")]
    ran(jobs, page)
    page = ran(jobs, opened("drill.py"))
    assert made in said(page)  # still kept
    assert [item.key for item in page.button if item.key.startswith("let-go-")]
    assert [item.label.split(" ")[0] for item in page.expander if item.key.startswith("row-")] != []
    assert all("waltz" not in item.label.lower() for item in page.expander)


def test_a_link_opens_the_page_of_its_model(app):
    opened, _ = app
    link = links.link_to("http://x/", Request(model="dance/march", inputs={"order": "halt"}, params={"ranks": 5}))
    packed = link.partition("r=")[2]
    for script in ("drill.py", "dance.py"):
        page = opened(script, r=packed)
        assert titles(page) == ["Drill"]
        assert widget(page, "text_area", "dance/drill-prompt").value == "halt"
        assert widget(page, "slider", "march.ranks").value == 5
        assert "Press Run to see what was shared." in said(page)
        assert links.REQUEST not in page.query_params
    page = opened("dance.py")
    assert "Press Run to see what was shared." not in said(page)
    assert widget(page, "text_area", "dance-prompt").value == "a waltz in the rain"


def test_an_address_that_names_a_model_of_the_other_page_is_told(app):
    opened, _ = app
    page = opened("dance.py", model="dance/march")
    assert "The address asks for dance/march, which is not a model of this page." in messages(page)
    assert models(page) == ["Waltz"]


def test_a_run_on_the_other_page_is_told_with_its_page(app, monkeypatch):
    opened, jobs = app
    gone = []
    monkeypatch.setattr("components.elsewhere.st.page_link", lambda page, label, icon: gone.append((page, label)))
    hold = rooms.folder("dance").parents[1] / "catalog" / "weights" / "hold"
    hold.touch()
    page = opened("dance.py")
    press(page, "run")
    opened("drill.py")
    assert gone[-1] == (rooms.room("dance").page.script, "A run of yours is in progress on the Dance page\\. Open it")
    hold.unlink()
    settle_all(jobs, OWNER, page)


def test_a_result_taken_by_the_other_page_opens_it(app):
    opened, jobs = app
    page = ran(jobs, opened("dance.py"))
    steps = jobs.jobs_of(OWNER)[-1].runs[0].outputs[0].text
    next(button for button in page.button if button.label == "Drill it").click()
    page.run()
    assert not page.exception, page.exception
    assert titles(page) == ["Drill"]
    assert widget(page, "text_area", "dance/drill-prompt").value == steps
    assert "Drill it" not in [button.label for button in page.button]


def test_what_a_page_held_is_there_after_a_reload_and_the_other_page_is_as_it_was(app, toy):
    opened, _ = app
    page = opened("drill.py")
    widget(page, "text_area", "dance/drill-prompt").set_value("left wheel")
    page.run()
    page.run()
    again = AppTest.from_file(toy[0] / "rooms" / "dance" / "drill.py", default_timeout=30).run()
    assert widget(again, "text_area", "dance/drill-prompt").value == "left wheel"
    other = AppTest.from_file(toy[0] / "rooms" / "dance" / "dance.py", default_timeout=30).run()
    assert widget(other, "text_area", "dance-prompt").value == "a waltz in the rain"


def test_a_page_that_its_room_does_not_declare_is_a_sentence(toy):
    folder, _ = toy
    file = folder / "rooms" / "dance" / "drill.py"
    file.write_text(file.read_text("utf-8").replace("Path(__file__).stem", '"polka"'), "utf-8")
    home = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    home.switch_page(str(file)).run()
    assert not home.exception
    assert messages(home) == [
        "The room dance declares no page with the script polka.py, only dance.py, drill.py. Add a RoomPage for it to "
        "its page.py, then restart the app."
    ]


def test_home_has_an_example_on_every_page(toy, monkeypatch):
    from components import home

    folder, _ = toy
    (folder / "rooms" / "dance" / "examples").mkdir()
    for model, text in (("waltz", "left left"), ("march", "halt")):
        (folder / "rooms" / "dance" / "examples" / f"dance-{model}.json").write_text(
            f'{{"model": "dance/{model}", "seed": 3, "params": {{}}, "inputs": {{"prompt": "a jig"}}, "outputs": '
            f'[{{"kind": "dance", "index": 0, "text": "{text}", "media_type": "text/plain", "meta": {{}}}}]}}', "utf-8",
        )  # fmt: skip
    drawn = []
    monkeypatch.setattr(home.result, "draw_tile", lambda room, output, key: drawn.append((key, output.text)))
    monkeypatch.setattr(home.st, "page_link", lambda page, *, label, icon: None)
    home._draw_room(sessions.here(), rooms.room("dance"))
    assert drawn == [("home-dance", "left left"), ("home-dance/drill", "halt")]
