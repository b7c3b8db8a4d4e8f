"""A session on the Image page over an engine that draws flat colours."""

import json
import time

from streamlit.testing.v1 import AppTest

from models.catalog import load_catalog
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.fake_pictures import FakePictures

OWNER = "ann"
CATALOG = load_catalog(Settings(), strict=False)
DIFFUSION = next(spec.id for spec in CATALOG.values() if spec.family == "text_to_image")
VAE = next(spec.id for spec in CATALOG.values() if spec.family == "vae")
FAMILY = [spec.id for spec in CATALOG.values() if spec.collection == CATALOG[DIFFUSION].collection and spec.examples]


def page():
    """Draw what the Image page draws of the newest job and its runs."""
    import streamlit as st

    from components import desk as desks
    from components import job_drawing, look_closer, rooms, state
    from components import session as sessions
    from components.escape import plain

    session = sessions.here()
    views = [view for view in session.jobs.jobs_of(session.owner) if not view.requests[0].study]
    for notice in state.notices():
        st.warning(plain(notice["message"]))
    view = views[-1]
    if view.purpose:
        job_drawing.draw(desks.of(session, rooms.room("image"), view.requests[0].model), view)
    else:
        for run in view.runs:
            look_closer.draw(session, run, f"after-{run.id}")


class Desk:
    """Hold one session: its jobs, its page."""

    drawing = staticmethod(page)

    def __init__(self, folder, engine=None):
        settings = Settings(data_dir=folder, owners="session")
        self.engine = engine or FakePictures()
        self.store = Store(settings)
        self.jobs = Jobs(self.engine, self.store, settings, CATALOG.validate)
        self.page = AppTest.from_function(self.drawing, default_timeout=20)

    def submit(self, *requests, purpose=""):
        job = self.jobs.submit(OWNER, list(requests), purpose)
        return job

    def wait(self, until=lambda view: view.finished):
        """Wait until all jobs are as asked: over, where nothing is."""
        limit = time.monotonic() + 10
        while not all(view.finished or until(view) for view in self.jobs.jobs_of(OWNER)):
            assert time.monotonic() < limit
            time.sleep(0.005)

    def draw(self):
        self.page.run()
        assert not self.page.exception, self.page.exception
        return self.page

    def finished(self, **more):
        """Run one request to its end and draw it."""
        self.submit(asked(**more))
        self.wait()
        return self.draw()

    def open(self, name):
        widget(self.page, "button_group", "-choice").set_value(name)
        self.page.run()

    def settle(self):
        """Wait for what was begun, and draw again."""
        self.wait()
        self.draw()
        self.wait()
        return self.draw()

    def newest(self):
        return self.jobs.jobs_of(OWNER)[-1]


def asked(model=DIFFUSION, prompt="red *heart*", seed=7, **params):
    return Request(model=model, inputs={"prompt": prompt}, params=params, seed=seed)


def widget(page, kind, key):
    return next(item for item in page.get(kind) if item.key.endswith(key))


def choices(page):
    found = [item for item in page.get("button_group") if item.key.endswith("-choice")]
    return [option.content for option in found[0].proto.options] if found else []


def components(page):
    """Return the data of every component drawn."""
    return [json.loads(item.proto.json) for item in page.get("bidi_component")]


def players(page):
    return [data for data in components(page) if "captions" in data]
