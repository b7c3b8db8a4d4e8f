"""The Home page: three sentences and a first run with one click."""

import streamlit as st

from components.example import example_run
from models.catalog import load_catalog
from models.labels import own_words
from models.settings import Settings
from tests.components.page_steps import settle, stories


def test_what_a_page_cannot_handle_is_a_sentence(pages, monkeypatch):
    from components import runtime
    from models.errors import CatalogError

    def wrong():
        raise CatalogError("The catalogue folder /nowhere does not exist.")

    monkeypatch.setattr(runtime, "catalog", wrong)
    page = pages.open("Home.py")
    assert not page.exception
    assert "does not exist" in page.error[0].value


def test_home_says_what_this_is_and_starts_a_first_run(pages):
    page = pages.open("Home.py")
    intro = next(item.value for item in page.markdown if "playground for generative AI" in item.value)
    assert intro.count(". ") + 1 == 3
    next(button for button in page.button if button.key == "first-run").click()
    page.run()
    assert not page.exception
    settle(pages, page)
    assert pages.engine.ran[0].inputs["prompt"] == "Once upon a time a small dragon"
    assert any(fresh.endswith("word2") for _, fresh in stories(page))


def test_the_first_story_is_seen_whatever_the_text_page_was_set_to(pages):
    page = pages.open("Home.py")
    page.session_state["text-model"] = "text/story-chat"
    page.session_state["text-mode"] = "Chat"
    next(button for button in page.button if button.key == "first-run").click()
    page.run()
    assert not page.exception
    settle(pages, page)
    assert page.session_state["text-model"] == pages.engine.ran[0].model == "text/story-gpt"
    assert page.session_state["text-mode"] == "Write"
    assert any(fresh.endswith("word2") for _, fresh in stories(page))


def test_every_room_stands_on_home_with_an_example_of_its_first_model(pages):
    page = pages.open("Home.py")
    labels = [link.proto.label for link in page.get("page_link")]
    assert labels == [
        "**Text**",
        "**Text tasks**",
        "**Image**",
        "**Audio**",
        "All models: what they take, what is here, what can be got",
    ]
    captions = [item.value for item in page.caption]
    story = example_run(load_catalog(Settings())["text/story-gpt"])
    told = " ".join(story.outputs[0].text.split())[:60]  # from its prompt on: no text begins in a sentence's middle
    assert not own_words(story.outputs[0]).startswith(told[:20])
    assert any(text.replace("\\", "").startswith(told) for text in captions), captions
    assert "tune in 6/8, D major" in [text.replace("\\", "") for text in captions]
    assert len(page.get("image")) == 1
    assert "mark" in page.get("vega_lite_chart")[0].proto.spec


def test_a_page_that_fails_can_be_left(pages, monkeypatch, caplog):
    from components import home

    drawn = home.show

    def show():
        if "bad" in st.query_params or "bad" in st.session_state:
            st.session_state["bad"] = True
            raise ZeroDivisionError("a fault of ours")
        drawn()

    monkeypatch.setattr(home, "show", show)
    page = pages.open("Home.py", bad="1")
    assert "ZeroDivisionError" in page.error[0].value
    assert "a page failed" in caplog.text
    page.query_params.clear()
    assert "ZeroDivisionError" in page.run().error[0].value  # what the session holds brings it back
    kept = owner_of(page)
    next(button for button in page.button if button.key == "shell-afresh").click()
    page.run()
    assert not page.exception
    assert not page.error
    assert any("playground for generative AI" in item.value for item in page.markdown)
    assert owner_of(page) == kept


def owner_of(page):
    return [page.session_state[name] for name in ("owner-token", "owner-kept") if name in page.session_state]
