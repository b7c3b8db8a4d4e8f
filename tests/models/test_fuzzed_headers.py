"""Whatever lies in a file of weights, it is told or refused by a sentence: no header hangs, breaks or fills memory."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import from_disk, headers
from models.errors import BadInput
from tests.models.test_fuzz import SOME, numbers, text
from tests.tiny import ggufs

sizes = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2, 8, 2**31, 2**32, 2**63, 2**64 - 1])
values = st.recursive(
    st.none() | st.booleans() | numbers.filter(lambda one: one == one) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=10,
)  # fmt: skip
tensors = st.fixed_dictionaries({
    "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "X"]),
    "shape": st.lists(st.integers(0, 9) | st.sampled_from([2**32, 2**63, -1]), max_size=4),
    "data_offsets": st.lists(st.integers(0, 80) | st.sampled_from([2**63, 2**64, -1]), min_size=2, max_size=2),
})  # fmt: skip


def refused_or(read):
    """Return what is read, None where it is refused by a sentence."""
    try:
        return read()
    except BadInput as error:
        if len(error.message) > 600:
            raise
        return None


def told_or_refused(read, file, content):
    file.write_bytes(content)
    header = refused_or(lambda: read(file))
    assert header is None or 0 <= header.numbers <= 8 * len(content)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("headers") / "a.bin"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ggufs.write(tmp_path_factory.mktemp("whole") / "tiny.gguf").read_bytes()


@SOME
@given(st.dictionaries(text, tensors | values, max_size=5), st.binary(max_size=100), st.none() | sizes)
def test_a_header_of_safetensors(file, header, data, length):
    head = json.dumps(header).encode("utf-8", "surrogatepass")
    told_or_refused(
        headers.read_safetensors, file, struct.pack("<Q", len(head) if length is None else length) + head + data
    )


@SOME
@given(st.binary(max_size=300))
def test_bytes_that_are_none(file, content):
    told_or_refused(headers.read_safetensors, file, content)
    told_or_refused(headers.read_gguf, file, b"GGUF" + content)
    told_or_refused(headers.read_gguf, file, b"GGUF" + struct.pack("<IQQ", 3, 2, 2) + content)


@SOME
@given(st.data())
def test_a_gguf_file_with_a_few_bytes_turned(file, whole, data):
    end = data.draw(st.sampled_from([len(whole), len(whole) // 2, 40_000, 100]))
    changed = bytearray(whole[:end])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, min(400, end - 8)) | st.integers(4, end - 8))
        changed[at : at + 8] = data.draw(
            st.binary(min_size=1, max_size=8) | sizes.map(lambda one: struct.pack("<Q", one))
        )
    told_or_refused(headers.read_gguf, file, bytes(changed))


@SOME
@given(st.dictionaries(text, values, max_size=5), st.dictionaries(text, values, max_size=3))
def test_any_config(tmp_path_factory, config, index):
    folder = tmp_path_factory.mktemp("folder")
    (folder / "model-1.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (folder / "model-2.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    for name, content in (("config.json", config), (from_disk.PARTS, {"weight_map": index})):
        (folder / name).write_bytes(json.dumps(content).encode("utf-8", "surrogatepass"))
    found = refused_or(lambda: from_disk.look(folder))
    assert found is None or (found.architecture and json.dumps(found.to_dict()))
