"""One engine with tiny models for all tests of this folder."""

import pytest

from tests.tiny import tiny_engine
from tests.tiny.task_nets import task_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = tiny_engine(tmp_path_factory.mktemp("tiny"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tasks(tmp_path_factory):
    engine = task_engine(tmp_path_factory.mktemp("tasks"))
    yield engine
    engine.close()
