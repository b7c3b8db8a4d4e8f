"""Links to finished runs: whose they are, until when they are open, and what they say where there is nothing to see."""

import json
import time

import pytest

from models.errors import BadInput
from models.finding import Filter
from models.pruning import KEEP_S
from models.settings import Settings
from models.sharing import COMPARED_MOST, KEEP_ENDED_S, SHARED_MOST
from models.store import Store
from models.tables import runs, shares
from models.types import Request
from tests.stored import HOUR, make_run

DAY = 86400.0


@pytest.fixture
def store(tmp_path):
    store = Store(Settings(data_dir=tmp_path / "data"))
    for name, owner in (("one", "ann"), ("two", "ann"), ("his", "bob")):
        store.save_run(make_run(name, f"{name} sang", owner=owner, job=f"job-{name}"))
    yield store
    store.close()


def rows(store):
    with store._read() as connection:
        return connection.execute(shares.select()).mappings().all()


def test_whoever_has_the_link_sees_the_run_and_nothing_of_its_owner(store):
    store.rename("ann", "one", "SECRET name")
    store.write_note("ann", "one", "SECRET note")
    store.tag("ann", "one", ["SECRET tag"])
    made = store.share("ann", ["one"])
    opened = store.open_share(made.token)
    assert (opened.state, opened.sentence, list(opened.runs)) == ("open", "", ["one"])
    run = opened.runs["one"]
    assert (run.owner, run.job, run.outputs[0].text) == ("", "", "one sang")
    assert store.get_bytes(run.outputs[0].sha256)
    assert "SECRET" not in repr(opened)
    assert "ann" not in repr(opened)
    assert "two" not in repr(opened)


def test_nobody_shares_what_is_not_theirs(store):
    for ids in (["his"], ["one", "his"], ["nothing"]):
        with pytest.raises(BadInput, match="not kept here as yours"):
            store.share("ann", ids, "run" if len(ids) == 1 else "comparison")
    assert rows(store) == []


def test_a_run_that_became_somebody_elses_is_shown_by_no_link_of_before(store):
    token = store.share("ann", ["one"]).token
    with store._write() as connection:  # as no way of the app does it
        connection.execute(runs.update().where(runs.c.id == "one").values(owner="bob"))
    assert store.open_share(token).state == "deleted"


def test_tokens_are_long_all_different_and_no_other_text_opens_anything(store):
    tokens = {store.share("ann", ["one"]).token for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(bytes.fromhex(token)) * 8 >= 128 for token in tokens)
    token = tokens.pop()
    for text in (
        "",
        "one",
        token[:-1],
        token + "0",
        token.upper() + " ",
        f" {token}",
        "%",
        "_" * 32,
        "0" * 32,
        "\0" * 32,
        "é" * 32,
        "' OR 1=1 --",
        token[:31] + "%",
        "９" * 32,
        "\ud800" * 32,
        token.replace(token[0], "*"),
    ):
        opened = store.open_share(text)  # fmt: skip
        assert (opened.state, opened.share, opened.runs) == ("unknown", None, {})
        assert "nothing at this link" in opened.sentence


def test_a_link_is_open_until_its_time_is_over(store):
    week, good = store.share("ann", ["one"], days=7, now=1000.0), store.share("ann", ["two"], now=1000.0)
    assert week.expires_at == 1000.0 + 7 * DAY
    assert store.open_share(week.token, now=1000.0 + 7 * DAY - 1).state == "open"
    later = store.open_share(week.token, now=1000.0 + 7 * DAY)
    assert (later.state, later.runs) == ("expired", {})
    assert "time of this link is over" in later.sentence
    assert store.open_share(good.token, now=1000.0 + 9999 * DAY).state == "open"
    assert [one.token for one in store.shared("ann", now=1000.0 + 8 * DAY)] == [good.token]


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 3651, True])
def test_a_time_that_is_none_is_refused(store, days):
    with pytest.raises(BadInput, match="at most 3,650 days"):
        store.share("ann", ["one"], days=days)


