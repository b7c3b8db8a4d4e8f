"""Tipping points: between which values of one setting a finished text stays the same, and which token differs first.

No forward pass: up to the first token that differs the stored logits are the text's own, and the draws follow from the
seed (`models.text.sampling.redraw`). What comes after that token is another text, which needs a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from models.errors import BadParam
from models.params import ParamField, check, in_effect
from models.text.looking.microscope import open_kept, pieces, spelling
from models.text.sampling import stages
from models.text.sampling.redraw import Drawn, Flip, Redraw
from models.text.settings import CausalLMParams
from models.types import Request

if TYPE_CHECKING:
    from models.blobs import Blobs
    from models.text.kept import Kept

LOOKED_MOST = 2000  # values at which a text is looked at, before the edges between them are found
SAME = "the text stays the same"
_FINER = 10  # the edges are found to a tenth of the step's last digit


def able(fields: Sequence[ParamField]) -> tuple[ParamField, ...]:
    """Return the settings of a model whose tipping points can be told: the numbers that act between logits and draw."""
    return tuple(item for item in fields if item.name in stages.SETTINGS and item.type in ("number", "integer"))


def looked_at(item: ParamField, step: float | None = None) -> list[float]:
    """Return the values of a setting at which a text is looked at: its range by its slider's step, or by `step`.

    Raises `BadParam` for a step that is not above 0, wider than the range, a fraction where the setting is a whole
    number, or so small that there would be more than `LOOKED_MOST` values.
    """
    assert item.ge is not None and item.le is not None and item.step is not None
    by = item.step if step is None else step
    wide = item.le - item.ge
    least = max(wide / LOOKED_MOST, 1 if item.type == "integer" else 0)
    if not (math.isfinite(by) and by > 0 and least <= by <= max(wide, least)):
        raise BadParam(f"step is {by:g}; for {item.name} it must be {least:g} to {wide:g}. Choose a step in between.")
    if item.type == "integer" and by != int(by):
        raise BadParam(f"step is {by:g}; {item.name} is a whole number, so its step must be one too.")
    found = [_rounded(item, item.ge + place * by) for place in range(math.floor(wide / by + 1e-9) + 1)]
    return found if found[-1] >= item.le else [*found, _rounded(item, item.le)]


def finest(item: ParamField, step: float | None = None) -> float:
    """Return how exactly an edge is found: 1 for a whole number, else one digit more than the step has."""
    by = step or item.step
    assert by is not None
    return 1 if item.type == "integer" else 10.0 ** math.floor(math.log10(by) + 1e-9) / _FINER


def forecast(data: Mapping[str, Any], fields: tuple[ParamField, ...]) -> float:
    """Return as how many looks at the whole text a call of `tip` counts: most end at an early token."""
    step = None if data.get("step") is None else float(data["step"])
    return 2 + 0.1 * len(looked_at(_setting(fields, str(data["setting"])), step))


def search(
    outcome: Callable[[float], Flip | None], looked: Sequence[float], item: ParamField, fine: float
) -> list[tuple[float, Flip | None]]:
    """Return values in rising order with what comes of each: all of `looked`, and edges between them to `fine`.

    Bisection between each two neighbours that differ, on both sides of a value that equals neither. What changes and
    changes back between two values of `looked` is not seen.
    """
    found = [(value, outcome(value)) for value in looked]

    def between(low: tuple[float, Flip | None], high: tuple[float, Flip | None]) -> list[tuple[float, Flip | None]]:
        middle = _rounded(item, round((low[0] + high[0]) / 2 / fine) * fine)
        if low[1] == high[1] or not low[0] < middle < high[0]:
            return [high]
        mid = (middle, outcome(middle))
        return [*between(low, mid), *between(mid, high)]

    whole = found[:1]
    for low, high in pairwise(found):
        whole += between(low, high)
    return whole


def tip(
    data: Mapping[str, Any], blobs: Blobs, tokenizer: Any, fields: tuple[ParamField, ...], vocabulary: int
) -> dict[str, Any]:
    """Return the segments of a setting's range by what comes of a finished text in each.

    `data`: `ref` of the kept logits, `request` (the run's, as JSON), `output` (which of its texts), `forced` (how many
    of its tokens were given), `setting`, `step` (None: the slider's). The answer: `segments`, in rising order, each
    `from` … `to` (both included), `at` (the first token that differs, from 0; None: the text stays the same), its
    `text`, what it `was`, whether it `ends` the text, and all that in `words`; `off`, the same without the range, where
    the setting can be off; `value` that the run had, `own`, the place of its segment (None: off), `low`, `high`, `step`
    and `finest` of the setting, `acts` (false: it has no effect on this text), `whole` (false: only the likeliest
    tokens were kept), `unsure` (tokens passed over, from 0), `tokens`, and the words: `sentence` and `how`.
    Raises `BadInput`, `BadParam`.
    """
    item = _setting(fields, str(data["setting"]))
    step = None if data.get("step") is None else float(data["step"])
    looked, fine = looked_at(item, step), finest(item, step)
    request = Request.model_validate(data["request"])
    params = check(CausalLMParams, fields, request.params, request.model)
    values = params.model_dump()
    own = values[item.name]
    kept = open_kept(str(data["ref"]), blobs)
    drawn = Drawn(request.seed, vocabulary, params.num_variants if params.samples else 1, int(data.get("output", 0)),
                  int(data.get("forced", 0)))  # fmt: skip
    needs = any(values.get(name) for name in stages.READS_TEXT) or item.name in stages.READS_TEXT
    acts = item.name in in_effect(fields, {**values, "seed": request.seed})
    redraw = Redraw(kept, values, item.name, drawn, spelling(tokenizer) if needs else None)

    def outcome(value: float | None) -> Flip | None:
        return redraw.first_flip(value) if acts and value != own else None

    points = search(outcome, sorted({*looked, *([own] if own is not None else [])}), item, fine)
    told = _Telling(kept, tokenizer)
    segments = [{"from": low, "to": high, **told.of(flip)} for low, high, flip in _joined(points)]
    answer: dict[str, Any] = {
        "setting": item.name, "label": item.label, "unit": item.unit, "low": looked[0], "high": looked[-1],
        "step": step or item.step, "finest": fine, "value": own, "tokens": len(kept.ids), "segments": segments,
        "own": next((at for at, one in enumerate(segments) if own is not None and one["from"] <= own <= one["to"]),
                    None),
        "off": told.of(outcome(None)) if item.optional else None, "acts": acts, "whole": kept.columns is None,
        "unsure": sorted(redraw.unsure),
    }  # fmt: skip
    return {**answer, "sentence": sentence(answer), "how": how(answer)}


def sentence(answer: Mapping[str, Any]) -> str:
    """Say between which values a text stays the same, and what becomes of it at the next on both sides."""
    name, segments, own = in_words(answer["label"]), answer["segments"], answer["own"]
    low, high = _number(answer["low"]), _number(answer["high"])
    if not answer["acts"]:
        return f"{answer['label']} has no effect under this text's other settings: the text is the same at every value."
    if len(segments) == 1 and segments[0]["at"] is None:
        also = f" {_off(answer)}" if answer["off"] else ""
        return f"This text stays the same at every value of {name}, from {low} to {high}.{also}"
    same = [at for at, one in enumerate(segments) if one["at"] is None]
    made = f"This text was written with {name} off. " if answer["value"] is None else ""
    it = "It" if made else "This text"
    if not same:
        return f"{made}Every value of {name} from {low} to {high} changes it."
    # of a text that was made without the setting, the widest stretch
    main = own if own is not None else max(same, key=lambda at: segments[at]["to"] - segments[at]["from"])
    found = segments[main]
    stretch = f"from {_stretch(found)}" if found["from"] != found["to"] else f"only at {_number(found['from'])}"
    parts = [f"{made}{it} stays the same with {name} {stretch}."]
    parts += [
        f"At {_number(segments[at][edge])} {becomes(segments[at])}."
        for at, edge in ((main + 1, "from"), (main - 1, "to"))
        if 0 <= at < len(segments)
    ]
    if others := [_stretch(segments[at]) for at in same if at != main]:
        parts.append(f"It is also the same at {', '.join(others)}.")
    if answer["off"] and answer["value"] is not None:
        parts.append(_off(answer))
    return " ".join(parts)


def how(answer: Mapping[str, Any]) -> str:
    """Say how exact the segments are, and what they do not tell."""
    edges = f", with edges found to {_number(answer['finest'])}" if answer["finest"] < answer["step"] else ""
    between = "; what changes and changes back between two of these values is not seen" if edges else ""
    told = (
        f"Looked at every {_number(answer['step'])}{edges}{between}. Computed from the saved logits and this "
        "seed's draws, without the model: what follows the first token that differs needs a run. Logits are saved at "
        "half precision, so an edge can be slightly off, and of two nearly equal tokens the other may come."
    )
    if not answer["whole"]:
        told += " Only this model's likeliest tokens were saved: a rarer one may come in earlier."
    if answer["unsure"]:
        places = ", ".join(f"{at + 1:,}" for at in answer["unsure"])
        told += f" Too close to call, and passed over: token {places}."
    return told


def becomes(outcome: Mapping[str, Any]) -> str:
    """Say what a value changes first: "token 14 becomes “cave” (was “wood”)", or that it changes nothing."""
    if outcome["at"] is None:
        return SAME
    was = f"was {seen(outcome['was'])}"
    if outcome["ends"]:
        return f"the text ends at token {outcome['at'] + 1:,} ({was})"
    return f"token {outcome['at'] + 1:,} becomes {seen(outcome['text'])} ({was})"


def seen(text: str) -> str:
    """Return a token's text in quotation marks, without the space before a word; other blanks as signs."""
    inner = text[1:] if text[:1] == " " and text.strip() else text
    return f"“{inner.replace(chr(10), '⏎').replace(chr(9), '⇥').replace(' ', '␣') or '∅'}”"


def in_words(label: str) -> str:
    """Return a setting's label as it stands within a sentence: "top-p", "DRY"."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


class _Telling:
    """Tell what comes of a text at a value."""

    def __init__(self, kept: Kept, tokenizer: Any) -> None:
        self._kept, self._tokenizer = kept, tokenizer
        self._special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}

    def of(self, flip: Flip | None) -> dict[str, Any]:
        if flip is None:
            return {"at": None, "words": SAME}
        at, token = flip
        own = int(self._kept.ids[at])
        found = {"at": at, "id": token, "text": self._text(at, token), "was": self._text(at, own),
                 "ends": token in self._special}  # fmt: skip
        return {**found, "words": becomes(found)}

    def _text(self, at: int, token: int) -> str:
        before = [*self._kept.prompt[-1:].tolist(), *self._kept.ids[:at].tolist()][-1:]
        return pieces(lambda ids: str(self._tokenizer.decode(ids, skip_special_tokens=False)), [*before, token])[-1]


def _setting(fields: tuple[ParamField, ...], name: str) -> ParamField:
    known = able(fields)
    item = next((one for one in known if one.name == name), None)
    if item is None:
        raise BadParam(
            f"“{name[:60]}” has no tipping points. Choose a setting that acts on each draw: "
            f"{', '.join(one.name for one in known)}."
        )
    return item


def _joined(points: Sequence[tuple[float, Flip | None]]) -> list[tuple[float, float, Flip | None]]:
    found: list[tuple[float, float, Flip | None]] = []
    for value, flip in points:
        if found and found[-1][2] == flip:
            found[-1] = (found[-1][0], value, flip)
        else:
            found.append((value, value, flip))
    return found


def _rounded(item: ParamField, value: float) -> float:
    return round(value) if item.type == "integer" else round(value, 9)


def _off(answer: Mapping[str, Any]) -> str:
    if answer["value"] is None:
        return f"It was written with {in_words(answer['label'])} off."
    return f"Off: {becomes(answer['off'])}."


def _number(value: float) -> str:
    return f"{value:.6g}"


def _stretch(segment: Mapping[str, Any]) -> str:
    low, high = _number(segment["from"]), _number(segment["to"])
    return low if low == high else f"{low} to {high}"
