"""What a memory limit does to ordinary use: runs that were killed, lost, made again or refused.

    python -m benchmarks.memory_cap --megabytes 1000 --runs 200

Starts the app in a memory cgroup of its own (v1 or v2; root and a writable cgroup file system are needed), opens a page
of every room, and has it run every model that ships at default settings in random order, and then walks, word lenses,
several models side by side, and batches of eight. The kernel's own counter says how often its killer struck. Prints one
line a minute, and at the end a table in markdown and each different refusal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks import capped_app
from benchmarks.page_memory import stops, visit
from benchmarks.streamlit_client import ROOT, running_app, worker_of
from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.settings import Settings

ANSWER_S = 600.0


@contextmanager
def cgroup(cap: int) -> Iterator[Path]:
    """Make a capped cgroup under this process's own, or at the mount, and remove it at the end."""
    mount = Path("/sys/fs/cgroup")
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path.lstrip("/")
    one = mount / "memory"
    places = [one / paths.get("memory", ""), one] if one.is_dir() else [mount]
    limit, swap = ("memory.limit_in_bytes", "") if one.is_dir() else ("memory.max", "memory.swap.max")
    for place in places:
        group = place / f"playground-cap-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            (group / limit).write_text(str(cap))
            if swap:
                with suppress(OSError):
                    (group / swap).write_text("0")
            try:
                yield group
            finally:
                _remove(group)
            return
    raise SystemExit("No memory cgroup can be made here: run as root, with a writable cgroup file system.")


@contextmanager
def asking_app(folder: Path, group: Path, script: str = "Home.py") -> Iterator[tuple[int, psutil.Process, Any, Any]]:
    """Start the app in a cgroup, with its data in `folder`: its port, its process, where jobs are asked for, answers.

    See `capped_app` for what is written and read there.
    """
    asks, answers = folder / "asks", folder / "answers"
    os.mkfifo(asks)
    answers.touch()
    # the shell moves itself into the cgroup, then becomes the app
    command = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "capped",
               sys.executable, "-m", "benchmarks.capped_app"]  # fmt: skip
    pipes = {capped_app.ASKS: str(asks), capped_app.ANSWERS: str(answers)}
    with running_app(folder, script, command, **pipes) as (port, app), answers.open() as reader:
        worker_of(app)
        with asks.open("w") as pipe:
            yield port, app, pipe, reader


def _remove(group: Path) -> None:
    for _ in range(50):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.2)
    print(f"{group} could not be removed", file=sys.stderr)


