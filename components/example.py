"""The stored runs that pages show before a first run; `make examples` makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from models.spec import ModelSpec
from models.types import ASIDE, Output, Request, Run, RunStats

EXAMPLES = Path(__file__).parent / "examples"


def example_run(spec: ModelSpec) -> Run | None:
    """Return the stored run of a model, or None if there is none or its picture is missing."""
    try:
        return read_run(EXAMPLES / f"{spec.id.replace('/', '-')}.json")
    except FileNotFoundError:
        return None


def read_run(file: Path) -> Run:
    """Return a run as `python -m models run --json` printed it."""
    said = json.loads(file.read_text("utf-8"))
    outputs = []
    for one in said["outputs"]:
        if one["kind"] not in ASIDE:
            # a tune's notes are its example: its sound would outweigh the model
            data = file.with_name(Path(one["file"]).name).read_bytes() if "file" in one else b""
            kept = ("kind", "index", "text", "media_type", "meta")
            outputs.append(Output(data=data, **{name: one[name] for name in kept}))
    given = said.get("inputs", {})
    prompt = given.get("prompt") or outputs[0].text[: outputs[0].meta.get("prompt_chars", 0)]
    inputs = {"prompt": prompt, **({"messages": given["messages"]} if "messages" in given else {})}
    request = Request(model=said["model"], inputs=inputs, params=said["params"], seed=said["seed"])
    stats = cast("RunStats", {name: said[name] for name in ("in_effect", "tokens", "steps", "notes") if name in said})
    return Run("example", "", "", request, "done", 0.0, outputs, stats)
