"""All stages between logits and the drawn token, in one order: `generate()` runs them, the microscope replays them.

Stages that read the tokens so far or named words come first (bias, penalties, bans, the schema): they act on greedy
text too. The sampling stages follow: top-nσ, temperature, the cuts from the widest to the narrowest, XTC on what they
left, and mirostat last, which measures what is left. transformers' own stages keep transformers' order; the first of
ours stand where it inserts custom processors, between penalties and temperature. Guidance comes before all: it makes
the logits.

Where a large vocabulary's likeliest tokens alone were kept (`Kept.columns`), some stages are bounds: `json_schema`
(others may fit), `top_n_sigma`, `dynatemp_range`, `typical_p` (the distribution of the others was not kept) and
`mirostat_tau` (a drawn one among the others is taken for as likely as all of them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from models.text.sampling import cuts, penalties, standard
from models.text.settings import NEUTRAL

if TYPE_CHECKING:
    from models.text.sampling.rows import Rows

Stage = Callable[["Rows", Mapping[str, Any]], None]

_STAGES: dict[str, Stage] = {
    "bias": penalties.bias, "repetition_penalty": standard.repetition_penalty,
    "frequency_penalty": penalties.frequency_penalty, "presence_penalty": penalties.presence_penalty,
    "dry_multiplier": penalties.dry_multiplier, "no_repeat_ngram_size": standard.no_repeat_ngram_size,
    "banned": penalties.banned, "json_schema": penalties.json_schema,
    "top_n_sigma": cuts.top_n_sigma, "temperature": standard.temperature, "dynatemp_range": cuts.dynatemp_range,
    "top_k": standard.top_k, "top_p": standard.top_p, "min_p": standard.min_p, "typical_p": standard.typical_p,
    "xtc_probability": cuts.xtc_probability, "mirostat_tau": cuts.mirostat_tau,
}  # fmt: skip
STAGES = tuple(_STAGES)
CHANCE = STAGES[STAGES.index("top_n_sigma") :]  # act only where tokens are sampled
CUTS = ("top_n_sigma", "top_k", "top_p", "min_p")  # may leave few tokens
WORDS = ("bias", "banned", "json_schema")  # need the tokenizer
READS_TEXT = (*WORDS, "dry_multiplier", "xtc_probability")  # do more with it: they know where a line ends
# settings that a stage reads beside the one that it is named after
BESIDE = ("dry_base", "dry_allowed_length", "dynatemp_exponent", "xtc_threshold", "mirostat_eta")
SETTINGS = (*STAGES, *BESIDE)


def acts(name: str, params: Mapping[str, Any]) -> bool:
    """Say whether a stage does anything under these settings; None or absent: off."""
    value = params.get(name)
    if not value or value == NEUTRAL.get(name):
        return False
    if name in CHANCE and (params.get("do_sample") is False or params.get("temperature") == 0):
        return False  # greedy
    return not (name == "temperature" and acts("dynatemp_range", params))


def effective(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that do something: of stages that act, and those that such a stage reads beside its own."""
    on = {name for name in STAGES if acts(name, params)}
    return {name: params[name] for name in SETTINGS if name in on or (name in params and beside(name) in on)} | (
        {"temperature": params["temperature"]} if "dynatemp_range" in on and "temperature" in params else {}
    )


def beside(name: str) -> str:
    """Return the stage that reads a setting of `BESIDE`; "" for any other setting."""
    if name not in BESIDE:
        return ""
    return next(one for one in STAGES if one.split("_")[0] == name.split("_", maxsplit=1)[0])


def stage(name: str) -> Stage:
    """Return a stage by its name."""
    return _STAGES[name]


def apply(name: str, rows: Rows, params: Mapping[str, Any]) -> bool:
    """Run a stage on rows; say whether it acted."""
    if not acts(name, params) or (name in WORDS and rows.words is None):
        return False
    _STAGES[name](rows, params)
    return True
