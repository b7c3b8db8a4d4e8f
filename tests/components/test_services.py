"""What all sessions share is there once, whatever is cleared, saved or called at the same time."""

import importlib
import sys
import threading
import time

import pytest
import streamlit as st

from components import runtime, services
from models.errors import PlaygroundError


@pytest.fixture
def started(monkeypatch):
    """Return what was started; the app of this process is another one, which nothing of this reaches."""
    made = []

    def start():
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    monkeypatch.delitem(sys.modules, services._HOLDER, raising=False)
    monkeypatch.setattr(runtime, "start", start)
    yield made
    sys.modules.pop(services._HOLDER, None)


def test_pages_that_are_opened_together_start_it_once(started):
    found = []
    threads = [threading.Thread(target=lambda: found.append(services.jobs())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    assert found == started * 8


def test_cleared_caches_and_a_saved_file_leave_it(started, monkeypatch):
    first = services.jobs()
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.delitem(sys.modules, "components.services")  # as the watcher does with every module of the app
    again = importlib.import_module("components.services")
    try:
        assert again is not services
        assert again.jobs() is first
    finally:
        sys.modules["components"].services = services


def test_a_start_that_failed_is_tried_again_by_the_next_page(started, monkeypatch):
    def fails():
        raise PlaygroundError("No room.")

    with monkeypatch.context() as patch:
        patch.setattr(runtime, "start", fails)
        with pytest.raises(PlaygroundError, match="No room"):
            services.jobs()
    assert services.jobs() is started[0]


def test_a_start_that_takes_long_is_told(started, monkeypatch):
    services.jobs()
    held = vars(sys.modules[services._HOLDER])
    del held["jobs"]
    monkeypatch.setattr(services, "START_WAIT_S", 0.05)
    with held["guard-jobs"], pytest.raises(PlaygroundError, match="still starting"):
        services.jobs()
