import pytest

from tests.models.runtime.world import World


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.engine.gate.set()
    world.jobs.close()
    world.store.close()
