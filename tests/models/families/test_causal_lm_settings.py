"""Every setting of a causal language model acts as declared, and `in_effect` tells which ones did."""

import pytest

from models.errors import BadInput, BadParam, PromptTooLong
from models.params import describe
from tests.tiny import EOS, added, ask, direct, final_of, plain, results

# setting → what transformers calls it; both ends of its range come from the declaration
ACTING = ["temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram_size"]
SEEDS = range(10)


def ends(engine, name):
    spec = engine.catalog["text/llama"]
    item = next(one for one in engine.catalog.family(spec.id).fields(spec) if one.name == name)
    return item.ge, item.le


@pytest.mark.parametrize("name", ACTING)
def test_both_ends_of_a_setting_give_different_texts(engine, name):
    low, high = ends(engine, name)
    assert any(
        added(engine, ask("the cat", seed=seed, max_new_tokens=30, **{name: low}))
        != added(engine, ask("the cat", seed=seed, max_new_tokens=30, **{name: high}))
        for seed in SEEDS
    )


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("name", ACTING)
def test_both_ends_of_a_setting_are_what_transformers_makes_of_them(engine, name, end):
    values = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 20, name: ends(engine, name)[end]}
    folder = engine.catalog["text/llama"].folder()
    for seed in (1, 2):
        assert added(engine, ask("the cat", seed=seed, **values)) == direct(folder, "the cat", seed, **values)


def test_the_penalties_act_on_greedy_text_too(engine):
    plain = added(engine, ask("the cat", "letters", do_sample=False, max_new_tokens=20))
    assert plain == "a" * 20
    for values in ({"repetition_penalty": 2.0}, {"no_repeat_ngram_size": 2}):
        assert added(engine, ask("the cat", "letters", do_sample=False, max_new_tokens=20, **values)) != plain


@pytest.mark.parametrize("values", [{"top_k": 1}, {"min_p": 1.0}, {"top_p": 0.05, "temperature": 0.05}])
def test_the_narrowest_cuts_are_greedy(engine, values):
    greedy = added(engine, ask("the cat", do_sample=False, max_new_tokens=20))
    assert {added(engine, ask("the cat", seed=seed, max_new_tokens=20, **values)) for seed in range(3)} == {greedy}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_each_variant_is_an_output_of_its_own(engine, count):
    final = final_of(engine, ask("the cat", temperature=1.0, num_variants=count, max_new_tokens=20))
    assert [output.index for output in results(final)] == list(range(count))
    assert len({output.text for output in results(final)}) == count
    assert final.stats["tokens"] == sum(output.meta["tokens"] for output in results(final))


def test_greedy_writes_one_variant(engine):
    assert len(results(final_of(engine, ask("the cat", do_sample=False, num_variants=4, max_new_tokens=5)))) == 1


def test_in_effect_names_what_acts_and_leaves_out_the_neutral(engine):
    stats = final_of(engine, ask("the cat", max_new_tokens=5, top_p=1.0)).stats
    assert stats["in_effect"] == {"max_new_tokens": 5, "do_sample": True, "temperature": 0.8, "seed": 0}
    everything = {
        "max_new_tokens": 6, "do_sample": True, "temperature": 0.9, "top_p": 0.9, "top_k": 40, "min_p": 0.02,
        "typical_p": 0.9, "repetition_penalty": 1.1, "no_repeat_ngram_size": 5, "num_variants": 2, "stop": ["xyz"],
        "cut_prompt": True,
    }  # fmt: skip
    stats = final_of(engine, ask("the cat", seed=8, **everything)).stats
    assert stats["in_effect"] == {**everything, "seed": 8}


def test_in_effect_of_greedy_has_nothing_of_chance(engine):
    values = {"max_new_tokens": 5, "do_sample": False, "temperature": 0.3, "top_k": 4, "num_variants": 3}
    acting = final_of(engine, ask("the cat", seed=4, repetition_penalty=1.2, **values)).stats["in_effect"]
    acting.pop("do_sample", None)
    assert acting == {"max_new_tokens": 5, "repetition_penalty": 1.2}


@pytest.mark.parametrize(
    ("values", "words"), [({"do_sample": False}, "Greedy"), ({"top_k": 1}, "Top-k 1"), ({"top_k": 2}, "")]
)
def test_notes_say_where_chance_does_not_act(engine, values, words):
    notes = final_of(engine, ask("the cat", max_new_tokens=2, **values)).stats["notes"]
    assert len(notes) == (1 if words else 0)
    assert all(words in note for note in notes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": 0}, "0.05 to 2"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_new_tokens": 0}, "1 to 4096"),
        ({"top_k": 1.5}, "whole number"),
        ({"num_variants": 5}, "1 to 4"),
        ({"stop": ["a"] * 5}, "at most 4"),
        ({"stop": "a"}, "a list"),
        ({"do_sample": "yes"}, "on or off"),
        ({"temprature": 1}, "did you mean temperature"),
        ({"beams": 2}, "no such setting"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_is_allowed(engine, values, words):
    with pytest.raises(BadParam, match=words):
        list(engine.generate(ask("the cat", **values)))


def test_every_setting_is_covered_here(engine):
    family = engine.catalog.family("text/llama")
    others = {"max_new_tokens", "do_sample", "num_variants", "stop", "cut_prompt", "seed"}
    assert {item.name for item in describe(family.Params)} == {*ACTING, *others}


@pytest.mark.parametrize("text", ["", "a", "Once upon a time 🐉", " \r\n", f"a{EOS}b", "0" * 500])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2"])
def test_count_tokens_counts_as_the_tokenizer_does(engine, kind, text):
    answer = engine.call(f"text/{kind}", "count_tokens", {"text": text})
    tokenizer = plain(engine.catalog[f"text/{kind}"].folder())[1]
    ids = tokenizer(text, split_special_tokens=True)["input_ids"]
    assert (answer["tokens"], answer["context_length"]) == (len(ids), 64)
    assert bool(answer["problem"]) == (len(ids) >= 64)
    if answer["problem"]:
        with pytest.raises(PromptTooLong) as refused:
            final_of(engine, ask(text, kind, max_new_tokens=1))
        assert refused.value.message == answer["problem"]


@pytest.mark.parametrize("text", ["a\0", "a\ud800", "a" * 1_100_000, 3])
def test_count_tokens_refuses_what_is_no_text(engine, text):
    with pytest.raises(BadInput):
        engine.call("text/llama", "count_tokens", {"text": text})


def test_count_tokens_is_the_number_that_a_run_reports(engine):
    for prompt in ("the cat", f"a{EOS}b", "🐉 \n"):
        counted = engine.call("text/qwen2", "count_tokens", {"text": prompt})["tokens"]
        assert final_of(engine, ask(prompt, "qwen2", max_new_tokens=1)).stats["prompt_tokens"] == counted
