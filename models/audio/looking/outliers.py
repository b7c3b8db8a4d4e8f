"""Say how unlike everything that a recogniser learnt a sound is: a label for a sound outside of its labels.

Relative Mahalanobis distance (Lee et al. 2018; Ren et al. 2021): how far the net's features lie from those of the
label that it names, less how far they lie from those of all other sounds. A net that has ten labels gives one of them,
and surely, to anything; its features still tell that the sound is strange.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import WeightsError, restore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FILE = "outliers.safetensors"  # beside the weights that it was measured on
SIDE = 8  # frames on either side of a label's peak whose mean features are judged
_SHRINK = 0.2  # towards a round cloud: few recordings for many features


@dataclass(frozen=True)
class Outliers:
    """Hold what was measured of a recogniser's features (float32): of each label's, and of other sounds'.

    `means` is labels × width, `inverse` the inverse covariance that the labels share (width × width), `other_mean` and
    `other_inverse` the same of other sounds. `centre` and `spread` are mean and standard deviation of the distances of
    known recordings. `what` says in one word what the labels are, such as "digit".
    """

    means: Floats
    inverse: Floats
    other_mean: Floats
    other_inverse: Floats
    centre: float
    spread: float
    what: str

    def score(self, features: Floats, label: int) -> float:
        """Return how unlike its label a sound is, in standard deviations of known recordings above their mean.

        `features` are those of `around`; `label` counts from 1, as 0 is the blank.
        """
        return float((self._distance(features, label) - self.centre) / self.spread)

    def _distance(self, features: Floats, label: int) -> float:
        near, far = features - self.means[label - 1], features - self.other_mean
        return float(near @ self.inverse @ near - far @ self.other_inverse @ far) / len(features)


def around(hidden: Floats, peak: int) -> Floats:
    """Return the mean features (width) of the frames around `peak` in `hidden` (frames × width)."""
    mean: Floats = hidden[max(0, peak - SIDE) : peak + SIDE + 1].mean(0)
    return mean


def measure(known: Floats, labels: NDArray[np.int64], other: Floats, what: str) -> Outliers:
    """Measure features (recordings × width) of known labels (1 …) and of other sounds.

    Centre and spread come of recordings whose third was left out of the measuring each time: a distance to a cloud
    that a recording is part of is too small.
    """
    count = int(labels.max())
    other_mean, other_inverse = other.mean(0), _inverse(other - other.mean(0))

    def fit(rows: NDArray[np.bool_]) -> Outliers:
        means = np.stack([known[rows & (labels == label)].mean(0) for label in range(1, count + 1)])
        inverse = _inverse(known[rows] - means[labels[rows] - 1])
        return Outliers(means, inverse, other_mean, other_inverse, 0.0, 1.0, what)

    third = np.arange(len(known)) % 3
    distances = []
    for left_out in range(3):
        part = fit(third != left_out)
        rows = third == left_out
        distances += [part.score(row, int(label)) for row, label in zip(known[rows], labels[rows], strict=True)]
    whole = fit(np.ones(len(known), bool))
    return Outliers(
        whole.means, whole.inverse, other_mean, other_inverse, float(np.mean(distances)), float(np.std(distances)), what
    )


def _inverse(spread: Floats) -> Floats:
    table = np.cov(spread.T)
    table += _SHRINK * np.trace(table) / len(table) * np.eye(len(table))
    inverse: Floats = np.linalg.inv(table).astype(np.float32)
    return inverse


def save(outliers: Outliers, folder: Path) -> None:
    """Write `FILE` beside the weights, with their hash."""
    from safetensors.numpy import save_file

    tables = {name: getattr(outliers, name) for name in ("means", "inverse", "other_mean", "other_inverse")}
    tables["centre"] = np.array([outliers.centre, outliers.spread], np.float32)
    tables = {name: np.ascontiguousarray(table, dtype=np.float32) for name, table in tables.items()}
    save_file(tables, folder / FILE, {"weights": _hash(folder), "what": outliers.what})


def read(folder: Path) -> Outliers | None:
    """Return what was measured of the weights in `folder`, None where nothing was.

    Raises `WeightsError` for a damaged file, and for one that was measured on other weights.
    """
    from safetensors import SafetensorError, safe_open

    if not (folder / FILE).exists():
        return None
    try:
        with safe_open(folder / FILE, "numpy") as file:
            said = file.metadata() or {}
            tables = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        centre, spread = (float(one) for one in tables.pop("centre"))
        found = Outliers(**tables, centre=centre, spread=spread, what=said["what"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"{folder.name}: {FILE} is damaged. {restore()}") from error
    if said.get("weights") != _hash(folder):
        raise WeightsError(
            f"{folder.name}: {FILE} was measured on other weights. {restore()} Or measure again with "
            "`python -m training.audio.digit_outliers`."
        )
    return found


def what(folder: Path) -> str:
    """Return in one word what the labels are, "" where no outliers were measured. Raises `WeightsError`."""
    found = read(folder)
    return found.what if found is not None else ""


def _hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
