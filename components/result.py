"""A finished result: the largest thing on the page, its facts, and what can be done with it next."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from components import image_view, links, sound_actions, sound_view, story_view
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs
from models.stamps import file_name
from models.types import ASIDE, Output, Request, Run

FINISH = {
    "eos": "it ended by itself", "length": "the length was used up", "stop string": "a stop text came",
    "stopped": "stopped by you",
}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """What a page does with a result: go on from a text, take a picture as input, vary one.

    `text(text, run)` puts a text into the prompt, and runs if asked; `picture(output)` makes a picture the input;
    `vary(request, index)` runs a near relative of picture `index`; `speak(text)` opens the Audio page with a text, and
    is None where no model speaks.
    """

    text: Callable[[str, bool], None]
    picture: Callable[[Output], None]
    vary: Callable[[Request, int], None]
    speak: Callable[[str], None] | None = None


def draw_outputs(
    jobs: Jobs | None, outputs: Sequence[Output], key: str, *, live: bool = False, request: Request | None = None
) -> None:
    """Draw outputs of any modality that this app shows; bytes that were left in the store are fetched."""
    texts = [output for output in outputs if output.kind == "text"]
    pictures = [output for output in outputs if output.kind == "image"]
    if request is not None and request.model.startswith("audio/"):
        read = partial(stored, jobs) if jobs is not None else _own
        draw_them = sound_view.draw_heard if texts else partial(sound_view.draw, live=live)
        draw_them(outputs, f"sound-{key}", read=read)
        return
    if texts:
        story_view.draw(texts, f"story-{key}", run=key, live=live)
    if pictures:
        if jobs is not None:
            pictures = [replace(output, data=stored(jobs, output)) for output in pictures]
        _draw_pictures(pictures, key, live=live, request=request)


def _own(output: Output) -> bytes:
    return output.data


def _draw_pictures(pictures: Sequence[Output], key: str, *, live: bool, request: Request | None) -> None:
    alt = request.inputs.get("prompt", "") if request is not None else ""
    size = _size(request) if live else None
    image_view.draw(pictures, f"pictures-{key}", run=key, live=live, alt=alt, size=size, count=_count(request))


def _size(request: Request | None) -> tuple[int, int] | None:
    """Return the size that a request asks for, so that its previews are shown as large as the result will be."""
    params = request.params if request is not None else {}
    width, height = params.get("width"), params.get("height")
    return (int(str(width)), int(str(height))) if width and height else None


def _count(request: Request | None) -> int:
    """Return how many pictures a request asks for."""
    return int(str(request.params.get("num_images") or 1)) if request is not None else 1


def draw_prompt(request: Request, key: str) -> None:
    """Draw what a run starts from while nothing has come yet: the prompt of a text, the places of the pictures."""
    prompt = request.inputs.get("prompt", "")
    if request.model.startswith("text/"):
        draw_outputs(None, [Output("text", 0, prompt, meta={"prompt_chars": len(prompt)})], key, live=True)
    elif _size(request):
        _draw_pictures([], key, live=True, request=request)


def draw(jobs: Jobs, run: Run, *, use: Use, key: str) -> None:
    """Draw a run with its facts and actions."""
    if run.error:
        _draw_error(jobs, run, key)
    if run.outputs:
        draw_outputs(jobs, run.outputs, key, request=run.request)
    st.caption(facts(run))
    for note in run.stats.get("notes", []):
        st.caption(f":material/info: {plain(note)}")
    if run.stats.get("not_stored"):
        st.warning(plain(f"This result was not kept: {run.stats['not_stored']}"), icon=":material/warning:")
    if run.outputs:
        draw_actions(jobs, run, use, key)


def facts(run: Run) -> str:
    """Say what a run took and what acted: "seed 7 · 1.2 s · 160 tokens, 180 a second · temperature 0.8 · …"."""
    stats = run.stats
    parts = []
    if "seed" in stats.get("in_effect", {}):
        parts.append(f"seed {run.request.seed}")
    if stats.get("seconds"):
        parts.append(f"{stats['seconds']:.1f} s")
    if stats.get("tokens"):
        speed = f", {stats['tokens_per_s']:,.0f} a second" if stats.get("tokens_per_s") else ""
        word = "words" if run.request.model.startswith("audio/") else "tokens"
        parts.append(f"{stats['tokens']:,} {word}{speed}")
    elif stats.get("steps"):
        word = stats.get("counted") or ("picture" if stats["steps"] == 1 else "steps")
        speed = f", {stats['steps_per_s']:,.0f} a second" if stats.get("steps_per_s") and stats["steps"] > 1 else ""
        parts.append(f"{stats['steps']:,} {word}{speed}")
    ends = [str(output.meta.get("finish", "")) for output in run.outputs]
    said = list(dict.fromkeys(FINISH[end] for end in ends if end in FINISH))
    if run.status == "failed" and run.outputs:
        said = ["this is what there was"]
    settings = [f"{name} {short(value)}" for name, value in stats.get("in_effect", {}).items() if name != "seed"]
    return " · ".join([*parts, *said]) + ("  \nIn effect: " + plain(", ".join(settings)) if settings else "")


def settings_json(run: Run) -> str:
    """Return a run's request and what came of it as JSON text."""
    body = {
        "request": run.request.model_dump(), "status": run.status, "stats": run.stats,
        "output_sha256": run.output_sha256 if run.outputs else None,
    }  # fmt: skip
    return json.dumps(body, ensure_ascii=False, indent=2)


