"""Tiny language models, written once for all tests of this folder that run one."""

import pytest

from tests.tiny.insides import insides_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = insides_engine(tmp_path_factory.mktemp("insides"))
    yield engine
    engine.close()
