"""A text of one model scored by another: against its own kept odds, against a plain sum, and what is refused."""

import json

import numpy as np
import pytest
import torch

from models.blobs import Blobs
from models.errors import BadInput
from models.text.kept import pack, unpack
from models.text.looking import rescoring
from models.text.looking.microscope import score
from models.text.sampling import recording
from models.types import Request
from tests.models.text.looking.test_passes import context, ids_of
from tests.tiny import final_of, plain
from tests.tiny.kept_texts import look, written

KINDS = ["llama", "gpt2", "qwen2", "lstm"]


def scored(engine, model, kept):
    (output,) = final_of(engine, look(model, "rescore", kept)).outputs
    assert (output.kind, output.media_type, output.meta["what"]) == ("view", "application/json", "rescore")
    return json.loads(output.data)


def odds(engine, model, ids, count):
    """Return the log2 probabilities (count × vocabulary) from which a text's last `count` tokens come."""
    net, _ = plain(engine.catalog[f"text/{model}"].folder())
    with torch.inference_mode():
        logits = net(input_ids=torch.tensor([ids[:-1]])).logits[0, -count:].double()
    return (logits.log_softmax(-1) / np.log(2)).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_s_own_text_has_its_own_odds_and_no_distance(engine, kind):
    kept = written(engine, kind)
    said = scored(engine, kind, kept)
    own = np.log2(score(unpack(kept.data), {}).p)
    np.testing.assert_allclose(said["theirs"], own, atol=2e-3)
    np.testing.assert_allclose(said["ours"], own, atol=2e-2)  # what was kept is rounded to float16
    assert max(said["kl"]) < 1e-4
    assert said["bits"]["theirs"] == pytest.approx(-np.mean(own), abs=1e-3)
    assert said["whole"]
    assert len(said["pieces"]) == len(said["kl"]) == len(unpack(kept.data).ids)


@pytest.mark.parametrize(("writer", "reader"), [("llama", "gpt2"), ("gpt2", "lstm"), ("lstm", "qwen2")])
def test_another_model_s_distance_is_the_sum_over_the_vocabulary(engine, writer, reader):
    kept = written(engine, writer)
    said = scored(engine, reader, kept)
    ids, count = ids_of(kept), len(unpack(kept.data).ids)
    theirs, ours = odds(engine, writer, ids, count), odds(engine, reader, ids, count)
    np.testing.assert_allclose(said["kl"], (2**theirs * (theirs - ours)).sum(-1), rtol=1e-2, atol=2e-3)
    drawn = np.array(ids[-count:])[:, None]
    np.testing.assert_allclose(said["ours"], np.take_along_axis(ours, drawn, 1)[:, 0], atol=1e-3)
    rank = 1 + (ours > np.take_along_axis(ours, drawn, 1)).sum(-1)
    np.testing.assert_array_equal(said["rank"], rank)
    assert said["bits"]["kl"] > 0.1


def test_of_odds_that_were_kept_in_part_the_distance_is_a_lower_bound(engine, monkeypatch):
    whole = scored(engine, "gpt2", written(engine, "llama"))
    monkeypatch.setattr(recording, "KEPT_BYTES", 20 * 40 * 6)  # forty tokens of a step
    kept = written(engine, "llama")
    assert unpack(kept.data).columns.shape[1] == 40
    part = scored(engine, "gpt2", kept)
    assert not part["whole"]
    assert (np.array(part["kl"]) <= np.array(whole["kl"]) + 1e-3).all()
    assert part["bits"]["kl"] > 0.5 * whole["bits"]["kl"]
    np.testing.assert_allclose(part["ours"], whole["ours"], atol=1e-3)
    itself = scored(engine, "llama", kept)
    assert max(itself["kl"]) < 1e-3


def test_a_text_of_another_vocabulary_is_refused_in_a_sentence(engine):
    with pytest.raises(BadInput, match="another vocabulary: text/foreign does not know its tokens"):
        scored(engine, "foreign", written(engine, "llama"))


def test_a_text_kept_before_vocabularies_were_noted_is_refused_in_a_sentence(engine):
    ref = Blobs(engine._settings.data_dir).put_bytes(pack(unpack(written(engine, "llama").data)))
    request = Request(model="text/gpt2", inputs={"prompt": "x", "view": ref}, study="rescore")
    with pytest.raises(BadInput, match="lacks its vocabulary id"):
        final_of(engine, request)


def test_a_text_longer_than_the_other_model_reads_is_refused_in_a_sentence(engine):
    kept = written(engine, "llama")
    spec = engine.catalog["text/gpt2"]
    short = spec.model_copy(update={"facts": {**spec.facts, "context_length": 8}})
    with engine._registry.lease("text/gpt2") as loaded, pytest.raises(BadInput, match="reads at most 8"):
        list(rescoring.rescore(short, look("gpt2", "rescore", kept), loaded, context(kept)))


@pytest.mark.parametrize("kind", ["llama", "lstm"])
def test_stop_ends_it(engine, kind):
    kept = written(engine, kind)
    final_of(engine, look(kind, "rescore", kept))  # loads the model
    with engine._registry.lease(f"text/{kind}") as loaded:
        events = list(rescoring.rescore(engine.catalog[f"text/{kind}"], look(kind, "rescore", kept), loaded,
                                        context(kept, lambda: True)))  # fmt: skip
    assert events[-1].stats == {"stopped": True}
