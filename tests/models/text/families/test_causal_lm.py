"""Causal language models on tiny nets: the text, its limits, Stop, and what a wrong request or file says."""

import json
import shutil
from functools import partial

import pytest

from models.errors import BadInput, PromptTooLong, WeightsError
from models.plain_text import read_text_artifact
from models.runtime.engine import LocalEngine
from models.text.families import causal_lm
from models.watching import follow
from tests.tiny import CONTEXT, ENTRY, EOS, PressedAtStep, added, ask, direct, final_of, plain, results, tiny_settings

KINDS = ["llama", "gpt2", "qwen2"]
MARKUP = "<b>a &amp; b</b>\r\n\n# *x* `y` | $z$ \\ \t\n"


@pytest.fixture
def damaged(engine, tmp_path):
    """Return a function that writes `data` over a file of a copy of a model; it returns an engine with the copy alone.

    "half" keeps the first half of the file, None removes it.
    """

    def damage(file, data):
        shutil.copytree(engine.catalog["text/llama"].folder(), tmp_path / "hurt")
        (tmp_path / "hurt.toml").write_text(ENTRY.format(name="hurt", context=CONTEXT, vocabulary=300))
        path = tmp_path / "hurt" / file
        if data is None:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if data == "half" else data)
        return LocalEngine(tiny_settings(tmp_path))

    return damage


def folder(engine, model):
    return engine.catalog[f"text/{model}"].folder()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_request_gives_the_same_bytes_also_after_a_reload(engine, kind):
    request = ask("Once upon", kind, seed=7, num_variants=2, max_new_tokens=20)
    first = [output.data for output in final_of(engine, request).outputs]
    assert len(first[0]) > 100
    assert [output.data for output in final_of(engine, request).outputs] == first
    engine.unload(f"text/{kind}")
    assert [output.data for output in final_of(engine, request).outputs] == first


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_text(engine, kind):
    texts = {added(engine, ask("Once", kind, seed, temperature=1.0, max_new_tokens=20)) for seed in range(5)}
    assert len(texts) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_is_what_transformers_gives_and_ignores_the_seed(engine, kind):
    expected = direct(folder(engine, kind), "Once upon a", max_new_tokens=30)
    for seed in (0, 1):
        assert added(engine, ask("Once upon a", kind, seed, do_sample=False, max_new_tokens=30)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [{"temperature": 1.0, "top_p": 1.0}, {"temperature": 0.6, "top_p": 0.9, "top_k": 9}])
def test_sampling_is_what_transformers_gives_for_the_same_seed(engine, kind, values):
    expected = direct(folder(engine, kind), "Once upon a", seed=3, max_new_tokens=30, **values)
    assert added(engine, ask("Once upon a", kind, seed=3, max_new_tokens=30, **values)) == expected


def test_no_request_leaves_a_trace_in_the_chance_of_others(engine):
    import torch

    state = torch.random.get_rng_state()
    final_of(engine, ask("Once", max_new_tokens=5))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_nothing_comes_from_the_model_s_own_generation_config(engine, damaged):
    own = b'{"do_sample": true, "top_k": 1, "repetition_penalty": 1.9, "max_length": 9, "suppress_tokens": [5, 66, 70]}'
    other = damaged("generation_config.json", own)
    for seed in range(3):
        assert added(other, ask("Once", "hurt", seed)) == added(engine, ask("Once", seed=seed))


def test_every_state_of_every_variant_is_a_beginning_of_the_next(engine, monkeypatch):
    monkeypatch.setattr(causal_lm, "follow", partial(follow, interval_s=0.0))
    events = list(engine.generate(ask("The 🐉", num_variants=3, max_new_tokens=50, temperature=1.0)))
    shown = [results(event) for event in events if event.kind in ("preview", "final")]
    assert len(shown) > 3
    states = ["The 🐉"] * 3
    for outputs in shown:
        assert [output.index for output in outputs] == [0, 1, 2]
        for old, output in zip(states, outputs, strict=True):
            assert output.text.startswith(old)
        states = [output.text for output in outputs]
    assert len(set(states)) == 3
    for output in results(events[-1]):
        assert read_text_artifact(output.data)[1] == output.text


