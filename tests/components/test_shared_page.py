"""What a link shows, and the menu that makes one: only what was shared, nothing started, a sentence for all else."""

import io
import json
import time
from dataclasses import replace

import pytest
from PIL import Image

from components import presence, share_menu, shared_sweep
from models import receipts
from models import tables as shares_of
from models.catalog import load_catalog
from models.finding import Filter
from models.sharing import KEEP_ENDED_S
from models.shelf import Found
from models.sweeps import cells
from models.sweeps.spec import Axis, Sweep
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
    opens = next(key for key in keys(page) if key.startswith("share-") and key.endswith("-share"))
    assert not any(key.endswith("-run-make") for key in keys(page))
    press(page, opens)
    make = next(key for key in keys(page) if key.endswith("-run-make"))
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


def test_what_differs_here_is_listed_and_nothing_where_all_is_as_it_was(pages):
    here = receipts.here(library_catalog(pages), pages.jobs.settings, MODEL)
    then = {"revision": "f" * 64, "cpu": "Abacus <b>9</b>", "versions": {**here["versions"], "torch": "1.0"}}
    same = save(pages, stats={"made_with": here})
    other = save(pages, "b" * 32, stats={"made_with": {**here, **then}})
    assert "gives the same bytes" in said(pages.open(PAGE, s=shared(pages, same)))
    told = said(pages.open(PAGE, s=shared(pages, other)))
    assert f"weights: ffffffffffff there, {here['revision'][:12]} here" in told
    assert f"torch: 1.0 there, {here['versions']['torch']} here" in told
    assert "processor: Abacus <b>9</b> there" in told
    assert "gives the same bytes" not in told
    assert "not noted then" in said(pages.open(PAGE, s=shared(pages, save(pages, "c" * 32))))


def library_catalog(pages):
    return load_catalog(pages.jobs.settings)


def test_a_result_of_a_model_that_is_not_here_is_shown_and_cannot_be_tried(pages):
    page = pages.open(PAGE, s=shared(pages, save(pages, model="text/gone")))
    assert "The model text/gone is not here" in said(page)
    assert any("sang." in str(one) for one in stories(page))
    assert not any(key.endswith("-try") for key in keys(page))


def test_trying_fills_the_page_and_starts_nothing(pages):
    run = save(pages, prompt="A whale", params={"temperature": 0.3}, seed=99)
    page = pages.open("Home.py")
    page.query_params["s"] = shared(pages, run)
    page.switch_page(PAGE).run()
    press(page, f"shared-{run.id}-try")
    assert page.text_area[0].value == "A whale"
    assert widget(page, "slider", "story-gpt.temperature").value == 0.3
    assert "opened from what somebody shared" in said(page)
    assert pages.engine.ran == []
    assert pages.store.runs(READER) == []


def test_a_link_to_settings_alone_opens_the_models_page_with_them(pages):
    asked = Request(model=MODEL, inputs={"prompt": "word " * 1000}, seed=5, params={"temperature": 0.4})
    page = pages.open("Home.py")
    page.query_params["s"] = pages.store.share(OWNER, kind="request", request=asked, made_with={"cpu": "Abacus"}).token
    page.switch_page(PAGE).run()
    assert not page.exception, page.exception
    assert page.text_area[0].value == "word " * 1000
    assert "processor: Abacus there" in said(page)
    assert pages.engine.ran == []


def test_a_link_to_settings_of_a_model_that_is_not_here_shows_the_prompt(pages):
    asked = Request(model="text/gone", inputs={"prompt": "A whale"})
    page = pages.open(PAGE, s=pages.store.share(OWNER, kind="request", request=asked).token)
    assert "asks for the model text/gone, which is not here" in said(page)
    assert page.code[0].value == "A whale"


def test_a_comparison_says_what_differs_and_each_can_be_tried(pages):
    one, two = save(pages, params={"temperature": 0.3}), save(pages, "b" * 32, params={"temperature": 0.9})
    pages.store.rename(OWNER, one.id, "SECRETname")
    page = pages.open(PAGE, s=shared(pages, two, one, kind="comparison"))
    assert "| Temperature | 0.9 | 0.3 |" in said(page)
    assert "SECRET" not in said(page)
    assert {f"shared-{run.id}-try" for run in (one, two)} <= {*keys(page)}


def test_a_file_of_the_owners_is_shown_and_becomes_the_readers_only_when_they_try(pages):
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    ref = pages.store.take(OWNER, picture.getvalue())
    hidden = pages.store.take("carl", b"SECRET of somebody else")
    model = "image/emoji-diffusion"
    request = Request(model=model, inputs={"prompt": "heart", "image": ref, "mask": hidden},
                      params={"task": "image to image"})  # fmt: skip
    run = make_run("d" * 32, "x", owner=OWNER, request=request)
    pages.store.save_run(run)
    page = pages.open("Home.py")
    page.query_params["s"] = shared(pages, run)
    page.switch_page(PAGE).run()
    assert not page.exception, page.exception
    assert any("Download the" in item.proto.label for item in page.get("download_button"))
    assert "a file that is not here any more" in said(page)
    assert not pages.store.owns(READER, ref)
    press(page, f"shared-{run.id}-try")
    assert pages.store.owns(READER, ref)
    assert not pages.store.owns(READER, hidden)
    assert pages.engine.ran == []


# -- sweeps ------------------------------------------------------------------------------------------------------------


