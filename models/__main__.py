"""The playground from a shell.

    python -m models list
    python -m models show text/story-gpt
    python -m models run text/story-gpt --prompt "Once upon a time" --param temperature=0.8 --seed 7 --out story.txt
    python -m models sweep text/story-gpt --prompt "Once upon a time" --over temperature
    python -m models sweep sweep.json --out results --budget-s 30
    python -m models tipping text/story-gpt --prompt "Once upon a time" --setting temperature
    python -m models sensitivity text/story-gpt --prompt "Once upon a time" --budget-s 60
    python -m models run text/story-gpt --in beginning.txt
    python -m models run text/story-chat --input messages=talk.json --prompt "And then?" --export talk.md
    python -m models describe text/story-gpt --write
    python -m models settings story.txt
    python -m models code story.txt --style libraries
    python -m models quiz sweep.json --axis temperature --page http://127.0.0.1:8501/text
    python -m models votes --csv
    python -m models check story.txt
    python -m models presets text/story-gpt
    python -m models runs --search "dragon" --starred
    python -m models runs star RUN_ID
    python -m models get text/smollm2-135m-instruct
    python -m models add some-model.gguf

`run` prints the text as it comes and, as its last line, one JSON object; `sweep` does so for each value of a setting;
`sensitivity` moves each setting by a step, alone, and ranks what moved the result most, in units of seed noise;
`settings` prints what a file says of its making; `code` prints a script that makes a result again, `check` makes it
again and compares. Exit codes: 0 done, 1 a file that says nothing, a result that differs, or what was made could not be
written, 2 a request or set-up that cannot run (one sentence on stderr), 130 stopped by Ctrl+C, 141 nobody reads the
output any more.
"""

from __future__ import annotations

from models import shell

if __name__ == "__main__":
    shell.begin()  # the imports below take a second: Ctrl+C is heard from here on

import argparse
import dataclasses
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from models import (
    amounts,
    command_line,
    given,
    labels,
    lists,
    outfile,
    preset_command,
    readers,
    sensitivity_command,
    sweep_command,
    tipping,
)
from models.catalog import Catalog, load_catalog
from models.device import import_libraries
from models.errors import BadInput, BadParam, PlaygroundError, WeightsError
from models.events import Final, count_words, is_stepping
from models.family import Family, main_text
from models.known import unseen
from models.labels import Named
from models.params import allowed, in_effect
from models.runtime.engine import LocalEngine, StopSignal
from models.runtime.footing import LOG
from models.settings import Settings
from models.sweeps import cells
from models.sweeps import values as sweep_values
from models.types import ASIDE, NEW_SEED, SEED_MAX, Request, combined_sha256, drawn_seed

if TYPE_CHECKING:
    from models.spec import ModelSpec


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
        parser = command_line.parser(
            __doc__ or "", list=_list, show=_show, describe=_describe, settings=_settings, run=_run, sweep=_sweep,
            sensitivity=_sensitivity, tipping=_tipping,
        )  # fmt: skip
        options = parser.parse_args(arguments)
    except SystemExit as done:  # --help, or what argparse has told already
        return int(done.code or 0)
    try:
        settings = Settings()
        # with `-X dev` on stderr, where the library puts it
        with nullcontext() if sys.flags.dev_mode else shell.log_into(settings.data_dir / LOG):
            code: int = options.command(options, settings)
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
            size = amounts.size(spec.weights_bytes())
        except WeightsError:  # told below, among the problems
            size = "missing"
        where = (
            "here" if spec.here else "gone" if spec.weights.disk else "to get" if spec.weights.package else "elsewhere"
        )
        shell.say(f"{spec.id:28} {size:>9}  {where:9} {spec.licence:12} {spec.summary}")
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
        *((("Limits", spec.limits),) if spec.limits else ()),
        ("Architecture", spec.architecture),
        ("Trained on", spec.trained_on),
        ("Licence", spec.licence),
    ):
        shell.say(f"{title}: {text}")
    shell.say(f"Size: {spec.parameters:,} parameters, {amounts.size(spec.weights_bytes())}")
    main = main_text(family.inputs)
    named = [f"{item.name} (--prompt)" if item == main and item.name != "prompt" else item.name
             for item in family.inputs]  # fmt: skip
    shell.say(f"Inputs: {', '.join(named)}")
    for given_as in family.inputs:
        if given_as.limits:
            shell.say(f"  {given_as.name}: {given_as.limits}")
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
    engine, request = _asked(options, settings)
    return _generate(engine, request, options)


