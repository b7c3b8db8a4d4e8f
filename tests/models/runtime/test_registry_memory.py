"""What the registry drops goes back to the system, and not only to the allocator."""

import pytest

from tests.fresh import run_fresh
from tests.sized import MB, Bench

SET_UP = """
import json, logging, sys
from pathlib import Path
import torch
from models.runtime import memory
from models.catalog import load_catalog
from models.runtime.registry import Registry
from models.settings import Settings
logging.disable()
catalog = load_catalog(Settings(catalog_dirs=(Path(sys.argv[1]),), family_dirs=(Path(sys.argv[2]),)))
registry = Registry(catalog, 400_000_000)

def growth_and_return(model):
    before = memory.rss_bytes()
    with registry.lease(model):
        held = memory.rss_bytes()
    registry.unload(model)
    return held - before, held - memory.rss_bytes()
"""


@pytest.fixture
def folders(tmp_path):
    names = ("big", "bigger", "broken", "own-words", "no-memory")
    settings = Bench(tmp_path, 400, dict.fromkeys(names, 320)).settings
    return settings.catalog_dirs[0], settings.family_dirs[0]


def test_an_unloaded_model_gives_its_memory_back_every_time(folders):
    rounds = run_fresh(f"{SET_UP}\nprint(json.dumps([growth_and_return('text/big') for _ in range(3)]))", *folders)
    assert len(rounds) == 3
    for growth, returned in rounds:
        assert growth > 300 * MB
        assert returned >= 0.95 * growth


def test_a_model_that_makes_room_gives_its_memory_back_before_the_next_loads(folders):
    peak, start = run_fresh(
        f"""{SET_UP}
growth_and_return("text/big")
start = memory.rss_bytes()
with registry.lease("text/big"):
    pass
memory.reset_peak()
with registry.lease("text/bigger"):
    pass
print(json.dumps([memory.peak_bytes(), start]))
""",
        *folders,
    )
    assert peak - start < 1.2 * 320 * MB


@pytest.mark.parametrize("model", ["broken", "own-words", "no-memory"])
def test_a_load_that_fails_gives_its_memory_back(folders, model):
    left = run_fresh(
        f"""{SET_UP}
growth_and_return("text/big")  # from here on glibc keeps blocks of this size in its heap
before = memory.rss_bytes()
try:
    with registry.lease("text/{model}"):
        pass
except Exception as error:
    pass
print(json.dumps(memory.rss_bytes() - before))
""",
        *folders,
    )
    assert left < 0.05 * 320 * MB
