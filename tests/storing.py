"""A process that only stores runs, to be killed: says the id of each run once `save_run` has returned.

    python -m tests.storing URL FOLDER

It imports once. For each line on its input (a name) it forks a child, says the child's process id, and the child opens
the store and saves runs of that name until it is killed.
"""

import os
import random
import sys

from models.plain_text import text_output
from models.store import Store
from models.types import Output, Request, Run


def say(words):
    os.write(1, f"{words}\n".encode())  # one call: a line is whole or not there


def save(url, folder, name):
    store = Store(url, folder)
    chance = random.Random(name)
    for number in range(1_000_000):
        size = chance.choice((10, 1_000, 200_000))
        text = f"{name} {number} dragon"
        outputs = [
            text_output(text, {"seed": number}), text_output("shared by all", {}, 1),
            Output("view", 2, "", chance.randbytes(size), "application/octet-stream"),
        ]  # fmt: skip
        request = Request(model="text/m", inputs={"prompt": text}, seed=number)
        run = Run(f"{name}-{number}", "ann", name, request, "done", float(number + 1), outputs, {"cause": text})
        store.save_run(run)
        say(f"saved {run.id}")
        if number % 3 == 2:  # what else a page writes
            store.take("ann", chance.randbytes(500))
            store.save_note("ann", f"note-{name}", {"runs": number})


def main():
    for line in sys.stdin:
        child = os.fork()
        if not child:
            save(*sys.argv[1:3], line.strip())
        say(f"child {child}")
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
