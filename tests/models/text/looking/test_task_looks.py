"""Looks into translations and labels: cross-attention as transformers gives it, pushes that add up to the rise."""

import json

import pytest
import torch

from models.runtime.engine import StopSignal
from models.types import Request
from tests.models.text.families.test_classifiers import plain as classifier
from tests.models.text.families.test_seq2seq_lm import plain
from tests.tiny import final_of

PAIRS = [["the cat sat", "a dog ran!"], ["is this good?", "bad"]]


def aligned(tasks, model, pairs=PAIRS, **params):
    inputs = {"prompt": "-", "pairs": json.dumps(pairs)}
    return Request(model=f"text/{model}", inputs=inputs, params=params, study="alignment")


@pytest.mark.parametrize("model", ["marian", "t5", "bart", "lstm"])
def test_alignment_is_the_mean_of_the_heads_of_each_layer(tasks, model):
    found = json.loads(final_of(tasks, aligned(tasks, model)).outputs[0].data)
    net, tokenizer = plain(tasks, model)
    net.set_attn_implementation("eager")
    one, bad = found
    assert one["source"] == ["the", "cat", "sat"]
    assert one["target"] == ["a", "dog", "ran!"]
    given, ids = tokenizer("is this good?", return_tensors="pt"), tokenizer("bad")["input_ids"]
    before = torch.tensor([[net.config.decoder_start_token_id, *ids[:-1]]])
    with torch.inference_mode():
        out = net(input_ids=given["input_ids"], attention_mask=given["attention_mask"], decoder_input_ids=before,
                  output_attentions=True)  # fmt: skip
    weights = out.cross_attentions[0][0].mean(0)  # written × source
    words = [len(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in bad["source"]]
    first = weights[: len(ids) - 1].mean(0)[: words[0]].sum()
    assert bad["layers"][0][0][0] == pytest.approx(100 * float(first), abs=1)
    assert len(one["layers"]) == 2  # its one layer, and the mean of all
    assert all(sum(row) <= 101 for row in one["layers"][-1])


def test_alignment_does_not_change_the_model_that_others_run(tasks):
    request = Request(model="text/marian", inputs={"prompt": "the cat sat"}, params={"max_new_tokens": 8})
    before = final_of(tasks, request).outputs[0].data
    final_of(tasks, aligned(tasks, "marian"))
    assert final_of(tasks, request).outputs[0].data == before


def test_stop_ends_a_look(tasks):
    for request in (aligned(tasks, "marian"), Request(model="text/electra", inputs={"prompt": "a"}, study="reasons")):
        stop = StopSignal()
        stop.request()
        *_, final = tasks.generate(request, stop)
        assert (final.outputs, final.stats["stopped"]) == ((), True)


@pytest.mark.parametrize("model", ["electra", "bert", "both"])
def test_the_words_pushes_add_up_to_what_the_logit_rose(tasks, model):
    text = "the cat sat on the mat"
    found = json.loads(final_of(tasks, Request(model=f"text/{model}", inputs={"prompt": text}, study="reasons"))
                       .outputs[0].data)  # fmt: skip
    assert found["words"] == text.split()
    logits = classifier(tasks, model, text)
    order = logits.argsort(descending=True).tolist()
    names = tasks.catalog[f"text/{model}"].facts["label_names"]
    assert [one["label"] for one in found["labels"]] == [names[at].replace("_", " ") for at in order]
    for one in found["labels"]:
        assert one["sum"] == pytest.approx(one["rise"], abs=0.05 * max(abs(one["rise"]), 0.1))
        assert sum(one["pushes"]) == pytest.approx(one["sum"], abs=0.02)


def test_of_a_long_text_the_first_part_is_looked_at(tasks):
    request = Request(model="text/bert", inputs={"prompt": "the cat sat. " * 40}, study="reasons")
    found = json.loads(final_of(tasks, request).outputs[0].data)
    assert found["of"] > 2
