"""Amounts in words, the same wherever a person meets them."""

from __future__ import annotations


def size(count: int) -> str:
    """Say a number of bytes in powers of ten: "740 bytes", "12 kB", "8.5 MB", "120 MB", "1.2 GB"."""
    if count >= 1e9:
        return f"{_short(count / 1e9)} GB"
    if 0 < count < 1e3:
        return f"{count} byte{'s' * (count != 1)}"
    if 0 < count < 999_500:  # above, it is rounded to the next
        return f"{_short(count / 1e3) if count < 1e4 else round(count / 1e3)} kB"
    return f"{_short(count / 1e6) if count < 1e8 else round(count / 1e6)} MB"


def span(seconds: float) -> str:
    """Say a forecast's seconds: "8 s", "4 minutes", "5 hours"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:,.0f} hours"


def ago(seconds: float) -> str:
    """Say how long ago something was: "just now", "5 minutes ago", "yesterday", "12 days ago"."""
    if seconds < 60:
        return "just now"
    for unit, length, most in (("minute", 60, 60), ("hour", 3600, 24), ("day", 86_400, 10**9)):
        count = int(seconds // length)
        if count < most:
            return "yesterday" if (unit, count) == ("day", 1) else f"{count:,} {unit}{'s' * (count != 1)} ago"
    raise AssertionError


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
