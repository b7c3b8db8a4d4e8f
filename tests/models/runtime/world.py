"""Jobs over a fake engine, with owners that can go away."""

import time

from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.fakes import FakeWords


def ask(prompt, **params):
    return Request(model="text/fake", inputs={"prompt": prompt}, params=params, seed=1)


def until(check, timeout_s=5.0):
    limit = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.005)
    return found


class World:
    """Jobs over a fake engine, with owners that can go away."""

    def __init__(self, folder, engine=None, validate=lambda request: None, **more):
        self.engine = engine or FakeWords()
        self.gone = set()
        settings = Settings(data_dir=folder, **{"gone_after_s": 0.3, **more})
        self.store = Store(settings)
        self.jobs = Jobs(self.engine, self.store, settings, validate, lambda owner: owner not in self.gone)

    def finished(self, owner, job):
        return until(lambda: (view := self.jobs.view(owner, job)) and view.finished and view)
