"""All uploads of an owner together are bounded: what nothing needs makes room, what is needed is never lost."""

import pytest

from models.errors import BadInput
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.stored import make_run

KB = 1000


@pytest.fixture
def store(tmp_path):
    store = Store(Settings(data_dir=tmp_path, uploads_per_owner_bytes=100 * KB))
    yield store
    store.close()


def upload(number, size=40 * KB):
    return bytes([number]) * size


def there(store, *refs):
    return [store.path(ref).exists() for ref in refs]


def run_with(ref, name="one", owner="ann", text="made"):
    run = make_run(name, text, owner=owner)
    run.request = Request(model="text/fake", inputs={"image": ref})
    return run


def test_uploads_that_nothing_needs_go_the_oldest_first(store):
    first, second = store.take("ann", upload(1)), store.take("ann", upload(2))
    third = store.take("ann", upload(3))
    assert there(store, first, second, third) == [False, True, True]
    assert [store.owns("ann", ref) for ref in (first, second, third)] == [False, True, True]
    assert store.take("ann", upload(3)) == third  # once more the same: it counts once
    assert there(store, second, third) == [True, True]


def test_what_a_run_a_page_or_the_caller_needs_stays_and_the_next_is_refused(store):
    ran, held, waiting = (store.take("ann", upload(number, 30 * KB)) for number in (1, 2, 3))
    store.save_run(run_with(ran))
    store.save_desk("ann", Request(model="text/fake", inputs={"image": held}))
    with pytest.raises(BadInput) as caught:
        store.take("ann", upload(4), keep={waiting})
    message = caught.value.message
    assert message.startswith("This is 40 kB, and your uploads already take up 90 kB; at most 100 kB are kept")
    assert "Delete what is kept for you under “Your results”" in message
    assert there(store, ran, held, waiting) == [True, True, True]
    assert not store.owns("ann", store.put_bytes(upload(4)))
    assert store.take("ann", upload(4))  # nothing waits with it any more
    assert there(store, ran, held, waiting) == [True, True, False]


def test_what_runs_made_counts_not_and_is_never_taken_for_an_upload(store):
    run = make_run("one", "x" * 300 * KB, owner="ann")
    store.save_run(run)
    one, two = store.take("ann", upload(1)), store.take("ann", upload(2))
    assert there(store, one, two) == [True, True]
    assert store.runs("ann", load=True)[0].outputs[0].data == run.outputs[0].data


def test_what_was_made_of_uploads_counts_and_goes_before_one_is_refused(store, tmp_path):
    made = tmp_path / "mono"
    made.write_bytes(bytes(50 * KB))
    needed = store.take("ann", upload(1, 10 * KB), {"mono": made})
    assert store.get_beside(needed, "mono") == bytes(50 * KB)
    store.save_run(run_with(needed))
    other = store.take("ann", upload(2, 60 * KB))
    assert store.get_beside(needed, "mono") is None  # it can be made again
    assert there(store, needed, other) == [True, True]


def test_others_are_not_asked_to_make_room_and_keep_what_they_share(store):
    shared, own = store.take("ann", upload(1)), store.take("bob", upload(2))
    store.take("bob", upload(1))
    store.take("ann", upload(3))
    store.take("ann", upload(4))
    assert there(store, shared, own) == [True, True]
    assert (store.owns("ann", shared), store.owns("bob", shared)) == (False, True)


def test_results_that_were_changed_are_bounded_too(store):
    first, second, third = (store.put_bytes(upload(number)) for number in (1, 2, 3))
    store.own("ann", first)
    store.own("ann", second)
    store.own("ann", third)
    assert there(store, first, second, third) == [False, True, True]
    with pytest.raises(BadInput, match="at most 100 kB are kept"):
        store.own("ann", store.put_bytes(upload(4, 200 * KB)))


def test_one_that_is_too_large_alone_takes_no_other_away(store):
    one = store.take("ann", upload(1))
    with pytest.raises(BadInput, match=r"This is 200 kB"):
        store.take("ann", upload(2, 200 * KB))
    assert there(store, one) == [True]
    assert store.owns("ann", one)


def test_a_store_of_before_knows_its_uploads(tmp_path):
    store = Store(Settings(data_dir=tmp_path))
    ref = store.take("ann", upload(1))
    store.save_run(run_with(ref))
    with store._write() as connection:  # as it was before there were migrations, and before files had owners
        for name in ("owned_files", "library", "tags", "library_words", "shares", "sweeps", "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql("UPDATE playground_schema SET version = 1")
    store.close()
    again = Store(Settings(data_dir=tmp_path, uploads_per_owner_bytes=50 * KB))
    with pytest.raises(BadInput, match="at most"):
        again.take("ann", upload(2))
    again.close()


def test_an_upload_is_let_go_where_nothing_of_its_owner_needs_it(store):
    ran, held, free, shared = (store.take("ann", upload(number, 10 * KB)) for number in (1, 2, 3, 4))
    store.save_run(run_with(ran))
    store.save_desk("ann", Request(model="text/fake", inputs={"image": held}))
    assert store.take("bob", upload(4, 10 * KB)) == shared
    for ref in (ran, held, free, shared, "no reference"):
        store.let_go("ann", Request(model="text/fake", inputs={"image": ref}))
    assert there(store, ran, held, free, shared) == [True, True, False, True]
    assert [store.owns("ann", ref) for ref in (ran, held, free, shared)] == [True, True, False, False]
    assert store.owns("bob", shared)