def test_progress_counts_the_steps_up_to_the_length(engine):
    events = list(engine.generate(ask("Once", "letters", max_new_tokens=12)))
    steps = [event.step for event in events if event.kind == "progress" and event.stage == "generate"]
    assert steps == sorted(steps)
    assert {event.total for event in events if event.kind == "progress" and event.stage == "generate"} <= {12}


@pytest.mark.parametrize("length", [1, 2, 17])
def test_the_length_is_kept(engine, length):
    final = final_of(engine, ask("Once", "letters", max_new_tokens=length))
    assert len(final.outputs[0].text) == len("Once") + length
    assert final.outputs[0].meta == {"prompt_chars": 4, "tokens": length, "finish": "length"}
    assert final.stats["tokens"] == length
    assert final.stats["tokens_per_s"] >= 0.9 * (length - 1) / final.stats["seconds"]
    assert not final.stats["stopped"]


def test_an_end_token_ends_a_text_and_each_variant_alone(engine):
    final = final_of(engine, ask("Once", "ends", num_variants=4, max_new_tokens=50))
    texts = [output.text for output in results(final)]
    assert [output.meta["finish"] for output in results(final)] == ["eos"] * 4
    assert [len(text) - 4 + 1 for text in texts] == [output.meta["tokens"] for output in results(final)]
    assert len({len(text) for text in texts}) > 1
    assert all(set(text[4:]) <= {"a"} for text in texts)
    assert final.stats["tokens"] == sum(output.meta["tokens"] for output in results(final))


@pytest.mark.parametrize("stops", [["ab"], ["cc", "bab"], ["cab", "ca"], ["a"]])
def test_a_stop_string_cuts_the_text_and_only_that(engine, stops):
    cut = 0
    for seed in range(5):
        free = added(engine, ask("ab", "letters", seed, max_new_tokens=40))
        # the text up to where the first of them is complete
        end = next((at for at in range(len(free) + 1) if any(stop in free[:at] for stop in stops)), None)
        expected = free if end is None else free[: min(free.find(stop) for stop in stops if stop in free[:end])]
        final = final_of(engine, ask("ab", "letters", seed, max_new_tokens=40, stop=stops))
        assert final.outputs[0].text == "ab" + expected
        assert final.outputs[0].meta["finish"] == ("length" if end is None else "stop string")
        cut += end is not None
    assert cut


@pytest.mark.parametrize("step", [1, 8])
def test_stop_ends_within_one_token_and_keeps_the_text(engine, step):
    whole = added(engine, ask("Once", "letters", max_new_tokens=50))
    final = final_of(engine, ask("Once", "letters", max_new_tokens=50), PressedAtStep(step))
    output = final.outputs[0]
    assert final.stats["stopped"] is True
    assert output.meta["finish"] == "stopped"
    assert step <= output.meta["tokens"] <= step + 1
    assert output.text == "Once" + whole[: output.meta["tokens"]]
    assert read_text_artifact(output.data)[1] == output.text


def test_a_reader_that_goes_away_frees_the_engine(engine):
    events = engine.generate(ask("Once", "letters", max_new_tokens=50))
    next(event for event in events if event.kind == "progress" and event.stage == "prompt")
    events.close()
    assert final_of(engine, ask("Once", "letters", max_new_tokens=3)).stats["tokens"] == 3
    assert [entry["leases"] for entry in engine.state().loaded if entry["model"] == "text/letters"] == [0]


def test_a_full_context_shortens_the_text_and_says_so(engine):
    final = final_of(engine, ask("0" * 50, "letters", max_new_tokens=40))
    assert final.stats["prompt_tokens"] == 51
    assert final.stats["tokens"] == CONTEXT - 51
    assert [note for note in final.stats["notes"] if "13 tokens" in note and "64" in note]
    assert final_of(engine, ask("0" * 50, "letters", max_new_tokens=13)).stats["notes"] == []


def test_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(engine):
    assert final_of(engine, ask("0" * 62, "gpt2", max_new_tokens=9)).stats["tokens"] == 1
    with pytest.raises(PromptTooLong) as caught:
        list(engine.generate(ask("0" * 63, "gpt2")))
    assert caught.value.details == {"tokens": 64, "limit": 63}
    for word in ("64 tokens", "at most 63", "Trim long prompts"):
        assert word in caught.value.message


