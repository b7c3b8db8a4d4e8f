"""Who runs next, what each job last said, and what becomes of a job whose owner went away. No torch.

A job is one or more requests of one owner (a person, with one session or several), run in turn. One thread runs jobs,
owners in turn; one thread watches who is still there. `_guard` protects every field of this object and of its jobs, and
is never held while the engine, the store or the caller's `alive` is called.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence

from models.errors import BadRequest, PlaygroundError, QueueFull
from models.events import Event, Final, is_stepping
from models.runtime.attendance import Attendance
from models.runtime.calls import Calls
from models.runtime.engine import Engine, StopSignal
from models.runtime.job import Job
from models.runtime.job_view import FINISHED, STUDY, JobState, JobView
from models.settings import Settings
from models.store import Store
from models.types import Request, Run, RunStatus

log = logging.getLogger(__name__)

TICK_S = 0.1


class Jobs:
    """Queue, run and keep jobs. `validate` checks a request as the catalogue does; `alive` says whether a session is
    still there.
    """

    def __init__(
        self, engine: Engine, store: Store, settings: Settings,
        validate: Callable[[Request], object], alive: Callable[[str], bool] = lambda session: True,
    ) -> None:  # fmt: skip
        self.engine = engine
        self.calls = Calls(engine)
        self.store = store
        self.settings = settings
        self._validate = validate
        self._attendance = Attendance(alive, settings.gone_after_s)
        self._guard = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, deque[Job]] = {}  # owner -> its queue; the first owner is next
        self._running: Job | None = None
        self._forgotten: set[str] = set()
        self._closed = False
        self._threads = [
            threading.Thread(target=target, name=f"jobs-{name}", daemon=True)
            for name, target in (("run", self._run_jobs), ("presence", self._watch_owners))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, owner: str, requests: Sequence[Request], purpose: str = "") -> str:
        """Queue a job and return its id; its view tells the `purpose`. Raises `BadRequest` errors and `QueueFull`."""
        if not requests:
            raise BadRequest("There is nothing to run: a job needs at least one request.")
        for request in requests:
            self._validate(request)
        job = Job(uuid.uuid4().hex, owner, tuple(requests), purpose, stop=StopSignal(owner))
        with self._guard:
            own = len(self._waiting.get(owner, ()))
            if own >= self.settings.queue_per_owner:
                raise QueueFull(
                    f"{own} of your runs wait already; at most {self.settings.queue_per_owner} may. "
                    "Wait for one to finish, or stop one."
                )
            total = sum(len(queue) for queue in self._waiting.values())
            if total >= self.settings.queue_total:
                raise QueueFull(
                    f"{total} runs wait already; at most {self.settings.queue_total} may. Try again in a minute."
                )
            self._jobs[job.id] = job
            self._waiting.setdefault(owner, deque()).append(job)
            self._attendance.present(owner)
            self._guard.notify_all()
        return job.id

    def attend(self, owner: str, session: str, *, lasting: bool = False) -> None:
        """Count a session as its owner's, so that the owner is there while it is; `lasting` as in `Attendance`."""
        with self._guard:
            self._attendance.enter(owner, session, lasting=lasting)

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
        """Return an owner's jobs, oldest first: those under way, and the last finished generation and study."""
        with self._guard:
            return [self._view(job) for job in self._jobs.values() if job.owner == owner]

    def waiting(self) -> int:
        """Return how many jobs wait, of all owners."""
        with self._guard:
            return sum(len(queue) for queue in self._waiting.values())

    def adopt(self, token: str, owner: str) -> str | None:
        """Hand the job of `token`, and all that its session owned, to a new session; return the job's id.

        None where no job has this token, its session is still there, or its owner comes back by themselves. A token
        works once: the job gets a new one.
        """
        with self._guard:
            # as bytes: compare_digest refuses text beyond ASCII, and anything may stand in an address
            guess = token.encode("utf-8", "surrogatepass")
            job = next((one for one in self._jobs.values() if secrets.compare_digest(one.token.encode(), guess)), None)
            old = job.owner if job is not None else ""
            lasts = self._attendance.lasts(old)
        if job is None or old == owner or lasts or self._attendance.there(old):
            return None
        with self._guard:
            if job.owner != old or job.token != token:
                return None  # another session was quicker
        self.move(old, owner)
        return job.id

    def move(self, old: str, new: str) -> None:
        """Hand all that one owner has to another, as when they sign in or come back.

        Raises `PlaygroundError`, and leaves all as it is, where the store is out of reach.
        """
        self.store.move_owner(old, new)
        with self._guard:
            for one in self._jobs.values():
                if one.owner == old:
                    one.owner, one.token, one.version = new, secrets.token_urlsafe(18), one.version + 1
                    for run in one.runs:
                        run.owner = new
            if old in self._waiting:
                self._waiting.setdefault(new, deque()).extend(self._waiting.pop(old))
            self._attendance.drop(old)
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
            self._forgotten.add(owner)
        self.store.forget(owner)

    def is_forgotten(self, owner: str) -> bool:
        """Say whether `forget` was called for an owner since the app began."""
        with self._guard:
            return owner in self._forgotten

    def close(self, wait_s: float = 0.0) -> bool:
        """Stop the threads and the job that runs; the engine is the caller's.

        Returns whether the running job has ended, and what it had is kept, within `wait_s`. May be called again.
        """
        with self._guard:
            if self._running is not None and not self._closed:
                self._running.stop.request()
            self._closed = True
            self._guard.notify_all()
        self._threads[0].join(wait_s)
        return not self._threads[0].is_alive()

    # -- under the guard -------------------------------------------------------------------------------------------

    def _stop(self, job: Job) -> None:
        if job.state == "queued":
            self._dequeue(job)
            self._finish(job, "stopped")
        else:
            job.stop.request()
            job.version += 1

    def _dequeue(self, job: Job) -> None:
        queue = self._waiting[job.owner]
        queue.remove(job)
        if not queue:
            del self._waiting[job.owner]

    def _finish(self, job: Job, state: JobState) -> None:
        job.state, job.finished_at, job.preview = state, time.time(), None
        job.version += 1
        # a study looks into the result of a generation: neither takes the other's place
        older = [
            one for one in self._jobs.values() if one.owner == job.owner and one.state in FINISHED and one is not job
            and (one.purpose == STUDY) == (job.purpose == STUDY)
        ]  # fmt: skip
        for one in older:
            del self._jobs[one.id]

    def _view(self, job: Job) -> JobView:
        return JobView(
            job.id, job.owner, job.state, self._place(job), job.requests, job.index, job.progress, job.preview,
            tuple(job.runs), job.error, job.stop.asked, job.token, job.submitted_at, job.started_at,
            job.request_started_at, job.steps_per_s, job.finished_at, job.version, job.purpose,
        )  # fmt: skip

    def _place(self, job: Job) -> int:
        """Return 1 for the job that is next … by the turns that owners take."""
        if job.state != "queued":
            return 0
        queues = [list(queue) for queue in self._waiting.values()]
        order = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
        return order.index(job) + 1

    def _next(self) -> Job | None:
        """Take the next job: owners in turn; those who went away only when nobody else waits."""
        present = [owner for owner in self._waiting if not self._attendance.is_gone(owner)]
        owner = next(iter(present or self._waiting), None)
        if owner is None:
            return None
        queue = self._waiting.pop(owner)
        job = queue.popleft()
        if queue:
            self._waiting[owner] = queue  # at the end: the others go first
        return job

    # -- the thread that runs --------------------------------------------------------------------------------------

    def _run_jobs(self) -> None:
        while True:
            with self._guard:
                while (job := None if self._closed else self._next()) is None:
                    if self._closed:
                        return
                    self._guard.wait()
                self._running, job.state, job.started_at = job, "running", time.time()
                job.version += 1
            try:
                self._run(job)
            except Exception as error:
                log.exception("job %s failed", job.id)
                with self._guard:
                    job.error = job.error or PlaygroundError(f"The run failed ({type(error).__name__}).").to_dict()
            with self._guard:
                self._running = None
                state: JobState = "failed" if job.error else "stopped" if job.stop.asked else "done"
                self._finish(job, state)

    def _run(self, job: Job) -> None:
        for index, request in enumerate(job.requests):
            if job.stop.asked:
                return
            with self._guard:
                job.index, job.preview, job.progress = index, None, None
                job.first_step, job.steps_per_s, job.counts = None, 0.0, ("", "")
                job.request_started_at = time.time()
                job.version += 1
            run = self._run_one(job, request)
            try:
                self._keep(job, run)
            except PlaygroundError as error:
                # the result stays on the page; only keeping it failed
                log.error("run %s was not stored: %s", run.id, error.message)
                run.stats["not_stored"] = error.message
            with self._guard:
                run.owner = job.owner
                job.runs.append(run)
                job.preview = None
                job.version += 1
                if run.error:
                    job.error = run.error

    def _keep(self, job: Job, run: Run) -> None:
        """Store a run as that of whom its job is by then; who was forgotten meanwhile leaves nothing."""
        if job.forgotten:
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
        except PlaygroundError as problem:
            error = problem
        except Exception as problem:
            log.exception("run of %s failed", request.model)
            kind = type(problem).__name__
            error = PlaygroundError(f"The run failed with an internal error ({kind}). Run it again; see worker.log.")
        with self._guard:
            preview, owner = job.preview, job.owner
        status: RunStatus = "done"
        if error is not None:
            status = "failed"
        elif final is None or final.stats.get("stopped"):
            status = "stopped"
        # what a run that failed had so far is its last preview
        last = final or preview
        return Run(
            id=uuid.uuid4().hex, owner=owner, job=job.id, request=request, status=status, created_at=created_at,
            outputs=list(last.outputs) if last else [], stats=last.stats.copy() if last else {},
            error=error.to_dict() if error else None, purpose=job.purpose,
        )  # fmt: skip

    def _take(self, job: Job, event: Event) -> None:
        with self._guard:
            if event.kind == "progress":
                before, job.progress, now = job.progress, event, time.monotonic()
                if not is_stepping(event):
                    job.first_step = None  # the pictures after these count their steps anew
                elif job.counts != (event.stage, event.unit):  # tokens, and then tunes
                    job.counts, job.first_step, job.steps_per_s = (event.stage, event.unit), None, 0.0
                elif before is not None and event.step < before.step:
                    job.first_step = None
                if is_stepping(event) and event.step:
                    first_step, first_at = job.first_step = job.first_step or (event.step, now)
                    if event.step > first_step and now > first_at:
                        job.steps_per_s = (event.step - first_step) / (now - first_at)
            elif event.kind == "preview":
                job.preview = event
            job.version += 1

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
        running = self._running
        if running is not None and not running.stop.asked and gone.is_gone(running.owner):
            others = [owner for owner in self._waiting if owner != running.owner and not gone.is_gone(owner)]
            if others:
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
