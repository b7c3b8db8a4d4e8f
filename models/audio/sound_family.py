"""The base of families that make sound: what can be done with a stored sound, whichever family made it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from models.audio.written import SOUND_ENDINGS
from models.family import Cost, Family, Modality, P

if TYPE_CHECKING:
    from models.blobs import Blobs
    from models.params import ParamField
    from models.spec import ModelSpec
    from models.types import Output, Request

# roles of families of this room
SPEAKS = "speaks"  # its sounds say words
SPEAKS_ANY = "speaks any text"
HEARS = "hears words"


class SoundFamily(Family[P], ABC):
    """Offer after-effects and the comparison of two sounds as tools."""

    modality: ClassVar[Modality] = "audio"
    tools: ClassVar[Mapping[str, str]] = {"effects": "change", "compare": "compare"}
    costs: ClassVar[Mapping[str, str]] = {"effects": "change_cost", "compare": "compare_cost"}

    saves: ClassVar[tuple[str, ...]] = SOUND_ENDINGS

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return a sound as WAV, FLAC or MP3, a tune also as MIDI or ABC; see `Family.save`."""
        from models.audio.written import write

        return write(request, output, ending)

    def change(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Apply after-effects to a stored sound; see `models.audio.effects.apply_effects`."""
        from models.audio.effects import apply_effects

        return apply_effects(data, blobs)

    def change_cost(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> Cost:
        """Forecast `change`; see `models.audio.effects.effects_cost`."""
        from models.audio.effects import effects_cost

        return effects_cost(data, blobs)

    def compare_cost(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> Cost:
        """Forecast `compare` from the sounds' lengths."""
        from models.audio.sounds import size_of

        sizes = [size_of(blobs, ref) for ref in data["refs"]]
        values, seconds = sum(size.values for size in sizes), sum(size.seconds for size in sizes)
        return Cost(0.2 + 3e-7 * values, 30_000_000 + 40 * values, f"{seconds:.0f} s of sound")

    def compare(self, spec: ModelSpec, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
        """Measure two stored sounds; see `models.audio.looking.sound_measures.compare`."""
        from models.audio.looking.sound_measures import compare

        return compare(data, blobs)


def with_speakers(fields: Sequence[ParamField], speakers: Sequence[str]) -> tuple[ParamField, ...]:
    """Return a table of settings whose `speaker` is a choice among these; left out where there is nothing to choose."""
    table = []
    for item in fields:
        if item.name == "speaker":
            if len(speakers) < 2:
                continue
            item = replace(
                item,
                type="choice",
                choices=tuple(speakers),
                default=item.default if item.default in speakers else speakers[0],
            )
        table.append(item)
    return tuple(table)
