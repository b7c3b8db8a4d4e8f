"""`python -m models presets MODEL`: settings under a name, and files of them; `run --preset NAME` sets them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import given, labels, presets, shell, whose
from models.catalog import load_catalog
from models.errors import BadParam
from models.presets import Preset
from models.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.catalog import Catalog
    from models.params import ParamField
    from models.settings import Settings


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    asked = commands.add_parser("presets", help="list settings under a name: a model's, its family's and yours")
    asked.add_argument("model", metavar="MODEL")
    asked.add_argument("--json", action="store_true", help="print a file of them, which --import reads")
    asked.add_argument("--import", dest="file", metavar="FILE", help="keep the presets in a file as yours")
    asked.add_argument("--delete", metavar="NAME", help="delete one of yours")
    asked.set_defaults(command=_presets)


def every(catalog: Catalog, settings: Settings, model: str) -> list[Preset]:
    """Return a model's presets, its family's and those of the machine's user, the last of one name first."""
    ours = [*catalog[model].recommended(), *catalog.family(model).presets]
    mine = _mine(settings, catalog[model].family)
    return [*mine, *(one for one in ours if one.name not in {own.name for own in mine})]


def chosen(catalog: Catalog, settings: Settings, model: str, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a preset sets of a model, and sentences about what it cannot take. Raises `BadParam` for no such."""
    found = every(catalog, settings, model)
    preset = next((one for one in found if one.name.lower() == name.lower()), None)
    if preset is None:
        named = ", ".join(one.name for one in found) or "it has none"
        raise BadParam(f"--preset {name[:60]!r} is no preset of {model}; choose one of: {named}.")
    changes, said = presets.fit(catalog.family(model).fields(catalog[model]), preset, {})
    return {one.item.name: one.then for one in changes}, said


def _mine(settings: Settings, family: str) -> list[Preset]:
    store = Store(settings)
    try:
        return presets.read_kept(store.note(whose.machine_owner(), presets.note_of(family)))
    finally:
        store.close()


def _keep(settings: Settings, family: str, mine: Sequence[Preset]) -> None:
    store = Store(settings)
    try:
        store.save_note(whose.machine_owner(), presets.note_of(family), [one.to_plain() for one in mine])
    finally:
        store.close()


def _presets(options: argparse.Namespace, settings: Settings) -> int:
    catalog = load_catalog(settings, strict=False)
    spec, family = catalog[options.model], catalog.family(options.model)
    if options.file:
        new, said = presets.read(given.file_bytes(options.file), spec.family, f"The file {Path(options.file).name}")
        for sentence in said:
            shell.tell(f"Left out: {sentence}")
        _keep(settings, spec.family, presets.joined(_mine(settings, spec.family), new))
        shell.say(f"{len(new)} kept.")
        return 0
    if options.delete:
        mine = _mine(settings, spec.family)
        if options.delete not in {one.name for one in mine}:
            named = ", ".join(one.name for one in mine) or "there are none"
            raise BadParam(f"--delete {options.delete[:60]!r} is no preset of yours; yours are: {named}.")
        _keep(settings, spec.family, [one for one in mine if one.name != options.delete])
        shell.say("Deleted.")
        return 0
    found = every(catalog, settings, spec.id)
    if options.json:
        shell.say(presets.to_json(spec.family, found))
        return 0
    for one in found:
        _tell(one, family.fields(spec))
    return 0


def _tell(preset: Preset, fields: Sequence[ParamField]) -> None:
    changes, said = presets.fit(fields, preset, {})
    shell.say(f"{preset.name}{f': {preset.about}' if preset.about else ''}")
    for one in changes:
        shell.say(f"  --param {one.item.name}={json.dumps(one.then, ensure_ascii=False)}   {labels.moved_words(one)}")
    for sentence in said:
        shell.say(f"  not for this model: {sentence}")
    if preset.source:
        shell.say(f"  source: {preset.source}")
