"""What a result follows from, as one hash: request, weights, libraries. The same cause gives the same bytes.

It needs no model and no torch, so that a page can ask whether a result is there before anything runs.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from models import device

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.types import Request


def of_full(full: Request, revision: str) -> str:
    """Return the cause of a request with its params in full, for weights of a revision: SHA-256 in hex."""
    parts = [full.model_dump(), revision, device.versions()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def cause(catalog: Catalog, request: Request) -> str:
    """Return the cause of a request; a default that it names counts as left out. Raises as `Catalog.validate` does."""
    full = catalog.full(request)
    return of_full(full, catalog[full.model].revision())