def _draw_error(jobs: Jobs, run: Run, key: str) -> None:
    error = run.error or {}
    st.error(plain(error.get("message", "The run failed.")), icon=":material/error:")
    if error.get("code") == "model_refused":
        st.button(
            "Try anyway", icon=":material/refresh:", key=f"allow-{key}", on_click=jobs.engine.allow,
            args=(run.request.model,), help="Allows this model again; then press Run.",
        )  # fmt: skip


def draw_actions(jobs: Jobs, run: Run, use: Use, key: str, brief: bool = False) -> None:
    """Draw what can be done with each output of a run; `brief`: without the link and the settings."""
    shown = [output for output in run.outputs if output.kind not in ASIDE]
    for place, output in enumerate(shown):
        name = f" {output.index + 1}" if len(shown) > 1 else ""
        with st.container(horizontal=True, key=f"actions-{key}-{output.index}"):
            act = _ACTIONS[output.kind]
            if output.kind == "text" and run.request.model.startswith("audio/"):
                act = _no_actions  # what was heard is no story to go on from
            act(run, output, use, name, f"{key}-{output.index}")
            st.download_button(
                f"Download{name}", partial(stored, jobs, output),  # read when pressed, not at each draw
                file_name(run.request.model, run.request.seed, output.index, output.media_type),
                output.media_type, icon=":material/download:", key=f"download-{key}-{output.index}", on_click="ignore",
                help="The file has the settings inside.",
            )  # fmt: skip
            if place == 0 and not brief:
                _draw_sharing(run, key)


def _text_actions(run: Run, output: Output, use: Use, name: str, key: str) -> None:
    st.button(
        f"Continue{name}", icon=":material/arrow_forward:", key=f"continue-{key}",
        on_click=use.text, args=(output.text, True), help="Go on from this text, with the settings as they are now.",
    )  # fmt: skip
    st.button(
        f"Edit{name}", icon=":material/edit:", key=f"edit-{key}", on_click=use.text,
        args=(output.text, False), help="Put this text into the prompt box to change it; Run goes on from it.",
    )  # fmt: skip
    if use.speak is not None and st.button(
        f"Speak{name}", icon=":material/record_voice_over:", key=f"speak-{key}",
        help="Open the Audio page with this text; Run there says it.",
    ):  # fmt: skip
        use.speak(output.text)


def _picture_actions(run: Run, output: Output, use: Use, name: str, key: str) -> None:
    if "variation_strength" in run.request.params:
        st.button(
            f"Vary{name}", icon=":material/alt_route:", key=f"vary-{key}", on_click=use.vary,
            args=(run.request, output.index), help="A near relative: the same noise, moved a little.",
        )  # fmt: skip
    st.button(
        f"Use as input{name}", icon=":material/input:", key=f"use-{key}", on_click=use.picture, args=(output,),
        help="Make this the picture to start from.",
    )  # fmt: skip


def _no_actions(run: Run, output: Output, use: Use, name: str, key: str) -> None:
    """Draw nothing beyond what every result has."""


_ACTIONS: dict[str, Callable[[Run, Output, Use, str, str], None]] = {
    "text": _text_actions, "image": _picture_actions, "audio": sound_actions.draw,
}  # fmt: skip


def _draw_sharing(run: Run, key: str) -> None:
    with st.popover("Copy link", icon=":material/link:"):
        link = links.link_to(st.context.url or "", run.request)
        if link is None:
            st.text(
                f"This prompt is too long for a link (at most {links.LINK_MAX_CHARS:,} characters in all). "
                "Download the text instead: its settings are inside."
            )
        else:
            st.caption("Opens this page with the same prompt, settings and seed. The prompt is readable in it.")
            if any(value.startswith("sha256:") for value in run.request.inputs.values()):
                st.caption(":material/info: A link carries no files: the one that this started from must be given.")
            st.code(link, language=None, wrap_lines=True)
    with st.popover("Settings", icon=":material/data_object:"):
        st.code(settings_json(run), language="json", wrap_lines=True)
        st.download_button(
            "Download JSON", settings_json(run), file_name(run.request.model, run.request.seed, 0, "application/json"),
            "application/json", icon=":material/download:", key=f"json-{key}", on_click="ignore",
        )  # fmt: skip


def stored(jobs: Jobs, output: Output) -> bytes:
    """Return the artefact; a run that failed has none, nor one whose file was cleared: then its text alone."""
    if output.data:
        return output.data
    with suppress(PlaygroundError):
        if output.sha256:
            return jobs.store.get_bytes(output.sha256)
    return output.text.encode()


def short(value: Any) -> str:
    """Say a setting's value: "on" and "off", a list's members apart."""
    if isinstance(value, list):
        return " / ".join(repr(one) for one in value)
    return {True: "on", False: "off"}.get(value, f"{value}") if isinstance(value, bool) else f"{value}"
