"""The playground from a shell.

    python -m models list
    python -m models show text/story-gpt
    python -m models run text/story-gpt --prompt "Once upon a time" --param temperature=0.8 --seed 7 --out story.txt
    python -m models sweep text/story-gpt --prompt "Once upon a time" --over temperature
    python -m models describe text/story-gpt --write
    python -m models settings story.txt

`run` prints the text as it comes and, as its last line, one JSON object; `sweep` does so for each value of a setting;
`settings` prints what a file says of its making. Exit codes: 0 done, 1 a file that says nothing, 2 a request or set-up
that cannot run (one sentence on stderr), 130 stopped by Ctrl+C.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import Any

import tomlkit

from models import labels, lists, plain_text, readers, sweeps
from models.catalog import load_catalog
from models.device import import_libraries
from models.errors import BadInput, BadParam, PlaygroundError
from models.events import Final
from models.labels import Named
from models.params import ParamField, allowed, in_effect
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.store import Store
from models.types import ASIDE, SEED_MAX, Request, combined_sha256


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    settings = Settings()
    try:
        code: int = options.command(options, settings)
        return code
    except PlaygroundError as error:
        print(error.message, file=sys.stderr)
        return 2


def _list(options: argparse.Namespace, settings: Settings) -> int:
    for spec in load_catalog(settings).values():
        size = f"{spec.weights_bytes() / 1e6:,.0f} MB"
        print(f"{spec.id:28} {size:>9}  {spec.licence:12} {spec.summary}")
    return 0


def _show(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings)
    spec, family = catalog[options.model], catalog.family(options.model)
    print(f"{spec.id} · {spec.name}\n{spec.summary}\n")
    for title, text in (
        ("Architecture", spec.architecture),
        ("Trained on", spec.trained_on),
        ("Licence", spec.licence),
    ):
        print(f"{title}: {text}")
    print(f"Size: {spec.parameters:,} parameters, {spec.weights_bytes() / 1e6:,.1f} MB")
    print(f"Inputs: {', '.join(item.name for item in family.inputs)}\n\nSettings:")
    for item in family.fields(spec):
        print(f"  {item.name} (default {json.dumps(item.default)}; {allowed(item)})\n      {item.help}")
    return 0


def _describe(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings)
    spec = catalog[options.model]
    import_libraries(settings)  # some families ask the libraries which settings run
    facts = catalog.family(options.model).describe(spec)
    document = tomlkit.parse(spec.file.read_text("utf-8"))
    document["facts"] = facts
    if options.write:
        spec.file.write_text(tomlkit.dumps(document), "utf-8")
    else:
        print(tomlkit.dumps({"facts": facts}), end="")
    return 0


def _run(options: argparse.Namespace, settings: Settings) -> int:
    engine, request = _asked(options, settings)
    return _generate(engine, request, options, _stop_signal())


def _sweep(options: argparse.Namespace, settings: Settings) -> int:
    """Run a request at several values of a setting, in turn; what differs is told before each."""
    engine, request = _asked(options, settings)
    fields = engine.catalog.family(request.model).fields(engine.catalog[request.model])
    item = next((one for one in fields if one.name == options.over), None)
    values: list[Any] = []
    for text in options.value:
        values += [_params([f"{options.over}={text}"], {one.name: one for one in fields})[options.over]]
    if item is not None and not values:
        now = request.seed if item.type == "seed" else request.params.get(item.name, item.default)
        values = [*sweeps.three(item, now)]
    requests = sweeps.build(fields, request, options.over, values)
    for one in requests:
        engine.catalog.validate(one)
    stop, out = _stop_signal(), options.out
    for place, (one, name) in enumerate(zip(requests, labels.labels(engine.catalog, [Named(one) for one in requests]),
                                            strict=True), 1):  # fmt: skip
        if not options.json:
            print(f"{name}:")
        options.out = str(Path(out).with_stem(f"{Path(out).stem}-{place}")) if out else None
        if code := _generate(engine, one, options, stop):
            return code
    return 0


def _stop_signal() -> StopSignal:
    """Return a signal that Ctrl+C gives."""
    stop = StopSignal()
    signal.signal(signal.SIGINT, lambda *_: stop.request())
    return stop


def _asked(options: argparse.Namespace, settings: Settings) -> tuple[LocalEngine, Request]:
    """Return an engine and the request that the options make."""
    engine = LocalEngine(settings)
    catalog = engine.catalog
    spec, family = catalog[options.model], catalog.family(options.model)
    fields = {item.name: item for item in family.fields(spec)}
    params = _params(options.param, fields)
    # a text that was an input once and is a setting now is still read as text
    texts = {item.name for item in family.inputs if item.is_text} | {
        item.name for item in fields.values() if item.type == "text"
    }
    inputs = _inputs(options, texts, settings)
    if not 0 <= options.seed <= SEED_MAX:
        raise BadParam(f"seed is {options.seed}; it must be {allowed(fields['seed'])}.")
    inputs, said = lists.draw_inputs(family, inputs, options.seed, settings)
    if said:
        print(said, file=sys.stderr)
    return engine, catalog.current(Request(model=spec.id, inputs=inputs, params=params, seed=options.seed))


def _generate(engine: LocalEngine, request: Request, options: argparse.Namespace, stop: StopSignal) -> int:
    """Run a request, print what comes and save it; return the exit code."""
    catalog = engine.catalog
    fields = catalog.family(request.model).fields(catalog[request.model])
    final: Final | None = None
    shown = ""
    for event in engine.generate(request, stop):
        if event.kind == "preview" and not options.json and len(event.outputs) == 1:
            text = event.outputs[0].text
            print(text[len(shown) :], end="", flush=True)
            shown = text
        elif event.kind == "final":
            final = event
    assert final is not None
    if not options.json:
        rest = "\n\n".join(output.text for output in final.outputs if output.kind == "text")
        print(rest[len(shown) :] if rest.startswith(shown) else "\n" + rest)
    outputs = [output.to_header() for output in final.outputs]
    results = sum(output.kind not in ASIDE for output in final.outputs)
    for output, header in zip(final.outputs, outputs, strict=True):
        if options.out and output.kind not in ASIDE:  # kept steps are for looking into, not a result
            header["file"] = str(_write(Path(options.out), output.index, results, output.data))
    stats = dict(final.stats)
    full = {**catalog.validate(request).model_dump(mode="json"), "seed": request.seed}
    acting = [name for name in in_effect(fields, full) if name != "seed"]
    print(
        json.dumps(
            {
                "model": request.model,
                "inputs": {name: text for name, text in request.inputs.items() if not text.startswith("sha256:")},
                "seed": request.seed,
                "params": {name: full[name] for name in acting},
                **stats,
                "output_sha256": combined_sha256(final.outputs),
                "outputs": outputs,
            },
            ensure_ascii=True,
        )
    )
    return 130 if stats.get("stopped") else 0


def _settings(options: argparse.Namespace, settings: Settings) -> int:
    try:
        data = Path(options.file).read_bytes()
    except OSError as error:
        raise BadInput(f"The file {options.file} cannot be read ({error.strerror}).") from error
    kind, found = readers.read_settings(data, settings)
    if found is None:
        print(f"This {kind} contains no settings: it was not made here, or they were removed.", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"kind": kind, **dataclasses.asdict(found)}, ensure_ascii=True))
        return 0
    told = {"file": kind, "made by": found.source, "model": found.model or found.made_with, **found.inputs,
            **found.params, "seed": "a new one each run (-1)" if found.new_seed else found.seed}  # fmt: skip
    for name, value in told.items():
        if value not in (None, ""):
            _say(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    for sentence in found.unknown:
        _say(f"ignored or changed: {sentence}")
    return 0


def _say(line: str) -> None:
    print(line.encode("utf-8", "replace").decode())  # a file may hold half a character


def _params(given: list[str], fields: dict[str, ParamField]) -> dict[str, Any]:
    """Read `name=value` pairs: JSON where the field takes it, text where it takes text."""
    params: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BadParam(f"--param {pair!r} has no value; write it as name=value, such as temperature=0.8.")
        kind = fields[name].type if name in fields else ""
        value: Any = text
        if kind not in ("text", "choice") or text == "null":
            try:
                value = json.loads(text)
            except ValueError:
                value = {"on": True, "off": False if kind == "toggle" else None}.get(text, text)
        if kind == "tags":
            value = [*params.get(name, []), *(value if isinstance(value, list) else [text])]
        params[name] = value
    return params


def _inputs(options: argparse.Namespace, texts: set[str], settings: Settings) -> dict[str, str]:
    inputs: dict[str, str] = {}
    if options.prompt is not None:
        inputs["prompt"] = plain_text.check_text(options.prompt)
    for pair in options.input:
        name, equals, file = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--input {pair!r} has no file; write it as name=FILE.")
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise BadInput(f"--input {name}: the file {file} cannot be read ({error.strerror}).") from error
        if name in texts:
            try:
                inputs[name] = plain_text.check_text(data.decode("utf-8"), name)
            except UnicodeDecodeError as error:
                raise BadInput(f"--input {name}: {file} is not UTF-8 text (byte {error.start}).") from error
        else:
            inputs[name] = Store(settings).put_bytes(data)
    return inputs


def _write(out: Path, index: int, count: int, data: bytes) -> Path:
    """Write an artefact to `out`, or to `out-2.txt`, `out-3.txt`, … where there are several."""
    path = out if count == 1 or index == 0 else out.with_stem(f"{out.stem}-{index + 1}")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BadInput(f"--out: {path} cannot be written ({error.strerror}).") from error
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list the models")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", help="show a model's card and settings")
    show.add_argument("model", metavar="MODEL")
    show.set_defaults(command=_show)
    describe = commands.add_parser("describe", help="print the facts that depend on a model's weights")
    describe.add_argument("model", metavar="MODEL")
    describe.add_argument("--write", action="store_true", help="write them into the model's catalogue file")
    describe.set_defaults(command=_describe)
    saved = commands.add_parser("settings", help="print what a saved result says of its making")
    saved.add_argument("file", metavar="FILE", help="a result saved here, or by another program")
    saved.add_argument("--json", action="store_true", help="print one JSON object")
    saved.set_defaults(command=_settings)
    for name, command, told in (
        ("run", _run, "generate once and print or save the result"),
        ("sweep", _sweep, "generate at several values of one setting, all else alike"),
    ):
        made = commands.add_parser(name, help=told)
        made.add_argument("model", metavar="MODEL")
        made.add_argument("--prompt", help="text to start from")
        made.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="file input, repeatable")
        made.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="setting, repeatable; see show"
        )
        made.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
        made.add_argument("--out", metavar="FILE", help="save the result; its settings are stored in the file")
        made.add_argument("--json", action="store_true", help="print only the final JSON line")
        if name == "sweep":
            made.add_argument("--over", metavar="NAME", required=True, help="the setting")
            made.add_argument(
                "--value", action="append", default=[], metavar="VALUE",
                help="one of its values, repeatable (default: three, its own and one to each side)",
            )  # fmt: skip
        made.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
