"""Two people at once, reloads, lost sockets and dying workers, in real browsers."""

import os
import re
import signal
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import until

# a browser that keeps no cookies
NO_COOKIES = "Object.defineProperty(document, 'cookie', {get: () => '', set: () => {}})"


def test_the_second_waits_sees_its_place_and_never_the_others_text(session):
    first = session().open_odd("secretword", steps=10000)
    second = session().open_odd("mine", steps=3)
    first.run()
    until(lambda: "secretword-0-2" in first.text())
    second.run()
    second.sees(re.compile("Waiting in the queue, place 1"))
    assert "secretword" not in second.page.content()
    assert "mine-0-0" not in first.page.content()
    first.button("Stop").click()
    until(lambda: second.text() == "mine-0-0 mine-0-1 mine-0-2", 10)
    assert "secretword" not in second.page.content()


def test_a_long_run_is_set_aside_for_a_short_one_and_goes_on(session):
    most = {"num_images": 8, "num_inference_steps": 100, "width": 128, "height": 128}
    first, second = session(), session()
    first.open("image", **{f"emoji-diffusion.{name}": value for name, value in most.items()})
    first.run()
    first.sees(re.compile(r"\d+ of 100 steps"), 120)
    second.open_odd("mine", steps=100)
    second.run()
    first.sees("Set aside for a shorter run of somebody else")
    assert second.done().endswith("mine-0-99")  # the picture has not ended meanwhile
    first.sees(re.compile(r"^image 1 of 8 · \d+ of 100 steps"))
    first.button("Stop").click()
    first.sees(re.compile(r"Stopped in .* of it set aside"))


def test_a_closed_tab_makes_room_for_who_waits(session):
    first = session().open_odd("left", steps=10000)
    second = session().open_odd("next", steps=3)
    first.run()
    until(lambda: "left-0-2" in first.text())
    second.run()
    second.sees("Waiting in the queue")
    first.close()
    started = time.monotonic()
    until(lambda: "next-0-0" in second.text(), 10)
    assert time.monotonic() - started < 6  # 3 s of grace, a step, two polls


def test_a_reload_finds_its_running_job_again(session):
    reader = session()
    reader.open_odd("keep", steps=150, step_s=0.1)
    reader.run()
    until(lambda: "keep-0-4" in reader.text())
    reader.page.reload()
    until(lambda: "keep-0-10" in reader.text(), 15)
    assert reader.done(30).endswith("keep-0-149")


LOSES = "Reloading or closing this page loses this run"


@pytest.mark.parametrize("cookies", [True, False])
def test_the_address_of_a_running_page_shows_another_browser_nothing(session, cookies):
    owner = session()
    if not cookies:
        owner.page.add_init_script(NO_COOKIES)
    owner.open_odd("mine", steps=10000)
    owner.run()
    until(lambda: "mine-0-2" in owner.text())
    owner.settled()
    assert owner.page.get_by_text(LOSES).count() == (0 if cookies else 1)
    address = owner.address()
    assert set(parse_qs(urlsplit(address).query)) <= {"model", "odd.steps", "odd.step_s", "odd.seed"}
    owner.close()  # nobody is there any more to whom the run could belong
    other = session()
    other.page.goto(address)
    other.button("Run").wait_for()
    time.sleep(1)  # what handed a run over asked twice a second
    other.settled()
    assert "mine-0" not in other.page.content()
    assert other.button("Stop").count() == 0


def test_an_old_address_with_the_name_of_a_run_is_a_page_like_any_other(session):
    reader = session().open("text", model="text/odd", job="A" * 24)
    reader.sees("Does what its prompt says.")
    reader.settled()
    assert "job=" not in reader.address()
    assert reader.page.get_by_test_id("stAlert").count() == 0


def test_a_dropped_socket_keeps_the_job(session):
    reader = session()
    sockets = []

    def pass_on(socket):
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(socket.send)
        sockets.append((socket, server))

    reader.page.route_web_socket(re.compile("/_stcore/stream"), pass_on)
    reader.open_odd("steady", steps=120, step_s=0.1)
    reader.run()
    until(lambda: "steady-0-5" in reader.text())
    count = len(sockets)
    for one in sockets[-1]:
        one.close()
    until(lambda: (reader.page.wait_for_timeout(100), len(sockets) > count)[1], 20)
    assert reader.done(40).endswith("steady-0-119")


def test_a_killed_worker_ends_only_its_run_and_the_other_page_goes_on(session, app):
    first = session().open_odd("victim", steps=10000)
    second = session().open()
    first.run()
    until(lambda: "victim-0-3" in first.text())
    pid = app.worker().pid
    os.kill(pid, signal.SIGKILL)
    first.sees("was killed from outside")
    assert first.done(10).startswith("victim-0-0")
    second.write("Once upon a time")
    second.run()  # during the new worker's warm-up
    assert second.done().startswith("Once upon a time")
    assert app.worker().pid != pid


def test_a_segfault_is_told_and_the_next_run_works(session, app):
    reader = session().open_odd("segfault", steps=10, model="other")
    reader.run()
    reader.sees(re.compile("crashed"))
    assert reader.done(10).startswith("segfault-0-0")
    reader.open_odd("fine", steps=2, model="other")
    reader.run()
    until(lambda: reader.text() == "fine-0-0 fine-0-1")


def test_too_large_an_allocation_is_told_and_the_worker_lives(session, app):
    until(app.worker)
    reader = session().open_odd("warm", steps=1)
    reader.run()
    reader.done()
    pid = app.worker().pid
    reader.open(**{"model": "text/odd", "odd.megabytes": 90_000, "odd.steps": 5})
    reader.write("allocate")
    reader.run()
    reader.sees("more memory than the playground may use")
    assert app.worker().pid == pid


def test_a_model_that_ignores_stop_is_ended(session, app):
    reader = session().open_odd("deaf", steps=10000, model="third")
    other = session().open()
    reader.run()
    until(lambda: "deaf-0-2" in reader.text())
    reader.button("Stop").click()
    reader.sees("did not stop when asked")
    other.button("Next seed").wait_for()
    reader.open_odd("fine", steps=2, model="third")
    reader.run()
    until(lambda: reader.text() == "fine-0-0 fine-0-1")


def test_the_streamlit_process_never_imports_torch(session, app):
    """Runs after the others in this file have used everything; alone it uses the page once."""
    reader = session().open(**{"story-gpt.max_new_tokens": 5})
    reader.write("Once upon a time")
    reader.run()
    reader.done()
    names = app.modules()
    assert "models.runtime.jobs" in names
    heavy = ("torch", "transformers", "diffusers", "torchaudio")
    assert [name for name in names if name.split(".")[0] in heavy] == []
    with open(f"/proc/{app.process.pid}/maps") as maps:
        assert "libtorch" not in maps.read()


LOST_POLLS = """() => {
    const every = window.setInterval;
    window.looks = [];
    window.setInterval = (act, ms, ...rest) => {
        const made = every(act, ms, ...rest);
        window.looks.push(made);
        return made;
    };
}"""


def test_a_page_that_hears_no_more_of_its_job_is_drawn_anew(session):
    viewer = session()
    viewer.page.add_init_script(f"({LOST_POLLS})()")
    viewer.open_odd("a few words", steps=60, step_s=0.1).run()
    viewer.sees(re.compile(r"\d+ of 60"))
    viewer.page.evaluate("window.looks.forEach(clearInterval)")  # as if the message that sets them had been lost
    viewer.done(40)
    assert viewer.button("Stop").count() == 0
