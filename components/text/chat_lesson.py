"""What makes a chat model: models of one collection in a table, with measured numbers and answers as they come."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from components import job_panel, state
from components.session import Session
from components.text import lesson_table
from components.text.chat import ASK_ALL, shown, stay
from models import lists
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.runtime.job_view import JobView
from models.spec import ModelSpec
from models.types import Request, Run

_ASKED = state.slot("lesson-asked", "")  # a job
_INSTRUCTION = state.slot("lesson-instruction", "")
_EXPLAINED = """
**Pretraining.** A GPT (generative pre-trained Transformer) reads a lot of text and learns one thing: to predict the
next token. The text itself supplies the right answer: *self-supervised learning*
([Radford et al. 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf)).
Given a question, it continues as a text would: perhaps with an answer, perhaps with another question.

**From GPT to chat model**, in two more steps ([Ouyang et al. 2022](https://arxiv.org/abs/2203.02155)). *Supervised
fine-tuning* shows it instructions with good answers, and it learns to write such answers. *Preference tuning* (RLHF)
lets it answer by itself; people, or a reward model trained on their choices, say which of two answers is better. It
learns to prefer that one without drifting far from where it was. DPO
([Rafailov et al. 2023](https://arxiv.org/abs/2305.18290)) needs no separate reward model.

A **chat template** puts the turns into one text with marks for who speaks. Below that, it is the same machine: one
token after another.
"""
# by the fact `learnt`: how a model learnt, and what it does with an instruction
_WAYS = {
    "text": ("Pretraining: predicts the next token of stories (self-supervised)", "Continues it like any text"),
    "supervised": ("Supervised fine-tuning: learns from instructions with answers", "Answers it"),
    "preferred": (
        "Preference tuning: learns which of two of its own answers is better (here by DPO)",
        "Answers in the preferred way",
    ),
}  # fmt: skip
_ORDER = list(_WAYS)
_COLUMNS = ("Model", "Training", "What it does with an instruction", "Instructions followed", "Begin alike",
            "Bits per character", "KL divergence from the supervised model")  # fmt: skip


def members(catalog: Catalog, spec: ModelSpec) -> list[ModelSpec]:
    """Return the language models that learnt from one collection of texts, plain ones first; [] where none talks."""
    found = [
        one for one in catalog.values()
        if one.family == spec.family and (one.id == spec.id or (spec.collection and one.collection == spec.collection))
    ]  # fmt: skip
    if not any(one.facts.get("chat") for one in found):
        return []
    return sorted(found, key=lambda one: _ORDER.index(learnt(one)))


def learnt(spec: ModelSpec) -> str:
    """Return how a model learnt; one that tells nothing learnt from texts, or from answers if it has a template."""
    told = spec.facts.get("learnt")
    return str(told) if told in _WAYS else "supervised" if spec.facts.get("chat") else "text"


def requests(specs: list[ModelSpec], instruction: str, seed: int) -> list[Request]:
    """Return one request a model, each in its own way and with its own settings: by its template, or as plain text."""
    return [
        Request(
            model=spec.id, seed=seed,
            inputs={"prompt": instruction, **({"messages": "[]"} if spec.facts.get("chat") else {})},
        )
        for spec in specs
    ]  # fmt: skip


def rows(specs: list[ModelSpec], answers: dict[str, str]) -> list[list[str]]:
    """Return the table's cells, the answer last; `answers` by model id."""
    return [
        [spec.name, *_WAYS[learnt(spec)], _kept(spec), _alike(spec),
         _number(spec, "bits_per_character"), _divergence(spec), answers.get(spec.id, "")]
        for spec in specs
    ]  # fmt: skip


def draw(session: Session, spec: ModelSpec) -> None:
    """Draw the fold; it stays open once an instruction went round."""
    specs = members(session.catalog, spec)
    if not specs:
        return
    view = next((one for one in session.jobs.jobs_of(session.owner) if one.purpose == ASK_ALL), None)
    living = view is not None and not view.finished
    if view is not None:
        _ASKED.set(view.id)
    with st.expander("What makes a chat model?", icon=":material/school:", expanded=_ASKED.there):
        st.markdown(_EXPLAINED)
        _draw_asking(session, specs, spec, living)
        if living and view is not None:
            job_panel.draw(session, view.id, lambda now: _draw_table(specs, _living_answers(now)))
            return
        _draw_table(specs, _answers(_asked_runs(session, view)))
        st.caption(
            "Instructions followed: share of held-out instructions met in full, checked by rule. Begin alike: of 100 "
            "stories for them, those with the commonest first six words; feedback that rewards no variety makes them "
            "more. Bits per character: on unseen stories; lower means better prediction. KL divergence: how far its "
            "probabilities moved from the supervised model. –: not measured."
        )


def _draw_asking(session: Session, specs: list[ModelSpec], spec: ModelSpec, living: bool) -> None:
    if not _INSTRUCTION.there:
        examples = (one.examples[0] for one in specs if one.facts.get("chat") and one.examples)
        _INSTRUCTION.set(next(iter(shown()), "") or next(examples, ""))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Instruction", key=_INSTRUCTION.key, persist_state="session")
        st.button(
            "Ask all models", icon=":material/campaign:", key="lesson-ask", disabled=living, on_click=_ask,
            args=(session, specs, spec),
            help="Asks every model the same thing with the same seed. Chat models use their template; the others "
                 "continue it as text.",
        )  # fmt: skip


def _ask(session: Session, specs: list[ModelSpec], spec: ModelSpec) -> None:
    state.clear_notices()
    if job_panel.busy(session):
        return
    seed = int(state.at(state.setting_key(spec.id, "seed"), 0).get() or 0)
    try:
        given = {"prompt": _INSTRUCTION.get()}
        drawn, said = lists.draw_inputs(session.catalog.family(spec.id), given, seed, session.jobs.settings)
        if said:
            state.notify(said, "warning")
        asked = requests(specs, drawn["prompt"], seed)
        _ASKED.set(session.submit(asked, ASK_ALL))
        stay()
    except PlaygroundError as error:
        state.notify(error.message)


def _draw_table(specs: list[ModelSpec], answers: dict[str, str]) -> None:
    lesson_table.draw(_COLUMNS, "Its answer", rows(specs, answers), "lesson")


def _living_answers(view: JobView) -> dict[str, str]:
    found = {**{request.model: "waits …" for request in view.requests}, **_answers(view.runs)}
    if view.index < len(view.requests) and view.index >= len(view.runs):
        outputs = view.preview.outputs if view.preview is not None else ()
        found[view.requests[view.index].model] = next((_said(one) for one in outputs if one.kind == "text"), "") + " ▍"
    return found


def _answers(runs: Any) -> dict[str, str]:
    found = {}
    for run in runs:
        said = next((_said(output) for output in run.outputs if output.kind == "text"), "")
        why = str((run.error or {}).get("message", "")) or ("(stopped)" if run.status == "stopped" else "(nothing)")
        found[run.request.model] = said or why
    return found


def _said(output: Any) -> str:
    """Return what a model wrote itself, marked where it goes on from the instruction."""
    cut = int(output.meta.get("prompt_chars", 0))
    return f"… {str(output.text)[cut:].lstrip()}" if cut else str(output.text)


def _asked_runs(session: Session, view: JobView | None) -> list[Run]:
    """Return the runs of the last instruction that went round: of its job, or from the store once that is forgotten."""
    if view is not None:
        return list(view.runs)
    asked = _ASKED.get()
    try:
        return session.jobs.store.runs(session.owner, asked, limit=20) if asked else []
    except PlaygroundError:
        return []


def _kept(spec: ModelSpec) -> str:
    marks = spec.facts.get("marks")
    if not isinstance(marks, dict) or "passed" not in marks:
        return "–"
    of = f" of {marks['instructions']:,}" if "instructions" in marks else ""
    return f"{100 * float(str(marks['passed'])):.0f}%{of}"


def _alike(spec: ModelSpec) -> str:
    share = _mark(spec, "alike")
    return f"{share:.0%}" if share is not None else "–"


def _mark(spec: ModelSpec, name: str) -> float | None:
    marks = spec.facts.get("marks")
    found = marks.get(name) if isinstance(marks, dict) else None
    return float(found) if isinstance(found, (int, float)) else None


def _number(spec: ModelSpec, name: str) -> str:
    found = _mark(spec, name)
    return f"{found:.3f}" if found is not None else "–"


def _divergence(spec: ModelSpec) -> str:
    nats = _mark(spec, "divergence")
    return f"{nats / math.log(2):.3f} bits per token" if nats is not None else "–"
