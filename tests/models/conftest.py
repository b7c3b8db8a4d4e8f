import pytest

from models.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store("", tmp_path)
    yield store
    store.close()
