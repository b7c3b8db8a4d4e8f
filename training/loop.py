"""The loop that every training script runs through: command line, clock, checkpoints, curve, batches.

    run = loop.Run(options, every=200, unit="pictures", model=model, optimizers=optimizers, feed=feed)
    for rate in run:  # until the minutes are used; `rate` is the factor on the learning rate, 0 … 1
        loss = loss_of(model, next(feed))
        loss.backward()
        optimizers.step(rate)
        if run.count(BATCH, loss=loss):  # true every 200 steps
            run.note(held_out=evaluate(model))

A call with the same options continues where the last one ended, with the batches that were due next.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from training.optim import falling

WORK = Path.home() / ".cache" / "playground-train"
SAVE_EVERY_S = 240  # of training time


def options(
    description: str | None, out: str, minutes: float, data: str = "emoji/", work: str = "", begins: bool = True
) -> argparse.ArgumentParser:
    """Return a parser with the options that every script has; `data` names what the script reads below `--data`.

    `begins` is False for a script whose first weights are always another model's: it has no `--from-shipped`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, help=f"folder that holds {data}")
    add("--out", type=Path, default=Path(out), help=f"folder for the trained model (default: {out})")
    add("--work", type=Path, default=WORK / (work or Path(out).name),
        help="folder for checkpoints (not committed; default: %(default)s)")  # fmt: skip
    add("--minutes", type=float, default=minutes, help="training time in all, over every call (default: %(default)s)")
    add(
        "--until",
        type=float,
        default=None,
        help="moment (seconds since 1970) at which training ends, whatever the minutes: for a machine lent for a while",
    )
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda (here: %(default)s)")
    add("--threads", type=int, default=0, help="CPU threads; 0: as many as torch takes")
    add("--seed", type=int, default=0, help="fixes first weights and batches (default: 0)")
    if begins:
        add("--from-shipped", action="store_true",
            help="without a checkpoint in --work: start from the shipped weights and train --minutes more "
                 "(default: start from scratch)")  # fmt: skip
    parser.set_defaults(shipped=Path(out), from_shipped=False)
    return parser


def prepare(found: argparse.Namespace) -> None:
    """Fix the seed and the threads and make the folder for checkpoints."""
    from models.torchaudio_guard import guard

    guard()
    torch.manual_seed(found.seed)
    if found.threads:
        torch.set_num_threads(found.threads)
    found.work.mkdir(parents=True, exist_ok=True)


def draws(found: argparse.Namespace) -> random.Random:
    """Return the source of chance that a script draws its batches with."""
    return random.Random(found.seed * 1_000_003)


def now() -> float:
    """Return the moment, in seconds since 1970."""
    return time.time()


def hardware(device: str) -> str:
    """Return on what a training runs, as a card says it."""
    threads = torch.get_num_threads()
    return torch.cuda.get_device_name() if device != "cpu" else f"{threads} CPU thread{'s' * (threads != 1)} (x86-64)"


class Clock:
    """Count the seconds of training. A pause (SIGSTOP) does not count: a step counts at most three times the usual."""

    def __init__(self, minutes: float, seconds: float = 0.0, until: float | None = None) -> None:
        self.budget_s = 60 * minutes
        self.seconds = seconds
        self._until, self._began = until, time.time() if until else 0.0
        self._recent: list[float] = []
        self._at = time.perf_counter()

    @property
    def progress(self) -> float:
        """Return the share of the budget that is used, 0 … 1; with an end (`until`), of the time until then."""
        if self._until:
            now = time.time()
            return 1.0 if now >= self._until else (now - self._began) / (self._until - self._began)
        return min(1.0, self.seconds / self.budget_s)

    def restart(self) -> None:
        """Leave out what happened since the last step (a measurement, an export)."""
        self._at = time.perf_counter()

    def step(self) -> float:
        """Count one step and return the median seconds of the last ones."""
        now = time.perf_counter()
        taken, self._at = now - self._at, now
        self._recent = [*self._recent[-50:], taken]
        usual = statistics.median(self._recent)
        self.seconds += min(taken, 3 * usual)
        return usual


