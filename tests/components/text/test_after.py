"""What is under a finished text: attention, layers, state, tokens."""

import base64

import numpy as np
import pytest

from components import rooms
from components.text import head_grid, insides, token_parts
from models.errors import BadInput
from models.types import Run
from tests.components.image_desk import CATALOG, OWNER, choices, components, widget
from tests.components.page_steps import said
from tests.components.text.text_desk import REFUSED, STORY, TextDesk
from tests.fake_texts import HEADS, LAYERS

DESK = TextDesk


@pytest.fixture
def recurrent(desk, monkeypatch):
    """Make the story model one with a state, as far as the catalogue says."""
    from components import runtime

    spec = CATALOG[STORY]
    facts = {**spec.facts, "insides": ["state"]}
    monkeypatch.setitem(CATALOG._specs, STORY, spec.model_copy(update={"facts": facts}))
    monkeypatch.setattr(runtime, "catalog", lambda: CATALOG)
    return desk


def opened(desk, name, **params):
    desk.finished(**params)
    desk.open(name)
    return desk.settle()


def data_of(page, name):
    return next(data for data in components(page) if name in data)


def table(data):
    """Return the attention that a view shows, tokens × tokens."""
    count = len(data["pieces"])
    found = np.zeros((count, count))
    packed = np.frombuffer(base64.b64decode(data["rows"]), np.uint8)
    found[np.tril_indices(count)] = (packed / 255) ** 2
    return found


def test_a_text_model_offers_what_its_facts_say(desk):
    assert choices(desk.finished()) == [
        "Microscope",
        "Tipping points",
        "Attention",
        "Layers",
        "Tokens",
        "Show the code",
        "Make again",
    ]
    assert desk.looks() == []


def test_a_recurrent_model_offers_its_state(recurrent):
    assert choices(recurrent.finished()) == [
        "Microscope",
        "Tipping points",
        "State",
        "Tokens",
        "Show the code",
        "Make again",
    ]


def test_a_run_that_kept_nothing_offers_its_tokens_alone(desk):
    run = Run("a", OWNER, "b", desk_request(), "done", 0.0)
    looks = rooms.room("text").looks
    names = [look.name for look in looks if look.fits(CATALOG, run)]
    assert names == ["Tokens"]
    gone = Run("a", OWNER, "b", desk_request().model_copy(update={"model": "text/gone"}), "done", 0.0)
    assert not any(look.fits(CATALOG, gone) for look in looks)


def desk_request():
    from models.types import Request

    return Request(model=STORY, inputs={"prompt": "A"})


def test_attention_begins_with_the_mean_and_is_looked_for_once(desk):
    page = opened(desk, "Attention")
    request = desk.engine.ran[-1]
    assert (request.study, request.model) == ("attention", STORY)
    assert request.inputs == {"prompt": "A", "view": desk.kept()}
    data = data_of(page, "rows")
    assert data["pieces"] == list(desk.engine.pieces)  # whatever they hold: the component writes textContent
    assert (data["prompt"], data["first"], data["title"]) == (2, 0, "all layers and heads")
    np.testing.assert_allclose(table(data), desk.engine.attention().mean((0, 1)), atol=5e-3)
    desk.draw()
    assert desk.looks() == ["attention"]


def test_a_head_is_chosen_by_two_selectors(desk):
    page = opened(desk, "Attention")
    assert widget(page, "selectbox", "-head").disabled
    widget(page, "selectbox", "-layer").set_value(1)
    page.run()
    data = data_of(page, "rows")
    assert data["title"] == "layer 2, all heads"
    np.testing.assert_allclose(table(data), desk.engine.attention()[1].mean(0), atol=5e-3)
    widget(page, "selectbox", "-head").set_value(1)
    page.run()
    data = data_of(page, "rows")
    assert data["title"] == "layer 2, head 2"
    np.testing.assert_allclose(table(data), desk.engine.attention()[1, 1], atol=5e-3)
    grid = data_of(page, "thumbs")
    assert (grid["layers"], grid["heads"], grid["chosen"]) == (LAYERS, HEADS, [1, 1])
    assert desk.looks() == ["attention"]