@pytest.mark.parametrize(("length", "kept"), [(10, 53), (60, 31)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_prompt_keeps_its_end_and_says_so(engine, kind, length, kept):
    prompt = "0" * 80 + "12345 🐉" * 5
    final = final_of(engine, ask(prompt, kind, do_sample=False, max_new_tokens=length, cut_prompt=True))
    ids = plain(folder(engine, kind))[1](prompt)["input_ids"]
    room = CONTEXT - 1 - kept
    assert final.outputs[0].text == prompt + direct(folder(engine, kind), ids[:1] + ids[-kept:], max_new_tokens=room)
    assert [note for note in final.stats["notes"] if f"{len(ids)} tokens" in note and f"last {kept} " in note]
    assert final.stats["prompt_tokens"] == 1 + kept
    assert any("Length was cut to" in note for note in final.stats["notes"]) == (length > room)


def test_the_name_of_a_special_token_in_a_prompt_is_text(engine):
    prompt = f"a{EOS}b"
    final = final_of(engine, ask(prompt, "letters", max_new_tokens=3))
    assert final.outputs[0].text.startswith(prompt)
    assert final.stats["prompt_tokens"] > 4  # start, a, the special token, b
    assert len(final.outputs[0].text) == len(prompt) + 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_of_markup_comes_back_verbatim(engine, kind):
    output = final_of(engine, ask(MARKUP, kind, max_new_tokens=5)).outputs[0]
    assert output.text.startswith(MARKUP)
    assert output.meta["prompt_chars"] == len(MARKUP)
    stamp, text = read_text_artifact(output.data)
    assert text == output.text
    assert stamp["request"]["inputs"] == {"prompt": MARKUP}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("a\0b", "null byte at position 2"),
        ("a" * 1_100_000, "1,100,000 bytes"),
        ("🐉" * 300_000, "1,200,000 bytes"),
    ],
)
def test_a_prompt_that_is_no_text_is_refused_in_words(engine, prompt, words):
    with pytest.raises(BadInput, match=words):
        list(engine.generate(ask(prompt)))


def test_a_lone_surrogate_is_refused_in_words(engine):
    request = ask("x").model_copy(update={"inputs": {"prompt": "a\ud800"}})
    with pytest.raises(BadInput, match="lone surrogate U\\+D800"):
        list(engine.generate(request))


@pytest.mark.parametrize(("stop", "words"), [("", "0 characters"), ("x" * 101, "101 characters"), ("\0", "null byte")])
def test_a_stop_text_that_could_not_work_is_refused(engine, stop, words):
    with pytest.raises(BadInput, match=words):
        list(engine.generate(ask("Once", stop=["fine", stop])))


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "model.safetensors"])
@pytest.mark.parametrize("data", ["half", b"", b"[]"])
def test_damaged_files_are_refused_in_words_and_nothing_stays_loaded(damaged, file, data):
    other = damaged(file, data)
    with pytest.raises(WeightsError, match=r"text/hurt.*Restore"):
        list(other.generate(ask("Once", "hurt")))
    assert other.state().loaded == ()


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json"])
def test_missing_files_are_refused_in_words(damaged, file):
    with pytest.raises(WeightsError, match=r"text/hurt.*Restore"):
        list(damaged(file, None).generate(ask("Once", "hurt")))


@pytest.mark.parametrize("data", [None, "half", b"", b"[]", b"{}"])
def test_the_token_counter_refuses_a_damaged_tokenizer(damaged, data):
    other = damaged("tokenizer.json", data)
    with pytest.raises(WeightsError, match=r"tokenizer.json.*Restore"):
        other.call("text/hurt", "count_tokens", {"text": "a"})


@pytest.mark.parametrize("data", [None, "half", b"", b"[]", b"{}"])
def test_facts_refuse_a_damaged_config(damaged, data):
    other = damaged("config.json", data)
    with pytest.raises(WeightsError, match=r"config.json.*Restore"):
        other.catalog.family("text/hurt").describe(other.catalog["text/hurt"])


def test_the_token_counter_counts_all_where_the_file_says_truncate(engine, damaged):
    content = json.loads((folder(engine, "llama") / "tokenizer.json").read_text("utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    other = damaged("tokenizer.json", json.dumps(content).encode())
    assert other.call("text/hurt", "count_tokens", {"text": "0" * 50})["tokens"] == 51
    assert final_of(other, ask("0" * 50, "hurt", max_new_tokens=1)).stats["prompt_tokens"] == 51
