"""A room from elsewhere may be wrong anywhere: it loses its own part with a sentence, and the rest of the app stays."""

import logging
from dataclasses import fields, is_dataclass

import pytest
from streamlit.testing.v1 import AppTest

from components import guard, inputs, modality, rooms
from components import session as sessions
from components.modality import InputType, Modality, RoomPage
from models.errors import PlaygroundError
from models.types import Output
from tests.components.page_steps import messages, press, said, widget
from tests.components.toy_app import OWNER, ROOT, ended, opened

OURS = ["text", "image", "audio"]


def declared(folder, name, change=lambda text: text):
    """Add a second room, the toy's with other names, and return its folder; `change` acts on its page.py."""
    there = folder / "rooms" / name
    there.mkdir()
    text = (folder / "rooms" / "dance" / "page.py").read_text("utf-8")
    text = text.replace('id="dance"', f'id="{name}"').replace("dance.py", f"{name}.py")
    text = text.replace("drill.py", f"{name}_drill.py")
    text = text.replace('"floor": InputType', f'"{name}-floor": InputType')
    for script in (f"{name}.py", f"{name}_drill.py"):
        (there / script).write_text("", "utf-8")
    (there / "page.py").write_text(change(text), "utf-8")
    rooms._find.cache_clear()
    return there


def room_line(new):
    """Return a change of the page that puts another value of ROOM at its end."""
    return lambda text: f"{text}\nROOM = {new}\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (room_line("5"), "its ROOM is int; it must be a Modality"),
        (room_line("None"), "its ROOM is NoneType"),
        (room_line("Modality('jig', (), {})"), "Modality.pages is (); it must be a tuple of RoomPage"),
        (room_line("Modality('jig', [3], {})"), "Modality.pages is [3]"),
        (room_line("Modality('Jig!', ROOM.pages, {})"), "Modality.id is 'Jig!'"),
        (room_line("Modality('a-jig', ROOM.pages, {})"),
         "Modality.id is 'a-jig'; it must be small letters, digits and _, as text_tasks"),
        (room_line("Modality('lambda', ROOM.pages, {})"), "what the folder of a Python package can be named"),
        (room_line("Modality('jig', (*ROOM.pages, ROOM.pages[1]), {})"), "name the family 'driller' twice"),
        (lambda text: text.replace('("driller",)', '"driller"'), "RoomPage.families is 'driller'"),
        (room_line("Modality('jig', ROOM.pages, {'a': 3})"), "Modality.views is {'a': 3}"),
        (room_line("Modality('jig', ROOM.pages, {}, tiles=print)"), "it must be a mapping of functions"),
        (room_line("Modality('jig', ROOM.pages, {}, after=3)"), "Modality.after is 3; it must be a function"),
        (room_line("Modality('jig', ROOM.pages, {}, inputs={'a': 3})"), "a mapping of InputType"),
        (lambda text: text.replace('"Steps to both sides."', '"Steps.", order="1"'), "RoomPage.order is '1'"),
        (lambda text: text.replace('"Dance", ":mat', '" ", ":mat'), "RoomPage.title is ' '"),
        (lambda text: text.replace(":material/music_note:\", \"Steps", "music\", \"Steps"), "the icon 'music'"),
        (lambda text: text.replace(":material/music_note:\", \"Steps", ":material/no_such:\", \"Steps"), "no_such"),
        (lambda text: text.replace("jig.py", "gone.py"), "gone.py, is missing"),
        (lambda text: text.replace('Path(__file__).with_name("jig.py")', f'Path({str(ROOT / "pages/text.py")!r})'),
         "the address /text of its page 'Dance' is taken by the room in text"),
        (lambda text: text.replace("jig.py", "start.py"), "taken by the Home page"),
        (lambda text: text.replace('id="jig"', 'id="text"'), "the id 'text' is taken"),
        (lambda text: "raise SystemExit(1)", "SystemExit in its page.py"),
    ],
)  # fmt: skip
def test_a_wrong_room_is_left_out_with_a_sentence(toy, change, words):
    folder, _ = toy
    there = declared(folder, "jig")
    (there / "start.py").write_text("", "utf-8")
    (there / "page.py").write_text(change((there / "page.py").read_text("utf-8")), "utf-8")
    rooms._find.cache_clear()
    assert list(rooms.every()) == [*OURS, "dance"]
    (sentence,) = rooms.problems()
    assert sentence.startswith("The room in jig was left out: ")
    assert words in sentence
    assert sentence.endswith("restart the app.")  # rooms are found once
    page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not page.exception
    assert sentence in messages(page)