def test_the_page_gets_one_table_and_never_all(desk):
    page = opened(desk, "Attention")
    count = len(desk.engine.pieces)
    assert len(base64.b64decode(data_of(page, "rows")["rows"])) == count * (count + 1) // 2
    assert all(not output.data for output in page.session_state["studies-found"].popitem()[1].outputs)


@pytest.mark.parametrize("value", [None, "x", [0], [0, 9], [9, 0], [-1, 0], [0.0, 1], [True, 0], {"a": 1}])
def test_a_pick_that_no_head_has_is_none(value):
    assert head_grid.read_pick(value, LAYERS, HEADS) is None


def test_a_pick_is_a_head():
    assert head_grid.read_pick([2, 1], LAYERS, HEADS) == (2, 1)


def test_shares_survive_as_bytes():
    shares = np.array([0, 0.001, 0.01, 0.2, 1.0])
    np.testing.assert_allclose((token_parts.roots(shares) / 255) ** 2, shares, rtol=0.13, atol=1e-6)
    assert token_parts.roots(np.array([1.0, 2.0])).tolist() == [255, 255]


def test_what_is_not_shown_is_said(desk):
    desk.engine.first = 300
    page = opened(desk, "Attention")
    assert "The text has 306 tokens; the attention of its last 6 are shown." in said(page)
    before = np.frombuffer(base64.b64decode(data_of(page, "rows")["before"]), np.uint8)
    np.testing.assert_allclose((before / 255) ** 2, 0.25, atol=5e-3)


def test_the_layers_are_a_table_of_words(desk):
    page = opened(desk, "Layers")
    data = data_of(page, "names")
    assert data["names"] == ["Embeddings (before layer 1)", "After layer 1", "After layer 2", "After layer 3"]
    assert data["pieces"] == list(desk.engine.pieces)
    cell = data["rows"][3][5]
    assert cell["top"][0] == [" <b>w0</b>", 0.5]
    assert len(cell["top"]) == 5
    assert (cell["strength"], cell["came"], cell["rank"]) == (0.5, 1.0, 2)
    settled = (
        "At 3 of 6 positions the final prediction already led before the last layer; at 2, by half of the 3 layers."
    )
    assert settled in said(page)
    widget(page, "button_group", "-colour").set_value("Actual token's probability")
    page.run()
    assert data_of(page, "names")["rows"][3][5]["strength"] == 1.0
    assert desk.looks() == ["lens"]


def test_a_wide_table_is_shown_in_part(desk, monkeypatch):
    monkeypatch.setattr(insides, "WINDOW", 3)
    page = opened(desk, "Layers")
    assert data_of(page, "names")["pieces"] == list(desk.engine.pieces[2:5])  # from the first written token on
    assert data_of(page, "names")["prompt"] == 0
    widget(page, "slider", "-from").set_value(1)
    page.run()
    data = data_of(page, "names")
    assert data["pieces"] == list(desk.engine.pieces[:3])
    assert (data["prompt"], len(data["rows"][0])) == (2, 3)


def test_the_state_of_a_layer_is_drawn(recurrent):
    page = opened(recurrent, "State")
    data = data_of(page, "values")
    assert data["title"] == "Hidden state of layer 3"
    assert data["units"] == [17, 18, 19, 20]
    assert data["change"] == [24, 25, 26, 27, 28, 29]
    values = (np.frombuffer(base64.b64decode(data["values"]), np.uint8).reshape(4, 6) - 128.0) / 127 * data["most"]
    expected = np.arange(LAYERS * 2 * 4 * 6).reshape(LAYERS, 2, 4, 6) / 100
    np.testing.assert_allclose(values, expected[2, 0], atol=data["most"] / 200)
    widget(page, "selectbox", "-layer").set_value(0)
    widget(page, "button_group", "-kind").set_value("Cell state")
    page.run()
    data = data_of(page, "values")
    assert (data["title"], data["units"]) == ("Cell state of layer 1", [5, 6, 7, 8])
    assert "4 of 100 units are shown" in said(page)
    assert recurrent.looks() == ["state"]


