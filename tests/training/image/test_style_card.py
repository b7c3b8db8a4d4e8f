"""The second edition's card: every number that was measured stands in it, beside the edition before."""

import json

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from torch import nn  # noqa: E402

pytest.importorskip("inflect", reason="inflect is missing: pip install -r requirements-train.txt")
pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install -r requirements-train.txt")

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from training.image import style_card  # noqa: E402
from training.image.compositions import KINDS  # noqa: E402


class Pipeline:
    """Hold three nets of 3, 4 and 5 parameters."""

    def __init__(self):
        self.unet, self.vae, self.text_encoder = (nn.Linear(size, 1) for size in (2, 3, 4))


def measured(at):
    return {"count": 7, "top5": at, "style": at + 0.01, "top5_real": at + 0.02, "style_real": at + 0.03}


def test_the_card_tells_what_was_measured(tmp_path, monkeypatch):
    styles = toy_styles()
    monkeypatch.setattr(style_card, "training_names", lambda base: base.train)
    monkeypatch.setattr(style_card, "draw", lambda _, prompts, guidance: torch.zeros(len(prompts), 3, 64, 64))
    monkeypatch.setattr(style_card, "SAMPLES", style_card.SAMPLES[:4])  # the toy has two held-out pairs and two names
    (tmp_path / "vae").mkdir()
    facts = {"steps": 9876, "minutes": 123.4, "pictures": 7_654_321, "hardware": "a fast card",
             "curve": [[1, 0.5, 0.9, 0.8], [2, 1.0, 0.4, 0.5]]}  # fmt: skip
    (tmp_path / "training.json").write_text(json.dumps(facts))
    vae = {"psnr_held_out_db": 31.94, "minutes": 17.0, "curve": [[1, 0.5, 0.9, 20.0], [2, 1.0, 0.4, 25.0]]}
    (tmp_path / "vae" / "training.json").write_text(json.dumps(vae))
    keys = ("seen_names", "seen_pairs", "held_out_pairs", "held_out_names", "held_out_names_in_styles")
    marks = {key: measured(0.11 + 0.1 * number) for number, key in enumerate(keys)}
    marks |= {"colour_followed": 0.987, "compositions": {kind: {"count": 40, "right": 0.345, "right_real": 0.765}
                                                         for kind in KINDS}}  # fmt: skip
    before = {"seen_names": measured(0.065), "held_out_names": measured(0.015), "colour_followed": 0.555}
    style_card.write_card(Pipeline(), styles, tmp_path, marks, before, {"top1": 0.975, "style": 0.931})
    card = (tmp_path / "README.md").read_text("utf-8")
    told = (
        "11.0%",
        "21.0%",
        "31.0%",
        "41.0%",
        "51.0%",
        "6.5%",
        "1.5%",
        "98.7%",
        "55.5%",
        "34.5%",
        "76.5%",
        "97.5%",
        "93.1%",
        "9,876",
        "7.7 million images",
        "a fast card",
        "123.4",
        "31.94",
        "3 parameters",
        "4 parameters",
        "5 parameters",
    )
    for number in told:
        assert number in card, number
    assert f"{len(styles.seen)} pairs seen, 2 held out" in card
    kept = json.loads((tmp_path / "training.json").read_text("utf-8"))
    assert kept["marks"] == marks
    assert kept["marks_before"] == before
    assert kept["steps"] == 9876
    assert (tmp_path / "samples.png").exists()


def test_the_samples_are_of_every_kind(monkeypatch):
    styles = toy_styles()
    monkeypatch.setattr(style_card, "training_names", lambda base: base.train)
    prompts = style_card.sample_prompts(styles)
    names = {group.name for group in styles.base.groups}
    assert prompts[:8] == [styles.group(group).name for group in styles.base.train[:8]]
    assert {"red cat, flat", "green hat, 3d"} <= set(prompts)
    assert {"red cup", "blue hat"} <= set(prompts) & names
    assert prompts[-8:] == style_card.SAMPLES
