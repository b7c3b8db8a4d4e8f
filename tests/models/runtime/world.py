"""Jobs over a fake engine, with owners that can go away."""

import time
from collections import Counter

from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.fakes import FakeWords


def ask(prompt, **params):
    return Request(model="text/fake", inputs={"prompt": prompt}, params=params, seed=1)


def until(check, timeout_s=30.0):
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
        self._counted = Counter()
        self._count(self.jobs, "_part")
        self._count(self.jobs._line, "next")

    def looked(self):
        """Wait until those who watch have looked, from beginning to end, at how things are now."""
        self._pass("_part")

    def line_looked(self):
        """Wait until what waits was looked at as it is now, though nothing has happened."""
        self._pass("next")

    def _count(self, whose, name):
        whole = getattr(whose, name)

        def counted(*given):
            found = whole(*given)
            self._counted[name] += 1
            return found

        setattr(whose, name, counted)

    def _pass(self, name):
        before = self._counted[name]
        until(lambda: self._counted[name] >= before + 2)

    def finished(self, owner, job):
        return until(lambda: (view := self.jobs.view(owner, job)) and view.finished and view)
