"""The code that makes a result again: with public libraries alone, with this package, from a shell, as a notebook.

What a family needs of the public libraries it says itself (`Family.script`); the other styles are written here, for any
family. Texts are written as Python and the shell quote them, never pasted.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models import device, readers, scripts
from models.blobs import check_reference
from models.errors import BadInput, BadParam, PlaygroundError, WeightsError
from models.family import Family, InputField, main_text
from models.params import ParamField, values_in_effect
from models.scripts import Header
from models.stamps import Recovered, file_name
from models.types import ASIDE, Request, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings
    from models.spec import ModelSpec
    from models.store import Store

STYLES = {
    "libraries": "Public libraries alone: transformers, diffusers, torch and others, without the playground.",
    "models": "The playground's own Python, which works for every model.",
    "cli": "One line for a shell.",
    "notebook": "The script with public libraries as a Jupyter notebook.",
}
ENDINGS = {"libraries": "py", "models": "py", "cli": "sh", "notebook": "ipynb"}
MEDIA_TYPES = {"py": "text/x-python", "sh": "text/x-shellscript", "ipynb": "application/x-ipynb+json"}
_SCRIPTED = ("libraries", "notebook")  # styles that need a family's `script`


def write(
    catalog: Catalog, settings: Settings, request: Request, style: str = "libraries",
    facts: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Return the code that makes a request's result again, in one of `STYLES`.

    `facts` are those of the run's stamp (`Recovered.facts`): under what it was made. None: told as of this process.
    Raises `BadParam` for another style, `BadInput` where a style cannot make it, and as `Catalog.validate` does.
    """
    if style not in STYLES:
        raise BadParam(f"There is no style “{style[:40]}”. Choose {', '.join(STYLES)}.")
    if request.study:
        raise BadInput("This request looks into a result. Code is written for the request that made the result.")
    request = known(catalog, request)
    spec, family = catalog[request.model], catalog.family(request.model)
    catalog.validate(request)
    for name in _uploads(family, request):
        check_reference(request.inputs[name])
    if style in ("models", "cli"):
        said = _said(spec, family, catalog.full(request).params, request)
        return _models(family, said) if style == "models" else _shell(spec, family, said)
    try:
        script = family.script(spec, catalog.full(request), catalog.validate(request))
    except (OSError, ValueError, LookupError) as error:
        raise WeightsError(
            f"A file beside the weights of {spec.named} is damaged or missing ({type(error).__name__}). Restore it; if "
            "it came with the app, with `git checkout -- models/embedded`."
        ) from error
    changed = facts is not None and facts.get("revision") not in (None, spec.revision())
    if changed:
        weights = "the model was trained again or changed since the run, so its weights are others now."
        script = scripts.replace_cannot(script, (*script.cannot, weights))
    return {"libraries": scripts.python_text, "notebook": scripts.notebook}[style](
        script, _header(spec, family, settings, facts or {})
    )


def refusals(catalog: Catalog, request: Request) -> dict[str, str]:
    """Return every style, in order, with the sentence why it cannot make a request's result, "" where it can."""
    spec, family = catalog[request.model], catalog.family(request.model)
    try:
        request = known(catalog, request)
        family.script(spec, catalog.full(request), catalog.validate(request))
        why = ""
    except PlaygroundError as error:
        why = error.message
    return {style: why if style in _SCRIPTED else "" for style in STYLES}


def known(catalog: Catalog, request: Request) -> Request:
    """Return a request in today's form, without settings at rest that its family has and its model has not.

    A run's stamp names all of its family's.
    """
    request = catalog.current(request)
    family = catalog.family(request.model)
    own = {item.name for item in family.fields(catalog[request.model])}
    rest = {name: info.get_default(call_default_factory=True) for name, info in family.Params.model_fields.items()
            if name not in own}  # fmt: skip
    params = {name: value for name, value in request.params.items() if name not in rest or value != rest[name]}
    return request.model_copy(update={"params": params})


def code_name(request: Request, style: str) -> str:
    """Return a name for the file of a style, such as `story-gpt-seed7.py`."""
    return f"{file_name(request.model, request.seed).rsplit('.', 1)[0]}.{ENDINGS[style]}"


def requested(found: Recovered) -> Request:
    """Return the request that a file tells. Raises `BadInput` where it lacks a model or a seed."""
    if found.model is None or found.seed is None:
        raise BadInput("This file does not say which model and seed made it. Name a result that was saved here.")
    return Request(model=found.model, inputs=found.inputs, params=found.params, seed=found.seed)


def facts_of(run: Run, store: Store, settings: Settings) -> Mapping[str, Any] | None:
    """Return under what a stored run was made, as its result's file says; None where the file is gone or silent."""
    output = next((one for one in run.outputs if one.kind not in ASIDE and one.sha256), None)
    if output is None or not store.path(output.sha256).exists():
        return None
    try:
        recovered = readers.read_settings(store.get_bytes(output.sha256), settings)[1]
    except BadInput:
        return None
    return recovered.facts if recovered is not None and recovered.facts else None


