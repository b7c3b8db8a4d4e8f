"""Keep runs and find them again, for tests of what an owner does with them."""

from models import fulltext
from models.finding import Filter
from models.types import Request
from tests.stored import make_run


def save(store, name, prompt="Once", *texts, model="text/story-gpt", seed=7, at=1000.0, params=None, **more):
    request = Request(model=model, inputs={"prompt": prompt}, seed=seed, params=params or {})
    run = make_run(name, *texts, request=request, created_at=at, job=more.pop("job", f"job-{name}"), **more)
    store.save_run(run)
    return run


def names(store, owner="ann", **wanted):
    return [found.run.id for found in store.find(owner, Filter(**wanted)).rows]


def counted(store, *tables):
    """Return how many rows the tables have; `words` is that of the index of words, whatever its name."""
    with store._read() as connection:
        there = {"words": fulltext.table(connection).name}
        return [connection.exec_driver_sql(f"SELECT count(*) FROM {there.get(name, name)}").scalar() for name in tables]
