"""What lies on the disk is looked at before anything of it is taken: what it is, or why it is refused."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from models import from_disk, headers
from models.errors import BadInput
from tests.tiny import ggufs

CONFIG = {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "hidden_size": 32}


class Canary:
    """A pickle that writes a file when it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (os.system, (f"touch {self.file}",))


@pytest.fixture
def folder(tmp_path):
    """A folder of a model; at the end nothing of it may have run."""
    place, canary = tmp_path / "net", tmp_path / "canary"
    place.mkdir()
    save_file({"a": np.zeros((3, 4), np.float16), "b": np.zeros(2, np.int64)}, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps(CONFIG))
    (place / "pickled.bin").write_bytes(pickle.dumps(Canary(canary)))
    (place / "modeling_net.py").write_text(f"open({str(canary)!r}, 'w')")
    (place / "tokenizer_config.json").write_text("{}")
    yield place
    assert not canary.exists()


def refused(path, said):
    with pytest.raises(BadInput, match=said):
        from_disk.look(path)


def test_a_folder_is_told_with_what_is_taken_of_it(folder):
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "README.md").write_text("---\ntags: [a]\nlicense: apache-2.0\n---\n# A net\n")
    found = from_disk.look(folder)
    assert found.numbers == 12  # floats alone
    assert sorted(found.files) == ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer_config.json"]
    assert found.bytes == sum((folder / name).stat().st_size for name in found.files)
    assert found.left == ["README.md", "modeling_net.py", "pickled.bin"]
    assert (found.name, found.licence, found.architecture) == (
        "net",
        "apache-2.0",
        "LlamaForCausalLM, 2 layers, 32 wide",
    )


def test_a_gguf_file_is_told(tmp_path):
    found = from_disk.look(ggufs.write(tmp_path / "tiny.gguf"))
    net = ggufs.make_net(ggufs.make_tokenizer())
    assert found.numbers == sum(one.numel() for one in net.parameters())
    assert (found.gguf, found.name, found.licence) == ("llama", "Tiny", "MIT")
    assert list(found.files) == ["model.gguf"]


def test_what_is_none_or_cannot_be_read_is_refused(tmp_path, folder, monkeypatch):
    refused(tmp_path / "nothing", "there is no such file")
    refused("a\0b", "cannot be read")
    refused("x" * 5000, "cannot be read")
    refused(folder / "config.json", "no model that is known")
    refused(folder / "model.safetensors", "Give the folder that has it")
    refused(folder / "pickled.bin", "may run code when it is read")
    refused(tmp_path, r"holds no \.safetensors file")
    os.mkfifo(tmp_path / "pipe.gguf")
    refused(tmp_path / "pipe.gguf", "neither a file nor a folder")
    refused(tmp_path, r"holds pipe\.gguf\. Give the path of that file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop", "cannot be read")
    (folder / "config.json").unlink()
    refused(folder, "no config.json")
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, "an adapter alone")
    (folder / "model_index.json").write_text("{}")
    refused(folder, "a pipeline of several models")
    (folder / "model.safetensors").unlink()
    refused(folder, r"pickled\.bin is of a kind that may run code")
    monkeypatch.setattr(from_disk, "ENTRIES_MAX", 3)
    refused(folder, "more than 3 entries")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize(
    "asked",
    [
        {"auto_map": {"AutoModel": "modeling_net.Net"}}, {"text_config": {"auto_map": {"AutoConfig": "x--y.Z"}}},
        {"custom_pipelines": {"a": {"impl": "x.Y"}}}, {"parts": [{"deep": [{"auto_map": {"a": "b"}}]}]},
        {"attn_implementation": "somebody/kernels"}, {"_attn_implementation": "somebody/kernels:fn"},
    ],
)  # fmt: skip
def test_code_of_its_own_is_refused_wherever_it_is_asked_for(folder, name, asked):
    (folder / name).write_text(json.dumps({**CONFIG, **asked}))
    refused(folder, f"{name} asks for code of its own")


