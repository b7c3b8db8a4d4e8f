"""Attention and the lens on tiny nets, held against what transformers itself gives."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from models.errors import BadInput
from models.runtime.engine import StopSignal
from models.text.kept import unpack
from models.text.looking import attention, lens, passes
from tests.tiny import ask, final_of, plain
from tests.tiny.kept_texts import look, written

KINDS = ["llama", "gpt2", "qwen2"]


def found(engine, model, study, kept):
    """Return a study's parts, its meta and its notes."""
    final = final_of(engine, look(model, study, kept))
    (output,) = final.outputs
    assert (output.kind, output.meta["what"]) == ("view", study)
    return load(output.data), output.meta, final.stats["notes"]


def ids_of(kept):
    opened = unpack(kept.data)
    return [*opened.prompt.tolist(), *opened.ids.tolist()]


def reference(engine, model, ids):
    """Return what transformers gives for a text with eager attention: all attention, all states, all logits."""
    net, _ = plain(engine.catalog[f"text/{model}"].folder())
    before = net.config._attn_implementation
    net.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            out = net(input_ids=torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    finally:
        net.set_attn_implementation(before)
    return torch.stack(out.attentions)[:, 0].numpy(), out.hidden_states, out.logits[0]


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_what_transformers_gives_and_every_row_sums_to_one(engine, kind):
    kept = written(engine, kind)
    parts, meta, notes = found(engine, kind, "attention", kept)
    ids = ids_of(kept)
    expected, _, _ = reference(engine, kind, ids)
    weights = parts["attention"].astype(np.float32)
    assert weights.shape == (2, 2, len(ids), len(ids)) == expected.shape
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=2e-3)
    assert not np.triu(weights, 1).any()
    np.testing.assert_allclose(parts["means"][:-1], expected.mean(1), atol=1e-3)
    np.testing.assert_allclose(parts["means"][-1], expected.mean((0, 1)), atol=1e-3)
    assert not parts["before"].any()
    assert (meta["layers"], meta["heads"], meta["first"], meta["of"]) == (2, 2, 0, len(ids))
    assert len(meta["pieces"]) == len(ids)
    assert "".join(meta["pieces"][1 : meta["prompt"]]) == "Once upon a"
    assert notes == []


def test_a_head_s_small_picture_has_its_largest_weight_in_each_field(engine):
    kept = written(engine, "llama", max_new_tokens=40)
    parts, _, _ = found(engine, "llama", "attention", kept)
    thumbs = parts["thumbs"]
    assert thumbs.dtype == np.uint8
    assert thumbs.shape == (2, 2, attention.THUMB, attention.THUMB)
    top = np.sqrt(parts["attention"].astype(np.float32).max((2, 3))) * 255
    np.testing.assert_allclose(thumbs.max((2, 3)), top, atol=1)
    assert thumbs[0, 0, 0, -1] == 0  # the first token cannot look at the last one


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_long_text_the_end_is_shown_as_it_was_read_with_what_came_before(engine, kind, monkeypatch):
    kept = written(engine, kind, max_new_tokens=30)
    whole, _, _ = found(engine, kind, "attention", kept)
    monkeypatch.setattr(passes, "TOKENS_MAX", 9)
    parts, meta, notes = found(engine, kind, "attention", kept)
    weights = parts["attention"].astype(np.float32)
    assert weights.shape[2:] == (9, 9)
    np.testing.assert_allclose(weights, whole["attention"][..., -9:, -9:].astype(np.float32), atol=2e-3)
    np.testing.assert_allclose(weights.sum(-1) + parts["before"], 1, atol=3e-3)
    assert parts["before"].max() > 0.1
    assert (meta["first"], meta["of"], meta["prompt"]) == (len(ids_of(kept)) - 9, len(ids_of(kept)), 0)
    assert "last 9 is shown" in notes[0]