def _sensitivity(options: argparse.Namespace, settings: Settings) -> int:
    return sensitivity_command.run(options, settings, *_asked(options, settings))


def _tipping(options: argparse.Namespace, settings: Settings) -> int:
    return tipping.run(options, settings, _asked)


def _sweep(options: argparse.Namespace, settings: Settings) -> int:
    """Run a sweep's file, or a request at several values of a setting, in turn; what differs is told before each."""
    if sweep_command.is_file(options.model):
        return sweep_command.run(options, settings)
    if options.over is None:
        raise BadParam("--over is missing: name the setting to vary, or give a sweep's file (SPEC.json) for the model.")
    if options.budget_s is not None:
        raise BadParam("--budget-s goes with a sweep's file (SPEC.json) alone.")
    engine, request = _asked(options, settings)
    fields = engine.catalog.family(request.model).fields(engine.catalog[request.model])
    values: list[Any] = []
    for text in options.value:
        values += [given.params([f"{options.over}={text}"], {one.name: one for one in fields})[options.over]]
    values = values or sweep_values.usual(fields, options.over, request)
    plan = cells.plan(engine.catalog, sweep_values.over(request, options.over, values))
    for sentence in plan.said:
        shell.tell(sentence)
    requests = [cell.request for cell in plan.distinct]
    out, export = options.out, options.export
    for place, (one, name) in enumerate(zip(requests, labels.labels(engine.catalog, [Named(one) for one in requests]),
                                            strict=True), 1):  # fmt: skip
        if not options.json:
            shell.say(f"{name}:")
        options.out = str(Path(out).with_stem(f"{Path(out).stem}-{place}")) if out else None
        options.export = str(Path(export).with_stem(f"{Path(export).stem}-{place}")) if export else None
        if code := _generate(engine, one, options):
            return code
    return 0


def _asked(options: argparse.Namespace, settings: Settings) -> tuple[LocalEngine, Request]:
    """Return an engine and the request that the options make; what a person should know of it is told."""
    engine = LocalEngine(settings)
    catalog = engine.catalog
    spec, family = _model(catalog, options.model)
    if options.out:
        outfile.check(Path(options.out), spec, family)
    fields = {item.name: item for item in family.fields(spec)}
    preset, left_out = preset_command.chosen(catalog, settings, spec.id, options.preset) if options.preset else ({}, [])
    params = preset | given.params(options.param, fields)
    # a text that was an input once and is a setting now is still read as text
    texts = {item.name for item in family.inputs if item.is_text} | {
        item.name for item in fields.values() if item.type == "text"
    }
    inputs = given.inputs(options.prompt, options.input, family, texts, settings)
    if options.file is not None:
        read = given.whole_file(options.file, family, settings)
        if twice := sorted(set(read) & set(inputs)):
            raise BadInput(f"--in: {options.file} gives the {twice[0]} too. Leave out one of the two.")
        inputs |= read
        for item in family.inputs:
            params |= given.params_for(item, params) if item.name in read else {}
    inputs |= given.texts(options.text, inputs)
    if not options.bare:
        inputs = dict(family.usual_inputs(spec)) | inputs
    seed = drawn_seed() if options.seed == NEW_SEED else options.seed
    if not 0 <= seed <= SEED_MAX:
        raise BadParam(f"seed is {seed}; it must be {allowed(fields['seed'])}, or {NEW_SEED} for a new one.")
    said = ""
    if not options.as_written:
        inputs, said = lists.draw_inputs(family, inputs, seed, settings)
    request = catalog.current(Request(model=spec.id, inputs=inputs, params=params, seed=seed))
    warnings = family.warnings(spec, request, catalog.validate(request))
    main = main_text(family.inputs)
    strange = unseen(spec, inputs.get(main.name, "")) if main is not None else None
    for sentence in (
        said,
        strange.sentence if strange else "",
        f"Seed {seed} was drawn." if options.seed == NEW_SEED else "",
        *warnings,
        *(f"Left out of the preset: {one}" for one in left_out),
    ):
        if sentence:
            shell.tell(sentence)
    return engine, request


