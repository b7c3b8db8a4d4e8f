"""Dictation: what is said into the microphone becomes words in a text of any page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from components import state
from components.modality import Writes
from models.audio.sound_family import HEARS
from models.catalog import Catalog
from models.spec import ModelSpec
from models.types import Output


def ear(catalog: Catalog) -> ModelSpec | None:
    """Return a model that writes down free speech: one that is here before one that can be got."""
    found = [
        spec for spec in catalog.values()
        if HEARS in catalog.family(spec.id).roles and "kind" in spec.facts and (spec.here or spec.weights.package)
    ]  # fmt: skip
    return min(found, key=lambda spec: not spec.here, default=None)


def limits(spec: ModelSpec) -> str:
    """Say which languages a model writes down."""
    if languages := spec.facts.get("languages"):
        return f"Dictation understands {len(languages)} languages. Your recording is not kept."
    return "Dictation understands English only. Your recording is not kept."


def _draw(key: str, take: Callable[[bytes], None]) -> None:
    st.audio_input("Say what to write", key=key, on_change=_took, args=(key, take))


def _took(key: str, take: Callable[[bytes], None]) -> None:
    recorded = state.at(key).get()
    if recorded is not None:
        take(recorded.getvalue())


def _read(outputs: Sequence[Output]) -> str:
    return next((output.text.strip() for output in outputs if output.kind == "text"), "")


def _taken(sent: Any) -> bytes | None:
    recorded = getattr(sent, "audio", None)
    return recorded.getvalue() if recorded is not None else None


WRITES = Writes(
    "dictate", "Dictate", ":material/mic:",
    "Say it instead of typing: your words are added to the text. Nothing runs until you press Run.", "audio",
    "Nothing was heard. Check that the right microphone is on, come closer to it, and say it again.",
    ear, limits, _draw, _read, _taken, {"accept_audio": True},
)  # fmt: skip
