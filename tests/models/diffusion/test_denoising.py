"""From which step on a picture is nearly its final one: measured against other pictures, whatever the steps."""

import pytest
import torch

from models.device import import_libraries
from models.diffusion import denoising
from models.settings import PACKAGE_DIR, Settings
from models.watching import follow

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