def _generate(engine: LocalEngine, request: Request, options: argparse.Namespace) -> int:
    """Run a request, print what comes and save it; return the exit code."""
    catalog = engine.catalog
    spec, family = catalog[request.model], catalog.family(request.model)
    fields = family.fields(spec)
    out = Path(options.out) if options.out else None
    export = Path(options.export) if options.export else None
    if export is not None:
        family.export(request, (), export.suffix)  # refuses what could not be exported
        outfile.check_target(export, "export")
    full = catalog.full(request).params
    final, shown, broken = _follow(engine, request, options)
    if not options.json and broken is None:
        rest = "\n\n".join(output.text for output in final.outputs if output.kind in ("text", "table"))
        shell.say(rest[len(shown) :] if rest.startswith(shown) else "\n" + rest)
    outputs = [outfile.header(output, options.full) for output in final.outputs]
    results = sum(output.kind not in ASIDE for output in final.outputs)
    whole = request.model_copy(update={"params": full})
    for output, header in zip(final.outputs, outputs, strict=True):
        if out is not None and output.kind not in ASIDE:  # kept steps are for looking into, not a result
            header["file"] = str(outfile.save(out, family, whole, output, results))
    if export is not None:
        shell.write_file(export, family.export(request, final.outputs, export.suffix), "export")
    if broken is not None:
        raise broken
    stats = dict(final.stats)
    acting = [name for name in in_effect(fields, {**full, "seed": request.seed}) if name != "seed"]
    told = {
        "model": request.model,
        "inputs": request.inputs,
        "seed": request.seed,
        "params": {name: full[name] for name in acting},
        **stats,
        "output_sha256": combined_sha256(final.outputs),
        "outputs": outputs,
    }
    shell.say(json.dumps(told, ensure_ascii=True))
    return shell.INTERRUPTED if stats.get("stopped") else 0


def _follow(engine: LocalEngine, request: Request, options: argparse.Namespace) -> tuple[Final, str, Exception | None]:
    """Run a request and print its text as it comes, of one that may still be revised what is settled; return what it
    ends with, the text that was printed, and why nothing more could be: where a file is wanted, the run goes on all the
    same.

    Ctrl+C ends a run that has begun with what it has; one that still loads, and a second Ctrl+C, end at once. Until a
    text is printed, a terminal shows how far the steps are, in the page's words.
    """
    stop = StopSignal()
    begun = False

    def ask() -> bool:
        stop.request()
        return begun

    shell.on_interrupt(ask)
    final: Final | None = None
    shown, broken = "", None
    try:
        for event in engine.generate(request, stop):
            begun = begun or event.kind != "progress" or event.stage not in ("load", "start", "prompt")
            if event.kind == "progress" and not shown:
                shell.show(count_words(event) if is_stepping(event) else "")
            elif event.kind == "preview" and not options.json and broken is None and len(event.outputs) == 1:
                settled = event.outputs[0].meta.get("settled")  # characters; all of it without
                text = event.outputs[0].text[:settled]
                if not text.startswith(shown) or len(text) == len(shown):
                    continue
                if not shown:
                    shell.show("")
                try:
                    shell.say(text[len(shown) :], end="")
                except (shell.PipeClosed, shell.Unwritable) as error:
                    if not options.out:
                        raise
                    broken = error
                shown = text
            elif event.kind == "final":
                final = event
    finally:
        if not shown:  # else it would wipe the text's last line
            shell.show("")
    assert final is not None
    return final, shown, broken


def _settings(options: argparse.Namespace, settings: Settings) -> int:
    try:
        data = given.file_bytes(options.file)
    except BadInput as error:
        raise BadInput(error.message[:1].upper() + error.message[1:]) from error
    kind, found = readers.read_settings(data, settings)
    if found is None:
        shell.tell(f"This {kind} contains no settings: it was not made here, or they were removed.")
        return 1
    if options.json:
        shell.say(json.dumps({"kind": kind, **dataclasses.asdict(found)}, ensure_ascii=True))
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
    shell.say(line.encode("utf-8", "replace").decode())  # a file may hold half a character


if __name__ == "__main__":
    sys.exit(main())
