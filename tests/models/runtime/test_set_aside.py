"""A run that is set aside for another: the same bytes, Stop, memory, death. A real worker, with real models."""

import threading
import time

import pytest

from models.errors import NotNow, WorkerDied
from models.events import RESTING
from models.runtime.engine import StopSignal
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.types import Request
from tests.odd import odd_settings

PICTURE = Request(
    model="image/emoji-diffusion", inputs={"prompt": "red heart"}, seed=5,
    params={"num_inference_steps": 16, "num_images": 5, "scheduler": "EulerAncestralDiscreteScheduler"},
)  # fmt: skip
STORY = Request(model="text/story-gpt", inputs={"prompt": "Once upon a time"}, seed=9, params={"max_new_tokens": 200})
TALE = Request(model="text/story-gpt", inputs={"prompt": "A small dragon"}, seed=4, params={"max_new_tokens": 30})
HEART = Request(
    model="image/emoji-diffusion", inputs={"prompt": "sunflower"}, seed=2, params={"num_inference_steps": 4}
)


class Under:
    """A run in a thread: what it said so far, what it ended with."""

    def __init__(self, engine, request, *, ahead=False):
        self.stop = StopSignal()
        self.stop.ahead = ahead
        self.events, self.error = [], None
        self._thread = threading.Thread(target=self._run, args=(engine, request))
        self._thread.start()

    def _run(self, engine, request):
        try:
            for event in engine.generate(request, self.stop):
                self.events.append(event)
        except Exception as error:
            self.error = error

    def stages(self):
        return [event.stage for event in list(self.events) if event.kind == "progress"]

    def until(self, check, timeout_s=240):
        limit = time.monotonic() + timeout_s
        while not check(self):
            assert time.monotonic() < limit, f"waited too long: {self.stages()[-5:]}, {self.error}"
            time.sleep(0.005)
        return self

    def steps(self, count):
        """Wait until so many steps are made."""
        return self.until(lambda run: any(e.kind == "progress" and e.step >= count for e in list(run.events)))

    def end(self):
        self._thread.join(240)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.events[-1]


def hashes(final):
    return [(output.kind, output.sha256) for output in final.outputs]


def whole(engine, request):
    return Under(engine, request).end()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    engine = WorkerEngine(Settings(data_dir=tmp_path_factory.mktemp("shipped")))
    yield engine
    engine.close()


@pytest.fixture
def odd(tmp_path):
    engine = WorkerEngine(odd_settings(tmp_path, ("odd", "other"), stop_grace_s=1.0, memory_bytes=300_000_000))
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("long", "short"),
    [(PICTURE, TALE), (STORY, HEART), (STORY, TALE), (PICTURE, HEART)],
    ids=["picture for text", "text for picture", "text for text", "picture for picture"],
)
def test_a_run_that_is_set_aside_gives_the_same_bytes(shipped, long, short):
    alone, short_alone = whole(shipped, long), whole(shipped, short)
    run = Under(shipped, long).steps(3)
    for _ in range(2):
        ahead = Under(shipped, short, ahead=True)
        assert hashes(ahead.end()) == hashes(short_alone)
        assert run.events[-1].kind != "final"
    assert hashes(run.end()) == hashes(alone)
    assert run.stages().count(RESTING) >= 2
    assert run.events[-1].stats["aside_s"] > 0
    assert run.events[-1].stats["in_effect"] == alone.stats["in_effect"]


def test_a_picture_that_is_set_aside_says_nothing_else_until_it_goes_on(shipped):
    run = Under(shipped, PICTURE).steps(3)
    ahead = Under(shipped, STORY, ahead=True).steps(50)
    assert run.stages()[-1] == RESTING  # the thread that follows its steps has had its say
    ahead.end()
    assert not run.end().stats["stopped"]


def test_the_shorter_run_goes_first_and_times_count_without_the_rest(odd):
    whole(odd, ask("warm", steps=1))
    run = Under(odd, ask("long", steps=40)).steps(5)
    began = time.monotonic()
    ahead = Under(odd, ask("short", "text/other", steps=25), ahead=True)
    assert ahead.end().outputs[0].text.startswith("short-0-0")
    took = time.monotonic() - began
    made = max(event.step for event in run.events if event.kind == "progress")
    assert made < 15  # it made no step meanwhile
    resting = [event for event in run.events if event.kind == "progress" and event.stage == RESTING]
    assert resting[0].total == 40  # it keeps its place on the page
    stats = run.end().stats
    assert stats["tokens"] == 40
    assert 0.4 < stats["aside_s"] <= took + 0.1


def test_stop_ends_the_one_that_was_set_aside_within_a_step_of_the_other(odd):
    whole(odd, ask("warm", steps=1))
    run = Under(odd, ask("long", steps=10_000)).steps(5)
    ahead = Under(odd, ask("short", "text/other", steps=150), ahead=True).steps(3)
    run.until(lambda run: RESTING in run.stages())
    run.stop.request()
    final = run.end()
    assert final.stats["stopped"]
    assert final.outputs[0].text.startswith("long-0-0")
    assert ahead.events[-1].kind != "final"  # it has not waited for the other's end
    assert len(ahead.end().outputs[0].text.split()) == 150


def test_a_run_that_does_not_fit_beside_is_told_so_and_the_other_goes_on(odd):
    whole(odd, ask("warm", steps=1))
    run = Under(odd, ask("long", steps=60)).steps(3)
    with pytest.raises(NotNow):  # the family does not say that two runs may share its model
        Under(odd, ask("short", steps=1), ahead=True).end()
    assert run.end().stats["tokens"] == 60
    assert RESTING not in run.stages()
    assert "aside_s" not in run.events[-1].stats


def test_a_death_ends_the_run_that_caused_it_and_the_one_set_aside_begins_again(odd):
    whole(odd, ask("warm", steps=1))
    run = Under(odd, ask("long", steps=60)).steps(3)
    ahead = Under(odd, ask("exit", "text/other", steps=10_000), ahead=True)
    with pytest.raises(WorkerDied):
        ahead.end()
    final = run.end()
    assert final.stats["tokens"] == 60
    assert final.outputs[0].text.split()[-1] == "long-0-59"
    assert not odd.state().refused
    whole(odd, ask("fine", steps=1))


def test_what_was_asked_during_warm_up_goes_ahead_once_it_is_over(tmp_path):
    engine = WorkerEngine(odd_settings(tmp_path, ("odd", "other"), memory_bytes=300_000_000))
    try:
        run = Under(engine, ask("long", steps=200))
        ahead = Under(engine, ask("short", "text/other", steps=3), ahead=True)
        assert engine.state().phase in ("starting", "warming")
        assert ahead.end().stats["tokens"] == 3  # it was not told that it cannot
        assert run.events[-1].kind != "final"
        assert run.end().stats["tokens"] == 200
    finally:
        engine.close()


def ask(prompt, model="text/odd", **params):
    return Request(model=model, inputs={"prompt": prompt}, params=params)
