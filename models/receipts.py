"""Whether a result comes out the same when it is made again, and if not, what differs: in it, and in what made it.

Two results are compared by their files, then by their texts and the measures of pairs that their rooms declare: the
core knows neither words nor pixels. What made them is noted with each run (`made_with`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from models import device, measuring
from models.measuring import Read, Wanted
from models.types import ASIDE, Output, Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

_WORDS = {"revision": "weights", "cpu": "processor", "dtype": "number format"}
_HASH_CHARS = 12
_UNKNOWN = "not noted"
SAME = "Identical: every byte of the result is the same."


@dataclass(frozen=True)
class Receipt:
    """Hold what came of making a result again.

    `identical`: every file has the same bytes. `alike`: what one reads, sees or hears is the same, though a file may
    name other versions. `sentence` says so; `differences` are of the results, `made_with` of what made them, in words.
    """

    identical: bool
    alike: bool
    sentence: str
    differences: tuple[str, ...] = ()
    made_with: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return asdict(self)


def compare(
    catalog: Catalog, settings: Settings, before: Run, again: Run, read: Read, call: Callable[..., Any]
) -> Receipt:
    """Compare a run with the same request run again; `read` and `call` are those of `measuring.heavy`."""
    then, now = _results(before), _results(again)
    made_with = changes(before.stats.get("made_with", {}), again.stats.get("made_with", {}))
    if len(then) != len(now):
        said = f"{_results_words(len(then))} then, {_results_words(len(now))} now"
        return Receipt(False, False, f"It came out differently: {said}.", (), made_with)
    if then and all(a.sha256 and a.sha256 == b.sha256 for a, b in zip(then, now, strict=True)):
        return Receipt(True, True, SAME, (), made_with if before.stats.get("made_with") else ())
    told, apart = _measured(catalog, settings, before, again, read, call)
    if None in apart:  # equal texts alone do not make a file that is cut off a result
        sentence = "It came out differently: no distance can be measured. Sizes or kinds differ, or a file is damaged."
        return Receipt(False, False, sentence, told, made_with)
    texts_alike = all(a.text == b.text for a, b in zip(then, now, strict=True))
    alike = texts_alike and all(value == 0 for value in apart) and bool(apart or any(one.text for one in now))
    if alike:
        sentence = (
            "The result is the same; its file differs in what is no part of it, such as what it notes of its making."
        )
        return Receipt(False, True, sentence, told, made_with)
    why = "" if made_with else " Nothing that is noted of its making differs."
    return Receipt(False, False, f"It came out differently.{why}", told, made_with)


def by_hash(noted: Mapping[str, Any], again: Run) -> Receipt:
    """Compare a run with what was noted of it alone, as in its downloaded settings: `output_sha256` and `stats`."""
    stats, sha256 = noted.get("stats"), noted.get("output_sha256")
    then = stats.get("made_with") if isinstance(stats, Mapping) else None
    made_with = changes(then if isinstance(then, Mapping) else {}, again.stats.get("made_with", {}))
    if not sha256:
        return Receipt(
            False, False, "This file does not say what came out: only a result can be compared.", (), made_with
        )
    if sha256 == again.output_sha256:
        return Receipt(True, True, SAME, (), made_with if then else ())
    return Receipt(
        False, False, "It came out differently. How much is not known: this file holds no result, only its hash.", (),
        made_with,
    )  # fmt: skip


def _results(run: Run) -> list[Output]:
    return [one for one in run.outputs if one.kind not in ASIDE]


def _results_words(count: int) -> str:
    return "one result" if count == 1 else f"{count or 'no'} results"


def _measured(
    catalog: Catalog, settings: Settings, before: Run, again: Run, read: Read, call: Callable[..., Any]
) -> tuple[tuple[str, ...], list[float | None]]:
    """Return the measures of pairs in words, and how far apart the results are by those that say so.

    None stands for a distance that cannot be measured, as of a damaged file.
    """
    kinds = {one.kind for one in _results(before)}
    offers = [
        one for one in measuring.offers(catalog, settings, {again.request.model}, kinds)
        if one.measure.takes == "pair" and measuring.applies(catalog, one, again)
    ]  # fmt: skip
    wanted = [Wanted(one, again, before) for one in offers]
    values = {one.key: measuring.cheap(one) for one in wanted if not one.offer.measure.heavy}
    for found in measuring.heavy([one for one in wanted if one.offer.measure.heavy], read, call):
        values |= found
    known = [(one.offer, value) for one in wanted if (value := values.get(one.key)) is not None]
    said = tuple(f"{offer.label}: {offer.measure.words(value)}" for offer, value in known)
    return said, [values.get(one.key) for one in wanted if one.offer.measure.apart]


def here(catalog: Catalog, settings: Settings, model: str) -> dict[str, Any]:
    """Return what a run of a model would be made with on this machine now, as `made_with` notes it. No torch.

    Raises `UnknownModel`.
    """
    spec = catalog[model]
    threads = device.threads_for(catalog.family(model).needed_bytes(spec), settings)
    return {"revision": spec.revision(), "versions": device.versions(), "device": device.DEVICE,
            "dtype": catalog.family(model).dtype(spec), "threads": threads, "cpu": device.cpu()}  # fmt: skip


def changes(
    then: Mapping[str, Any], now: Mapping[str, Any], words: tuple[str, str] = ("then", "now")
) -> tuple[str, ...]:
    """Say what differs in what made two runs: "torch: 2.12.0 then, 2.13.0 now". `words` are those for the two."""
    if not then:
        return ("What it was made with was not noted then.",)
    before, after = _flat(then), _flat(now)
    return tuple(
        f"{_WORDS.get(name, name)}: {_short(before.get(name))} {words[0]}, {_short(after.get(name))} {words[1]}"
        for name in {**before, **after} if before.get(name) != after.get(name)
    )  # fmt: skip


def _flat(made_with: Mapping[str, Any]) -> dict[str, Any]:
    versions = made_with.get("versions")
    plain = {name: value for name, value in made_with.items() if name != "versions"}
    return {**plain, **(versions if isinstance(versions, Mapping) else {})}


def _short(value: Any) -> str:
    if value is None:
        return _UNKNOWN
    text = str(value)
    return text[:_HASH_CHARS] if len(text) == 64 and text.isalnum() else text
