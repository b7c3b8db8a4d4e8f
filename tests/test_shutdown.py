"""A real server that is asked to end: all of it is gone soon, whatever it was doing, and what a run had is kept."""

import signal

import pytest

from tests.browser.conftest import until
from tests.serving import Server, seen


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_many_page_loads_the_server_and_its_worker_end(server, number):
    for turn in range(24):
        session = server.open(page=("text", "image", "audio", "")[turn % 4])
        until(lambda: session.finished)
        if turn % 3:
            session.close()
    assert server.ends(number) == 0


def test_a_run_under_way_is_kept_with_what_it_had(server):
    session = server.run("count")
    until(lambda: "count-" in seen(session))
    server.ends(signal.SIGTERM)
    (run,) = server.runs()
    assert run.status in ("stopped", "failed")  # a busy machine may end the worker before it has heard of the Stop
    assert "count-" in run.outputs[0].text


def test_a_run_that_hears_nothing_is_kept_too(server):
    session = server.run("hold")
    until(lambda: "hold-" in seen(session))  # after three words it holds the interpreter lock
    server.ends(signal.SIGTERM)
    (run,) = server.runs()
    assert run.status == "failed"
    assert "ended while it ran" in run.error["message"]
    assert "hold-" in run.outputs[0].text


def test_a_worker_that_loads_a_model_ends_too(server):
    session = server.run("count", "slow-load")
    until(lambda: any("oad" in one.text for one in session._drawn("progress")))
    server.ends(signal.SIGINT)
