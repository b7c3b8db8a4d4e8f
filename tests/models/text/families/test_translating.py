"""What is told of a translation beside its text: confidence, alternatives, a glossary's words, subtitles."""

import math

import pytest
import torch

from models.errors import BadInput
from models.runtime.engine import StopSignal
from models.text.sampling import aligning
from models.types import Request
from tests.models.text.families.test_seq2seq_lm import ask, plain
from tests.tiny import final_of

SUBTITLES = (
    "1\r\n00:00:01,000 --> 00:00:02,000\r\nthe cat\r\nsat\r\n\r\n"
    "7\r\n00:00:03,000 --> 00:00:04,500\r\n- is this\r\n- a dog?\r\n"
)


def pairs(tasks, request):
    return final_of(tasks, request).outputs[0].meta["pairs"]


@pytest.mark.parametrize("model", ["marian", "t5", "bart", "lstm"])
def test_a_word_s_confidence_is_the_probability_of_its_tokens(tasks, model):
    net, tokenizer = plain(tasks, model)
    [one] = pairs(tasks, ask("the cat sat", model, max_new_tokens=12, num_beams=2))
    given = tokenizer("the cat sat", return_tensors="pt")
    out = net.generate(**given, num_beams=2, do_sample=False, max_new_tokens=12, length_penalty=1.0, max_length=None)
    with torch.inference_mode():
        logits = net(input_ids=given["input_ids"], attention_mask=given["attention_mask"],
                     decoder_input_ids=out[:, :-1]).logits[0]  # fmt: skip
    logs = logits.log_softmax(-1)[torch.arange(out.shape[1] - 1), out[0, 1:]]
    said = [token not in tokenizer.all_special_ids for token in out[0, 1:].tolist()]
    total = math.exp(float(logs[torch.tensor(said)].sum()))
    assert math.prod(p for _, p in one["words"]) == pytest.approx(total, abs=1e-3)
    assert "".join(word for word, _ in one["words"]) == one["target"]


def test_words_are_those_that_the_tokens_spell_and_the_end_is_none_of_them(tasks):
    _, tokenizer = plain(tasks, "marian")
    ids = tokenizer("the cat sat on the mat.")["input_ids"]
    words = aligning.words_of(tokenizer, ids)
    assert words.texts == ["the", " cat", " sat", " on", " the", " mat.", ""]
    assert sum(words.counts) == len(ids)


