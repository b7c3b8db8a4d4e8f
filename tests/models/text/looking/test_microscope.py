"""The microscope's numbers against transformers' own processors; what is kept of a text, whole or in part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM  # noqa: E402

from models.text.kept import Kept, pack, unpack  # noqa: E402
from models.text.looking import microscope  # noqa: E402
from models.text.looking.microscope import STAGES, position, score  # noqa: E402
from models.text.sampling import replay, stages  # noqa: E402

VOCABULARY = 40
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1}
MODEL = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **SIZES))

ANY = st.fixed_dictionaries({}, optional={
    "repetition_penalty": st.floats(1.0, 2.0), "no_repeat_ngram_size": st.integers(1, 4),
    "temperature": st.floats(0.05, 2.0), "top_k": st.integers(1, 60), "top_p": st.floats(0.05, 1.0),
    "min_p": st.floats(0.01, 1.0), "typical_p": st.floats(0.05, 0.99),
})  # fmt: skip


def random_text(seed, tokens=7, prompt=4, vocabulary=VOCABULARY, few=8):
    """Return kept logits of a text that says few words again and again: ties and repetitions come up."""
    chance = np.random.default_rng(seed)
    return Kept(
        chance.normal(0, 3, (tokens, vocabulary)).astype(np.float16), chance.integers(0, few, tokens, dtype=np.int32),
        chance.integers(0, few, prompt, dtype=np.int32),
    )  # fmt: skip


def by_transformers(kept, params):
    """Return the scores after all processors that generate() would run, tokens × vocabulary."""
    config = GenerationConfig(do_sample=True, **{"top_k": 0, "top_p": 1.0, **params})
    rows = []
    for at in range(len(kept.ids)):
        before = torch.tensor([[*kept.prompt.tolist(), *kept.ids[:at].tolist()]])
        processors = MODEL._get_logits_processor(config, input_ids_seq_length=len(kept.prompt))
        rows.append(processors(before, torch.from_numpy(kept.logits[at : at + 1].astype(np.float32)))[0])
    return torch.stack(rows)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10_000), ANY)
def test_every_combination_of_stages_gives_what_transformers_gives(seed, params):
    kept = random_text(seed)
    wanted = by_transformers(kept, params)
    table = replay.table(kept, None, params)
    for name in STAGES:
        stages.apply(name, table, params)
    same = torch.isfinite(wanted).numpy() == np.isfinite(table.x)
    # where a sum lies on the edge itself, the last bit decides
    assert same.mean() > 0.99
    got = score(kept, params)
    p = wanted.softmax(-1).numpy()[np.arange(len(kept.ids)), kept.ids]
    rows = same.all(axis=1)
    assert np.allclose(got.after[rows], p[rows], atol=1e-5)
    assert np.array_equal(got.left[rows], torch.isfinite(wanted).sum(-1).numpy()[rows])
    forbidden = ~torch.isfinite(wanted).numpy()[np.arange(len(kept.ids)), kept.ids]
    assert np.array_equal(got.stage[rows] >= 0, forbidden[rows])


@pytest.mark.parametrize(
    ("params", "left"),
    [
        # of 0.5, 0.3, 0.15 and 0.05: no sum lies near an edge, and two stages in the other order leave another number
        ({"top_p": 0.6, "min_p": 0.4}, 2),  # min_p first: 0.5 of 0.8 is 0.625, which alone is enough
        ({"top_k": 2, "top_p": 0.6}, 1),  # 0.5 of 0.8 is enough
        ({"top_k": 3, "top_p": 0.9}, 3),
        ({"top_p": 0.7, "typical_p": 0.4}, 1),
        ({"min_p": 0.2}, 3),
        ({"temperature": 0.5, "top_p": 0.6}, 1),  # squares: 0.25 of 0.365
        ({"temperature": 2.0, "top_p": 0.6}, 2),
    ],
)  # fmt: skip
def test_two_stages_act_in_their_order_and_leave_what_is_counted_by_hand(params, left):
    logits = np.full((1, VOCABULARY), -30.0, np.float16)
    logits[0, :4] = np.log([0.5, 0.3, 0.15, 0.05])
    kept = Kept(logits, np.zeros(1, np.int32), np.zeros(1, np.int32))
    table = replay.table(kept, None, params)
    for name in STAGES:
        stages.apply(name, table, params)
    assert np.flatnonzero(np.isfinite(table.x[0])).tolist() == list(range(left))
    assert torch.isfinite(by_transformers(kept, params))[0].nonzero().flatten().tolist() == list(range(left))
    assert score(kept, params).left.tolist() == [left]


THEIRS = ("repetition_penalty", "no_repeat_ngram_size", "temperature", "top_k", "top_p", "min_p", "typical_p")


@pytest.mark.parametrize("name", THEIRS)
def test_each_of_their_stages_alone_is_exact_on_many_texts(name):
    value = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "temperature": 0.7, "top_k": 5, "top_p": 0.8,
             "min_p": 0.1, "typical_p": 0.6}[name]  # fmt: skip
    for seed in range(40):
        kept = random_text(seed)
        wanted = by_transformers(kept, {name: value})
        table = replay.table(kept, None, {})
        assert stages.apply(name, table, {name: value})
        assert np.array_equal(torch.isfinite(wanted).numpy(), np.isfinite(table.x))
        finite = np.isfinite(table.x)
        assert np.allclose(table.x[finite], wanted.numpy()[finite], atol=1e-5)


def test_without_settings_nothing_is_forbidden_and_the_raw_numbers_are_those_of_the_softmax():
    kept = random_text(3)
    found = score(kept, {})
    p = torch.from_numpy(kept.logits.astype(np.float32)).softmax(-1).numpy()
    drawn = p[np.arange(7), kept.ids]
    assert np.allclose(found.p, drawn, atol=1e-6)
    assert np.array_equal(found.p, found.after)
    assert (found.stage == -1).all()
    assert (found.left == VOCABULARY).all()
    assert np.array_equal(found.rank, 1 + (p > drawn[:, None]).sum(1))
    assert np.allclose(found.entropy, -(p * np.log2(p)).sum(1), atol=1e-4)


def test_the_first_stage_that_forbids_a_token_is_named():
    logits = np.tile(np.array([4, 3, 2, 1, 0], np.float16), (1, 1))
    kept = Kept(logits, np.array([3], np.int32), np.array([0], np.int32))
    assert STAGES[score(kept, {"top_k": 2, "top_p": 0.1}).stage[0]] == "top_k"
    assert STAGES[score(kept, {"top_k": 4, "top_p": 0.1}).stage[0]] == "top_p"
    assert microscope.forbidden(score(kept, {"top_k": 2})) == {"top_k": 1}
    assert microscope.forbidden(score(kept, {"temperature": 0.5})) == {}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), ANY, st.integers(0, 6))
def test_one_position_says_what_the_whole_text_says_of_it(seed, params, at):
    kept = random_text(seed)
    whole, one = score(kept, params), position(kept, params, at)
    drawn = next(token for token in one["tokens"] if token["id"] == kept.ids[at])
    assert drawn["p"][0] == pytest.approx(whole.p[at], abs=1e-6)
    assert drawn["p"][-1] == pytest.approx(whole.after[at], abs=1e-5)
    assert one["left"] == whole.left[at]
    assert len(drawn["p"]) == 1 + len(one["stages"])
    assert one["tokens"][0]["p"][0] == max(token["p"][0] for token in one["tokens"])


def test_what_was_kept_comes_back():
    kept = random_text(1)
    again = unpack(pack(kept))
    assert np.array_equal(again.logits, kept.logits)
    assert again.logits.dtype == np.float16
    assert np.array_equal(again.ids, kept.ids)
    assert again.columns is None
    part = partly(kept, 10)
    again = unpack(pack(part))
    assert np.array_equal(again.columns, part.columns)
    assert np.array_equal(again.rest, part.rest)


def partly(kept, count):
    """Return a text of which the likeliest tokens alone were kept."""
    x = kept.logits.astype(np.float32)
    order = np.argsort(-x, axis=1, kind="stable")
    columns, others = order[:, :count], order[:, count:]
    rest = np.log(np.exp(np.take_along_axis(x, others, 1)).sum(1)).astype(np.float32)
    return Kept(np.take_along_axis(kept.logits, columns, 1), kept.ids, kept.prompt, columns.astype(np.int32), rest)


@pytest.mark.parametrize("params", [{}, {"top_k": 5}, {"top_p": 0.7}, {"min_p": 0.2}, {"top_k": 8, "top_p": 0.6},
                                    {"repetition_penalty": 1.0}])  # fmt: skip
def test_of_a_large_vocabulary_the_likeliest_say_the_same(params):
    for seed in range(30):
        kept = random_text(seed)
        whole, part = score(kept, params), score(partly(kept, 25), params)
        named = np.isin(kept.ids, []) | np.array([one in row for one, row in zip(kept.ids, partly(kept, 25).columns,
                                                                                  strict=True)])  # fmt: skip
        assert np.allclose(whole.p[named], part.p[named], atol=1e-3)
        assert np.array_equal((whole.stage < 0)[named], (part.stage < 0)[named])
        assert np.array_equal(whole.rank[named], part.rank[named])
        ids = [token["id"] for token in position(partly(kept, 25), params, 2)["tokens"]][:10]
        assert ids == [token["id"] for token in position(kept, params, 2)["tokens"]][:10]


def test_pieces_join_to_the_text_and_keep_their_spaces():
    from tests.tiny import make_tokenizer

    tokenizer = make_tokenizer()
    ids = tokenizer.encode("ab abc", add_special_tokens=False)
    assert "".join(microscope.pieces(tokenizer.decode, ids)) == tokenizer.decode(ids)


def test_heat_is_one_number_a_token_between_nought_and_one():
    scored = score(random_text(5), {})
    for measure in ("probability", "entropy", "rank"):
        values = microscope.colours(scored, measure)
        assert len(values) == 7
        assert all(0 <= value <= 1 for value in values)


def test_an_open_text_is_not_read_again(tmp_path):
    from models.blobs import Blobs

    blobs = Blobs(tmp_path)
    refs = [blobs.put_bytes(pack(random_text(seed))) for seed in range(5)]
    opener = microscope.Opener()
    first = opener.open(refs[0], blobs)
    assert opener.open(refs[0], blobs) is first
    for ref in refs[1:]:
        opener.open(ref, blobs)
    assert opener.open(refs[0], blobs) is not first  # closed in time
