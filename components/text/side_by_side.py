"""Several language models on one prompt, one seed and one set of settings; what one finds of the other's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from components import inputs, job_panel, params_form, result, state
from components.desk import Desk
from components.escape import plain
from components.session import Session
from components.text import insides, story_view, token_map
from models import lists
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import check
from models.runtime.job_view import JobView
from models.spec import ModelSpec
from models.types import Output, Request, Run

PURPOSE = "side-by-side"
MOST = 4  # models
FAR_BITS = 4.0  # of divergence: the strongest colour
_ASKED = "side-by-side-models"
_TURN = state.slot("side-by-side-turn", 0)  # a new popover, closed, once it runs: the old one would lie over the texts


def members(catalog: Catalog, spec: ModelSpec) -> list[ModelSpec]:
    """Return the models that can be put beside one another, `spec` first: those of its family that do the same."""
    others = [one for one in catalog.values() if one.family == spec.family and one.id != spec.id and _alike(one, spec)]
    near = [one for one in others if spec.collection and one.collection == spec.collection]
    return [spec, *near, *(one for one in others if one not in near)]


def _alike(one: ModelSpec, other: ModelSpec) -> bool:
    """Say whether two models read and write the same languages, or know the same labels."""
    return all(one.facts.get(name) == other.facts.get(name) for name in ("task", "languages", "label_names"))


def build(
    catalog: Catalog, specs: Sequence[ModelSpec], prompt: str, params: Mapping[str, Any], seed: int, chat: bool
) -> tuple[list[Request], list[str]]:
    """Return a request for each model and a sentence for each setting that one of them does not take.

    With `chat` the models that have a chat template are asked by it, else all go on from the same words.
    """
    requests, told = [], []
    for spec in specs:
        family = catalog.family(spec.id)
        fields, taken = family.fields(spec), {}
        for name, value in params.items():
            try:
                check(family.Params, fields, {name: value}, spec.id)
                taken[name] = value
            except PlaygroundError as error:
                told.append(f"Default kept: {error.message}")
        inputs = {"prompt": prompt, **({"messages": "[]"} if chat and spec.facts.get("chat") else {})}
        requests.append(Request(model=spec.id, inputs=inputs, params=taken, seed=seed))
    return requests, told


def draw_button(desk: Desk, disabled: bool) -> None:
    """Draw the choice of models and the button that runs them all."""
    session, spec = desk.session, desk.spec
    every = members(session.catalog, spec)
    if len(every) < 2 or not any(inputs.is_main(desk, item.name) for item in inputs.wanted(desk)):
        return
    names = {one.id: one.name for one in every}
    with st.popover("Side by side", icon=":material/view_column:", disabled=disabled, key=f"{_TURN.key}-{_TURN.get()}"):
        st.caption("Runs each model on this prompt, seed and settings, in columns.")
        chosen = st.multiselect(
            "Models", list(names), default=list(names)[:MOST], max_selections=MOST, format_func=names.__getitem__,
            key=f"{_ASKED}-{spec.id}", help="The others are compared with the first.",
        )  # fmt: skip
        chat = False
        if any(session.catalog[one].facts.get("chat") for one in chosen):
            chat = st.toggle(
                "Use the chat template for chat models", value=True, key=f"{_ASKED}-chat",
                help="On: the prompt is an instruction. Off: chat models continue it as plain text, like the "
                     "others.",
            )  # fmt: skip
        st.button(
            "Run side by side", type="primary", key="side-by-side-run", disabled=len(chosen) < 2,
            on_click=_run, args=(desk, chosen, chat),
        )  # fmt: skip


def _run(desk: Desk, chosen: Sequence[str], chat: bool) -> None:
    state.clear_notices()
    if desk.busy():
        return
    catalog = desk.session.catalog
    params, seed = params_form.acting_values(desk.spec, desk.fields)
    params.pop("num_variants", None)
    try:
        given, said = lists.draw_inputs(desk.family, {"prompt": desk.prompt.get()}, seed, desk.session.jobs.settings)
    except PlaygroundError as error:
        state.notify(error.message)
        return
    prompt = given["prompt"]
    if said:
        state.notify(said, "warning")
    requests, told = build(catalog, [catalog[one] for one in chosen], prompt, params, seed, chat)
    for sentence in dict.fromkeys(told):
        state.notify(sentence, "warning")
    try:
        desk.session.submit(requests, PURPOSE)
        _TURN.set(_TURN.get() + 1)
    except PlaygroundError as error:
        state.notify(error.message)


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw the columns, living or finished, and under finished ones what can be done and compared."""
    session = desk.session
    if not view.finished:
        job_panel.draw(session, view.id, lambda now: _draw_columns(session.catalog, now, key))
        return
    _draw_columns(session.catalog, view, key)
    _draw_facts(session, view)
    runs = [run for run in view.runs if run.outputs and not run.error]
    for run in view.runs:
        if run.error:
            st.error(
                plain(f"{_name(session.catalog, run.request.model)}: {run.error['message']}"), icon=":material/error:"
            )
    if len(runs) > 1:
        _draw_comparison(session, runs, key)
    for run in runs:
        with st.expander(plain(f"{_name(session.catalog, run.request.model)}'s text: actions")):
            result.draw_actions(desk, run, f"{key}-{run.id}")


