"""A quiz on a page: nothing tells the answers before the end, a reload goes on with it, its cells are made."""

import json
from dataclasses import replace

import pytest

from components import quiz_state, rooms, sweep_page, sweep_tiles
from components.modality import Tile
from models.settings import Settings
from models.sweeps import cells, quiz, votes
from models.sweeps.quiz import Quiz
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request, Run
from tests.components.page_steps import links, messages, owner, press, said, settle, widget

PAGE = "pages/text.py"
MODEL = "text/story-gpt"
REQUEST = Request(model=MODEL, inputs={"prompt": "Once"}, params={"max_new_tokens": 5}, seed=2)
SWEEP = Sweep(REQUEST, (Axis("temperature", (1.37, 0.21, 0.77)), Axis("seed", (0, 1))))


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    monkeypatch.setattr(sweep_page, "_is_open", lambda box: True)
    monkeypatch.setattr("components.presence.session_id", lambda: "me")


def packed(made):
    return quiz.link_to("http://x/text", made).split("quiz=")[1]


def opened_by_link(pages, made):
    return pages.open(PAGE, quiz=packed(made))


def address(page):
    """Return what a page's address says of the quiz that stands in its tab."""
    return {name: page.query_params[name] for name in page.query_params if name == quiz_state.MARK}


def everything(page):
    """Return all that the browser is sent to draw a page, as text."""
    every = [node for block in (page.main, page.sidebar) for node in block]
    return "".join(str(node.proto) for node in every if getattr(node, "proto", None) is not None)


def cards(page):
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return [data["cells"] for data in found if "cells" in data]


def made(pages, asked):
    page = opened_by_link(pages, asked)
    return settle(pages, press(page, "text-quiz-make"))


def test_a_link_opens_the_quiz_alone_and_its_cells_are_made_for_what_it_says(pages):
    page = opened_by_link(pages, Quiz(SWEEP, "order", "temperature", (), 3))
    assert page.title[0].value.replace("\\", "") == "Put in order: Temperature"
    assert "6 cells · about" in said(page)
    assert not page.text_area  # neither prompt nor settings nor earlier results
    assert not page.slider
    assert "quiz" not in page.query_params
    press(page, "text-quiz-make")
    page = settle(pages, page)
    assert len(pages.engine.ran) == 6
    press(page, "text-quiz-start")
    assert [[card["letter"] for card in row] for row in cards(page)] == [["A", "B", "C"]]


def test_nothing_on_the_page_tells_a_value_before_the_end(pages):
    asked = Quiz(SWEEP, "order", "temperature", (), 3)
    page = press(made(pages, asked), "text-quiz-start")
    for number in range(2):
        sent = everything(page)
        assert "Choose in order" in sent
        assert MODEL not in sent
        assert not [value for value in ("1.37", "0.21", "0.77") if value in sent]
        box = page.multiselect[0]
        assert box.label == "Choose in order, from the lowest Temperature to the highest"
        assert next(one for one in page.button if one.label == "Next").disabled
        box.set_value(["A", "B", "C"]).run()
        next(one for one in page.button if one.label == "Next").click()
        page.run()
        assert number == 1 or "2 of 2" in everything(page)
    plan = cells.plan(_catalog(), SWEEP)
    right, many = quiz.score(quiz.rounds(plan, asked), [(0, 1, 2), (0, 1, 2)])
    assert f"**{right} of {many} right.** By chance alone it would be about 2." in said(page)
    told = [[card["told"].split(" · ")[0] for card in row] for row in cards(page)]
    assert told == [["Temperature 0.21", "Temperature 0.77", "Temperature 1.37"]] * 2


def _catalog():
    from models.catalog import load_catalog

    return load_catalog(Settings())


def test_a_value_is_guessed_and_an_answer_can_be_taken_back(pages):
    asked = Quiz(SWEEP, "guess", "temperature", (), 3)
    rounds = quiz.rounds(cells.plan(_catalog(), SWEEP), asked)
    page = press(made(pages, asked), "text-quiz-start")
    assert [[card["letter"] for card in row] for row in cards(page)] == [["?"]]

    def guess(place):
        page.radio[0].set_value(place).run()
        next(one for one in page.button if one.label == "Next").click()
        page.run()

    assert [one.replace("\\", "") for one in page.radio[0].options] == [
        "Temperature 0.21",
        "Temperature 0.77",
        "Temperature 1.37",
    ]
    wrong = next(at for at in range(3) if at != rounds[0].places[0])
    guess(wrong)
    next(one for one in page.button if one.label == "Back").click()
    page.run()
    for one in rounds[:-1]:
        guess(one.places[0])
    guess(next(at for at in range(3) if at != rounds[-1].places[0]))
    assert f"**{len(rounds) - 1} of {len(rounds)} right.**" in said(page)
    assert [card["told"].endswith("right") for card in cards(page)[0]] == [True] * (len(rounds) - 1) + [False]


