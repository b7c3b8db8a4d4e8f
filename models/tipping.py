"""Tipping points of a finished run: between which values of one setting its result stays as it is.

A family that can tell them has the tool `tipping`: `{"ref", "request", "output", "forced", "setting", "step"}` → the
segments of the setting's range with `sentence` and `how`, the words that page and shell share; `ref` is the run's
output of the kind "view". `python -m models tipping` and `models.tipping_points` ask here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import given, own_runs, readers, shell
from models.errors import BadInput, BadParam
from models.events import count_words, is_stepping
from models.runtime.engine import LocalEngine
from models.store import Store
from models.types import ASIDE, Output, Request, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

TOOL = "tipping"
TOLD = "tell between which values of a setting a result stays the same"


def tell(
    engine: LocalEngine, settings: Settings, made: Run | Request, setting: str, output: int = 0,
    step: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the tipping points of a stored run or of a request, which is then run; `output` counts from 0.

    A run whose making was cleared from the store is made again. Raises `BadParam` and `BadInput` where the model has no
    such points, the run no such output, or where it is made differently by now.
    """
    request = engine.catalog.current(made if isinstance(made, Request) else made.request)
    check_able(engine.catalog, request.model)
    # what was kept is the run's own; what is made for this alone leaves the store as it was
    store = Store(settings)
    try:
        view = _view(made.outputs, output, request) if isinstance(made, Run) else None
        there = view is not None and store.path(view.sha256).exists()
        if not there:
            again = _view(_generated(engine, request), output, request)
            if view is not None and view.sha256 != again.sha256:
                raise BadInput(
                    "This run's settings now give another result, as after an update of the model or a library, or it "
                    "was stopped, so its making is lost. Run it again, then ask for the new one."
                )
            view = again
            there = store.path(view.sha256).exists()
            store.put_bytes(view.data)
        assert view is not None
        data: dict[str, Any] = {
            "ref": f"sha256:{view.sha256}", "request": request.model_dump(), "output": output,
            "forced": int(view.meta.get("forced", 0)), "setting": setting, "step": step,
        }  # fmt: skip
        try:
            return engine.call(request.model, TOOL, data)
        finally:
            if not there:
                store.path(view.sha256).unlink(missing_ok=True)
    finally:
        store.close()


def check_able(catalog: Catalog, model: str) -> None:
    """Raise `BadInput` for a model whose family cannot tell tipping points, and `UnknownModel`."""
    if TOOL in catalog.family(catalog[model].id).tools:
        return
    able = [spec.id for spec in catalog.values() if TOOL in catalog.family(spec.id).tools]
    raise BadInput(f"{model} cannot tell tipping points. Choose {' or '.join(able) or 'a model whose family can'}.")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes beside the options of a run."""
    parser.add_argument("--setting", metavar="NAME", help="the setting")
    parser.add_argument("--step", type=float, metavar="N", help="look at every N (default: the slider's step)")
    parser.add_argument("--variant", type=int, default=1, metavar="N", help="which output of several (default 1)")


def run(
    options: argparse.Namespace, settings: Settings,
    ask: Callable[[argparse.Namespace, Settings], tuple[LocalEngine, Request]],
) -> int:  # fmt: skip
    """Tell the tipping points of what `options.model` names: a model to run by `ask`, a saved file, or a run's id."""
    if options.setting is None:
        raise BadParam("--setting is missing: name the setting to look at, such as --setting temperature.")
    for name in ("out", "export"):
        if getattr(options, name):
            raise BadInput(f"--{name} does not go with tipping, which makes no result. Use it with `run`.")
    engine = LocalEngine(settings)
    made: Run | Request
    if options.model in engine.catalog:
        check_able(engine.catalog, options.model)
        engine, made = ask(options, settings)
    else:
        named = [f"--{name}" for name in ("prompt", "input", "param", "seed") if getattr(options, name)]
        if named:
            raise BadInput(f"{named[0]} goes with a model alone: a saved result says it. Remove it, or name a model.")
        made = _found(options.model, engine.catalog, settings)
    told = tell(engine, settings, made, options.setting, options.variant - 1, options.step)
    shell.show("")
    if options.json:
        shell.say(json.dumps({**_whose(made), **told}, ensure_ascii=True))
        return 0
    shell.say(f"{told['sentence']}\n")
    for line in _lines(told):
        shell.say(line)
    shell.say(f"\n{told['how']}")
    return 0


def _found(name: str, catalog: Catalog, settings: Settings) -> Run | Request:
    if Path(name).is_file():
        kind, found = readers.read_settings(given.file_bytes(name), settings)
        if found is None or found.model is None or found.seed is None:
            raise BadInput(f"This {kind} does not say which model and seed made it. Name a result that was saved here.")
        return catalog.current(Request(model=found.model, inputs=found.inputs, params=found.params, seed=found.seed))
    store = Store(settings)
    try:
        run = own_runs.run_of(store, name)
    finally:
        store.close()
    if run is None:
        raise BadInput(
            f"“{name[:80]}” is neither a model, nor a saved file, nor the id of a run of yours. "
            "`python -m models list` names the models."
        )
    return run


def _view(outputs: Sequence[Output], index: int, request: Request) -> Output:
    views = [one for one in outputs if one.kind == "view"]
    found = next((one for one in views if one.index == index), None)
    if found is None:
        count = sum(one.kind not in ASIDE for one in outputs)
        what = f"variant {index + 1} does not exist; there are {count}" if views else "its making was not kept"
        raise BadInput(f"Of this result of {request.model}, {what}. Choose another, or run it again.")
    return found


def _generated(engine: LocalEngine, request: Request) -> Sequence[Output]:
    outputs: Sequence[Output] = ()
    for event in engine.generate(request):
        if event.kind == "progress":
            shell.show(count_words(event) if is_stepping(event) else "")
        elif event.kind == "final":
            outputs = event.outputs
    shell.show("")
    return outputs


def _whose(made: Run | Request) -> dict[str, Any]:
    request = made if isinstance(made, Request) else made.request
    return {"run": None if isinstance(made, Request) else made.id, "model": request.model, "seed": request.seed}


def _lines(told: dict[str, Any]) -> list[str]:
    """Return a line for each segment, the run's own marked."""
    rows = [(f"{one['from']:g} to {one['to']:g}" if one["from"] != one["to"] else f"{one['from']:g}", one)
            for one in told["segments"]]  # fmt: skip
    if told["off"] is not None:
        rows.append(("off", told["off"]))
    wide = max(len(name) for name, _ in rows)
    own = told["own"] if told["value"] is not None else len(rows) - 1
    return [f"{'>' if at == own else ' '} {name:{wide}}  {one['words']}" for at, (name, one) in enumerate(rows)]
