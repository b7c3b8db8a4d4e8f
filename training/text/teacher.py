"""A classifier of words and pairs of words without a net, which the small encoders learn from beside the labels.

Counts weighted by TF-IDF, and for two labels by their ratio in naive Bayes (Wang & Manning 2012), into a logistic
regression. On few thousand sentences it is as good as small nets, and errs elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.text.labelled import Row

FOLDS = 8


def make(labels: int) -> Any:
    """Return an untrained teacher: scikit-learn's, with `fit` and `predict_proba` over lists of sentences."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[^\W\d_]+|\d|[^\w\s]", sublinear_tf=True,
                            min_df=1 if labels > 2 else 2)  # fmt: skip
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    strength = 30.0 if labels > 2 else 4.0
    ratio = [] if labels > 2 else [_ratio()]
    return make_pipeline(make_union(words, letters), *ratio, LogisticRegression(C=strength, max_iter=300))


def _ratio() -> Any:
    """Return a step that scales each feature by the log ratio of its share in both classes."""
    from sklearn.base import BaseEstimator, TransformerMixin

    class Ratio(BaseEstimator, TransformerMixin):  # type: ignore[misc]
        def fit(self, features: Any, labels: Any) -> Any:
            counts = [np.asarray(features[np.asarray(labels) == label].sum(0)).ravel() + 1 for label in (0, 1)]
            # half of the way to 1: the ratios alone are too sure of rare words
            self.scale_ = 0.5 + 0.5 * np.abs(np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum()))
            return self

        def transform(self, features: Any) -> Any:
            return features.multiply(self.scale_).tocsr()

    return Ratio()


def unseen(rows: Sequence[Row], labels: int) -> np.ndarray:
    """Return what teachers say of training sentences that each of them has not seen: rows × labels, float32."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    texts, numbers = zip(*rows, strict=True)
    found = cross_val_predict(make(labels), texts, numbers, cv=folds, method="predict_proba")
    return np.asarray(found, np.float32)


def fitted(rows: Sequence[Row], labels: int) -> Any:
    """Return a teacher that has seen all training sentences."""
    texts, numbers = zip(*rows, strict=True)
    return make(labels).fit(texts, numbers)
