"""Share what was made: a link that anybody can open, until when it is open, its QR code, and all links of an owner."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import segno
import streamlit as st

from components import copy_link, labelled, links, owners, state
from components.escape import plain
from models import labels
from models.errors import PlaygroundError
from models.sharing import Kind, Share
from models.types import Request, Run

if TYPE_CHECKING:
    from components.session import Session

DAYS: dict[str, float | None] = {"Never": None, "After a day": 1.0, "After a week": 7.0, "After a month": 30.0}
_OPEN = state.slot("share-open", "")  # the key of what is open
RESULT, SETTINGS = "The result", "Its settings alone"
PROMPT_CHARS = 60
QR_PX = 220
_WHAT: dict[Kind, str] = {"run": "Result", "comparison": "Side by side", "sweep": "Sweep", "request": "Settings"}


@dataclass(frozen=True)
class Asked:
    """Hold what is to be shared: `runs` are ids, the rest as in `models.sharing.Share`; `said` names it to its owner.

    `uploads`: files that were uploaded are part of it.
    """

    kind: Kind
    said: str
    runs: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()
    sweep: str = ""
    request: Request | None = None
    made_with: dict[str, Any] | None = None
    uploads: bool = False

    def is_that(self, share: Share) -> bool:
        """Say whether a link shows this."""
        if self.request is not None:
            return share.request == _without_files(self.request)
        return (share.kind, share.runs, share.sweep) == (self.kind, self.runs, self.sweep)


def of_run(run: Run) -> Asked:
    """Return what the link to a run shows."""
    return Asked("run", "this result with its prompt, settings and looks", (run.id,), uploads=has_uploads(run.request))


def of_settings(run: Run) -> Asked:
    """Return what the link to a run's request shows."""
    return Asked("request", "prompt, settings and seed of this result, filled in on the model's page; not the result",
                 request=run.request, made_with=dict(run.stats.get("made_with", {})))  # fmt: skip


def of_runs(runs: Sequence[Run]) -> Asked:
    """Return what the link to results that stand side by side shows."""
    return Asked(
        "comparison", f"these {len(runs)} results with their prompts and settings", tuple(run.id for run in runs),
        uploads=any(has_uploads(run.request) for run in runs),
    )  # fmt: skip


def has_uploads(request: Request) -> bool:
    """Say whether a request rests on a file."""
    return any(value.startswith("sha256:") for value in request.inputs.values())


def draw_run(session: Session, run: Run, key: str, label: str = "Share") -> None:
    """Draw the button that shares a run, or its settings alone."""

    def inside() -> None:
        chosen = st.segmented_control(
            "What", (RESULT, SETTINGS), default=RESULT, required=True, key=state.key(key, "what"), wrap=True
        )
        settings = chosen == SETTINGS
        _draw(session, of_settings(run) if settings else of_run(run), state.key(key, "settings" if settings else "run"))

    _draw_button(key, inside, label)


def draw(session: Session, asked: Asked, key: str) -> None:
    """Draw the button that shares something."""
    _draw_button(key, lambda: _draw(session, asked, key))


def _draw_button(key: str, inside: Callable[[], None], label: str = "Share") -> None:
    """Draw the button, and what it opens: it stays open when the page is drawn again, as when a job ends."""
    st.button(label, icon=":material/share:", key=state.key(key, "share"), on_click=_OPEN.set, args=(key,),
              help="Makes a link that shows this to anybody, with a QR code. It can be revoked.")  # fmt: skip
    if _OPEN.get() == key:
        st.dialog("Share", width="medium", on_dismiss=_close)(inside)()


def _close() -> None:
    _OPEN.set("")


def _is_open(box: Any) -> bool:
    return bool(box.open)


def _draw(session: Session, asked: Asked, key: str) -> None:
    st.caption(plain(
        f"Whoever has the link sees {asked.said}"
        + (", and gets the files that you uploaded for it" if asked.uploads else "")
        + ". Not your name, notes, tags or other results. They cannot change anything of yours."
    ))  # fmt: skip
    if kept := _kept(session):
        st.caption(f":material/schedule: {kept}")
    try:
        found = next((one for one in session.jobs.store.shared(session.owner) if asked.is_that(one)), None)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    if problem := _problem(key).get():
        st.warning(plain(problem), icon=":material/warning:")
    if found is None:
        st.segmented_control(
            "The link ends", list(DAYS), default="Never", required=True, key=state.key(key, "days"), wrap=True,
            help="It can be revoked at any time, here and on the Runs page.",
        )  # fmt: skip
        st.button("Make a link", icon=":material/add_link:", type="primary", key=state.key(key, "make"),
                  on_click=_make, args=(session, asked, key))  # fmt: skip
        return
    draw_link(session, found, key)


def _problem(key: str) -> state.Slot[str]:
    return state.at(state.key(key, "problem"), "")


