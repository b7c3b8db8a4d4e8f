"""The child process that reads a model from the disk before the app does, within its memory and its time.

Started by `models.runtime.adding` as `python -m models.runtime.adding_process ORDER ANSWER`, two JSON files. It looks
at a path, or makes of a copy what is kept, describes it and loads it once. What it refuses, it says in a sentence.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import from_disk
from models.errors import BadInput, PlaygroundError
from models.runtime import memory

log = logging.getLogger(__name__)


def main() -> None:
    """Carry out the one order."""
    logging.basicConfig(level=logging.INFO)
    order, answer = json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    memory.prefer_killing_me()
    os.nice(5)  # the pages and a generation go first
    try:
        told: dict[str, Any] = {"found": carry_out(order, _limit)}
    except PlaygroundError as error:
        told = {"refused": error.message}
    half = answer.with_suffix(".half")
    half.write_text(json.dumps(told), "utf-8")
    os.replace(half, answer)


def carry_out(order: dict[str, Any], limit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Carry out an order; `limit` is called once what it needs is imported. Raises what it refuses with."""
    return _look(order, limit) if order["do"] == "look" else _try(order, limit)


def _limit(order: dict[str, Any]) -> None:
    memory.limit_address_space(int(order["bytes"]))
    most = int(order["seconds"]) + int(sum(os.times()[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _look(order: dict[str, Any], limit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    import gguf  # noqa: F401 - before memory is limited
    import safetensors  # noqa: F401

    limit(order)
    return from_disk.look(order["path"]).to_dict()


def _try(order: dict[str, Any], limit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    from models import device
    from models.family import discover
    from models.settings import Settings
    from models.spec import ModelSpec

    settings = Settings.model_validate(order["settings"])
    device.import_libraries(settings.model_copy(update={"preload": False}))  # what the one family needs is enough
    import torch

    torch.set_num_threads(1)
    families, _ = discover(settings.family_folders())
    spec, source, made = ModelSpec(**order["spec"]), Path(order["source"]), Path(order["made"])
    family = families[spec.family]
    convert = importlib.import_module(f"models.{family.modality}.converting.gguf").convert if order["gguf"] else None
    limit(order)
    # the copy, not what lies there now: what is looked at is what runs
    found = from_disk.look(source / "model.gguf" if convert else source)
    if found.numbers != order["numbers"] or found.gguf != order["gguf"]:
        raise BadInput("It changed while it was copied. Add it when nothing writes to it.")
    missing: list[str] = []
    try:
        _note_missing(missing)
        if convert is not None:
            made.mkdir()
            with torch.inference_mode():
                convert({"model.gguf": source / "model.gguf"}, made)
            gc.collect()
            found = from_disk.look(made)
        else:
            source.rename(made)
        spec = spec.model_copy(update={"kept": made})
        facts = family.describe(spec)
        spec = spec.model_copy(update={"facts": facts})
        family.load(spec)
    except PlaygroundError as error:
        raise BadInput(f"{spec.name} does not load: {error.message.replace(spec.id, spec.name)}") from error
    except Exception as error:
        log.exception("%s does not load", spec.name)
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(f"{spec.name} does not load ({type(error).__name__}: {said}).") from error
    if missing:
        raise BadInput(
            f"{spec.name}: its files lack {len(missing):,} of the weights that config.json describes, such as "
            f"{missing[0][:80]}. They do not belong together, or a part is missing."
        )
    return {"facts": facts, "parameters": found.numbers, "architecture": found.architecture}


def _note_missing(missing: list[str]) -> None:
    """Have transformers tell which weights its models lacked: it makes those by chance, and they write noise."""
    from transformers import PreTrainedModel

    load = PreTrainedModel.from_pretrained.__func__

    def loading(cls: Any, *given: Any, **named: Any) -> Any:
        told = named.pop("output_loading_info", False)
        model, info = load(cls, *given, output_loading_info=True, **named)
        missing.extend(sorted(info["missing_keys"]))
        return (model, info) if told else model

    PreTrainedModel.from_pretrained = classmethod(loading)


if __name__ == "__main__":
    main()
