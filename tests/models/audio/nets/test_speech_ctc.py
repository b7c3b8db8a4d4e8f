"""The small recogniser: batches, files, its loss falls on what it is shown."""

import pytest
import torch

from models.audio.nets.speech_ctc import SpeechCTC, SpeechCTCConfig


def tiny():
    torch.manual_seed(1)
    return SpeechCTC(SpeechCTCConfig(vocab_size=4, hidden_size=16, num_blocks=1, dropout=0.0)).eval()


def test_shorter_rows_of_a_batch_are_heard_as_alone():
    model = tiny()
    long, short = torch.randn(1, 8000), torch.randn(1, 4000)
    sound = torch.cat([long, torch.nn.functional.pad(short, (0, 4000))])
    mask = torch.ones(2, 8000, dtype=torch.int64)
    mask[1, 4000:] = 0
    together = model(sound, mask).logits
    alone = model(long).logits[0]
    assert torch.allclose(together[0], alone, atol=1e-5)
    assert int(model.frames_of(torch.tensor(8000))) == len(alone)
    count = int(model.frames_of(torch.tensor(4000)))
    assert 0 < count < len(alone)
    beyond = together[1, count:]  # nothing is listened to after its end, in either direction
    assert torch.equal(beyond, beyond[:1].expand_as(beyond))
    unmasked = model(sound).logits[1]
    assert not torch.allclose(unmasked[:count], together[1, :count], atol=1e-4)
    assert not torch.equal(unmasked[count:], unmasked[count : count + 1].expand_as(unmasked[count:]))


def test_stored_and_loaded_it_hears_the_same(tmp_path):
    from transformers import AutoModelForCTC

    model = tiny()
    model.save_pretrained(tmp_path)
    again = AutoModelForCTC.from_pretrained(tmp_path).eval()
    assert float(again.bank.sum()) == pytest.approx(float(model.bank.sum()))
    assert float(model.bank.sum()) > 0
    sound = torch.randn(1, 3000)
    assert torch.allclose(model(sound).logits, again(sound).logits, atol=1e-6)  # files lie otherwise in memory


def test_it_learns_what_it_is_shown():
    model = tiny().train()
    time = torch.arange(4000) / 8000
    sound = torch.stack([torch.sin(2 * torch.pi * hertz * time) for hertz in (300, 1500)])
    labels = torch.tensor([[1], [2]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = model(sound, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
