"""The components that draw pictures, each on a page of its own, used as readers use them."""

import base64
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import urllib.request
from urllib.parse import urlencode

import pytest
from PIL import Image

from components.image import mask_painter
from components.widgets import picture_parts
from tests.browser.conftest import ROOT, App, free_port, until


class Demo(App):
    """The page of the components, as its own app on a free port of 127.0.0.1."""

    script = "tests/browser/image_components_app.py"

    def __init__(self, folder):
        self.port = free_port()
        self.log = (folder / "demo.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", self.script,
             "--server.port", str(self.port), "--server.address", "127.0.0.1",
             "--server.headless", "true", "--server.fileWatcherType", "none"],
            cwd=ROOT, env=dict(os.environ), stdout=self.log, stderr=self.log,
        )  # fmt: skip
        until(self._answers)

    def _answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=1).status == 200
        except OSError:
            return False

    def url(self, page="painter", **query):
        return f"http://127.0.0.1:{self.port}/?{urlencode({'show': page, **query})}"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    demo = Demo(tmp_path_factory.mktemp("demo"))
    yield demo
    demo.close()


class Painter:
    """A painter on a page; places are given in pixels of the picture."""

    def __init__(self, session, **query):
        self.session = session.open("painter", **query)
        self.page = session.page
        self.canvas = self.page.get_by_role("application")
        self.canvas.wait_for()
        self.side = (96, 64) if query else (64, 64)
        until(lambda: self.canvas.bounding_box()["width"] > 200)

    def place(self, x, y):
        box = self.canvas.bounding_box()
        return box["x"] + x / self.side[0] * box["width"], box["y"] + y / self.side[1] * box["height"]

    def drag(self, *places):
        mouse = self.page.mouse
        mouse.move(*self.place(*places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self.place(*place), steps=4)
        mouse.up()

    def brush(self, size):
        self.page.get_by_role("slider", name="Brush size").evaluate(
            "(one, size) => { one.value = size; one.dispatchEvent(new Event('input')); }", size
        )

    def press(self, *names):
        for name in names:
            self.page.get_by_role("button", name=name, exact=True).click()

    def gives(self, text):
        self.session.sees(re.compile(f"^mask {text}$"))

    def counts(self):
        """Return the number of white pixels and their frame, once the script has them."""
        line = self.page.get_by_text(re.compile(r"^mask \d+ in")).inner_text()
        return [int(number) for number in re.findall(r"\d+", line)]


@pytest.fixture
def painter(session):
    return lambda **query: Painter(session(), **query)


def test_a_stroke_of_the_brush_is_where_it_was_painted(painter):
    one = painter()
    one.gives("none")
    one.brush(4)
    one.drag((10, 20), (30, 20))
    one.gives(r"\d+ in 8,18 to 31,21")
    assert 80 < one.counts()[0] <= 24 * 4
    assert "2% of the image" in one.page.get_by_role("status").filter(has_text="redrawn").inner_text()


def test_the_finest_brush_paints_one_pixel(painter):
    one = painter()
    one.brush(1)
    one.drag((12.9, 5.9))
    one.gives("1 in 12,5 to 12,5")


def test_a_box_is_filled_and_stays_inside_the_picture(painter):
    one = painter(wide=1)
    one.press("Box")
    assert one.page.get_by_role("button", name="Box").get_attribute("aria-pressed") == "true"
    assert one.page.get_by_role("button", name="Brush").get_attribute("aria-pressed") == "false"
    one.drag((70.5, 10.5), (80.5, 19.5))
    one.gives("110 in 70,10 to 80,19")
    one.drag((90.5, 60.5), (99, 70))
    one.gives("134 in 70,10 to 95,63")


def test_the_eraser_takes_away_and_undo_brings_back(painter):
    one = painter()
    one.press("Box")
    one.drag((10.5, 10.5), (29.5, 29.5))
    one.gives("400 in 10,10 to 29,29")
    one.press("Eraser")
    one.brush(8)
    one.drag((10, 5), (10, 35))
    one.gives("320 in 14,10 to 29,29")
    one.press("Undo")
    one.gives("400 in 10,10 to 29,29")
    one.canvas.press("Control+z")
    one.gives("none")
    assert one.page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"


def test_invert_and_clear(painter):
    one = painter()
    one.press("Box")
    one.drag((0.5, 0.5), (63.5, 31.5))
    one.gives("2048 in 0,0 to 63,31")
    one.press("Invert")
    one.gives("2048 in 0,32 to 63,63")
    one.press("Clear")
    one.gives("none")
    one.press("Undo", "Undo")
    one.gives("2048 in 0,0 to 63,31")


def pixels(one):
    return one.canvas.evaluate(
        "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.filter((v, i) => i % 4 === 3 && v)"
        ".length"
    )


def test_strokes_outlive_reruns_and_go_with_the_picture(painter):
    one = painter()
    one.press("Box")
    one.drag((20.5, 20.5), (29.5, 29.5))
    one.gives("100 in 20,20 to 29,29")
    one.page.get_by_role("button", name="Rerun").click()
    one.session.sees(re.compile("number 0 run 3"))
    one.gives("100 in 20,20 to 29,29")
    assert pixels(one) == 100
    one.page.get_by_role("button", name="Other picture").click()
    one.session.sees(re.compile("number 1"))
    one.gives("none")
    until(lambda: pixels(one) == 0)
    one.drag((1.5, 1.5), (2.5, 2.5))  # the tool is still the box
    one.gives("4 in 1,1 to 2,2")


def test_strokes_outlive_that_the_page_hides_the_painter(painter):
    one = painter()
    one.press("Box")
    one.drag((20.5, 20.5), (29.5, 29.5))
    one.gives("100 in 20,20 to 29,29")
    toggle = one.page.get_by_test_id("stCheckbox").locator("label")
    toggle.click()
    one.canvas.wait_for(state="detached")
    toggle.click()
    one.gives("100 in 20,20 to 29,29")
    assert pixels(one) == 100
    one.press("Undo")
    one.gives("none")


def test_painting_by_keyboard(painter):
    one = painter()
    one.brush(4)
    one.canvas.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):  # by four pixels each, from the middle
        one.page.keyboard.press(key)
    one.page.keyboard.press("Space")
    one.gives("12 in 22,26 to 25,29")
    one.page.keyboard.down("Space")
    one.page.keyboard.press("ArrowRight")
    one.page.keyboard.press("Shift+ArrowRight")
    one.page.keyboard.up("Space")
    one.gives("32 in 22,26 to 30,29")
    one.page.keyboard.press("Control+z")
    one.page.keyboard.press("Control+z")
    one.gives("none")
    one.press("Box")
    one.canvas.focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowRight", "Space"):
        one.page.keyboard.press(key)
    one.gives("32 in 29,28 to 32,35")


