"""Encoder-decoders of three kinds: they write what transformers writes, in parts, stop within a token, tell limits."""

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from models.errors import BadInput, BadParam
from models.runtime.engine import StopSignal
from models.types import Request
from tests.tiny import final_of
from tests.tiny.task_nets import CONTEXT

LONG = "# A cat\n\n- The cat sat on the mat. The dog ran!\n- the rain fell to the sea and the cat sat on the mat\n"


def ask(prompt, model="marian", seed=0, **params):
    return Request(model=f"text/{model}", inputs={"prompt": prompt}, params=params, seed=seed)


def said(tasks, request):
    return final_of(tasks, request).outputs[0].text


def plain(tasks, name):
    folder = tasks.catalog[f"text/{name}"].folder()
    return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(
        folder
    )


@pytest.mark.parametrize("model", ["marian", "t5", "bart", "lstm"])
@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_what_generate_writes(tasks, model, beams):
    net, tokenizer = plain(tasks, model)
    given = tokenizer("the cat sat", return_tensors="pt")
    out = net.generate(**given, num_beams=beams, do_sample=False, max_new_tokens=12, length_penalty=1.0,
                       max_length=None)  # fmt: skip
    found = said(tasks, ask("the cat sat", model, num_beams=beams, max_new_tokens=12))
    assert found == tokenizer.decode(out[0], skip_special_tokens=True).strip().replace("\0", "\ufffd")


@pytest.mark.parametrize("model", ["marian", "t5", "bart", "lstm"])
def test_the_same_request_gives_the_same_bytes_and_a_seed_acts_under_sampling_alone(tasks, model):
    one, other = ask("the cat", model, 1, max_new_tokens=16), ask("the cat", model, 2, max_new_tokens=16)
    assert final_of(tasks, one).outputs[0].data == final_of(tasks, one).outputs[0].data
    assert said(tasks, one) == said(tasks, other)
    drawn = [said(tasks, ask("the cat", model, seed, do_sample=True, max_new_tokens=16)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_long_text_is_done_in_parts_and_put_together_as_it_was(tasks):
    final = final_of(tasks, ask(LONG, max_new_tokens=6, parts="sentences"))
    text, meta = final.outputs[0].text, final.outputs[0].meta
    lines = text.split("\n")
    assert len(lines) == len(LONG.split("\n"))
    assert lines[0].startswith("# ")
    assert lines[1] == lines[4] == ""
    assert all(line.startswith("- ") for line in lines[2:4])
    assert meta["parts"] >= 4
    assert not final.stats["stopped"]
    alone = said(tasks, ask("The cat sat on the mat.", max_new_tokens=6, parts="sentences"))
    assert lines[2].startswith(f"- {alone}")


def test_no_part_is_longer_than_the_context_and_nothing_is_left_out(tasks):
    text = "the cat sat on the mat and the dog ran " * 20
    final = final_of(tasks, ask(text, max_new_tokens=4, num_beams=1))
    _, tokenizer = plain(tasks, "marian")
    count = len(tokenizer(text)["input_ids"])
    assert final.outputs[0].meta["parts"] >= count // CONTEXT
    assert final.stats["prompt_tokens"] >= count - 1


def test_progress_tells_the_part_and_previews_grow_by_parts(tasks):
    events = list(tasks.generate(ask("The cat. The dog. The sea.", max_new_tokens=20, parts="sentences")))
    told = {(event.step, event.total, event.unit) for event in events
            if event.kind == "progress" and event.stage == "generate"}  # fmt: skip
    assert told <= {(at, 3, "parts") for at in (0, 1, 2, 3)}
    assert told


def test_stop_ends_it_within_a_token(tasks):
    stop = StopSignal()
    final = None
    steps = []
    for event in tasks.generate(ask(LONG * 20, max_new_tokens=31, num_beams=4, min_new_tokens=31), stop):
        if event.kind == "progress" and event.stage == "generate":
            steps.append(event.step)
            stop.request()
        final = event
    assert final.kind == "final"
    assert final.stats["stopped"]
    assert len(steps) <= 2
    assert final.outputs[0].meta["finish"] == "stopped"


def test_a_part_that_the_length_limit_ends_is_told(tasks):
    final = final_of(tasks, ask("the cat", max_new_tokens=2, min_new_tokens=2))
    assert final.outputs[0].meta["finish"] == "length"
    assert any("cut off at the length limit" in note for note in final.stats["notes"])


@pytest.mark.parametrize("model", ["marian", "lstm"])
def test_settings_of_search_and_repetition_act(tasks, model):
    base = {"max_new_tokens": 24, "min_new_tokens": 12, "num_beams": 4}
    texts = {
        said(tasks, ask("the cat sat on the mat", model, **{**base, **more}))
        for more in ({}, {"no_repeat_ngram_size": 1}, {"repetition_penalty": 2.0}, {"num_beams": 1})
    }
    assert len(texts) >= 3


def test_an_instruction_goes_before_each_part(tasks):
    with_it = said(tasks, ask("the cat", "t5", prefix="is this ", max_new_tokens=12))
    assert with_it == said(tasks, ask("is this the cat", "t5", max_new_tokens=12))


def test_facts_are_read_from_the_files(tasks):
    facts = tasks.catalog["text/marian"].facts
    assert facts["task"] == "translation"
    assert facts["languages"] == ["en", "fr"]
    assert facts["context_length"] == CONTEXT
    assert tasks.catalog["text/t5"].facts["task"] == "rewriting"
    most = next(item for item in tasks.catalog.family("text/t5").fields(tasks.catalog["text/t5"])
                if item.name == "max_new_tokens")  # fmt: skip
    assert most.le == CONTEXT - 1


def test_what_cannot_be_done_is_a_sentence(tasks):
    with pytest.raises(BadInput, match="There is no text"):
        tasks.catalog.validate(ask("  \n"))
    with pytest.raises(BadInput, match="above the length"):
        tasks.catalog.validate(ask("the cat", min_new_tokens=9, max_new_tokens=4))
    with pytest.raises(BadParam, match="num_beams"):
        tasks.catalog.validate(ask("the cat", num_beams=99))
