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


def generator(seed: int, index: int = 0) -> torch.Generator:
    """Return a CPU generator for variant `index` of a request: variant k of seed s is variant 0 of seed s + k."""
    import torch

    return torch.Generator("cpu").manual_seed((seed + index) % (SEED_MAX + 1))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator for the block and put its state back after. One block at a time per process."""
    import torch

    with _global_rng:
        before = torch.random.get_rng_state()
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.random.set_rng_state(before)
