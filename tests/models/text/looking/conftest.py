"""Tiny language models, written once for all tests of this folder that run one."""

import pytest

from tests.tiny.kept_texts import looks_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = looks_engine(tmp_path_factory.mktemp("looks"))
    yield engine
    engine.close()
