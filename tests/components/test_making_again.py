"""A result is made again under it, and said to be the same or not."""

import hashlib

from models.types import STUDY, Output, Request, Run
from tests.components.image_desk import widget
from tests.components.text.text_desk import STORY, TextDesk
from tests.fakes import FakeEngine


def page():
    """Draw what a page draws under the newest text that was asked for."""
    from components import look_closer
    from components import session as sessions
    from models.types import STUDY

    session = sessions.here()
    view = [one for one in session.jobs.jobs_of(session.owner) if one.purpose != STUDY][-1]
    for run in view.runs:
        look_closer.draw(session, run, f"after-{run.id}")


class Teller(FakeEngine):
    """Write what is next in `says`, the last of it again and again."""

    says = ("A fox ran.",)

    def play(self, turn):
        said = self.says[min(len(self.ran), len(self.says)) - 1]
        sha256 = hashlib.sha256(said.encode()).hexdigest()
        yield Output("text", 0, said, said.encode(), "text/plain", sha256, {"prompt_chars": 0})


class Desk(TextDesk):
    drawing = staticmethod(page)

    def __init__(self, folder):
        super().__init__(folder, Teller())

    def looked(self):
        self.submit(Request(model=STORY, inputs={"prompt": "A"}, seed=7))
        self.wait()
        self.draw()
        self.open("Make again")
        return self.page


DESK = Desk


def told_by(page):
    return [item.value.replace("\\", "") for kind in ("success", "warning", "markdown") for item in page.get(kind)]


def ask(desk):
    widget(desk.page, "button", "-ask").click()
    desk.page.run()
    return desk.settle()


def test_nothing_runs_before_the_press_and_the_same_is_said_to_be_so(desk):
    desk.looked()
    assert len(desk.engine.ran) == 1
    assert "Identical: every byte of the result is the same." in told_by(ask(desk))
    assert len(desk.engine.ran) == 2
    assert desk.engine.ran[0] == desk.engine.ran[1]
    desk.draw()
    assert len(desk.engine.ran) == 2  # known from then on


def test_what_differs_is_said(desk):
    desk.engine.says = ("A fox ran.", "A fox sat.")
    desk.looked()
    told = told_by(ask(desk))
    assert any(one.startswith("It came out differently.") for one in told), told
    assert any("Alike up to: 6 characters" in one for one in told), told


def test_a_run_that_was_stopped_is_not_offered_it(desk):
    from components import making_again

    run = Run("r", "ann", "j", Request(model=STORY), "done", 0.0, [Output("text", 0, "a")])
    assert making_again.fits(run)
    for status in ("stopped", "failed"):
        assert not making_again.fits(Run("r", "ann", "j", Request(model=STORY), status, 0.0, [Output("text", 0, "a")]))


def test_the_second_run_is_no_result_of_the_page(desk):
    desk.looked()
    ask(desk)
    again = desk.store.runs("ann")[0]
    assert again.purpose == STUDY
