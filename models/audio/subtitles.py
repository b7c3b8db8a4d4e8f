"""What was heard and when, as subtitles: SubRip (.srt) and WebVTT (.vtt). No torch."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from models.errors import BadInput

ENDINGS = ("srt", "vtt")
CHARS_MOST = 84  # two lines of 42, as broadcasters have it
PAUSE_S = 1.0  # a new cue begins after it
_ENDS = (".", "?", "!")

Timed = Mapping[str, Any]  # label, start_s, end_s


def write(meta: Mapping[str, Any], ending: str) -> bytes:
    """Return subtitles of a kind of `ENDINGS` as UTF-8, from an output's `segments` and, where it has them, `words`.

    Raises `BadInput` where it has no times.
    """
    found = list(cues(meta.get("words") or [])) or [one for one in meta.get("segments") or [] if str(one["label"])]
    if not found:
        raise BadInput(
            "There are no times in this result, so it cannot be saved as subtitles. Run it with Times set to segments "
            "or words, or save it as .txt."
        )
    return (_vtt(found) if ending == "vtt" else _srt(found)).encode()


def cues(words: Sequence[Timed]) -> Iterator[Timed]:
    """Yield timed words together: up to the end of a sentence, a pause or two lines."""
    held: list[Timed] = []
    for word in words:
        if held and (
            len(_line(held)) + 1 + len(str(word["label"])) > CHARS_MOST
            or float(word["start_s"]) - float(held[-1]["end_s"]) > PAUSE_S
            or str(held[-1]["label"]).endswith(_ENDS)
        ):
            yield _cue(held)
            held = []
        held.append(word)
    if held:
        yield _cue(held)


def _line(words: Sequence[Timed]) -> str:
    return " ".join(str(one["label"]) for one in words)


def _cue(words: Sequence[Timed]) -> Timed:
    return {"label": _line(words), "start_s": words[0]["start_s"], "end_s": words[-1]["end_s"]}


def _srt(found: Sequence[Timed]) -> str:
    import srt

    lines = [
        srt.Subtitle(at, timedelta(seconds=float(one["start_s"])), timedelta(seconds=_end_s(one)), str(one["label"]))
        for at, one in enumerate(found, 1)
    ]
    return str(srt.compose(lines, reindex=False))


def _vtt(found: Sequence[Timed]) -> str:
    """Return WebVTT (W3C, section 4.1): its times have a point, and what is said is escaped like HTML."""
    cued = "\n\n".join(
        f"{_time(float(one['start_s']))} --> {_time(_end_s(one))}\n{html.escape(str(one['label']), quote=False)}"
        for one in found
    )
    return f"WEBVTT\n\n{cued}\n"


def _end_s(one: Timed) -> float:
    """Return when a cue ends: some players show none that has no length."""
    return max(float(one["end_s"]), float(one["start_s"]) + 0.01)


def _time(seconds: float) -> str:
    import srt

    return str(srt.timedelta_to_srt_timestamp(timedelta(seconds=seconds))).replace(",", ".")
