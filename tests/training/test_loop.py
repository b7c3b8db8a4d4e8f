"""The clock, the optimizers, the average and the checkpoints that training scripts share."""

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from torch import nn  # noqa: E402

from training import loop  # noqa: E402
from training.image.emoji import psnr  # noqa: E402
from training.optim import Average, FloatMuon, Optimizers, falling  # noqa: E402


def test_a_pause_is_no_training_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    clock = loop.Clock(1.0)
    for _ in range(10):
        now[0] += 1.0
        clock.step()
    assert clock.seconds == 10
    now[0] += 3600  # stopped for an hour
    assert clock.step() == 1.0
    assert clock.seconds == 13
    now[0] += 50  # a measurement
    clock.restart()
    now[0] += 1.0
    clock.step()
    assert clock.seconds == 14
    assert clock.progress == pytest.approx(14 / 60)
    assert loop.Clock(0.1, seconds=99).progress == 1.0


def test_the_rate_warms_up_stays_and_falls_to_zero():
    assert falling(0, 0.0) == 0.01
    assert falling(99, 0.1) == 1.0
    assert falling(500, 0.5) == 1.0
    assert falling(500, 0.75) == 0.5
    assert falling(500, 1.0) == 0.0
    assert falling(500, 0.9, decay_from=0.8) == pytest.approx(0.5)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3), nn.Conv2d(12, 12, 3), nn.Flatten(), nn.Linear(12, 16), nn.Linear(16, 2))


def shared(optimizers):
    return [weight for weight, _ in optimizers._views]


def test_matrices_and_convolutions_go_to_muon_and_the_edges_do_not():
    model = net()
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert [names[id(one)] for one in shared(Optimizers(model, 1e-3))] == ["0.weight", "1.weight", "3.weight"]
    few = Optimizers(model, 1e-3, edges=("0.", "4."))
    assert [names[id(one)] for one in shared(few)] == ["1.weight", "3.weight"]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_moves_every_weight_downhill_in_either_layout(layout):
    model = net().to(memory_format=layout)
    optimizers = Optimizers(model, 1e-2)
    x, y = torch.randn(16, 3, 5, 5), torch.randn(16, 2)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    losses = []
    for _ in range(20):
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizers.step(1.0)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert all(not torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert all(weight.grad is None for weight in model.parameters())


def test_at_factor_zero_nothing_moves():
    model = net()
    optimizers = Optimizers(model, 1e-2)
    before = [weight.detach().clone() for weight in model.parameters()]
    model(torch.randn(2, 3, 5, 5)).sum().backward()
    optimizers.step(0.0)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_ended(tmp_path):
    x, y = torch.randn(8, 3, 5, 5), torch.randn(8, 2)

    def train(model, optimizers, steps):
        for _ in range(steps):
            (model(x) - y).square().mean().backward()
            optimizers.step(1.0)

    whole = net()
    train(whole, Optimizers(whole, 1e-2), 6)
    part = net()
    optimizers = Optimizers(part, 1e-2)
    train(part, optimizers, 3)
    file = tmp_path / "latest.pt"
    loop.save(file, {"model": part.state_dict(), "optimizer": optimizers.state_dict()})
    found = loop.resume(file)
    later = net()
    later.load_state_dict(found["model"])
    optimizers = Optimizers(later, 1e-2)
    optimizers.load_state_dict(found["optimizer"])
    train(later, optimizers, 3)
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(whole.parameters(), later.parameters(), strict=True))


def test_a_checkpoint_is_whole_or_not_there(tmp_path):
    file = tmp_path / "latest.pt"
    assert loop.resume(file) is None
    loop.save(file, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        loop.save(file, {"step": lambda: 0})
    assert loop.resume(file) == {"step": 1}


def test_an_average_follows_slowly_and_copies_counters():
    model = nn.BatchNorm1d(2)
    average = Average(model, decay=0.9)
    with torch.no_grad():
        model.weight += 1
    model.num_batches_tracked += 7
    average.update(model)
    assert torch.allclose(average.weights["weight"], torch.full((2,), 1 + 9 / 11))  # warmed up: 2 / 11 is kept
    assert int(average.weights["num_batches_tracked"]) == 7
    for _ in range(300):
        average.update(model)
    assert torch.allclose(average.weights["weight"], model.weight, atol=1e-4)


def test_batches_meet_every_file_once_before_any_twice():
    feed = loop.Shuffled([3, 5, 7, 9, 11], 2, torch.Generator().manual_seed(0))
    drawn = torch.cat([next(feed) for _ in range(5)]).tolist()
    assert sorted(drawn[:5]) == sorted(drawn[5:]) == [3, 5, 7, 9, 11]


def test_psnr_of_a_known_error():
    wanted = torch.zeros(2, 3, 4, 4)
    assert psnr(wanted + 0.2, wanted) == pytest.approx(20.0, abs=1e-3)
    assert psnr(wanted, wanted) == pytest.approx(100.0, abs=1e-3)


def test_a_moment_ends_a_training_whatever_its_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(loop.time, "time", lambda: now[0])
    clock = loop.Clock(600.0, until=1040.0)
    assert clock.progress == 0
    now[0] = 1010.0
    assert clock.progress == pytest.approx(0.25)
    now[0] = 1050.0
    assert clock.progress == 1.0
    assert loop.Clock(600.0, until=1050.0).progress == 1.0  # begun too late


def test_muon_in_float32_goes_where_torchs_own_goes():
    ways = []
    for kind in (FloatMuon, torch.optim.Muon):
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(shape)) for shape in ((12, 20), (20, 12), (9, 9))]
        optimizer = kind(weights, lr=0.1, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        for _ in range(3):
            for weight in weights:
                weight.grad = torch.randn_like(weight)
            optimizer.step()
        ways.append((weights, optimizer.state_dict()))
    for one, other in zip(*(weights for weights, _ in ways), strict=True):
        assert (one - other).norm() / other.norm() < 0.02  # its sums are rounded to 8 bits
    states = [state["state"][0] for _, state in ways]
    assert set(states[0]) == set(states[1])  # a checkpoint of the one goes on with the other
