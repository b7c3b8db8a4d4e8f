"""A setting's range as a strip of stretches, coloured by what becomes of a text in each; the value at hand marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from components import frontend, state

_component = frontend.component("playground_tipping", __file__)
OFF = -1  # the place of what comes of a setting that is off


def cells(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is drawn of the tool's answer: "off" first, where the setting can be that, then the range in order.

    `left` and `width` are shares of the range; `early` is 1 where the first token differs, near 0 for the last.
    """
    low, high = answer["low"], answer["high"]
    wide = max(high - low, 1e-9)
    segments = answer["segments"]
    found = []
    for at, one in enumerate(segments):
        # from the middle between two values to the next: an edge lies there
        start = low if at == 0 else (segments[at - 1]["to"] + one["from"]) / 2
        end = high if at + 1 == len(segments) else (one["to"] + segments[at + 1]["from"]) / 2
        name = f"{one['from']:g}" if one["from"] == one["to"] else f"{one['from']:g} to {one['to']:g}"
        place = {"place": at, "range": name, "left": (start - low) / wide, "width": (end - start) / wide}
        found.append({**place, "made": at == answer["own"] and answer["value"] is not None, **_look(one, answer)})
    if answer["off"] is None:
        return found
    off = {"place": OFF, "range": "off", "left": 0, "width": 0, "made": answer["value"] is None}
    return [{**off, **_look(answer["off"], answer)}, *found]


def draw(answer: Mapping[str, Any], key: str, *, of: str, place: int, on_pick: Callable[[], None]) -> None:
    """Draw an answer of the tool, the cell at `place` chosen; `of` names the text and the setting.

    `on_pick` finds the place that was just chosen with `chosen`.
    """
    drawn = cells(answer)
    own, wide = answer["value"], max(answer["high"] - answer["low"], 1e-9)
    unit = f" {answer['unit']}" if answer["unit"] else ""
    data = {
        "of": of, "cells": drawn, "label": answer["label"], "low": f"{answer['low']:g}", "high": f"{answer['high']:g}",
        "here": "off (this text)" if own is None else f"{own:g}{unit} (this text)",
        "at": None if own is None else (own - answer["low"]) / wide,
        "chosen": next((at for at, one in enumerate(drawn) if one["place"] == place), 0),
    }  # fmt: skip
    _component(key=key, data=data, on_pick_change=on_pick)


def chosen(key: str, answer: Mapping[str, Any]) -> int | None:
    """Return the place that was just chosen in the strip under `key`, in a callback; None for what is no place."""
    place = getattr(state.at(key).get(), "pick", None)
    if not isinstance(place, int) or isinstance(place, bool):
        return None
    return place if place in {one["place"] for one in cells(answer)} else None


def _look(outcome: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    same = outcome["at"] is None
    # by ratios: most stretches differ within the first few tokens
    early = 0.0 if same else round(1 - math.log1p(outcome["at"]) / math.log1p(max(answer["tokens"], 1)), 3)
    return {"same": same, "early": early, "words": outcome["words"]}
