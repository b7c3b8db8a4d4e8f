"""What “How this works” tells of translators: in words, and by their scores where two of a kind have some."""

import json

import pytest

from components.text import translator_lesson
from models.text.marks import Score, Translated
from tests.components.page_steps import said
from tests.components.text.task_steps import opened

LENGTHS = (("1-5", 300), ("6-10", 500), ("11+", 200), ("21+", 7))
FOLD = "text/text_tasks-how-Translate"


def translated(every, *by_words, half=1.0):
    lengths = [Score(words, bleu, half, count) for (words, count), bleu in zip(LENGTHS, by_words, strict=True)]
    return Translated(Score("all", every, half, 1007), tuple(lengths), 40.0)


def test_a_lead_that_grows_with_the_length_is_told_with_its_numbers():
    told = translator_lesson.sentences({"B": translated(40, 48, 40, 28, 2), "A": translated(45, 50, 46, 40, 12)})
    assert told == [
        "On the same 1,007 held-out sentences “A” scores 45.0 ± 1.0 BLEU and “B” 40.0 ± 1.0.",
        "The lead grows with the length of the sentence: +2.0 at 1-5 words, +12.0 at 11+.",  # 21+ are too few
    ]


def test_what_is_not_decided_is_not_told_as_if_it_were():
    one, two = translated(45, 50, 46, 40, 12, half=3.0), translated(40, 48, 40, 34, 2, half=3.0)
    assert (
        "whether it changes with the length is not decided (± 6.0)"
        in translator_lesson.sentences({"A": one, "B": two})[1]
    )
    level = translator_lesson.sentences({"A": one, "B": translated(44, 50, 45, 30, 1, half=3.0)})
    assert level[1:] == ["The difference of 1.0 lies within what chance makes (± 4.2)."]
    shrinks = translator_lesson.sentences({"A": translated(45, 60, 46, 40, 12), "B": translated(40, 40, 40, 39, 12)})
    assert shrinks[1].startswith("The lead shrinks with the length of the sentence: +20.0 at 1-5 words")


def test_the_chart_has_a_bar_and_an_interval_for_each_length_of_each_translator():
    chart = translator_lesson.chart({"A": translated(45, 50, 46, 40, 2), "B": translated(40, 48, 40, 28, 2, half=3)})
    bars = chart.to_dict()["layer"][0]["data"]["values"]
    assert [(row["model"], row["words"], row["bleu"]) for row in bars][:2] == [
        ("A", "1-5", 50), ("A", "6-10", 46),
    ]  # fmt: skip
    assert len(bars) == 8
    assert (bars[-1]["low"], bars[-1]["high"], bars[-1]["said"]) == (0, 5, "2.0 ± 3.0")
    assert "B, 11+ words: 28.0 ± 3.0" in chart.to_dict()["description"]


@pytest.fixture
def write(tiny):
    """Return what writes marks beside the weights of tiny models, until the test ends."""
    written = []

    def write(name, text):
        file = tiny.catalog_dirs[0] / name / "marks.json"
        written.append(file)
        file.write_text(text, "utf-8")

    yield write
    for file in written:
        file.unlink(missing_ok=True)


def marks(bleu, sentences=90):
    one = {"bleu": bleu, "bleu_half": 1.5, "chrf": 60.0, "sentences": sentences}
    return json.dumps({**one, "by_words": {"1-5": one, "6+": one}, "training": {"minutes": 40}})


def fold(model):
    page = opened(model=f"text/{model}")
    page.session_state[FOLD] = True
    page.run()
    assert not page.exception
    return page


def charts(page):
    return page.get("vega_lite_chart")


def test_two_translators_of_the_same_languages_are_compared_once_the_fold_is_open(jobs, write):
    write("marian", marks(45.0))
    assert not charts(fold("marian"))  # nothing to compare it with: the other's sentences were not these
    assert "Cross-attention" in said(fold("marian"))
    write("lstm", marks(30.0))
    write("nairam", marks(20.0))  # of the other direction
    assert "Cross-attention" not in said(opened(model="text/marian"))
    page = fold("lstm")
    (chart,) = charts(page)
    drawn = [row for layer in json.loads(chart.proto.spec)["layer"] for row in layer["data"]["values"]]
    assert {(row["model"], row["words"], row["said"]) for row in drawn} == {
        (model, words, said) for model, said in (("marian", "45.0 ± 1.5"), ("lstm", "30.0 ± 1.5"))
        for words in ("1-5", "6+")
    }  # fmt: skip
    assert "“marian” scores 45.0 ± 1.5 BLEU and “lstm” 30.0 ± 1.5" in said(page)
    assert "Training time: lstm: 40 minutes, marian: 40 minutes." in said(page)


def test_scores_of_other_sentences_are_left_out_and_damaged_ones_told(jobs, write):
    write("marian", marks(45.0))
    write("lstm", marks(30.0, sentences=80))
    assert not charts(fold("marian"))
    write("lstm", "{")
    page = fold("marian")
    assert not charts(page)
    assert "text/lstm: marks.json is damaged." in said(page)


def test_a_classifier_has_no_such_lesson(jobs):
    page = opened(model="text/electra")
    assert "How this works" in [item.proto.popover.label for item in page.get("popover")]
    assert "Cross-attention" not in said(page)
