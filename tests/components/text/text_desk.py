"""A session with a finished text, over an engine that keeps logits and answers the looks into them."""

from models.errors import BadInput
from models.types import Request
from tests.components.image_desk import Desk
from tests.fake_texts import FakeTexts

STORY = "text/story-gpt"


def page():
    """Draw what the Text page draws under the newest text."""
    from components import look_closer
    from components import session as sessions

    session = sessions.here()
    view = [one for one in session.jobs.jobs_of(session.owner) if not one.requests[0].study][-1]
    for run in view.runs:
        look_closer.draw(session, run, f"after-{run.id}")


class TextDesk(Desk):
    """Hold one session: its jobs, its page."""

    drawing = staticmethod(page)

    def __init__(self, folder, engine=None):
        super().__init__(folder, engine or FakeTexts())

    def finished(self, **params):
        """Run one request to its end and draw it."""
        self.submit(Request(model=STORY, inputs={"prompt": "A"}, params=params, seed=7))
        self.wait()
        return self.draw()

    def kept(self, index=0):
        """Return the references of what the text's run kept."""
        run = next(one for one in self.store.runs("ann") if not one.request.study)
        return [f"sha256:{one.sha256}" for one in run.outputs if one.kind == "view"][index]

    def looks(self):
        return [request.study for request in self.engine.ran if request.study]


REFUSED = BadInput("The text is *too* long.")
