"""The playground from a shell.

    python -m models list
    python -m models show text/story-gpt
    python -m models run text/story-gpt --prompt "Once upon a time" --param temperature=0.8 --seed 7 --out story.txt
    python -m models describe text/story-gpt --write

`run` prints the text as it comes and, as its last line, one JSON object. Exit codes: 0 done, 1 what was made could not
be written, or failed unexpectedly, 2 a request or set-up that cannot run (one sentence on stderr), 130 stopped by
Ctrl+C, 141 nobody reads the output any more.
"""

from __future__ import annotations

from models import shell

if __name__ == "__main__":
    shell.begin()  # the imports below take a second: Ctrl+C is heard from here on

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from models import plain_text
from models.catalog import Catalog, load_catalog
from models.device import import_libraries
from models.errors import BadInput, BadParam, PlaygroundError, WeightsError
from models.events import Final
from models.family import Family
from models.params import ParamField, allowed, in_effect
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.stamps import ending as ending_of
from models.store import Store
from models.types import ASIDE, NEW_SEED, SEED_MAX, Output, Request, combined_sha256, drawn_seed

if TYPE_CHECKING:
    from models.spec import ModelSpec

SHORT_CHARS = 200  # of a detail of an output on the last line; what is longer comes with --full


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code. Whatever happens is told in a sentence on stderr, or not at all."""
    shell.plain_streams()
    try:
        code = _run_command(arguments)
        shell.flush()
        return code
    except shell.PipeClosed:
        return shell.PIPE_CLOSED
    except shell.Unwritable as error:
        shell.tell(str(error))
        return shell.FAILED
    except KeyboardInterrupt:
        return shell.INTERRUPTED


def _run_command(arguments: list[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:  # --help, or what argparse has told already
        return int(done.code or 0)
    try:
        code: int = options.command(options, Settings())
        return code
    except PlaygroundError as error:
        shell.tell(error.message)
        return 2
    except (shell.PipeClosed, shell.Unwritable):
        raise
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        said = " ".join(str(error).split())[:300]
        shell.tell(
            f"This failed unexpectedly ({type(error).__name__}: {said}). `python -X dev -m models …` shows where."
        )
        return shell.FAILED


def _list(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings, strict=False)
    for spec in catalog.values():
        try:
            size = f"{spec.weights_bytes() / 1e6:,.0f} MB"
        except WeightsError:  # told below, among the problems
            size = "missing"
        shell.say(f"{spec.id:28} {size:>9}  {spec.licence:12} {spec.summary}")
    _tell_problems(catalog)
    return 0


def _tell_problems(catalog: Catalog) -> None:
    for problem in catalog.problems:
        shell.tell(f"Left out: {problem.message}")


def _model(catalog: Catalog, model: str) -> tuple[ModelSpec, Family]:
    """Return a model and its family; where there is no such model, what is wrong with the catalogue is told too."""
    if model not in catalog:
        _tell_problems(catalog)
    return catalog[model], catalog.family(model)


def _show(options: argparse.Namespace, settings: Settings) -> int:
    spec, family = _model(load_catalog(settings, strict=False), options.model)
    shell.say(f"{spec.id} · {spec.name}\n{spec.summary}\n")
    for title, text in (
        ("Architecture", spec.architecture),
        ("Trained on", spec.trained_on),
        ("Licence", spec.licence),
    ):
        shell.say(f"{title}: {text}")
    shell.say(f"Size: {spec.parameters:,} parameters, {spec.weights_bytes() / 1e6:,.1f} MB")
    shell.say(f"Inputs: {', '.join(item.name for item in family.inputs)}")
    if family.saves:
        shell.say(f"Saved as: {', '.join(family.saves)}")
    shell.say("\nSettings:")
    for item in family.fields(spec):
        shell.say(f"  {item.name} (default {json.dumps(item.default)}; {allowed(item)})\n      {item.help}")
    return 0


def _describe(options: argparse.Namespace, settings: Settings) -> int:
    spec, family = _model(load_catalog(settings, strict=False), options.model)
    import_libraries(settings)  # some families ask the libraries which settings run
    facts = family.describe(spec)
    document = tomlkit.parse(spec.file.read_text("utf-8"))
    document["facts"] = facts
    if options.write:
        shell.write_file(spec.file, tomlkit.dumps(document).encode())
    else:
        shell.say(tomlkit.dumps({"facts": facts}), end="")
    return 0


def _run(options: argparse.Namespace, settings: Settings) -> int:
    engine = LocalEngine(settings)
    catalog = engine.catalog
    spec, family = _model(catalog, options.model)
    fields = {item.name: item for item in family.fields(spec)}
    out = Path(options.out) if options.out else None
    if out is not None:
        _check_out(out, spec, family)
    params = _params(options.param, fields)
    # a text that was an input once and is a setting now is still read as text
    texts = {item.name for item in family.inputs if item.is_text} | {
        item.name for item in fields.values() if item.type == "text"
    }
    inputs = _inputs(options, texts, settings)
    if spec.facts.get("chat") and not options.no_chat:  # as on the page: a model that learnt to talk is talked to
        inputs = dict.fromkeys((item.name for item in family.inputs if item.type == "messages"), "[]") | inputs
    seed = drawn_seed() if options.seed == NEW_SEED else options.seed
    if not 0 <= seed <= SEED_MAX:
        raise BadParam(f"seed is {seed}; it must be {allowed(fields['seed'])}, or {NEW_SEED} for a new one.")
    request = catalog.current(Request(model=spec.id, inputs=inputs, params=params, seed=seed))
    checked = catalog.validate(request)
    if options.seed == NEW_SEED:
        shell.tell(f"Seed {seed} was drawn.")
    for sentence in family.warnings(spec, request, checked):
        shell.tell(sentence)
    full = {**checked.model_dump(mode="json"), "seed": seed}
    final = _follow(engine, request, options)
    _say_rest(final, options)
    outputs = [_header(output, options.full) for output in final.outputs]
    results = sum(output.kind not in ASIDE for output in final.outputs)
    whole = request.model_copy(update={"params": {name: full[name] for name in full if name != "seed"}})
    for output, header in zip(final.outputs, outputs, strict=True):
        if out is not None and output.kind not in ASIDE:  # kept steps are for looking into, not a result
            header["file"] = str(_save(out, family, whole, output, results))
    stats = dict(final.stats)
    acting = [name for name in in_effect(tuple(fields.values()), full) if name != "seed"]
    told = {
        "model": spec.id,
        "inputs": {name: text for name, text in request.inputs.items() if not text.startswith("sha256:")},
        "seed": seed,
        "params": {name: full[name] for name in acting},
        **stats,
        "output_sha256": combined_sha256(final.outputs),
        "outputs": outputs,
    }
    shell.say(json.dumps(told, ensure_ascii=True))
    if options.broken is not None:
        raise options.broken
    return shell.INTERRUPTED if stats.get("stopped") else 0


def _follow(engine: LocalEngine, request: Request, options: argparse.Namespace) -> Final:
    """Run a request, print its text as it comes, and return what it ends with.

    Ctrl+C ends a run that has begun with what it has; one that still loads, and a second Ctrl+C, end at once.
    """
    stop = StopSignal()
    begun = False

    def ask() -> bool:
        stop.request()
        return begun

    shell.on_interrupt(ask)
    final: Final | None = None
    silent = options.json
    options.shown, options.broken = "", None
    for event in engine.generate(request, stop):
        begun = begun or event.kind != "progress" or event.stage not in ("load", "start", "prompt")
        if event.kind == "preview" and not silent and len(event.outputs) == 1:
            text = event.outputs[0].text
            try:
                shell.say(text[len(options.shown) :], end="")
            except (shell.PipeClosed, shell.Unwritable) as error:
                if not options.out:
                    raise
                silent, options.broken = True, error  # the file is still wanted
            options.shown = text
        elif event.kind == "final":
            final = event
    assert final is not None
    return final


def _say_rest(final: Final, options: argparse.Namespace) -> None:
    """Print what the previews did not show."""
    if options.json:
        return
    rest = "\n\n".join(output.text for output in final.outputs if output.kind == "text")
    shown = options.shown
    shell.say(rest[len(shown) :] if rest.startswith(shown) else "\n" + rest)


def _header(output: Output, full: bool) -> dict[str, Any]:
    """Return what the last line tells of an output; without `full` its long details are named alone."""
    header = output.to_header()
    if not full:
        long = [name for name, value in output.meta.items() if len(json.dumps(value)) > SHORT_CHARS]
        header["meta"] = {name: value for name, value in output.meta.items() if name not in long}
        if long:
            header["left_out"] = sorted(long)
    return header


def _check_out(out: Path, spec: ModelSpec, family: Family) -> None:
    """Refuse a file that cannot be written, or whose name says what this model cannot be saved as, before the run."""
    kind = out.suffix[1:].lower()
    if family.saves and kind and kind not in family.saves:
        raise BadInput(
            f"--out: {out.name} would be a file of the kind .{kind}; {spec.id} is saved as "
            f"{', '.join('.' + one for one in family.saves)}. Give the file one of these endings."
        )
    try:
        shell.check_target(out)
    except shell.Unwritable as error:
        raise BadInput(str(error)) from error


def _save(out: Path, family: Family, request: Request, output: Output, count: int) -> Path:
    """Write an output to `out`, or to `out-2.txt`, `out-3.txt`, … where there are several, as its ending says."""
    path = out if count == 1 or output.index == 0 else out.with_stem(f"{out.stem}-{output.index + 1}")
    kind, own = path.suffix[1:].lower(), ending_of(output.media_type)
    if not family.saves and own and kind not in ("", own):
        path = path.with_name(f"{path.name}.{own}")  # a family that does not say what it makes: nothing is lost
        shell.tell(f"--out: the result is a file of the kind .{own}: it was saved as {path.name}.")
    data = family.save(request, output, kind) if kind in family.saves else output.data
    return shell.write_file(path, data)


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


class _Parser(argparse.ArgumentParser):
    """Print as every command does: argparse itself says nothing of a help that could not be written."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stderr:
            shell.tell(message.rstrip())
        elif message:
            shell.say(message, end="")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    run = commands.add_parser("run", help="generate once and print or save the result")
    run.add_argument("model", metavar="MODEL")
    run.add_argument("--prompt", help="text to start from")
    run.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="file input, repeatable")
    run.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="setting, repeatable; see show")
    run.add_argument("--seed", type=int, default=0, help="random seed (default 0; -1: a new one)")
    run.add_argument("--out", metavar="FILE", help="save the result, as its ending says, with its settings; see show")
    run.add_argument("--json", action="store_true", help="print only the final JSON line")
    run.add_argument(
        "--full", action="store_true", help="print long details of outputs in it too, such as a wave's peaks"
    )
    run.add_argument("--no-chat", action="store_true", help="give a chat model the prompt without its chat template")
    run.set_defaults(command=_run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
