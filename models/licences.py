"""What licences of models allow, in a line each: a help to choose by, no advice; the licence's own text counts."""

from __future__ import annotations

_FREE = "Free to use, change and share, commercially too"
# by the beginning of a licence's SPDX id, small letters, blanks as hyphens; the longest that fits is taken
_SAID = {
    "apache-2.0": f"{_FREE}; keep its notices and say what you changed.",
    "mit": f"{_FREE}; keep its notice.",
    "bsd": f"{_FREE}; keep its notice.",
    "cc0": f"{_FREE}; no conditions.",
    "cc-by-4.0": f"{_FREE}; name the authors.",
    "cc-by-sa": f"{_FREE}; name the authors, and share changes under the same licence.",
    "cc-by-nc": "Not for commercial use; name the authors.",
    "cc-by-nd": "Free to share unchanged; name the authors.",
    "agpl": f"{_FREE}; who offers it over a network shares its source under the same licence.",
    "gpl": f"{_FREE}; what contains it is shared under the same licence.",
    "openrail": "Free to use within its list of forbidden uses, which goes with every copy.",
    "creativeml-openrail": "Free to use within its list of forbidden uses, which goes with every copy.",
}
UNKNOWN = "Not one that is known here: read its text before you use what it makes."


def parts(licence: str) -> tuple[str, ...]:
    """Return the licences that a catalogue entry names, each as it is written there: "Apache-2.0, MIT" names two."""
    return tuple(part.strip() for part in licence.split(",") if part.strip())


def terms(licence: str) -> str:
    """Say what one licence allows and asks for."""
    name = "-".join(licence.lower().split())
    fits = [known for known in _SAID if name.startswith(known)]
    return _SAID[max(fits, key=len)] if fits else UNKNOWN
