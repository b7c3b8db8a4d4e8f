"""The stored runs that pages show before a first run; `make examples` makes those of the app.

An example is the file `MODEL.json`, the model's id with `-` for `/`, in a folder `examples` of the app, beside the
model's catalogue file, or beside its room's page.py: what `python -m models run MODEL --json` prints, with the file
that its `--out` wrote.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import cast

from components import rooms
from models.spec import ModelSpec
from models.types import ASIDE, Output, Request, Run, RunStats

log = logging.getLogger(__name__)
EXAMPLES = Path(__file__).parent / "examples"


def example_file(spec: ModelSpec, ending: str = ".json") -> Path | None:
    """Return the file of a model's example with this ending, or None if there is none."""
    room = rooms.folder(spec.modality)
    folders = [EXAMPLES, spec.file.parent / "examples", *([room / "examples"] if room is not None else [])]
    found = (folder / f"{spec.id.replace('/', '-')}{ending}" for folder in folders)
    return next((file for file in found if file.is_file()), None)


def example_run(spec: ModelSpec) -> Run | None:
    """Return the stored run of a model, or None if there is none or it is damaged, which is logged."""
    file = example_file(spec)
    try:
        return read_run(file) if file is not None else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        log.exception("the example %s cannot be read", file)
        return None


def read_run(file: Path) -> Run:
    """Return a run as `python -m models run --json` printed it."""
    said = json.loads(file.read_text("utf-8"))
    outputs = []
    for one in said["outputs"]:
        if one["kind"] not in ASIDE:
            # an output may be told by its text and words alone, where its bytes would outweigh the model
            data = file.with_name(Path(one["file"]).name).read_bytes() if "file" in one else b""
            kept = ("kind", "index", "text", "media_type", "meta")
            outputs.append(Output(data=data, **{name: one[name] for name in kept}))
    # an upload stayed where the example was made
    inputs = {name: text for name, text in said.get("inputs", {}).items() if not text.startswith("sha256:")}
    chars = outputs[0].meta.get("prompt_chars", 0)
    if chars and not inputs.get("prompt"):  # files of before have no inputs: a text began with its prompt
        inputs["prompt"] = outputs[0].text[:chars]
    request = Request(model=said["model"], inputs=inputs, params=said["params"], seed=said["seed"])
    stats = cast(
        "RunStats", {name: said[name] for name in ("in_effect", "tokens", "steps", "counted", "notes") if name in said}
    )
    return Run("example", "", "", request, "done", 0.0, outputs, stats)