def test_texts_that_are_no_json_or_too_long_are_refused(folder, monkeypatch):
    for text, said in (
        ("{", "is not valid JSON"), ("[]", "holds no JSON object"), ("[" * 200_000, "nests lists"),
        ('{"a":' * 500 + "1" + "}" * 500, "nests lists"), ("\xff", "is not"),
        ('{"quantization_config": {}}', "quantised for other programs"),
        ('{"a": "' + "x" * from_disk.outside.JSON_MAX_CHARS + '"}', "too long"),
    ):  # fmt: skip
        (folder / "config.json").write_text(text, "latin-1")
        refused(folder, said)
    (folder / "config.json").write_text("{}")
    (folder / "vocab.json").write_text("{}" * 600)
    monkeypatch.setattr(from_disk, "TEXT_MAX_BYTES", 1000)
    refused(folder, "vocab.json has 1.2 kB; at most 1 kB")


def test_links_and_names_that_lead_out_of_the_folder_are_refused(tmp_path, folder):
    outside = tmp_path / "secret.json"
    outside.write_text("{}")
    (folder / "vocab.json").symlink_to(outside)
    refused(folder, "vocab.json is a link that leads out")
    (folder / "vocab.json").unlink()
    (folder / "vocab.json").symlink_to("tokenizer_config.json")  # within: as good as a file
    assert "vocab.json" in from_disk.look(folder).files
    (folder / "vocab.json").unlink()
    (folder / "vocab.json").mkdir()
    refused(folder, "vocab.json is no file")
    (folder / "vocab.json").rmdir()
    (folder / "model.safetensors").rename(tmp_path / "other.safetensors")
    (folder / "model.safetensors").symlink_to(tmp_path / "other.safetensors")
    refused(folder, "model.safetensors is a link that leads out")
    (folder / "model.safetensors").unlink()
    (tmp_path / "other.safetensors").rename(folder / "part-1.safetensors")
    for name in ("../other.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors", "part-1.bin"):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        refused(folder, "leads out of the folder or is no safetensors")
    for content, said in (
        ({"weight_map": {"a": "part-2.safetensors"}}, "is missing"),
        ({"weight_map": []}, "no files"),
    ):
        (folder / "model.safetensors.index.json").write_text(json.dumps(content))
        refused(folder, said)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part-1.safetensors"}}))
    assert "part-1.safetensors" in from_disk.look(folder).files


def written(file, header, data=b"", length=None):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(head) if length is None else length) + head + data)
    return file


def part(start, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "data", "length", "said"),
    [
        ({"a": part(0, 8)}, b"", None, "damaged"),  # its data is missing
        ({"a": part(0, 8)}, bytes(9), None, "damaged"),  # something hides behind it
        ({"a": part(0, 8), "b": part(4, 12)}, bytes(12), None, "damaged"),  # over one another
        ({"a": part(0, 8), "b": part(16, 24)}, bytes(24), None, "damaged"),  # a hole
        ({"a": part(0, 8, (3,))}, bytes(8), None, "damaged"),
        ({"a": part(8, 0)}, bytes(8), None, "damaged"),
        ({"a": part(0, 2**63)}, bytes(8), None, "damaged"),
        ({"a": part(0, 8, (2**40, 2**40))}, bytes(8), None, "damaged"),
        ({"a": part(0, 8, (-2,))}, bytes(8), None, "damaged"),
        ({"a": part(0, 8, dtype="PICKLE")}, bytes(8), None, "damaged"),
        ({"a": part(0, 8)}, bytes(8), 2**63, "not a safetensors file, or is cut off"),
        ({"a": part(0, 8)}, bytes(8), 10**6, "not a safetensors file, or is cut off"),
        (b"\x80\x04" * 20, bytes(8), None, "damaged"),
        (b"{" * 5000, b"", None, "damaged"),
        (b'{"a":' * 5000, b"", None, "damaged"),
    ],
)
def test_headers_of_safetensors_that_do_not_fit_their_file_are_refused(tmp_path, header, data, length, said):
    with pytest.raises(BadInput, match=said):
        headers.read_safetensors(written(tmp_path / "a.safetensors", header, data, length))


