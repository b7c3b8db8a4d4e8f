"""Names for results that stand beside one another: what differs among them, in the words of their settings.

Whatever lists results names them here: pages, comparisons, menus. It knows no modality: the words of a setting come
from its family's table, what a result says from its room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any

from models.errors import PlaygroundError
from models.family import main_text
from models.params import ParamField, values_in_effect
from models.types import Output, Request, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.presets import Change

FEW = 4  # results of which each says a setting that differs; in longer lists one at the model's default is silent
SETTINGS_MOST = 4
PROMPT_CHARS, SAYS_CHARS = 40, 80


@dataclass(frozen=True)
class Named:
    """Hold what is to be named: a request, the run that it became and one of its outputs, where there are any.

    `says` is what the output says in its room's words, "" for nothing.
    """

    request: Request
    run: Run | None = None
    output: Output | None = None
    says: str = ""


def shorten(text: str, chars: int) -> str:
    """Return the beginning of a text on one line: whole words, an ellipsis where it goes on, at most `chars`.

    A single word that is longer than that is cut all the same.
    """
    words = " ".join(text.split())
    if len(words) <= chars:
        return words
    whole = words[:chars].rsplit(" ", 1)[0] if " " in words[:chars] else words[: chars - 1]
    return f"{whole.rstrip(' ,;:.')}…"


def own_words(output: Output) -> str:
    """Return what an output says itself: its text after the prompt, on one line."""
    return " ".join(output.text[int(output.meta.get("prompt_chars", 0)) :].split())


def seed_of(request: Request, output: Output | None = None) -> int:
    """Return the seed that made an output: its own where it has one."""
    return int(output.meta.get("seed", request.seed)) if output is not None else request.seed


def labels(
    catalog: Catalog, named: Sequence[Named], *, zone: tzinfo | None = None, page_model: str = ""
) -> list[str]:  # fmt: skip
    """Return one line of plain text for each result: model, prompt, settings, seed, time as far as they differ.

    What it says follows. `page_model` is the model of the page, of which a lone other one is told. Times are told in
    `zone` (None: this machine's), and only where nothing else tells two results apart.
    """
    every = [_Told(catalog, one) for one in named]
    models = {one.named.request.model for one in every} | ({page_model} if page_model else set())
    found = [_parts(one, every, len(models) > 1) for one in every]
    lines = [" · ".join([*parts, one.said]) if one.said else " · ".join(parts)
             for one, parts in zip(every, found, strict=True)]  # fmt: skip
    for place, one in enumerate(every):
        if (not found[place] or lines.count(lines[place]) > 1) and (when := one.when(zone)):
            found[place].append(when)
    lines = [" · ".join([*parts, one.said] if one.said else parts or [one.fallback])
             for one, parts in zip(every, found, strict=True)]  # fmt: skip
    return [
        line if lines.count(line) < 2 else f"{line} ({lines[:place].count(line) + 1})"
        for place, line in enumerate(lines)
    ]


def value_words(item: ParamField, value: Any) -> str:
    """Say a setting's value as its widget shows it: "off", "on", "0.8", "64 px", "Euler a", texts in quotes."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return " / ".join(f"“{one}”" for one in value) or "off"
    if item.type == "text":
        text = " ".join(str(value).split())
        return f"“{text}”" if text else "off"
    if isinstance(value, float):
        return f"{value:.6g}" + (f" {item.unit}" if item.unit else "")
    return item.names.get(str(value), str(value)) + (f" {item.unit}" if item.unit and item.type != "choice" else "")


def setting_words(item: ParamField, value: Any) -> str:
    """Say a setting as its slider does, with its value: "Temperature 0.8", "Top-k off", "Scheduler Euler a"."""
    return f"{item.label} {value_words(item, value)}"


def moved_words(change: Change) -> str:
    """Say what a preset does to a setting: "Temperature 0.8 → 0.3"."""
    return f"{setting_words(change.item, change.now)} → {value_words(change.item, change.then)}"


def prompt_of(catalog: Catalog, request: Request) -> str:
    """Return the main text of a request on one line, "" for none."""
    return " ".join(_Told(catalog, Named(request)).prompt.split())


def model_name(catalog: Catalog, model: str) -> str:
    """Return a model's name; of one that is gone, the end of its id."""
    spec = catalog.get(model)
    return str(spec.name) if spec is not None else model.split("/", 1)[-1]


def changed(catalog: Catalog, run: Run) -> list[str]:
    """Return the settings of a run that differ from its model's defaults, as their sliders say them; no seed."""
    told = _Told(catalog, Named(run.request, run))
    return [
        setting_words(item, told.values[item.name])
        for item in told.fields.values()
        if item.name != "seed" and item.name in told.values and told.values[item.name] != item.default
    ]


def differing(catalog: Catalog, runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Return what differs between runs: its name (model, input, setting, seed), and what each run has, "" for none."""
    told = [_Told(catalog, Named(run.request, run)) for run in runs]
    rows = [("Model", [one.model for one in told])]
    names = dict.fromkeys(name for run in runs for name in run.request.inputs)
    rows += [
        (name.replace("_", " ").capitalize(), [_given(run.request.inputs.get(name, "")) for run in runs])
        for name in names
    ]
    fields = {item.name: item for one in told for item in one.fields.values() if item.name != "seed"}
    rows += [
        (item.label, [value_words(one.fields[name], one.values[name])
                      if name in one.fields and name in one.values else "" for one in told])
        for name, item in fields.items()
    ]  # fmt: skip
    rows.append(("Seed", ["" if one.seed is None else str(one.seed) for one in told]))
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _given(text: str) -> str:
    return f"file {text[7:15]}" if text.startswith("sha256:") else " ".join(text.split())


def acting(fields: Sequence[ParamField], request: Request) -> dict[str, Any]:
    """Return the settings of a request that have an effect, the model's defaults among them, the seed too."""
    full = {**{item.name: item.default for item in fields}, **request.params, "seed": request.seed}
    return values_in_effect(fields, full)


class _Told:
    """Hold what is known of one result."""

    def __init__(self, catalog: Catalog, named: Named) -> None:
        self.catalog = catalog
        try:
            request = catalog.current(named.request)
            family = catalog.family(request.model)
            self.fields = {item.name: item for item in family.fields(catalog[request.model])}
            self.main = main_text(family.inputs)
        except PlaygroundError:  # of a model that is gone
            request, self.fields, self.main = named.request, {}, None
        self.named = named
        self.request = request

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """Return the settings that had an effect; those of a model that is gone as they stand in the request."""
        stats: Mapping[str, Any] = self.named.run.stats if self.named.run is not None else {}
        if not self.fields:
            return {**self.request.params, "seed": self.request.seed}
        acted = acting(tuple(self.fields.values()), self.request)
        return {**acted, **{name: value for name, value in stats.get("in_effect", {}).items() if name in self.fields}}

    @property
    def model(self) -> str:
        return model_name(self.catalog, self.request.model)

    @property
    def prompt(self) -> str:
        return self.request.inputs.get(self.main.name if self.main is not None else "prompt", "")

    @property
    def seed(self) -> int | None:
        """Return the seed, None where chance has no part."""
        return seed_of(self.request, self.named.output) if "seed" in self.values else None

    @property
    def variant(self) -> int | None:
        """Return which of several outputs this is, where no seed of its own tells."""
        output = self.named.output
        return output.index + 1 if output is not None and "seed" not in output.meta else None

    @property
    def said(self) -> str:
        return shorten(self.named.says, SAYS_CHARS)

    @property
    def fallback(self) -> str:
        return f"seed {self.seed}" if self.seed is not None else self.model

    def when(self, zone: tzinfo | None) -> str:
        """Return when it was made: the time, and the day where that is another one."""
        if self.named.run is None or not self.named.run.created_at:
            return ""
        made = datetime.fromtimestamp(self.named.run.created_at, zone)
        today = datetime.now(zone)
        return f"{made:%H:%M:%S}" if made.date() == today.date() else f"{made.day} {made:%b %H:%M}"


def _parts(one: _Told, every: Sequence[_Told], several_models: bool) -> list[str]:
    """Return what tells a result from the others."""
    parts = [one.model] if several_models else []
    if len({other.prompt for other in every}) > 1:
        parts.append(f"“{shorten(one.prompt, PROMPT_CHARS)}”" if one.prompt.strip() else "no prompt")
    telling = [item for item in one.fields.values() if _tells(one, every, item.name)]
    settings = [setting_words(item, one.values.get(item.name)) for item in telling]
    parts += settings[:SETTINGS_MOST]
    if len(settings) > SETTINGS_MOST:
        parts.append(f"{len(settings) - SETTINGS_MOST} more settings")
    if one.seed is not None and len({other.seed for other in every}) > 1:
        parts.append(f"seed {one.seed}")
    same_run = [other for other in every if other.named.run is not None and other.named.run is one.named.run]
    if one.variant is not None and len(same_run) > 1:
        parts.append(f"variant {one.variant}")
    return parts


def _tells(one: _Told, every: Sequence[_Told], name: str) -> bool:
    """Say whether a setting tells a result from the others: it differs, and is changed or there are few."""
    if name == "seed":
        return False
    item, value = one.fields[name], one.values.get(name)
    alike = [other for other in every if other.request.model == one.request.model]
    differs = any(other.values.get(name) != value for other in alike)
    changed = name in one.values and value != item.default
    if differs:
        return changed or len(every) <= FEW
    # a setting that all of one model share tells them from those of another
    return changed and any(other.values.get(name) != value for other in every)
