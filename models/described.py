"""Each model's table of settings, made once: a page asks for it dozens of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.params import ParamField, Params, ShownIf, describe

if TYPE_CHECKING:
    from models.spec import ModelSpec

_MOST = 500  # of catalogues long read anew
_TABLES: dict[tuple[int, type], tuple[ModelSpec, tuple[ParamField, ...]]] = {}


def table(params: type[Params], spec: ModelSpec, seed_shown_if: ShownIf | None) -> tuple[ParamField, ...]:
    """Return the table of settings of a model of a family with these settings. Raises as `describe` does."""
    key = (id(spec), params)
    known = _TABLES.get(key)
    if known is None or known[0] is not spec:
        if len(_TABLES) >= _MOST:
            _TABLES.clear()
        known = _TABLES[key] = (spec, describe(params, spec.params, seed_shown_if))
    return known[1]
