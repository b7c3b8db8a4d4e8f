"""What this session made before: one row a run, each can be looked at, run again and downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components import gallery, result, sound_view
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs
from models.types import Request, Run

SHOWN = 20
READ = 200  # a walk alone has up to 16 runs


def draw(
    jobs: Jobs, owner: str, modality: str, *, shown: str, restore: Callable[[Request], None], use: result.Use
) -> None:
    """Draw the session's runs of a modality, the newest first, but for those of the job `shown` above.

    `restore` sets the page to a run's request.
    """
    try:
        found = jobs.store.runs(owner, limit=READ)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    runs = [run for run in found if run.request.model.startswith(f"{modality}/") and not run.request.study]
    if all(run.job == shown for run in runs):
        st.caption("Results of this session gather here, newest first. Nothing is lost when you run again.")
    _LISTS.get(modality, _draw_rows)(jobs, runs, modality, shown=shown, restore=restore, use=use)


def _draw_rows(
    jobs: Jobs, runs: Sequence[Run], modality: str, *, shown: str, restore: Callable[[Request], None], use: result.Use
) -> None:
    for run in [run for run in runs if run.job != shown][:SHOWN]:
        with st.expander(title(run)):
            result.draw(jobs, run, use=use, key=f"run-{run.id}")
            st.button(
                "Use these settings", icon=":material/tune:", key=f"restore-{run.id}", on_click=restore,
                args=(run.request,), help="Set prompt, settings and seed to those of this run.",
            )  # fmt: skip


_LISTS: dict[str, Callable[..., None]] = {"image": gallery.draw}  # what is told better by sight than by its words


_MARKS = {"stopped": "stopped · ", "failed": "failed · "}


def _sound_title(run: Run) -> str:
    """Return one line for a sound, or for what was heard: the model, and what it says."""
    said = run.outputs[0].text if run.outputs else run.request.inputs.get("prompt", "")
    said = sound_view.tune_words(said) or said
    name = run.request.model.split("/", 1)[-1]
    if "seed" in run.stats.get("in_effect", {"seed": 0}):  # else chance had no part
        name = f"{name}, seed {run.request.seed}"
    heard = "heard " if run.outputs and run.outputs[0].kind == "text" else ""
    line = " ".join((heard + said).split())[:80]
    return plain(f"{_MARKS.get(run.status, '')}{name} · {line}")


def title(run: Run) -> str:
    """Return one line for a run: how it ended if not well, its seed, what it wrote. Plain text for markdown."""
    told = run.outputs and run.outputs[0].kind == "text"
    if run.request.model.startswith("audio/"):
        return _sound_title(run)
    text = run.outputs[0].text if told else run.request.inputs.get("prompt", "")
    cut = int(run.outputs[0].meta.get("prompt_chars", 0)) if told else 0
    line = " ".join(text[max(0, cut - 20) :].split())[:90]
    return f"{_MARKS.get(run.status, '')}seed {run.request.seed} · {plain(line)}"
