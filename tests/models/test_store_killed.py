"""kill -9 a hundred times during writes: every run that was saved is there and readable, and no file is left over."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from models.finding import Filter
from models.pruning import Pruned
from models.store import Store
from models.tables import files as owned
from models.tables import library, used
from tests.stored import HOUR, ROOT, age, files

KILLS = 100


@pytest.mark.parametrize("bare", ["sqlite", "postgresql"], indirect=True)
def test_every_finished_run_is_there_and_no_orphan_survives_the_sweep(bare, tmp_path):
    chance, saved = random.Random(7), []
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.storing", bare, tmp_path], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    with process:
        for turn in range(KILLS):
            process.stdin.write(f"turn{turn}\n")
            word, child = process.stdout.readline().split()
            assert word == "child", word
            # a few are killed while they open the store, the others after some runs, at any moment of the next
            for _ in range(chance.choice((0, 1, 1, 2, 3))):
                saved.append(process.stdout.readline().split()[1])
            time.sleep(chance.random() * 0.01)
            os.kill(int(child), signal.SIGKILL)
            while (line := process.stdout.readline().split()) != ["gone"]:
                saved.append(line[1])
        process.stdin.close()
    assert len(saved) > KILLS
    store = Store(bare, tmp_path)
    there = {run.id: run for run in store.runs("ann", limit=10_000, load=True)}  # each file is what its hash says
    assert set(saved) <= set(there)
    assert len(there) <= len(saved) + KILLS
    for run in there.values():
        assert run.outputs[0].text.encode() in run.outputs[0].data
        assert [output.kind for output in run.outputs] == ["text", "text", "view"]
    # found by words, by cause and as a list
    assert store.count("ann", Filter(text="dragon"), 10_000) == len(there)
    assert len(store.made("ann", [f"{run.outputs[0].text}" for run in there.values()])) == len(there)
    with store._read() as connection:
        assert len(connection.execute(library.select()).all()) == len(there)
        needed = {row.sha256 for row in connection.execute(used.select())}
        given = {row.sha256 for row in connection.execute(owned.select())}
    before = set(files(store))
    assert needed <= before
    orphans = before - needed - given
    age(store, 2 * HOUR)
    gone = store.sweep()
    assert gone.artifacts == len(orphans)
    assert set(files(store)) == needed | given
    assert store.sweep() == Pruned()
    assert len(store.runs("ann", limit=10_000, load=True)) == len(there)
    print(f"{len(saved)} runs said, {len(there)} there, {len(orphans)} files swept")
    store.close()