class Run:
    """Hold one training run: its clock, steps and curve, and the checkpoints that it continues from.

    `parts` are what a checkpoint holds: models, optimizers, feeds and all else with `state_dict` and
    `load_state_dict`, sources of chance (`random.Random`, `torch.Generator`) and dicts. They are restored in place
    where `--work` holds a checkpoint. `every` is the number of steps between points of the curve, `unit` what
    `count` counts. The learning rate falls from the share `decay_from` of the minutes on; a checkpoint of that moment,
    `stable.pt`, is kept, and a finished run that gets many more minutes continues from there. Raises `SystemExit`
    with one sentence for a checkpoint that cannot be read or does not fit the parts.
    """

    def __init__(
        self, found: argparse.Namespace, every: int, unit: str, decay_from: float = 0.5, warm_up: int = 100,
        **parts: Any,
    ) -> None:  # fmt: skip
        self.work, self.every, self.unit = found.work, every, unit
        self.step = self.seen = 0
        self.curve: list[list[float]] = []
        self.before = {"steps": 0, "minutes": 0.0}  # what the weights had learnt in when the run began
        self.clock = Clock(found.minutes, until=getattr(found, "until", None))
        self._decay_from, self._warm_up = decay_from, warm_up
        self._parts, self._decayed = parts, False
        self._sums: dict[str, Any] = {}  # tensors: to read a number would make the GPU wait at each step
        self._losses = 0  # steps in the sums
        self._speed = 0.0
        if not self._resume() and found.from_shipped:
            self._learnt_before(found.shipped)

    @property
    def progress(self) -> float:
        """Return the share of the minutes that is used, 0 … 1."""
        return self.clock.progress

    def __iter__(self) -> Iterator[float]:
        """Yield the factor on the learning rate, step by step, until the minutes are used; save on the way."""
        saved = self.clock.seconds
        self.clock.restart()
        while self.progress < 1:
            if self.progress >= self._decay_from and not self._decayed:
                self.save("stable.pt")
                self._decayed = True
                self.clock.restart()
            due = self.step + 1
            yield falling(self.step, self.progress, self._decay_from, self._warm_up)
            if self.step != due:
                raise RuntimeError("count() is to be called once per step")
            if self.clock.seconds - saved > SAVE_EVERY_S or self.progress >= 1:
                self.save("latest.pt")
                saved = self.clock.seconds
                self.clock.restart()

    def count(self, seen: int, **losses: torch.Tensor) -> bool:
        """Count one step that saw `seen` tokens or pictures; say whether a point of the curve is due.

        `losses` are scalars by name; the curve holds their means, in this order.
        """
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss.detach().double()
        self._losses += 1
        self._speed = seen / max(1e-9, self.clock.step())
        self.step += 1
        self.seen += seen
        return self.step % self.every == 0

    def note(self, **measured: float) -> None:
        """Add a point to the curve and print it: step, minutes, mean losses, `measured`. Takes no training time."""
        means = {name: float(value) / self._losses for name, value in self._sums.items()}
        step, minutes = self.step + self.before["steps"], self.clock.seconds / 60 + self.before["minutes"]
        self.curve.append([step, minutes, *means.values(), *measured.values()])
        values = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in {**means, **measured}.items())
        print(f"step {step:,}  {minutes:.1f} min  {values}  {self._speed:,.0f} {self.unit}/s", flush=True)
        self._sums, self._losses = {}, 0
        self.clock.restart()

    def facts(self) -> dict[str, Any]:
        """Return what a card says of the training: steps, minutes, `unit` by its name, curve."""
        # of shipped weights only the steps are known: a step of the same recipe sees as much
        seen = round(self.seen * (1 + self.before["steps"] / max(1, self.step)))
        return {"steps": self.step + self.before["steps"], self.unit: seen,
                "minutes": round(self.clock.seconds / 60 + self.before["minutes"], 1), "curve": self.curve}  # fmt: skip

    def save(self, name: str = "latest.pt") -> None:
        """Write a checkpoint: the run's own numbers, every part, torch's source of chance."""
        numbers = {"step": self.step, "seen": self.seen, "seconds": self.clock.seconds, "curve": self.curve,
                   "decayed": self._decayed, "before": self.before, "losses": self._losses,
                   "sums": {name: float(value) for name, value in self._sums.items()}}  # fmt: skip
        parts = {name: _state(part) for name, part in self._parts.items()}
        save(self.work / name, {"run": numbers, "parts": parts, "chance": torch.get_rng_state()})

    def _resume(self) -> bool:
        """Take up the newest checkpoint; `stable.pt` where the learning rate of the newest fell too early."""
        file = self.work / "latest.pt"
        content = resume(file)
        early = self.work / "stable.pt"
        if content is None or _fell_early(content["run"], self._decay_from * self.clock.budget_s):
            found = resume(early)
            file, content = (early, found) if found else (file, content)
        if content is None:
            return False
        try:
            for name, part in self._parts.items():
                _restore(part, content["parts"][name])
        except (KeyError, RuntimeError, TypeError, ValueError) as problem:
            raise SystemExit(_unfit(file)) from problem
        numbers = content["run"]
        self.step, self.seen, self.curve = numbers["step"], numbers["seen"], numbers["curve"]
        self.clock.seconds, self._decayed, self.before = numbers["seconds"], numbers["decayed"], numbers["before"]
        self._sums, self._losses = numbers["sums"], numbers["losses"]
        torch.set_rng_state(content["chance"])
        print(f"resumed {file.name} at step {self.step:,}, minute {self.clock.seconds / 60:.1f}", flush=True)
        return True

    def _learnt_before(self, folder: Path) -> None:
        """Read how long the shipped weights learnt: from training.json, else from the last point of curve.csv."""
        for file in (folder / "training.json", folder / "facts.json"):
            if file.exists():
                facts = json.loads(file.read_text("utf-8"))
                self.before = {"steps": facts["steps"], "minutes": facts["minutes"]}
                self.curve = facts.get("curve", [])
                return
        with (folder / "curve.csv").open(newline="") as stream:
            _, *rows = csv.reader(stream)
        self.curve = [[int(row[0]), *map(float, row[1:])] for row in rows]
        self.before = {"steps": int(rows[-1][0]), "minutes": float(rows[-1][1])}


