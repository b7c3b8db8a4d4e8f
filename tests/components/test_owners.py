"""Whose results these are: the rule, what lasts, and what is forgotten."""

from types import SimpleNamespace

import pytest

from components import links, owners, presence
from models import whose
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.components.page_steps import press, said, settle, stories, widget
from tests.fakes import FakeWords
from tests.stored import ids, make_run

PAGE = "pages/text.py"
TOKEN = "A" * 43


class Browser:
    """What a browser sends along."""

    def __init__(self, monkeypatch, address="127.0.0.1", user=None, cookie="", **headers):
        known = {"Host": "localhost:8501", **headers}
        context = SimpleNamespace(headers=known, cookies={owners.COOKIE: cookie} if cookie else {})
        options = {"server.address": address, "server.baseUrlPath": ""}
        monkeypatch.setattr(
            owners, "st",
            SimpleNamespace(
                context=context, get_option=options.get, user=SimpleNamespace(to_dict=lambda: user or {}),
            ),
        )  # fmt: skip


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    settings = Settings(data_dir=tmp_path)
    jobs = Jobs(FakeWords(), Store(settings), settings, lambda request: None)
    monkeypatch.setattr(owners.state, "st", SimpleNamespace(session_state={}))
    monkeypatch.setattr(presence, "session_id", lambda: "tab")
    yield jobs
    jobs.close()


def test_a_server_on_loopback_is_its_machines_users(jobs, monkeypatch):
    Browser(monkeypatch)
    first = owners.current(jobs)
    owners.state.st.session_state.clear()  # another tab, another day
    assert owners.current(jobs) == first
    assert (first.kind, first.lasting) == ("machine", True)


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (None, {}),
        ("0.0.0.0", {}),
        ("192.168.1.5", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", {"Host": "play.example.org"}),
    ],
)
def test_whom_others_can_reach_goes_by_the_cookie(jobs, monkeypatch, address, headers):
    Browser(monkeypatch, address, cookie=TOKEN, **headers)
    assert owners.current(jobs).kind == "cookie"


def test_loopback_has_several_names(monkeypatch):
    for address, host in (("localhost", "localhost"), ("::1", "[::1]:8501"), ("127.0.0.2", "127.0.0.1:80")):
        Browser(monkeypatch, address, Host=host)
        assert owners.on_loopback(), address


def test_a_browser_is_known_again_by_its_cookie_and_another_is_somebody_else(jobs, monkeypatch):
    found = []
    for cookie in (TOKEN, TOKEN, "B" * 43):
        owners.state.st.session_state.clear()
        Browser(monkeypatch, None, cookie=cookie)
        found.append(owners.current(jobs).id)
    assert found[0] == found[1] != found[2]
    assert TOKEN not in found[0]  # who reads the store learns no cookie


@pytest.mark.parametrize("cookie", ["", "short", "A" * 42 + "'", "A" * 44, "../" * 15])
def test_a_cookie_of_another_form_is_nobodys(jobs, monkeypatch, cookie):
    Browser(monkeypatch, None, cookie=cookie)
    owner = owners.current(jobs)
    assert (owner.kind, owner.lasting) == ("session", False)
    assert owners.current(jobs) == owner  # the same through the session


def test_who_signs_in_keeps_what_they_made_before(jobs, monkeypatch):
    Browser(monkeypatch, None, cookie=TOKEN)
    jobs.store.save_run(make_run("mine", owner=owners.current(jobs).id))
    user = {"is_logged_in": True, "iss": "https://id.example", "sub": "7", "name": "Ann"}
    Browser(monkeypatch, None, cookie=TOKEN, user=user)
    signed_in = owners.current(jobs)
    assert (signed_in.kind, signed_in.name) == ("user", "Ann")
    assert ids(jobs.store.runs(signed_in.id)) == ["mine"]
    owners.state.st.session_state.clear()
    Browser(monkeypatch, "127.0.0.1", user={**user, "sub": "8"})
    assert owners.current(jobs).id != signed_in.id


def test_signed_out_is_not_signed_in(jobs, monkeypatch):
    Browser(monkeypatch, None, user={"is_logged_in": False})
    assert owners.current(jobs).kind == "session"


def test_the_machines_user_finds_the_runs_of_sessions_long_ago(jobs, monkeypatch):
    jobs.store.save_run(make_run("old", owner="5f6d0a-session"))
    jobs.store.save_run(make_run("other", owner="cookie:b"))
    Browser(monkeypatch)
    assert ids(jobs.store.runs(owners.current(jobs).id)) == ["old"]


def test_who_was_forgotten_elsewhere_goes_on_as_somebody_new(jobs, monkeypatch):
    Browser(monkeypatch, None, cookie=TOKEN)
    before = owners.current(jobs)
    jobs.forget(before.id)
    after = owners.current(jobs)
    assert after.id != before.id
    assert not after.lasting
    assert owners.current(jobs) == after


def test_a_new_visitor_forgets_those_who_stayed_away_for_a_day(jobs, monkeypatch):
    jobs.store.save_run(make_run("old", owner="cookie:gone", created_at=1000.0))
    Browser(monkeypatch, None)
    owners.current(jobs)
    assert jobs.store.runs("cookie:gone") == []


def opened(pages, rule, file=PAGE, **query):
    pages.jobs.settings = pages.jobs.settings.model_copy(update={"owners": rule})
    return pages.open(file, **query)


