"""Every setting of a causal language model acts as declared, and `in_effect` tells which ones did."""

import pytest

from models.errors import BadInput, BadParam, PromptTooLong
from models.params import describe
from tests.tiny import EOS, added, ask, direct, final_of, plain, results

# what transformers has under that name; both ends of its range come from the declaration
THEIRS = ["temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram_size"]
# a setting of ours, and what else has to be on for it to act
OURS = {
    "top_n_sigma": {}, "xtc_probability": {"xtc_threshold": 0.02}, "xtc_threshold": {"xtc_probability": 1.0},
    "dynatemp_range": {}, "dynatemp_exponent": {"dynatemp_range": 0.7}, "mirostat_tau": {},
    "mirostat_eta": {"mirostat_tau": 2.0}, "frequency_penalty": {}, "presence_penalty": {}, "guidance_scale": {},
    "dry_multiplier": {"dry_allowed_length": 1}, "dry_base": {"dry_multiplier": 1.0, "dry_allowed_length": 1},
    "dry_allowed_length": {"dry_multiplier": 5.0},
}  # fmt: skip
ACTING = [*THEIRS, *OURS]
SEEDS = range(10)


def ends(engine, name):
    spec = engine.catalog["text/llama"]
    item = next(one for one in engine.catalog.family(spec.id).fields(spec) if one.name == name)
    return item.ge, item.le


@pytest.mark.parametrize("name", ACTING)
def test_both_ends_of_a_setting_give_different_texts(engine, name):
    low, high = ends(engine, name)
    # DRY and the penalties need text that says things again
    model, others = ("letters" if name.startswith("dry") else "llama"), {"max_new_tokens": 30, **OURS.get(name, {})}
    assert any(
        added(engine, ask("the cat", model, seed=seed, **others, **{name: low}))
        != added(engine, ask("the cat", model, seed=seed, **others, **{name: high}))
        for seed in SEEDS
    )


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("name", THEIRS)
def test_both_ends_of_a_setting_are_what_transformers_makes_of_them(engine, name, end):
    values = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 20, name: ends(engine, name)[end]}
    folder = engine.catalog["text/llama"].folder()
    theirs = values if values["temperature"] else {"do_sample": False, "max_new_tokens": 20}  # they refuse 0
    for seed in (1, 2):
        assert added(engine, ask("the cat", seed=seed, **values)) == direct(folder, "the cat", seed, **theirs)


def test_temperature_0_is_greedy_and_says_so(engine):
    request = ask("the cat", temperature=0, top_k=5, num_variants=3, max_new_tokens=12)
    final = final_of(engine, request)
    assert [output.text for output in results(final)] == [
        final_of(engine, ask("the cat", do_sample=False, max_new_tokens=12)).outputs[0].text
    ]
    assert any("Temperature 0 is greedy" in note for note in final.stats["notes"])
    assert final.stats["in_effect"]["temperature"] == 0
    assert not {"top_k", "seed", "num_variants"} & set(final.stats["in_effect"])


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
    assert final_of(engine, ask("the cat", max_new_tokens=5, temperature=1.0, top_p=1.0)).stats["in_effect"] == {
        "max_new_tokens": 5, "do_sample": True, "seed": 0,
    }  # fmt: skip
    everything = {
        "max_new_tokens": 6, "do_sample": True, "temperature": 0.9, "top_p": 0.9, "top_k": 40, "min_p": 0.02,
        "typical_p": 0.9, "repetition_penalty": 1.1, "no_repeat_ngram_size": 5, "num_variants": 2, "stop": ["xyz"],
        "cut_prompt": True, "top_n_sigma": 2.0, "xtc_probability": 0.1, "xtc_threshold": 0.2, "mirostat_tau": 3.0,
        "mirostat_eta": 0.2, "dry_multiplier": 0.5, "dry_base": 1.5, "dry_allowed_length": 3, "frequency_penalty": 0.2,
        "presence_penalty": -0.2, "banned": ["zzz"], "bias": ["the: 1"], "guidance_scale": 1.5,
        "json_schema": '{"type": "string"}',
    }  # fmt: skip
    stats = final_of(engine, ask("the cat", seed=8, **everything)).stats
    assert stats["in_effect"] == {**everything, "seed": 8}


def test_in_effect_of_greedy_has_nothing_of_chance(engine):
    values = {"max_new_tokens": 5, "do_sample": False, "temperature": 0.3, "top_k": 4, "num_variants": 3}
    acting = final_of(engine, ask("the cat", seed=4, repetition_penalty=1.2, **values)).stats["in_effect"]
    acting.pop("do_sample", None)
    assert acting == {"max_new_tokens": 5, "repetition_penalty": 1.2}
    chance = {"top_n_sigma": 1.0, "xtc_probability": 1.0, "dynatemp_range": 1.0, "mirostat_tau": 1.0}
    final = final_of(engine, ask("the cat", do_sample=False, max_new_tokens=20, **chance))
    assert set(final.stats["in_effect"]) == {"max_new_tokens", "do_sample"} & set(final.stats["in_effect"])
    assert final.outputs[0].text == final_of(engine, ask("the cat", do_sample=False, max_new_tokens=20)).outputs[0].text


def test_with_a_dynamic_temperature_the_temperature_is_the_middle_and_listed(engine):
    values = {"temperature": 1.0, "dynatemp_range": 0.5, "max_new_tokens": 2, "top_p": 1.0}
    acting = final_of(engine, ask("the cat", **values)).stats["in_effect"]
    assert acting == {
        **{k: v for k, v in values.items() if k != "top_p"},
        "dynatemp_exponent": 1.0,
        "do_sample": True,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("values", "words"), [({"do_sample": False}, "greedy"), ({"top_k": 1}, "Top-k 1"), ({"top_k": 2}, "")]
)
def test_notes_say_where_chance_does_not_act(engine, values, words):
    notes = final_of(engine, ask("the cat", max_new_tokens=2, **values)).stats["notes"]
    assert len(notes) == (1 if words else 0)
    assert all(words in note for note in notes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": -0.1}, "0 to 2"),
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
    others = {"max_new_tokens", "do_sample", "num_variants", "stop", "cut_prompt", "seed", "banned", "bias",
              "json_schema", "negative_prompt", "prompt_lookup_num_tokens", "reuse_cache"}  # fmt: skip
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
