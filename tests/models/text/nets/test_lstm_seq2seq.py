"""The recurrent encoder-decoder as transformers has them: `generate()` with beams, batches, files, Auto classes."""

import pytest
import torch

from models.text.nets.lstm_seq2seq import LSTMForSeq2SeqLM, LSTMSeq2SeqConfig

SETTINGS = {
    "greedy": {}, "beams": {"num_beams": 3}, "candidates": {"num_beams": 4, "num_return_sequences": 3,
                                                            "length_penalty": 2.0},
    "drawn": {"do_sample": True, "top_k": 12}, "drawn beams": {"do_sample": True, "num_beams": 2},
    "no repeats": {"no_repeat_ngram_size": 2, "min_new_tokens": 6, "num_beams": 2},
}  # fmt: skip


def make(**more):
    torch.manual_seed(2)
    shape = {"vocab_size": 40, "embedding_size": 16, "hidden_size": 24, "pad_token_id": 0, "eos_token_id": 1,
             "decoder_start_token_id": 0, **more}  # fmt: skip
    net = LSTMForSeq2SeqLM(LSTMSeq2SeqConfig(**shape)).eval()
    with torch.no_grad():  # sharper than fresh weights, so that candidates differ
        for weight in net.parameters():
            weight.mul_(3 if weight.ndim == 2 else 1)
    return net


@pytest.fixture(scope="module")
def model():
    return make()


def rows(*lengths):
    chance = torch.Generator().manual_seed(3)
    found = [torch.cat([torch.randint(2, 40, (length - 1,), generator=chance), torch.ones(1, dtype=torch.int64)])
             for length in lengths]  # fmt: skip
    ids = torch.nn.utils.rnn.pad_sequence(found, batch_first=True)
    return ids, (ids != 0).long()


def write(model, ids, mask, **more):
    torch.manual_seed(5)
    with torch.inference_mode():
        return model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=10, bad_words_ids=[[0]], **more)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_state_that_is_carried_on_writes_what_reading_all_again_writes(model, name):
    ids, mask = rows(7, 7)
    carried, again = (write(model, ids, mask, use_cache=cache, **SETTINGS[name]) for cache in (True, False))
    assert torch.equal(carried, again)


@pytest.mark.parametrize("name", ["greedy", "beams", "candidates"])
def test_a_batch_of_unequal_rows_is_its_single_runs(model, name):
    ids, mask = rows(3, 9, 5)
    together = write(model, ids, mask, **SETTINGS[name])
    each = len(together) // 3
    for at, length in enumerate((3, 9, 5)):
        alone = write(model, ids[at : at + 1, :length], mask[at : at + 1, :length], **SETTINGS[name])
        got = together[at * each : (at + 1) * each]
        width = min(got.shape[1], alone.shape[1])
        assert torch.equal(got[:, :width], alone[:, :width])
        assert not got[:, width:].any()
        assert not alone[:, width:].any()


def test_beams_find_a_likelier_text_than_the_likeliest_token_each_time(model):
    ids, mask = rows(6, 6, 6, 6)

    def score(**more):
        out = write(model, ids, mask, min_new_tokens=10, **more)
        with torch.inference_mode():
            logits = model(ids, mask, decoder_input_ids=out[:, :-1]).logits.log_softmax(-1)
        return logits.gather(2, out[:, 1:, None]).sum((1, 2))

    assert score(num_beams=6).mean() > score().mean()


def test_all_at_once_is_one_after_the_other(model):
    ids, mask = rows(5, 8)
    written, _ = rows(6, 6)
    with torch.inference_mode():
        whole = model(ids, mask, decoder_input_ids=written)
        first = model(ids, mask, decoder_input_ids=written[:, :2])
        second = model(ids, mask, decoder_input_ids=written[:, 2:], state=first.state)
    assert torch.allclose(whole.logits[:, 2:], second.logits, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole.state, second.state, strict=True))


def test_attention_sums_to_one_and_nothing_goes_behind_a_row_s_end(model):
    ids, mask = rows(3, 8)
    with torch.inference_mode():
        [weights] = model(ids, mask, decoder_input_ids=ids, output_attentions=True).cross_attentions
    assert weights.shape == (2, 1, 8, 8)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 1, 8))
    assert not weights[0, :, :, 3:].any()
    assert model(ids, mask, decoder_input_ids=ids).cross_attentions is None


def test_the_source_acts_by_the_first_state_and_by_attention():
    model = make()
    ids, mask = rows(6)
    other = ids.clone()
    other[0, 2] = ids[0, 2] % 30 + 2
    first, second = (model(one, mask, decoder_input_ids=ids[:, :3]).logits for one in (ids, other))
    assert not torch.allclose(first, second)
    encoded = model.get_encoder()(ids, mask)
    encoded.hidden, encoded.cell = (torch.zeros_like(one) for one in (encoded.hidden, encoded.cell))
    without = model(attention_mask=mask, encoder_outputs=encoded, decoder_input_ids=ids[:, :3]).logits
    assert not torch.allclose(first, without)


def test_the_loss_is_that_of_the_labels_and_skips_what_does_not_count(model):
    ids, mask = rows(6, 6)
    labels = rows(5, 5)[0]
    labels[1, 3:] = -100
    out = model(ids, mask, labels=labels)
    given = torch.cat([torch.zeros(2, 1, dtype=torch.int64), labels[:, :-1].clamp(min=0)], 1)
    logits = model(ids, mask, decoder_input_ids=given).logits
    kept = labels != -100
    assert torch.allclose(out.loss, torch.nn.functional.cross_entropy(logits[kept], labels[kept]))


def test_decoders_of_several_layers_begin_with_the_encoder_s_last_layers():
    model = make(encoder_layers=3, decoder_layers=2)
    ids, mask = rows(5, 7)
    encoded = model.get_encoder()(ids, mask)
    assert encoded.hidden.shape == (2, 2, 24)
    assert torch.allclose(encoded.hidden[0, -1, :12], encoded.last_hidden_state[0, 4, :12])  # forwards, at the end
    assert torch.allclose(encoded.hidden[1, -1, 12:], encoded.last_hidden_state[1, 0, 12:])  # backwards, at the start
    assert write(model, ids, mask, num_beams=3).shape[0] == 2


def test_stored_and_loaded_by_the_auto_classes_it_writes_the_same_and_tables_are_one(model, tmp_path):
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "np") as file:
        assert sum("embed" in name or "shared" in name or "lm_head" in name for name in file.keys()) == 1
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    assert isinstance(AutoConfig.from_pretrained(tmp_path), LSTMSeq2SeqConfig)
    assert again.lm_head.weight.data_ptr() == again.model.decoder.embed_tokens.weight.data_ptr()
    ids, mask = rows(6, 4)
    assert torch.equal(write(again, ids, mask, num_beams=3), write(model, ids, mask, num_beams=3))
