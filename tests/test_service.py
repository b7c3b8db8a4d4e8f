"""A real server that visitors do their worst to: it goes on serving, with one worker, and nobody loses a run."""

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.browser.conftest import until
from tests.serving import Server, seen


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.close()


def test_a_visitor_who_clears_streamlits_caches_ends_nobodys_run_and_starts_no_worker(server):
    reader = server.run("steady")
    until(lambda: "steady-" in seen(reader))
    (worker,) = server.workers()
    visitor = server.open()
    for _ in range(3):
        visitor.send(BackMsg(clear_cache=True))
        drawn = visitor.finished
        visitor.rerun()
        until(lambda drawn=drawn: visitor.finished > drawn)
    before = seen(reader)
    until(lambda: len(seen(reader)) > len(before))
    assert server.workers() == [worker]
    reader.press("Stop")
    until(reader.facts)
    reader.set_text("Prompt", "again")
    reader.press("Run")
    until(lambda: "again-0-0" in seen(reader))
    assert server.workers() == [worker]


def test_forty_run_messages_at_once_are_one_run(server):
    reader = server.open("model=text/odd&odd.steps=40&odd.step_s=0.06")
    reader.set_text("Prompt", "once")
    button = reader.find("button", "Run")
    for _ in range(40):
        reader.rerun(trigger=button.id, fragment_id=button.fragment_id)
    until(lambda: "once-0-39" in seen(reader) and reader.facts())
    assert len(server.runs()) == 1