def test_alternatives_are_the_beam_s_candidates_with_their_scores(tasks):
    net, tokenizer = plain(tasks, "marian")
    [one] = pairs(tasks, ask("the cat sat", num_beams=3, alternatives=3, max_new_tokens=10, length_penalty=2.0))
    given = tokenizer("the cat sat", return_tensors="pt")
    out = net.generate(
        **given, num_beams=3, num_return_sequences=3, do_sample=False, max_new_tokens=10, length_penalty=2.0,
        max_length=None, output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    assert [text for text, _ in one["alternatives"]] == [
        tokenizer.decode(row, skip_special_tokens=True).strip() for row in out.sequences
    ]
    assert [score for _, score in one["alternatives"]] == pytest.approx(out.sequences_scores.tolist(), abs=1e-3)
    alone = pairs(tasks, ask("the cat sat", num_beams=3, max_new_tokens=10))[0]
    assert "alternatives" not in alone
    few = final_of(tasks, ask("the cat sat", num_beams=2, alternatives=8, max_new_tokens=10))
    assert len(few.outputs[0].meta["pairs"][0]["alternatives"]) == 2
    assert "2 alternatives are shown, not 8" in " ".join(few.stats["notes"])


@pytest.mark.parametrize("model", ["marian", "t5", "bart", "lstm"])
def test_a_glossary_s_words_are_in_the_text_and_the_run_says_so(tasks, model):
    final = final_of(tasks, ask("The cat sat. A Dog ran.", model, glossary=["cat", "dog = Rex"], max_new_tokens=10,
                                parts="sentences"))  # fmt: skip
    text = final.outputs[0].text
    assert "cat" in text
    assert "Rex" in text
    assert "glossary words were put" in " ".join(final.stats["notes"])
    put = [word for one in final.outputs[0].meta["pairs"] for word, p in one["words"] if p is None]
    assert len(put) == 2
    assert "".join(word for word, _ in final.outputs[0].meta["pairs"][0]["words"]) in text


def test_a_glossary_word_that_is_not_in_the_text_changes_nothing(tasks):
    without = final_of(tasks, ask("the cat sat", max_new_tokens=10)).outputs[0].text
    assert final_of(tasks, ask("the cat sat", max_new_tokens=10, glossary=["sea"])).outputs[0].text == without


def test_a_glossary_word_goes_where_the_model_attends_to_it_most():
    import numpy as np

    from models.text.glossary import Entry

    source = aligning.Words(["the", " cat", " sat", ""], [1, 1, 1, 1])
    attention = np.array([[0.9, 0.1, 0, 0], [0.2, 0.7, 0.1, 0], [0.1, 0.2, 0.7, 0]])
    words, put = aligning.keep_words([Entry("cat", "Tom")], source, ["le", " «minet»", " dort"], attention)
    assert (words, put) == (["le", " «Tom»", " dort"], {1})
    words, put = aligning.keep_words([Entry("cat", "Tom")], source, ["le", " tom,", " dort"], attention)
    assert (words, put) == (["le", " tom,", " dort"], set())  # it stands there already
    assert aligning.keep_words([Entry("cat", "Tom")], source, [], attention)[0] == ["Tom"]


def test_subtitles_keep_numbers_and_times(tasks):
    final = final_of(tasks, ask(SUBTITLES, max_new_tokens=5))
    lines, meant = final.outputs[0].text.split("\r\n"), SUBTITLES.split("\r\n")
    assert lines[0] == "1"
    assert lines[1] == meant[1]
    assert lines[-6:-3] == meant[4:7]
    assert [line[:2] for line in lines[-3:-1]] == ["- ", "- "]
    family = tasks.catalog.family("text/marian")
    request = ask(SUBTITLES)
    assert family.save(request, final.outputs[0], "srt") == final.outputs[0].text.encode()
    other = final_of(tasks, ask("the cat", max_new_tokens=5)).outputs[0]
    with pytest.raises(BadInput, match="not subtitles"):
        family.save(request, other, "srt")


def test_of_a_text_in_parts_it_is_told_how_many_of_all_parts_are_done(tasks):
    events = list(tasks.generate(ask("the cat. A dog. The sea.", max_new_tokens=4, num_beams=1), StopSignal()))
    told = [event for event in events if event.kind == "progress" and event.stage == "generate"]
    assert {(event.total, event.unit) for event in told} == {(3, "parts")}
    assert [event.step for event in told] == sorted(event.step for event in told)
    one = [event for event in tasks.generate(ask("the cat", max_new_tokens=4), StopSignal())
           if event.kind == "progress" and event.stage == "generate"]  # fmt: skip
    assert {event.unit for event in one} <= {"tokens"}


def test_one_very_long_word_is_passed_through_at_once_and_the_run_says_so(tasks):
    word = "x" * 5000
    final = final_of(tasks, ask(word))
    assert final.outputs[0].text == word
    assert final.stats["tokens"] == 0
    assert "A word of 5,000 characters stays as it is" in " ".join(
        tasks.catalog.family("text/marian").warnings(tasks.catalog["text/marian"], ask(word), None))  # fmt: skip
    final = final_of(tasks, ask(f"the cat {word}", max_new_tokens=5))
    assert final.outputs[0].text.endswith(f" {word}")
    assert [one["source"] for one in final.outputs[0].meta["pairs"]] == ["the cat"]


def test_a_translator_reads_by_sentences_and_another_model_by_lines(tasks):
    for name, meant in (("marian", "sentences"), ("t5", "lines")):
        spec = tasks.catalog[f"text/{name}"]
        table = {item.name: item for item in tasks.catalog.family(spec.id).fields(spec)}
        assert table["parts"].default == meant


def test_of_a_long_text_the_first_parts_are_told_and_all_of_it_is_written(tasks, monkeypatch):
    from models.text.sampling import rewriting

    monkeypatch.setattr(rewriting, "LISTED", 3)
    output = final_of(tasks, ask("the cat. The dog.\n" * 4, max_new_tokens=3, num_beams=1, glossary=["dog"])).outputs[0]
    assert len(output.meta["pairs"]) == 3
    assert output.meta["after"] == ""
    assert output.meta["parts"] == 8
    assert output.text.count("dog") == 4
    whole = final_of(tasks, ask("the cat.\n\n", max_new_tokens=3)).outputs[0]
    assert whole.meta["after"] == "\n\n"


def test_pairs_that_cannot_be_aligned_are_a_sentence(tasks):
    for given in ("", "[]", "[1]", '[["a"]]', '[["a", " "]]', "{}"):
        with pytest.raises(BadInput, match="“pairs” must be JSON"):
            tasks.catalog.validate(
                Request(model="text/marian", inputs={"prompt": "-", "pairs": given}, study="alignment")
            )
