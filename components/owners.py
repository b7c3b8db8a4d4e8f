"""Whose results these are: the signed-in user's, the machine's user's, or those of a browser, by a cookie.

An owner lasts longer than a session: a reload, a new tab and the app's restart find prompt, settings and results again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from components import frontend, presence, runtime, state
from components.escape import plain
from models import whose
from models.errors import PlaygroundError
from models.runtime import getting
from models.runtime.jobs import Jobs

COOKIE = "playground_owner"
KEEP_S = 24 * 3600
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via")
_KEY = "owner-cookie"
SLOTS = "owner-"  # how the names of all slots here begin
_TOKEN = state.slot("owner-token", "")
_KEPT = state.slot("owner-kept", False)  # the browser has the cookie
_ANSWERED = state.slot("owner-answered", False)  # the browser has said whether it keeps cookies
_FORGET = state.slot("owner-forget", False)
_MOVED: state.Slot[set[str]] = state.slot("owner-moved", set())  # owners whose results this session's owner took over

_component = frontend.component("playground_owner", __file__, html="<span hidden></span>")


@dataclass(frozen=True)
class Owner:
    """Name an owner. `kind` says how they are known; a "session" is not known again after a reload."""

    id: str
    kind: Literal["user", "machine", "cookie", "session"]
    name: str = ""  # of a signed-in user

    @property
    def lasting(self) -> bool:
        """Say whether the owner is known again after a reload."""
        return self.kind != "session"


def current(jobs: Jobs) -> Owner:
    """Return the owner of what this session makes, counted as there."""
    owner = _known(jobs)
    jobs.attend(owner.id, presence.session_id(), presence.client_address())
    return owner


def _known(jobs: Jobs) -> Owner:
    rule = jobs.settings.owners
    if rule == "session":
        return Owner(presence.session_id(), "session")
    if rule == "auto" and (user := _user()) is not None:
        if token := _TOKEN.get() or _cookie():
            _take_over(jobs, _by_token(token), user.id)  # what they made before they signed in
        return user
    if rule == "machine" or (rule == "auto" and on_loopback()):
        owner = Owner(whose.machine_owner(), "machine")
        _take_over(jobs, "", owner.id)
        return owner
    if not _TOKEN.there:
        known = _cookie()
        _TOKEN.set(known or secrets.token_urlsafe(32))
        _KEPT.set(bool(known))
        if not known:
            with suppress(PlaygroundError):
                jobs.store.forget_idle("cookie:", time.time() - KEEP_S)
    if jobs.is_forgotten(_by_token(_TOKEN.get())):  # by another tab
        _begin_anew()
    return Owner(_by_token(_TOKEN.get()), "cookie" if _KEPT.get() else "session")


def on_loopback() -> bool:
    """Say whether only this machine can have asked: the server listens on loopback, and no proxy stands before it."""
    headers = st.context.headers
    host = (headers.get("Host") or "localhost").rsplit(":", 1)[0].strip("[]")
    if any(headers.get(name) for name in _FORWARDED):
        return False
    return _is_loopback(str(st.get_option("server.address") or "")) and _is_loopback(host)


def runs_machine(jobs: Jobs) -> bool:
    """Say whether this visitor is who runs the machine, and may take from it what others use.

    That is whoever asks where only this machine can have asked, or where the operator says that all who come are the
    machine's user; a name with which one signs in tells nothing of it.
    """
    rule = jobs.settings.owners
    return rule == "machine" or (rule == "auto" and on_loopback())


def _is_loopback(address: str) -> bool:
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _user() -> Owner | None:
    known: dict[str, Any] = dict(st.user.to_dict())
    if not known.get("is_logged_in"):
        return None
    told = "\n".join(str(known.get(part, "")) for part in ("iss", "sub", "email"))
    return Owner(f"user:{_hashed(told)}", "user", str(known.get("name") or known.get("email") or "you"))


def _cookie() -> str:
    found = str(st.context.cookies.get(COOKIE) or "")
    return found if _FORM.fullmatch(found) else ""


def _by_token(token: str) -> str:
    """Return the owner of a cookie; the store does not tell the cookie."""
    return f"cookie:{_hashed(token)}"


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _take_over(jobs: Jobs, old: str, new: str) -> None:
    """Hand the results of another owner over, once a session; `old` "" stands for those of sessions long ago."""
    moved = _MOVED.held()
    if old in moved:
        return
    moved.add(old)
    with suppress(PlaygroundError):  # the list of earlier results says what is wrong with the store
        if old:
            jobs.move(old, new)
        else:
            jobs.store.take_sessions(new)


def draw(jobs: Jobs, owner: Owner) -> None:
    """Draw what is kept of whom and for how long, with the button that forgets it, and keep the cookie."""
    by_cookie = owner.id.startswith("cookie:")
    if by_cookie:
        _keep_cookie(jobs)
        owner = current(jobs)  # the browser may just have said that it keeps the cookie
    with st.popover(_LABELS[owner.kind], icon=":material/person:", type="tertiary"):
        st.markdown(_WORDS[owner.kind].format(name=plain(owner.name)))
        with st.container(horizontal=True):
            st.button(
                "Forget me" if by_cookie else "Delete my results", icon=":material/delete:", key="owner-forget-me",
                on_click=_forget, args=(jobs, owner),
                help="Deletes every result, upload and setting kept for you here. It cannot be undone.",
            )  # fmt: skip
            _draw_sign_in(owner)


_LABELS = {
    "user": "Your account", "machine": "Your results", "cookie": "Your results", "session": "Your results",
}  # fmt: skip
_WORDS = {
    "user": "Signed in as {name}. Results, settings and uploads are kept for you.",
    "machine": "This app listens to this computer alone: results, settings and uploads stay in its data folder, for "
    "whoever uses this computer.",
    "cookie": "A cookie with a random number lets this browser find its results, settings and uploads again, for 24 "
    "hours after the last visit. It tells nothing else, and no other browser sees them.",
    "session": "This browser keeps no cookie for this page: your results last until you close or reload it.",
}


def draw_loss(owner: Owner) -> None:
    """Say beside a run under way that a reload loses it, where nothing tells whose it is."""
    if not owner.lasting and (_ANSWERED.get() or not owner.id.startswith("cookie:")):
        st.caption(
            ":material/info: Reloading or closing this page loses this run: this browser keeps no cookie by which to "
            "find it again."
        )


def _draw_sign_in(owner: Owner) -> None:
    if owner.kind == "user":
        st.button("Sign out", key="owner-sign-out", on_click=st.logout)
    elif "is_logged_in" in st.user.to_dict():
        st.button("Sign in", key="owner-sign-in", on_click=st.login)


def _keep_cookie(jobs: Jobs) -> None:
    """Let the browser keep this session's cookie, or tell which one another tab has set before."""
    path = "/" + str(st.get_option("server.baseUrlPath") or "").strip("/")
    said = _component(
        key=_KEY, on_said_change=lambda: None,
        data={
            "name": COOKIE, "token": _TOKEN.get(), "known": _KEPT.get(), "forget": _FORGET.get(), "path": path,
            "keep_s": KEEP_S,
        },
    ).said  # fmt: skip
    if _FORGET.get() or not isinstance(said, dict):
        return
    token = str(said.get("token", ""))
    _KEPT.set(bool(said.get("kept")))
    _ANSWERED.set(True)
    if _KEPT.get() and token != _TOKEN.get() and _FORM.fullmatch(token):
        jobs.move(_by_token(_TOKEN.get()), _by_token(token))
        _TOKEN.set(token)
        st.rerun()


def _forget(jobs: Jobs, owner: Owner) -> None:
    try:
        jobs.forget(owner.id)
        if owner.kind == "user":  # what lies on the machine of whoever runs it is not of an account
            for spec in runtime.catalog().of(owner.id).values():
                if spec.owned:
                    getting.remove(spec, jobs.settings)
    except PlaygroundError as error:
        state.notify(error.message)
        return
    state.clear()
    if owner.id.startswith("cookie:"):
        _begin_anew()


def _begin_anew() -> None:
    """Go on as somebody new, whom no cookie tells: they asked to be forgotten."""
    _TOKEN.set(secrets.token_urlsafe(32))
    _KEPT.set(False)
    _FORGET.set(True)
