"""The key-value cache of a model's last run, kept for a next run with the same beginning, by the same asker.

Another's would tell how much of their prompt one has guessed, by what was reused and by the time that it took.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MOST_BYTES = 64_000_000  # of one model; they go with it when it is unloaded
_KEY = "prefix"


def supported(model: Any) -> bool:
    """Say whether a model's cache can be cropped: no recurrent state, no sliding window."""
    if getattr(model, "_is_stateful", False) or not model._supports_default_dynamic_cache():
        return False
    cache = _fresh(model)
    return not any(cache.is_sliding) and bool(cache.is_croppable)


def take(parts: dict[str, Any], model: Any, ids: Sequence[int], asker: str = "") -> tuple[Any, int]:
    """Return a cache for a run on `ids`, and how many of them it holds. The kept cache is taken out of `parts`.

    At least one token is left to compute: its logits give the first new token.
    """
    held, cache, whose = parts.pop(_KEY, ((), None, ""))
    same = 0
    while whose == asker and same < min(len(held), len(ids) - 1) and held[same] == ids[same]:
        same += 1
    if not same:
        return _fresh(model), 0
    cache.crop(same - len(held))
    return cache, same


def keep(parts: dict[str, Any], cache: Any, ids: Sequence[int], asker: str = "") -> None:
    """Keep the cache of a run whose whole text is `ids`, cropped to `MOST_BYTES`."""
    length = cache.get_seq_length()
    each = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers if layer.keys is not None)
    if not length or not each:
        return
    fits = min(length, MOST_BYTES * length // each)
    if fits < 1:
        return
    if fits < length:
        cache.crop(fits - length)
        for layer in cache.layers:  # a cropped view would keep the whole tensor in memory
            layer.keys, layer.values = layer.keys.clone(), layer.values.clone()
    parts[_KEY] = (tuple(ids[:fits]), cache, asker)


def _fresh(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
