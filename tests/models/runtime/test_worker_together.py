"""Requests that a worker process makes at once: their events by index, Stop, and a run let ahead of them."""

import threading

import pytest

from models.errors import PlaygroundError
from models.runtime.engine import StopSignal
from models.runtime.worker_client import WorkerEngine
from tests.same_texts import check_same
from tests.tiny import ask, tiny_engine, tiny_settings


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker_together")
    local, worker = tiny_engine(folder), WorkerEngine(tiny_settings(folder))
    yield local, worker
    worker.close()


def ends(told):
    return {index: event for index, event in told if isinstance(event, PlaygroundError) or event.kind == "final"}


def test_each_request_is_its_single_run_in_another_process(engines):
    local, worker = engines
    requests = [ask("the cat", "llama", seed, max_new_tokens=20) for seed in range(3)]
    found = ends(worker.generate_together(requests))
    here = ends(local.generate_together(requests))  # made at once, where this machine's kernels allow it
    for index, request in enumerate(requests):
        single = list(local.generate(request))[-1]
        check_same(found[index].outputs, single.outputs)
        assert found[index].stats.get("together") == here[index].stats.get("together")


def test_one_that_cannot_be_made_is_told_by_its_index_and_the_others_are_made(engines):
    local, worker = engines
    requests = [ask("the cat", "llama", 1), ask("the cat and the hat " * 40, "llama", 2), ask("rain", "llama", 3)]
    found = ends(worker.generate_together(requests))
    here = ends(local.generate_together(requests))
    assert "tokens" in found[1].message
    assert [found[at].stats.get("together") for at in (0, 2)] == [here[at].stats.get("together") for at in (0, 2)]


def test_stop_ends_them_with_what_they_have_and_a_run_let_ahead_comes_before(engines):
    _, worker = engines
    stop, short, order = StopSignal(), StopSignal(), []

    def ahead():
        short.ahead = True
        order.append(list(worker.generate(ask("rain", "gpt2", 1, max_new_tokens=2), short))[-1].kind)

    thread, found = threading.Thread(target=ahead), {}
    requests = [ask("the cat", "llama", seed, max_new_tokens=50, do_sample=False) for seed in range(2)]
    for index, event in worker.generate_together(requests, stop):
        if isinstance(event, PlaygroundError):
            raise event
        if event.kind == "progress" and event.stage == "generate" and not thread.ident:
            thread.start()
            thread.join(60)
            order.append("gone on")
            stop.request()
        if event.kind == "final":
            found[index] = event
    assert order == ["final", "gone on"] and sorted(found) == [0, 1]
