"""What a reader does on the page "Text tasks", and what stands there."""

import json

from streamlit.testing.v1 import AppTest

from tests.components.page_steps import press, settle_all
from tests.components.toy_app import OWNER, ROOT

PAGE = "pages/text_tasks.py"
TRANSLATE, FEELINGS = "text/text_tasks-Translate-prompt", "text/text_tasks-Feelings and intentions-prompt"
MEANING = "text/text_tasks-Meaning-prompt"


def opened(**query):
    page = AppTest.from_file(ROOT / PAGE, default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception, page.exception
    return page


def ran(jobs, page, text):
    prompt = next(item for item in page.text_area if item.key in (TRANSLATE, FEELINGS, MEANING))
    prompt.set_value(text)
    page.run()
    press(page, "run")
    return settle_all(jobs, OWNER, page)


def shown(page, name):
    """Return the data of the components that have a part of this name."""
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return [one for one in found if name in one]


def segment(page):
    return next(item for item in page.get("button_group") if item.key == "text/text_tasks-segment")


def model(page):
    return next(item for item in page.selectbox if item.label == "Model")


def look(jobs, page, name):
    """Open a look into the newest result and wait for it."""
    next(item for item in page.get("button_group") if item.key.endswith("-choice")).set_value(name)
    page.run()
    settle_all(jobs, OWNER, page)
    return settle_all(jobs, OWNER, page)
