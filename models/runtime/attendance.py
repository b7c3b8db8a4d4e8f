"""Whose pages are open: the sessions of each owner, and since when an owner has none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

SESSIONS = 50  # of an owner that are looked at; older ones are long closed


class Attendance:
    """Know which owners are there. `alive` says whether a session's page is connected; it may be called at any time.

    An owner who never entered is taken for a session of that name. The caller guards the object; only `there` calls
    `alive`, and needs no guard.
    """

    def __init__(self, alive: Callable[[str], bool], gone_after_s: float) -> None:
        self._alive = alive
        self._gone_after_s = gone_after_s
        self._sessions: dict[str, tuple[str, ...]] = {}
        self._clients: dict[str, str] = {}
        self._gone_since: dict[str, float] = {}  # owner -> monotonic time

    def enter(self, owner: str, session: str, client: str = "") -> None:
        """Count a session as its owner's; `client` is the network address it came from, "" for this machine's own."""
        self._clients[owner] = client
        others = [one for one in self._sessions.get(owner, ()) if one != session]
        self._sessions[owner] = (*others, session)[-SESSIONS:]
        self.present(owner)

    def there(self, owner: str) -> bool:
        """Say whether any page of an owner is connected."""
        return any(self._alive(session) for session in self._sessions.get(owner, (owner,)))

    def client(self, owner: str) -> str:
        """Return the network address that an owner's newest session came from, "" where there is none."""
        return self._clients.get(owner, "")

    def present(self, owner: str) -> None:
        """Note that an owner is there now."""
        self._gone_since.pop(owner, None)

    def note(self, there: dict[str, bool]) -> None:
        """Note who is there and who is not."""
        for owner, present in there.items():
            if present:
                self.present(owner)
            else:
                self._gone_since.setdefault(owner, time.monotonic())

    def is_gone(self, owner: str) -> bool:
        """Say whether an owner has been away for longer than a socket blinks."""
        return self.gone_s(owner) >= self._gone_after_s

    def gone_s(self, owner: str) -> float:
        """Return for how many seconds an owner has been away, 0 for one who is there."""
        since = self._gone_since.get(owner)
        return 0.0 if since is None else time.monotonic() - since

    def owners(self) -> Iterable[str]:
        """Return the owners who entered and were not dropped."""
        return list(self._sessions)

    def away(self) -> Iterable[str]:
        """Return the owners who are not there."""
        return list(self._gone_since)

    def drop(self, owner: str) -> None:
        """Forget an owner."""
        for kept in (self._gone_since, self._sessions, self._clients):
            kept.pop(owner, None)
