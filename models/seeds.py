"""Random generators that depend on the request's seed alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from models.types import SEED_MAX

if TYPE_CHECKING:
    import torch

# transformers samples from torch's global generator: who uses it holds this lock
_global_rng = threading.Lock()
_mine = threading.local()  # `outside`: of the thread that is inside `seeded`, the state to put back after


def generator(seed: int, index: int = 0) -> torch.Generator:
    """Return a CPU generator for variant `index` of a request: variant k of seed s is variant 0 of seed s + k."""
    import torch

    return torch.Generator("cpu").manual_seed((seed + index) % (SEED_MAX + 1))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator for the block and put its state back after. One block at a time per process."""
    import torch

    with _global_rng:
        _mine.outside = torch.random.get_rng_state()
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.random.set_rng_state(_mine.outside)
            _mine.outside = None


@contextmanager
def lent() -> Iterator[None]:
    """Leave torch's global generator to others for the block, as if this thread were not inside of `seeded`.

    After it, this thread's draws go on where they were. Outside of `seeded` it does nothing.
    """
    if getattr(_mine, "outside", None) is None:
        yield
        return
    import torch

    here = torch.random.get_rng_state()
    torch.random.set_rng_state(_mine.outside)
    _global_rng.release()
    try:
        yield
    finally:
        _global_rng.acquire()
        _mine.outside = torch.random.get_rng_state()
        torch.random.set_rng_state(here)
