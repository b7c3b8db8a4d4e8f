"""What the store keeps of an owner beside runs: what their pages hold; and how all of it goes."""

import json
import time

import pytest
import sqlalchemy as sa

from models import fulltext
from models.errors import BadInput
from models.store import Store
from models.tables import runs
from models.types import Request
from tests.stored import HOUR, age, ids, kept_run, make_run

DAY_S = 24 * 3600


def ask(model="text/fake", **params):
    return Request(model=model, inputs={"prompt": "a dragon"}, params=params, seed=3)


def test_the_newest_page_of_each_model_is_kept_for_its_owner(store):
    store.save_desk("ann", ask(temperature=0.3))
    store.save_desk("ann", ask("image/other"))
    store.save_desk("ann", ask(temperature=0.9))
    assert store.desks("ann") == [ask("image/other"), ask(temperature=0.9)]
    assert store.desks("bob") == []


def test_a_page_that_is_damaged_is_left_out(store):
    store.save_desk("ann", ask())
    store.save_desk("ann", ask("image/other"))
    with store._write() as connection:
        connection.exec_driver_sql("UPDATE desks SET content = '{' WHERE model = 'text/fake'")
    assert store.desks("ann") == [ask("image/other")]


def test_pages_move_with_the_runs_and_the_new_owners_own_stay(store):
    store.save_desk("ann", ask(temperature=0.3))
    store.save_desk("ann", ask("image/other"))
    store.save_desk("bob", ask(temperature=0.7))
    store.move_owner("ann", "bob")
    assert sorted(one.model for one in store.desks("bob")) == ["image/other", "text/fake"]
    assert ask(temperature=0.7) in store.desks("bob")
    assert store.desks("ann") == []


def test_what_pages_note_is_kept_moved_and_forgotten_with_its_owner(store):
    store.save_note("ann", "text-kept", {"run": "job"})
    store.save_note("ann", "text-kept", {"other": "job"})
    store.save_note("ann", "look", "Words")
    store.save_note("bob", "look", "Layers")
    assert (store.note("ann", "text-kept"), store.note("bob", "text-kept")) == ({"other": "job"}, None)
    store.move_owner("ann", "bob")
    assert (store.note("bob", "text-kept"), store.note("bob", "look")) == ({"other": "job"}, "Layers")
    assert store.note("ann", "look") is None
    with store._write() as connection:
        connection.exec_driver_sql("UPDATE notes SET content = '{' WHERE name = 'look'")
    assert store.note("bob", "look") is None
    store.forget("bob")
    assert store.note("bob", "text-kept") is None
    store.save_note("cookie:old", "look", "Words")
    assert store.forget_idle("cookie:", time.time() + 1) == 1


def test_forgetting_takes_what_nobody_else_needs(store):
    mine, shared, held, lost = (store.take("ann", data) for data in (b"mine", b"shared", b"held", b"uploaded, not run"))
    store.take("bob", b"shared")
    store.take("bob", b"held")
    one = make_run("one", "only mine")
    one.request = Request(model="text/fake", inputs={"image": mine, "mask": shared, "audio": held})
    store.save_run(one)
    other = make_run("two", "both", owner="bob")
    other.request = Request(model="text/fake", inputs={"image": shared})
    store.save_run(other)
    store.save_desk("ann", Request(model="text/fake", inputs={"image": lost}))
    store.save_desk("bob", Request(model="text/fake", inputs={"image": held}))
    store.put_beside(mine, "decoded", b"what was made of it")
    assert store.forget("ann") == 1
    assert (ids(store.runs()), store.desks("ann")) == (["two"], [])
    assert [store.path(ref).exists() for ref in (mine, shared, held, lost)] == [False, True, True, False]
    assert store.get_beside(mine, "decoded") is None
    assert kept_run(store, "two", load=True).outputs[0].data
    assert store.forget("ann") == 0


def test_a_hash_is_no_key_to_another_owner_s_file(store):
    upload, made = store.take("ann", b"her photo"), make_run("one", "a result")
    store.save_run(made)
    for ref in (upload, made.outputs[0].sha256):
        assert store.owns("ann", ref)
        assert not store.owns("bob", ref)
    store.move_owner("ann", "user:ann")
    assert store.owns("user:ann", upload) and not store.owns("ann", upload)
    with pytest.raises(BadInput):
        store.owns("ann", "../secrets")


@pytest.mark.parametrize("name", ["prompt", "image", "negative_prompt"])
def test_who_writes_a_hash_into_a_text_owns_and_holds_nothing(store, name):
    upload = store.take("ann", b"her photo")
    thief = make_run("two", "his", owner="bob")
    thief.request = Request(model="text/fake", inputs={name: upload}, params={"negative_prompt": upload})
    store.save_run(thief)
    store.save_desk("bob", thief.request)
    assert not store.owns("bob", upload)
    store.forget("ann")
    assert not store.path(upload).exists()
    store.take("bob", b"her photo")  # he had it himself
    assert store.owns("bob", upload)


