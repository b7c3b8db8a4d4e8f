"""What nets that draw a picture in one pass share: config, prompts of known words, the facts of a run. No torch."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from models import plain_text
from models.errors import BadInput, WeightsError, restore

if TYPE_CHECKING:
    from models.spec import ModelSpec
    from models.types import Request, RunStats


def read_config(spec: ModelSpec) -> dict[str, Any]:
    """Return a net's config.json. Raises `WeightsError` where it is missing or damaged."""
    try:
        config = json.loads((spec.folder() / "config.json").read_text("utf-8"))
        return {**config, "vocabulary": list(config["vocabulary"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{spec.id}: config.json is missing or damaged. {restore()}") from error


def check_prompts(request: Request, mix: float, required: bool = True) -> None:
    """Check the prompts of a model that knows single words, mixed as far as `mix`. Raises `BadInput`."""
    prompt = plain_text.check_text(request.inputs.get("prompt", ""))
    if required and not prompt.strip():
        raise BadInput("The prompt is empty. Write what to draw, such as “red heart”.")
    second = plain_text.check_text(request.inputs.get("prompt_to", ""), "second prompt")
    if mix > 0 and not second.strip():
        raise BadInput("There is no second prompt to blend with. Write one, or set “Prompt blend” to 0.")


def run_stats(drawn: int, started: float, stopped: bool, unknown: list[str]) -> RunStats:
    """Return a run's `Final.stats`: how quick it was, and the words that the model does not know."""
    seconds = time.monotonic() - started
    notes = [f"Unknown words were ignored: {', '.join(dict.fromkeys(unknown))}."] if unknown else []
    return {
        "steps": drawn, "steps_per_s": round(drawn / seconds, 2) if seconds > 0 else 0.0, "stopped": stopped,
        "notes": notes,
    }  # fmt: skip
