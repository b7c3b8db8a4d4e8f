"""Results beside one another on any page: kept ones, a setting at three values, comparisons among the earlier ones."""

import json
from types import SimpleNamespace

import pytest

from components import rooms, run_list, setting_menu
from models.catalog import load_catalog
from models.settings import Settings
from models.types import Output, Request, Run
from tests.components.page_steps import messages, owner, press, said, settle, stories, widget

PAGE = "pages/text.py"
STORY = "story-gpt"


def ran(pages, page, **settings):
    for name, value in settings.items():
        widget(page, "slider", f"{STORY}.{name}").set_value(value)
    page.run()
    return settle(pages, press(page, "run"))


def keep(page):
    return press(page, next(item.key for item in page.button if item.key.startswith("keep-")))


def test_a_kept_result_stands_beside_the_next_by_what_differs(pages):
    page = keep(ran(pages, pages.open(PAGE)))
    assert "Kept" in [item.label for item in page.button]
    page = ran(pages, page, temperature=1.2)
    bold = [item.value.replace("\\", "") for item in page.markdown]
    assert "**Temperature 0.8**" in bold
    assert "**Temperature 1.2** · now" in bold
    press(page, next(item.key for item in page.button if item.key.startswith("let-go-")))
    assert not any("· now" in item.value for item in page.markdown)
    assert len(pages.store.runs(owner(pages))) == 2


def test_a_kept_result_of_another_model_says_its_model(pages):
    page = ran(pages, keep(ran(pages, pages.open(PAGE))), temperature=1.2)
    widget(page, "selectbox", "text-model").set_value("text/story-lstm")
    bold = [item.value.replace("\\", "") for item in page.run().markdown]
    assert {"**Story GPT · Temperature 0.8**", "**Story GPT · Temperature 1.2** · now"} <= set(bold)


def test_a_kept_result_stays_while_the_next_is_made_and_after_a_comparison(pages):
    page = keep(ran(pages, pages.open(PAGE)))
    pages.engine.gate.clear()
    press(page, "run")
    assert any(item.key.startswith("let-go-") for item in page.button)
    pages.engine.gate.set()
    settle(pages, page)
    requests = [Request(model=f"text/{STORY}", inputs={"prompt": "x"}, seed=seed) for seed in range(2)]
    pages.jobs.submit(owner(pages), requests, "sweep")
    settle(pages, page)
    assert any(item.key.startswith("let-go-") for item in page.button)


@pytest.fixture
def menus(monkeypatch):
    """Return what each setting's menu offers, by the setting's name: AppTest draws no menus."""
    found = {}
    monkeypatch.setattr(setting_menu, "draw", lambda model, item, ways: found.update({item.name: ways}))
    return found


def choose(page, monkeypatch, name, words):
    """Choose something in a setting's menu, within the script as a press is."""
    done = []

    def draw(model, item, ways):
        if item.name == name and not done:
            done.append(name)
            ways[words]()

    monkeypatch.setattr(setting_menu, "draw", draw)
    page.run()
    monkeypatch.setattr(setting_menu, "draw", lambda *given: None)


def test_a_setting_runs_at_three_values_as_one_job(pages, menus, monkeypatch):
    page = pages.open(PAGE)
    assert list(menus["temperature"]) == ["Compare 0.4, 0.8 and 1.4", "Vary in a sweep"]
    assert list(menus["stop"]) == ["Vary in a sweep"]  # a list has no next value
    choose(page, monkeypatch, "temperature", "Compare 0.4, 0.8 and 1.4")
    settle(pages, page)
    assert [request.params["temperature"] for request in pages.engine.ran] == [0.8, 0.4, 1.4]  # the middle first
    assert {request.seed for request in pages.engine.ran} == {0}
    data = next(data for item in page.get("bidi_component") if "states" in (data := json.loads(item.proto.json)))
    assert data["axes"] == [{"label": "Temperature", "values": [f"Temperature {one}" for one in (0.4, 0.8, 1.4)]}]
    assert data["states"] == "ccc"
    parts = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    assert "Temperature 0.4" in [part["name"] for part in parts if part.get("place") == "opened"]  # the first in full
    assert {run.purpose for run in pages.store.runs(owner(pages))} == {"sweep"}
    # once it is an earlier result it is one row, by the setting that differs no more
    settle(pages, press(page, "run"))
    assert [item.label for item in page.expander if "3 results" in item.label]