def test_a_reload_goes_on_where_it_was_and_leaving_brings_the_page_back(pages):
    page = press(made(pages, Quiz(SWEEP, "guess", "temperature", (), 3)), "text-quiz-start")
    page.radio[0].set_value(0).run()
    next(one for one in page.button if one.label == "Next").click()
    page.run()
    again = pages.open(PAGE, **address(page))
    assert "2 of 6" in everything(again)
    press(again, "text-quiz-leave")
    assert again.text_area
    assert not address(again)
    assert any("states" in json.loads(item.proto.json) for item in again.get("bidi_component"))  # the sweep's grid


def test_a_quiz_stands_in_its_own_tab_alone(pages):
    page = opened_by_link(pages, Quiz(SWEEP, "order", "temperature", (), 3))
    other = pages.open(PAGE)
    assert other.text_area
    assert not messages(other)
    second = opened_by_link(pages, Quiz(SWEEP, "guess", "temperature", (), 3))
    press(second, "text-quiz-leave")
    again = pages.open(PAGE, **address(page))
    assert again.title[0].value.replace("\\", "") == "Put in order: Temperature"
    assert not messages(again)


def test_a_mark_of_no_quiz_is_an_ordinary_page(pages):
    page = pages.open(PAGE, sitting="0f0f0f0f")
    assert page.text_area
    assert not messages(page)
    assert not address(page)


def test_of_many_quizzes_the_newest_are_kept(pages):
    first = opened_by_link(pages, Quiz(SWEEP, "order", "temperature", (), 0))
    for seed in range(quiz_state.KEPT_MOST):
        last = opened_by_link(pages, Quiz(SWEEP, "order", "temperature", (), seed + 1))
    assert pages.open(PAGE, **address(first)).text_area
    assert not pages.open(PAGE, **address(last)).text_area


def test_cells_that_are_there_are_not_made_again_and_some_questions_can_be_asked_without_the_rest(pages):
    page = made(pages, Quiz(Sweep(REQUEST, (Axis("temperature", (0.21, 0.77)),)), "guess", "temperature"))
    ran = len(pages.engine.ran)
    of = Sweep(REQUEST, (Axis("temperature", (0.21, 0.77, 1.37)),))
    page = opened_by_link(pages, Quiz(of, "guess", "temperature", (), 1))
    assert "3 cells · 2 already here" in said(page)
    assert widget(page, "button", "text-quiz-start").label == "Start with the 2 that are there"
    settle(pages, press(page, "text-quiz-make"))
    assert len(pages.engine.ran) == ran + 1
    assert widget(page, "button", "text-quiz-start").label == "Start"


def test_pairs_are_voted_blind_and_kept_with_their_names(pages):
    of = Sweep(REQUEST, (Axis("temperature", (1.37, 0.21)), Axis("seed", (0, 1, 2))))
    asked = Quiz(of, "blind", "temperature", (1.37, 0.21), 1)
    page = press(made(pages, asked), "text-quiz-start")
    for label in ("A is better", "No difference", "B is better"):
        sent = everything(page)
        assert "No difference" in sent
        assert not [value for value in ("1.37", "0.21") if value in sent]
        assert [[card["letter"] for card in row] for row in cards(page)] == [["A", "B"]]
        next(one for one in page.button if one.label == label).click()
        page.run()
    kept = pages.store.votes(owner(pages))
    rounds = quiz.rounds(cells.plan(_catalog(), of), asked)
    assert [one["content"]["vote"] for one in kept] == ["A", "no difference", "B"]
    assert [one["content"]["shown_as_a"] for one in kept] == [(1.37, 0.21)[one.places[0]] for one in rounds]
    first, second, neither = votes.counts(kept)
    verdict = quiz.verdict("Temperature 1.37", "Temperature 0.21", (first, second, neither))
    assert verdict in said(page)
    assert "Pair" in said(page)
    assert any(item.label == "All your votes (CSV)" for item in page.get("download_button"))
    press(page, next(one.key for one in page.button if one.label == "Again"))
    next(one for one in page.button if one.label == "A is better").click()
    page.run()
    assert len(pages.store.votes(owner(pages))) == 4  # a second sitting does not take the first one's place


