"""Who computes of the runs that have begun."""

import threading
import time

import pytest

from models.runtime.gate import Gate
from tests.models.runtime.world import until


class Worker:
    """A run in a thread: it counts up to `steps`, asking the gate at each."""

    def __init__(self, gate, name, trail, steps=10**9, step_s=0.002):
        self.done, self.trail = threading.Event(), trail
        self.thread = threading.Thread(target=self._run, args=(gate, name, steps, step_s), daemon=True)
        self.thread.start()

    def _run(self, gate, name, steps, step_s):
        gate.enter(name, ahead=True)
        for _ in range(steps):
            if gate.called(name):
                gate.rest(name, lambda: self.trail.append(f"{name} rests"))
            if self.done.is_set():
                break
            self.trail.append(name)
            time.sleep(step_s)
        gate.leave(name)
        self.trail.append(f"{name} ends")

    def end(self):
        self.thread.join(5)
        assert not self.thread.is_alive()


def waiting(gate):
    """Return how many threads wait at a gate."""
    return len(gate._turn._waiters)


def test_one_computes_at_a_time_and_the_one_below_goes_on_after():
    gate, trail = Gate(), []
    long = Worker(gate, "long", trail)
    until(lambda: trail.count("long") > 3)
    Worker(gate, "short", trail, steps=5).end()
    until(lambda: trail[-1] == "long")
    long.done.set()
    long.end()
    begin, end = trail.index("long rests"), trail.index("short ends")
    assert trail[begin + 1 : end] == ["short"] * 5
    assert trail.count("long rests") == 1
    assert trail[-1] == "long ends"


def test_three_are_a_stack():
    gate, trail = Gate(), []
    first = Worker(gate, "1", trail)
    until(lambda: "1" in trail)
    second = Worker(gate, "2", trail)
    until(lambda: "2" in trail)
    third = Worker(gate, "3", trail)
    until(lambda: "3" in trail)
    for worker in (first, second, third):
        worker.done.set()
    for worker in (first, second, third):
        worker.end()
    assert [word for word in trail if word.endswith("ends")] == ["3 ends", "2 ends", "1 ends"]
    assert gate.others("1") == []


def test_the_one_that_is_stopped_goes_first():
    stopping = set()
    gate, trail = Gate(stopping.__contains__), []
    long = Worker(gate, "long", trail)
    until(lambda: "long" in trail)
    short = Worker(gate, "short", trail)
    until(lambda: "short" in trail)
    stopping.add("long")
    long.done.set()
    long.end()
    assert "short ends" not in trail
    until(lambda: trail[-1] == "short")  # it goes on by itself
    short.done.set()
    short.end()
    assert [word for word in trail if "rests" in word] == ["long rests", "short rests"]


def test_one_that_waits_to_begin_begins_when_the_other_ends_without_resting():
    gate, trail = Gate(), []
    gate.enter("deaf")
    short = Worker(gate, "short", trail, steps=1)
    until(lambda: gate.others("deaf") == ["short"] and waiting(gate) == 1)
    assert trail == []
    gate.leave("deaf")
    short.end()
    assert trail == ["short", "short ends"]


def test_a_second_thread_of_a_run_that_rests_waits_with_it():
    gate, trail = Gate(), []
    long = Worker(gate, "long", trail)
    until(lambda: "long" in trail)
    short = Worker(gate, "short", trail)
    until(lambda: "short" in trail)
    assert gate.called("long")
    other = threading.Thread(target=gate.rest, args=("long",), daemon=True)
    other.start()
    until(lambda: waiting(gate) == 2)
    assert other.is_alive()
    short.done.set()
    other.join(5)
    assert not other.is_alive()
    assert not gate.called("long")
    long.done.set()
    long.end()


def test_the_rest_is_measured(clock):
    gate, trail = Gate(), []
    long = Worker(gate, "long", trail)
    until(lambda: "long" in trail)
    assert gate.aside_s("long") == 0.0
    short = Worker(gate, "short", trail)
    until(lambda: "short" in trail)
    until(lambda: "long rests" in trail)
    clock.pass_s(2.0)
    assert gate.aside_s("long") == pytest.approx(2.0)
    clock.pass_s(1.0)
    short.done.set()
    short.end()
    until(lambda: trail[-1] == "long")
    assert (gate.aside_s("long"), gate.aside_s("short")) == (pytest.approx(3.0), 0.0)
    clock.pass_s(5.0)  # it computes
    assert gate.aside_s("long") == pytest.approx(3.0)
    again = Worker(gate, "again", trail)
    until(lambda: trail.count("long rests") == 2)
    clock.pass_s(0.5)
    assert gate.aside_s("long") == pytest.approx(3.5)  # a second rest is added to the first
    again.done.set()
    again.end()
    long.done.set()
    long.end()
    assert gate.aside_s("long") == 0.0


def test_one_that_is_not_let_ahead_begins_after_those_that_have_begun():
    gate = Gate()
    gate.enter("short", ahead=True)
    next_one = threading.Thread(target=gate.enter, args=("long",), daemon=True)
    next_one.start()
    until(lambda: gate.others("short") == ["long"])
    assert not gate.called("short")  # it does not rest for it
    gate.leave("short")
    next_one.join(5)
    assert not next_one.is_alive()
