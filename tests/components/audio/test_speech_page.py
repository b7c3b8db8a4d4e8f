"""Speech on the Audio page, over a fake engine: sentences made again alone, a story spoken, heard again."""

import json
from types import SimpleNamespace

import pytest

from components.audio import after as sound_after
from models.catalog import Catalog
from models.types import Output, Request
from tests.components.page_steps import messages, owner, press, said, settle, widget
from tests.fake_sounds import FakeSounds
from tests.models.runtime.world import until

ENGINE = FakeSounds
PAGE = "pages/audio.py"
MODEL = "audio/tiny-voice"
TEXT = "A cat came. It sat down. Then it slept."
VOICE = """
id = "audio/tiny-voice"
name = "tiny-voice"
family = "text_to_speech"
summary = "Speaks."
architecture = "VITS"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["A cat came. It sat down. Then it slept."]
[weights]
path = "nowhere"
[facts]
kind = "vits"
settings = ["speaker", "speaking_rate", "noise_scale"]
speakers = ["ann", "bob"]
sample_rate = 8000
"""
EAR = """
id = "audio/tiny-ear"
name = "tiny-ear"
family = "speech_to_text"
summary = "Hears."
architecture = "Whisper"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
[weights]
path = "nowhere"
[facts]
kind = "whisper"
settings = ["temperature"]
sample_rate = 16000
"""


@pytest.fixture(autouse=True)
def voices(tmp_path, monkeypatch):
    """Put a voice and an ear for any words into the catalogue."""
    from models.settings import Settings

    folder = tmp_path / "more"
    (folder / "nowhere").mkdir(parents=True)
    (folder / "nowhere" / "model.safetensors").write_bytes(b"x")
    (folder / "voice.toml").write_text(VOICE)
    (folder / "ear.toml").write_text(EAR)
    dirs = [str(one) for one in (*Settings().catalog_dirs, folder)]
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps(dirs))


def spoken(pages, **query):
    page = settle(pages, press(pages.open(PAGE, model=MODEL, **query), "run"))
    widget(page, "toggle", "sentences-open").set_value(True)
    page.run()
    assert not page.exception, page.exception
    return page


def row(page, number, what):
    return next(item.key for item in page.button if item.key.endswith(f"-row-{number}-{what}"))


def test_every_sentence_is_shown_with_its_seed(pages):
    page = spoken(pages, **{"tiny-voice.seed": "7"})
    for number, text in enumerate(("A cat came.", "It sat down.", "Then it slept.")):
        assert text in said(page)
        assert f"seed {7 + number}" in said(page)


def test_one_sentence_again_changes_its_seed_alone(pages):
    page = spoken(pages)
    page = settle(pages, press(page, row(page, 1, "again")))
    first, second = pages.engine.ran
    assert "rows" not in first.inputs
    rows = json.loads(second.inputs["rows"])
    assert list(rows) == ["1"]
    assert list(rows["1"]) == ["seed"]
    assert second.model_copy(update={"inputs": first.inputs}) == first
    assert "Sentences with their own seed or settings: 2." in said(page)
    # Run says the same text in the same way; another text has no such rows
    page = settle(pages, press(page, "run"))
    assert pages.engine.ran[-1].inputs["rows"] == second.inputs["rows"]
    widget(page, "text_area", "audio-text_to_speech-prompt").set_value("Another. Text.")
    page = settle(pages, press(page, "run"))
    assert "rows" not in pages.engine.ran[-1].inputs


def test_a_sentence_gets_settings_of_its_own_beside_those_of_others(pages):
    page = spoken(pages)
    page = settle(pages, press(page, row(page, 0, "again")))
    key = next(item.key for item in page.slider if item.key.endswith("-row-2.speaking_rate"))
    widget(page, "slider", key).set_value(2.0)
    next(item for item in page.selectbox if item.key.endswith("-row-2.speaker")).set_value("bob")
    forms = [item for item in page.button if item.label == "Apply"]
    forms[2].click()
    page.run()
    assert not page.exception, page.exception
    page = settle(pages, page)
    rows = json.loads(pages.engine.ran[-1].inputs["rows"])
    assert set(rows) == {"0", "2"}
    assert rows["2"] == {"seed": 2, "speaking_rate": 2.0, "speaker": "bob"}
    assert "seed 2 · 0.2 s · Speaker bob · Speaking rate 2" in said(page)
    assert "Sentences with their own seed or settings: 1, 3." in said(page)


def test_rows_can_be_forgotten_and_come_back_with_a_link(pages):
    from components.links import link_to

    page = spoken(pages)
    page = settle(pages, press(page, row(page, 1, "again")))
    link = link_to("", pages.engine.ran[-1])
    page = settle(pages, press(press(page, "rows-forget"), "run"))
    assert "rows" not in pages.engine.ran[-1].inputs
    other = pages.open(PAGE, r=link.split("?r=")[1])
    assert "Sentences with their own seed or settings: 2." in said(other)


DAMAGED = {
    "{": "The per-sentence settings are damaged. Remove them",
    '["x"]': "The per-sentence settings are damaged. Remove them",
    '{"x": 1}': "The per-sentence settings are damaged. Remove them",
    '{"-1": {}}': "The per-sentence settings are damaged. Remove them",
    '{"9": {"seed": 1}}': "There are settings for sentence 10, but only",
    '{"0": {"seed": true}}': "The seed of a sentence is True; a whole number from 0 to 4294967295 is allowed.",
    '{"0": {"seed": 4294967296}}': "The seed of a sentence is 4294967296; a whole number from 0 to",
    '{"0": {"volume": 3}}': "The settings of a sentence are wrong: volume",
}


