"""The captioner's net as transformers has it: both decoders by `generate()`, beams, batches, files, Auto classes."""

import pytest
import torch

from models.image.nets.captioner import WRITERS, Captioner, CaptionerConfig

SETTINGS = {
    "greedy": {}, "beams": {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 0.0},
    "drawn": {"do_sample": True, "num_return_sequences": 3},
}  # fmt: skip
each = pytest.mark.parametrize("writer", WRITERS)


def make(**more):
    torch.manual_seed(2)
    shape = {"vocab_size": 30, "channels": [4, 6, 8, 10], "hidden_size": 16, "lstm_size": 12, "num_attention_heads": 2,
             "feed_forward_size": 20, "max_position_embeddings": 9, "writers": list(WRITERS), "styles": ["noto", "3d"],
             "separator_token_id": 3, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
             "decoder_start_token_id": 2, **more}  # fmt: skip
    net = Captioner(CaptionerConfig(**shape)).eval()
    with torch.no_grad():  # sharper than fresh weights, so that captions differ
        for name, weight in net.named_parameters():
            if not name.startswith("encoder"):
                weight.mul_(4 if weight.ndim == 2 else 1)
    return net


@pytest.fixture(scope="module")
def model():
    return make()


def pictures(count, seed=3):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def write(model, shown, writer, **more):
    torch.manual_seed(5)
    with torch.inference_mode():
        return model.generate(pixel_values=shown, writer=writer, max_new_tokens=6, **more)


def given(rows=2, words=5):
    return torch.randint(3, 30, (rows, words), generator=torch.Generator().manual_seed(4))


@each
def test_a_picture_becomes_a_grid_over_which_each_word_s_attention_is_one(model, writer):
    with torch.inference_mode():
        out = model(pictures(2), given(), writer=writer, output_attentions=True)
    assert out.logits.shape == (2, 5, 30)
    assert out.encoder_last_hidden_state.shape == (2, 64, 16)
    heads = {"lstm": [1], "transformer": [2, 2]}[writer]  # by layer
    assert [one.shape for one in out.cross_attentions] == [(2, count, 5, 64) for count in heads]
    for one in out.cross_attentions:
        assert torch.allclose(one.sum(-1), torch.ones(one.shape[:-1]), atol=1e-5)
    assert model(pictures(2), given(), writer=writer).cross_attentions is None


@each
def test_a_word_depends_on_the_picture_and_on_the_words_before_it_alone(model, writer):
    words = given(1)
    with torch.inference_mode():
        whole = model(pictures(1), words, writer=writer).logits
        beginning = model(pictures(1), words[:, :3], writer=writer).logits
        other = model(pictures(1, seed=9), words, writer=writer).logits
        changed = words.clone()
        changed[0, 0] = 3 + (changed[0, 0] - 2) % 27
        before = model(pictures(1), changed, writer=writer).logits
    assert torch.allclose(whole[:, :3], beginning, atol=1e-5)
    assert not torch.allclose(whole, other, atol=1e-4)
    assert not torch.allclose(whole[:, -1], before[:, -1], atol=1e-5)


@each
@pytest.mark.parametrize("name", SETTINGS)
def test_generate_writes_with_the_decoder_that_is_named(model, writer, name):
    made = write(model, pictures(2), writer, **SETTINGS[name])
    assert made.shape[0] == 2 * SETTINGS[name].get("num_return_sequences", 1)
    assert (made[:, 0] == 2).all()
    other = write(model, pictures(2), WRITERS[1 - WRITERS.index(writer)], **SETTINGS[name])
    assert made.shape != other.shape or not torch.equal(made, other)


@each
def test_a_batch_is_its_single_runs_and_an_encoded_picture_the_picture(model, writer):
    shown = pictures(3)
    together = write(model, shown, writer, num_beams=2)
    for at in range(3):
        alone = write(model, shown[at : at + 1], writer, num_beams=2)[0]
        assert torch.equal(together[at, : len(alone)], alone)
        with torch.inference_mode():
            encoded = model.get_encoder()(shown[at : at + 1])
            again = model.generate(encoder_outputs=encoded, writer=writer, max_new_tokens=6, num_beams=2)[0]
        assert torch.equal(again, alone)


@each
def test_the_loss_is_that_of_the_labels_and_skips_what_does_not_count(model, writer):
    labels = given()
    labels[1, 3:] = -100
    out = model(pictures(2), labels=labels, writer=writer)
    first = torch.cat([torch.full((2, 1), 2), labels[:, :-1].clamp(min=0)], 1)
    logits = model(pictures(2), first, writer=writer).logits
    kept = labels != -100
    assert torch.allclose(out.loss, torch.nn.functional.cross_entropy(logits[kept], labels[kept]))


def test_stored_and_loaded_by_the_auto_classes_it_writes_the_same(model, tmp_path):
    from transformers import AutoModelForImageTextToText

    model.save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    assert isinstance(again, Captioner)
    for writer in WRITERS:
        assert torch.equal(write(again, pictures(2), writer), write(model, pictures(2), writer))