def _draw_columns(catalog: Catalog, view: JobView, key: str) -> None:
    outputs, titles = [], []
    for place, request in enumerate(view.requests):
        run = view.runs[place] if place < len(view.runs) else None
        here: Sequence[Output] = run.outputs if run is not None else ()
        if run is None and place == view.index and view.preview is not None:
            here = view.preview.outputs
        text = next((one for one in here if one.kind == "text"), None)
        waiting = "" if view.finished else "…"
        outputs.append(text or Output("text", place, waiting, meta={"finish": "none"}))
        titles.append(_name(catalog, request.model))
    story_view.draw(outputs, f"{key}-columns", run=view.id, live=not view.finished, titles=titles)


def _draw_facts(session: Session, view: JobView) -> None:
    rows = []
    for run in view.runs:
        stats = run.stats
        bits = None
        for kept in insides.kept(run)[:1]:
            try:
                data = {"ref": f"sha256:{kept.sha256}", "params": {}, "own": {}}
                bits = session.jobs.engine.call(run.request.model, "microscope", data).get("bits")
            except PlaygroundError:
                bits = None
        rows.append({
            "Model": _name(session.catalog, run.request.model), "Tokens": stats.get("tokens"),
            "Tokens per second": round(stats["tokens_per_s"]) if stats.get("tokens_per_s") else None,
            "Bits per token": bits, "Seconds": round(stats.get("seconds", 0.0), 2),
        })  # fmt: skip
    if rows:
        st.dataframe(
            rows, hide_index=True,
            column_config={"Bits per token": st.column_config.NumberColumn(
                help="Average surprise of each model at its own text, before sampling settings. Lower: a more "
                     "predictable text, not a better one.", format="%.2f",
            )},
        )  # fmt: skip


def _draw_comparison(session: Session, runs: Sequence[Run], key: str) -> None:
    first, others = runs[0], [run for run in runs[1:] if insides.kept(run)]
    name = _name(session.catalog, first.request.model)
    what = "texts" if len(others) > 1 else "text"
    if not others or not st.toggle(
        plain(f"How would {name} have predicted the other {what}?"), key=f"{key}-compare",
        help="Scores each text with the first model and shows where the two models' probabilities differ (KL "
             "divergence).",
    ):  # fmt: skip
        return
    for run in others:
        st.markdown(f"**{plain(_name(session.catalog, run.request.model))}'s text, read by {plain(name)}**")
        found = insides.rescored(session, run, insides.kept(run)[0], first.request.model)
        if found is None:
            return  # it is drawn again when that has come
        _draw_distance(found, run, f"{key}-{run.id}", name)


def _draw_distance(found: Mapping[str, Any], run: Run, key: str, name: str) -> None:
    bits = found["bits"]
    whole = "" if found.get("whole", True) else " (at least: only the likeliest tokens were saved)"
    st.caption(
        f"Mean KL divergence {bits['kl']:.2f} bits per token{whole}. Surprise: {bits['theirs']:.2f} bits per token for "
        f"its writer, {bits['ours']:.2f} for {plain(name)}. Strong colour: the models disagree there."
    )
    told = [f"KL {kl:.2f} bits · rank {rank} for {name}"
            for kl, rank in zip(found["kl"], found["rank"], strict=True)]  # fmt: skip
    token_map.draw(
        found["pieces"], [round(min(1.0, kl / FAR_BITS), 3) for kl in found["kl"]], told, f"{key}-distance",
        run=f"{run.id}-{name}", measure="kl",
    )  # fmt: skip


def _name(catalog: Catalog, model: str) -> str:
    spec = catalog.get(model)
    return str(spec.name) if spec is not None else model
