"""Texts that are written at once: each is that of its single run, whatever its settings, length and company."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.device import import_libraries, set_threads
from models.errors import PlaygroundError
from models.family import Context
from models.text.sampling import together as writing
from models.tokens import lean
from models.tokens import together as reading
from models.types import Request
from tests.same_texts import check_same
from tests.tiny import CONTEXT, make_model, make_tokenizer, tiny_settings, write_model

KINDS = ("llama", "gpt2", "qwen2", "lstm")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    from models.catalog import load_catalog
    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

    folder = tmp_path_factory.mktemp("together")
    settings = tiny_settings(folder)
    import_libraries(settings)
    tokenizer = make_tokenizer()
    torch.manual_seed(3)
    shape = {"vocab_size": len(tokenizer), "embedding_size": 24, "hidden_size": 40, "max_position_embeddings": CONTEXT}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    write_model(folder, "lstm", LSTMForCausalLM(LSTMConfig(**shape, **ids)), tokenizer)
    for kind in ("llama", "gpt2", "qwen2"):
        write_model(folder, kind, make_model(kind, tokenizer), tokenizer)
    set_threads(1, settings)
    return load_catalog(settings)


@pytest.fixture(scope="module")
def loaded(catalog):
    return {kind: catalog.family(f"text/{kind}").load(catalog[f"text/{kind}"]) for kind in KINDS}


def asked(kind, prompt="the cat", seed=1, **params):
    return Request(model=f"text/{kind}", inputs={"prompt": prompt}, params={"max_new_tokens": 12, **params}, seed=seed)


def alone(catalog, loaded, request):
    spec, family = catalog[request.model], catalog.family(request.model)
    context = Context(stamp={"request": request.model_dump()})
    return list(family.generate(spec, request, catalog.validate(request), loaded, context))[-1]


def at_once(catalog, loaded, requests, **context):
    spec, family = catalog[requests[0].model], catalog.family(requests[0].model)
    stamps = [{"request": request.model_dump()} for request in requests]
    ends, order = {}, []
    for index, event in family.generate_together(
        spec, requests, [catalog.validate(one) for one in requests], loaded, Context(**context), stamps
    ):
        if isinstance(event, PlaygroundError) or event.kind == "final":
            assert index not in ends
            ends[index] = event
            order.append(index)
    return ends, order


def check_alike(catalog, loaded, requests):
    ends, _ = at_once(catalog, loaded, requests)
    assert sorted(ends) == list(range(len(requests)))
    for index, request in enumerate(requests):
        single = alone(catalog, loaded, request)
        check_same(ends[index].outputs, single.outputs)
        same = ("notes", "tokens", "stopped", "unused", "prompt_tokens")
        assert [ends[index].stats[name] for name in same] == [single.stats[name] for name in same]
    return ends


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_several_lengths_and_settings_have_the_bytes_of_their_single_runs(catalog, loaded, kind):
    requests = [
        asked(kind, "the cat", 1), asked(kind, "the cat", 2, temperature=1.4, max_new_tokens=30),
        asked(kind, "Once upon a time there was", 3, top_p=0.5), asked(kind, "a", 4, do_sample=False),
        asked(kind, "the hat ran to the sea", 5, max_new_tokens=1), asked(kind, "rain", 6, top_k=3, min_p=0.1),
        asked(kind, "the cat", 7, stop=["e"]),
        asked(kind, "a dragon", 8).model_copy(update={"inputs": {"prompt": "a dragon", "forced": "[70, 71]"}}),
    ]  # fmt: skip
    ends = check_alike(catalog, loaded[kind], requests)
    if reading.can_read(loaded[kind].parts):  # else this machine rounds rows otherwise: all were made alone
        assert [one.stats.get("together") for one in ends.values()].count(8) >= 7  # one may be near a flip
        assert all(("together" in one.stats) != ("made_again" in one.stats) for one in ends.values())


STAGES = st.fixed_dictionaries({}, optional={
    "temperature": st.sampled_from([0.0, 0.3, 1.0, 1.7]), "top_p": st.sampled_from([0.05, 0.4, 0.95, 1.0]),
    "top_k": st.sampled_from([1, 5, 200]), "min_p": st.sampled_from([0.01, 0.3]),
    "typical_p": st.sampled_from([0.2, 0.9]), "top_n_sigma": st.sampled_from([0.5, 2.0]),
    "xtc_probability": st.sampled_from([0.5, 1.0]), "dynatemp_range": st.sampled_from([0.5, 1.5]),
    "mirostat_tau": st.sampled_from([1.0, 5.0]), "repetition_penalty": st.sampled_from([1.0, 1.3]),
    "no_repeat_ngram_size": st.sampled_from([2, 3]), "frequency_penalty": st.sampled_from([-1.0, 0.7]),
    "presence_penalty": st.sampled_from([0.5]), "dry_multiplier": st.sampled_from([0.8]),
    "banned": st.just(["the"]), "bias": st.just(["cat: +5", "sea: -3"]),
    "json_schema": st.just('{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'),
    "max_new_tokens": st.integers(1, 20), "stop": st.just(["a"]),
})  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(kind=st.sampled_from(KINDS), rows=st.lists(
    st.tuples(STAGES, st.sampled_from(["a", "the cat", "Once upon a time"]), st.integers(0, 99)), min_size=2,
    max_size=5,
))  # fmt: skip
def test_any_settings_beside_any_others_change_no_text(catalog, loaded, kind, rows):
    check_alike(catalog, loaded[kind], [asked(kind, prompt, seed, **params) for params, prompt, seed in rows])


def test_scores_that_tie_fall_as_in_the_single_run(catalog, loaded):
    tied = replace(loaded["llama"], parts=dict(loaded["llama"].parts))
    tied.parts.pop("rows", None)
    model = type(tied.parts["model"])(tied.parts["model"].config).eval()
    with torch.no_grad():
        model.lm_head.weight.zero_()  # every token is as likely as every other
    tied.parts["model"] = model
    requests = [asked("llama", "the cat", seed, temperature=t, top_p=0.5) for seed, t in enumerate((0.0, 0.5, 1.0))]
    check_alike(catalog, tied, requests)


@pytest.fixture
def unlike(loaded, monkeypatch):
    """A machine on which rows that are read one by one have other numbers than alone, in the last bit."""
    by_row = reading._by_row
    monkeypatch.setattr(reading, "_by_row", lambda x, *more: by_row(x, *more) * (1 + 2**-20 * (len(x) > 1)))
    yield loaded["gpt2"]
    loaded["gpt2"].parts.pop("rows_unlike", None)


def test_where_rows_read_together_have_other_numbers_each_text_is_made_again_alone_and_that_is_told(catalog, unlike):
    requests = [asked("gpt2", "the cat", seed) for seed in range(3)]
    ends = check_alike(catalog, unlike, requests)
    assert [ends[index].stats.get("made_again") for index in range(3)] == [True] * 3
    assert not any("together" in one.stats for one in ends.values())
    again = check_alike(catalog, unlike, requests)  # and it is not tried a second time
    assert not any("made_again" in one.stats or "together" in one.stats for one in again.values())


@pytest.mark.parametrize("kind", ["llama", "lstm"])
def test_where_the_lean_step_is_too_far_off_texts_are_made_again_and_rows_read_one_by_one(
    catalog, loaded, monkeypatch, kind
):
    step = type(lean.step_of(loaded[kind].parts["model"], CONTEXT))
    read = step.__call__
    monkeypatch.setattr(step, "__call__", lambda *given: read(*given) * 2)
    try:
        requests = [asked(kind, "the cat", seed) for seed in range(3)]
        ends = check_alike(catalog, loaded[kind], requests)
        assert [ends[index].stats.get("made_again") for index in range(3)] == [True] * 3
        again = check_alike(catalog, loaded[kind], requests)
        if reading.can_read(loaded[kind].parts):
            assert {one.stats.get("together") for one in again.values()} == {3}
    finally:
        loaded[kind].parts.pop("rows_rough")


def test_a_text_that_comes_near_a_flip_is_made_again_alone_and_the_others_go_on(catalog, loaded, monkeypatch):
    monkeypatch.setattr(writing.Row, "_flip", lambda row, seen, *more: row.index == 1 and seen.shape[1] > 8)
    requests = [asked("llama", "the cat", seed) for seed in range(3)]
    ends = check_alike(catalog, loaded["llama"], requests)
    assert [ends[index].stats.get("made_again") for index in range(3)] == [None, True, None]
    assert [ends[index].stats.get("together") for index in range(3)] == [3, None, 3]


def test_where_all_come_near_a_flip_each_is_made_again_alone(catalog, loaded, monkeypatch):
    monkeypatch.setattr(writing.Row, "_flip", lambda row, *draw: True)
    requests = [asked("lstm", "the cat", seed) for seed in range(2)]
    ends = check_alike(catalog, loaded["lstm"], requests)
    assert [ends[index].stats.get("made_again") for index in range(2)] == [True, True]


def test_stop_keeps_what_there_is_and_those_that_had_ended(catalog, loaded):
    asks = []

    def stopped():
        asks.append(1)
        return len(asks) > 20

    requests = [asked("lstm", "the cat", 1, max_new_tokens=2), asked("lstm", "the cat", 2, max_new_tokens=40)]
    ends, order = at_once(catalog, loaded["lstm"], requests, stopped=stopped)
    assert order == [0, 1]
    check_same(ends[0].outputs, alone(catalog, loaded["lstm"], requests[0]).outputs)
    assert ends[1].stats["stopped"] and 0 < ends[1].stats["tokens"] < 40


def test_a_text_that_fails_says_why_and_the_others_go_on(catalog, loaded, monkeypatch):
    take = writing.Row.take

    def failing(row, *given):
        if row.index == 1:
            raise ValueError("no token is left")
        return take(row, *given)

    monkeypatch.setattr(writing.Row, "take", failing)
    requests = [asked("gpt2", "the cat", seed) for seed in range(3)]
    ends, _ = at_once(catalog, loaded["gpt2"], requests)
    assert "internal error (ValueError)" in ends[1].message
    for at in (0, 2):
        check_same(ends[at].outputs, alone(catalog, loaded["gpt2"], requests[at]).outputs)


def test_a_prompt_that_is_too_long_is_told_of_its_own_text_alone(catalog, loaded):
    requests = [asked("gpt2", "the cat"), asked("gpt2", "the cat and the hat " * 40), asked("gpt2", "sea")]
    ends, _ = at_once(catalog, loaded["gpt2"], requests)
    assert "tokens" in ends[1].message
    check_same(ends[2].outputs, alone(catalog, loaded["gpt2"], requests[2]).outputs)


def test_what_reads_the_model_twice_or_keeps_a_cache_is_made_alone(catalog):
    family, spec = catalog.family("text/llama"), catalog["text/llama"]
    for params in ({"guidance_scale": 2.0}, {"prompt_lookup_num_tokens": 3}, {"reuse_cache": True},
                   {"num_variants": 2}):  # fmt: skip
        request = asked("llama", **params)
        assert family.together(spec, request, catalog.validate(request)) == ""
    request = asked("llama")
    assert family.together(spec, request, catalog.validate(request)) == spec.id


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95, 0.999])
def test_top_p_by_values_forbids_what_transformers_own_does(top_p):
    from transformers import TopPLogitsWarper

    from models.text.sampling.processors import TopP

    chance = torch.Generator().manual_seed(4)
    scores = torch.randn(6, 300, generator=chance) * 3
    scores[1] = scores[1].round()  # many ties, at the edge too
    scores[2] = 0.0
    scores[3, 10:] = -torch.inf
    assert torch.equal(TopP(top_p)(None, scores), TopPLogitsWarper(top_p)(None, scores))