@pytest.mark.parametrize("name", ["jig", "slow_jig"])
def test_a_good_second_room_is_there(toy, name):
    folder, _ = toy
    declared(folder, name)
    assert list(rooms.every()) == [*OURS, "dance", name]
    assert rooms.problems() == ()


def in_a_room_of_two_words(folder):
    """Give the toy's family and models to a room whose id has a _, as a package's folder can."""
    for file in (file for pattern in ("*.py", "*.toml") for file in folder.rglob(pattern)):
        text = file.read_text("utf-8")
        for opening in ('modality: ClassVar[str] = "', 'id = "', 'id="', 'show("'):
            text = text.replace(f"{opening}dance", f"{opening}folk_dance")
        file.write_text(text, "utf-8")


@pytest.mark.parametrize("toy", [in_a_room_of_two_words], indirect=True)
def test_a_room_of_two_words_runs(toy):
    folder, jobs = toy
    page = opened(folder)
    press(page, "run")
    ended(jobs, page)
    assert jobs.jobs_of(OWNER)[-1].requests[0].model == "folk_dance/waltz"
    assert "Danced: " in said(page)
    assert rooms.of("two_words/x").title == "Two words"


FAILING = {
    "view": ("def _draw(showing: Showing) -> None:\n", "views"),
    "action": ("def _bow(act: Act) -> None:\n", "actions"),
    "after": ("def _after(desk, run, key):\n", "after"),
}


@pytest.mark.parametrize("kind", list(FAILING))
def test_a_part_of_a_room_that_fails_leaves_the_rest_of_the_page(toy, caplog, kind):
    folder, jobs = toy
    opening, part = FAILING[kind]
    file = folder / "rooms" / "dance" / "page.py"
    text = file.read_text("utf-8")
    assert opening in text
    file.write_text(text.replace(opening, f"{opening}    return 1 / 0\n"), "utf-8")
    rooms._find.cache_clear()
    page = opened(folder)
    with caplog.at_level(logging.ERROR):
        press(page, "run")
        ended(jobs, page)
    assert f"This part of the Dance page (“{part}”) could not be drawn: ZeroDivisionError." in said(page)
    assert "ZeroDivisionError" in caplog.text
    assert widget(page, "button", "run")
    assert widget(page, "text_area", "dance-prompt")
    assert [item.value for item in page.header] == ["Earlier results"]
    assert ("Danced: " in said(page)) == (kind != "view")
    assert ("The floor was used" in said(page)) == (kind != "after")


def failing(*given):
    raise KeyError("nothing")


def test_what_answers_leaves_its_part_out_and_what_hands_over_says_so():
    page = RoomPage(ROOT / "pages/text.py", "Toy", ":material/help:", "")
    kind = InputType(failing, failing, failing, failing)
    room = guard.guarded(Modality("toy", (page,), {"toy": failing}, says=failing, skips=failing, inputs={"toy": kind}))
    assert room.skips(None, 1) is False
    assert room.says(Output("toy", 0, "three steps")) == "three steps"
    for hands_over in (room.inputs["toy"].value, room.inputs["toy"].restore, room.inputs["toy"].check):
        with pytest.raises(PlaygroundError, match=r"The Toy page cannot use this: its “\w+” failed \(KeyError\)"):
            hands_over(None, None)
    assert room.waiting is None  # what is not declared stays so


