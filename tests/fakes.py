"""An engine without torch. It speaks the protocol; what a run makes is a script: `FakeEngine.play`."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from models import causes, plain_text
from models.catalog import Catalog, current_catalog
from models.errors import BadRequest, WorkerDied
from models.events import Event, Final, Preview, Progress
from models.params import values_in_effect
from models.runtime.engine import Engine, EngineState, Phase, StopSignal
from models.settings import Settings
from models.types import Output, Request, RunStats

Script = Iterator[Progress | Preview | Output]
SECONDS = 0.5  # what a run says that it took


@dataclass
class Turn:
    """Hold one run under way: what was asked for, what was made, and what a reader pressed meanwhile."""

    request: Request
    stop: StopSignal
    held: Callable[[], bool]
    made: list[Output] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        return self.stop.asked

    @property
    def stamp(self) -> dict[str, Any]:
        return {"request": self.request.model_dump()}

    def hold(self) -> Literal["on", "stopped", "skipped"]:
        """Wait at the engine's gate until it opens, Stop or Skip, and say which it was."""
        while self.held():
            if self.stop.asked:
                return "stopped"
            if self.stop.take_skip():
                return "skipped"
            time.sleep(0.005)
        return "on"


class FakeEngine(Engine):
    """Play a script for each run: subclasses give `play`, and `on_<study>` and `tool_<name>` as families do.

    A script yields progress, previews and finished outputs; the engine closes it. `gate` holds the scripts where they
    call `Turn.hold` while it is cleared, and those of the runs after the first `hold_from`. `fail_with` is raised in
    place of a run's first finished output, of all models or of `fail_models`; `tool_error` instead of a tool's answer.
    """

    stage = "generate"
    unit = "steps"
    hold_from: int | None = None
    fail_models: tuple[str, ...] = ()

    def __init__(self, steps: int = 3) -> None:
        self.steps = steps
        self.gate = threading.Event()
        self.gate.set()
        self.ran: list[Request] = []  # in the order in which they began
        self.called: list[tuple[str, str, dict[str, Any]]] = []  # model, tool, data
        self.allowed: Counter[str] = Counter()
        self.fail_with: Exception | None = None
        self.tool_error: Exception | None = None
        self.phase: Phase = "ready"

    # -- what a fake of one room gives -------------------------------------------------------------------------------

    def play(self, turn: Turn) -> Script:
        """Make what was asked for."""
        raise NotImplementedError

    def counted(self, request: Request) -> RunStats:
        """Return what the stats of a finished run count."""
        return {}

    def study(self, turn: Turn) -> Script:
        """Look into a result, in `steps` steps: what `on_<study>` returns for the request."""
        look: Callable[[Request], Iterable[Output]] = getattr(self, f"on_{turn.request.study}")
        for step in range(self.steps):
            yield Progress(self.stage, step + 1, self.steps, unit=self.unit)
            if turn.hold() == "stopped":
                return
        yield from look(turn.request)

    # -- the protocol ------------------------------------------------------------------------------------------------

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        turn = Turn(request, stop or StopSignal(), self._held)
        self.ran.append(request)
        for one in self.study(turn) if request.study else self.play(turn):
            if not isinstance(one, Output):
                yield one
            elif self.fail_with is not None and (not self.fail_models or request.model in self.fail_models):
                raise self.fail_with
            else:
                turn.made.append(one)
        yield Final(tuple(turn.made), run_stats(turn, {} if request.study else self.counted(request)))

    def call(self, model: str, tool: str, data: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        self.called.append((model, tool, data))
        if self.tool_error is not None:
            raise self.tool_error
        serve: Callable[[dict[str, Any]], dict[str, Any]] | None = getattr(self, f"tool_{tool}", None)
        if serve is None:
            raise BadRequest(f"{model} has no tool {tool!r}.")
        return serve(data)

    def state(self) -> EngineState:
        return EngineState(self.phase, time.time(), 1, budget_bytes=1_000_000_000)

    def unload(self, model: str) -> None:
        pass

    def allow(self, model: str) -> None:
        self.allowed[model] += 1

    def close(self) -> None:
        pass

    def die(self, reason: str = "killed") -> None:
        self.fail_with = WorkerDied("The worker process was ended from outside.", reason=reason)

    def _held(self) -> bool:
        return not self.gate.is_set() or (self.hold_from is not None and len(self.ran) > self.hold_from)


def run_stats(turn: Turn, counted: RunStats) -> RunStats:
    """Return all stats of a run that ends now, as a family and `run_request` together do."""
    return {
        "stopped": turn.stopped,
        "notes": turn.notes,
        **counted,
        "seconds": SECONDS,
        "first_output_s": SECONDS,
        "in_effect": in_effect(turn.request),
        **cause(turn.request),
    }


def cause(request: Request) -> dict[str, Any]:
    """Return what a result follows from, as the engine says it; nothing in a study or of an unknown model."""
    known = catalog()
    return {} if request.study or request.model not in known else {"cause": causes.cause(known, request)}


def in_effect(request: Request) -> dict[str, Any]:
    """Return the settings that act in a run, by its family's declaration; none in a study or of an unknown model."""
    known = catalog()
    if request.study or request.model not in known:
        return {}
    values = {**known.validate(request).model_dump(mode="json"), "seed": request.seed}
    spec = known[request.model]
    return values_in_effect(known.family(spec.id).fields(spec), values)


def catalog() -> Catalog:
    """Return the catalogue that the test has set up."""
    return current_catalog(Settings())


def view(data: bytes, media_type: str, index: int = 0, **meta: Any) -> Output:
    """Return what is kept beside a result to look into it."""
    return Output("view", index, "", data, media_type, hashlib.sha256(data).hexdigest(), meta)


class FakeWords(FakeEngine):
    """Count words, one per step, after the prompt; an answer in a chat stands alone and begins with its seed."""

    unit = "tokens"

    def __init__(self, steps: int = 3, step_s: float = 0.0) -> None:
        super().__init__(steps)
        self.step_s = step_s

    def play(self, turn: Turn) -> Script:
        request = turn.request
        chat = bool(request.inputs.get("messages"))
        text = f"{request.seed}:" if chat else request.inputs["prompt"]
        meta: dict[str, Any] = {"prompt_chars": 0 if chat else len(text)}
        yield Progress("start")
        if turn.hold() == "stopped":
            return
        for step in range(self.steps):
            if turn.stopped:
                break
            time.sleep(self.step_s)
            text += f" word{step}"
            yield Progress(self.stage, step + 1, self.steps, unit=self.unit)
            yield Preview((Output("text", 0, text, meta=meta),))
        meta["finish"] = "stopped" if turn.stopped else "eos"
        yield plain_text.text_output(text, {"seed": request.seed}, 0, meta)

    def counted(self, request: Request) -> RunStats:
        return {"tokens": self.steps, "tokens_per_s": 100.0}

    def tool_count_tokens(self, data: dict[str, Any]) -> dict[str, Any]:
        said = [one["content"] for one in json.loads(data.get("messages") or "[]")]
        tokens = len(" ".join([*said, data["text"]]).split())
        cut = data.get("params", {}).get("cut_prompt")
        problem = f"The prompt has {tokens} tokens." if tokens >= 512 and not cut else ""
        return {"tokens": tokens, "context_length": 512, "problem": problem}
