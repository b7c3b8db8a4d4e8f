"""Which words of a text each word of its translation attends to: cross-attention, the mean of each layer's heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from models.events import Event, Final, Progress
from models.text import looks
from models.text.sampling import aligning
from models.types import Output

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request


def alignment(spec: ModelSpec, request: Request, prefix: str, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view, JSON: for each pair its words and layers.

    `{"source": [words], "target": [words], "layers": [[[percent]]]}`: of each layer, last of their mean, written words
    × source words in whole percent. What went to the end of the source belongs to no word.
    """
    pairs = looks.check_pairs(request)
    tokenizer, private = loaded.parts["tokenizer"], aligning.private_copy(loaded.parts["model"])
    most = spec.facts.get("context_length", 512)
    found: list[dict[str, Any]] = []
    for number, (source, target) in enumerate(pairs):
        if context.stopped():
            yield Final((), {"stopped": True})
            return
        yield Progress("align", number, len(pairs), unit="parts")
        given = tokenizer(prefix + source, return_tensors="pt", truncation=True, max_length=most)
        given = {name: given[name] for name in ("input_ids", "attention_mask")}
        ids = tokenizer(text_target=target, truncation=True, max_length=most)["input_ids"]
        found.append(_looked(tokenizer, private, given, ids))
    data = json.dumps(found, ensure_ascii=False).encode()
    sha = hashlib.sha256(data).hexdigest()
    view = Output("view", 0, "", data, "application/json", sha, {"what": looks.ALIGNMENT, "pairs": len(found)})
    yield Final((view,), {"stopped": False})


def _looked(tokenizer: Any, private: Any, given: dict[str, Any], ids: list[int]) -> dict[str, Any]:
    read = given["input_ids"][0].tolist()
    source, target = aligning.words_of(tokenizer, read), aligning.words_of(tokenizer, ids)
    weights = aligning.cross_attention(private, given, ids)  # layers × written × source
    weights = np.concatenate([weights, weights.mean(0, keepdims=True)])
    weights = aligning.by_word(weights, source.counts)
    weights = np.swapaxes(aligning.by_word(np.swapaxes(weights, 1, 2), target.counts), 1, 2)
    weights = weights / np.asarray(target.counts)[None, :, None]  # the mean of a word's tokens
    keep = [at for at, word in enumerate(source.texts) if word.strip()]
    rows = [at for at, word in enumerate(target.texts) if word.strip()]
    shown = np.rint(100 * weights[:, rows][:, :, keep]).astype(int).tolist()
    return {"source": [source.texts[at].strip() for at in keep], "target": [target.texts[at].strip() for at in rows],
            "layers": shown}  # fmt: skip
