"""A finished result: the largest thing on the page, its facts, and what can be done with it next."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st

from components import links, story_view
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs
from models.media import file_name
from models.types import Output, Request, Run

_FINISH = {
    "eos": "it ended by itself", "length": "the length was used up", "stop string": "a stop text came",
    "stopped": "stopped by you",
}  # fmt: skip

Use = Callable[[str, bool], None]  # text to go on from, and whether to run at once


def draw_outputs(outputs: Sequence[Output], key: str, *, live: bool = False) -> None:
    """Draw outputs of any modality that this app shows; text for now."""
    story_view.draw(outputs, f"story-{key}", run=key, live=live)


def draw_prompt(request: Request, key: str) -> None:
    """Draw what a run starts from while nothing has come yet."""
    prompt = request.inputs.get("prompt", "")
    draw_outputs([Output("text", 0, prompt, meta={"prompt_chars": len(prompt)})], key, live=True)


def draw(jobs: Jobs, run: Run, *, use: Use, key: str) -> None:
    """Draw a run with its facts and actions. `use` is called with a text to continue or edit."""
    if run.error:
        _draw_error(jobs, run, key)
    if run.outputs:
        draw_outputs(run.outputs, key)
    st.caption(facts(run))
    for note in run.stats.get("notes", []):
        st.caption(f":material/info: {note}")
    if run.stats.get("not_stored"):
        st.warning(plain(f"This result was not kept: {run.stats['not_stored']}"), icon=":material/warning:")
    if run.outputs:
        _draw_actions(jobs, run, use, key)


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
        parts.append(f"{stats['tokens']:,} tokens{speed}")
    ends = [str(output.meta.get("finish", "")) for output in run.outputs]
    said = list(dict.fromkeys(_FINISH[end] for end in ends if end in _FINISH))
    if run.status == "failed" and run.outputs:
        said = ["this is what there was"]
    settings = [f"{name} {_short(value)}" for name, value in stats.get("in_effect", {}).items() if name != "seed"]
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


def _draw_actions(jobs: Jobs, run: Run, use: Use, key: str) -> None:
    for output in run.outputs:
        many = len(run.outputs) > 1
        name = f" {output.index + 1}" if many else ""
        with st.container(horizontal=True, key=f"actions-{key}-{output.index}"):
            st.button(
                f"Continue{name}", icon=":material/arrow_forward:", key=f"continue-{key}-{output.index}",
                on_click=use, args=(output.text, True), help="Go on from this text, with the settings as they are now.",
            )  # fmt: skip
            st.button(
                f"Edit{name}", icon=":material/edit:", key=f"edit-{key}-{output.index}", on_click=use,
                args=(output.text, False), help="Put this text into the prompt box to change it; Run goes on from it.",
            )  # fmt: skip
            st.download_button(
                f"Download{name}", partial(_bytes, jobs, output),  # read when pressed, not at each draw
                file_name(run.request.model, run.request.seed, output.index),
                "text/plain", icon=":material/download:", key=f"download-{key}-{output.index}", on_click="ignore",
                help="A text file with the settings inside.",
            )  # fmt: skip
            if output.index == 0:
                _draw_sharing(run, key)


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
            st.code(link, language=None, wrap_lines=True)
    with st.popover("Settings", icon=":material/data_object:"):
        st.code(settings_json(run), language="json", wrap_lines=True)
        st.download_button(
            "Download JSON", settings_json(run), f"{file_name(run.request.model, run.request.seed)[:-4]}.json",
            "application/json", icon=":material/download:", key=f"json-{key}", on_click="ignore",
        )  # fmt: skip


def _bytes(jobs: Jobs, output: Output) -> bytes:
    """Return the artefact; a run that failed has none, nor one whose file was cleared: then its text alone."""
    if output.data:
        return output.data
    with suppress(PlaygroundError):
        if output.sha256:
            return jobs.store.get_bytes(output.sha256)
    return output.text.encode()


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " / ".join(repr(one) for one in value)
    return {True: "on", False: "off"}.get(value, f"{value}") if isinstance(value, bool) else f"{value}"
