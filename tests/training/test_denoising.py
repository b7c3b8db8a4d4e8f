"""The loss that every diffusion model learns by, by exact values, and the loop around it."""

import pytest
import torch

from training import loop
from training.denoising import Plan, fit, loss_of

LEVELS = torch.tensor([0.2])  # one step: ᾱ, so that no draw of a step matters
SCHEDULE = {"num_train_timesteps": 10, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}


def test_who_predicts_v_has_no_loss_and_a_miss_is_weighted_by_its_step():
    clean = torch.full((3, 1, 2, 2), 0.5)

    def right(noisy, times, conditions):
        noise = (noisy - LEVELS.sqrt() * 0.5) / (1 - LEVELS).sqrt()
        return LEVELS.sqrt() * noise - (1 - LEVELS).sqrt() * 0.5 + conditions[:, None, None, None]

    assert loss_of(right, clean, torch.zeros(3), LEVELS) == pytest.approx(0, abs=1e-4)
    missed = loss_of(right, clean, torch.tensor([0.0, 0.0, 3.0]), LEVELS)
    # signal to noise is 0.25: min-SNR weighs the error of v by 0.25 / 1.25; 9 of one in three is 3
    assert missed == pytest.approx(3 * 0.2, rel=0.02)


def test_it_learns_and_gives_the_average_of_its_weights(tmp_path):
    options = loop.options("", str(tmp_path / "out"), 0.03).parse_args(["--data", str(tmp_path), "--threads", "1"])
    options.work = tmp_path / "work"
    loop.prepare(options)
    model = torch.nn.Sequential(*(torch.nn.Conv2d(*size, 3, padding=1) for size in ((1, 12), (12, 12), (12, 1))))
    before = model[0].weight.detach().clone()
    plan = Plan("squares", 4, 10, 1e-2, 0.9, SCHEDULE, edges=("0",))

    def draw(choice):
        return torch.full((4, 1, 4, 4), choice.choice([-1.0, 1.0])), torch.zeros(4)

    facts = fit(model, plan, options, draw, lambda noisy, times, conditions: model(noisy))
    assert facts["steps"] > 10
    assert not torch.equal(model[0].weight, before)
    assert facts["squares"] == 4 * facts["steps"]
    assert [point[0] for point in facts["curve"]][:2] == [10, 20]
