"""The gets of one app process: one thread for each model that is got or added, whose state can be looked at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from models.errors import PlaygroundError, Stopped
from models.runtime import getting
from models.runtime.getting import Stage, Tell
from models.settings import Settings
from models.spec import ModelSpec

log = logging.getLogger(__name__)


@dataclass
class _Get:
    stage: Stage = field(default_factory=lambda: Stage("download"))
    since: float = field(default_factory=time.monotonic)  # of its stage
    error: str = ""
    made: str = ""
    by: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def lives(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Gets:
    """Get models in the background. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._gets: dict[str, _Get] = {}

    def start(self, spec: ModelSpec, by: str = "") -> None:
        """Begin to get a model, for whoever asks (`by`); nothing where it is got already."""
        self.begin(spec.id, lambda tell, stopped: str(getting.get(spec, self._settings, tell, stopped)), spec.named, by)

    def begin(self, key: str, work: Callable[[Tell, Callable[[], bool]], str], named: str, by: str = "") -> None:
        """Begin something of this kind under a key of its own, once at a time; `named` is what a sentence calls it."""
        with self._guard:
            known = self._gets.get(key)
            if known is not None and known.lives:
                return
            one = self._gets[key] = _Get(by=by)
            # no daemon would be waited for at the end: a download ends with the app
            one.thread = threading.Thread(target=self._work, args=(work, named, one), name=f"get-{key}", daemon=True)
            one.thread.start()

    def stage(self, model: str) -> Stage | None:
        """Return how far a model's get is, or None where none is under way."""
        known = self._gets.get(model)
        return known.stage if known is not None and known.lives else None

    def stage_s(self, model: str) -> float:
        """Return for how many seconds a model's get has been in its stage; 0 where none is under way."""
        known = self._gets.get(model)
        return time.monotonic() - known.since if known is not None and known.lives else 0.0

    def error(self, model: str) -> str:
        """Return the sentence with which a model's last get ended, or ""."""
        known = self._gets.get(model)
        return known.error if known is not None and not known.lives else ""

    def by(self, key: str) -> str:
        """Return who began what goes under a key, "" for nobody who is known."""
        known = self._gets.get(key)
        return known.by if known is not None else ""

    def made(self, key: str) -> str:
        """Return what the last work under a key made, once; "" where it made nothing, or was told already."""
        known = self._gets.get(key)
        if known is None or known.lives:
            return ""
        said, known.made = known.made, ""
        return said

    def stop(self, model: str) -> None:
        """End a model's get; what was downloaded is thrown away."""
        if (known := self._gets.get(model)) is not None:
            known.stop.set()

    def close(self) -> None:
        """End all gets, and the processes that they started."""
        for one in list(self._gets.values()):
            one.stop.set()
            if one.thread is not None:
                one.thread.join(2.0)

    def _work(self, work: Callable[[Tell, Callable[[], bool]], str], named: str, one: _Get) -> None:
        def tell(stage: Stage) -> None:
            if stage.name != one.stage.name:
                one.since = time.monotonic()
            one.stage = stage

        try:
            one.made = work(tell, one.stop.is_set)
        except Stopped:
            pass
        except PlaygroundError as error:
            one.error = error.message
        except Exception:
            log.exception("%s could not be got", named)
            one.error = (
                f"{named} could not be got. The log of the app, where it was started, has the details; what is here "
                "stays."
            )
