"""A whole modality from outside: new files alone, in folders of their own, and the app has it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from components import home, inputs, rooms
from components import session as sessions
from models.settings import PACKAGE_DIR
from models.types import Output, Request, Run
from tests.components.image.image_steps import components, png, upload
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
        def __init__(self, script, *, title, icon, default=False, visibility="visible"):
            if visibility == "visible":
                found[title] = Path(script)

        def run(self):
            pass

    monkeypatch.setattr(st, "Page", Page)
    shell.run()
    assert list(found) == ["Home", "Text", "Text tasks", "Image", "Audio", "Dance", "Drill", "Runs", "Models"]
    assert found["Dance"].is_file()


def in_the_app(folder, script):
    """Open a page of the room as a reader does: Home first, then the page by the app's own navigation."""
    app = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not app.exception, app.exception
    labels = [link.proto.label for link in app.get("page_link")]
    rooms = [label for label in labels if label.startswith("**")]  # beside the link to all models
    assert rooms == ["**Text**", "**Text tasks**", "**Image**", "**Audio**", "**Dance**", "**Drill**"]
    app.switch_page(str(folder / "rooms" / "dance" / script)).run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize(("script", "title"), [("dance.py", "Dance"), ("drill.py", "Drill")])
def test_home_links_to_its_pages_and_the_navigation_opens_them(toy, script, title):
    app = in_the_app(toy[0], script)
    assert [item.value for item in app.title] == [title]
    assert widget(app, "button", "run")


def test_it_takes_inputs_that_another_room_draws(toy):
    folder, jobs = toy
    page = in_the_app(folder, "drill.py")
    assert "Add an image first, then paint over the area to redraw." in said(page)
    assert "Or press" not in said(page)  # no button of this room makes a picture an input
    upload(page, "Ground", b"no picture")
    assert any("picture" in item.value or "image" in item.value for item in page.error)
    upload(page, "Ground", png(size=(48, 30)))
    (painter,) = components(page, "picture")
    assert painter["size"] == [48, 30]  # the model has no settings of a size
    press(page, "run")
    ended(jobs, page)
    run = jobs.jobs_of(OWNER)[-1].runs[0]
    assert set(run.request.inputs) == {"order", "image"}
    assert "Marched on 48 × 30 px." in said(page)


def test_a_picture_larger_than_can_be_painted_on_keeps_its_shape(toy):
    page = upload(in_the_app(toy[0], "drill.py"), "Ground", png(size=(3000, 1500)))
    (painter,) = components(page, "picture")
    assert painter["size"] == [1024, 512]


def with_a_button_for_pictures(folder):
    file = folder / "rooms" / "dance" / "page.py"
    first = "    takes=("
    text = file.read_text("utf-8")
    assert first in text
    file.write_text(
        text.replace(
            first, f'{first}Takes("ground", "image", "March here", "", "", lambda *given: True, _take_steps),\n'
        )
    )


@pytest.mark.parametrize("toy", [with_a_button_for_pictures], indirect=True)
def test_a_button_that_makes_a_picture_an_input_is_told_by_its_own_name(toy):
    assert "Or press **March here** under an image that was made here." in said(in_the_app(toy[0], "drill.py"))


def test_a_small_output_is_drawn_by_its_kind_else_told(toy, monkeypatch):
    from components import result
    from components.modality import Modality
    from models.types import Output

    drawn, told = [], []
    monkeypatch.setattr(result.st, "caption", told.append)
    page = rooms.room("dance").page
    room = Modality(
        "toy", (page,), {"dance": print, "poster": print},
        tiles={"poster": lambda output, read, key: drawn.append((read(output), key))},
    )  # fmt: skip
    for output in (
        Output("poster", 0, "", b"png"), Output("dance", 0, "left left", meta={"prompt_chars": 5}), Output("dance"),
        Output("smell"), Output("smell", 0, "of hay"),
    ):  # fmt: skip
        result.draw_tile(room, output, "k")
    assert drawn == [(b"png", "k")]
    assert told[:2] == ["left", "Shown in full on the Dance page\\."]
    assert "“smell”, which the Dance page cannot show" in told[2]
    assert told[3] == "of hay"


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
    assert any("1 of 3 bars · " in item.proto.text for item in page.get("progress"))
    (folder / "catalog" / "weights" / "hold").unlink()
    ended(jobs, page)
    run = jobs.jobs_of(OWNER)[-1].runs[0]
    assert f"Danced: {run.outputs[0].text}" in said(page)
    assert len(run.outputs[0].text.split()) == 3
    assert "The floor was used for 3 bars." in said(page)
    assert "swing" not in run.stats["in_effect"]  # neutral
    assert "Bars 3" in said(page)


def test_a_shared_result_says_that_what_stands_below_it_on_its_page_is_left_out(toy):
    jobs = toy[1]
    request = Request(model="dance/waltz", inputs={"prompt": "a slow waltz"}, params={"bars": 3})
    output = Output("dance", text="one two three", meta={"bars": 3})
    run = Run("a" * 32, OWNER, "job", request, "done", time.time(), [output])
    jobs.store.save_run(run)
    page = AppTest.from_file(ROOT / "pages" / "shared.py", default_timeout=30)
    page.query_params["s"] = jobs.store.share(OWNER, [run.id]).token
    page.run()
    assert not page.exception, page.exception
    assert "The floor was used" not in said(page)
    assert "What the Dance page draws below its own results is not shown here" in said(page)


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
        patch.setattr(st, "switch_page", lambda script, **more: gone.append(Path(script).name))
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
    assert "The floor is not a picture. Upload a PNG file." in said(page)
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
    assert [label for label in labels if label != "Speak"] == ["Dance it"]  # where a voice can be got


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
