"""What is under a finished picture: its steps and its words."""

import pytest

from components import studies
from components.image import theatre
from models.errors import BadInput
from models.types import Output
from tests.components.image_desk import VAE, asked, choices, components, players, widget
from tests.components.page_steps import said
from tests.fake_pictures import COUNT
from tests.stored import kept_run


def test_nothing_runs_until_something_is_opened(desk):
    page = desk.finished()
    assert [name for name in choices(page) if name in ("Steps", "Words", "Walk")] == ["Steps", "Words", "Walk"]
    desk.draw()
    assert [request.study for request in desk.engine.ran] == [""]


def test_only_what_a_model_can_is_offered(desk):
    page = desk.finished(model=VAE)
    assert "Walk" in choices(page)
    assert not {"Steps", "Words"} & set(choices(page))


def test_the_steps_are_decoded_once_and_shown_in_step(desk):
    desk.finished()
    kept = next(one for one in desk.newest().runs[0].outputs if one.kind == "steps")
    reference = kept_run(desk.store, desk.newest().runs[0].id).outputs[-1].sha256
    desk.open("Steps")
    page = desk.settle()
    study = desk.engine.ran[-1]
    assert (study.study, study.seed, study.inputs["prompt"]) == ("steps", 7, "red *heart*")
    assert study.inputs["steps"] in (f"sha256:{reference}", f"sha256:{kept.sha256}")
    player = players(page)[0]
    assert len(player["urls"]) == 2
    assert player["count"] == COUNT
    assert player["captions"][1] == "step 2 of 5 · t = 700"
    assert player["marker"] == 2  # the third tile is where it stood still
    assert "From step 3 of 5 on (60% of the way), the predicted image was nearly the final one" in said(page)
    desk.draw()
    assert [request.study for request in desk.engine.ran] == ["", "steps"]


def test_the_sentence_is_one_story_and_older_steps_claim_nothing():
    def told(settled, count, total=0, **meta):
        return theatre.sentence(Output("steps", meta={"settled": settled, "count": count, "total": total, **meta}))

    for settled, count in ((14, 20), (35, 50), (70, 100)):
        words = told(settled, count, distance=[0.0] * count)
        assert words.startswith(f"From step {settled} of {count} on (70% of the way)")
    assert "50 steps" in told(14, 20, 50, distance=[0.0] * 20)
    assert "nearly" not in told(14, 20, 50, distance=[0.0] * 20)
    for old in (None, 19):  # counted by the change per step, which more steps make smaller
        words = told(old, 20, change=[0.1] * 20)
        assert "20 steps were taken" in words
        assert "settle" not in words and "may change" not in words


def test_the_words_are_shown_as_text_over_the_picture(desk):
    desk.finished(prompt="red *heart*")
    desk.open("Words")
    page = desk.settle()
    assert desk.engine.ran[-1] == asked().model_copy(update={"study": "words"})
    pills = widget(page, "button_group", "-word")
    assert [option.content for option in pills.proto.options] == ["red", r"\*heart\*"]
    pills.set_value(1)
    page.run()
    assert not page.exception
    labels = [one["label"] for data in components(page) if "pictures" in data for one in data["pictures"]]
    assert "*heart*" in labels
    assert "when this word is left out of the prompt" in said(page)
    assert [request.study for request in desk.engine.ran] == ["", "words"]


@pytest.mark.parametrize("name", ["Steps", "Words"])
def test_a_page_drawn_anew_while_a_study_runs_shows_how_far_it_is(desk, name):
    desk.finished()
    desk.engine.gate.clear()
    desk.open(name)
    desk.wait(lambda view: view.progress is not None)
    page = desk.draw()  # a whole-page draw, as after any widget elsewhere
    assert "1 of 3" in said(page) or page.get("progress")
    assert [request.study for request in desk.engine.ran] == ["", name.lower()]


def test_a_study_that_fails_says_why_and_is_begun_again_on_a_press_alone(desk):
    desk.finished()
    desk.engine.fail_with = BadInput("The kept *steps* are damaged.")
    desk.open("Steps")
    page = desk.settle()
    assert "The kept *steps* are damaged." in said(page)
    desk.draw()
    assert [request.study for request in desk.engine.ran] == ["", "steps"]
    desk.engine.fail_with = None
    next(button for button in page.button if button.label == "Try again").click()
    page.run()
    page = desk.settle()
    assert players(page)


def test_a_study_under_way_can_be_stopped(desk):
    desk.finished()
    desk.engine.gate.clear()
    desk.open("Steps")
    page = desk.draw()
    next(button for button in page.button if button.label == "Stop").click()
    page.run()
    desk.wait()
    page = desk.draw()
    assert "Stopped before the analysis was finished" in said(page)


def test_a_session_holds_the_newest_studies_alone(desk, monkeypatch):
    monkeypatch.setattr(studies, "KEPT", 2)
    for seed in (1, 2, 3):
        desk.finished(seed=seed)
        desk.open("Steps")
        desk.settle()
    assert len(desk.page.session_state["studies-found"]) == 2
    assert len(desk.page.session_state["studies-asked"]) == 2