def _make(session: Session, asked: Asked, key: str) -> None:
    _problem(key).set("")
    days = DAYS.get(str(state.at(state.key(key, "days")).get()))
    try:
        session.jobs.store.share(
            session.owner, asked.runs, asked.kind, days=days, sweep=asked.sweep, cells=asked.cells,
            request=asked.request, made_with=asked.made_with,
        )  # fmt: skip
    except PlaygroundError as error:
        _problem(key).set(error.message)


def _kept(session: Session) -> str:
    """Say how long results stay where nobody signs in, or that nobody else reaches this app; "" for neither."""
    if session.known.kind == "machine" and owners.on_loopback():
        return "This app listens to this computer alone: the link opens here, and nowhere else."
    if session.known.kind not in ("cookie", "session"):
        return ""
    if session.known.lasting:
        return f"Your results are deleted {owners.KEEP_S // 3600} hours after your last visit, and the link with them."
    return "Your results are deleted after you close or reload this page, and the link with them."


def address(token: str) -> str:
    """Return the address of what is shared."""
    return links.to_shared(st.context.url or "", token, str(st.get_option("server.baseUrlPath") or ""))


def draw_link(session: Session, share: Share, key: str) -> None:
    """Draw a link: its address, its QR code, until when it is open, and the button that revokes it."""
    link = address(share.token)
    st.code(link, language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        copy_link.draw(
            link, state.key(key, "copy"), hint="Copies the address above.", too_long="",
            said="Copied. Anyone with the link can open it.",
        )  # fmt: skip
        st.link_button("Open", link, icon=":material/open_in_new:", key=state.key(key, "open"))
        draw_revoke(session, share, key)
    st.caption(until(share))
    st.image(qr_code(link), width=QR_PX, alt="QR code of the link")
    st.download_button(
        "Download QR code", partial(qr_png, link), "qr-code.png", "image/png", icon=":material/qr_code_2:",
        key=state.key(key, "qr"), on_click="ignore", help="A PNG to show or print, as in a classroom.",
    )  # fmt: skip


def draw_revoke(session: Session, share: Share, key: str) -> None:
    """Draw the button that closes a link for good."""
    st.button(
        "Revoke", icon=":material/link_off:", key=state.key(key, "revoke"), on_click=_revoke,
        args=(session, share.token), help="Whoever opens it from now on is told that it was revoked.",
    )  # fmt: skip


def _revoke(session: Session, token: str) -> None:
    state.clear_notices()
    try:
        session.jobs.store.revoke(session.owner, token)
    except PlaygroundError as error:
        state.notify(error.message)


def until(share: Share) -> str:
    """Say until when a link is open, in the reader's time."""
    if share.expires_at is None:
        return "Open until you revoke it."
    return f"Open until {datetime.fromtimestamp(share.expires_at, labelled.zone()):%d %B %Y, %H:%M}."


def qr_code(link: str) -> str:
    """Return a link as a QR code, SVG: dark on light in any theme, as cameras want it."""
    return segno.make_qr(link, error="m").svg_inline(dark="#000", light="#fff", border=4, scale=4)


def qr_png(link: str) -> bytes:
    """Return a link as a QR code, PNG, large enough for a slide."""
    held = io.BytesIO()
    segno.make_qr(link, error="m").save(held, kind="png", scale=20, border=4)
    return held.getvalue()


def draw_list(session: Session) -> None:
    """Draw all links of the owner that are open; nothing where there are none."""
    shared = session.jobs.store.shared(session.owner)
    if not shared:
        return
    box = st.expander(f"Shared links ({len(shared):,})", icon=":material/share:", on_change="rerun",
                      key=state.key("library", "shared"))  # fmt: skip
    if not _is_open(box):
        return
    with box:
        if kept := _kept(session):
            st.caption(f":material/schedule: {kept}")
        there = {one.run.id: one.run for one in session.jobs.store.found(
            session.owner, list({share.runs[0] for share in shared if share.runs}))}  # fmt: skip
        for share in shared:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(plain(_named(session, share, there)), width="stretch")
                st.link_button("Open", address(share.token), icon=":material/open_in_new:",
                               key=state.key("shared", share.token[:8], "open"))  # fmt: skip
                draw_revoke(session, share, state.key("shared", share.token[:8]))


def _named(session: Session, share: Share, there: dict[str, Run]) -> str:
    request = share.request or (there[share.runs[0]].request if share.runs and share.runs[0] in there else None)
    prompt = labels.shorten(labels.prompt_of(session.catalog, request), PROMPT_CHARS) if request is not None else ""
    model = labels.model_name(session.catalog, request.model) if request is not None else "deleted"
    many = f"{_WHAT[share.kind]}" + (f" ({len(share.runs):,})" if len(share.runs) > 1 else "")
    return " · ".join(part for part in (many, prompt, model, until(share)) if part)


def _without_files(request: Request) -> Request:
    texts = {name: value for name, value in request.inputs.items() if not value.startswith("sha256:")}
    return request.model_copy(update={"inputs": texts})
