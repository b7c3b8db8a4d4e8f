"""From which step on a picture is nearly its final one: measured against other pictures, whatever the steps."""

from types import SimpleNamespace

import pytest
import torch

from models.device import import_libraries
from models.diffusion import denoising
from models.settings import PACKAGE_DIR, Settings
from models.watching import Interrupted, follow

PROMPTS = ["red heart", "pizza", "cat face", "sunflower", "octopus", "dog", "house", "crying face", "rocket", "banana"]


def kept(*values):
    """Return steps whose predicted x0 has the given values everywhere."""
    return [(torch.zeros(1, 2, 2), torch.full((1, 2, 2), float(value))) for value in values]


def test_a_distance_is_a_share_of_that_to_another_picture():
    found = denoising.distances(kept(-2, 0, 1.8, 2))
    # another picture lies √2 times as far off as the mean, which is 0
    assert found == pytest.approx([2 / 2**0.5, 1 / 2**0.5, 0.1 / 2**0.5, 0.0], abs=1e-3)


def test_a_picture_is_settled_where_it_stays_near_its_end():
    assert denoising.settled([0.7, 0.3, 0.1, 0.0]) == 3
    assert denoising.settled([0.05, 0.3, 0.05, 0.0]) == 3  # it left again
    assert denoising.settled([0.0]) == 1
    assert denoising.settled([0.7, 0.5, 0.0]) == 3


def test_the_same_path_in_more_steps_tells_the_same_story():
    shares = []
    for count in (20, 50, 100):
        path = [1 - (1 - step / count) ** 2 for step in range(1, count + 1)]
        shares.append(denoising.settled(denoising.distances(kept(*path))) / count)
    assert max(shares) - min(shares) <= 0.05


class Toy:
    """A scheduler of four steps whose noise is the timestep, and whose step adds one."""

    def __init__(self):
        self.timesteps, self.config = torch.tensor([900, 600, 300, 0]), {}

    def add_noise(self, given, noise, times):
        return given + noise * times.float()

    def step(self, output, timestep, sample, return_dict=True):
        return (sample + 1,) if not return_dict else SimpleNamespace(prev_sample=sample + 1)


@pytest.mark.parametrize("return_dict", [True, False])
def test_what_is_not_painted_has_the_noise_of_the_next_step_and_none_at_the_end(monkeypatch, return_dict):
    monkeypatch.setattr(denoising, "predicted_x0", lambda scheduler, output, time, sample: sample)
    scheduler = Toy()
    watch = denoising.DenoisingWatch(lambda: False, lambda: False)
    given, noise = torch.full((1, 1, 1, 2), 5.0), torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 1, 2)
    mask = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)  # the left is repainted
    watch.blend = denoising.Inpainting(scheduler, given, mask, noise)
    watch.attach(scheduler)
    sample, seen = torch.zeros(2, 1, 1, 2), []
    for time in scheduler.timesteps:
        result = scheduler.step(sample, time, sample, return_dict=return_dict)
        sample = result.prev_sample if return_dict else result[0]
        seen.append(sample.flatten().tolist())
    # left: one more at each step; right: the given picture with the noise of the step to come, of each row its own
    assert seen == [[1, 605, 1, 1205], [2, 305, 2, 605], [3, 5, 3, 5], [4, 5, 4, 5]]
    assert (watch.times, watch.step, watch.total) == ([900.0, 600.0, 300.0, 0.0], 4, 4)
    assert [float(noisy.flatten()[0]) for noisy, _ in watch.kept] == [0, 1, 2, 3]


def test_skip_and_stop_end_within_the_step(monkeypatch):
    monkeypatch.setattr(denoising, "predicted_x0", lambda scheduler, output, time, sample: sample)
    for pressed, why in ((0, "stopped"), (1, "skipped")):
        scheduler, flags = Toy(), [False, False]
        watch = denoising.DenoisingWatch(lambda flags=flags: flags[0], lambda flags=flags: flags[1])
        watch.attach(scheduler)
        sample = torch.zeros(1, 1, 1, 1)
        scheduler.step(sample, scheduler.timesteps[0], sample)
        flags[pressed] = True
        with pytest.raises(Interrupted, match=why):
            scheduler.step(sample, scheduler.timesteps[1], sample)
        assert watch.step == 2
        assert watch.x0 is not None


def test_only_so_many_bytes_of_steps_are_kept(monkeypatch):
    monkeypatch.setattr(denoising, "predicted_x0", lambda scheduler, output, time, sample: sample)
    monkeypatch.setattr(denoising, "KEPT_BYTES", 3 * 2 * 2 * 4)  # three steps of two pictures of four fp16 numbers
    scheduler, watch = Toy(), denoising.DenoisingWatch(lambda: False, lambda: False)
    watch.attach(scheduler)
    for time in scheduler.timesteps:
        scheduler.step(torch.zeros(2, 1, 2, 2), time, torch.zeros(2, 1, 2, 2))
    assert len(watch.kept) == 3


def test_a_point_of_the_arc_is_exact():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    assert denoising.slerp(a, b, 0.0).tolist() == [2.0, 0.0]
    assert denoising.slerp(a, b, 1.0).tolist() == [0.0, 2.0]
    assert denoising.slerp(a, b, 1 / 3).tolist() == pytest.approx([3**0.5, 1.0])  # 30° of 90°
    assert denoising.slerp(a, 3 * a, 0.25).tolist() == pytest.approx([3.0, 0.0])  # of one direction: a straight line
    assert denoising.slerp(a.half(), b.half(), 0.5).dtype == torch.float16


@pytest.fixture(scope="module")
def pipeline():
    import_libraries(Settings(threads=1))
    from diffusers import AutoPipelineForText2Image

    found = AutoPipelineForText2Image.from_pretrained(PACKAGE_DIR / "embedded" / "emoji-diffusion", dtype=torch.float32)
    found.set_progress_bar_config(disable=True)
    return found


def settled_shares(pipeline, count):
    """Draw the ten prompts; return of each the share of the steps after which it was settled."""
    from models.diffusion import schedulers

    config = {**pipeline.scheduler.config, "_class_name": type(pipeline.scheduler).__name__}
    pipeline.scheduler = schedulers.make(config, "DPMSolverMultistepScheduler")
    watch = denoising.DenoisingWatch(lambda: False, lambda: False, keep=False)
    watch.attach(pipeline.scheduler)
    seen = []
    taken = watch.take

    def take(*given):
        taken(*given)
        seen.append(watch.x0.clone())

    watch.take = take

    @torch.inference_mode()
    def run():
        generators = [torch.Generator().manual_seed(3 + number) for number in range(len(PROMPTS))]
        pipeline(PROMPTS, num_inference_steps=count, guidance_scale=4.0, generator=generators, output_type="latent")

    for _ in follow(run, watch):
        pass
    rows = torch.stack(seen)  # steps × prompts × channels × height × width
    assert len(rows) == count
    return [
        denoising.settled(denoising.distances([(x0, x0) for x0 in rows[:, number]])) / count
        for number in range(len(PROMPTS))
    ]


def test_twenty_fifty_and_a_hundred_steps_tell_one_story_of_ten_prompts(pipeline):
    few, some, many = (settled_shares(pipeline, count) for count in (20, 50, 100))
    for prompt, *shares in zip(PROMPTS, few, some, many, strict=True):
        assert max(shares) - min(shares) <= 0.15, (prompt, shares)
        assert max(shares) < 0.95, (prompt, shares)  # none is told to change until its last step