def sweep(pages, said=("One", "Two", "Three")):
    """Return the token of a shared sweep over the seed, and its runs."""
    asked = Sweep(Request(model=MODEL, inputs={"prompt": "A cat"}), (Axis("seed", (0, 1, 2)),))
    plan = cells.plan(library_catalog(pages), asked)
    runs = []
    for cell, text in zip(plan.cells, said, strict=True):
        run = make_run(f"{cell.number}" * 32, f"A cat {text}", owner=OWNER, request=cell.request, purpose="sweep")
        pages.store.save_run(run)
        runs.append(run)
    token = pages.store.share(OWNER, [run.id for run in runs], "sweep", sweep=asked.to_json(), cells=range(3)).token
    return token, runs


def grid(page):
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return next(data for data in found if "states" in data)


def test_a_shared_sweep_is_its_grid_and_nothing_runs(pages):
    token, runs = sweep(pages)
    page = pages.open(PAGE, s=token)
    assert grid(page)["states"] == "ccc"
    assert grid(page)["axes"][0]["values"] == ["seed 0", "seed 1", "seed 2"]
    pages.store.delete(OWNER, [runs[1].id])
    page.run()
    assert grid(page)["states"] == "c.c"
    assert "1 of 3 results were deleted" in said(page)
    assert not any("go-on" in key or "sweep-run" in key for key in keys(page))
    assert pages.engine.ran == []


def test_an_audit_makes_two_cells_again_as_the_readers_own_and_says_what_came(pages, monkeypatch):
    monkeypatch.setattr(shared_sweep.random, "sample", lambda cells, many: list(cells)[:many])
    text = "A cat word0 word1 word2"  # as the engine makes it
    request = Request(model=MODEL, inputs={"prompt": "A cat"}, seed=0)
    same = next(event for event in pages.engine.generate(request) if event.kind == "final").outputs[0]
    pages.engine.ran.clear()
    token, runs = sweep(pages, ["x", "y", "z"])
    good = replace(runs[0], outputs=[same])
    assert same.text == text
    pages.store.save_run(good)
    page = pages.open(PAGE, s=token)
    press(page, next(key for key in keys(page) if key.endswith("-audit")))
    settle(pages, page)
    settle(pages, page)
    assert "seed 0: **identical**" in said(page)
    assert "seed 1: **different**" in said(page)
    assert sorted(one.seed for one in pages.engine.ran) == [0, 1]
    assert {job.owner for job in pages.jobs._jobs.values()} == {READER}
    assert len(pages.store.found_ids(OWNER, Filter())) == 3


def test_a_shared_sweep_is_tried_with_its_axes_filled_in(pages):
    token, _ = sweep(pages)
    page = pages.open("Home.py")
    page.query_params["s"] = token
    page.switch_page(PAGE).run()
    press(page, next(key for key in keys(page) if key.endswith("-try")))
    assert page.text_area[0].value == "A cat"
    assert "what it varies is filled in" in said(page)
    assert pages.engine.ran == []


def test_a_sweep_whose_grid_cannot_be_drawn_here_is_shown_side_by_side(pages):
    token, runs = sweep(pages)
    gone = Sweep(Request(model="text/gone", inputs={"prompt": "A cat"}), (Axis("seed", (0, 1, 2)),))
    token = pages.store.share(OWNER, [run.id for run in runs], "sweep", sweep=gone.to_json(), cells=range(3)).token
    page = pages.open(PAGE, s=token)
    assert "grid cannot be drawn here" in said(page)
    assert len(stories(page)) == 3


def test_the_turns_before_a_shared_answer_are_shown(pages):
    turns = [{"role": "user", "content": "Hello <b>you</b>"}, {"role": "assistant", "content": "A fox"}]
    request = Request(model="text/story-chat", inputs={"prompt": "And then?", "messages": json.dumps(turns)})
    run = make_run("e" * 32, "It ran.", owner=OWNER, request=request)
    pages.store.save_run(run)
    page = pages.open(PAGE, s=shared(pages, run))
    told = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    assert [one["text"] for one in told if "looks" in one] == ["Hello <b>you</b>", "A fox"]
    assert "And then?" in [item.value for item in page.code]
    broken = make_run("f" * 32, "x", owner=OWNER,
                      request=request.model_copy(update={"inputs": {"prompt": "A", "messages": "{"}}))  # fmt: skip
    pages.store.save_run(broken)
    assert "must be a JSON list" in said(pages.open(PAGE, s=shared(pages, broken)))


def test_before_one_shares_it_is_said_what_is_seen_and_how_long(pages):
    picture = pages.store.take(READER, b"a picture")
    request = Request(model="image/emoji-diffusion", inputs={"prompt": "heart", "image": picture})
    run = make_run("a" * 32, "x", owner=READER, request=request, created_at=time.time())
    pages.store.save_run(run)
    page = pages.open("pages/runs.py", run=run.id)
    press(page, f"share-run-{run.id}-share")
    assert "gets the files that you uploaded for it" in said(page)
    assert "deleted after you close or reload this page, and the link with them" in said(page)


def test_what_is_deleted_meanwhile_cannot_be_shared_and_says_so(pages):
    run = save(pages, owner=READER)
    page = pages.open("pages/runs.py", run=run.id)
    press(page, f"share-run-{run.id}-share")
    with pages.store._write() as connection:
        connection.execute(shares_of.library.update().values(owner="carl"))
        connection.execute(shares_of.runs.update().values(owner="carl"))
    with pytest.MonkeyPatch.context() as patch:  # the page still shows what it showed
        patch.setattr(pages.store, "found", lambda *given, **more: [Found(run)])
        press(page, f"share-run-{run.id}-share")
        press(page, next(key for key in keys(page) if key.endswith("-run-make")))
        assert "cannot be shared" in said(page)
    assert pages.store.shared(READER) == []
