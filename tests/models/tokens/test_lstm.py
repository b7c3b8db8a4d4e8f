"""The recurrent language model as transformers has them: `generate()`, batches, files, Auto classes."""

import pytest
import torch

from models.tokens.lstm import LSTMConfig, LSTMForCausalLM


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    return LSTMForCausalLM(LSTMConfig(vocab_size=40, embedding_size=16, hidden_size=24, pad_token_id=1)).eval()


def step_by_step(model, ids, count):
    for _ in range(count):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
    return ids


def greedy(model, ids, count, **more):
    return model.generate(ids, max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=1, **more)


def test_generate_is_step_by_step(model):
    ids = torch.randint(2, 40, (1, 7), generator=torch.Generator().manual_seed(1))
    assert torch.equal(greedy(model, ids, 12), step_by_step(model, ids, 12))


def test_a_state_goes_on_where_the_text_was_cut(model):
    ids = torch.randint(2, 40, (2, 9), generator=torch.Generator().manual_seed(1))
    whole = model(ids)
    first = model(ids[:, :4])
    second = model(ids[:, 4:], state=first.state)
    assert torch.allclose(whole.logits[:, 4:], second.logits, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole.state, second.state, strict=True))


def test_a_batch_of_unequal_rows_is_its_single_runs(model):
    chance = torch.Generator().manual_seed(3)
    rows = [torch.randint(2, 40, (length,), generator=chance) for length in (2, 7, 5)]
    ids = torch.stack([torch.cat([torch.ones(7 - len(row), dtype=torch.int64), row]) for row in rows])
    mask = torch.stack([(torch.arange(7) >= 7 - len(row)).long() for row in rows])
    together = greedy(model, ids, 6, attention_mask=mask)
    for row, got in zip(rows, together, strict=True):
        assert torch.equal(got[7:], greedy(model, row[None], 6)[0, len(row) :])


def test_the_loss_is_that_of_the_next_token(model):
    ids = torch.randint(2, 40, (2, 6), generator=torch.Generator().manual_seed(1))
    out = model(ids, labels=ids)
    expected = torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert torch.allclose(out.loss, expected)


def test_stored_and_loaded_by_the_auto_classes_it_writes_the_same(model, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert isinstance(again, LSTMForCausalLM)
    assert AutoConfig.from_pretrained(tmp_path).hidden_size == 24
    assert again.lm_head.weight is again.embed.weight
    ids = torch.tensor([[3, 4, 5]])
    assert torch.equal(greedy(model, ids, 8), greedy(again, ids, 8))


def test_sampling_takes_the_settings(model):
    ids = torch.tensor([[3, 4, 5]])

    def sample(**settings):
        torch.manual_seed(0)
        return model.generate(ids, max_new_tokens=20, do_sample=True, eos_token_id=None, pad_token_id=1, **settings)

    assert torch.equal(sample(top_k=1), greedy(model, ids, 20))
    assert not torch.equal(sample(temperature=2.0), sample(temperature=0.1))