def test_a_damaged_row_in_a_link_is_a_sentence(pages):
    from components.links import link_to

    for rows, words in DAMAGED.items():
        link = link_to("", Request(model=MODEL, inputs={"prompt": TEXT, "rows": rows}))
        page = press(pages.open(PAGE, r=link.split("?r=")[1]), "run")
        assert any(words in message for message in messages(page)), (rows, messages(page))
    assert pages.engine.ran == []


def test_a_story_can_be_spoken(pages, monkeypatch):
    gone = []
    monkeypatch.setattr(
        "streamlit.switch_page", lambda page, **more: gone.append(page)
    )  # one page alone has none to go to
    monkeypatch.setattr("streamlit.page_link", lambda *given, **more: None)
    page = settle(pages, press(pages.open("pages/text.py"), "run"))
    story = pages.store.runs(owner(pages))[0].outputs[0].text
    speak = next(item for item in page.button if item.key.startswith("speak-"))
    speak.click()
    page.run()
    assert not page.exception, page.exception
    assert [page.name for page in gone] == ["audio.py"]
    assert page.session_state["audio-model"] == MODEL
    assert page.session_state["audio-text_to_speech-prompt"] == story
    until(lambda: pages.engine.ran[-1].model == MODEL)  # at once: no second press
    assert pages.engine.ran[-1].inputs["prompt"] == story


def test_of_a_text_with_numbers_a_voice_reads_what_is_to_be_read_aloud(pages):
    from components.audio import page as room
    from models.types import Output

    prompts = []
    there = SimpleNamespace(place="audio", prompt=SimpleNamespace(set=prompts.append), run=lambda: None)
    voice = SimpleNamespace(id=MODEL, here=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_voice", lambda desk, output: voice)
        patch.setattr(room.desks, "of", lambda *given: there)
        desk = SimpleNamespace(session=None)
        assert room._speak(desk, Output("text", text="LSTM: red heart (93.0%)", meta={"aloud": "red heart"})) == MODEL
        room._speak(desk, Output("text", text="A story."))
    assert prompts == ["red heart", "A story."]


def test_a_voice_is_offered_for_no_language_that_it_does_not_read():
    from components.audio import page as room
    from models.catalog import load_catalog
    from models.settings import Settings

    whole = load_catalog(Settings())
    hibari = Catalog([whole["audio/hibari"]], whole.families)
    desk = SimpleNamespace(room=SimpleNamespace(id="text"), session=SimpleNamespace(catalog=hibari))
    for languages, offered in ((["en", "fr"], False), (["fr", "en"], True), (None, True)):
        output = Output("text", 0, "x", meta={"languages": languages} if languages else {})
        assert room._speaks(desk, output) is offered


def test_words_are_heard_again_by_a_model_that_writes_any(pages):
    pages.engine.hears = "a cat came it sat then it slept"
    page = spoken(pages)
    widget(page, "toggle", next(item.key for item in page.toggle if item.key.endswith("-ear"))).set_value(True)
    page.run()
    page = settle(pages, page)
    assert pages.engine.ran[-1].model == "audio/tiny-ear"
    assert "8 of 9 correct" in said(page)


def test_digits_are_heard_by_our_own_recogniser_and_by_outside_ears(pages):
    pages.engine.hears = "Four, oh, seven."
    page = pages.open(PAGE, model="audio/digits-diffusion")
    widget(page, "text_area", "audio-spectrogram_diffusion-prompt").set_value("4 0 7")
    page = settle(pages, press(page, "run"))
    widget(page, "toggle", next(item.key for item in page.toggle if item.key.endswith("-ear"))).set_value(True)
    page.run()
    page = settle(pages, settle(pages, page))
    assert [request.model for request in pages.engine.ran[1:]] == ["audio/digit-recogniser", "audio/tiny-ear"]
    for name in ("Digit Recogniser", "tiny-ear"):
        assert f"Asked for 4 0 7; {name} heard 4 0 7: 3 of 3 correct, and nothing else." in said(page)


def test_what_is_compared_are_words_and_single_digits():
    assert sound_after.words_of("He said: “It’s 407!”") == ["he", "said", "it’s", "4", "0", "7"]
    assert sound_after.words_of("Four, oh 7, too.", digits=True) == ["4", "0", "7", "too"]


def test_a_shared_sound_has_effects_and_names_the_panels_that_need_a_model(pages):
    spoken(pages)
    run = pages.store.runs(owner(pages))[0]
    shared = pages.open("pages/shared.py", s=pages.store.share(run.owner, [run.id]).token)
    assert [item.label for item in shared.toggle] == ["Audio effects"]
    assert "“Sentences” and “Check with recogniser” are not shown here" in said(shared)
    assert "opens the Audio page" in said(shared)
    ran = len(pages.engine.ran)
    shared.toggle[0].set_value(True)
    shared.run()
    assert not shared.exception, shared.exception
    assert "Move a slider" in said(shared)
    assert len(pages.engine.ran) == ran
