"""Colours from latents by a fitted map, and the share of a run's time that previews may take."""

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from models.image.sampling import previews  # noqa: E402
from tests.tiny.pipelines import make_vae  # noqa: E402


class Averages(torch.nn.Module):
    """Encode a picture as the mean colour of each 4 × 4 square: the map has an exact answer."""

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.config = type(
            "Config", (), {"block_out_channels": (1, 1, 1), "scaling_factor": 2.0, "shift_factor": 0.1}
        )()

    def encode(self, pictures):
        mean = torch.nn.functional.avg_pool2d(pictures, 4)
        distribution = type("Distribution", (), {"mean": mean})()
        return type("Encoded", (), {"latent_dist": distribution})()


def test_the_map_of_a_plain_autoencoder_is_found():
    vae = Averages()
    colours = previews.fit_colours(vae)
    wanted = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    latents = previews.to_model_scale(vae, wanted * 2 - 1)
    got = colours(latents).float() / 255
    assert got.shape == (2, 4, 4, 3)
    assert float((got.permute(0, 3, 1, 2) - wanted).abs().max()) < 0.03


def test_a_patch_of_pixels_comes_of_one_position():
    weight, bias = torch.zeros(4, 12), torch.arange(12) / 12
    colours = previews.LatentColours(weight, bias)
    assert colours.patch == 2
    assert colours(torch.zeros(1, 4, 3, 5)).shape == (1, 6, 10, 3)
    assert len(list(colours.buffers())) == 2  # counted as the model's bytes


def test_the_file_beside_the_autoencoder_goes_first(tmp_path):
    save_file({"weight": torch.zeros(4, 3), "bias": torch.full((3,), 0.5)}, tmp_path / previews.FILE)
    colours = previews.load_colours(tmp_path, None)
    assert (colours(torch.randn(1, 4, 2, 2)) == 128).all()


@pytest.mark.parametrize("shifted", [False, True])
def test_without_a_file_one_is_fitted_for_any_autoencoder(shifted, tmp_path):
    vae = make_vae(4, shifted)
    one, again = (previews.load_colours(folder, vae) for folder in (tmp_path, None))
    assert torch.equal(one.weight, again.weight)
    assert torch.isfinite(one.weight).all()


@pytest.mark.parametrize("shifted", [False, True])
def test_scales_are_undone(shifted):
    vae = make_vae(4, shifted)
    latents = torch.randn(1, 4, 3, 3)
    assert torch.allclose(previews.from_model_scale(vae, previews.to_model_scale(vae, latents)), latents, atol=1e-5)


def test_previews_are_held_to_their_share(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(previews.time, "monotonic", lambda: now[0])
    budget = previews.Budget()
    assert not budget.allows()  # too soon after the start
    now[0] += previews.GAP_S
    assert budget.allows()
    budget.spend(0.2)
    now[0] += previews.GAP_S
    assert not budget.allows()  # another as slow would pass what a short run may take
    now[0] = 100 + 0.4 / previews.SHARE + 1  # long enough that two of them are within the share
    assert budget.allows()
    budget.spend(0.001)
    assert not budget.allows()  # the gap
