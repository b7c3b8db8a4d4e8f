"""The body of every page that generates: model, write, settings, Run, result, what next."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components import (
    chat,
    chat_lesson,
    image_after,
    inputs,
    job_panel,
    links,
    model_picker,
    params_form,
    picture_settings,
    presence,
    result,
    run_list,
    sentence_rows,
    services,
    side_by_side,
    sound_after,
    sound_pair,
    state,
    text_after,
)  # fmt: skip
from components import status_line as status
from components.example import example_run
from components.runtime import catalog as read_catalog
from components.words import plain
from models.catalog import Catalog, ModelSpec
from models.errors import PlaygroundError, PromptTooLong
from models.family import Family, InputField
from models.jobs import STUDY, Jobs, JobView
from models.params import ParamField
from models.types import SEED_MAX, Output, Request, Run

SPEECH = "text_to_speech"  # the family that speaks any text
_PLACEHOLDERS = {"text": "Write how it begins …", "image": "What to draw …", "audio": ""}
ADOPT_S = 5.0  # a reload may arrive before the old page's connection is seen to be gone
_ADOPTING = "adopting-until"


@dataclass(frozen=True)
class _Page:
    """What the callbacks of one drawn page need."""

    jobs: Jobs
    owner: str
    catalog: Catalog
    modality: str
    spec: ModelSpec
    family: Family
    fields: tuple[ParamField, ...]

    def run(self, again: bool = False) -> None:
        """Freeze prompt and settings into a request and queue it; what is wrong becomes a notice."""
        state.clear_notices()
        if self.busy():
            return
        params_form.next_seed(self.spec, again)
        params, seed = params_form.acting_values(self.spec, self.fields)
        try:
            given = inputs.collect(self.family, self.spec, self.fields)
            request = Request(model=self.spec.id, inputs=given, params=params, seed=seed)
            self.check_length(request)
            self.jobs.submit(self.owner, [request])
        except PlaygroundError as error:
            state.notify(error.message)

    def busy(self) -> bool:
        """Say whether a run of this session is under way, on the page too."""
        return job_panel.busy(self.jobs, self.owner)

    def check_length(self, request: Request) -> None:
        """Refuse a prompt that is too long before it waits in the queue. Raises `PromptTooLong`.

        The worker counts. While it warms up it is not asked: the run itself checks again.
        """
        prompt = request.inputs.get("prompt", "")
        short = len(prompt.encode()) < self.spec.facts.get("context_length", 0)
        ready = self.jobs.engine.state().phase == "ready"
        if short or not ready or "count_tokens" not in self.family.tools or request.params.get("cut_prompt"):
            return
        counted = self.jobs.engine.call(self.spec.id, "count_tokens", {"text": prompt})
        if counted["problem"]:
            raise PromptTooLong(counted["problem"], tokens=counted["tokens"])

    def use(self, text: str, run: bool) -> None:
        """Put a text into the prompt box, and go on from it if `run`."""
        st.session_state[state.prompt_key(self.modality, self.family.name)] = text
        if run:
            self.run()

    def use_picture(self, output: Output) -> None:
        """Make a result the picture to start from, and choose a task that takes one."""
        state.clear_notices()
        tasks = next((item.choices for item in self.fields if item.name == "task"), ())
        chosen = next((task for task in ("image to image", "reconstruct") if task in tasks), None)
        if chosen is None:
            state.notify(f"{self.spec.name} takes no picture. Choose a model that does, then press it again.", "info")
            return
        try:
            inputs.take(self.jobs, self.modality, "image", result.stored(self.jobs, output))
        except PlaygroundError as error:
            state.notify(error.message)
            return
        key = state.setting_key(self.spec.id, "task")
        if st.session_state.get(key) not in ("image to image", "inpaint", "reconstruct", "interpolate"):
            st.session_state[key] = chosen
        state.notify("The picture is now the one to start from.", "info")

    def vary(self, request: Request, index: int) -> None:
        """Run a near relative of picture `index` of a request."""
        near = {"num_images": 1, "variation_strength": 0.3, "variation_seed": random.randint(0, 99_999)}  # noqa: S311
        seed = (request.seed + index) % (SEED_MAX + 1)
        self.submit(request.model_copy(update={"params": {**request.params, **near}, "seed": seed}))

    def submit(self, request: Request) -> None:
        """Run a request that was made from another one, and set the page to it."""
        state.clear_notices()
        if self.busy():
            return
        try:
            self.jobs.submit(self.owner, [request])
            links.apply(self.catalog, self.modality, request)
        except PlaygroundError as error:
            state.notify(error.message)

    def depends(self, values: Mapping[str, Any]) -> object:
        """Return what the page beside the form takes from the settings: the inputs that act, and how long it takes."""
        wanted = [item.name for item in inputs.wanted_under(self.family, self.fields, values)]
        size = (values.get("width"), values.get("height")) if "mask" in wanted else None
        return wanted, size, _work(values)

    @property
    def actions(self) -> result.Use:
        """Return what can be done with a result here."""
        return result.Use(self.use, self.use_picture, self.vary, self.speak if self.voice() else None)

    def voice(self) -> ModelSpec | None:
        """Return a model that can speak any text, if the catalogue has one."""
        return next((spec for spec in self.catalog.values() if spec.family == SPEECH), None)

    def speak(self, text: str) -> None:
        """Open the Audio page with a text to be spoken."""
        spec = self.voice()
        assert spec is not None
        st.session_state[state.model_key("audio")] = spec.id
        st.session_state[state.prompt_key("audio", SPEECH)] = text
        st.switch_page("pages/audio.py")

    def restore(self, request: Request) -> None:
        """Set the page to a run's request."""
        state.clear_notices()
        try:
            links.apply(self.catalog, self.modality, request)
        except PlaygroundError as error:
            state.notify(error.message, "warning")