def test_an_error_of_ours_keeps_its_own_words_and_a_rerun_passes(monkeypatch):
    from streamlit.runtime.scriptrunner import RerunData, RerunException, StopException

    told = []
    monkeypatch.setattr(guard.st, "warning", lambda text, **more: told.append(text))
    page = RoomPage(ROOT / "pages/text.py", "Toy", ":material/help:", "")

    def drawn(error):
        def draw(desk):
            raise error

        return guard.guarded(Modality("toy", (page,), {}, below=draw)).below

    drawn(PlaygroundError("The file was cleared."))(None)
    assert told == ["The file was cleared\\."]
    for passing in (RerunException(RerunData()), StopException()):
        with pytest.raises(type(passing)):
            drawn(passing)(None)
    assert len(told) == 1


def test_a_room_uses_its_own_type_of_input_and_two_of_a_name_are_told(toy):
    folder, _ = toy
    declared(folder, "jig", lambda text: text.replace('"jig-floor": InputType', '"floor": InputType'))
    found = rooms.every()
    assert rooms.input_type("floor", "dance") is found["dance"].inputs["floor"]
    assert rooms.input_type("floor", "jig") is found["jig"].inputs["floor"]
    assert rooms.input_type("floor", "text") is found["dance"].inputs["floor"]
    assert rooms.input_type("nothing", "text") is None
    (sentence,) = rooms.problems()
    assert "declare the type of input 'floor'" in sentence


def test_a_type_of_input_that_is_built_in_cannot_be_declared(toy):
    folder, _ = toy
    declared(folder, "jig", lambda text: text.replace('"jig-floor": InputType', '"text": InputType'))
    assert "'text', which is built in" in rooms.problems()[0]


VERSES = """
from components import inputs as _inputs
def _verses(desk, item):
    return state.at(_inputs.ref_key(desk.room.id, item.name), "").get()
def _set_verses(desk, item, given):
    state.at(_inputs.ref_key(desk.room.id, item.name), "").set(given.get(item.name, ""))
def _draw_verses(desk, item):
    st.text_input(item.label, key=_inputs.ref_key(desk.room.id, item.name))
import dataclasses
ROOM = dataclasses.replace(ROOM, inputs={**ROOM.inputs, "verses": InputType(_verses, _set_verses, _draw_verses)})
"""


def with_verses(folder):
    """Give the toy a type of input of its own, whose value travels in the request itself."""
    file = folder / "rooms" / "dance" / "page.py"
    file.write_text(file.read_text("utf-8") + VERSES, "utf-8")
    family = folder / "families" / "dancer.py"
    text = family.read_text("utf-8")
    first = '        InputField("prompt", label="Name of the dance"),\n'
    assert first in text
    family.write_text(
        text.replace(first, f'{first}        InputField("song", "verses", False, "Song", inline=True),\n')
    )


@pytest.mark.parametrize("toy", [with_verses], indirect=True)
def test_an_inline_input_of_a_room_survives_a_reload(toy):
    folder, jobs = toy
    page = opened(folder)
    widget(page, "text_input", "dance-input-song").set_value("la la")
    page.run()
    page.run()  # what a page holds is kept at the next draw
    again = opened(folder)
    assert widget(again, "text_input", "dance-input-song").value == "la la"
    press(again, "run")
    ended(jobs, again)
    assert jobs.jobs_of(OWNER)[-1].requests[0].inputs["song"] == "la la"


def with_a_limit(folder):
    family = folder / "families" / "dancer.py"
    family.write_text(family.read_text("utf-8").replace('"A picture of the floor.", ', '"A picture.", max_bytes=9, '))


