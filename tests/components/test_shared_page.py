"""What a link shows, and the menu that makes one: only what was shared, nothing started, a sentence for all else."""

import json
import time

import pytest

from components import presence, share_menu
from models.sharing import KEEP_ENDED_S
from models.types import Request
from tests.components.page_steps import links, messages, press, said, settle, widget
from tests.stored import make_run

PAGE = "pages/shared.py"
MODEL = "text/story-gpt"
OWNER, READER = "ann", "bob"


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setattr(presence, "session_id", lambda: READER)
    monkeypatch.setattr(share_menu, "_is_open", lambda box: True)  # AppTest opens none


def save(pages, name="a" * 32, prompt="A dragon", *, owner=OWNER, params=None, model=MODEL, seed=7, **more):
    request = Request(model=model, inputs={"prompt": prompt}, seed=seed, params=params or {})
    run = make_run(name, f"{prompt} sang.", owner=owner, request=request, created_at=time.time(), **more)
    pages.store.save_run(run)
    return run


def shared(pages, *runs, kind="run", **more):
    return pages.store.share(OWNER, [run.id for run in runs], kind, **more).token


def keys(page):
    return [item.key for item in page.button]


def stories(page):
    return [one for item in page.get("bidi_component") for one in json.loads(item.proto.json).get("texts", [])]


def test_a_shared_run_is_shown_with_its_settings_and_without_what_its_owner_says(pages):
    run = save(pages, params={"temperature": 0.3}, stats={"in_effect": {"seed": 7, "temperature": 0.3}})
    pages.store.rename(OWNER, run.id, "SECRETname")
    pages.store.write_note(OWNER, run.id, "SECRETnote")
    page = pages.open(PAGE, s=shared(pages, run))
    assert page.header[0].value == "A dragon"
    assert any("sang." in str(one) for one in stories(page))
    assert "Temperature 0.3" in said(page)
    assert "SECRET" not in said(page)
    assert not {"star", "delete", "keep"} & {key.split("-")[0] for key in keys(page)}
    assert pages.engine.ran == []


def test_what_cannot_be_shown_is_a_sentence(pages):
    run, other = save(pages), save(pages, "b" * 32)
    tokens = {
        "nothing at this link": "0" * 32,
        "was revoked": shared(pages, run),
        "time of this link is over": shared(pages, run, days=1, now=time.time() - KEEP_ENDED_S / 2),
        "was deleted": shared(pages, other),
    }  # fmt: skip
    pages.store.revoke(OWNER, tokens["was revoked"])
    pages.store.delete(OWNER, [other.id])
    for sentence, token in tokens.items():
        page = pages.open(PAGE, s=token)
        assert any(sentence in one for one in messages(page)), sentence
        assert "dragon" not in said(page)
    assert "nothing at this link" in said(pages.open(PAGE))


def test_a_run_is_shared_from_its_page_with_its_link_as_a_qr_code_and_revoked(pages):
    page = pages.open("pages/text.py")
    page.text_area[0].set_value("A whale")
    press(page, "run")
    settle(pages, page)
    owner = next(iter({job.owner for job in pages.jobs._jobs.values()}))
    make = next(key for key in keys(page) if key.startswith("share-") and key.endswith("-run-make"))
    assert "Not your name, notes, tags or other results" in said(page)
    widget(page, "segmented_control", make.replace("-make", "-days")).set_value("After a week")
    press(page, make)
    (share,) = pages.store.shared(owner)
    assert 6.9 < (share.expires_at - time.time()) / 86400 < 7.1
    assert [link for link in links(page) if f"/shared?s={share.token}" in link]
    assert any(f"/shared?s={share.token}" in item.value for item in page.code)
    assert "Open until" in said(page)
    press(page, make.replace("-make", "-revoke"))
    assert pages.store.shared(owner) == []
    assert pages.store.open_share(share.token).state == "revoked"
    assert make in keys(page)
