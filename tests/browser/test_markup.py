"""Nothing that a person, a file or a catalogue entry says is run or drawn: markup is shown as the letters it is."""

import io
import json

from PIL import Image, PngImagePlugin

from tests.browser.conftest import until
from tests.odd import ENTRY

NASTY = '<img src=x onerror="window.hacked=1"><b>bold</b>![i](http://example.com/i.png) [go](javascript:hacked=2)'
SHORT = "<img src=x onerror=window.hacked=1>![](//example.com/i)"  # for a model's name and licence
FOUND = """() => [...document.querySelectorAll('img, a, b, script, iframe, svg')].filter(one => {
    const said = name => one.getAttribute(name) || '';
    return said('src').includes('example.com') || said('href').includes('example.com') || said('src') === 'x'
        || one.hasAttribute('onerror') || said('href').startsWith('javascript') || one.textContent === 'bold';
}).length"""


def is_harmless(viewer):
    viewer.settled()
    return viewer.page.evaluate("window.hacked") is None and viewer.page.evaluate(FOUND) == 0


def add_model(app):
    """Add a model whose every word is markup to the running app's catalogue; return its file."""
    folder = app.folder / "odd" / "catalog"
    told, short = json.dumps(NASTY), json.dumps(SHORT)  # a text in JSON is one in TOML
    text = ENTRY.format(name="marked").replace('"marked"', short).replace('"Apache-2.0"', short)
    for old in ('"Does what its prompt says."', '"none"', '"nothing"'):
        text = text.replace(old, told)
    file = folder / "marked.toml"
    file.write_text(f"examples = [{told}]\nlimits = {told}\n{text}\n[facts]\nchat = true\n", "utf-8")
    return file


def picture(words):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("parameters", f"{words}\nSteps: 20, Sampler: Euler a, Seed: 7, CFG scale: 4, {words}: {words}")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_words_of_a_catalogue_and_names_of_conversations_are_text(session, app):
    file = add_model(app)
    try:
        viewer = session().open(model="text/marked", **{"marked.steps": 2})
        viewer.page.get_by_text("![i](http").first.wait_for()
        viewer.button("Model card").click()
        viewer.page.get_by_test_id("stPopoverBody").get_by_text("Trained on").wait_for()
        assert is_harmless(viewer)
        viewer.page.keyboard.press("Escape")
        viewer.button("Import").click()
        talk = [{"role": "user", "content": NASTY}, {"role": "assistant", "content": NASTY}]
        upload = {"name": f"{NASTY.replace('/', '')}.json", "mimeType": "application/json"}
        viewer.page.locator("input[type=file]").last.set_input_files({**upload, "buffer": json.dumps(talk).encode()})
        until(lambda: viewer.page.locator("p.said").count() == 2)
        viewer.button("Conversations (1)").click()
        viewer.page.get_by_text("First messages of your conversations").wait_for()
        assert is_harmless(viewer)
    finally:
        file.unlink()


def test_a_file_s_name_and_what_it_says_of_its_making_are_text(session):
    viewer = session().open("image")
    viewer.button("Settings from a file").click()
    box = viewer.page.get_by_test_id("stFileUploader").filter(has_text="with settings").first
    given = {"name": f"{NASTY.replace('/', '')}.png", "mimeType": "image/png", "buffer": picture(NASTY)}
    box.locator("input[type=file]").set_input_files(given)
    viewer.sees("are set as far as this model has them")
    assert viewer.page.get_by_role("textbox", name="Prompt", exact=True).first.input_value() == NASTY
    assert is_harmless(viewer)
    viewer.page.get_by_role("button", name="Settings from a file").click()
    other = {"name": f"{NASTY.replace('/', '')}.png", "mimeType": "image/png", "buffer": NASTY.encode()}
    viewer.page.get_by_test_id("stFileUploader").filter(has_text="with settings").first.locator(
        "input[type=file]"
    ).set_input_files(other)  # what is said of a file that says nothing
    viewer.page.get_by_role("alert").first.wait_for()
    assert is_harmless(viewer)
