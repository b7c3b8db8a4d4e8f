"""What a session keeps: slots, the keys made of parts, and who may declare a name."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.state import SafeSessionState, SessionState

import components
from components import state
from components.text import side_by_side


@pytest.fixture
def kept(monkeypatch):
    """What the session keeps, by key."""
    found = {}
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state=found))
    monkeypatch.setattr(state, "_OWNERS", {})
    return found


def test_a_slot_has_its_default_until_something_is_kept(kept):
    turn = state.slot("turn", 7)
    assert (turn.there, turn.get(), kept) == (False, 7, {})
    turn.set(0)
    assert (turn.there, turn.get(), kept) == (True, 0, {"turn": 0})
    assert turn.pop() == 0
    assert (turn.there, turn.pop(), kept) == (False, 7, {})


def test_nothing_is_a_value_like_any_other(kept):
    chosen = state.slot("chosen", "first")
    chosen.set(None)
    assert chosen.there
    assert chosen.get() is chosen.start("second") is chosen.pop() is None
    assert not chosen.there


def test_start_leaves_what_is_there(kept):
    text = state.slot("text", "")
    assert text.start("one") == "one"
    assert text.start("two") == "one"
    assert kept == {"text": "one"}


def test_what_is_held_can_be_added_to_and_sessions_share_no_default(kept):
    found = state.slot("found", [])
    found.get().append("lost")
    assert found.get() == []
    found.held().append("a")
    found.held().append("b")
    assert kept == {"found": ["a", "b"]}
    kept.clear()  # another session
    assert found.held() == []


def test_a_key_is_made_of_its_parts(kept):
    assert state.key("image", "input", 3) == "image-input-3"
    position = state.at(state.key("text", "position"), 5)
    assert position.get() == 5
    position.set(6)
    assert kept == {"text-position": 6}
    assert state.at("text-position").get() == 6
    assert state.at("other").get() is None


def test_the_keys_of_widgets_are_what_addresses_and_links_say():
    assert state.setting_key("text/story-gpt", "temperature") == "story-gpt.temperature"
    assert state.switch_key("text/story-gpt", "top_k") == "story-gpt.top_k.on"
    assert state.field_key("a/b", "top_k") == "a/b.top_k"
    assert state.prompt_key("text") == "text-prompt"
    assert state.prompt_key("audio", "speech") == "audio-speech-prompt"
    assert state.input_key("image", "mask") == "image-input-mask"
    assert state.model_key("image") == "image-model"


def declare(module, name="shared"):
    """Declare a slot as a module of this name does when it is imported."""
    made = ModuleType(module)
    made.state = state
    exec(f"SLOT = state.slot({name!r}, 0)", made.__dict__)
    return made.SLOT


def test_two_modules_cannot_have_one_name(kept):
    declare("one")
    with pytest.raises(ValueError, match="two declares the slot 'shared', which one has"):
        declare("two")
    assert declare("two", "other").key == "other"


def test_a_module_that_is_imported_again_keeps_its_names(kept):
    first = declare("one")
    first.set(4)
    assert declare("one").get() == 4


def test_a_module_of_ours_is_imported_again(monkeypatch):
    """Streamlit forgets a module whose file was saved, and the next draw imports it."""
    monkeypatch.setattr(components.text, "side_by_side", side_by_side)  # what the import changes is put back
    monkeypatch.delitem(sys.modules, side_by_side.__name__)
    again = importlib.import_module(side_by_side.__name__)
    assert again is not side_by_side
    assert again._TURN == side_by_side._TURN


def test_notices_are_kept_until_they_are_cleared(kept):
    assert state.notices() == []
    state.notify("one")
    state.notify("two", "info")
    assert [(one["message"], one["level"]) for one in state.notices()] == [("one", "error"), ("two", "info")]
    state.clear_notices()
    assert state.notices() == []


def test_a_callback_is_finished_before_a_later_message_is_heard(monkeypatch):
    class Later(Exception):
        pass

    def comes():
        raise Later

    state.finish_callbacks()
    state.finish_callbacks()
    session = SafeSessionState(SessionState(), comes)
    taken = []

    def callback(failed=False):
        session["upload"] = "read"
        taken.append(session["upload"])
        if failed:
            raise ValueError("own")

    monkeypatch.setattr(SessionState, "_call_callbacks", lambda self, **given: callback())
    session.on_script_will_rerun(WidgetStates())
    assert taken == ["read"]
    with pytest.raises(Later):
        session["more"] = 2
    monkeypatch.setattr(SessionState, "_call_callbacks", lambda self, **given: callback(failed=True))
    with pytest.raises(ValueError, match="own"):
        session.on_script_will_rerun(WidgetStates())
    with pytest.raises(Later):  # heard again, whatever happened inside
        session["more"] = 2


def test_notices_stay_until_they_are_cleared_and_hold_no_half_characters(kept):
    state.notify("One.")
    state.notify("Two \ud83d.", "warning")
    assert state.notices() == [{"message": "One.", "level": "error"}, {"message": "Two ?.", "level": "warning"}]
    state.clear_notices()
    assert state.notices() == []
    state.notify("Three.")
    assert [one["message"] for one in state.notices()] == ["Three."]