def test_a_quiz_is_made_of_the_sweep_that_stands_on_the_page(pages):
    page = made(pages, Quiz(SWEEP, "order", "temperature", (), 3))
    press(page, "text-quiz-leave")
    kind = next(one for one in page.get("button_group") if one.label == "Ask")
    assert kind.options
    next(one for one in page.number_input if one.key.endswith("quiz-seed")).set_value(8).run()
    link = next(one for one in links(page) if "quiz=" in one)
    opened = quiz.from_link(link.split("quiz=")[1])
    assert (opened.kind, opened.axis, opened.seed) == ("order", "temperature", 8)
    press(page, next(one.key for one in page.button if one.label == "Open the quiz"))
    assert page.title[0].value.replace("\\", "") == "Put in order: Temperature"
    assert widget(page, "button", "text-quiz-start").label == "Start"


@pytest.mark.parametrize(("text", "words"), [
    ("bm9uZQ", "damaged"), ("x" * 3000, "damaged"),
    (packed(Quiz(Sweep(REQUEST, (Axis("temperature", (1.0, 99.0)),)), "guess", "temperature")), "temperature is 99"),
    (packed(Quiz(Sweep(REQUEST.model_copy(update={"model": "text/none"}), SWEEP.axes), "guess", "temperature")),
     "text/none"),
])  # fmt: skip
def test_a_link_that_cannot_be_opened_is_a_sentence_and_the_page_is_there(pages, text, words):
    page = pages.open(PAGE, quiz=text)
    assert any(words in one for one in messages(page))
    assert page.text_area


def test_a_quiz_of_another_version_leaves_the_page_as_it_is(pages):
    page = pages.open(PAGE)
    press(page, "run")
    kept = {"ab": {"quiz": '{"v": 7}', "asked": "x", "answers": 3}, "cd": 7}
    pages.store.save_note(owner(pages), "text-quizzes", kept)
    assert pages.open(PAGE, sitting="ab").text_area
    assert pages.open(PAGE, sitting="cd").text_area


# -- what a cell shows -------------------------------------------------------------------------------------------------


def run(output):
    return Run("r", "me", "j", REQUEST, "done", 0.0, [output], {}, None)


def test_a_cell_of_a_quiz_has_no_word_of_its_making(monkeypatch):
    def cell(output, read):
        return Tile("heard", text="Reel in D · 6/8", data=b"sound", media_type="audio/mpeg", note="tempo 120")

    room = replace(rooms.of(MODEL), cells={"text": cell})
    monkeypatch.setattr(rooms, "of", lambda model: room)
    shown = sweep_tiles.untold(run(Output("text", text="Once more", meta={"prompt_chars": 4})), lambda one: b"")
    assert shown == Tile("heard", data=b"sound", media_type="audio/mpeg")


def test_a_text_without_words_of_its_own_does_not_tell_the_prompt():
    shown = sweep_tiles.untold(run(Output("text", text="Once", meta={"prompt_chars": 4})), lambda one: b"")
    assert (shown.text, shown.note) == ("", "No words.")
    shown = sweep_tiles.untold(run(Output("text", text="Once more", meta={"prompt_chars": 4})), lambda one: b"")
    assert shown.text == "more"


def test_a_picture_in_a_quiz_carries_no_settings():
    import numpy as np

    from models.image.files import CHUNK, image_output

    output = image_output(np.zeros((32, 32, 3), np.uint8), {"request": {"params": {"guidance_scale": 4.25}}})
    assert CHUNK.encode() in output.data
    made_by = Request(model="image/emoji-diffusion", inputs={"prompt": "x"})
    shown = sweep_tiles.untold(
        Run("r", "me", "j", made_by, "done", 0.0, [output], {}, None), lambda one: output.data
    )  # fmt: skip
    assert shown.kind == "seen"
    assert CHUNK.encode() not in shown.data
    assert b"4.25" not in shown.data
