"""Classifiers of learnt labels and of one's own: probabilities as transformers gives them, thresholds, long texts."""

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from models.errors import BadInput, BadParam, WeightsError
from models.runtime.engine import StopSignal
from models.types import Request
from tests.tiny import final_of
from tests.tiny.task_nets import CONTEXT, LABELS

TEXT = "the cat sat on the mat"


def ask(prompt, model="electra", **params):
    return Request(model=f"text/{model}", inputs={"prompt": prompt}, params=params)


def scores(tasks, request):
    return final_of(tasks, request).outputs[0].meta["scores"]


def plain(tasks, name, *texts):
    folder = tasks.catalog[f"text/{name}"].folder()
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        return model(**tokenizer(*texts, return_tensors="pt")).logits[0]


@pytest.mark.parametrize("model", ["electra", "bert"])
def test_the_distribution_is_the_softmax_of_the_models_logits(tasks, model):
    meant = plain(tasks, model, TEXT).softmax(-1).tolist()
    found = scores(tasks, ask(TEXT, model))
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert [found[label] for label in LABELS] == pytest.approx(meant, abs=1e-5)
    halved = scores(tasks, ask(TEXT, model, temperature=2.0))
    assert [halved[label] for label in LABELS] == pytest.approx(
        (plain(tasks, model, TEXT) / 2).softmax(-1).tolist(), abs=1e-5
    )


def test_the_text_is_the_likeliest_label_in_words_or_that_none_is_sure(tasks):
    found = final_of(tasks, ask(TEXT, threshold=0.0)).outputs[0]
    assert found.text == next(iter(found.meta["scores"])).replace("_", " ")
    assert not found.meta["abstained"]
    unsure = final_of(tasks, ask(TEXT, threshold=1.0)).outputs[0]
    assert unsure.text == "not sure"
    assert unsure.meta["abstained"]


@pytest.mark.parametrize("text", ["???", "😀😀", "Очень хороший фильм"])
def test_a_text_in_letters_that_it_does_not_read_gets_no_label_and_a_reason(tasks, text):
    final = final_of(tasks, ask(text, "bert", threshold=0.0))
    assert final.outputs[0].text == "not sure"
    assert final.outputs[0].meta["abstained"]
    assert final.outputs[0].meta["unread"]
    assert "it gets no label" in final.stats["notes"][0]
    other = final_of(tasks, ask(text, "electra", threshold=0.0)).outputs[0]  # tells no language that it reads
    assert other.text != "not sure"


def test_the_threshold_of_the_files_is_the_default(tasks):
    spec = tasks.catalog["text/electra"]
    table = {item.name: item for item in tasks.catalog.family(spec.id).fields(spec)}
    assert table["threshold"].default == 0.2
    assert table["top_labels"].le == len(LABELS)
    assert final_of(tasks, ask(TEXT)).outputs[0].meta["threshold"] == 0.2


def test_labels_that_may_all_hold_have_a_probability_each(tasks):
    found = scores(tasks, ask(TEXT, "both"))
    assert [found["angry"], found["sad"]] == pytest.approx(plain(tasks, "both", TEXT).sigmoid().tolist(), abs=1e-5)
    assert final_of(tasks, ask(TEXT, "both", threshold=0.0)).outputs[0].text.count(",") == 1


def test_a_long_text_is_read_in_parts_and_their_mean_is_told(tasks):
    one, other = "the cat sat on the mat.\n", "is this good or bad?\n"
    final = final_of(tasks, ask(one + other * 3))
    parts = final.outputs[0].meta["parts"]
    assert len(parts) == 4
    assert "4 parts" in final.stats["notes"][0]
    low, high = sorted(scores(tasks, ask(text))["good"] for text in (one, other))
    assert low <= final.outputs[0].meta["scores"]["good"] <= high
    assert sum(final.outputs[0].meta["scores"].values()) == pytest.approx(1, abs=1e-4)


def test_a_line_longer_than_the_context_is_cut_and_all_of_it_read(tasks):
    text = "the cat sat on the mat and the dog ran " * 20
    final = final_of(tasks, ask(text))
    assert final.stats["prompt_tokens"] > 3 * CONTEXT
    assert len(final.outputs[0].meta["parts"]) == final.stats["steps"]


def test_stop_between_parts_keeps_what_was_read(tasks):
    stop = StopSignal()
    for event in tasks.generate(ask("the cat.\n" * 400), stop):
        if event.kind == "progress" and event.stage == "read":
            stop.request()
        final = event
    assert final.stats["stopped"]
    assert 0 < final.stats["steps"] < 400
    assert final.outputs[0].text


def test_labels_of_ones_own_are_judged_by_inference(tasks):
    found = scores(tasks, ask(TEXT, "inference", labels=["cat", "dog"], template="the {}."))
    follows = torch.stack([plain(tasks, "inference", TEXT, f"the {one}.") for one in ("cat", "dog")])  # 2 × 3
    assert [found["cat"], found["dog"]] == pytest.approx(follows[:, 2].softmax(0).tolist(), abs=1e-4)
    each = scores(tasks, ask(TEXT, "inference", labels=["cat", "dog"], template="the {}.", several=True))
    meant = follows[:, [2, 0]].softmax(1)[:, 0].tolist()
    assert [each["cat"], each["dog"]] == pytest.approx(meant, abs=1e-4)


def test_a_model_that_judges_no_sentences_is_no_zero_shot_classifier(tasks, tmp_path):
    from models.text.families.zero_shot_classifier import ZeroShotClassifier

    with pytest.raises(WeightsError, match="entailment"):
        ZeroShotClassifier().load(tasks.catalog["text/bert"])


@pytest.mark.parametrize(
    ("params", "words"),
    [({"labels": ["one"]}, "at least two"), ({"labels": [" ", "a", "a "]}, "at least two"),
     ({"template": "about it"}, "must hold")],
)  # fmt: skip
def test_what_cannot_be_judged_is_a_sentence(tasks, params, words):
    with pytest.raises(BadParam, match=words):
        tasks.catalog.validate(ask(TEXT, "inference", **params))


def test_an_empty_text_is_refused(tasks):
    for model in ("electra", "inference"):
        with pytest.raises(BadInput, match="There is no text"):
            tasks.catalog.validate(ask(" ", model))
