"""What the app costs: worker CPU seconds per token through the app's job path, against bare `generate()`.

    python -m benchmarks.overhead --pairs 10

Each pair runs, in turn: the app (a real server; one websocket client runs a story while it polls, a second waits in the
queue and polls too; CPU time of the worker process), bare `generate()` in a process of its own, and the naive way: a
Streamlit script that generates on its script thread with two clients (CPU time of that server process). All write the
same number of tokens with the same settings on the same number of threads. Prints CPU seconds per token, and speed
relative to bare (above 1: faster), as median and spread.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.streamlit_client import ROOT, Session, running_app, worker_of

TOKENS = 450
PROMPT = "Once upon a time a small dragon"

BARE = """
import sys, time
import torch
from models import device
from models.settings import Settings
device.import_libraries(Settings())
device.set_threads(0, Settings())  # as the app does for a model of this size
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
folder, tokens, prompt = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
model.generation_config = GenerationConfig()
config = GenerationConfig(max_new_tokens=tokens, do_sample=True, temperature=0.8, top_k=0, top_p=0.95,
    bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
def write(seed):
    torch.manual_seed(seed)
    return model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config).shape[1] - ids.shape[1]
write(0)
for line in sys.stdin:
    before = time.process_time()
    count = sum(write(int(seed)) for seed in line.split(","))
    print((time.process_time() - before) / count, flush=True)
"""

NAIVE = """
import streamlit as st
import torch
from models import device
from models.settings import Settings
@st.cache_resource
def load():
    device.import_libraries(Settings())
    device.set_threads(0, Settings())
    from transformers import AutoModelForCausalLM, AutoTokenizer
    folder = {folder!r}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model
tokenizer, model = load()
prompt = st.text_area("Prompt", {prompt!r})
seed = st.text_area("Seed", "0")
@st.fragment(run_every=0.3)
def clock():
    st.text("polled")
clock()
if st.button("Run"):
    from transformers import TextIteratorStreamer
    from threading import Thread
    torch.manual_seed(int(seed))
    ids = tokenizer(prompt, return_tensors="pt")
    streamer = TextIteratorStreamer(tokenizer, skip_special_tokens=True)
    options = dict(max_new_tokens={tokens}, do_sample=True, temperature=0.8, top_k=0, top_p=0.95, streamer=streamer,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    thread = Thread(target=model.generate, kwargs=dict(**ids, **options))
    thread.start()
    place, text, count = st.empty(), "", 0
    for piece in streamer:
        text += piece
        place.text(text)
    thread.join()
    st.text(f"finished seed {{seed}} with {{len(tokenizer(text)['input_ids'])}} tokens")
"""


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def through_app(sessions: list[Session], worker: psutil.Process, seeds: list[int]) -> float:
    """Run stories in one session while another waits its turn; return worker CPU seconds per token."""
    used, tokens = 0.0, 0
    for seed in seeds:
        before = cpu_s(worker)
        for session in sessions:
            session.press("Next seed")
        for session in sessions:
            session.wait_for(lambda _, session=session: session.facts().startswith(f"seed {seed} "))  # type: ignore[misc]
            tokens += int(session.facts().split(" tokens")[0].rsplit(" ", 1)[1].replace(",", ""))
        used += cpu_s(worker) - before
    return used / tokens


def through_bare(process: subprocess.Popen[str], seeds: list[int]) -> float:
    """Run stories by bare `generate()`; return its process's CPU seconds per token."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(",".join(map(str, seeds)), file=process.stdin, flush=True)
    return float(process.stdout.readline())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--stories", type=int, default=3, help="stories per measurement")
    options = parser.parse_args()
    folder = str(ROOT / "models" / "embedded" / "story-gpt")
    speeds: dict[str, list[float]] = {"app": [], "bare": [], "naive": []}
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        naive_file = data / "naive.py"
        naive_file.write_text(NAIVE.format(folder=folder, prompt=PROMPT, tokens=TOKENS))
        (data / "naive").mkdir()
        bare = subprocess.Popen(
            [sys.executable, "-c", BARE, folder, str(TOKENS), PROMPT],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        query = f"story-gpt.max_new_tokens={TOKENS}"
        with running_app(data) as (port, app), running_app(data / "naive", str(naive_file)) as (naive_port, naive):
            clients = [Session(port, query, "text") for _ in range(2)]
            simple = [Session(naive_port) for _ in range(2)]
            worker = worker_of(app)
            through_app(clients, worker, [1])
            through_script(simple, naive, [1])
            for pair in range(options.pairs):
                first = 2 + pair * options.stories
                seeds = list(range(first, first + options.stories))
                ways = [
                    ("app", lambda: through_app(clients, worker, seeds)),
                    ("bare", lambda: through_bare(bare, seeds)),
                    ("naive", lambda: through_script(simple, naive, seeds)),
                ]
                # every other pair in reverse, so that a drift of the machine favours nobody
                for way, measure in ways[:: -1 if pair % 2 else 1]:
                    speeds[way].append(measure())
                told = "  ".join(f"{way} {1e3 * found[-1]:.3f} ms" for way, found in speeds.items())
                print(f"pair {pair + 1}: {told}", flush=True)
            for session in (*clients, *simple):
                session.close()
        bare.communicate(timeout=10)
    for way, found in speeds.items():
        relative = [one / other for one, other in zip(speeds["bare"], found, strict=True)]
        print(
            f"{way:6} {1e3 * statistics.median(found):.3f} ms CPU per token; speed relative to bare: "
            f"median {statistics.median(relative):.3f}, {min(relative):.3f} to {max(relative):.3f}"
        )


def through_script(sessions: list[Session], server: psutil.Process, seeds: list[int]) -> float:
    """Run stories on a script thread while a second session polls; return server CPU seconds per token."""
    used, tokens = 0.0, 0
    for seed in seeds:
        sessions[0].set_text("Seed", str(seed))
        before = cpu_s(server)
        sessions[0].press("Run")
        sessions[0].wait_for(lambda text: f"finished seed {seed} with" in text)
        used += cpu_s(server) - before
        tokens += int(sessions[0].text().split(f"finished seed {seed} with ")[1].split(" ")[0])
    return used / tokens


if __name__ == "__main__":
    main()
