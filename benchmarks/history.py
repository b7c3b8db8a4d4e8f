"""How long lists, searches and comparing take in a short history and in a long one, on SQLite and on PostgreSQL.

    python -m benchmarks.history [RUNS] [sqlite] [postgresql]

Fills an index with 100 runs and one with RUNS (100,000), of eight words each and 150 that were made, and prints the
least and the median of forty tries of the first page, a later one, searches, filters, comparing and opening the
store. PostgreSQL is Debian's package, started here on a socket of its own. Filling takes minutes.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from models import fulltext, records
from models import library as library_of
from models.finding import Filter
from models.store import Store
from models.tables import library, runs
from models.types import Output, Request, Run
from tests.postgres import Server

PHRASE = "once upon a time a small dragon saw the red castle by the river at night and the queen of the forest sang"
WORDS = sorted(set(PHRASE.split()))
SHORT, LONG, TRIES = 100, 100_000, 40
AT_ONCE = 1000
OWNER = "somebody"
EMPTY = dict.fromkeys(fulltext.PARTS, "")


def fill(store: Store, count: int) -> None:
    """Keep `count` runs of one owner, every tenth of a job of three, without files; at once, as nothing else could."""
    chance = random.Random(1)
    for first in range(0, count, AT_ONCE):
        rows, shelf, words = [], [], []
        for number in range(first, min(first + AT_ONCE, count)):
            prompt = f"{' '.join(chance.choices(WORDS, k=8))} w{number}x"
            request = Request(model=f"room{number % 3}/model", inputs={"prompt": prompt}, seed=number % 1000)
            made = [Output("text", text=" ".join(chance.choices(WORDS, k=150)))]
            job = f"job-{number // 3}" if number % 10 == 0 else f"alone-{number}"
            run = Run(f"{number:032x}", OWNER, job, request, "done", float(number), made)
            record = records.record_of(run)
            rows.append({"id": run.id, "owner": OWNER, "job": job, "model": request.model, "status": "done",
                         "created_at": run.created_at, "record": record, "record_bytes": len(record)})  # fmt: skip
            key = library_of.first_number(run.created_at)
            shelf.append({"number": key, "run_id": run.id, "owner": OWNER, "job": job, "model": request.model,
                          "task": "", "seed": request.seed, "created_at": run.created_at, "starred": False,
                          "title": "", "note": "", "deleted_at": None})  # fmt: skip
            parts = {"prompt": records.prompt_words(request), "said": records.said_words(run)}
            words.append((key, job, parts))
        with store._write() as connection:
            connection.execute(runs.insert(), rows)
            connection.execute(library.insert(), shelf)
            to = fulltext.table(connection)
            if to is fulltext.words:
                connection.execute(to.insert(), [
                    {"rowid": at, **EMPTY, **parts, "keys": fulltext._keys(to, OWNER, job)} for at, job, parts in words
                ])  # fmt: skip
                continue
            values = {part: sa.cast(sa.bindparam(part, type_=sa.Text), to.c[part].type) for part in fulltext.PARTS}
            values["keys"] = sa.cast(sa.bindparam("keys", type_=sa.Text), to.c["keys"].type)
            vectors = [{name: fulltext._vector(text) for name, text in parts.items()} for *_, parts in words]
            keys = [" ".join(f"'{key}'" for key in fulltext._keys(fulltext.words, OWNER, job).split())
                    for _, job, _ in words]  # fmt: skip
            connection.execute(
                to.insert().values(rowid=sa.bindparam("rowid"), **values),
                [
                    {"rowid": at, **EMPTY, **one, "keys": key}
                    for (at, *_), one, key in zip(words, vectors, keys, strict=True)
                ],
            )


def filled(url: str, folder: Path, count: int) -> tuple[Store, dict[str, Callable[[], object]]]:
    """Return a store with a history of `count` runs, and the looks at it."""
    store = Store(url, folder)
    begun = time.perf_counter()
    fill(store, count)
    if url:  # as the server does by itself, some time later
        with store._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.exec_driver_sql("CHECKPOINT")
    store.close()  # as after a start of the app
    print(f"{count:,} runs in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    four = [f"{count * part // 5:032x}" for part in (1, 2, 3, 4)]
    return store, {
        "first page": lambda: store.find(OWNER, Filter()),
        "a page in the middle": lambda: store.find(OWNER, Filter(), (count / 2, "")),
        "search: a rare word": lambda: store.find(OWNER, Filter(text="w77x")),
        "search: a beginning of a thousand words": lambda: store.find(OWNER, Filter(text="w77")),
        "search: a word of most": lambda: store.find(OWNER, Filter(text="dragon")),
        "search: two words": lambda: store.find(OWNER, Filter(text="dragon queen")),
        "search: one letter": lambda: store.find(OWNER, Filter(text="d")),
        "search: a word that none has": lambda: store.find(OWNER, Filter(text="elephant")),
        "search: how many have a word": lambda: store.count(OWNER, Filter(text="dragon"), 10_000),
        "compare four": lambda: store.found(OWNER, four),
        "filter: modality": lambda: store.find(OWNER, Filter(rooms=("room1",))),
        "filter: a seed that none has": lambda: store.find(OWNER, Filter(seed=5555)),
        "filter: starred, none": lambda: store.find(OWNER, Filter(starred=True)),
        "what can be chosen": lambda: store.kinds(OWNER),
        "count": lambda: store.count(OWNER, Filter(), 10_000),
        "open the store": lambda: Store(url, folder).close(),
    }


def compare(kind: str, short: tuple[str, Path], full: tuple[str, Path], count: int) -> None:
    """Measure both by turns, so that whatever else the machine does meets both, and print a table; URL and folder."""
    (few, at_few), (many, at_many) = filled(*short, SHORT), filled(*full, count)
    print(f"{kind:40} {SHORT:>21,} {count:>21,} runs: least (median)")
    for name in at_few:
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(TRIES):
            for look, seconds in zip((at_few[name], at_many[name]), taken, strict=True):
                begun = time.perf_counter()
                look()
                seconds.append(time.perf_counter() - begun)
        shown = [f"{min(one) * 1000:>7.1f} ({statistics.median(one) * 1000:>7.1f}) ms" for one in taken]
        print(f"{name:40} {'   '.join(shown)}  × {min(taken[1]) / min(taken[0]):.1f}", flush=True)
    few.close()
    many.close()


def main() -> None:
    """Measure what the command line names, else both kinds."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    kinds = [word for word in sys.argv[1:] if not word.isdigit()] or ["sqlite", "postgresql"]
    count = numbers[0] if numbers else LONG
    with tempfile.TemporaryDirectory() as folder:
        short, full = Path(folder) / "short", Path(folder) / "full"
        if "sqlite" in kinds:
            compare("SQLite", ("", short), ("", full), count)
        if "postgresql" in kinds:
            server = Server(fsync="on", synchronous_commit="on", full_page_writes="on", autovacuum="on",
                            shared_buffers="128MB", max_wal_size="1GB")  # fmt: skip
            try:
                urls = [server.url(server.bare()) for _ in "ab"]
                compare("PostgreSQL", (urls[0], short), (urls[1], full), count)
            finally:
                server.close()


if __name__ == "__main__":
    main()
