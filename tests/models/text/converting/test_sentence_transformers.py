"""A BERT of sentence embeddings is read as data and kept in half of its bytes; what is none is refused."""

import json

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from models.text.converting import sentence_transformers
from tests.tiny.task_nets import CONTEXT, encoder

INSIDE = "wheel/model/"


def words():
    """Return a tokenizer of whole words, with the cut and the padding that such files ask for."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "a", "dog"]
    core = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    core.enable_truncation(4)
    core.enable_padding(length=4)
    return core, len(names)


@pytest.fixture
def packed(tmp_path):
    """Return the files of a random net as a wheel holds them, and the net."""
    from safetensors.torch import save_file

    core, size = words()
    net = encoder(size).eval()
    weights = {**net.state_dict(), "embeddings.position_ids": torch.arange(CONTEXT)[None]}
    save_file(weights, tmp_path / "0.safetensors")
    core.save(str(tmp_path / "1.json"))
    # of an old version: what no config knows today is passed over
    told = {**json.loads(net.config.to_json_string(use_diff=False)), "gradient_checkpointing": False, "use_cache": True}
    texts = {"config.json": told, "sentence_bert_config.json": {"max_seq_length": 20, "do_lower_case": False},
             "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_max_tokens": True}}  # fmt: skip
    files = {f"{INSIDE}model.safetensors": tmp_path / "0.safetensors", f"{INSIDE}tokenizer.json": tmp_path / "1.json"}
    for number, (name, text) in enumerate(texts.items(), 2):
        files[INSIDE + name] = tmp_path / f"{number}.json"
        files[INSIDE + name].write_text(json.dumps(text))
    made = tmp_path / "made"
    made.mkdir()
    return files, net, made


def test_the_net_is_kept_with_the_same_numbers(packed):
    files, net, made = packed
    sentence_transformers.convert(files, made)
    kept, tokenizer = AutoModel.from_pretrained(made, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(made)
    assert type(kept).__name__ == "BertModel"
    given = tokenizer(["the cat sat", "a dog sat the cat sat"], padding=True, return_tensors="pt")
    assert given["input_ids"].tolist() == [[2, 5, 6, 7, 3, 0, 0, 0], [2, 8, 9, 7, 5, 6, 7, 3]]  # neither cut nor padded
    with torch.inference_mode():
        meant, found = (one(**given).last_hidden_state[0, :5] for one in (net, kept))
    assert torch.allclose(meant, found, atol=0.02)
    assert tokenizer.model_max_length == 20
    assert json.loads((made / "sentence_bert_config.json").read_text()) == {"max_seq_length": 20}
    pools = json.loads((made / "1_Pooling" / "config.json").read_text())
    assert [name for name, on in pools.items() if on] == ["pooling_mode_max_tokens"]
    assert {file.suffix for file in made.rglob("*") if file.is_file()} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("config.json", '{"model_type": "mpnet"}', "'mpnet', no BERT"),
     ("1_Pooling/config.json", '{"pooling_mode_weightedmean_tokens": true}', "not pooled by one of mean, cls, max"),
     ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true, "pooling_mode_cls_token": true}', "not pooled by")],
)  # fmt: skip
def test_what_is_no_such_net_is_refused(packed, name, text, words):
    files, _, made = packed
    files[INSIDE + name].write_text(text)
    with pytest.raises(ValueError, match=words):
        sentence_transformers.convert(files, made)


def test_weights_that_are_missing_are_not_made_up(packed):
    from safetensors.torch import load_file, save_file

    files, _, made = packed
    weights = load_file(files[f"{INSIDE}model.safetensors"])
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, files[f"{INSIDE}model.safetensors"])
    with pytest.raises(RuntimeError, match="Missing key"):
        sentence_transformers.convert(files, made)
