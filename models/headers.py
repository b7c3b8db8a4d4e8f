"""Headers of weight files from elsewhere, read within bounds: what tensors there are, and whether the file holds them.

Nothing is unpacked and no tensor is read. safetensors' own library checks that offsets lie side by side and end with
the file; what gguf's leaves open is checked here. Call it in a process with limits: a header may be long.
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import amounts
from models.errors import BadInput

HEADER_MAX_BYTES = 25_000_000
TENSORS_MAX = 20_000
KEYS_MAX = 2_000
DIMENSIONS_MAX = 8
_FLOATS = ("F", "BF")  # how the names of floating dtypes begin
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_GGUF_TOLD = {"general.architecture": "architecture", "general.name": "name", "general.license": "licence",
              "split.count": "split"}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Tell of a file of weights: how many numbers its tensors have, and what else its head says, by name."""

    numbers: int
    told: dict[str, Any] = field(default_factory=dict)


def read_safetensors(file: Path) -> Header:
    """Return the header of a safetensors file. Raises `BadInput` for what is none, or does not fit its file."""
    from safetensors import SafetensorError, safe_open

    size, start = _start(file, 8)
    if start.startswith(_PICKLES[0]) or (start[:1] == b"\x80" and start[:2] in _PICKLES):
        raise BadInput(f"{_name(file)} is named safetensors, but it is a pickle, which could run anything: refused.")
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= size - 8:
        raise BadInput(f"{_name(file)} is not a safetensors file, or is cut off.")
    if length > HEADER_MAX_BYTES:
        raise BadInput(
            f"{_name(file)} has a header of {amounts.size(length)}; at most {amounts.size(HEADER_MAX_BYTES)} are read."
        )
    numbers = 0
    try:
        with safe_open(str(file), framework="numpy") as opened:
            names = list(opened.keys())
            if len(names) > TENSORS_MAX:
                raise BadInput(f"{_name(file)} has {len(names):,} tensors; at most {TENSORS_MAX:,} are read.")
            for name in names:
                part = opened.get_slice(name)
                if str(part.get_dtype()).startswith(_FLOATS):
                    numbers += math.prod(part.get_shape())
    except (SafetensorError, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise BadInput(f"{_name(file)} is damaged: {_why(error)}.") from error
    return Header(numbers)


def read_gguf(file: Path) -> Header:
    """Return the header of a GGUF file. Raises `BadInput` for what is none, or does not fit its file."""
    from gguf import GGUFReader

    size, start = _start(file, 24)
    if not start.startswith(b"GGUF"):
        raise BadInput(f"{_name(file)} is not a GGUF file.")
    if len(start) < 24:
        raise BadInput(f"{_name(file)} is cut off.")
    tensors, keys = struct.unpack("<QQ", start[8:])
    if tensors > TENSORS_MAX or keys > KEYS_MAX:
        raise BadInput(
            f"{_name(file)} tells of {tensors:,} tensors and {keys:,} entries; at most {TENSORS_MAX:,} and "
            f"{KEYS_MAX:,} are read."
        )
    try:
        read = GGUFReader(file)
        if read.byte_order != "I":
            raise ValueError("its bytes are in the order of another kind of machine")
        if not all(map(_is_whole, read.fields.values())):
            raise ValueError("a text in its header is longer than the file")
        told = {ours: read.fields[name].contents() for name, ours in _GGUF_TOLD.items() if name in read.fields}
        numbers, spans = 0, []
        for one in read.tensors:
            shape = [int(length) for length in one.shape.tolist()]
            if len(shape) > DIMENSIONS_MAX or math.prod(shape) != one.n_elements or one.n_bytes != one.data.nbytes:
                raise ValueError(f"the tensor {one.name[:80]!r} has a wrong shape")
            numbers += one.n_elements
            spans.append((one.data_offset, one.data_offset + one.n_bytes))
        spans.sort()
        if any(end > after for (_, end), (after, _) in itertools.pairwise(spans)):
            raise ValueError("tensors lie over one another")
        if spans and (spans[0][0] < read.data_offset or spans[-1][1] > size):
            raise ValueError("a tensor lies outside of the file")
    except RecursionError as error:
        raise BadInput(f"{_name(file)} is damaged: its lists nest too deep.") from error
    except MemoryError as error:
        raise BadInput(f"{_name(file)} is damaged: its header does not fit into memory.") from error
    except Exception as error:  # whatever the library trips over in a file that is none
        raise BadInput(f"{_name(file)} is damaged: {_why(error)}.") from error
    if not isinstance(told.get("architecture"), str):
        raise BadInput(f"{_name(file)} does not say its architecture (general.architecture).")
    if int(told.get("split", 0) or 0) > 1:
        raise BadInput(f"{_name(file)} is a part of a model: merge its parts first (`llama-gguf-split --merge`).")
    return Header(numbers, {name: str(said)[:200] for name, said in told.items()})


def _is_whole(item: Any) -> bool:
    """Say whether a header's entry has the texts that it tells of: the library gives what there is."""
    texts = [item.parts[0:2]] if len(item.parts) > 3 else []  # its key
    if item.types and item.types[-1].name == "STRING":
        texts += [item.parts[at - 1 : at + 1] for at in item.data]
    return all(len(length) == 1 and int(length[0]) == text.nbytes for length, text in texts)


def _start(file: Path, count: int) -> tuple[int, bytes]:
    try:
        with file.open("rb") as handle:
            return file.stat().st_size, handle.read(count)
    except OSError as error:
        raise BadInput(f"{_name(file)} cannot be read ({error.strerror or type(error).__name__}).") from error


def _name(file: Path) -> str:
    return file.name[:80]


def _why(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".")[:160]
