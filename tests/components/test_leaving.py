"""What Streamlit keeps of closed pages goes when its time is over, though nobody else comes."""

import gc
import time
import weakref
from types import SimpleNamespace

from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo

from components import leaving


class Left:
    """A closed session, in a circle with what it holds, as Streamlit's are."""

    def __init__(self, name):
        self.id, self.own = name, SimpleNamespace(session=self)


def test_what_is_past_its_time_is_freed_and_what_may_come_back_stays():
    storage = MemorySessionStorage(ttl_seconds=0.2)
    first = Left("first")
    freed = weakref.ref(first)
    storage.save(SessionInfo(client=None, session=first, script_run_count=1))
    del first
    storage._cache._expirations["first"] = time.monotonic() - 1
    gc.disable()  # what runs by chance is not what is tested
    try:
        storage._cache._data["late"] = SessionInfo(client=None, session=Left("late"), script_run_count=1)
        storage._cache._expirations["late"] = time.monotonic() + 60
        assert freed() is not None
        assert leaving.let_go(storage) == 1
        assert freed() is None
    finally:
        gc.enable()
    assert [info.session.id for info in storage.list()] == ["late"]
    assert leaving.let_go(storage) == 0