def _fell_early(numbers: dict[str, Any], falls_at_s: float) -> bool:
    return bool(numbers["decayed"] and numbers["seconds"] < falls_at_s)


def _state(part: Any) -> Any:
    if isinstance(part, random.Random):
        return part.getstate()
    if isinstance(part, torch.Generator):
        return part.get_state()
    return dict(part) if isinstance(part, dict) else part.state_dict()


def _restore(part: Any, state: Any) -> None:
    if isinstance(part, random.Random):
        part.setstate(state)
    elif isinstance(part, torch.Generator):
        part.set_state(state)
    elif isinstance(part, dict):
        part.update(state)
    else:
        part.load_state_dict(state)


def save(file: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a half-written file is never taken for one."""
    torch.save(content, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def resume(file: Path) -> dict[str, Any] | None:
    """Return a checkpoint's content, or None where there is none. Raises `SystemExit` where it cannot be read."""
    if not file.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch, zipfile and pickle each raise their own
        raise SystemExit(f"The checkpoint {file} is damaged: delete it, or choose another --work.") from problem
    return content


def _unfit(file: Path) -> str:
    return (
        f"The checkpoint {file} was begun with other options: use the same again, delete it, or choose another --work."
    )


class Shuffled:
    """Deal indices (int64, `size`) in a new order each pass, without end."""

    def __init__(self, files: list[int], size: int, generator: torch.Generator) -> None:
        self._pool, self._size, self._generator = torch.tensor(files), size, generator
        self._queue = torch.empty(0, dtype=torch.int64)

    def __next__(self) -> torch.Tensor:
        """Return the next `size` indices."""
        while len(self._queue) < self._size:
            order = torch.randperm(len(self._pool), generator=self._generator)
            self._queue = torch.cat([self._queue, self._pool[order]])
        dealt, self._queue = self._queue[: self._size], self._queue[self._size :]
        return dealt

    def state_dict(self) -> dict[str, Any]:
        """Return the indices that are next in this pass."""
        return {"queue": self._queue.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._queue = state["queue"]


class Feed:
    """Deal batches, without end; `draw` returns a list of them whenever the last list is used up."""

    def __init__(self, draw: Callable[[], list[Any]]) -> None:
        self._draw = draw
        self._waiting: list[Any] = []

    def __next__(self) -> Any:
        """Return the next batch."""
        if not self._waiting:
            self._waiting = self._draw()
        return self._waiting.pop(0)

    def state_dict(self) -> dict[str, Any]:
        """Return the batches that are drawn and not yet dealt."""
        return {"waiting": list(self._waiting)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._waiting = list(state["waiting"])