def test_only_its_owner_revokes_a_link_once_and_it_says_so(store):
    made = store.share("ann", ["one"])
    assert store.revoke("bob", made.token) is False
    assert store.open_share(made.token).state == "open"
    assert store.revoke("ann", made.token) is True
    assert store.revoke("ann", made.token) is False
    opened = store.open_share(made.token)
    assert (opened.state, opened.runs) == ("revoked", {})
    assert "revoked" in opened.sentence
    assert store.shared("ann") == []


def test_the_links_of_an_owner_are_theirs_alone_the_newest_first(store):
    first, second = store.share("ann", ["one"], now=5.0), store.share("ann", ["two"], now=6.0)
    store.share("bob", ["his"], now=7.0)
    assert [one.token for one in store.shared("ann", now=8.0)] == [second.token, first.token]
    assert [one.runs for one in store.shared("ann", now=8.0)] == [("two",), ("one",)]


def test_a_deleted_run_is_shown_no_more_until_it_is_taken_back(store):
    token = store.share("ann", ["one"]).token
    store.delete("ann", ["one"])
    opened = store.open_share(token)
    assert (opened.state, opened.runs) == ("deleted", {})
    assert "was deleted" in opened.sentence
    with pytest.raises(BadInput, match="not kept here"):
        store.share("ann", ["one"])
    store.restore("ann", ["one"])
    assert store.open_share(token).state == "open"
    store.delete("ann", ["one"], now=5.0)
    store.drop_deleted()
    assert store.open_share(token).state == "deleted"


def test_of_a_comparison_what_is_left_is_shown_in_order(store):
    token = store.share("ann", ["two", "one"], "comparison").token
    assert list(store.open_share(token).runs) == ["two", "one"]
    store.delete("ann", ["two"])
    assert list(store.open_share(token).runs) == ["one"]


def test_a_sweep_keeps_its_file_and_the_cell_of_each_run(store):
    token = store.share("ann", ["two", "one"], "sweep", sweep='{"v": 1}', cells=[3, 0]).token
    share = store.open_share(token).share
    assert (share.kind, share.sweep, share.runs, share.cells) == ("sweep", '{"v": 1}', ("two", "one"), (3, 0))


def test_a_request_is_kept_without_its_uploads(store):
    asked = Request(model="text/m", inputs={"prompt": "x" * 5000, "image": f"sha256:{'a' * 64}"}, seed=3)
    token = store.share("ann", kind="request", request=asked, made_with={"cpu": "x"}).token
    opened = store.open_share(token)
    assert (opened.state, opened.runs, opened.uploads) == ("open", {}, frozenset())
    assert opened.share.request == asked.model_copy(update={"inputs": {"prompt": "x" * 5000}})
    assert opened.share.made_with == {"cpu": "x"}


@pytest.mark.parametrize(
    ("ids", "kind", "more"),
    [
        ((), "run", {}), (("one", "two"), "run", {}), (("one",), "comparison", {}),
        (("one", "one"), "comparison", {}), (("one",), "sweep", {"cells": [0]}), (("one",), "sweep", {"sweep": "{}"}),
        ((), "request", {}), (("one",), "request", {"request": Request(model="text/m")}),
        ((), "request", {"request": Request(model="text/m", study="attention")}),
        ((), "request", {"request": Request(model="text/m", inputs={"prompt": "x" * 1_000_001})}),
    ],
)  # fmt: skip
def test_what_makes_no_link_is_refused(store, ids, kind, more):
    with pytest.raises(BadInput):
        store.share("ann", ids, kind, **more)
    assert rows(store) == []


def test_a_comparison_has_a_most(store):
    for number in range(COMPARED_MOST + 1):
        store.save_run(make_run(f"r{number}", owner="ann"))
    ids = [f"r{number}" for number in range(COMPARED_MOST + 1)]
    store.share("ann", ids[1:], "comparison")
    with pytest.raises(BadInput, match="2 to 48 results; 49 are given"):
        store.share("ann", ids, "comparison")


