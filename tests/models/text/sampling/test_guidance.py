"""Guidance for text against transformers' own processor where that can run, and against plain forward passes."""

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from transformers import GenerationConfig, UnbatchedClassifierFreeGuidanceLogitsProcessor  # noqa: E402

from models.text.sampling.guidance import Guidance, mix, unprompted  # noqa: E402
from models.tokens.lstm import LSTMConfig, LSTMForCausalLM  # noqa: E402
from tests.tiny import make_model, make_tokenizer  # noqa: E402

TOKENIZER = make_tokenizer()
PROMPT, NEGATIVE = [0, 70, 71, 72], [0, 90, 91]


def lstm():
    torch.manual_seed(0)
    config = LSTMConfig(vocab_size=300, embedding_size=16, hidden_size=24, num_hidden_layers=2)
    return LSTMForCausalLM(config).eval()


def model_of(kind):
    return lstm() if kind == "lstm" else make_model(kind, TOKENIZER).float().eval()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2"])
@torch.inference_mode()
def test_it_is_what_transformers_gives_for_one_text(kind):
    model = model_of(kind)
    theirs = UnbatchedClassifierFreeGuidanceLogitsProcessor(1.7, model, torch.tensor([NEGATIVE]))
    texts = []
    for processor in (Guidance(model, 1.7, NEGATIVE, len(PROMPT)), theirs):
        config = GenerationConfig(max_new_tokens=15, do_sample=False)
        out = model.generate(torch.tensor([PROMPT]), generation_config=config, logits_processor=[processor])
        texts.append(out[0].tolist())
    assert texts[0] == texts[1]
    plain = model.generate(torch.tensor([PROMPT]), generation_config=GenerationConfig(max_new_tokens=15))
    assert texts[0] != plain[0].tolist()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "lstm"])
@torch.inference_mode()
def test_in_a_batch_and_behind_a_beginning_it_is_two_plain_forward_passes(kind):
    model = model_of(kind)
    guided = Guidance(model, 2.5, NEGATIVE, len(PROMPT))
    answers = [[80, 81], [90, 85]]  # given at once
    for more in ([100, 101], [110, 80], [95, 95]):
        ids = torch.tensor([[*PROMPT, *one] for one in answers])
        found = guided(ids, model(ids).logits[:, -1])
        for row, answer in enumerate(answers):
            other = model(torch.tensor([[*NEGATIVE, *answer]])).logits[0, -1]
            wanted = mix(model(torch.tensor([[*PROMPT, *answer]])).logits[0, -1], other, 2.5)
            assert torch.allclose(found[row], wanted, atol=1e-4)
        answers = [[*answer, token] for answer, token in zip(answers, more, strict=True)]


def test_at_scale_1_the_odds_are_those_of_the_model():
    x, y = torch.randn(2, 9), torch.randn(2, 9)
    assert torch.allclose(mix(x, y, 1.0).softmax(-1), x.softmax(-1), atol=1e-6)


def test_without_a_negative_prompt_it_starts_where_a_text_does():
    assert unprompted(TOKENIZER, PROMPT) == [TOKENIZER.bos_token_id]
    TOKENIZER_WITHOUT = make_tokenizer()
    TOKENIZER_WITHOUT.bos_token = None
    assert unprompted(TOKENIZER_WITHOUT, PROMPT) == [72]
