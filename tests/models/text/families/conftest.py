"""One engine with tiny models for all tests of this folder."""

import pytest

from tests.tiny import tiny_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = tiny_engine(tmp_path_factory.mktemp("tiny"))
    yield engine
    engine.close()
