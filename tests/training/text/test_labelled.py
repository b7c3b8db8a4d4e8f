"""Labelled sentences are split without leaks, and what the encoder reads holds nothing that is held out."""

import random

import pytest

from tests.training.text import task_toys
from training.text import labelled
from training.text.pairs import same


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return task_toys.write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.mark.parametrize("task", labelled.TASKS)
def test_no_sentence_stands_in_two_parts(data, task):
    rows = labelled.load(data, task)
    parts = [{same(text) for text, _ in part} for part in (rows.train, rows.calibration, rows.test)]
    parts += [{same(text) for text in part}
              for part in (rows.outside_train, rows.outside_calibration, rows.outside_test)]  # fmt: skip
    assert all(parts[:3])
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert {label for _, label in rows.train} == set(range(len(rows.labels)))


def test_a_training_sentence_that_is_tested_too_is_left_out(data, tmp_path):
    import json

    file = data / "intents/clinc150_data_full.json"
    content = json.loads(file.read_text("utf-8"))
    text, label = content["test"][0]
    content["train"].append([f"{text.upper()}?", label])
    other = tmp_path / "intents"
    other.mkdir()
    (other / file.name).write_text(json.dumps(content), "utf-8")
    assert len(labelled.load_intents(tmp_path).train) == len(labelled.load_intents(data).train)


def test_the_encoder_reads_nothing_that_is_held_out(data):
    texts = labelled.unlabelled(data)
    read = {same(text) for rows in texts.values() for text in rows}
    for task in labelled.TASKS:
        rows = labelled.load(data, task)
        held = [text for text, _ in rows.calibration + rows.test] + rows.outside_calibration + rows.outside_test
        assert not read & {same(text) for text in held}
    assert set(texts) == {"sentiment", "intents", "sentences", "questions", "stories", "tales"}
    assert not any("no training question" in text for text in texts["questions"])
    assert "where is my card?" in texts["intents"]


def test_long_texts_are_cut_into_pieces():
    found = labelled.pieces([" ".join(map(str, range(95))), "short"], 40)
    assert [len(one.split()) for one in found] == [40, 40, 15, 1]
    assert labelled.pieces([" ".join(map(str, range(45)))], 40) == [" ".join(map(str, range(40)))]


def test_spliced_sentences_begin_as_one_and_end_as_another():
    rows = [("a b c", 0), ("x y z", 1)]
    for text in labelled.spliced(rows, 50, random.Random(1)):
        words = text.split()
        assert any(row[0].startswith(words[0]) for row in rows)
        assert words[-1] in ("c", "z")
