"""The main text of a model is what its family declares, whatever its name; everything else is drawn by its type."""

import pytest
from streamlit.testing.v1 import AppTest

from components import inputs, rooms, runtime
from components import session as sessions
from models import given, labels
from models.__main__ import main
from models.labels import Named
from models.settings import Settings
from models.types import Request
from tests.components.page_steps import press, settle_all, widget
from tests.components.test_rooms_that_fail import VERSES
from tests.components.toy_app import OWNER

BOX = "dance/drill-prompt"


def drill(folder):
    page = AppTest.from_file(folder / "rooms" / "dance" / "drill.py", default_timeout=30).run()
    assert not page.exception, page.exception
    return page


def test_a_main_text_of_another_name_has_placeholder_examples_and_pills(toy):
    folder, jobs = toy
    page = drill(folder)
    box = widget(page, "text_area", BOX)
    assert (box.label, box.value, box.placeholder) == ("Order", "about turn", "What to dance …")
    assert len(page.text_area) == 1  # and is drawn once
    box.set_value("halt")
    page.run()
    widget(page, "pills", "dance/march-examples").set_value("about turn")
    page.run()
    assert widget(page, "text_area", BOX).value == "about turn"
    press(page, "run")
    settle_all(jobs, OWNER, page)
    assert jobs.jobs_of(OWNER)[-1].requests[0].inputs == {"order": "about turn"}


def with_a_prompt_of_verses(folder):
    """Give the driller an input that is named prompt and is of the room's own type."""
    file = folder / "rooms" / "dance" / "page.py"
    file.write_text(file.read_text("utf-8") + VERSES, "utf-8")
    family = folder / "families" / "driller.py"
    first = 'InputField("order", main=True),'
    text = family.read_text("utf-8")
    assert first in text
    family.write_text(text.replace(first, f'{first} InputField("prompt", "verses", False, "Song", inline=True),'))


@pytest.mark.parametrize("toy", [with_a_prompt_of_verses], indirect=True)
def test_an_input_named_prompt_of_another_type_is_drawn_by_its_type(toy):
    folder, jobs = toy
    page = drill(folder)
    widget(page, "text_input", "dance-input-prompt").set_value("la la")
    page.run()
    assert [item.key for item in page.text_area] == [BOX]
    press(page, "run")
    settle_all(jobs, OWNER, page)
    assert jobs.jobs_of(OWNER)[-1].requests[0].inputs == {"order": "about turn", "prompt": "la la"}


def test_a_request_without_it_empties_the_box(toy):
    from components import desk as desks

    desk = desks.of(sessions.here(), rooms.room("dance"), "dance/march")
    desk.prompt.set("halt")
    inputs.restore(desk, {})
    assert desk.prompt.get() == ""


def test_results_are_named_by_it(toy):
    named = [Named(Request(model="dance/march", inputs={"order": order})) for order in ("halt", "march on")]
    assert labels.labels(runtime.catalog(), named) == ["“halt”", "“march on”"]


def test_a_shell_gives_it_as_the_prompt(toy, capsys):
    family = runtime.catalog().family("dance/march")
    assert given.inputs("halt", [], family, {"order"}, Settings()) == {"order": "halt"}
    assert main(["show", "dance/march"]) == 0
    assert "Inputs: order (--prompt), image, mask\n" in capsys.readouterr().out
