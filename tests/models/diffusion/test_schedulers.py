"""Schedulers as settings: made on a model's own schedule, and what they believe in at each step."""

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

from models.diffusion import schedulers  # noqa: E402

STABLE = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
          "num_train_timesteps": 1000, "prediction_type": "epsilon"}  # fmt: skip
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
NOISY = [name for name in schedulers.NAMES if not name.startswith("FlowMatch")]


def test_those_that_run_are_those_of_the_models_kind():
    assert set(schedulers.running(STABLE, 4)) == set(NOISY)
    assert set(schedulers.running(FLOW, 16)) >= {"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"}
    assert not set(schedulers.running(FLOW, 16)) & {"DDIMScheduler", "EulerDiscreteScheduler"}


@pytest.mark.parametrize(("config", "name"), [(STABLE, "FlowMatchEulerDiscreteScheduler"), (FLOW, "DDIMScheduler")])
def test_a_scheduler_of_the_other_kind_is_refused(config, name):
    with pytest.raises(ValueError, match="does not fit"):
        schedulers.make(config, name)


@pytest.mark.parametrize("name", schedulers.WITH_SIGMAS)
def test_each_spacing_of_noise_levels_is_another_one(name):
    levels = {}
    for kind in ("default", "karras", "exponential", "beta"):
        made = schedulers.make(STABLE, name, sigmas=kind)
        made.set_timesteps(10)
        levels[kind] = tuple(round(float(one), 4) for one in made.sigmas)
    assert len(set(levels.values())) == 4


def test_one_spacing_takes_the_place_of_the_files_own():
    made = schedulers.make({**STABLE, "use_karras_sigmas": True}, "EulerDiscreteScheduler", sigmas="beta")
    assert made.config.use_beta_sigmas
    assert not made.config.use_karras_sigmas
    assert schedulers.make({**STABLE, "use_karras_sigmas": True}, "EulerDiscreteScheduler").config.use_karras_sigmas


@pytest.mark.parametrize("name", schedulers.WITH_SPACING)
def test_trailing_steps_begin_at_the_end_of_the_schedule(name):
    made = schedulers.make(STABLE, name, spacing="trailing")
    assert made.config.timestep_spacing == "trailing"


def test_a_model_keeps_its_schedule_and_latents_are_not_clipped():
    made = schedulers.make(STABLE, "DDIMScheduler")
    assert made.config.beta_end == 0.012
    assert made.config.clip_sample is False
    assert schedulers.make({**STABLE, "clip_sample": True}, "DDIMScheduler").config.clip_sample is True


# diffusers' own steps of these take no prediction of the picture itself
UNTAKEN = {
    (name, "sample")
    for name in (
        "EulerAncestralDiscreteScheduler", "PNDMScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"
    )
}  # fmt: skip


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("name", NOISY)
def test_a_perfect_net_is_believed_from_the_first_step_on(name, kind):
    """A net that knows the picture: what is predicted at every step is that picture, whatever the scaling."""
    made = schedulers.make({**STABLE, "prediction_type": kind}, name)
    assert made.config.prediction_type == kind
    picture = torch.full((1, 4, 2, 2), 0.3)
    made.set_timesteps(6)
    sample = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(1)) * made.init_noise_sigma
    for time in made.timesteps:
        given = made.scale_model_input(sample, time)
        kept = float(made.alphas_cumprod[int(time)])
        # as training saw it: x = sqrt(kept) x0 + sqrt(1 - kept) noise
        noise = (given - kept**0.5 * picture) / max(1e-4, (1 - kept) ** 0.5)
        output = {"epsilon": noise, "sample": picture, "v_prediction": kept**0.5 * noise - (1 - kept) ** 0.5 * picture}
        believed = schedulers.predicted_x0(made, output[kind], time, sample)
        if (name, kind) in UNTAKEN:
            with pytest.raises((ValueError, NotImplementedError)):
                made.step(output[kind], time, sample, return_dict=False)
            return
        sample = made.step(output[kind], time, sample, return_dict=False)[0]
        if int(time) > 20:  # below, noise and rounding are of one size
            assert torch.allclose(believed, picture, atol=0.02), (name, int(time))


def test_flow_is_believed_along_a_straight_line():
    made = schedulers.make(FLOW, "FlowMatchEulerDiscreteScheduler")
    made.set_timesteps(5)
    picture, noise = torch.full((1, 4, 2, 2), -0.4), torch.ones(1, 4, 2, 2)
    sample = noise.clone()
    for time in made.timesteps:
        assert torch.allclose(schedulers.predicted_x0(made, noise - picture, time, sample), picture, atol=1e-5)
        sample = made.step(noise - picture, time, sample, return_dict=False)[0]
    assert torch.allclose(sample, picture, atol=1e-5)


def test_what_is_believed_has_the_samples_shape_in_float32():
    made = schedulers.make(STABLE, "DDIMScheduler")
    made.set_timesteps(4)
    sample = torch.zeros(3, 4, 5, 6, dtype=torch.bfloat16)
    believed = schedulers.predicted_x0(made, sample, made.timesteps[0], sample)
    assert believed.shape == (3, 4, 5, 6)
    assert believed.dtype == torch.float32


def test_a_scheduler_whose_numbers_grow_beyond_bounds_is_not_offered():
    steep = {**STABLE, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
             "timestep_spacing": "trailing"}  # fmt: skip
    assert "HeunDiscreteScheduler" not in schedulers.running(steep, 4)  # its first step begins at nearly pure noise
    assert "EulerDiscreteScheduler" in schedulers.running(steep, 4)
    assert "HeunDiscreteScheduler" in schedulers.running({**steep, "timestep_spacing": "leading"}, 4)
