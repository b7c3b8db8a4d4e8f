"""Words that must not come or shall come, JSON by schema, and guidance: whole runs on tiny models."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from models.errors import BadInput
from models.plain_text import read_text_artifact
from models.text.kept import unpack
from models.text.looking import microscope
from models.types import Request, combined_sha256
from tests.tiny import PressedAtStep, ask, direct, final_of, plain, results

KINDS = ["llama", "gpt2", "qwen2"]
SCHEMA = json.dumps({
    "type": "object", "properties": {"a": {"type": "string", "maxLength": 4}, "b": {"type": "integer", "maximum": 99,
    "minimum": 0}}, "required": ["a", "b"], "additionalProperties": False,
})  # fmt: skip


def guided(prompt, negative, kind="llama", **params):
    params = {"max_new_tokens": 20, "negative_prompt": negative, **params}
    return Request(model=f"text/{kind}", inputs={"prompt": prompt}, params=params)


def kept_of(final):
    return [unpack(one.data) for one in final.outputs if one.kind == "view"]


@pytest.mark.parametrize("banned", [["a"], ["ab", "ca"], ["cc", "b"]])
def test_a_banned_text_never_appears(engine, banned):
    for seed in range(4):
        request = ask("ab", "letters", seed, max_new_tokens=40, num_variants=2, banned=banned)
        for output in results(final_of(engine, request)):
            # also across the prompt's end
            assert not any(text in output.text[max(0, 3 - len(text)) :] for text in banned)
            assert len(output.text) == 42


def test_a_banned_text_of_several_pieces_is_found_in_any_pieces(engine):
    texts = [final_of(engine, ask("the cat", "llama", seed, max_new_tokens=50)).outputs[0].text for seed in range(6)]
    for seed, text in enumerate(texts):
        banned = [text[at : at + 3] for at in range(8, len(text) - 3, 5) if "\ufffd" not in text[at : at + 3]][:8]
        again = final_of(engine, ask("the cat", "llama", seed, max_new_tokens=50, banned=banned)).outputs[0].text
        assert text != again
        assert not any(one in again[len("the cat") :] for one in banned)


def test_a_bias_moves_the_odds(engine):
    def share(**params):
        return final_of(engine, ask("ab", "letters", 0, max_new_tokens=60, **params)).outputs[0].text.count("c")

    assert share(bias=["c: -100"]) == 0
    assert share(bias=["c: +100"]) == share()  # no word begins inside of another one
    assert share(bias=["c: -1"]) < share()


@pytest.mark.parametrize(("values", "words"), [
    ({"banned": [""]}, "0 characters"), ({"banned": ["x" * 101]}, "101 characters"),
    ({"bias": ["dragon"]}, "cannot be read"),
    ({"json_schema": "{"}, "not valid JSON"), ({"json_schema": '{"type": "x"}'}, "cannot be used"),
    ({"banned": ["\0"]}, "null"),
])  # fmt: skip
def test_words_that_could_not_work_are_refused_before_the_run(engine, values, words):
    with pytest.raises(BadInput, match=words):
        engine.catalog.validate(ask("the cat", **values))


def whole_json(text):
    found = json.loads(text)
    assert set(found) == {"a", "b"}
    assert isinstance(found["a"], str) and len(found["a"]) <= 4
    assert type(found["b"]) is int and 0 <= found["b"] <= 99
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_model_gives_valid_json_in_every_variant(engine, kind):
    found = []
    for seed in range(4):
        request = ask("the cat", kind, seed, max_new_tokens=50, num_variants=3, json_schema=SCHEMA, temperature=1.5)
        final = final_of(engine, request)
        for output in results(final):
            assert output.meta["finish"] == "eos"
            found.append(str(whole_json(output.text[len("the cat") :])))
        assert not [note for note in final.stats["notes"] if "JSON" in note]
    assert len(set(found)) > 6


def test_with_all_else_on_it_is_still_json(engine):
    others = {
        "no_repeat_ngram_size": 2, "banned": ["a", '"'], "top_k": 3, "min_p": 0.5, "xtc_probability": 1.0,
        "top_n_sigma": 0.5, "frequency_penalty": 2.0, "dry_multiplier": 5.0, "dry_allowed_length": 1,
        "bias": ["}: -100", "x: 100"],
    }  # fmt: skip
    for seed in range(6):
        final = final_of(engine, ask("the cat", "llama", seed, max_new_tokens=50, json_schema=SCHEMA, **others))
        whole_json(final.outputs[0].text[len("the cat") :])


def test_json_that_was_cut_short_is_noted(engine):
    final = final_of(engine, ask("the cat", max_new_tokens=3, json_schema=SCHEMA))
    assert "The JSON is incomplete: the length limit was reached. Raise Length." in final.stats["notes"]
    stopped = final_of(engine, ask("the cat", max_new_tokens=30, json_schema=SCHEMA), PressedAtStep(3))
    assert "The JSON is incomplete: the run was stopped." in stopped.stats["notes"]
    assert 3 <= stopped.outputs[0].meta["tokens"] <= 4


def test_a_beginning_that_does_not_fit_the_schema_is_refused_and_one_that_does_goes_on(engine):
    _, tokenizer = plain(engine.catalog["text/llama"].folder())

    def begun(text):
        forced = tokenizer.encode(text, add_special_tokens=False)
        request = ask("the cat", max_new_tokens=30, json_schema=SCHEMA)
        return request.model_copy(update={"inputs": {"prompt": "the cat", "forced": json.dumps(forced)}})

    text = final_of(engine, begun('{"a": "xy')).outputs[0].text
    assert whole_json(text[len("the cat") :])["a"].startswith("xy")
    with pytest.raises(BadInput, match="does not fit"):
        final_of(engine, begun("xy"))


STAGES_ON = {
    "temperature": 0.9, "top_p": 0.95, "top_n_sigma": 3.0, "xtc_probability": 0.5, "xtc_threshold": 0.05,
    "mirostat_tau": 3.0, "frequency_penalty": 0.5, "presence_penalty": 0.2, "dry_multiplier": 0.8,
    "dry_allowed_length": 1, "banned": ["e"], "bias": ["the: 2", "c: -1"],
}  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"guidance_scale": 1.8}, {"dynatemp_range": 0.5, "no_repeat_ngram_size": 3}])
def test_what_is_kept_replays_every_draw(engine, more):
    for kind in ("llama", "letters"):
        params = {**STAGES_ON, **more}
        request = ask("the cat", kind, 5, num_variants=2, max_new_tokens=25, **params)
        final = final_of(engine, request)
        _, tokenizer = plain(engine.catalog[f"text/{kind}"].folder())
        words = microscope_words(tokenizer)
        for kept in kept_of(final):
            scored = microscope.score(kept, params, words)
            # what was drawn was possible; rounding to float16 may move an edge
            assert (scored.stage >= 0).sum() <= 1
        assert [int(kept.seed[0]) for kept in kept_of(final)] == [5, 6]


def test_chance_of_our_own_is_replayed_by_the_text_s_own_seed(engine):
    params = {"temperature": 1.0, "top_p": 1.0, "xtc_probability": 0.5, "xtc_threshold": 0.02}
    kept = kept_of(final_of(engine, ask("the cat", seed=9, num_variants=3, max_new_tokens=40, **params)))
    for one in kept:
        assert (microscope.score(one, params).stage >= 0).sum() == 0
    others = [replace(one, seed=one.seed + 50) for one in kept]
    assert sum((microscope.score(one, params).stage >= 0).sum() for one in others) > 5


def microscope_words(tokenizer):
    from models.text.sampling.spelling import Spelling

    return Spelling(tokenizer.backend_tokenizer)


@pytest.mark.parametrize("params", [STAGES_ON, {"guidance_scale": 2.0}, {"json_schema": SCHEMA}])
def test_the_same_request_gives_the_same_bytes(engine, params):
    request = ask("Once upon", "qwen2", seed=7, num_variants=2, max_new_tokens=20, **params)
    first = [output.data for output in final_of(engine, request).outputs]
    assert [output.data for output in final_of(engine, request).outputs] == first
    engine.unload("text/qwen2")
    assert [output.data for output in final_of(engine, request).outputs] == first


@pytest.mark.parametrize("params", [STAGES_ON, {"guidance_scale": 2.0}, {"json_schema": SCHEMA}])
def test_stop_is_still_within_a_token(engine, params):
    final = final_of(engine, ask("Once", "llama", max_new_tokens=50, **params), PressedAtStep(6))
    assert final.outputs[0].meta["finish"] == "stopped"
    assert 6 <= final.outputs[0].meta["tokens"] <= 7


@pytest.mark.parametrize("kind", KINDS)
def test_guidance_is_what_transformers_gives(engine, kind):
    folder = engine.catalog[f"text/{kind}"].folder()
    _, tokenizer = plain(folder)
    import torch

    negative = torch.tensor([tokenizer("the sea")["input_ids"]])
    final = final_of(engine, guided("Once upon", "the sea", kind, do_sample=False, guidance_scale=1.6))
    wanted = plain_guided(folder, "Once upon", negative, 1.6)
    assert final.outputs[0].text == "Once upon" + wanted
    assert final.outputs[0].text != "Once upon" + direct(folder, "Once upon", max_new_tokens=20)
    other = final_of(engine, guided("Once upon", "a dragon", kind, do_sample=False, guidance_scale=1.6))
    assert other.outputs[0].text != final.outputs[0].text


def plain_guided(folder, prompt, negative, scale):
    import torch
    from transformers import GenerationConfig

    model, tokenizer = plain(folder)
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    config = GenerationConfig(
        max_new_tokens=20, do_sample=False, guidance_scale=scale, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    rows = model.generate(
        ids, attention_mask=torch.ones_like(ids), generation_config=config, negative_prompt_ids=negative
    )
    return tokenizer.decode(rows[0, ids.shape[1] :], skip_special_tokens=True).replace("\0", "\ufffd")


def test_the_guided_logits_are_what_is_kept_also_behind_a_beginning(engine):
    request = guided("Once upon", "the sea", do_sample=False, guidance_scale=1.6)
    first = kept_of(final_of(engine, request))[0]
    assert np.array_equal(first.logits.argmax(1), first.ids)
    begun = request.model_copy(update={"inputs": {**request.inputs, "forced": json.dumps(first.ids[:6].tolist())}})
    branch = kept_of(final_of(engine, begun))[0]
    assert branch.ids[:20].tolist() == first.ids.tolist()
    assert np.allclose(branch.logits[:20].astype(np.float32), first.logits.astype(np.float32), atol=5e-2)


def test_a_negative_prompt_without_guidance_does_nothing_and_one_too_long_is_refused(engine):
    plain_ = final_of(engine, guided("Once upon", "", do_sample=False)).outputs[0].text
    assert final_of(engine, guided("Once upon", "the sea", do_sample=False)).outputs[0].text == plain_
    with pytest.raises(BadInput, match="negative prompt has"):
        final_of(engine, guided("Once upon", "0" * 70, guidance_scale=1.5))
    long = final_of(engine, guided("Once", "0" * 50, guidance_scale=1.5, max_new_tokens=40))
    assert long.stats["tokens"] <= 13


def test_a_negative_prompt_given_as_an_input_as_it_once_was_is_the_same_request(engine):
    new = guided("Once upon", "the sea", guidance_scale=1.6)
    params = {name: value for name, value in new.params.items() if name != "negative_prompt"}
    old = new.model_copy(update={"inputs": {**new.inputs, "negative_prompt": "the sea"}, "params": params})
    first, second = final_of(engine, old), final_of(engine, new)
    assert first.outputs[0].text == second.outputs[0].text
    assert combined_sha256(first.outputs) == combined_sha256(second.outputs)
    assert first.stats["in_effect"] == second.stats["in_effect"]
    stamp, _ = read_text_artifact(first.outputs[0].data)
    assert stamp["request"]["inputs"] == {"prompt": "Once upon"}
    assert stamp["request"]["params"]["negative_prompt"] == "the sea"
    other = final_of(engine, guided("Once upon", "a dragon", guidance_scale=1.6))
    assert other.outputs[0].text != first.outputs[0].text


def test_a_negative_prompt_that_is_no_text_to_run_is_refused(engine):
    with pytest.raises(BadInput, match="null byte"):
        final_of(engine, guided("Once upon", "the\0sea", guidance_scale=1.6))


def test_variants_are_guided_each_as_alone(engine):
    final = final_of(engine, guided("Once upon", "the sea", num_variants=3, guidance_scale=2.0, temperature=1.0))
    assert len({output.text for output in results(final)}) == 3
    ask_one = partial(guided, "Once upon", "the sea", guidance_scale=2.0, do_sample=False)
    for kept in kept_of(final):
        forced = json.dumps(kept.ids.tolist()[:10])
        request = ask_one(max_new_tokens=1)
        request = request.model_copy(update={"inputs": {**request.inputs, "forced": forced}})
        alone = kept_of(final_of(engine, request))[0]
        assert np.allclose(alone.logits[:10].astype(np.float32), kept.logits[:10].astype(np.float32), atol=5e-2)


def test_the_microscope_s_tool_knows_words_and_schema(engine, tmp_path):
    from models.blobs import Blobs

    blobs = Blobs(tmp_path)
    view = next(one for one in final_of(engine, ask("the cat", max_new_tokens=30, json_schema=SCHEMA)).outputs
                if one.kind == "view")  # fmt: skip
    data = {"ref": blobs.put_bytes(view.data), "own": {}, "position": 2}
    family, spec = engine.catalog.family("text/llama"), engine.catalog["text/llama"]

    def look(**params):
        return family.microscope(spec, {**data, "params": params}, blobs)

    assert look(json_schema=SCHEMA)["forbidden"] == {}
    assert look(json_schema=SCHEMA)["at"]["stages"] == ["json_schema"]
    assert look(json_schema='{"type": "array"}')["forbidden"] == {"json_schema": 1}
    assert look(banned=['"'])["forbidden"]["banned"] >= 4
    assert look(dry_multiplier=1.0, dry_base=2.0, do_sample=False)["forbidden"] == {}
    assert look(top_k=1, do_sample=False)["forbidden"] == {}
    with pytest.raises(BadInput, match="cannot be read"):
        look(bias=["x"])
    with pytest.raises(BadInput, match="not valid JSON"):
        look(json_schema="{")
