"""A session on the Image page over an engine that draws flat colours."""

import json
import time

import numpy as np
from streamlit.testing.v1 import AppTest

from models.catalog import load_catalog
from models.errors import BadInput
from models.events import Final, Preview, Progress
from models.image import files
from models.runtime.engine import StopSignal
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Output, Request
from tests.fakes import FakeEngine

OWNER = "ann"
CATALOG = load_catalog(Settings(), strict=False)
DIFFUSION = next(spec.id for spec in CATALOG.values() if spec.family == "text_to_image")
VAE = next(spec.id for spec in CATALOG.values() if spec.family == "vae")
FAMILY = [spec.id for spec in CATALOG.values() if spec.collection == CATALOG[DIFFUSION].collection]
SIDE = 64
COUNT = 5


def flat(shade, width=SIDE):
    return np.full((SIDE, width, 3), shade % 256, dtype=np.uint8)


class Pictures(FakeEngine):
    """Draw one flat picture per seed, in three steps; serve the studies. Runs from number `hold_from` on wait."""

    settled = 3
    fail_models = ()
    hold_from = 10_000

    def held(self):
        return not self.gate.is_set() or len(self.ran) > self.hold_from

    def generate(self, request, stop=None):
        stop = stop or StopSignal()
        self.ran.append(request)
        for step in range(3):
            yield Progress("denoise", step + 1, 3)
            preview = files.preview_output(flat(step), 0, {"step": step + 1, "total": 3})
            yield Preview((preview,))
            while self.held():
                time.sleep(0.005)
                if stop.asked:
                    half = files.image_output(flat(1), {}, 0, {"finish": "stopped", "seed": request.seed})
                    yield Final((half,), {"stopped": True, "seconds": 0.1})
                    return
        if self.fail_with is not None or request.model in self.fail_models:
            raise self.fail_with or BadInput("No *such* word.")
        outputs = {"": self.pictures, "steps": self.strips, "words": self.heats}[request.study](request)
        yield Final(tuple(outputs), {"stopped": False, "seconds": 0.5, "notes": [], "in_effect": {}})

    def pictures(self, request):
        count = request.params.get("num_images", 1)
        made = [
            files.image_output(flat(10 * (request.seed + place)), {}, place, {"seed": request.seed + place})
            for place in range(count)
        ]
        if CATALOG[request.model].family != "text_to_image":
            return made
        meta = {"index_of": 0, "count": COUNT, "timesteps": [900.0, 700.0, 500.0, 300.0, 100.0],
                "change": [1.0, 0.5, 0.2, 0.01, 0.0], "settled": self.settled}  # fmt: skip
        data = f"steps of {request.canonical()}".encode()
        return [*made, Output("steps", 0, "", data, "application/safetensors", meta=meta)]

    def strips(self, request):
        meta = {"count": COUNT, "tile": [SIDE, SIDE]}
        return [files.image_output(flat(90, COUNT * SIDE), {}, index, {"what": what, **meta})
                for index, what in enumerate(("x0", "x_t"))]  # fmt: skip

    def heats(self, request):
        words = request.inputs["prompt"].split()
        heat = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
        return [files.image_output(flat(40), {}, 0, {"what": "picture"}),
                *(files.heat_output(heat, index, {"word": word, "what": "heat"})
                  for index, word in enumerate(words, 1))]  # fmt: skip


def page():
    """Draw what the Image page draws of the newest job and its runs."""
    import streamlit as st

    from components import desk as desks
    from components import look_closer, playground, rooms, state
    from components import session as sessions
    from components.escape import plain

    session = sessions.here()
    views = [view for view in session.jobs.jobs_of(session.owner) if not view.requests[0].study]
    for notice in state.notices():
        st.warning(plain(notice["message"]))
    view = views[-1]
    if view.purpose:
        playground.draw_job(desks.of(session, rooms.room("image"), view.requests[0].model), view)
    else:
        for run in view.runs:
            look_closer.draw(session, run, f"after-{run.id}")


class Desk:
    """Hold one session: its jobs, its page."""

    def __init__(self, folder):
        settings = Settings(data_dir=folder)
        self.engine = Pictures()
        self.store = Store(settings)
        self.jobs = Jobs(self.engine, self.store, settings, CATALOG.validate)
        self.page = AppTest.from_function(page, default_timeout=20)

    def submit(self, *requests, purpose=""):
        job = self.jobs.submit(OWNER, list(requests), purpose)
        return job

    def wait(self):
        limit = time.monotonic() + 10
        while any(not view.finished for view in self.jobs.jobs_of(OWNER)):
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


def said(page):
    kinds = ("error", "warning", "info", "caption", "markdown", "text")
    return " | ".join(str(item.value) for kind in kinds for item in getattr(page, kind)).replace("\\", "")
