"""How often a page looks at its job: often where something moves, seldom far back in a queue."""

from dataclasses import replace

import pytest

from components import job_panel
from tests.components.test_escape import VIEW


@pytest.mark.parametrize(
    ("state", "place", "seconds"),
    [("running", 0, 0.3), ("queued", 1, 1.0), ("queued", 4, 1.0), ("queued", 5, 1.25), ("queued", 16, 4.0),
     ("queued", 500, 4.0)],
)  # fmt: skip
def test_a_job_is_looked_at_the_more_seldom_the_more_are_before_it(state, place, seconds):
    assert job_panel.every_s(replace(VIEW, state=state, place=place)) == seconds


@pytest.mark.parametrize(
    ("state", "place", "drawn"), [("queued", 9, False), ("queued", 8, True), ("queued", 1, True), ("running", 0, True)]
)
def test_the_page_is_drawn_once_where_it_should_look_twice_as_often(monkeypatch, state, place, drawn):
    class Drawn(Exception):
        pass

    def rerun():
        raise Drawn

    def say(view):
        raise NotImplementedError("went on to draw")

    monkeypatch.setattr(job_panel.st, "rerun", rerun)
    monkeypatch.setattr(job_panel.guide, "say", say)
    view = replace(VIEW, state=state, place=place)
    jobs = type("Jobs", (), {"view": lambda self, owner, job: view})()
    session = type("Session", (), {"jobs": jobs, "owner": "ann"})()
    with pytest.raises(Drawn if drawn else NotImplementedError):
        job_panel._draw(session, "job", 4.0, None)
