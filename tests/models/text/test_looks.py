"""Which looks inside a model has, from its config, and the reading of what was found."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from models.blobs import Blobs
from models.errors import BadInput
from models.text import looks


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 4}, ["attention", "lens"]),
        ({"model_type": "gpt2", "n_head": 4, "n_layer": 4}, ["attention", "lens"]),
        ({"num_attention_heads": 4, "num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]},
         ["attention", "lens"]),
        ({"num_attention_heads": 4, "num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]},
         ["lens"]),
        ({"model_type": "playground_lstm", "num_hidden_layers": 2}, ["state"]),
        ({"model_type": "other"}, []),
    ],
)  # fmt: skip
def test_a_config_says_what_can_be_looked_at(config, expected):
    assert looks.offered(config) == expected


def test_a_page_reads_the_part_that_it_draws(tmp_path):
    blobs = Blobs(tmp_path)
    table = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    words = np.frombuffer(json.dumps({7: " dragon"}).encode(), np.uint8)
    ref = blobs.put_bytes(save({"table": table, "words": words}))
    np.testing.assert_array_equal(looks.part(blobs, ref, "table", 1, 2), table[1, 2])
    np.testing.assert_array_equal(looks.part(blobs, ref, "table", 1), table[1])
    np.testing.assert_array_equal(looks.part(blobs, ref, "table"), table)
    assert looks.words(blobs, ref) == {7: " dragon"}


def test_what_was_cleared_or_spoiled_gets_a_sentence(tmp_path):
    blobs = Blobs(tmp_path)
    with pytest.raises(BadInput, match="analysis was deleted"):
        looks.part(blobs, "sha256:" + "0" * 64, "table")
    with pytest.raises(BadInput, match="damaged"):
        looks.part(blobs, blobs.put_bytes(b"spoiled"), "table")
    with pytest.raises(BadInput, match="damaged"):
        looks.part(blobs, blobs.put_bytes(save({"other": np.zeros(2)})), "table")


@pytest.mark.parametrize("data", [b"", b"spoiled", b"\xff" * 40, save({"a": np.zeros(2)})])
def test_bytes_without_words_in_their_header_have_none(data):
    assert looks.metadata(data) == {}


def test_the_words_in_a_header_are_read():
    assert looks.metadata(save({"a": np.zeros(2)}, metadata={"vocabulary": "x"})) == {"vocabulary": "x"}