def test_long_headers_many_tensors_and_pickles_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    file.write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(BadInput, match="it is a pickle"):
        headers.read_safetensors(file)
    written(file, {f"t{at}": part(8 * at, 8 * at + 8) for at in range(20)}, bytes(160))
    assert headers.read_safetensors(file).numbers == 40
    monkeypatch.setattr(headers, "TENSORS_MAX", 10)
    with pytest.raises(BadInput, match="20 tensors; at most 10"):
        headers.read_safetensors(file)
    monkeypatch.setattr(headers, "HEADER_MAX_BYTES", 100)
    with pytest.raises(BadInput, match="a header of"):
        headers.read_safetensors(file)
    assert not (tmp_path / "canary").exists()


def gguf(file, tensors=0, keys=0, rest=b"", version=3):
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest)
    return file


def named(text):
    return struct.pack("<Q", len(text)) + text.encode()


def word(key, text):
    return named(key) + struct.pack("<I", 8) + named(text)


def tensor(name, shape, kind=0, offset=0):
    return named(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


LLAMA = word("general.architecture", "llama")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"tensors": 2**63}, "at most 20,000 and 2,000"),
        ({"keys": 2**64 - 1}, "at most 20,000 and 2,000"),
        ({"keys": 1}, "damaged"),
        ({"keys": 1, "rest": struct.pack("<Q", 2**62) + b"abc"}, "damaged"),  # a name without end
        ({"keys": 1, "rest": named("a") + struct.pack("<IQ", 8, 2**63) + b"abc"}, "damaged"),  # so is its text
        ({"keys": 1, "rest": named("a") + struct.pack("<I", 99)}, "damaged"),  # of no type
        ({"keys": 1, "rest": named("a") + struct.pack("<IIQ", 9, 8, 2**62)}, "damaged"),  # a list without end
        ({"keys": 1, "rest": named("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 3000}, "nest too deep"),
        ({"keys": 2, "rest": LLAMA * 2}, "damaged"),
        ({"keys": 1, "rest": word("general.name", "x")}, "does not say its architecture"),
        ({"keys": 2, "rest": LLAMA + named("split.count") + struct.pack("<IH", 2, 3)}, "is a part of a model"),
        ({"keys": 1, "tensors": 1, "rest": LLAMA + tensor("a", (4,)) + bytes(8)}, "damaged"),  # cut off
        ({"keys": 1, "tensors": 1, "rest": LLAMA + tensor("a", (2**33, 2**33)) + bytes(64)}, "wrong shape|damaged"),
        ({"keys": 1, "tensors": 1, "rest": LLAMA + tensor("a", (1,) * 9) + bytes(64)}, "wrong shape"),
        ({"keys": 1, "tensors": 1, "rest": LLAMA + tensor("a", (4,), offset=2**63) + bytes(64)}, "damaged"),
        ({"keys": 1, "tensors": 1, "rest": LLAMA + tensor("a", (4,), kind=77) + bytes(64)}, "damaged"),
        ({"keys": 1, "tensors": 2, "rest": LLAMA + tensor("a", (4,)) + tensor("a", (4,)) + bytes(99)}, "damaged"),
        ({"keys": 1, "tensors": 2, "rest": LLAMA + tensor("a", (4,)) + tensor("b", (4,), offset=8) + bytes(99)},
         "lie over one another"),
        ({"version": 99}, "damaged"),
    ],
)  # fmt: skip
def test_headers_of_gguf_that_do_not_fit_their_file_are_refused(tmp_path, made, said):
    with pytest.raises(BadInput, match=said):
        headers.read_gguf(gguf(tmp_path / "a.gguf", **made))


def test_what_is_no_gguf_file_is_refused(tmp_path):
    for content, said in ((b"", "is not a GGUF"), (b"GGUF", "cut off"), (b"PK\x03\x04" + bytes(99), "is not a GGUF")):
        (tmp_path / "a.gguf").write_bytes(content)
        with pytest.raises(BadInput, match=said):
            headers.read_gguf(tmp_path / "a.gguf")