def test_painting_by_touch(session):
    one = Painter(session(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True))
    assert one.canvas.bounding_box()["width"] > 340  # a phone's full width
    one.canvas.scroll_into_view_if_needed()
    one.brush(4)
    touch = one.page.context.new_cdp_session(one.page)
    for kind, place in (("touchStart", (40, 40)), ("touchMove", (40, 45)), ("touchMove", (40, 50)), ("touchEnd", None)):
        x, y = one.place(*place) if place else (0, 0)
        points = [{"x": x, "y": y}] if place else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    one.gives(r"\d+ in 38,38 to 41,51")


def test_the_enlargement_is_by_a_whole_number(painter):
    one = painter()
    assert one.canvas.bounding_box()["width"] == 512
    assert one.canvas.evaluate("one => getComputedStyle(one).imageRendering") == "pixelated"


def png_of(size):
    file = io.BytesIO()
    Image.new("L", size, 255).save(file, "png")
    return file.getvalue()


def test_only_a_png_of_this_picture_and_size_is_taken():
    png = png_of((8, 4))
    read = lambda value: mask_painter.read_mask(value, "one", (8, 4))
    sent = {"picture": "one", "png": picture_parts.png_url(png)}
    assert read(sent) == png
    assert read(None) is None
    assert read("text") is None
    assert read({**sent, "picture": hashlib.sha256(b"").hexdigest()}) is None
    assert read({**sent, "png": 5}) is None
    assert read({**sent, "png": "data:text/html;base64,AAAA"}) is None
    assert read({**sent, "png": picture_parts.PNG_URL + "no base64 é"}) is None
    assert read({**sent, "png": picture_parts.PNG_URL + "A" * 3}) is None
    assert read({**sent, "png": picture_parts.png_url(b"GIF89a" + png)}) is None
    assert read({**sent, "png": picture_parts.png_url(png[:12])}) is None
    assert read({**sent, "png": picture_parts.png_url(png_of((4, 8)))}) is None
    giant = png[:16] + struct.pack(">II", 60000, 60000) + png[24:]
    assert read({**sent, "png": picture_parts.PNG_URL + base64.b64encode(giant).decode()}) is None
    assert read({**sent, "png": picture_parts.png_url(png + bytes(2 * 1024 * 1024))}) is None