def _header(spec: ModelSpec, family: Family, settings: Settings, facts: Mapping[str, Any]) -> Header:
    threads = facts.get("threads")
    measured = isinstance(threads, int) and isinstance(facts.get("versions"), Mapping)
    return Header(
        f"One result of {spec.name} ({spec.id}), made again with public libraries alone.",
        {**scripts.installed(), **(facts["versions"] if measured else {})},
        int(facts["threads"]) if measured else device.threads_for(family.needed_bytes(spec), settings),
        str(facts.get("device", device.DEVICE)), str(facts.get("dtype", family.dtype(spec))), measured,
    )  # fmt: skip


def _said(spec: ModelSpec, family: Family, full: Mapping[str, Any], request: Request) -> Request:
    """Return a request without the settings that it leaves at their default and that do not act: the same run."""
    fields = family.fields(spec)
    acting = values_in_effect(fields, {**full, "seed": request.seed})
    usual = {item.name: item.default for item in fields if item.name not in acting}
    kept = {name: value for name, value in request.params.items() if name not in usual or value != usual[name]}
    return request.model_copy(update={"params": kept})


def _uploads(family: Family, request: Request) -> dict[str, str]:
    """Return the inputs of a request that are files, each with a name for its file."""
    texts = {item.name for item in family.inputs if item.is_text}
    return {
        item.name: _file_of(item) for item in family.inputs
        if item.name in request.inputs and item.name not in texts
    }  # fmt: skip


def _file_of(item: InputField) -> str:
    """Return a name for an input's file; one without an ending is judged by its bytes."""
    return f"{item.name}.{item.accept[0]}" if item.accept else item.name


def _models(family: Family, request: Request) -> str:
    uploads = _uploads(family, request)
    imports = ["from pathlib import Path", "", "import models"]
    lines = ["request = models.Request(", f"    model={request.model!r},", *_dict("inputs", request.inputs),
             *_dict("params", request.params), f"    seed={request.seed!r},", ")", ""]  # fmt: skip
    if uploads:
        imports.append("from models.store import Store")
        lines += [
            f"uploads = {uploads!r}  # the files that were uploaded, by input: put yours beside this script",
            "store = Store(models.Settings())",
            "for name, file in uploads.items():",
            "    if not Path(file).is_file():",
            '        raise SystemExit(f"{file} is not here: it is the file that was uploaded as {name}.")',
            "    if store.put_bytes(Path(file).read_bytes()) != request.inputs[name]:",
            '        raise SystemExit(f"{file} is not the file that was uploaded as {name}.")',
            "store.close()",
            "",
        ]
    imports.append("from models.stamps import file_name")
    lines += [
        "for event in models.generate(request):",
        '    if event.kind == "final":',
        "        for output in event.outputs:",
        f"            if output.kind not in {tuple(sorted(ASIDE))!r}:  # those are for looking into a result",
        "                name = file_name(request.model, request.seed, output.index, output.media_type)",
        "                Path(name).write_bytes(output.data)",
        '                print(name, output.text, sep="\\n")',
    ]
    head = f'"""One result of {request.model}, made again. Run it in the folder of the playground\'s repository."""'
    return "\n".join([head, "", *imports, "", *lines]) + "\n"


def _dict(name: str, values: Mapping[str, Any]) -> list[str]:
    if not values:
        return [f"    {name}={{}},"]
    return [f"    {name}={{", *[f"        {key!r}: {value!r}," for key, value in values.items()], "    },"]


def _shell(spec: ModelSpec, family: Family, request: Request) -> str:
    """Return the shell's line, after lines that write the inputs which it reads from files."""
    main = main_text(family.inputs)
    uploads = _uploads(family, request)
    fields = {item.name: item for item in family.fields(spec)}
    before, words = [], ["python", "-m", "models", "run", request.model]
    for item in family.inputs:
        value = request.inputs.get(item.name)
        if value is None:
            continue
        if item == main:
            words += [f"--prompt={value}"] if value.startswith("-") else ["--prompt", value]
        elif item.name in uploads:
            before.append(f"# save the file that was uploaded as {item.name} here, as {uploads[item.name]}")
            words += ["--input", f"{item.name}={uploads[item.name]}"]
        else:
            file = _file_of(item)
            before.append(shlex.join(["printf", "%s", value]) + f" > {file}")
            words += ["--input", f"{item.name}={file}"]
    for name, given in request.params.items():
        words += ["--param", f"{name}={_value(fields.get(name), given)}"]
    words += ["--seed", str(request.seed)]
    if set(family.usual_inputs(spec)) - set(request.inputs):
        words.append("--bare")
    if any(mark in request.inputs.get(item.name, "") for item in family.inputs if item.lists for mark in ("{", "__")):
        words.append("--as-written")
    return "\n".join([*before, shlex.join(words)]) + "\n"


def _value(item: ParamField | None, value: Any) -> str:
    """Return a setting's value as `--param` reads it."""
    if isinstance(value, str) and item is not None and item.type in ("text", "choice"):
        return value
    return json.dumps(value, ensure_ascii=False)