@pytest.mark.parametrize(("layers", "heads"), [(4, 4), (30, 9), (24, 14), (80, 64)])
def test_a_view_stays_within_its_bound(layers, heads):
    tokens = attention.tokens_max(layers, heads)
    assert 2 * tokens**2 * (layers * (heads + 1) + 1) <= attention.BYTES_MAX
    assert tokens > 20


@pytest.mark.parametrize("study", ["attention", "lens"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_model_stays_as_it_was(engine, kind, study):
    request = ask("Once upon", kind, 5, max_new_tokens=25, num_variants=2)
    before = final_of(engine, request)
    with engine._registry.lease(f"text/{kind}") as loaded:
        net = loaded.parts["model"]
        state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        implementation = net.config._attn_implementation
        assert implementation != "eager"
    found(engine, kind, study, written(engine, kind))
    after = final_of(engine, request)
    assert [output.data for output in after.outputs] == [output.data for output in before.outputs]
    with engine._registry.lease(f"text/{kind}") as loaded:
        assert loaded.parts["model"] is net
        assert net.config._attn_implementation == implementation
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
        assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_a_private_copy_shares_every_weight(engine):
    net, _ = plain(engine.catalog["text/gpt2"].folder())
    private = passes.private_copy(net)
    shared = {id(tensor) for tensor in (*net.parameters(), *net.buffers())}
    assert {id(tensor) for tensor in (*private.parameters(), *private.buffers())} == shared
    assert private.config is not net.config


@pytest.mark.parametrize("kind", KINDS)
def test_the_lens_s_last_layer_is_the_model_itself(engine, kind):
    kept = written(engine, kind)
    parts, meta, _ = found(engine, kind, "lens", kept)
    ids = ids_of(kept)
    _, _, logits = reference(engine, kind, ids)
    odds = logits[:-1].softmax(-1)
    came = torch.tensor(ids[1:])
    own = odds.gather(1, came[:, None])[:, 0]
    np.testing.assert_array_equal(parts["top"][-1], odds.topk(lens.LIKELIEST).indices)
    np.testing.assert_allclose(parts["top_p"][-1], odds.topk(lens.LIKELIEST).values, atol=1e-3)
    np.testing.assert_allclose(parts["came_p"][-1], own, rtol=1e-3)
    np.testing.assert_array_equal(parts["rank"][-1], 1 + (odds > own[:, None]).sum(-1))
    assert parts["top"].shape == (3, len(ids) - 1, lens.LIKELIEST)
    assert len(meta["pieces"]) == len(ids) - 1
    assert "".join(meta["pieces"][: meta["prompt"]]) == "Once upon a"
    words = json.loads(parts["words"].tobytes())
    assert set(words) == {str(token) for token in np.unique(parts["top"])}


@pytest.mark.parametrize("kind", KINDS)
def test_the_lens_reads_every_layer_through_norm_and_head(engine, kind):
    kept = written(engine, kind)
    parts, _, _ = found(engine, kind, "lens", kept)
    ids = ids_of(kept)
    net, _ = plain(engine.catalog[f"text/{kind}"].folder())
    _, states, _ = reference(engine, kind, ids)
    norm = net.transformer.ln_f if kind == "gpt2" else net.model.norm
    with torch.inference_mode():
        for row in (0, 1):  # the state after the last layer comes out of transformers with its norm
            odds = net.lm_head(norm(states[row][0, :-1])).softmax(-1)
            np.testing.assert_allclose(parts["top_p"][row], odds.topk(lens.LIKELIEST).values, atol=1e-3)
            np.testing.assert_allclose(
                parts["came_p"][row], odds.gather(1, torch.tensor(ids[1:])[:, None])[:, 0], rtol=1e-3
            )


def test_a_position_is_settled_where_the_last_answer_stays():
    best = np.array([[1, 5, 3, 4], [1, 2, 3, 4], [1, 5, 0, 2], [1, 5, 3, 2]])
    assert lens.settled(best) == [0, 2, 3, 2]


def test_the_lens_shows_the_end_of_a_long_text(engine, monkeypatch):
    kept = written(engine, "qwen2", max_new_tokens=30)
    whole, _, _ = found(engine, "qwen2", "lens", kept)
    monkeypatch.setattr(passes, "TOKENS_MAX", 7)
    parts, meta, notes = found(engine, "qwen2", "lens", kept)
    np.testing.assert_array_equal(parts["top"], whole["top"][:, -7:])
    assert len(meta["pieces"]) == 7
    assert "last 7 are shown" in notes[0]


def test_a_model_that_ends_in_another_way_is_refused_in_a_sentence(engine, monkeypatch):
    kept = written(engine, "llama")
    with engine._registry.lease("text/llama") as loaded:
        net = loaded.parts["model"]
        inner = net.forward

        def forward(*args, **named):
            out = inner(*args, **named)
            out.logits = out.logits.tanh()  # as Gemma caps its logits
            return out

        monkeypatch.setattr(passes, "private_copy", lambda model: model)
        monkeypatch.setattr(net, "forward", forward)
        with pytest.raises(BadInput, match="needs one final norm and one output head"):
            list(lens.lens(engine.catalog["text/llama"], look("llama", "lens", kept), loaded, context(kept)))
    engine.unload("text/llama")


def context(kept, stopped=lambda: False):
    from models.family import Context

    return Context(stopped=stopped, open_ref=lambda ref: kept.data)


@pytest.mark.parametrize("study", ["attention", "lens"])
def test_stop_works_between_layers(engine, study):
    kept = written(engine, "llama")
    looks = {"attention": attention.attention, "lens": lens.lens}
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 1  # at the second layer

    with engine._registry.lease("text/llama") as loaded:
        events = list(looks[study](engine.catalog["text/llama"], look("llama", study, kept), loaded,
                                   context(kept, stopped)))  # fmt: skip
    assert len(asked) == 2
    assert (events[-1].kind, events[-1].outputs, events[-1].stats) == ("final", (), {"stopped": True})


def test_stop_before_it_begins_leaves_nothing(engine):
    stop = StopSignal()
    kept = written(engine, "llama")
    stop.request()
    final = final_of(engine, look("llama", "attention", kept), stop)
    assert final.outputs == ()
    assert final.stats["stopped"]


def test_progress_counts_the_layers(engine):
    events = list(engine.generate(look("llama", "attention", written(engine, "llama"))))
    steps = [(event.step, event.total) for event in events if event.kind == "progress" and event.stage == "layers"]
    assert steps[0] == (0, 2)
    assert {total for _, total in steps} == {2}


@pytest.mark.parametrize(
    ("model", "study", "words"),
    [
        ("lstm", "attention", "has no attention; it has recurrent state"),
        ("lstm", "lens", "has no logit lens"),
        ("llama", "state", "has no recurrent state; it has attention and logit lens"),
        ("foreign", "attention", "another vocabulary"),
        ("foreign", "lens", "another vocabulary"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(engine, model, study, words):
    with pytest.raises(BadInput, match=words):
        final_of(engine, look(model, study, written(engine, "llama")))


def test_what_is_no_kept_text_is_refused_in_a_sentence(engine):
    from models.blobs import Blobs
    from models.types import Request

    ref = Blobs(engine._settings.data_dir).put_bytes(b"no safetensors")
    request = Request(model="text/llama", inputs={"prompt": "x", "view": ref}, study="attention")
    with pytest.raises(BadInput, match="does not hold a saved text"):
        final_of(engine, request)
    with pytest.raises(BadInput, match="“view” is missing"):
        final_of(engine, request.model_copy(update={"inputs": {"prompt": "x"}}))
    with pytest.raises(BadInput, match="No file is stored"):
        gone = {"prompt": "x", "view": "sha256:" + "0" * 64}
        final_of(engine, request.model_copy(update={"inputs": gone}))
