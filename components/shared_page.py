"""What a link shows to anybody: finished results as their room draws them, what differs here, and a way to try them.

Nothing here changes what is shared, and opening it starts nothing. A look that has to compute does so when it is
chosen, as a look of the reader's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import desk as desks
from components import (
    inputs,
    labelled,
    library_detail,
    links,
    look_closer,
    opening,
    result,
    rooms,
    shared_differences,
    shared_inputs,
    shared_sweep,
    state,
)
from components import session as sessions
from components.escape import plain
from models import labels
from models.errors import PlaygroundError
from models.sharing import Opened
from models.types import Request, Run

if TYPE_CHECKING:
    from components.session import Session

TITLE_CHARS = 80
ICON = ":material/share:"
HOME = Path(__file__).resolve().parents[1] / "pages" / "start.py"


def show() -> None:
    """Draw the page."""
    opening.follow()
    session = sessions.here()
    opened = session.jobs.store.open_share(str(st.query_params.get(links.SHARED, "")))
    share = opened.share
    if opened.state != "open" or share is None:
        _draw_nothing(opened.sentence)
        return
    if share.kind == "request" and share.request is not None:
        _fill(session, share.request, share.made_with)
        return
    # looks ask whose a run is: here they are the reader's
    shown = [replace(run, owner=session.owner) for run in opened.runs.values()]
    title = _title(session, shown[0].request)
    st.set_page_config(page_title=f"{title} · shared")
    st.caption(f"{ICON} Shared, read-only. Nothing runs until you press something.")
    st.header(plain(title), anchor=False)
    state.draw_notices()
    if len(shown) < len(share.runs):
        gone = len(share.runs) - len(shown)
        st.info(f"{gone:,} of {len(share.runs):,} results were deleted.", icon=":material/info:")
    if share.kind == "sweep" and shared_sweep.draw(session, share, shown, opened.uploads):
        return
    if share.kind == "run":
        _draw_run(session, opened, shown[0])
    else:
        _draw_compared(session, opened, shown)


def _draw_nothing(sentence: str) -> None:
    st.title("Shared", anchor=False)
    state.draw_notices()
    st.info(plain(sentence), icon=":material/link_off:")
    if st.button("To the playground", icon=":material/home:", key=state.key("shared", "home")):
        st.switch_page(HOME)


def _title(session: Session, request: Request) -> str:
    prompt = labels.shorten(labels.prompt_of(session.catalog, request), TITLE_CHARS)
    return prompt or labels.model_name(session.catalog, request.model)


def _draw_run(session: Session, opened: Opened, run: Run) -> None:
    key = state.key("shared", run.id)
    here = shared_differences.is_here(session, run.request)
    made = f"{datetime.fromtimestamp(run.created_at, labelled.zone()):%d %B %Y}"
    st.caption(plain(f"{labels.model_name(session.catalog, run.request.model)} · {made}"))
    if here:
        _draw_try(session, run, opened.uploads, key)
    else:
        shared_differences.draw(session, [run])
    try:
        result.draw_made(session.jobs, run, key)
    except PlaygroundError as error:  # a file of it was cleared from the store
        st.warning(plain(error.message), icon=":material/warning:")
    st.caption(result.facts(session.catalog, run))
    for note in run.stats.get("notes", []):
        st.caption(f":material/info: {plain(note)}")
    if run.outputs:
        result.draw_files(session, run, key)
    if here:
        shared_differences.draw(session, [run])
    shared_inputs.draw(session, run, opened.uploads, key)
    if here and run.outputs and not run.error:
        look_closer.draw(session, run, state.key(key, "look"), remember=False)
        _draw_after(session, run, state.key(key, "after"))


def _draw_after(session: Session, run: Run, key: str) -> None:
    """Draw the panels of a result's own page that need no model, and say which are left out, and where they are."""
    room, page = rooms.of(run.request.model), rooms.page_of(session.catalog, run.request.model)
    if room.after is None:
        return
    left = room.after_shared(session, run, key) if room.after_shared is not None else None
    if left is None:
        what = f"What the {page.title} page draws below its own results is"
    elif left:
        names = [f"“{name}”" for name in left]
        what = f"{', '.join(names[:-1])}{' and ' * (len(names) > 1)}{names[-1]} {'are' if len(names) > 1 else 'is'}"
    else:
        return
    st.caption(plain(f"{what} not shown here, since a model has to run for it. “Try it yourself” opens the "
                     f"{page.title} page: after a run it stands below the result."))  # fmt: skip


def _draw_compared(session: Session, opened: Opened, shown: Sequence[Run]) -> None:
    names = labelled.of_runs(session.catalog, shown)

    def below(run: Run) -> None:
        _draw_try(session, run, opened.uploads, state.key("shared", run.id))

    library_detail.draw_beside(session, shown, names, "shared", below)
    shared_differences.draw(session, shown)


# -- try it ------------------------------------------------------------------------------------------------------------


def _draw_try(session: Session, run: Run, uploads: frozenset[str], key: str) -> None:
    if not shared_differences.is_here(session, run.request):
        return
    page = rooms.page_of(session.catalog, run.request.model)
    pressed = st.button(
        "Try it yourself", icon=":material/tune:", type="primary", key=state.key(key, "try"), on_click=_try,
        args=(session, run.request, uploads, run.stats.get("made_with", {})),
        help=f"Opens the {page.title} page with prompt, settings and seed filled in. It starts nothing.",
    )  # fmt: skip
    if pressed:
        opening.follow()


def _try(session: Session, request: Request, uploads: frozenset[str], made_with: Mapping[str, Any]) -> None:
    """Have the model's page opened with everything filled in; the files that came with it are the reader's own then."""
    desk = replace(desks.of(session, rooms.of(request.model), request.model), away=True)
    refused = shared_inputs.take(session, request, uploads)
    desk.restore(request)
    state.notify(
        f"This page was opened from what somebody shared: its prompt and settings are filled in. "
        f"{inputs.press(desk, request.inputs)}", "info",
    )  # fmt: skip
    for said in (refused, inputs.missing(desk), *shared_differences.of(session, request, made_with)):
        if said:
            state.notify(said, "warning")


def _fill(session: Session, request: Request, made_with: Mapping[str, Any]) -> None:
    """Open the model's page with a request that was too long for an address; say why not where that cannot be."""
    if not shared_differences.is_here(session, request):
        _draw_nothing(f"This link asks for the model {request.model}, which is not here.")
        if prompt := labels.prompt_of(session.catalog, request):
            st.code(prompt, language=None, wrap_lines=True)
        return
    _try(session, request, frozenset(), made_with)
    opening.follow()
    _draw_nothing("These settings cannot be opened here.")
