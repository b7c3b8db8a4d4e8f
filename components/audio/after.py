"""Under speech that was made: what a recogniser hears in it, and how much of it is what was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from difflib import SequenceMatcher
from functools import partial

import streamlit as st

from components import result, state, studies
from components.audio import sentence_rows, sound_effects, sound_view
from components.escape import plain
from components.session import Session
from components.widgets import charts
from models.audio.sound_family import HEARS, SPEAKS
from models.catalog import Catalog
from models.runtime.jobs import Jobs
from models.spec import ModelSpec
from models.types import Output, Request, Run

_EFFECTS = state.slot("sound-effects-open", False)  # how the switch was left last
_EAR = state.slot("sound-ear-open", False)
_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS = {**{name: str(at) for at, name in enumerate(_NAMES)}, "oh": "0"}
CHECK = "Check with recogniser"


def draw(session: Session, run: Run, key: str, again: Callable[[Request], None]) -> None:
    """Draw what can be done further: sentences made again, effects on a sound, speech checked by a recogniser.

    `again` runs a request that differs from the run's in one sentence.
    """
    if run.request.model not in session.catalog:
        return
    for output in run.outputs:
        if output.meta.get("rows"):
            sentence_rows.draw(session.catalog, run, output, again, key)
    if "effects" in session.catalog.family(run.request.model).tools:
        _draw_effects(session.jobs, run, key)
    _draw_ear(session, run, key)


def draw_shared(session: Session, run: Run, key: str) -> list[str]:
    """Draw what runs no model, for a reader of a shared sound; return the names of what is left out."""
    if run.request.model not in session.catalog:
        return []
    if "effects" in session.catalog.family(run.request.model).tools:
        _draw_effects(session.jobs, run, key)
    takes = [output for output in run.outputs if _spoken(session.catalog, run, output)]
    heard = [CHECK] if takes and _listeners(session.catalog, takes) else []
    return [*([sentence_rows.TITLE] if any(output.meta.get("rows") for output in run.outputs) else []), *heard]


def _draw_effects(jobs: Jobs, run: Run, key: str) -> None:
    made = [output for output in run.outputs if output.kind == "audio"]
    if not made or not _toggle(
        "Audio effects", _EFFECTS, f"{key}-effects", "Changes the finished sound: speed, pitch, equaliser, reverb, "
                                                     "gain, fades.",
    ):  # fmt: skip
        return
    with st.container(border=True):
        place = 0
        if len(made) > 1:
            place = int(st.segmented_control("Of", range(len(made)), format_func=lambda at: f"{at + 1}", default=0,
                                             required=True, key=f"{key}-of"))  # fmt: skip
        sound_effects.draw(jobs, run, made[place], f"{key}-effects-{place}")


def _draw_ear(session: Session, run: Run, key: str) -> None:
    """Draw the switch that has every take heard again, and what was heard."""
    takes = [output for output in run.outputs if _spoken(session.catalog, run, output)]
    ears = _listeners(session.catalog, takes)
    if not takes or not ears:
        return
    names = " and ".join(ear.name for ear in ears)
    asked = _toggle(
        CHECK, _EAR, f"{key}-ear",
        f"Has each take heard by {names}, and shows what was understood: a test of intelligibility.",
    )  # fmt: skip
    if not asked:
        return
    for take in takes:
        for at, ear in enumerate(ears):
            request = Request(model=ear.id, inputs={"audio": f"sha256:{take.sha256}"})
            heard = studies.study(session, run, request, f"heard-{take.index}{f'-{ear.id}' if at else ''}")
            if heard is None:
                return  # the next is asked for when this one is done
            by = ear.name if len(ears) > 1 else ""
            _draw_heard(session.jobs, take, heard, len(takes) > 1, f"{key}-{take.index}-{at}", by)


def _toggle(label: str, last: state.Slot[bool], key: str, told: str) -> bool:
    """Draw a switch that begins as its like was left under the result before."""
    own = state.at(state.key(key), False)
    own.start(last.get())
    return st.toggle(label, key=own.key, help=told, on_change=last.follow, args=(own,))


def _spoken(catalog: Catalog, run: Run, output: Output) -> bool:
    return output.kind == "audio" and bool(output.text) and SPEAKS in catalog.family(run.request.model).roles


def _listeners(catalog: Catalog, takes: list[Output]) -> list[ModelSpec]:
    """Return the recognisers that know the words, of digits our own first; one for any words comes from elsewhere.

    A recogniser of digits learnt from the same voices as they are made with: outside ears tell what others hear.
    """
    found = [spec for spec in catalog.values() if HEARS in catalog.family(spec.id).roles]
    outside = [spec for spec in found if "kind" in spec.facts and spec.here][:1]
    if all(word.isdigit() for take in takes for word in take.text.split()):
        return [*[spec for spec in found if spec.embedded][:1], *outside]
    return outside


def words_of(text: str, digits: bool = False) -> list[str]:
    """Return what is compared: words in small letters without their marks; a number's digits one by one.

    With `digits` the words for them are digits, too: "four, oh, seven" is 4 0 7.
    """
    found = re.findall(r"\d|[^\W\d_]+(?:['’][^\W\d_]+)*", text.lower())
    return [_DIGITS.get(str(one), str(one)) if digits else str(one) for one in found]


def _draw_heard(jobs: Jobs, take: Output, heard: list[Output], many: bool, key: str, by: str) -> None:
    said = next((output for output in heard if output.kind == "text"), None)
    if said is None:
        return
    wanted = words_of(take.text)
    got = words_of(said.text, digits=all(word.isdigit() for word in wanted))
    name = f"Take {take.index + 1}: asked" if many else "Asked"
    understood = f"{by} heard" if by else "recognised"
    st.markdown(
        plain(f"{name} for {' '.join(wanted)}; {understood} {' '.join(got) or 'nothing'}: {right(wanted, got)} of "
              f"{len(wanted)} correct{', and nothing else' if wanted == got and by else ''}.")
    )  # fmt: skip
    odds = next((output for output in heard if output.meta.get("what") == "odds"), None)
    if odds is not None:
        content = json.loads(partial(result.stored, jobs)(odds))
        charts.draw(sound_view.odds(content), f"{key}-odds")


def right(wanted: list[str], got: list[str]) -> int:
    """Return how many words stand in both texts in the same order."""
    return sum(block.size for block in SequenceMatcher(None, wanted, got, autojunk=False).get_matching_blocks())
