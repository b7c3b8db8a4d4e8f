"""What was heard, word by word, under its player; subtitles to download."""

import json

import pytest

from components.audio import sound_actions
from models import plain_text
from tests.components.audio.test_dictation import recording
from tests.components.audio.test_speech_page import EAR
from tests.components.page_steps import press, said, settle
from tests.fake_sounds import FakeSounds

PAGE, MODEL = "pages/audio.py", "audio/tiny-ear"
WORDS = [{"label": "A", "start_s": 0.1, "end_s": 0.2}, {"label": "<b>cat</b>.", "start_s": 0.2, "end_s": 0.4}]


class Timed(FakeSounds):
    """Hear two words with their times, where words are asked for."""

    def heard(self, turn):
        meta = {"segments": [{"label": "A <b>cat</b>.", "start_s": 0.0, "end_s": 0.5}]}
        if turn.request.params.get("timestamps") == "words":
            meta["words"] = WORDS
        yield plain_text.text_output("A <b>cat</b>.", turn.stamp, 0, meta)


ENGINE = Timed


@pytest.fixture(autouse=True)
def ear(tmp_path, monkeypatch):
    from models.settings import Settings

    folder = tmp_path / "more"
    (folder / "nowhere").mkdir(parents=True)
    (folder / "nowhere" / "model.safetensors").write_bytes(b"x")
    (folder / "ear.toml").write_text(EAR.replace('["temperature"]', '["timestamps"]\nword_times = true'))
    dirs = [str(one) for one in (*Settings().catalog_dirs, folder)]
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps(dirs))


def heard(pages, **query):
    page = pages.open(PAGE, model=MODEL, **query)
    page.audio_input[0].set_value(("said.wav", recording(), "audio/wav")).run()
    return settle(pages, press(page, "run"))


def words(page):
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return next((data["words"] for data in found if "words" in data), None)


def test_words_stand_under_a_player_of_their_own_and_are_no_markup(pages):
    page = heard(pages, **{"tiny-ear.timestamps": "words"})
    assert words(page) == [["A", 0.1, 0.2], ["<b>cat</b>.", 0.2, 0.4]]
    assert len(page.get("audio")) == 2  # what was recorded, and again with what was heard in it


def test_who_may_not_hear_the_recording_reads_the_words(pages):
    page = heard(pages, **{"tiny-ear.timestamps": "words"})
    [run] = pages.store.runs()
    pages.store.path(run.request.inputs["audio"]).unlink()
    page.run()
    assert not page.exception
    assert words(page) is not None


def test_segments_have_no_words(pages):
    page = heard(pages)
    assert words(page) is None
    assert "A" in said(page)


def test_both_kinds_of_subtitles_are_offered(pages, monkeypatch):
    offered = {}

    def offer(label, data, name="", *more, **named):
        offered[name] = data() if callable(data) else data

    monkeypatch.setattr(sound_actions.st, "download_button", offer)
    page = heard(pages, **{"tiny-ear.timestamps": "words"})
    assert not page.exception
    files = {name: data.decode() for name, data in offered.items() if str(name).endswith((".srt", ".vtt"))}
    assert list(files) == ["tiny-ear-seed0.srt", "tiny-ear-seed0.vtt"]
    assert files["tiny-ear-seed0.vtt"].endswith("00:00:00.100 --> 00:00:00.400\nA &lt;b&gt;cat&lt;/b&gt;.\n")