@pytest.mark.parametrize("toy", [with_a_limit], indirect=True)
def test_a_file_that_is_too_large_is_refused_when_it_is_given(toy):
    from components import desk as desks
    from tests.components.image.image_steps import png, upload

    folder, _ = toy
    page = opened(folder)
    widget(page, "toggle", "waltz.on_floor").set_value(True)
    page.run()
    page.session_state["notices"] = [{"message": "The floor is missing.", "level": "error"}]
    page.run()
    assert "The floor is missing." in said(page)
    upload(page, "Floor", png())
    assert "bytes; at most 9 are allowed. Upload a smaller one." in said(page)
    assert "The floor is missing." not in said(page)
    desk = desks.of(sessions.here(), rooms.room("dance"), "dance/waltz")
    assert inputs.kept_ref(desk, desk.family.inputs[1]) is None


def test_a_model_from_outside_has_its_example(toy):
    folder, _ = toy
    text = (
        '{"model": "dance/waltz", "seed": 3, "params": {}, "inputs": {"prompt": "a jig"}, "outputs": [{"kind": '
        '"dance", "index": 0, "text": "left left", "media_type": "text/plain", "meta": {}}]}'
    )
    for place in ("catalog", "rooms/dance"):
        (folder / place / "examples").mkdir()
        file = folder / place / "examples" / "dance-waltz.json"
        file.write_text(text, "utf-8")
        assert "Danced: left left" in said(opened(folder))
        file.write_text("{", "utf-8")  # a damaged one takes nothing away
        assert "Danced: " not in said(opened(folder))
        file.unlink()


def test_home_says_what_was_left_out_even_without_a_model(toy, monkeypatch):
    folder, _ = toy
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", f'["{folder / "catalog"}"]')
    (folder / "catalog" / "waltz.toml").write_text("id = ", "utf-8")
    (folder / "catalog" / "march.toml").unlink()
    (folder / "rooms" / "broken").mkdir()
    (folder / "rooms" / "broken" / "page.py").write_text("ROOM = nothing", "utf-8")
    rooms._find.cache_clear()
    page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
    assert not page.exception
    told = " | ".join(messages(page))
    for words in ("waltz.toml cannot be read as TOML", "The room in broken was left out", "No model could be loaded"):
        assert words in told


def test_a_family_without_an_explanation_has_no_fold(toy):
    folder, _ = toy
    page = opened(folder)
    assert "How this works" not in [item.proto.popover.label for item in page.get("popover")]


def test_the_prompt_of_any_room_is_told_for_what_it_is(toy):
    folder, _ = toy
    assert "continues" not in widget(opened(folder), "text_area", "dance-prompt").help


def without_stamp(folder):
    family = folder / "families" / "dancer.py"
    family.write_text(family.read_text("utf-8").replace("{**context.stamp, ", "{"), "utf-8")


@pytest.mark.parametrize("toy", [without_stamp], indirect=True)
def test_a_download_says_whether_its_settings_are_inside(toy):
    folder, jobs = toy
    page = opened(folder)
    press(page, "run")
    ended(jobs, page)
    assert jobs.jobs_of(OWNER)[-1].runs[0].stats["bare"] == [0]
    told = [item.proto.help for item in page.get("download_button") if item.proto.label == "Download"]
    assert [text.startswith("The file does not contain the settings") for text in told][:1] == [True]


def functions(one):
    """Yield every function of a declaration."""
    if is_dataclass(one) and not isinstance(one, type):
        for item in fields(one):
            yield from functions(getattr(one, item.name))
    elif isinstance(one, dict | tuple):
        for value in one.values() if isinstance(one, dict) else one:
            yield from functions(value)
    elif callable(one):
        yield one


def test_the_guard_names_parts_that_are_there():
    kinds = (Modality, InputType, modality.Look, modality.Mode, modality.Takes, modality.Writes, modality.SettingsFile)
    there = {item.name for kind in kinds for item in fields(kind)}
    assert set(guard._ANSWERS) | guard._HANDS_OVER <= there


@pytest.mark.parametrize("name", OURS)
def test_every_function_of_our_rooms_is_guarded(name):
    found = list(functions(rooms.room(name)))
    assert len(found) > 5
    assert {function.__code__.co_filename for function in found} == {guard.__file__}
