import pytest

from tests.models.runtime.scripted import HeldClock
from tests.models.runtime.world import World

TIMED = ("jobs", "line", "attendance", "gate")


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.engine.gate.set()
    world.jobs.close()
    world.store.close()


@pytest.fixture
def clock(monkeypatch):
    """Return the clock of jobs that are made after it: seconds pass where the test says so."""
    clock = HeldClock()
    for name in TIMED:
        monkeypatch.setattr(f"models.runtime.{name}.time", clock)
    return clock
