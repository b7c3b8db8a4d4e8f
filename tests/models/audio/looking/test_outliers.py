"""Outlier scores: what lies near a label passes, what lies elsewhere does not, and the file belongs to its weights."""

import numpy as np
import pytest

from models.audio.families.speech_to_text import label_runs, segments, strange_words, without_strange
from models.audio.looking import outliers
from models.errors import WeightsError
from models.family import Loaded


@pytest.fixture(scope="module")
def measured():
    chance = np.random.default_rng(0)
    labels = np.repeat([1, 2], 200)
    centres = np.array([[3.0, 0, 0, 0], [0, 3.0, 0, 0]])
    known = centres[labels - 1] + chance.normal(0, 0.3, (400, 4))
    other = chance.normal(0, 3, (400, 4))
    return outliers.measure(known.astype(np.float32), labels, other.astype(np.float32), "digit")


def test_what_is_like_its_label_passes_and_all_else_does_not(measured):
    assert measured.score(np.array([3.0, 0, 0, 0], np.float32), 1) < 1
    assert measured.score(np.array([0, 3.0, 0, 0], np.float32), 1) > 10  # another label's place
    assert measured.score(np.array([3.0, 0, 4.0, 4.0], np.float32), 1) > 10  # no label's place
    assert measured.score(np.array([3.0, 0, 0, 0], np.float32), 2) > 10


def test_scores_are_standard_deviations_of_known_recordings(measured):
    chance = np.random.default_rng(1)
    fresh = np.array([3.0, 0, 0, 0]) + chance.normal(0, 0.3, (500, 4))
    scores = [measured.score(one.astype(np.float32), 1) for one in fresh]
    assert np.mean(scores) == pytest.approx(0, abs=0.25)
    assert np.std(scores) == pytest.approx(1, abs=0.25)


def test_the_frames_around_a_peak_are_judged_also_at_the_edges():
    hidden = np.arange(40, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    assert outliers.around(hidden, 20).tolist() == [20.0, 20.0]
    assert outliers.around(hidden, 0).tolist() == [4.0, 4.0]  # frames 0 to 8


def test_it_is_read_back_beside_its_own_weights_alone(measured, tmp_path):
    assert outliers.read(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    outliers.save(measured, tmp_path)
    again = outliers.read(tmp_path)
    one = np.array([1.0, 2.0, 0, 1.0], np.float32)
    assert again.score(one, 2) == pytest.approx(measured.score(one, 2), rel=1e-3)
    assert outliers.what(tmp_path) == "digit"
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match="measured on other weights"):
        outliers.read(tmp_path)
    (tmp_path / outliers.FILE).write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="damaged"):
        outliers.read(tmp_path)


def test_labels_are_runs_of_frames_and_each_is_judged_at_its_peak():
    rows = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [1.0, 0, 0]], np.float32)
    assert label_runs(rows, 0) == [(1, 1, 3), (2, 3, 4)]
    asked = []
    found = segments(rows, 0, 5.0, judge=lambda label, peak: asked.append((label, peak)) or 1.234)
    assert asked == [(1, 2), (2, 3)]
    assert [one["outlier"] for one in found] == [1.23, 1.23]


def test_what_is_strange_is_left_out_and_talk_altogether():
    def heard(*scores):
        return [{"label": at, "outlier": score} for at, score in enumerate(scores)]

    def labels(found):
        return [one["label"] for one in found]

    kept, strange = without_strange(heard(0.1, 5.0, 1.0), 1.8)
    assert (labels(kept), labels(strange)) == ([0, 2], [1])
    kept, strange = without_strange(heard(5.0, 0.1, 6.0), 1.8)  # one piece of three sounds like a label
    assert (labels(kept), labels(strange)) == ([], [0, 1, 2])
    assert without_strange(heard(5.0), None) == (heard(5.0), [])
    assert without_strange([{"label": 1}], 1.8) == ([{"label": 1}], [])  # nobody can judge it


def test_the_sentence_says_what_it_is_not(measured):
    loaded = Loaded({"outliers": measured})
    assert strange_words([], loaded) == "Nothing was recognised."
    assert strange_words([{"label": "2"}], loaded).startswith("This is not a digit")
