"""Prompt lookup and what is kept of the last run: the same text, sooner; and where they cannot act, a note."""

import json

import numpy as np
import pytest

from models.runtime.engine import LocalEngine, StopSignal
from models.text.kept import unpack
from models.text.sampling import prefix
from tests.tiny import ENTRY, PressedAtStep, ask, final_of, make_tokenizer, results, tiny_engine, tiny_settings

KINDS = ["llama", "gpt2", "qwen2"]
AGAIN = "the cat and the hat and the cat and the hat and the cat"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Return an engine of its own: these runs leave something with the models."""
    return tiny_engine(tmp_path_factory.mktemp("speed"))


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    """Return an engine with one tiny recurrent model."""
    import torch

    folder = tmp_path_factory.mktemp("recurrent")
    from models.device import import_libraries

    import_libraries(tiny_settings(folder))
    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LSTMConfig(vocab_size=300, embedding_size=16, hidden_size=24, max_position_embeddings=64, **ids)
    model = LSTMForCausalLM(config)
    with torch.no_grad():
        model.embed.weight *= 40  # uneven odds, so that settings act
    model.half().save_pretrained(folder / "lstm")
    tokenizer.save_pretrained(folder / "lstm")
    (folder / "lstm.toml").write_text(ENTRY.format(name="lstm", context=64, vocabulary=300), "utf-8")
    return LocalEngine(tiny_settings(folder))


def text_of(final):
    return final.outputs[0].text


def kept_of(final):
    return unpack(next(one for one in final.outputs if one.kind == "view").data)


def parts_of(engine, kind):
    with engine._registry.lease(f"text/{kind}") as loaded:
        return loaded.parts


@pytest.mark.parametrize("count", [1, 4, 20])
@pytest.mark.parametrize("kind", [*KINDS, "letters"])
def test_greedy_text_is_the_same_with_prompt_lookup(engine, kind, count):
    for more in (
        {},
        {"repetition_penalty": 1.3},
        {"frequency_penalty": -0.5, "banned": ["e"]},
        {"dry_multiplier": 0.5},
    ):
        values = {"do_sample": False, "max_new_tokens": 35, **more}
        slow = final_of(engine, ask(AGAIN, kind, **values))
        quick = final_of(engine, ask(AGAIN, kind, prompt_lookup_num_tokens=count, **values))
        assert text_of(quick) == text_of(slow)
        assert results(quick)[0].meta == results(slow)[0].meta
        assert quick.stats["in_effect"]["prompt_lookup_num_tokens"] == count
        a, b = kept_of(slow), kept_of(quick)
        assert np.array_equal(a.ids, b.ids)
        assert np.allclose(a.logits.astype(np.float32), b.logits.astype(np.float32), atol=5e-2)


def test_it_takes_fewer_steps_and_json_stays_json(engine):
    calls = []
    model = parts_of(engine, "letters")["model"]
    handle = model.register_forward_pre_hook(lambda *given: calls.append(1))
    try:
        for count in (None, 8):
            calls.clear()
            final = final_of(
                engine, ask("aaaa", "letters", do_sample=False, max_new_tokens=40, prompt_lookup_num_tokens=count)
            )
            assert text_of(final) == "a" * 44
            assert final.stats["tokens"] == 40
            assert len(calls) == 40 if count is None else len(calls) < 15
    finally:
        handle.remove()
    schema = '{"type": "array", "items": {"enum": ["abab", "b"]}, "minItems": 3, "maxItems": 4}'
    for sample in (False, True):
        values = {"do_sample": sample, "json_schema": schema, "max_new_tokens": 50, "prompt_lookup_num_tokens": 5}
        text = text_of(final_of(engine, ask("the cat", "gpt2", seed=2, **values)))
        assert set(json.loads(text[len("the cat") :])) <= {"abab", "b"}


def test_a_stop_text_and_stop_end_it_in_the_middle_of_a_guess(engine):
    values = {"do_sample": False, "max_new_tokens": 40, "prompt_lookup_num_tokens": 10, "frequency_penalty": 0.05}
    free = text_of(final_of(engine, ask("abcabcabc", "letters", **values)))
    stop = free[20:22]
    final = final_of(engine, ask("abcabcabc", "letters", stop=[stop], **values))
    assert text_of(final) == free[: free.index(stop, 8)]
    assert final.outputs[0].meta["finish"] == "stop string"
    stopped = final_of(engine, ask("aaaa", "letters", **values), PressedAtStep(2))
    assert stopped.stats["stopped"]
    assert stopped.outputs[0].meta["tokens"] <= 2 * 11


def test_by_chance_the_odds_stay(engine):
    def shares(**more):
        values = {"max_new_tokens": 50, "temperature": 1.0, "top_p": 1.0, **more}
        runs = [final_of(engine, ask("abcabcab", "letters", seed, **values)) for seed in range(12)]
        text = "".join(text_of(one)[8:] for one in runs)
        return np.array([text.count(one) / len(text) for one in "abc"])

    assert np.allclose(shares(prompt_lookup_num_tokens=4), [0.4, 0.3, 0.3], atol=0.07)


@pytest.mark.parametrize(("values", "words"), [
    ({"num_variants": 2}, "a single variant"), ({"mirostat_tau": 3.0}, "Mirostat"),
])  # fmt: skip
def test_where_prompt_lookup_cannot_act_a_note_says_so_and_the_text_is_as_without(engine, values, words):
    request = ask("the cat", max_new_tokens=10, **values)
    found = final_of(engine, request.model_copy(update={"params": {**request.params, "prompt_lookup_num_tokens": 5}}))
    assert [note for note in found.stats["notes"] if words in note and "lookup" in note]
    assert "prompt_lookup_num_tokens" not in found.stats["in_effect"]
    assert text_of(found) == text_of(final_of(engine, request))


def test_under_guidance_neither_is_shown_or_acts(engine):
    values = {"guidance_scale": 1.5, "prompt_lookup_num_tokens": 5, "reuse_cache": True, "max_new_tokens": 8}
    found = final_of(engine, ask("the cat", **values))
    assert not {"prompt_lookup_num_tokens", "reuse_cache"} & set(found.stats["in_effect"])
    assert found.stats["notes"] == []


@pytest.mark.parametrize(("name", "value"), [("prompt_lookup_num_tokens", 3), ("reuse_cache", True)])
def test_a_recurrent_model_says_that_they_do_not_act(recurrent, name, value):
    request = ask("the cat", "lstm", max_new_tokens=12, do_sample=False)
    plain = final_of(recurrent, request)
    found = final_of(recurrent, request.model_copy(update={"params": {**request.params, name: value}}))
    assert [note for note in found.stats["notes"] if "cannot be rewound" in note]
    assert text_of(found) == text_of(plain)
    assert name not in found.stats["in_effect"]


def test_a_recurrent_model_is_guided_and_keeps_to_a_schema(recurrent):
    values = {"max_new_tokens": 15, "do_sample": False, "guidance_scale": 4.0, "negative_prompt": "the sea"}
    guided = final_of(recurrent, ask("the cat", "lstm", **values))
    assert text_of(guided) != text_of(final_of(recurrent, ask("the cat", "lstm", **{**values, "guidance_scale": 1.0})))
    schema = '{"type": "array", "items": {"type": "boolean"}, "maxItems": 3}'
    text = text_of(final_of(recurrent, ask("the cat", "lstm", max_new_tokens=40, json_schema=schema)))
    assert all(type(one) is bool for one in json.loads(text[len("the cat") :]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_last_is_not_read_again_and_the_text_is_the_same(engine, kind):
    values = {"do_sample": False, "max_new_tokens": 10, "reuse_cache": True}
    parts_of(engine, kind).pop("prefix", None)
    first = final_of(engine, ask("the cat and the hat", kind, **values))
    assert "prompt_tokens_reused" not in first.stats
    longer = text_of(first) + " ran"
    for prompt, most in ((longer, None), ("the cat and the sea", None), ("the cat and the sea", None), ("Once", 1)):
        fresh = final_of(engine, ask(prompt, kind, do_sample=False, max_new_tokens=10))
        again = final_of(engine, ask(prompt, kind, **values))
        assert text_of(again) == text_of(fresh)
        reused = again.stats["prompt_tokens_reused"]
        assert 0 < reused < again.stats["prompt_tokens"]
        assert most is None or reused == most
        assert [note for note in again.stats["notes"] if note.startswith(f"Cache reused for {reused} of the prompt's")]
        a, b = kept_of(fresh), kept_of(again)
        assert np.allclose(a.logits.astype(np.float32), b.logits.astype(np.float32), atol=5e-2)


def test_it_really_is_not_read(engine):
    widths = []
    model = parts_of(engine, "llama")["model"]
    values = {"do_sample": False, "max_new_tokens": 2, "reuse_cache": True}
    final_of(engine, ask("the cat and the hat ran to the", **values))

    def see(net, args, kwargs):
        widths.append(kwargs["input_ids"].shape[1])

    handle = model.register_forward_pre_hook(see, with_kwargs=True)
    try:
        final = final_of(engine, ask("the cat and the hat ran to the sea", **values))
    finally:
        handle.remove()
    assert widths[0] == final.stats["prompt_tokens"] - final.stats["prompt_tokens_reused"]
    assert widths[0] < 8


def test_without_the_switch_nothing_is_kept_and_the_same_request_gives_the_same_bytes(engine):
    engine.unload("text/gpt2")
    request = ask("the cat", "gpt2", max_new_tokens=6)
    first = final_of(engine, request).outputs[0].data
    assert "prefix" not in parts_of(engine, "gpt2")
    final_of(engine, ask("the cat", "gpt2", max_new_tokens=6, reuse_cache=True))
    assert "prefix" in parts_of(engine, "gpt2")
    assert final_of(engine, request).outputs[0].data == first
    engine.unload("text/gpt2")
    assert "prefix" not in parts_of(engine, "gpt2")


def test_a_stopped_run_is_kept_rightly_too_and_variants_are_told(engine):
    values = {"do_sample": False, "max_new_tokens": 30, "reuse_cache": True}
    final_of(engine, ask("the cat and", "qwen2", **values), PressedAtStep(4))
    again = final_of(engine, ask("the cat and", "qwen2", **values))
    assert again.stats["prompt_tokens_reused"]
    assert text_of(again) == text_of(final_of(engine, ask("the cat and", "qwen2", **{**values, "reuse_cache": False})))
    several = final_of(engine, ask("the cat and", "qwen2", num_variants=2, max_new_tokens=3, reuse_cache=True))
    assert [note for note in several.stats["notes"] if "single variant" in note]


def test_what_one_ran_tells_nobody_else_anything(engine):
    request = ask("the cat and the hat", "gpt2", do_sample=False, max_new_tokens=4, reuse_cache=True)
    engine.unload("text/gpt2")
    final_of(engine, request, StopSignal("ann"))
    other = final_of(engine, request, StopSignal("bob"))
    assert "prompt_tokens_reused" not in other.stats
    assert not [note for note in other.stats.get("notes", ()) if "Cache reused" in note]
    assert final_of(engine, request, StopSignal("bob")).stats["prompt_tokens_reused"]


def test_what_is_kept_has_a_limit(engine, monkeypatch):
    parts = parts_of(engine, "llama")
    values = {"do_sample": False, "max_new_tokens": 10, "reuse_cache": True}
    final_of(engine, ask("the cat and the hat ran to the sea", **values))
    ids, cache, _ = parts["prefix"]
    each = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) // len(ids)
    assert cache.get_seq_length() == len(ids)
    monkeypatch.setattr(prefix, "MOST_BYTES", 7 * each)
    fresh = final_of(engine, ask("the cat and the hat ran to the sea", **values))
    ids, cache, _ = parts["prefix"]
    assert len(ids) == cache.get_seq_length() == 7
    held = sum(tensor.untyped_storage().nbytes() for layer in cache.layers for tensor in (layer.keys, layer.values))
    assert held <= 7 * each
    again = final_of(engine, ask("the cat and the hat ran to the sea", **values))
    assert again.stats["prompt_tokens_reused"] == 7
    assert text_of(again) == text_of(fresh)
    monkeypatch.setattr(prefix, "MOST_BYTES", 1)
    final_of(engine, ask("the cat and the hat ran to the sea", **values))
    assert "prefix" not in parts