def show(modality: str, title: str) -> None:
    """Draw the page of a modality."""
    jobs, owner, catalog = services.jobs(), presence.session_id(), read_catalog()
    _adopt(jobs, owner)
    links.read(catalog, modality)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(title, anchor=False)
        how = st.container(horizontal=True, width="content", gap="xsmall")
    spec = model_picker.pick(catalog, modality)
    if spec is None:
        return
    family = catalog.family(spec.id)
    page = _Page(jobs, owner, catalog, modality, spec, family, family.fields(spec))
    with how:
        if modality in picture_settings.MODALITIES:
            picture_settings.draw(jobs, catalog, modality)
        with st.popover("How this works", icon=":material/school:", width="content"):
            st.markdown(family.how_it_works)
    view = _job_of(jobs, owner, modality)
    live = view is not None and not view.finished
    with st.sidebar:
        params_form.draw(spec, page.fields, page.depends)
        status.draw(jobs, busy=live)
    if chat.choose(spec, family):
        chat_lesson.draw(jobs, owner, catalog, spec)
        chat.draw(chat.Chat(jobs, owner, catalog, spec, family, page.fields), page.speak if page.voice() else None)
        return
    _draw_inputs(page)
    _draw_run_line(page, live)
    for notice in state.notices():
        {"error": st.error, "warning": st.warning, "info": st.info}[notice["level"]](plain(notice["message"]))
    _draw_result(page, view)
    if modality == "text":
        chat_lesson.draw(jobs, owner, catalog, spec)
    st.divider()
    st.subheader("Earlier results", anchor=False)
    if modality == "audio":
        sound_pair.draw(jobs, owner, catalog)
    shown = view.id if view is not None else ""
    run_list.draw(jobs, owner, modality, shown=shown, restore=page.restore, use=page.actions)


def _job_of(jobs: Jobs, owner: str, modality: str) -> JobView | None:
    """Return the session's newest job of a modality."""
    found = [
        view for view in jobs.jobs_of(owner)
        if view.requests[0].model.startswith(f"{modality}/") and view.purpose != STUDY and not chat.apart(view)
    ]  # fmt: skip
    return found[-1] if found else None


def _draw_inputs(page: _Page) -> None:
    for item in inputs.wanted(page.family, page.spec, page.fields):
        if item.name == "prompt":
            _draw_prompt(page, item)
        elif item.type == "text":
            inputs.draw_text(page.family, page.spec, item)
    if page.family.name == SPEECH:
        sentence_rows.draw_kept(st.session_state.get(state.prompt_key(page.modality, page.family.name), ""))
    inputs.draw_pictures(page.jobs, page.family, page.spec, page.fields)


def _draw_prompt(page: _Page, item: InputField) -> None:
    key = state.prompt_key(page.modality, page.family.name)
    if page.spec.examples and item.required:
        st.session_state.setdefault(key, page.spec.examples[0])  # first use needs one click
    st.text_area(
        item.label or "Prompt", key=key, height=110 if page.modality == "text" else 80, persist_state="session",
        placeholder=_PLACEHOLDERS[page.modality],
        help=item.help or "The model goes on from here. Markup is shown as text.",
    )  # fmt: skip
    if page.spec.examples:
        st.pills(
            "Try", page.spec.examples, key=f"{page.spec.id}-examples", label_visibility="collapsed",
            format_func=plain, on_change=_take_example, args=(page,), wrap=True,
        )  # fmt: skip


def _take_example(page: _Page) -> None:
    key = f"{page.spec.id}-examples"
    chosen = st.session_state.get(key)
    if chosen:
        st.session_state[state.prompt_key(page.modality, page.family.name)] = chosen
        st.session_state[key] = None  # the pill is a shortcut, not a state


