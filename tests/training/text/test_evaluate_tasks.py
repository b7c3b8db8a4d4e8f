"""Marks of translations and classifiers against sums done by hand."""

import math

import numpy as np
import pytest

pytest.importorskip("sacrebleu", reason="sacrebleu is missing: pip install -r requirements-train.txt")
pytest.importorskip("sklearn", reason="scikit-learn is missing: pip install -r requirements-train.txt")

from training.text.evaluate_tasks import (
    calibration_error,
    classifier_marks,
    dropped,
    interval,
    loops,
    thresholded,
    translation_marks,
)
from training.text.labelled import Labelled


def test_a_perfect_translation_has_full_marks_and_a_wrong_one_few():
    sources = ["I saw it once", "one two three four five six", "Go"]
    meant = ["je l'ai vu une fois hier soir", "un deux trois quatre cinq six", "va"]
    marks = translation_marks(sources, meant, meant)
    assert (marks["bleu"], marks["chrf"], marks["exact"], marks["loops"], marks["dropped"]) == (100, 100, 1, 0, 0)
    assert {name: one["sentences"] for name, one in marks["by_words"].items()} == {"1-5": 2, "6-10": 1}
    wrong = translation_marks(sources, ["non"] * 3, meant)
    assert wrong["bleu"] < 5
    assert wrong["dropped"] == pytest.approx(2 / 3, abs=1e-3)


@pytest.mark.parametrize(
    ("found", "reference", "yes"),
    [("no no no", "no", True), ("go on go on go on", "go", True), ("very very good", "very good", False),
     ("ha ha ha", "ha ha ha", False), ("a b c d e", "a", False)],
)  # fmt: skip
def test_loops(found, reference, yes):
    assert loops(found, reference) is yes


@pytest.mark.parametrize(
    ("found", "reference", "yes"),
    [("", "va", True), ("un", "un deux trois quatre", True), ("un deux", "un deux trois quatre", False),
     ("un", "un deux trois", False)],
)  # fmt: skip
def test_dropped(found, reference, yes):
    assert dropped(found, reference) is yes


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    sure = np.full(10, 0.8)
    assert calibration_error(sure, np.array([True] * 8 + [False] * 2)) == pytest.approx(0, abs=1e-9)
    assert calibration_error(sure, np.array([True] * 3 + [False] * 7)) == pytest.approx(0.5)
    assert calibration_error(np.array([1.0, 0.5]), np.array([True, False])) == pytest.approx(0.25)


def test_the_threshold_keeps_those_inside_or_makes_answers_right():
    sure = np.linspace(0.5, 1, 101)
    chances = np.stack([sure, 1 - sure], 1)
    inside = thresholded(chances, np.zeros(101, int), np.zeros((1, 2)))
    assert (sure >= inside).mean() == pytest.approx(0.96, abs=0.01)
    labels = np.where(sure < 0.7, 1, 0)  # wrong below 0.7
    alone = thresholded(chances, labels, None)
    assert (labels[sure >= alone] == 0).mean() >= 0.85
    assert (labels[sure >= alone - 0.02] == 0).mean() < 0.87


def test_a_classifiers_marks():
    rows = Labelled(("a", "b"), [], [], [("a", 0), ("b", 1), ("a", 1), ("b", 1)], outside_test=["?", "a"])
    table = {"a": [0.9, 0.1], "b": [0.4, 0.6], "?": [0.5, 0.5]}
    marks = classifier_marks(lambda texts: np.array([table[text] for text in texts]), rows, 0.7)
    assert marks["accuracy"] == 0.75
    assert marks["answered"] == 0.5
    assert marks["answered_accuracy"] == 0.5
    assert marks["outside_recall"] == 0.5
    assert marks["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.4, abs=1e-6)


def test_the_interval_is_students():
    mean, half = interval([0.7, 0.8, 0.9])
    assert mean == pytest.approx(0.8)
    assert half == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=1e-3)
    assert math.isnan(interval([0.5])[1])
