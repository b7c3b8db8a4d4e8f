"""The digit recogniser in numpy: the same probabilities as its net in torch, and CTC's sum over all stretchings."""

import itertools
import json
import math

import numpy as np
import pytest
import torch

from models import measuring
from models.audio.looking import hearing
from models.audio.sounds import read_wav
from models.catalog import load_catalog
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request

CATALOG = load_catalog(Settings())
JUDGE, VOICE = "audio/digit-recogniser", "audio/digits-diffusion"
FOLDER = CATALOG[JUDGE].folder()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Return a spoken number, as its model makes it."""
    engine = LocalEngine(Settings(data_dir=tmp_path_factory.mktemp("data")))
    request = Request(model=VOICE, inputs={"prompt": "four 0 7"}, params={"num_inference_steps": 20}, seed=1)
    *_, final = engine.generate(request)
    engine.close()
    return next(one for one in final.outputs if one.kind == "audio")


def test_its_probabilities_are_those_of_the_net(said):
    model = CATALOG.family(JUDGE).load(CATALOG[JUDGE]).parts["model"]
    samples, _ = read_wav(said.data)
    mono = samples.mean(1)
    with torch.inference_mode():
        wanted = model(torch.from_numpy(mono.astype(np.float32))[None]).logits[0].log_softmax(-1).numpy()
    found = hearing._read(FOLDER).log_odds(mono.astype(np.float64))
    assert found.shape == wanted.shape
    assert np.abs(np.exp(found) - np.exp(wanted)).max() < 1e-3


def test_the_sum_over_all_stretchings_is_that_of_trying_them_all():
    odds = np.random.default_rng(0).dirichlet(np.ones(3), 5)  # frames × blank, a, b

    def heard(path):
        return [label for label, _ in itertools.groupby(path) if label]

    for row in ([1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 2], [1, 1, 2, 1]):
        every = sum(
            math.prod(odds[at, label] for at, label in enumerate(path))
            for path in itertools.product(range(3), repeat=5) if heard(path) == row
        )  # fmt: skip
        assert math.exp(hearing.row_log_odds(np.log(odds), row, 0)) == pytest.approx(every), row
    gone = hearing.row_log_odds(np.log(odds), [1, 1, 1, 1], 0)  # four alike need three blanks between: seven frames
    assert gone == -math.inf


def test_what_was_asked_for_is_heard_and_another_number_is_not(said):
    assert said.text == "4 0 7"
    assert hearing.said_odds(said, "", FOLDER) > 0.5
    assert hearing.said_odds(said.__class__(**{**vars(said), "text": "4 0 8"}), "", FOLDER) < 0.01
    assert hearing.said_odds(said.__class__(**{**vars(said), "text": ""}), "4 0 7", FOLDER) > 0.5


def test_words_that_it_does_not_know_have_no_value(said, tmp_path):
    assert hearing.said_odds(said.__class__(**{**vars(said), "text": "four hens"}), "", FOLDER) is None
    assert hearing.said_odds(said.__class__(**{**vars(said), "text": ""}), " ", FOLDER) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    assert hearing.said_odds(said, "", tmp_path) is None


def test_what_speaks_digits_is_judged_by_it_and_no_tune_is():
    def judged(model):
        found = measuring.offers(CATALOG, Settings(), [model], ["audio"])
        return [one.name for one in found if one.model]

    assert judged(VOICE) == ["recognised_digit_recogniser"]
    assert judged("audio/folk-gpt") == []
