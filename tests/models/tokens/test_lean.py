"""The lean step against the forward of transformers' own net, for nets of any shape."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.tokens import lean, together
from models.tokens.together import Together, is_recurrent

VOCABULARY, ROOM = 50, 12


def make_llama(kind, *, groups, heads, width, layers, tied, bias, theta, rope, inner):
    import transformers

    shape = {
        "vocab_size": VOCABULARY, "hidden_size": 24, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads * groups, "num_key_value_heads": heads, "head_dim": width,
        "max_position_embeddings": 64, "tie_word_embeddings": tied, "initializer_range": 0.3,
        "rope_parameters": {"rope_type": rope, "rope_theta": theta, "factor": 2.0},
    }  # fmt: skip
    more = {
        "Llama": {"attention_bias": bias, "mlp_bias": bias}, "Mistral": {"sliding_window": None},
        "Qwen2": {"use_sliding_window": False},
    }  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**shape, **more[kind])
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():  # norms and biases start as ones and noughts
        for name, one in model.named_parameters():
            if "norm" in name or "bias" in name:
                one.uniform_(0.5, 1.5)
    return model


LLAMAS = st.builds(
    make_llama, st.sampled_from(["Llama", "Mistral", "Qwen2"]), groups=st.integers(1, 3), heads=st.integers(1, 3),
    width=st.sampled_from([2, 8, 10]), layers=st.integers(1, 3), tied=st.booleans(), bias=st.booleans(),
    theta=st.sampled_from([100.0, 10_000.0]), rope=st.sampled_from(["default", "linear"]),
    inner=st.sampled_from([8, 40]),
)  # fmt: skip


def make_lstm(layers, hidden, width):
    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

    return LSTMForCausalLM(LSTMConfig(
        vocab_size=VOCABULARY, embedding_size=width, hidden_size=hidden, num_hidden_layers=layers
    )).eval()  # fmt: skip


LSTMS = st.builds(make_lstm, st.integers(1, 3), st.sampled_from([4, 33]), st.sampled_from([3, 16]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(model=st.one_of(LLAMAS, LSTMS), prompts=st.lists(st.integers(1, 6), min_size=2, max_size=5), data=st.data())
def test_rows_have_the_scores_that_the_whole_text_has_in_one_pass(model, prompts, data):
    chance = torch.Generator().manual_seed(len(prompts))
    texts = [torch.randint(VOCABULARY, (many,), generator=chance).tolist() for many in prompts]
    with torch.inference_mode():
        rows = Together({"model": model}, texts, ROOM)
        assert not rows.exact
        for _ in range(6):
            for place, row in enumerate(rows.rows):
                whole = model(input_ids=torch.tensor([texts[row]])).logits[0, -1]
                spread = float(whole.std())
                assert torch.allclose(rows.scores[place], whole, rtol=0, atol=1e-4 * max(1.0, spread))
            if data.draw(st.booleans(), "one ends") and len(rows.rows) > 1:
                rows.drop([data.draw(st.integers(0, len(rows.rows) - 1), "which")])
            tokens = torch.randint(VOCABULARY, (len(rows.rows),), generator=chance).tolist()
            for row, token in zip(rows.rows, tokens, strict=True):
                texts[row].append(token)
            assert rows.step(tokens, look=range(len(tokens)))


def test_without_packed_products_the_step_is_the_same(monkeypatch):
    model = make_lstm(2, 33, 16)
    with torch.inference_mode():
        packed = Together({"model": model}, [[1, 2], [3]], ROOM)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        plain = Together({"model": model}, [[1, 2], [3]], ROOM)
        assert packed.step([4, 5]) and plain.step([4, 5])
    assert torch.allclose(packed.scores, plain.scores, atol=1e-5)


def test_large_models_and_those_of_another_build_are_read_row_by_row(monkeypatch):
    from transformers import GPT2Config, GPT2LMHeadModel

    small = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=8, n_layer=1, n_head=1, n_positions=16))
    assert lean.step_of(small, 16) is None
    angles = make_llama("Llama", groups=1, heads=1, width=8, layers=1, tied=True, bias=False, theta=100.0,
                        rope="dynamic", inner=8)  # fmt: skip
    assert lean.step_of(angles, 16) is None  # they change with the text's length
    lstm = make_lstm(1, 4, 3)
    assert lean.step_of(lstm, 16) is not None and is_recurrent(lstm)
    monkeypatch.setattr(lean, "MOST_BYTES", 100)
    assert lean.step_of(lstm, 16) is None


@pytest.mark.parametrize("off", [0.5 * together.CLOSE, 3 * together.CLOSE])
def test_scores_that_are_too_far_off_are_noticed_but_for_a_constant(monkeypatch, off):
    model = make_lstm(1, 33, 16)
    with torch.inference_mode():
        rows = Together({"model": model}, [[1, 2], [3]], ROOM)
        read = lean.LSTMStep.__call__
        signs = torch.ones(VOCABULARY)
        signs[::2] = -1
        monkeypatch.setattr(lean.LSTMStep, "__call__", lambda *given: read(*given) + 7 + off * signs)
        assert rows.step([4, 5], look=[1]) == (off < together.CLOSE)
