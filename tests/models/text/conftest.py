"""One engine with tiny translators and classifiers for all tests of the room."""

import pytest

from tests.tiny.task_nets import task_engine


@pytest.fixture(scope="session")
def tasks(tmp_path_factory):
    engine = task_engine(tmp_path_factory.mktemp("tasks"))
    yield engine
    engine.close()