def test_the_divider_by_keys_and_by_dragging(session):
    one = session().open("ab")
    slider = one.page.get_by_role("slider", name="Divider between Guidance 1 and")
    slider.wait_for()
    left = one.page.locator(".half.left")
    shown = lambda: left.evaluate("one => getComputedStyle(one).clipPath")
    value = lambda: int(slider.get_attribute("aria-valuenow"))
    until(lambda: left.bounding_box()["width"] == 512)
    assert value() == 50 and "50%" in shown()
    slider.focus()
    for key, there in (("ArrowRight", 51), ("ArrowLeft", 50), ("Home", 0), ("End", 100), ("ArrowLeft", 99)):
        one.page.keyboard.press(key)
        assert value() == there
    box = left.bounding_box()
    one.page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 50)
    one.page.mouse.down()
    assert value() == 75 and "25%" in shown()
    one.page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 90, steps=3)
    assert value() == 20 and "80%" in shown()
    one.page.mouse.up()
    one.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 90)
    assert value() == 20
    assert slider.get_attribute("aria-valuetext").startswith("20% Guidance 1, 80% <b>")
    assert one.page.locator(".half.right span").inner_text() == "<b>Guidance</b> 7.5"  # words, never markup


def frame(one, number):
    """Return the mean brightness of a screen, which tells the frames apart."""
    return one.page.locator("figure canvas").nth(number).evaluate(
        "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.reduce((sum, v) => sum + v, 0)"
    )  # fmt: skip


def test_scrubbing_shows_the_same_frame_of_both_strips(session):
    one = session().open("player")
    slider = one.page.get_by_role("slider", name="Frame")
    slider.wait_for()
    until(lambda: frame(one, 0) and frame(one, 1))
    first = [frame(one, 0), frame(one, 1)]
    one.sees("Step 1: <i>noise</i> 100 %")
    slider.focus()
    one.page.keyboard.press("ArrowRight")
    one.sees("Step 2: <i>noise</i> 91 %")
    assert frame(one, 0) != first[0] and frame(one, 1) != first[1]
    one.page.keyboard.press("End")
    one.sees("12 / 12")
    one.button("Rerun").click()
    one.settled()
    assert one.page.locator(".bar output").inner_text() == "12 / 12"
    one.page.get_by_role("slider", name="Frame").press("Home")
    assert [frame(one, 0), frame(one, 1)] == first
    tick, track = one.page.locator(".tick i").bounding_box(), slider.bounding_box()
    assert abs(tick["x"] + 1 - (track["x"] + 9 + (track["width"] - 18) * 8 / 11)) < 1


def test_playing_goes_to_the_end_and_waits_to_be_asked(session):
    one = session(reduced_motion="reduce").open("player", one=1)
    play = one.page.get_by_role("button", name="Play", exact=True)
    play.wait_for()
    assert one.page.locator("figure:visible").count() == 1
    one.page.wait_for_timeout(400)
    assert one.page.locator(".bar output").inner_text() == "1 / 12"
    play.click()
    one.page.get_by_role("button", name="Pause").click()
    number = one.page.locator(".bar output").inner_text()
    one.page.wait_for_timeout(400)
    assert one.page.locator(".bar output").inner_text() == number
    play.click()
    one.sees("12 / 12")
    play.wait_for()
    play.click()
    assert one.page.locator(".bar output").inner_text() != "12 / 12"  # from the start