def test_the_tokens_of_the_text_are_those_that_were_written(desk):
    page = opened(desk, "Tokens")
    data = data_of(page, "ids")
    assert [piece["text"] for piece in data["pieces"]] == list(desk.engine.pieces)
    assert (data["prompt"], data["tokens"], data["ids"]) == (2, 6, False)
    assert "6 tokens (1 special) · 40 characters, 8.0 per token · 40 bytes · 6 different tokens" in said(page)
    assert "Tokenised afresh, this text would have 4 tokens" in said(page)
    widget(page, "toggle", "-ids").set_value(True)
    page.run()
    assert data_of(page, "ids")["ids"]
    assert desk.looks() == []  # no forward pass


def test_any_text_and_the_prompt_box_can_be_cut(desk):
    page = opened(desk, "Tokens")
    page.session_state["text-prompt"] = "the prompt box"
    widget(page, "button_group", "-of").set_value("The prompt box")
    page.run()
    assert [piece["text"] for piece in data_of(page, "ids")["pieces"]] == ["<|story|>", "the", "prompt", "box"]
    widget(page, "button_group", "-of").set_value("Another text")
    page.run()
    assert data_of(page, "label")["label"] == "Any text"
    assert [piece["text"] for piece in data_of(page, "ids")["pieces"]] == ["<|story|>"]


def test_a_text_that_cannot_be_cut_gets_its_sentence(desk):
    desk.engine.tool_error = REFUSED
    assert "The text is *too* long." in said(opened(desk, "Tokens"))


def test_nothing_is_asked_of_an_engine_that_warms_up(desk):
    desk.engine.phase = "warming"
    desk.engine.tool_error = AssertionError("it was asked")
    assert "starting up" in said(opened(desk, "Tokens"))


@pytest.mark.parametrize(("name", "study"), [("Attention", "attention"), ("Layers", "lens")])
def test_each_variant_is_looked_into_by_itself(desk, name, study):
    page = opened(desk, name, num_variants=3)
    assert desk.engine.ran[-1].inputs["view"] == desk.kept(0)
    pills = widget(page, "button_group", "-variant")
    assert [option.content for option in pills.proto.options] == ["1", "2", "3"]
    pills.set_value(2)
    page.run()
    desk.settle()
    assert desk.engine.ran[-1].inputs["view"] == desk.kept(2)
    assert desk.looks() == [study, study]


def test_a_look_that_fails_says_why(desk):
    desk.finished()
    desk.engine.fail_with = BadInput("It *cannot* be shown.")
    desk.open("Attention")
    assert "It *cannot* be shown." in said(desk.settle())


def test_a_look_that_was_cleared_from_the_store_says_so(desk):
    page = opened(desk, "Attention")
    digest = next(iter(page.session_state["studies-found"].values())).outputs[0].sha256
    desk.store.path(digest).unlink()
    assert "The saved analysis was deleted. Open it again to recompute it." in said(desk.draw())


def test_another_model_s_view_of_a_text_is_asked_for_once(desk):
    from streamlit.testing.v1 import AppTest

    def page():
        import streamlit as st

        from components import session as sessions
        from components.text import insides

        session = sessions.here()
        views = session.jobs.jobs_of(session.owner)
        run = next(one for view in views for one in view.runs if not one.request.study)
        found = insides.rescored(session, run, insides.kept(run)[0], "text/story-gpt")
        if found is not None:
            st.text(str(found["bits"]["kl"]))

    desk.finished()
    desk.page = AppTest.from_function(page, default_timeout=20)
    desk.draw()
    assert "1.0" in said(desk.settle())
    assert desk.engine.ran[-1].inputs["view"] == desk.kept()
    desk.draw()
    assert desk.looks() == ["rescore"]
