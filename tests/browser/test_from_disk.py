"""A GGUF file is added by its path, told of before, shown among the models, run, seen by a shell, and removed."""

import os
import subprocess
import sys

import pytest

from tests.browser.conftest import ROOT, App, until
from tests.tiny import ggufs


@pytest.fixture(scope="module")
def own_app(tmp_path_factory):
    """An app on loopback alone: whoever opens it runs the machine."""
    app = App(tmp_path_factory.mktemp("disk"), owners="auto")
    yield app
    app.close()


def test_a_gguf_file_is_added_by_its_path_runs_and_is_removed(session, own_app, tmp_path):
    file, pickled = ggufs.write(tmp_path / "tiny.gguf"), tmp_path / "net.pt"
    pickled.write_bytes(b"\x80\x04")
    viewer = session(app=own_app)
    viewer.open("models")
    viewer.page.get_by_text("From disk", exact=True).click()
    path = viewer.page.get_by_role("textbox", name="Path")
    path.fill(str(pickled))
    viewer.button("Look").click()
    viewer.sees("of a kind that may run code when it is read")
    path.fill(str(file))
    viewer.button("Look").click()
    viewer.sees("Tiny: llama, 39,840 parameters, unpacked from")
    assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    viewer.button("Add it").click()
    viewer.page.get_by_text("Tiny (text/tiny) was added").wait_for(timeout=240_000)  # a child imports torch first
    viewer.page.get_by_role("textbox", name="Search").fill("text/tiny")
    viewer.page.get_by_role("textbox", name="Search").press("Enter")
    viewer.sees("1 model · 1 here")
    viewer.sees("Added from tiny.gguf")
    viewer.page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Open").click()
    box = viewer.page.get_by_test_id("stChatInputTextArea")  # its file has a chat template
    box.wait_for()
    listed = subprocess.run(
        [sys.executable, "-m", "models", "list"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PLAYGROUND_DATA_DIR": str(own_app.folder / "data")},
    )  # fmt: skip
    assert "text/tiny" in listed.stdout
    viewer.open(**{"model": "text/tiny", "tiny.max_new_tokens": 8})
    box.wait_for()
    box.fill("the cat")
    box.press("Enter")
    viewer.button("Next seed").first.wait_for(timeout=120_000)  # the worker starts anew: its catalogue changed
    viewer.open("models")
    viewer.page.get_by_role("textbox", name="Search").fill("text/tiny")
    viewer.page.get_by_role("textbox", name="Search").press("Enter")
    viewer.sees("1 model · 1 here")
    viewer.button("Remove").click()
    viewer.button("Remove from disk").click()
    viewer.sees("Tiny was removed")
    until(lambda: not list((own_app.folder / "data" / "models").glob("*/*")))
    assert file.exists()
