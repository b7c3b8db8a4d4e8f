"""A whole modality from outside: new files alone, in folders of their own, and the app has it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from components import home, inputs, rooms
from components import session as sessions
from models.settings import PACKAGE_DIR
from tests.components.image.image_steps import png, upload
from tests.components.page_steps import press, said, widget
from tests.components.toy_app import OWNER, ROOT, ended, environment, opened


def test_it_stands_in_the_navigation_and_on_home(toy, monkeypatch):
    import streamlit as st

    from components import shell

    asked = []
    monkeypatch.setattr(st, "navigation", lambda groups: asked.append(groups) or next(iter(groups.values()))[0])
    monkeypatch.setattr(st, "set_page_config", lambda **given: None)
    monkeypatch.setattr(shell.theme, "apply", lambda: None)
    found = {}

    class Page:
        def __init__(self, script, *, title, icon, default=False):
            found[title] = Path(script)

        def run(self):
            pass

    monkeypatch.setattr(st, "Page", Page)
    shell.run()
    assert list(found) == ["Home", "Text", "Image", "Audio", "Dance", "Drill"]
    assert found["Dance"].is_file()
    links = []
    monkeypatch.setattr(home.st, "page_link", lambda page, *, label, icon: links.append(label))
    home._draw_room(sessions.here(), rooms.room("dance"))
    assert links == ["**Dance**", "**Drill**"]


def test_it_draws_its_form_generates_and_shows_live_and_final(toy):
    folder, jobs = toy
    page = opened(folder)
    assert widget(page, "text_area", "dance-prompt").value == "a waltz in the rain"
    assert widget(page, "slider", "waltz.bars").value == 3
    (folder / "catalog" / "weights" / "hold").touch()
    press(page, "run")
    from tests.browser.conftest import until

    until(lambda: jobs.jobs_of(OWNER)[-1].preview is not None)
    page.run()
    assert "Dancing: " in said(page)
    (folder / "catalog" / "weights" / "hold").unlink()
    ended(jobs, page)
    run = jobs.jobs_of(OWNER)[-1].runs[0]
    assert f"Danced: {run.outputs[0].text}" in said(page)
    assert len(run.outputs[0].text.split()) == 3
    assert "The floor was used for 3 bars." in said(page)
    assert "swing" not in run.stats["in_effect"]  # neutral
    assert "Bars 3" in said(page)


def test_its_actions_act_and_other_rooms_take_its_results(toy):
    folder, jobs = toy
    page = opened(folder)
    press(page, "run")
    ended(jobs, page)
    bow = next(button for button in page.button if button.label == "Bow")
    bow.click()
    page.run()
    assert widget(page, "text_area", "dance-prompt").value == "a bow after it"
    poster = jobs.jobs_of(OWNER)[-1].runs[0].outputs[1]
    chosen = next(item for item in page.get("button_group") if item.key.endswith("-chosen"))
    chosen.set_value(1)  # the poster
    page.run()
    use = next(button for button in page.button if button.label == "Use as input")
    gone = []
    import streamlit as st

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "switch_page", lambda script: gone.append(Path(script).name))
        use.click()
        page.run()
    assert not page.exception
    assert gone == ["image.py"]
    assert page.session_state[inputs.ref_key("image", "image")] == f"sha256:{poster.sha256}"
    task = "task"
    model = page.session_state["image-model"].split("/")[1]
    assert page.session_state[f"{model}.{task}"] in ("image to image", "reconstruct")


def test_its_input_type_is_drawn_checked_and_sent(toy):
    folder, jobs = toy
    page = opened(folder)
    assert not page.get("file_uploader")
    widget(page, "toggle", "waltz.on_floor").set_value(True)
    page.run()
    upload(page, "Floor", b"no picture")
    assert "The floor is not a picture. Give a PNG file." in said(page)
    upload(page, "Floor", png())
    assert "The floor is laid." in said(page)
    press(page, "run")
    ended(jobs, page)
    assert jobs.jobs_of(OWNER)[-1].requests[0].inputs["floor"].startswith("sha256:")


def test_it_takes_what_other_rooms_made(toy, monkeypatch):
    from components import desk as desks
    from components import result
    from models.types import Output

    session = sessions.here()
    labels = []
    monkeypatch.setattr(result.st, "button", lambda label, **more: labels.append(label))
    result.draw_takes(desks.of(session, rooms.room("text"), "text/story-gpt"), Output("text", 0, "x"), "key")
    assert labels == ["Dance it"]


def test_the_command_line_runs_it(tmp_path):
    import os

    run = subprocess.run(
        [sys.executable, "-m", "models", "run", "dance/waltz", "--prompt", "x", "--param", "bars=2", "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment(tmp_path / "toy")},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)["outputs"][0]["text"].split()) == 2


def test_nothing_of_the_app_knows_it():
    for folder in ("models", "components", "pages"):
        for path in (PACKAGE_DIR.parent / folder).rglob("*.py"):
            assert "dance/" not in path.read_text("utf-8"), path
            assert "dancer" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("kind", ["purpose", "output", "room"])
def test_what_nobody_knows_is_a_sentence(toy, kind):
    """An unknown purpose, an unknown kind of output and a model of no room."""
    folder, jobs = toy
    page = opened(folder)
    if kind == "purpose":
        from models.types import Request

        jobs.submit(OWNER, [Request(model="dance/waltz", inputs={"prompt": "x"})], "quadrille")
        ended(jobs, page)
        assert "which the Dance page has no view for" in said(page)
        assert "Danced: " in said(page)
    elif kind == "output":
        from components import result
        from models.types import Output, Request

        told = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(result.st, "info", lambda text, **more: told.append(text))
            result.draw_outputs(None, [Output("smell")], "k", request=Request(model="dance/waltz"))
        assert "“smell”" in told[0]
    else:
        assert rooms.of("nobody/x").views == {}
        assert rooms.of("nobody/x").title == "Nobody"


def test_a_room_that_cannot_be_read_leaves_the_others(toy, monkeypatch):
    folder, _ = toy
    for name, text in {
        "broken": "ROOM = nothing",
        "second": (folder / "rooms/dance/page.py").read_text("utf-8"),
    }.items():
        (folder / "rooms" / name).mkdir()
        (folder / "rooms" / name / "page.py").write_text(text, "utf-8")
    rooms._find.cache_clear()
    assert list(rooms.every()) == ["text", "image", "audio", "dance"]
    assert [sentence.split(":")[0] for sentence in rooms.problems()] == [
        "The room in broken was left out", "The room in second was left out",
    ]  # fmt: skip
    told = []
    monkeypatch.setattr(home.st, "warning", lambda text, **more: told.append(text))
    page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not page.exception
    assert len(told) == 2
    rooms._find.cache_clear()
