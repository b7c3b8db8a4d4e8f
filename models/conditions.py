"""When a setting or an input acts: the `shown_if` of a declaration, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Above:
    """Stand in a `shown_if` for every number above `limit`; `value in Above(1.0)` asks."""

    limit: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and value > self.limit

    def __iter__(self) -> Iterator[float]:
        """Give the limit alone: the condition as plain data."""
        yield self.limit


def above(limit: float) -> Above:
    """Return the condition "more than `limit`" for a `shown_if`."""
    return Above(limit)


ShownIf = Mapping[str, Sequence[Any] | Above]


def check_condition(given: Any, where: str) -> None:
    """Raise `TypeError` for what cannot be a `shown_if`; `where` begins the sentence."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{where} is {given!r}; it must map a setting's name to the values under which it acts.")
    for other, values in given.items():
        if not isinstance(values, list | tuple | set | frozenset | Above):
            raise TypeError(f"{where} {other!r} is {values!r}; it must be a list of values, or above(number).")


def as_condition(given: Any, where: str) -> ShownIf:
    """Return a `shown_if` as it was declared, None for none, in one form. Raises `TypeError` as `check_condition`."""
    check_condition(given or {}, where)
    return {other: values if isinstance(values, Above) else tuple(values) for other, values in (given or {}).items()}
