"""Texts found by their meaning: vectors made where no torch is loaded, kept as text, compared with one another.

The vectors come from a family that embeds (`Family.embed`); they are made in the process that decodes uploads
(`models.runtime.decoder`), batch by batch, and an owner's are kept among the owner's notes, so that they go with them.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.family import Family, import_file

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.spec import ModelSpec

NEEDS = ("numpy", "scipy.special", "tokenizers")  # imported before the process that embeds counts what a call leaves
BATCH_S = 3.0  # of a call: others' uploads wait for it
BATCH_MOST, TOGETHER = 300, 8
CHARS = 2_000  # of a text that are read
VERSION = 1
Vectors = dict[str, str]  # by `name_of` their text: float16, base64


def embedder(catalog: Catalog) -> ModelSpec | None:
    """Return a model that embeds texts, one that is on this machine first; None where the catalogue has none."""
    found = [spec for spec in catalog.values() if embeds(catalog.families[spec.family])]
    return next((spec for spec in found if spec.here), next(iter(found), None))


def embeds(family: Family) -> bool:
    """Say whether a family's models turn texts into vectors."""
    return type(family).embed is not Family.embed


def name_of(text: str) -> str:
    """Return what a text's vector is kept by: no text can be read from it."""
    return hashlib.sha256(text[:CHARS].encode("utf-8", "replace")).hexdigest()[:32]


def order(catalog: Catalog, spec: ModelSpec, texts: Sequence[str]) -> dict[str, Any]:
    """Return the options of a call of `embed_texts` in another process, for at most `BATCH_MOST` texts."""
    family = type(catalog.families[spec.family])
    return {"file": inspect.getfile(family), "family": spec.family, "weights": str(spec.folder()),
            "texts": [text[:CHARS] for text in texts[:BATCH_MOST]]}  # fmt: skip


def embed_texts(
    folder: Path, *, file: str, family: str, weights: str, texts: Sequence[str], most_s: float = BATCH_S
) -> list[str] | None:
    """Return the vectors of the first texts, a few at a time, as many as `most_s` seconds allow.

    None where the model cannot be read here. Nothing is left in `folder`.
    """
    import numpy as np

    one = _declared(Path(file), family)
    until, found = 0.0, list[str]()
    for start in range(0, len(texts), TOGETHER):
        vectors = one.embed(Path(weights), texts[start : start + TOGETHER]) if one is not None else None
        if vectors is None:
            return None
        found += [base64.b64encode(np.asarray(vector, "<f2").tobytes()).decode() for vector in vectors]
        until = until or time.monotonic() + most_s  # the first ones wait for the weights to be read
        if time.monotonic() > until:
            break
    return found


def _declared(file: Path, name: str) -> Family | None:
    members = vars(import_file(file)).values()
    found = (one for one in members if inspect.isclass(one) and issubclass(one, Family) and not inspect.isabstract(one))
    return next((one() for one in found if one.name == name), None)


def similarities(vectors: Mapping[str, str], query: str, texts: Sequence[str]) -> list[float]:
    """Return the cosine of a query and each text, −1 … 1; all of them have a vector among these."""
    import numpy as np

    every = np.stack([np.frombuffer(base64.b64decode(vectors[name_of(one)]), "<f2") for one in (query, *texts)])
    plain = every.astype(np.float32)
    plain /= np.maximum(np.linalg.norm(plain, axis=1, keepdims=True), 1e-12)
    found: list[float] = np.clip(plain[1:] @ plain[0], -1, 1).tolist()
    return found


def packed(spec: ModelSpec, vectors: Mapping[str, str], texts: Collection[str]) -> dict[str, Any]:
    """Return the vectors of these texts as a note, JSON; those of other texts, such as deleted ones, are left out."""
    kept = {name: vectors[name] for name in map(name_of, texts) if name in vectors}
    return {"v": VERSION, "weights": _weights(spec), "vectors": kept}


def unpacked(spec: ModelSpec, note: Any) -> Vectors:
    """Return the vectors of a note; none of a damaged one, and of one that other weights made."""
    try:
        if note["v"] != VERSION or note["weights"] != _weights(spec):
            return {}
        found = {str(name): str(one) for name, one in note["vectors"].items()}
        sizes = {len(base64.b64decode(one, validate=True)) for one in found.values()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found if len(sizes) < 2 and not sizes & {0} else {}


def _weights(spec: ModelSpec) -> str:
    return f"{spec.id} {spec.weights.sha256 or ''}".strip()