@pytest.mark.parametrize(
    ("rule", "words", "button"),
    [
        ("machine", "this computer alone", "Delete my results"),
        ("cookie", "keeps no cookie", "Forget me"),  # this test's browser runs no script
        ("session", "keeps no cookie", "Delete my results"),
    ],
)
def test_every_page_says_what_is_kept_of_whom(pages, rule, words, button):
    page = opened(pages, rule, "Home.py")
    assert words in said(page)
    assert widget(page, "button", "owner-forget-me").label == button


def test_what_is_forgotten_is_gone_from_page_and_store(pages):
    page = opened(pages, "machine", "Home.py").switch_page(PAGE).run()
    widget(page, "text_area", "text-prompt").set_value("a secret").run()
    page = settle(pages, press(page, "run"))
    assert any("a secret word0" in given + fresh for given, fresh in stories(page))
    page = press(page, "owner-forget-me")
    assert pages.store.runs() == []
    assert stories(page) == stories(opened(pages, "cookie"))  # the example
    assert widget(page, "text_area", "text-prompt").value != "a secret"


def test_a_new_tab_finds_prompt_settings_model_and_result(pages):
    page = opened(pages, "machine", model="text/story-lstm")
    widget(page, "text_area", "text-prompt").set_value("A small boat").run()
    widget(page, "slider", "story-lstm.temperature").set_value(0.4).run()
    page = settle(pages, press(page, "run"))
    other = opened(pages, "machine")
    assert widget(other, "selectbox", "text-model").value == "text/story-lstm"
    assert widget(other, "text_area", "text-prompt").value == "A small boat"
    assert widget(other, "slider", "story-lstm.temperature").value == 0.4
    assert stories(other) == stories(page)


def test_whose_results_these_are_fails_in_a_sentence_below_the_page(pages, monkeypatch):
    def failing(jobs, owner):
        raise PlaygroundError("The run index is locked. Try again.")

    monkeypatch.setattr(owners, "draw", failing)
    page = opened(pages, "machine", "Home.py")
    assert any("run index is locked" in item.value for item in page.error)


def test_a_kept_result_and_an_open_look_are_found_after_a_reload(pages):
    page = settle(pages, press(opened(pages, "machine"), "run"))
    page = press(page, next(item.key for item in page.button if item.key.startswith("keep-")))
    look = next(item for item in page.button_group if item.label == "Look closer")
    look.set_value("Tokens").run()
    page = settle(pages, press(page, "run"))
    again = opened(pages, "machine")
    for one in (page, again):
        assert any(item.key.startswith("let-go-") for item in one.button)
        assert next(item for item in one.button_group if item.label == "Look closer").value == "Tokens"
    pages.store.save_note(whose.machine_owner(), "text-kept", ["of another form"])
    assert not any(item.key.startswith("let-go-") for item in opened(pages, "machine").button)


def test_a_result_is_found_after_the_app_began_anew(pages):
    page = opened(pages, "machine")
    widget(page, "text_area", "text-prompt").set_value("A small boat").run()
    page = settle(pages, press(page, "run"))
    pages.jobs._jobs.clear()
    assert stories(opened(pages, "machine")) == stories(page)


def test_what_was_typed_and_not_run_is_found_too(pages):
    page = opened(pages, "machine")
    widget(page, "text_area", "text-prompt").set_value("Never run").run()
    assert widget(opened(pages, "machine"), "text_area", "text-prompt").value == "Never run"


def test_an_address_goes_before_what_was_kept(pages):
    page = opened(pages, "machine")
    widget(page, "slider", "story-gpt.temperature").set_value(0.4).run()
    widget(page, "slider", "story-gpt.max_new_tokens").set_value(77).run()
    other = opened(pages, "machine", **{"story-gpt.temperature": "1.2"})
    assert widget(other, "slider", "story-gpt.temperature").value == 1.2
    assert widget(other, "slider", "story-gpt.max_new_tokens").value != 77  # a link means the same for everybody


def test_a_kept_value_that_is_no_longer_allowed_is_the_default_again(pages):
    opened(pages, "machine")
    owner = whose.machine_owner()
    kept = Request(model="text/story-gpt", inputs={"prompt": "x"}, params={"temperature": 99, "gone": 1, "top_k": 7})
    pages.store.save_desk(owner, kept)
    page = opened(pages, "machine")
    assert widget(page, "slider", "story-gpt.temperature").value < 3
    assert widget(page, "slider", "story-gpt.top_k").value == 7


def test_a_link_shows_what_was_shared_once_it_is_run(pages):
    request = Request(model="text/story-gpt", inputs={"prompt": "Shared words"}, seed=5)
    packed = links.link_to("http://x/text", request).split("r=")[1]
    page = opened(pages, "machine", r=packed)
    assert stories(page) == []  # no stock example stands below the shared settings
    assert "Press Run to see what was shared" in said(page)
    reloaded = opened(pages, "machine")
    assert (stories(reloaded), "Press Run to see what was shared" in said(reloaded)) == ([], True)
    widget(reloaded, "selectbox", "text-model").set_value("text/story-lstm").run()  # nothing of it was shared
    assert "Press Run to see what was shared" not in said(reloaded)
    page = settle(pages, press(page, "run"))
    assert any("Shared words" in given for given, _ in stories(page))
    request = request.model_copy(update={"seed": 6})
    again = opened(pages, "machine", r=links.link_to("http://x/text", request).split("r=")[1])
    assert "Press Run to see what was shared" in said(again)  # not the result of before
    assert "Press Run to see what was shared" not in said(page)
