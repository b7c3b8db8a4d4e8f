"""Texts by their nearness: the numbers are those of transformers, the ranking, long texts, Stop, bad input."""

import csv
import io

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from models.errors import BadInput, WeightsError
from models.runtime.engine import StopSignal
from models.text import similar
from models.types import Request
from tests.tiny import final_of
from tests.tiny.task_nets import CONTEXT

TEXT, OTHERS = "the cat sat", ["a dog ran to the sea", "the cat sat on the mat", "is this good or bad?", "the cat sat"]


def ask(text=TEXT, others=OTHERS, **params):
    inputs = {"prompt": text, **({"texts": "\n".join(others)} if others else {})}
    return Request(model="text/near", inputs=inputs, params=params)


def output(tasks, *given, **params):
    return final_of(tasks, ask(*given, **params)).outputs[0]


def plain(tasks, text, pooling="mean"):
    """Return a text's vector, read alone by transformers without the family."""
    folder = tasks.catalog["text/near"].folder()
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    given = AutoTokenizer.from_pretrained(folder)([text], return_tensors="pt", truncation=True, max_length=CONTEXT)
    with torch.inference_mode():
        tokens = model(**given).last_hidden_state[0]
    return {"mean": tokens.mean(0), "cls": tokens[0], "max": tokens.amax(0)}[pooling]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_the_similarities_are_cosines_of_the_models_vectors(tasks, pooling):
    meta = output(tasks, pooling=pooling).meta
    vectors = torch.stack([plain(tasks, text, pooling) for text in (TEXT, *OTHERS)])
    meant = torch.nn.functional.cosine_similarity(vectors[:1], vectors[1:])
    assert meta["similarities"] == pytest.approx(meant.tolist(), abs=1e-3)
    assert meta["similarities"][3] == 1  # the same text
    assert [meta["grid"][0][at] for at in range(1, 5)] == meta["similarities"]
    assert all(meta["grid"][at][at] == 1 for at in range(5))
    assert meta["named"] == [TEXT, *OTHERS]


def test_without_normalising_the_dot_product_is_told(tasks):
    meta = output(tasks, normalise=False, threshold=0.9).meta  # a threshold is of cosines alone
    meant = [float(plain(tasks, TEXT) @ plain(tasks, one)) for one in OTHERS]
    assert meta["similarities"] == pytest.approx(meant, rel=1e-3, abs=1e-2)
    assert (meta["cosine"], len(meta["top"])) == (False, 4)


def test_the_text_is_the_ranking_with_its_numbers(tasks):
    made = output(tasks)
    lines = made.text.splitlines()
    assert lines[0] == f"1.00  {TEXT}"
    assert sorted(line.split("  ", 1)[1] for line in lines) == sorted(OTHERS)
    numbers = [float(line.split("  ")[0].replace("−", "-")) for line in lines]
    assert numbers == sorted(numbers, reverse=True)
    assert len(output(tasks, top_texts=2).text.splitlines()) == 2
    assert output(tasks, threshold=1.0).text == lines[0]
    none = output(tasks, TEXT, OTHERS[:1], threshold=1.0)
    assert none.text.startswith("No text is as near as 1.00: the nearest has ")
    assert none.meta["top"] == []


def test_the_first_line_is_compared_with_the_others_where_no_texts_are_given(tasks):
    assert output(tasks, "\n".join([TEXT, "", *OTHERS]), []).meta["similarities"] == output(tasks).meta["similarities"]


def test_a_document_is_compared_by_its_sentences(tasks):
    meta = output(tasks, TEXT, ["the cat sat. A dog ran!", "the rain fell."], by="sentences").meta
    assert meta["named"][1:] == ["the cat sat.", "A dog ran!", "the rain fell."]


def test_a_batch_and_its_padding_change_nothing_that_is_told(tasks):
    alone = [output(tasks, TEXT, [one]).meta["similarities"][0] for one in OTHERS]
    assert output(tasks, TEXT, OTHERS * 12).meta["similarities"] == pytest.approx(alone * 12, abs=2e-4)


def test_the_same_request_gives_the_same_bytes(tasks):
    made = [output(tasks).data for _ in range(2)]
    assert made[0] == made[1]


def test_what_is_longer_than_the_context_is_cut_with_a_sentence(tasks):
    long = "the cat sat on the mat and " * 20
    final = final_of(tasks, ask(TEXT, [long, "a dog"]))
    assert "One text is longer than the 32 tokens" in final.stats["notes"][0]
    assert final.outputs[0].meta["similarities"][0] == pytest.approx(
        float(torch.nn.functional.cosine_similarity(plain(tasks, TEXT), plain(tasks, long), dim=0)), abs=1e-3
    )
    assert final_of(tasks, ask()).stats["notes"] == []
    huge = final_of(tasks, ask("x" * 900_000, ["x" * 50_000, "a dog"]))
    assert huge.stats["prompt_tokens"] <= 3 * CONTEXT
    assert "2 texts are longer" in huge.stats["notes"][0]


def test_stop_keeps_what_was_read(tasks):
    stop = StopSignal()
    for event in tasks.generate(ask(TEXT, OTHERS * 100), stop):
        if event.kind == "progress" and event.stage == "read":
            stop.request()
        final = event
    assert final.stats["stopped"]
    assert final.outputs == ()  # not even the text itself was read
    stop = StopSignal()
    for event in tasks.generate(ask(TEXT, OTHERS * 100), stop):
        if event.kind == "progress" and event.stage == "read" and event.step:
            stop.request()
        final = event
    assert 0 < len(final.outputs[0].meta["similarities"]) == final.stats["steps"] - 1 < 400
    assert "the ranking has these" in final.stats["notes"][0]


def test_all_similarities_are_saved_as_csv(tasks):
    request = tasks.catalog.full(ask(TEXT, OTHERS, top_texts=1))
    made = final_of(tasks, request).outputs[0]
    family = tasks.catalog.family("text/near")
    rows = list(csv.DictReader(io.StringIO(family.save(request, made, "csv").decode())))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0] == {"rank": "1", "similarity": "1.0", "text": TEXT}
    assert family.save(request, made, "txt") == made.data


@pytest.mark.parametrize(
    ("text", "others", "words"),
    [(" ", OTHERS, "There is no text"), (TEXT, [" "], "nothing to compare"), (TEXT, [], "nothing to compare"),
     (TEXT, ["a"] * (similar.TEXTS_MOST + 1), "These are 2,001 texts; at most 2,000"), (TEXT, ["a\0"], "null byte")],
)  # fmt: skip
def test_what_cannot_be_compared_is_a_sentence(tasks, text, others, words):
    with pytest.raises(BadInput, match=words):
        tasks.catalog.validate(ask(text, others))


def test_the_facts_are_those_of_the_files_of_sentence_transformers(tasks, tmp_path):
    spec = tasks.catalog["text/near"]
    family = tasks.catalog.family(spec.id)
    assert family.describe(spec) == {"context_length": CONTEXT, "task": "similarity"}
    moved = spec.model_copy(update={"file": tmp_path / "x.toml"})
    folder = tmp_path / str(spec.weights.path)
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "mpnet", "max_position_embeddings": 514}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 128}')
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    facts = family.describe(moved)
    assert facts == {"context_length": 128, "task": "similarity", "pooling": "cls"}
    table = {one.name: one for one in family.fields(moved.model_copy(update={"facts": facts}))}
    assert table["pooling"].default == "cls"
    (folder / "config.json").write_text("[")
    with pytest.raises(WeightsError, match="damaged"):
        family.describe(moved)