def test_a_store_of_before_there_was_a_list_gives_its_owners_what_their_runs_and_pages_name(store, database):
    given, held = store.put_bytes(b"given"), store.put_bytes(b"held")
    store.save_run(make_run("one", "a result"))
    run = store.runs("ann")[0]
    with store._write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO run_artifacts (run_id, sha256) VALUES ('one', '{given.removeprefix('sha256:')}')"
        )
    store.save_desk("ann", Request(model="text/fake", inputs={"image": held}))
    store.save_run(make_run("two", "his result", owner="bob"))
    his = store.runs("bob")[0].outputs[0].sha256
    store.save_desk("cid", Request(model="text/fake", inputs={"image": given}))
    with store._write() as connection:  # before there were migrations, too
        words = fulltext.table(connection).name
        for name in ("owned_files", "library", "tags", words, "shares", "sweeps", "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql("UPDATE playground_schema SET version = 1")
    again = Store(database, store.data_dir)
    hers = (given, held, run.outputs[0].sha256)
    assert [again.owns("ann", ref) for ref in (*hers, his)] == [True, True, True, False]
    assert [again.owns("bob", ref) for ref in (*hers, his)] == [False, False, False, True]
    assert [again.owns("cid", ref) for ref in (*hers, his)] == [True, False, False, False]
    again.close()


def test_forgetting_takes_uploads_that_no_run_and_no_page_names(store):
    stroke, both, effect = store.take("ann", b"a stroke"), store.take("ann", b"both"), store.put_bytes(b"an effect")
    store.take("bob", b"both")
    store.own("ann", effect)
    store.forget("ann")
    assert [store.path(ref).exists() for ref in (stroke, both, effect)] == [False, True, False]
    assert store.owns("bob", both) and not store.owns("ann", stroke)


def test_who_uploaded_and_stayed_away_is_forgotten(store, monkeypatch):
    monkeypatch.setattr("models.store.time.time", lambda: 1000.0)
    ref = store.take("cookie:a", b"an upload")
    monkeypatch.undo()
    assert store.forget_idle("cookie:", 2000.0) == 1
    assert not store.path(ref).exists()


def test_a_cleared_upload_is_nobody_s(store):
    ref = store.take("ann", b"x" * 1000)
    age(store, 2 * HOUR)
    store.prune(max_bytes=10)
    assert not store.path(ref).exists()
    store.put_bytes(b"x" * 1000)  # somebody else's, of the same bytes
    assert not store.owns("ann", ref)


def test_those_who_stayed_away_are_forgotten_and_no_others(store):
    now = time.time()
    store.save_run(make_run("old", owner="cookie:a", created_at=now - 2 * DAY_S))
    store.save_run(make_run("old-but-here", owner="cookie:b", created_at=now - 2 * DAY_S))
    store.save_desk("cookie:b", ask())
    store.save_run(make_run("account", owner="user:c", created_at=now - 9 * DAY_S))
    store.save_run(make_run("odd", owner="cookie%d", created_at=now - 9 * DAY_S))
    assert store.forget_idle("cookie:", now - DAY_S) == 1
    assert sorted(ids(store.runs())) == ["account", "odd", "old-but-here"]


def test_the_runs_of_sessions_long_ago_are_taken_and_nobody_elses(store):
    for name, owner in (("old", "5f6d-session"), ("mine", "machine:me"), ("other", "user:b")):
        store.save_run(make_run(name, owner=owner))
    assert store.take_sessions("machine:me") == 1
    assert sorted(ids(store.runs("machine:me"))) == ["mine", "old"]
    assert ids(store.runs("user:b")) == ["other"]


def test_a_run_keeps_what_its_job_was_for(store):
    run = make_run("one")
    run.purpose = "walk"
    store.save_run(run)
    assert kept_run(store, "one").purpose == "walk"


def test_a_record_written_before_there_were_purposes_has_none(store):
    store.save_run(make_run("one"))
    with store._write() as connection:
        record = json.loads(connection.execute(sa.select(runs.c.record)).scalar_one())
        record.pop("purpose", None)
        connection.execute(runs.update().values(record=json.dumps(record)))
    assert kept_run(store, "one").purpose == ""


def all_of(store, owner):
    """Return all that is kept of an owner, and which of the files named here are theirs."""
    named = [store.put_bytes(f"{who}'s upload".encode()) for who in ("ann", "anna", "bob", "cookie:ann")]
    return (
        sorted((run.id, run.owner) for run in store.runs(owner)), store.desks(owner), store.note(owner, "look"),
        [store.owns(owner, ref) for ref in named],
    )  # fmt: skip


ACTS = {
    "save_desk": lambda store: store.save_desk("ann", ask(temperature=0.9)),
    "forget_desks": lambda store: store.forget_desks("ann"),
    "save_note": lambda store: store.save_note("ann", "look", "Layers"),
    "save_run": lambda store: store.save_run(make_run("more", "more", owner="ann")),
    "take": lambda store: store.take("ann", b"another upload"),
    "own": lambda store: store.own("ann", store.put_bytes(b"an effect")),
    "forget": lambda store: store.forget("ann"),
    "move_owner": lambda store: store.move_owner("ann", "new"),
    "forget_idle": lambda store: store.forget_idle("ann", time.time() + 99),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_is_done_with_one_owner_leaves_all_others_as_they_are(store, act):
    owners = ("ann", "anna", "bob", "cookie:ann")
    for owner in owners:
        upload = store.take(owner, f"{owner}'s upload".encode())
        store.save_run(make_run(f"run-{owner}", f"{owner}'s words", owner=owner, created_at=1e9))
        store.save_desk(owner, Request(model="text/fake", inputs={"image": upload}))
        store.save_note(owner, "look", owner)
    before = {owner: all_of(store, owner) for owner in owners}
    assert before["anna"] == (
        [("run-anna", "anna")], [Request(model="text/fake", inputs={"image": store.put_bytes(b"anna's upload")})],
        "anna", [False, True, False, False],
    )  # fmt: skip
    ACTS[act](store)
    others = owners[2:] if act == "forget_idle" else owners[1:]  # "ann" begins "anna" too
    assert {owner: all_of(store, owner) for owner in others} == {owner: before[owner] for owner in others}
