"""Threads, dtype and the imports, alike for every entry point, so that the same request gives the same bytes."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from models.cgroups import cgroups
from models.settings import Settings
from models.torchaudio_guard import guard

DEVICE = "cpu"
DTYPE = "float32"
SMALL_BYTES = 64_000_000
# weights larger than this are computed as they can be kept: casting them to float32 would take twice the memory
CAST_BELOW_BYTES = 100_000_000
_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # what x86 and ARM call products of bfloat16
_LIBRARIES = ("torch", "transformers", "diffusers", "tokenizers")


def import_libraries(settings: Settings) -> None:
    """Import torch with the settings that every process shares, and, by `preload`, transformers and diffusers.

    The first call takes seconds.
    """
    # read by the libraries at import: no code from the network, no chatter, no fork warnings
    os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch

    torch.set_num_threads(settings.threads or usable_cores())
    guard()
    if settings.preload:
        import diffusers.utils  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401 - lazy: this is the import that costs
    _quieten()


def _quieten() -> None:
    """Have the libraries that are imported by now say errors alone, and draw no bars."""
    for name in ("transformers", "diffusers"):
        if (logging := sys.modules.get(f"{name}.utils.logging")) is not None:
            logging.set_verbosity_error()
            logging.disable_progress_bar()


def set_threads(model_bytes: int, settings: Settings) -> None:
    """Set torch's thread count for a run of a model that takes `model_bytes` in memory.

    A small model runs on one thread: its matrices are so small that a second one mostly waits (story-gpt: 200 tokens/s
    on one thread, 187 on two, at twice the CPU time), and on a shared host the other core is better left to the pages.
    """
    import torch

    _quieten()
    torch.set_num_threads(threads_for(model_bytes, settings))


def threads_for(model_bytes: int, settings: Settings) -> int:
    """Return the threads that a run of a model uses which takes `model_bytes` in memory. No torch."""
    return 1 if model_bytes < SMALL_BYTES else settings.threads or usable_cores()


@contextmanager
def threads_kept() -> Iterator[None]:
    """Put torch's thread count back after the block, in which another run may have set its own."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def usable_cores(root: Path = Path("/")) -> int:
    """Return the cores that this process may use: its affinity, cut by the cgroup's CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder, version in cgroups(root, "cpu"):
        with suppress(OSError, ValueError):
            if version == 2:
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text().strip()
                period = (folder / "cpu.cfs_period_us").read_text()
            if quota not in ("max", "-1"):
                cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def stamp_facts() -> dict[str, Any]:
    """Return what of this process causes an output beside the request: versions, device, dtype, threads."""
    import torch

    return {"versions": versions(), "device": DEVICE, "dtype": DTYPE, "threads": torch.get_num_threads()}


@cache
def has_bfloat16(root: Path = Path("/")) -> bool:
    """Say whether this processor multiplies numbers of bfloat16: without that they are slower than float32. No torch.

    Measured with 135 M parameters on two such cores: 51 tokens/s in bfloat16 and 25 in float32; a prompt of 512
    tokens in 0.31 s and 0.94 s (3.2 s in float16).
    """
    with suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip().lower() in ("flags", "features"):
                return not _BF16.isdisjoint(value.lower().split())
    return False


def dtype_for(weights_bytes: int) -> str:
    """Return the name of torch's dtype for weights of so many bytes: the same in every process of a machine."""
    return "bfloat16" if weights_bytes >= CAST_BELOW_BYTES and has_bfloat16() else DTYPE


@cache
def cpu(root: Path = Path("/")) -> str:
    """Return the processor's name, on whose kind a result's last digits may depend; "" where nothing tells it."""
    with suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


@cache
def versions() -> dict[str, str]:
    """Return the versions of the libraries that run models, without importing them."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}
