"""Who runs next, what each job last said, and what becomes of a job whose owner went away. No torch.

A job is one or more requests of one owner (a person, with one session or several), run in turn; `line` holds those
that are not finished. One computes at a time: the threads that run jobs are `OPEN_MAX`, as a long one may be set aside
for a short one of somebody else. One thread watches who is still there. `_guard` protects every field of this object,
of its line and of its jobs, and is never held while the engine, the store or the caller's `alive` is called.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from models.errors import BadRequest, NotNow, PlaygroundError, QueueFull
from models.events import RESTING, Event, Final, Progress
from models.runtime.attendance import Attendance
from models.runtime.calls import Calls
from models.runtime.engine import Engine, StopSignal
from models.runtime.forecasts import Rates, Work
from models.runtime.job import Choose, Job, internal
from models.runtime.job_view import FINISHED, JobState, JobView
from models.runtime.line import Line
from models.runtime.turns import OPEN_MAX
from models.runtime.unsaved import Unsaved
from models.settings import Settings
from models.store import Store
from models.sweeps.spec import PURPOSE
from models.types import WRITING, Request, Run

log = logging.getLogger(__name__)

TICK_S = 0.1
LOOK_S = 0.5  # while a job waits


class Jobs:
    """Queue, run and keep jobs. `validate` checks a request as the catalogue does; `alive` says whether a session is
    still there; `weigh` says what a request asks for; `group` how many of the first of some may be made at once;
    `made_before` which of a job's requests need not be made.
    """

    def __init__(
        self, engine: Engine, store: Store, settings: Settings,
        validate: Callable[[Request], object], alive: Callable[[str], bool] = lambda session: True,
        weigh: Callable[[Request], Work] = lambda request: Work(),
        group: Callable[[Sequence[Request]], int] = lambda requests: 1,
        made_before: Callable[[Job], Sequence[tuple[int, Run]]] = lambda job: (),
    ) -> None:  # fmt: skip
        self.engine = engine
        self.calls = Calls(engine)
        self.store = store
        self.settings = settings
        self.rates = Rates(settings.data_dir / "rates.json")
        self._validate, self._weigh, self._group, self._made_before = validate, weigh, group, made_before
        self._attendance = Attendance(alive, settings.gone_after_s)
        self._guard = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._line = Line(settings, self._attendance.is_gone)
        self._forgotten: set[str] = set()
        self._unsaved = Unsaved(self._keep, self._guard)
        self._closed = False
        self._threads = [
            threading.Thread(target=target, name=f"jobs-{name}", daemon=True)
            for name, target in [*[("run", self._run_jobs)] * OPEN_MAX, ("presence", self._watch_owners)]
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, owner: str, requests: Sequence[Request], purpose: str = "", budget_s: float | None = None,
        choose: Choose | None = None,
    ) -> str:  # fmt: skip
        """Queue a job and return its id; its view tells the `purpose`. Raises `BadRequest` errors and `QueueFull`.

        `budget_s`: it begins none of its requests but the first once it has run for so many seconds. `choose` is given
        the runs that there are and the indices of the requests that are left, and returns those, the next one first.
        """
        if not requests:
            raise BadRequest("There is nothing to run: a job needs at least one request.")
        for request in requests:
            self._validate(request)
        works = tuple(self._weigh(request) for request in requests)
        at_once = purpose == PURPOSE and len(requests) > 1 and self._group(requests[:2]) > 1
        forecast_s = sum(self.rates.seconds(one, at_once) for one in works)
        measured = all(map(self.rates.knows, works))
        forecast_s = min(forecast_s, forecast_s if budget_s is None else budget_s + self.rates.seconds(works[0]))
        with self._guard:
            job = Job(
                uuid.uuid4().hex, owner, tuple(requests), purpose, self._attendance.client(owner), works, forecast_s,
                stop=StopSignal(owner), budget_s=budget_s, choose=choose,
            )  # fmt: skip
            if refusal := self._line.refusal(job, measured=measured):
                raise QueueFull(refusal)
            self._jobs[job.id] = job
            self._line.waiting.append(job)
            self._attendance.present(owner)
            self._guard.notify_all()
        return job.id

    def attend(self, owner: str, session: str, client: str = "") -> None:
        """Count a session as its owner's, so that the owner is there while it is; `client` as in `Attendance`."""
        with self._guard:
            self._attendance.enter(owner, session, client)

    def forecast(self, request: Request, amount: float | None = None) -> float | None:
        """Return how many seconds a request takes here at most, its inputs of an amount; None: none was measured."""
        work = self._weigh(request) if amount is None else self._weigh(request).times(amount)
        return self.rates.seconds(work) if self.rates.knows(work) else None

    def stop(self, owner: str, job_id: str) -> None:
        """Ask a job to end with what it has; asked twice, it is cut. A job of another owner is left alone."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is None or job.owner != owner or job.state in FINISHED:
                return
            self._stop(job)

    def skip(self, owner: str, job_id: str) -> None:
        """Ask a running job to leave the outputs at hand and to go on with the next. Another owner's is left alone."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is not None and job.owner == owner and job.state == "running":
                job.stop.skip()

    def view(self, owner: str, job_id: str) -> JobView | None:
        """Return what an owner's job last said, or None if there is no such job of theirs."""
        with self._guard:
            job = self._jobs.get(job_id)
            return self._view(job) if job is not None and job.owner == owner else None

    def jobs_of(self, owner: str) -> list[JobView]:
        """Return an owner's jobs, oldest first, but those that write: under way, last finished generation and study."""
        with self._guard:
            jobs = [job for job in self._jobs.values() if job.owner == owner and job.purpose != WRITING]
            return [self._view(job) for job in jobs]

    def open_runs(self) -> set[str]:
        """Return the ids of the runs of all jobs that are under way or the last of their owner."""
        with self._guard:
            return {run.id for job in self._jobs.values() for run in job.runs}

    def waiting(self) -> int:
        """Return how many jobs wait, of all owners."""
        with self._guard:
            return len(self._line.waiting)

    def move(self, old: str, new: str) -> None:
        """Hand all that one owner has to another, as when they sign in or come back.

        Raises `PlaygroundError`, and leaves all as it is, where the store is out of reach.
        """
        self.store.move_owner(old, new)
        with self._guard:
            for one in self._jobs.values():
                if one.owner == old:
                    one.owner, one.version = new, one.version + 1
                    for run in one.runs:
                        run.owner = new
            self._line.turns.move(old, new, time.monotonic())
            self._attendance.drop(old)
        self._unsaved.move(old, new)
        self.store.move_owner(old, new)  # what ended in between

    def forget(self, owner: str) -> None:
        """Stop all that an owner runs and delete all that is kept of them: jobs, runs, uploads, what their pages held.

        Raises `PlaygroundError` where the store is out of reach.
        """
        with self._guard:
            for job in [job for job in self._jobs.values() if job.owner == owner]:
                if job.state not in FINISHED:
                    self._stop(job)
                    job.forgotten = True
                self._jobs.pop(job.id, None)
            self._attendance.drop(owner)
            self._line.turns.forget(owner)
            self._forgotten.add(owner)
        self._unsaved.forget(owner)
        self.store.forget(owner)

    def is_forgotten(self, owner: str) -> bool:
        """Say whether `forget` was called for an owner since the app began."""
        with self._guard:
            return owner in self._forgotten

    def close(self, wait_s: float = 0.0) -> bool:
        """Stop the threads and the jobs that run; the engine is the caller's.

        Returns whether they have ended, and what they had is kept, within `wait_s`. May be called again.
        """
        with self._guard:
            for job in self._line.begun if not self._closed else ():
                job.stop.request()
            self._closed = True
            self._guard.notify_all()
        limit = time.monotonic() + wait_s
        for thread in self._threads[:OPEN_MAX]:
            thread.join(max(0.0, limit - time.monotonic()))
        self._unsaved.close()
        return not any(thread.is_alive() for thread in self._threads[:OPEN_MAX])

    # -- under the guard -------------------------------------------------------------------------------------------

    def _stop(self, job: Job) -> None:
        if job.state == "queued":
            self._line.waiting.remove(job)
            self._finish(job, "stopped")
        else:
            job.stop.request()
            job.version += 1
            self._guard.notify_all()

    def _finish(self, job: Job, state: JobState) -> None:
        job.state, job.finished_at, job.preview = state, time.time(), None
        job.version += 1
        ended = [one for one in self._jobs.values() if one.state in FINISHED and one is not job]
        older = [one for one in ended if one.place_of == job.place_of]
        for one in older:
            del self._jobs[one.id]

    def _view(self, job: Job) -> JobView:
        return job.view(self._line.place(job))

    # -- the thread that runs --------------------------------------------------------------------------------------

    def _run_jobs(self) -> None:
        while True:
            with self._guard:
                while (job := None if self._closed else self._line.next()) is None:
                    if self._closed:
                        return
                    self._guard.wait(LOOK_S if self._line.waiting else None)  # what runs may become long meanwhile
            try:
                self._run(job)
            except NotNow:
                with self._guard:
                    self._line.put_back(job)
                    if job.stop.asked:
                        self._stop(job)
                continue
            except Exception as error:
                log.exception("job %s failed", job.id)
                with self._guard:
                    job.error = job.error or PlaygroundError(f"The run failed ({type(error).__name__}).").to_dict()
            with self._guard:
                self._line.end(job)
                self._guard.notify_all()
                state: JobState = "failed" if job.error else "stopped" if job.stop.asked else "done"
                self._finish(job, state)

    def _run(self, job: Job) -> None:
        for index, run in self._made_before(job):
            self._add(job, index, run)
        while left := [index for index in range(len(job.requests)) if index not in job.made]:
            with self._guard:
                self._let_pass(job)
            if job.stop.asked or job.is_spent(time.monotonic()):
                return
            left = job.sorted(left)
            with self._guard:
                job.turn_to(left[0], time.time())
                before, ran_s = len(job.runs), job.ran_s(time.monotonic())
            if (many := self._at_once(job, left)) > 1:
                self._run_together(job, left[:many])
            else:
                self._add(job, left[0], self._run_one(job, job.requests[left[0]]))
            with self._guard:
                runs, took_s = job.runs[before:], job.ran_s(time.monotonic()) - ran_s
            self.rates.learn_around(job.works[left[0]], runs, took_s)

    def _at_once(self, job: Job, left: Sequence[int]) -> int:
        """Return how many of the requests that are left are made at once: no more than the job's budget leaves for."""
        ahead = job.ahead(left)
        many = self._group(ahead) if len(ahead) > 1 else 1
        return self.rates.fitting([job.works[index] for index in left[:many]], job.left_s(time.monotonic()))

    def _run_together(self, job: Job, places: Sequence[int]) -> None:
        """Run some of a job's requests at once; each gets its run as it ends, if it does not begin after Stop."""
        job.at_once, requests = tuple(places), [job.requests[place] for place in places]
        created_at, broken = time.time(), None
        try:
            for index, event in self.engine.generate_together(requests, job.stop):
                place, error = places[index], event if isinstance(event, PlaygroundError) else None
                if isinstance(event, PlaygroundError) or event.kind == "final":
                    final = event if not isinstance(event, PlaygroundError) and event.kind == "final" else None
                    with self._guard:
                        job.preview = job.preview if job.index == place else None  # it is another one's
                        run = job.run_of(requests[index], created_at, final, error)
                    self._add(job, place, run)
                elif place not in job.made:
                    with self._guard:
                        if job.index != place:
                            job.turn_to(place, time.time())
                    self._take(job, event)
        except NotNow:
            raise
        except Exception as problem:
            log.exception("runs of %s failed", requests[0].model)
            broken = internal(problem)
        for place in places:
            if place not in job.made and (broken or not job.stop.asked):
                self._add(job, place, job.run_of(job.requests[place], created_at, None, broken))

    def _add(self, job: Job, index: int, run: Run) -> None:
        """Keep the run of one of a job's requests."""
        self.rates.learn(job.works[index], run)
        self._unsaved.keep(job, run)
        with self._guard:
            run.owner = job.owner
            job.runs.append(run)
            job.made.add(index)
            job.preview = None
            job.version += 1
            job.error = run.error or job.error

    def _let_pass(self, job: Job) -> None:
        """Wait before a request while a short run of somebody else goes first, as between two steps.

        Between two requests nothing of a job is in memory: what did not fit beside the one before is tried again.
        """
        job.not_for.clear()
        if not job.runs or not (self._line.begun[-1] is not job or self._line.begins()):
            return
        job.take(Progress(RESTING), time.monotonic())
        self._guard.notify_all()
        self._guard.wait_for(
            lambda: self._closed or job.stop.asked or (self._line.begun[-1] is job and not self._line.begins())
        )

    def _keep(self, job: Job, run: Run) -> None:
        """Store a run as that of whom its job is by then; who was forgotten meanwhile leaves nothing."""
        if job.leaves_nothing:
            self.store.let_go(job.owner, run.request)
            return
        self.store.save_run(run)
        with self._guard:
            owner, forgotten = job.owner, job.forgotten
        if forgotten:
            self.store.forget(run.owner)
        elif owner != run.owner:
            self.store.move_owner(run.owner, owner)

    def _run_one(self, job: Job, request: Request) -> Run:
        created_at, error = time.time(), None
        final: Final | None = None
        try:
            for event in self.engine.generate(request, job.stop):
                final = event if event.kind == "final" else final
                self._take(job, event)
        except NotNow:
            raise
        except PlaygroundError as problem:
            error = problem
        except Exception as problem:
            log.exception("run of %s failed", request.model)
            error = internal(problem)
        with self._guard:
            return job.run_of(request, created_at, final, error)

    def _take(self, job: Job, event: Event) -> None:
        with self._guard:
            rested = job.resting_since is not None
            job.take(event, time.monotonic())
            if rested != (job.resting_since is not None):
                self._guard.notify_all()

    # -- the thread that watches who is there ----------------------------------------------------------------------

    def _watch_owners(self) -> None:
        while not self._closed:
            time.sleep(TICK_S)
            with self._guard:
                owners = {*(job.owner for job in self._jobs.values()), *self._attendance.owners()}
            try:
                there = {owner: self._attendance.there(owner) for owner in owners}
            except Exception:
                log.exception("presence could not be read")
                continue
            with self._guard:
                self._part(there)

    def _part(self, there: dict[str, bool]) -> None:
        gone = self._attendance
        gone.note(there)
        for running in self._line.left_for_others():
            if not running.stop.asked:
                running.stop.request()
        for owner in gone.away():
            if gone.gone_s(owner) < self.settings.keep_alone_s:
                continue
            for job in [job for job in self._jobs.values() if job.owner == owner]:
                if job.state in FINISHED:
                    del self._jobs[job.id]
                elif not job.stop.asked:
                    self._stop(job)
            if all(job.owner != owner for job in self._jobs.values()):
                gone.drop(owner)
