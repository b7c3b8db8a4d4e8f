"""Conversations by a chat template, and answers that have to begin with given tokens."""

import json

import numpy as np
import pytest

from models.device import import_libraries
from models.errors import BadInput, PromptTooLong, WeightsError
from models.runtime.engine import LocalEngine
from models.text.kept import unpack
from models.text.prompts import encode
from models.types import Request
from tests.tiny import (
    CONTEXT,
    EOS,
    ask,
    direct,
    final_of,
    make_model,
    make_tokenizer,
    plain,
    tiny_settings,
    write_model,
)

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] }}:{{ m['content'] }}{% if m['role'] == 'assistant' %}"
    "{{ eos_token }}{% endif %}\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    """Return an engine with one tiny model that has a chat template."""
    folder = tmp_path_factory.mktemp("talker")
    import_libraries(tiny_settings(folder))
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATE
    write_model(folder, "talker", make_model("llama", tokenizer), tokenizer)
    with (folder / "talker.toml").open("a") as file:
        file.write("chat = true\n")
    engine = LocalEngine(tiny_settings(folder))
    spec = engine.catalog["text/talker"]
    assert spec.facts == engine.catalog.family(spec.id).describe(spec)
    return engine


def turn(prompt, *before, **params):
    messages = [{"role": role, "content": content} for role, content in before]
    return Request(model="text/talker", inputs={"prompt": prompt, "messages": json.dumps(messages)},
                   params={"do_sample": False, "max_new_tokens": 12, **params})  # fmt: skip


def kept_of(final):
    return unpack(next(one for one in final.outputs if one.kind == "view").data)


def ids_of(engine, request):
    return kept_of(final_of(engine, request)).prompt.tolist()


@pytest.mark.parametrize("before", [(), (("user", "the cat"), ("assistant", "ran"))])
def test_a_conversation_is_read_as_the_template_writes_it_and_the_answer_stands_alone(talker, before):
    folder = talker.catalog["text/talker"].folder()
    _, tokenizer = plain(folder)
    whole = [*({"role": role, "content": said} for role, said in before), {"role": "user", "content": "the hat"}]
    ids = tokenizer.apply_chat_template(whole, add_generation_prompt=True, return_dict=False)
    final = final_of(talker, turn("the hat", *before))
    assert kept_of(final).prompt.tolist() == list(ids)
    assert final.outputs[0].text == direct(folder, list(ids), max_new_tokens=12).lstrip()
    assert final.outputs[0].meta["prompt_chars"] == 0


def test_a_special_tokens_name_in_a_message_is_text(talker):
    _, tokenizer = plain(talker.catalog["text/talker"].folder())
    ids = ids_of(talker, turn(f"a{EOS}b", ("user", f"{EOS}{EOS}"), ("assistant", "ran")))
    assert ids.count(tokenizer.eos_token_id) == 1  # the template's own, behind the answer
    assert tokenizer.decode(ids).count(EOS) == 4


@pytest.mark.parametrize("messages", [
    "no json", "{}", '[{"role": "user"}]', '[{"role": "king", "content": "x"}]', '[{"role": "user", "content": 1}]',
    '[{"role": "user", "content": "x"}]', '[{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]',
    '[{"role": "assistant", "content": "x"}, {"role": "assistant", "content": "y"}]',
    '[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}, {"role": "system", "content": "z"}]',
    '[{"role": "system", "content": "a\\u0000"}]', "[" * 5000,
    json.dumps([{"role": role, "content": "x"} for role in ("user", "assistant")] * 101),
])  # fmt: skip
def test_messages_that_are_none_are_refused_in_a_sentence(talker, messages):
    request = Request(model="text/talker", inputs={"prompt": "a", "messages": messages})
    with pytest.raises(BadInput) as caught:
        talker.catalog.validate(request)
    assert caught.value.message.endswith(".")


def count(engine, prompt, before):
    messages = [{"role": role, "content": said} for role, said in before]
    data = {"text": prompt, "messages": json.dumps(messages)}
    return engine.catalog.family("text/talker").count_tokens(engine.catalog["text/talker"], data)


LONG = (("user", "the cat and the hat"), ("assistant", "ran to the sea"), ("user", "there was"), ("assistant", "rain"))


def test_a_conversation_is_counted_as_a_run_reads_it(talker):
    for before in ((), LONG[:2]):
        counted = count(talker, "the hat", before)
        assert counted == {"tokens": len(ids_of(talker, turn("the hat", *before))), "context_length": CONTEXT,
                           "problem": ""}  # fmt: skip
    assert count(talker, "the hat", ())["tokens"] < count(talker, "the hat", LONG)["tokens"]


def test_a_conversation_that_is_too_long_is_refused_with_what_to_do(talker):
    before = (*LONG, ("user", "x" * CONTEXT), ("assistant", "ran"))
    problem = count(talker, "the hat", before)["problem"]
    assert "The conversation has" in problem
    assert "Start a new one" in problem
    with pytest.raises(PromptTooLong) as caught:
        final_of(talker, turn("the hat", *before))
    assert caught.value.message == problem


@pytest.mark.parametrize("system", [(), (("system", "be good"),)])
def test_cut_leaves_out_the_oldest_turns_whole_and_keeps_the_system_prompt(talker, system):
    before = (("user", "x" * CONTEXT), ("assistant", "ran"), ("user", "sea"), ("assistant", "rain"))
    final = final_of(talker, turn("hat", *system, *before, cut_prompt=True, max_new_tokens=8))
    assert kept_of(final).prompt.tolist() == ids_of(talker, turn("hat", *system, *before[2:], max_new_tokens=8))
    assert final.stats["notes"][0] == "The oldest turn was not read."


@pytest.mark.parametrize("system", [(), (("system", "be good"),)])
def test_the_assistant_may_speak_first_and_is_the_first_to_be_cut(talker, system):
    opening, rest = ("assistant", "x" * 20), (("user", "sea"), ("assistant", "rain"))
    _, tokenizer = plain(talker.catalog["text/talker"].folder())
    text = tokenizer.decode(ids_of(talker, turn("hat", *system, opening)))
    assert text.index("assistant:xxx") < text.index("user:hat")
    long = ("assistant", "x" * CONTEXT)
    final = final_of(talker, turn("hat", *system, long, *rest, cut_prompt=True, max_new_tokens=8))
    assert kept_of(final).prompt.tolist() == ids_of(talker, turn("hat", *system, *rest, max_new_tokens=8))


@pytest.mark.parametrize(
    ("template", "words"),
    [("{% if messages[0]['role'] != 'user' %}{{ raise_exception('Roles must alternate') }}{% endif %}" + TEMPLATE,
      "refuses this conversation: Roles must alternate. Leave out the opening"),
     (TEMPLATE.replace("messages %}", "messages if m['role'] == 'user' %}"),
      "leaves out what the assistant says first. Leave out the opening")],
)  # fmt: skip
def test_a_template_that_takes_no_opening_is_told_in_a_sentence(template, words):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(BadInput, match=words):
        encode(tokenizer, "hat", [{"role": "assistant", "content": "Hello"}])
    assert encode(tokenizer, "hat", [])


def test_the_negative_prompt_of_a_long_conversation_is_read_behind_the_turns_that_are_left(talker):
    before = (("user", "x" * CONTEXT), ("assistant", "ran"), ("user", "sea"), ("assistant", "rain"))
    more = {"negative_prompt": "the cat", "guidance_scale": 2.0, "max_new_tokens": 8}
    final = final_of(talker, turn("hat", *before, cut_prompt=True, **more))
    assert final.outputs[0].text == final_of(talker, turn("hat", *before[2:], **more)).outputs[0].text


def test_marks_beside_the_weights_become_facts(talker):
    family, spec = talker.catalog.family("text/talker"), talker.catalog["text/talker"]
    file = spec.folder() / "marks.json"
    marks = {"passed": 0.5, "instructions": 300, "bits_per_character": 0.7}
    try:
        file.write_text(json.dumps({"learnt": "supervised", "marks": marks}))
        assert family.describe(spec) == {**spec.facts, "learnt": "supervised", "marks": marks}
        for broken in ("{", "[]", '{"learnt": "by heart", "marks": {}}', '{"learnt": "text", "marks": {"passed": "0"}}',
                       '{"learnt": "text"}'):  # fmt: skip
            file.write_text(broken)
            with pytest.raises(WeightsError, match="marks.json is damaged"):
                family.describe(spec)
    finally:
        file.unlink()


def test_a_model_without_a_template_takes_no_messages(engine):
    with pytest.raises(BadInput, match="no chat template"):
        engine.catalog.validate(Request(model="text/llama", inputs={"prompt": "a", "messages": "[]"}))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2"])
def test_a_branch_is_a_fresh_run_with_that_beginning(engine, kind):
    first = kept_of(final_of(engine, ask("Once upon", kind, seed=3, max_new_tokens=20)))
    other = next(token for token in range(65, 120) if token != first.ids[7])
    forced = [*first.ids[:7].tolist(), other]
    request = ask("Once upon", kind, seed=3, do_sample=False, max_new_tokens=15)
    branch = final_of(engine, request.model_copy(update={"inputs": {"prompt": "Once upon", "forced": str(forced)}}))
    folder = engine.catalog[f"text/{kind}"].folder()
    _, tokenizer = plain(folder)
    begun = [*first.prompt.tolist(), *forced]
    text = branch.outputs[0].text
    wanted = direct(folder, begun, max_new_tokens=15)
    assert text.startswith("Once upon")
    assert text == tokenizer.decode(first.prompt.tolist() + forced, skip_special_tokens=True) + wanted
    assert branch.stats["tokens"] == 15
    # what is kept is whole: the logits of what it had to begin with are those of a run that came there by itself
    kept = kept_of(branch)
    assert kept.ids[:8].tolist() == forced
    assert len(kept.logits) == len(kept.ids) == 23
    assert np.allclose(kept.logits[:8].astype(np.float32), first.logits[:8].astype(np.float32), atol=2e-2)


def test_what_an_answer_cannot_begin_with_is_refused(engine):
    _, tokenizer = plain(engine.catalog["text/llama"].folder())
    for forced in ("[1.5]", "[]", "[-1]", "[300]", "nonsense", "{}", '["a"]', "[true]"):
        with pytest.raises(BadInput, match="token ids from 0 to 299"):
            engine.catalog.validate(Request(model="text/llama", inputs={"prompt": "a", "forced": forced}))
    request = Request(model="text/llama", inputs={"prompt": "a", "forced": str([70, tokenizer.eos_token_id])})
    with pytest.raises(BadInput, match="can follow an end-of-text token"):
        final_of(engine, request)


def test_a_beginning_that_fills_the_context_is_refused(engine):
    request = Request(model="text/llama", inputs={"prompt": "a", "forced": str([70] * CONTEXT)})
    with pytest.raises(BadInput):
        final_of(engine, request)
