"""Every way to narrow a setting to one value, for tests that draw them."""

from dataclasses import replace

from models.catalog import load_catalog
from models.params import describe
from models.settings import Settings

CATALOG = load_catalog(Settings(), strict=False)
FAMILIES = CATALOG.families


def table(family):
    return describe(FAMILIES[family].Params)


def narrowed(item):
    """Yield a setting with one value left: its least, its most, its default; each of its choices alone."""
    if item.type in ("number", "integer"):
        for value in {item.ge, item.le, item.default} - {None}:
            default = None if item.default is None else value
            yield replace(item, ge=value, le=value, default=default)
            yield replace(item, ge=value, le=value, default=default, log=value > 0)
            yield replace(item, ge=value, le=value, default=value, step=10 * item.step)
    elif item.type == "choice":
        for choice in item.choices:
            yield replace(item, choices=(choice,), default=choice)
    elif item.type in ("text", "tags"):
        first = item.default and item.default[:1]
        yield replace(item, max_length=item.max_length and 1, max_items=item.max_items and 1, default=first)
