"""What models of texts are made for, beside writing on: the names that facts and pages use. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRANSLATION, REWRITING, CLASSIFICATION, ZERO_SHOT = "translation", "rewriting", "classification", "zero-shot"
SIMILARITY = "similarity"
# what a page calls each, and what its models do with a text
TITLES: Mapping[str, str] = {
    TRANSLATION: "Translate",
    REWRITING: "Rewrite",
    CLASSIFICATION: "Classify",
    ZERO_SHOT: "Classify by your own labels",
    SIMILARITY: "Compare meanings",
}


def of(config: Mapping[str, Any], otherwise: str) -> str:
    """Return the task that a config.json names (`task`, ours), else `otherwise`."""
    told = config.get("task")
    return told if isinstance(told, str) and told in TITLES else otherwise


def is_inference(config: Mapping[str, Any]) -> bool:
    """Say whether a config.json has the labels of natural language inference, which judge labels of one's own."""
    labels = config.get("id2label")
    names = [str(name).lower() for name in labels.values()] if isinstance(labels, Mapping) else []
    return all(any(name.startswith(begins) for name in names) for begins in ("entail", ("contradict", "not_entail")))