def _draw_run_line(page: _Page, live: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run", type="primary", icon=":material/play_arrow:", shortcut="Ctrl+Enter", key="run", disabled=live,
            on_click=page.run, width=170,
        )  # fmt: skip
        if any(
            item.type == "seed" and () not in item.shown_if.values() for item in page.fields
        ):  # else chance has no part
            st.button(
                "Again", icon=":material/replay:", key="again", disabled=live, on_click=page.run, args=(True,),
                help="Run with the next seed.",
            )  # fmt: skip
        if page.modality == "text":
            where = state.prompt_key(page.modality, page.family.name)
            side_by_side.draw_button(page.jobs, page.owner, page.catalog, page.spec, where, live)
        st.caption(_forecast(page))


def _forecast(page: _Page) -> str:
    """Say what a run will take: its time from this session's last run, its memory from the registry's own state."""
    words = []
    earlier: list[Run] = []
    with suppress(PlaygroundError):  # the list of earlier results says what is wrong with the store
        earlier = page.jobs.store.runs(page.owner, limit=5)
    speed = next((run.stats.get("tokens_per_s") for run in earlier if run.request.model == page.spec.id), None)
    now = params_form.values(page.spec, page.fields)
    tokens = now.get("max_new_tokens")
    if speed and tokens:
        tunes = int(now.get("num_variants") or 1) if page.modality == "audio" else 1  # one after another
        words.append(f"at most {max(1.0, tunes * tokens / speed):.0f} s")
    mine = (run for run in earlier if run.request.model == page.spec.id and not run.request.study)
    last = next((run for run in mine if run.status == "done"), None)
    if last is not None and not tokens and last.stats.get("seconds"):
        share = _work(now) / max(1, _work({**{item.name: item.default for item in page.fields}, **last.request.params}))
        words.append(f"about {max(0.1, last.stats['seconds'] * share):.1f} s")
    loaded = {entry["model"] for entry in page.jobs.engine.state().loaded}
    if page.spec.id not in loaded:
        words.append(f"loads {model_picker.size(page.family.needed_bytes(page.spec))} of memory first")
    return " · ".join(words)


def _work(params: Mapping[str, Any]) -> int:
    """Return the steps that settings ask for, over all pictures or takes."""
    many = (int(params.get(name) or 1) for name in ("num_images", "num_takes"))
    return int(params.get("num_inference_steps") or 1) * math.prod(many)


def _draw_result(page: _Page, view: JobView | None) -> None:
    if view is not None and view.purpose:
        if not view.finished:
            st.query_params[links.JOB] = view.token
        else:
            st.query_params.pop(links.JOB, None)
        draw_job = side_by_side.draw_job if view.purpose == side_by_side.PURPOSE else image_after.draw_job
        draw_job(page.jobs, page.owner, page.catalog, view, view.id, page.actions)
        return
    if view is not None and not view.finished:
        st.query_params[links.JOB] = view.token
        job_panel.draw(page.jobs, page.owner, view.id)
        return
    if view is not None:
        if view.runs and page.modality != "text":  # a text's place is not fixed anyway
            job_panel.draw_end(view)
        for run in view.runs:
            result.draw(page.jobs, run, use=page.actions, key=view.id)
            if page.modality == "text" and run.outputs and not run.error:
                text_after.draw(page.jobs, page.owner, page.catalog, run, f"after-{run.id}")
            if page.modality == "image" and run.outputs and not run.error:
                image_after.draw(page.jobs, page.owner, page.catalog, run, f"after-{run.id}")
            if page.modality == "audio" and run.outputs and not run.error:
                sound_after.draw(page.jobs, page.owner, page.catalog, run, f"after-{run.id}", page.submit)
        if not view.runs:
            st.info("Stopped before it began. Press Run to start again.", icon=":material/info:")
        st.query_params.pop(links.JOB, None)  # the result is drawn: a reload need not find the job again
        return
    if links.JOB in st.query_params:
        return
    example = example_run(page.spec)
    if example is not None:
        st.caption(":material/lightbulb: **An example** from this model. Press Run to make your own.")
        result.draw_outputs(None, example.outputs, f"example-{page.spec.id}", request=example.request)
        st.caption(result.facts(example))


def _adopt(jobs: Jobs, owner: str) -> None:
    """Find a job again after a reload: its token is in the address and its old session is gone."""
    token = st.query_params.get(links.JOB)
    if token is None or any(view.token == token for view in jobs.jobs_of(owner)):
        return
    if jobs.adopt(token, owner):
        st.session_state.pop(_ADOPTING, None)
        return
    until = st.session_state.setdefault(_ADOPTING, time.monotonic() + ADOPT_S)
    if time.monotonic() > until:
        del st.session_state[_ADOPTING]
        del st.query_params[links.JOB]
        return
    st.fragment(_wait_for_adoption, run_every=0.5)(jobs, owner, token, until)


def _wait_for_adoption(jobs: Jobs, owner: str, token: str, until: float) -> None:
    if jobs.adopt(token, owner) or time.monotonic() > until:
        st.rerun()
    st.caption(":material/search: Looking for the run of this page …")
