"""How long lists and searches take in a short history and in a long one.

    python -m benchmarks.history [RUNS]

Fills a store with 100 runs and one with RUNS (100,000), of eight words each and 150 that were made, and prints the
median of seven tries of the first page, a later one, searches, filters, and opening the store. Filling takes minutes.
"""

import random
import statistics
import sys
import tempfile
import time

from models import library, records
from models.finding import Filter
from models.store import Store
from models.tables import runs
from models.types import Output, Request, Run

PHRASE = "once upon a time a small dragon saw the red castle by the river at night and the queen of the forest sang"
WORDS = sorted(set(PHRASE.split()))
SHORT, LONG, TRIES = 100, 100_000, 7
OWNER = "somebody"


def fill(store: Store, count: int) -> None:
    """Keep `count` runs of one owner, every tenth of a job of three, without files."""
    chance = random.Random(1)
    with store._write() as connection:
        for number in range(count):
            prompt = f"{' '.join(chance.choices(WORDS, k=8))} w{number}"
            request = Request(model=f"room{number % 3}/model", inputs={"prompt": prompt}, seed=number % 1000)
            made = [Output("text", text=" ".join(chance.choices(WORDS, k=150)))]
            job = f"job-{number // 3}" if number % 10 == 0 else f"alone-{number}"
            run = Run(f"{number:032x}", OWNER, job, request, "done", float(number), made)
            record = records.record_of(run)
            row = {"id": run.id, "owner": OWNER, "job": job, "model": request.model, "status": "done",
                   "created_at": run.created_at, "record": record, "record_bytes": len(record)}  # fmt: skip
            connection.execute(runs.insert(), row)
            library.place(connection, run)


def measure(folder: str, count: int) -> dict[str, float]:
    """Return the median seconds of each look at a history of `count` runs."""
    store = Store("", folder)
    fill(store, count)
    looks = {
        "first page": lambda: store.find(OWNER, Filter()),
        "a page in the middle": lambda: store.find(OWNER, Filter(), (count / 2, "")),
        "search: a rare word": lambda: store.find(OWNER, Filter(text="w77")),
        "search: a word of most": lambda: store.find(OWNER, Filter(text="dragon")),
        "search: two words": lambda: store.find(OWNER, Filter(text="dragon queen")),
        "search: one letter": lambda: store.find(OWNER, Filter(text="d")),
        "filter: modality": lambda: store.find(OWNER, Filter(rooms=("room1",))),
        "filter: a seed that none has": lambda: store.find(OWNER, Filter(seed=5555)),
        "filter: starred, none": lambda: store.find(OWNER, Filter(starred=True)),
        "what can be chosen": lambda: store.kinds(OWNER),
        "count": lambda: store.count(OWNER, Filter(), 10_000),
        "open the store": lambda: Store("", folder).close(),
    }
    found = {}
    for name, look in looks.items():
        taken = []
        for _ in range(TRIES):
            begun = time.perf_counter()
            look()
            taken.append(time.perf_counter() - begun)
        found[name] = statistics.median(taken)
    store.close()
    return found


def main() -> None:
    """Measure both and print a table."""
    long = int(sys.argv[1]) if len(sys.argv) > 1 else LONG
    with tempfile.TemporaryDirectory() as short_folder, tempfile.TemporaryDirectory() as long_folder:
        short, full = measure(short_folder, SHORT), measure(long_folder, long)
    print(f"{'':32} {SHORT:>10,} {long:>10,} runs")
    for name, seconds in short.items():
        print(f"{name:32} {seconds * 1000:>7.1f} ms {full[name] * 1000:>7.1f} ms")


if __name__ == "__main__":
    main()