def test_a_run_in_another_room_is_told_with_a_link_until_it_is_over(pages, monkeypatch):
    page = ran(pages, pages.open(PAGE))
    me = owner(pages)
    monkeypatch.setattr(
        "components.elsewhere.st.page_link", lambda page, label, icon: __import__("streamlit").text(label)
    )
    pages.engine.gate.clear()
    pages.jobs.submit(me, [Request(model="image/emoji-diffusion", inputs={"prompt": "x"})])
    page.run()
    assert "A run of yours is in progress on the Image page" in said(page)
    assert any("One run at a time" in one for one in messages(press(page, "run")))
    pages.engine.gate.set()
    settle(pages, page)
    assert "in progress" not in said(page)
    assert "One run at a time" not in said(page)


def test_a_look_stays_open_past_a_result_that_does_not_offer_it(pages):
    page = ran(pages, pages.open(PAGE))
    choice = next(item for item in page.get("button_group") if item.key.endswith("-choice"))
    choice.set_value("Tokens")
    page.run()
    settle(pages, press(page, "run"))
    again = next(item for item in page.get("button_group") if item.key.startswith("after-") and
                 item.key.endswith("-choice"))  # fmt: skip
    assert again.key != choice.key
    assert again.value == "Tokens"


def test_a_living_run_leaves_the_open_look_in_its_place(pages):
    page = ran(pages, pages.open(PAGE))
    next(item for item in page.get("button_group") if item.key.endswith("-choice")).set_value("Tokens")
    page.run()
    pages.engine.gate.clear()
    press(page, "run")
    assert any(item.key.startswith("after-") for item in page.get("button_group") if item.key.endswith("-choice"))
    assert "Of the result before" in said(page)


def test_rows_are_named_by_their_own_words_and_what_differs(pages):
    page = pages.open(PAGE)
    for value in (0.8, 1.2, 1.2):
        page = ran(pages, page, temperature=value)
    rows = [item.label.replace("\\", "") for item in page.expander if "word0" in item.label]
    assert rows == ["Temperature 1.2 · word0 word1 word2", "Temperature 0.8 · word0 word1 word2"]
    assert stories(page)


def test_a_large_job_of_another_page_takes_no_result_away(pages):
    """What a page lists is its own: hundreds of runs made elsewhere leave it as it is."""
    owner = "ann"
    for number in range(260):
        request = Request(model="image/emoji-vae", inputs={"prompt": "x"}, seed=number)
        pages.store.save_run(Run(f"i{number}", owner, "many", request, "done", 100.0 + number, purpose="sweep"))
    pages.store.save_run(
        Run("t", owner, "one", Request(model="text/story-gpt", inputs={"prompt": "A"}), "done", 1.0,
            [Output("text", 0, "A story of old", b"A story of old", "text/plain", "", {"prompt_chars": 1})])
    )  # fmt: skip
    found = [run.id for run in newest_of(pages, "text/story-gpt", owner)]
    assert found == ["t"]
    assert [run.id for run in newest_of(pages, "image/emoji-vae", owner)] == ["i259"]  # of a large job the newest


def newest_of(pages, model, owner):
    catalog = load_catalog(Settings(), strict=False)
    session = SimpleNamespace(owner=owner, jobs=SimpleNamespace(store=pages.store), catalog=catalog)
    return run_list.newest(SimpleNamespace(session=session, page=rooms.page_of(catalog, model)))
