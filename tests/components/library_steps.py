"""Steps on the Runs page: runs that are kept, the rows that are shown, a search."""

import time

from models.types import Request
from tests.components.page_steps import widget
from tests.stored import make_run

PAGE = "pages/runs.py"
OWNER = "me"


def save(pages, name, prompt, *, at=None, owner=OWNER, params=None, seed=7, model="text/story-gpt", **more):
    request = Request(model=model, inputs={"prompt": prompt}, seed=seed, params=params or {})
    at = time.time() if at is None else at
    more.setdefault("job", f"job-{name}")
    pages.store.save_run(make_run(name, f"{prompt} and more", owner=owner, request=request, created_at=at, **more))


def rows(page):
    """Return the ids of the rows, in order."""
    return [item.key.removeprefix("found-open-") for item in page.button if item.key.startswith("found-open-")]


def search(page, text):
    widget(page, "text_input", "library-text").set_value(text)
    page.run()
    assert not page.exception, page.exception
    return page