def kills(group: Path) -> int:
    """Return how often the kernel's killer struck in a cgroup."""
    for name in ("memory.oom_control", "memory.events"):
        with suppress(OSError):
            for line in (group / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def plain_run(catalog: Catalog, model: str, files: Mapping[str, str], seed: int, **params: Any) -> dict[str, Any]:
    """Return a request at default settings, with an example as its prompt and, of `files`, what it needs."""
    spec, family = catalog[model], catalog.family(model)
    inputs = {}
    for item in family.inputs:
        if item.name == "prompt" and (item.required or spec.examples):
            inputs["prompt"] = random.Random(seed).choice(spec.examples or ("4 0 7",))
        if item.type in files and item.required:
            inputs[item.name] = files[item.type]
    return {"model": model, "inputs": inputs, "params": params, "seed": seed}


def stored(folder: Path) -> dict[str, str]:
    """Store an example of each type of file; return their references by type."""
    blobs, examples = Blobs(folder), ROOT / "components/examples"
    names = {"audio": "audio-digit-recogniser-input.wav", "image": "image-emoji-gan.png"}
    return {kind: blobs.put_bytes((examples / name).read_bytes()) for kind, name in names.items()}


def plan(catalog: Catalog, files: Mapping[str, str], runs: int, each: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what is asked for: the kind, and a job."""
    chance = random.Random(7)
    models = [spec.id for spec in catalog.values() if spec.embedded]
    asked = [("default run", {"requests": [plain_run(catalog, chance.choice(models), files, seed)]})
             for seed in range(runs)]  # fmt: skip
    more: list[tuple[str, dict[str, Any]]] = []
    for seed in range(each):
        for model in models:
            names = {item.name: item for item in catalog.family(model).fields(catalog[model])}
            many = names.get("num_images") or names.get("num_variants")
            if many is not None and many.le and not (many.name == "num_variants" and seed % 2):
                batch = plain_run(catalog, model, files, seed, **{many.name: int(many.le)})
                more.append((f"batch of {int(many.le)}", {"requests": [batch]}))
            if "words" in catalog.family(model).studies:
                study = {**plain_run(catalog, model, files, seed), "study": "words"}
                more.append(("word lens", {"requests": [study], "purpose": "study"}))
            if "variation_strength" in names:
                steps = [plain_run(catalog, model, files, seed, variation_strength=at / 7, variation_seed=99)
                         for at in range(8)]  # fmt: skip
                more.append(("walk of 8", {"requests": steps, "purpose": "walk"}))
        texts = [one for one in models if catalog.family(one).name == "causal_lm"]
        beside = [{**plain_run(catalog, texts[0], files, seed), "model": one} for one in texts]
        more.append((f"{len(texts)} side by side", {"requests": beside, "purpose": "side by side"}))
    chance.shuffle(more)
    return asked + more


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000, help="the cap, in MB (10^6 bytes)")
    parser.add_argument("--runs", type=int, default=200, help="runs at default settings")
    parser.add_argument("--each", type=int, default=3, help="how often each of the other jobs is asked for")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after this time with what there is")
    options = parser.parse_args()
    catalog = load_catalog(Settings())
    tally: dict[str, Counter[str]] = {}
    said: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, cgroup(options.megabytes * 1_000_000) as group:
        folder = Path(name)
        files = stored(folder)
        with asking_app(folder, group) as (port, app, pipe, reader):
            _ask(catalog, options, pipe, reader, files, port, group, app, tally, said)
            killed = kills(group)
            log = (folder / "worker.log").read_text(errors="replace") if (folder / "worker.log").exists() else ""
    _print(options.megabytes, tally, said, killed, log.count("CRITICAL"))


def _ask(
    catalog: Catalog, options: argparse.Namespace, pipe: Any, reader: Any, files: Mapping[str, str], port: int,
    group: Path, app: psutil.Process, tally: dict[str, Counter[str]], said: Counter[str],
) -> None:  # fmt: skip
    begun = told = time.monotonic()
    pages = stops(each=False)
    for number, (kind, job) in enumerate(plan(catalog, files, options.runs, options.each)):
        if time.monotonic() - begun > 60 * options.minutes:
            print(f"(out of time after {number} jobs)")
            return
        if number % 40 == 0:  # the app is as large as pages make it
            for page, query in pages:
                visit(port, page, query)
        pipe.write(json.dumps(job) + "\n")
        pipe.flush()
        line, limit = "", time.monotonic() + ANSWER_S
        while not line.endswith("\n") and time.monotonic() < limit and app.is_running():
            line += reader.readline()
            time.sleep(0.02)
        answer = json.loads(line) if line.endswith("\n") else {"runs": [], "refused": "no answer"}
        count = tally.setdefault(kind, Counter())
        count["runs"] += len(job["requests"])
        count["fresh worker"] += bool(answer.get("fresh"))
        if answer.get("refused"):
            said[answer["refused"]] += 1
            count["lost"] += len(job["requests"])
        for run in answer["runs"]:
            count["seconds"] += round(run["seconds"])
            code = (run["error"] or {}).get("code", "")
            count["made again"] += any("made again" in note for note in run["notes"])
            if code:
                said[run["error"]["message"]] += 1
                count["refused" if code == "not_enough_memory" else "lost"] += 1
        if time.monotonic() - told > 60:
            told = time.monotonic()
            worker = worker_of(app)
            print(f"{(told - begun) / 60:.0f} min, {number + 1} jobs; app {_own(app)} MB, worker {_own(worker)} MB, "
                  f"budget {answer.get('budget_bytes', 0) / 1e6:.0f} MB, killed {kills(group)}",
                  flush=True)  # fmt: skip


def _own(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.memory_full_info().uss / 1e6:.0f}"
    return "?"


def _print(cap: int, tally: dict[str, Counter[str]], said: Counter[str], killed: int, crashes: int) -> None:
    columns = ("runs", "lost", "made again", "refused", "fresh worker", "seconds")
    print(f"\nUnder {cap} MB; the kernel killed {killed} times; {crashes} crashes in worker.log\n")
    print(f"| what | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for kind, count in sorted(tally.items()):
        print(f"| {kind} | {' | '.join(str(count[one]) for one in columns)} |")
    for message, count in said.most_common():
        print(f"\n{count} x {message}")


if __name__ == "__main__":
    main()