def test_an_upload_of_the_owners_is_part_of_what_is_shown_and_nobody_elses(store):
    mine, other = store.take("ann", b"mine"), store.take("bob", b"his")
    inputs = {"image": mine, "mask": other, "prompt": "A"}
    store.save_run(make_run("from", owner="ann", request=Request(model="image/m", inputs=inputs)))
    assert store.open_share(store.share("ann", ["from"]).token).uploads == frozenset({mine})


def test_who_is_forgotten_shares_nothing(store):
    token, kept = store.share("ann", ["one"]).token, store.share("bob", ["his"]).token
    store.forget("ann")
    assert store.open_share(token).state == "unknown"
    assert store.open_share(kept).state == "open"
    assert [row["token"] for row in rows(store)] == [kept]


def test_links_go_with_the_runs_to_who_takes_over(store):
    token = store.share("ann", ["one"]).token
    store.move_owner("ann", "user:ann")
    assert store.open_share(token).state == "open"
    assert store.shared("ann") == []
    assert store.revoke("user:ann", token) is True


def test_what_is_shared_goes_last_when_space_is_short_as_long_as_its_link_is_open(store):
    now, name = time.time(), "a" * 32  # as the ids of runs are
    store.save_run(make_run(name, owner="ann"))
    store.share("ann", [name])
    store.prune(max_runs=1, keep_s=0.0, now=now + KEEP_S)
    assert store.found_ids("ann", Filter()) == [name]
    store.prune(max_age_s=HOUR, keep_s=0.0, now=now + DAY)
    assert store.found_ids("ann", Filter()) == [name]
    store.revoke("ann", store.shared("ann")[0].token)
    store.prune(max_age_s=HOUR, keep_s=0.0, now=now + DAY)
    assert store.found_ids("ann", Filter()) == []


def test_a_damaged_link_and_a_damaged_run_say_so(store):
    made = store.share("ann", ["one"])
    for content in ("", "{", "[]", "{}", '{"kind": "run"}', '{"kind": "x", "runs": ["one"]}',
                    '{"kind": "run", "runs": 5}', '{"kind": "run", "runs": [5]}',
                    '{"kind": "request", "request": {"seed": -5}}',
                    "[" * 5000, json.dumps({"kind": "sweep", "runs": ["one"], "cells": ["a"]})):  # fmt: skip
        with store._write() as connection:
            connection.execute(shares.update().values(content=content))
        opened = store.open_share(made.token)
        assert (opened.state, opened.runs) == ("damaged", {}), content
        assert "damaged" in opened.sentence
        assert store.shared("ann") == []
    token = store.share("ann", ["two"]).token
    with store._write() as connection:
        connection.execute(runs.update().where(runs.c.id == "two").values(record="{"))
    assert store.open_share(token).state == "damaged"


def test_an_owner_has_at_most_so_many_open_links_and_those_that_are_over_make_way(store, monkeypatch):
    monkeypatch.setattr("models.sharing.SHARED_MOST", 2)
    assert SHARED_MOST == 2000
    first, _ = store.share("ann", ["one"]), store.share("ann", ["two"])
    with pytest.raises(BadInput, match="Revoke some first"):
        store.share("ann", ["one"])
    store.revoke("ann", first.token)
    store.share("ann", ["one"])
    assert first.token not in {row["token"] for row in rows(store)}


def test_a_link_that_is_long_over_is_forgotten(store):
    old = store.share("ann", ["one"], days=1, now=0.0)
    store.share("ann", ["one"], now=DAY + KEEP_ENDED_S - 1)
    assert store.open_share(old.token, now=DAY * 2).state == "expired"
    store.share("ann", ["one"], now=DAY + KEEP_ENDED_S + 1)
    assert store.open_share(old.token, now=DAY * 2).state == "unknown"
