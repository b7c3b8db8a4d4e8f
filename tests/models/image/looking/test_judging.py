"""The judge in numpy: the same probabilities as its net in torch, and nothing said of what it does not know."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from models.catalog import load_catalog
from models.image.looking import judging
from models.settings import Settings
from models.types import Output

CATALOG = load_catalog(Settings())
FOLDER = CATALOG["image/emoji-judge"].folder()


def picture(side=64, seed=0):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return Output("image", data=file.getvalue(), media_type="image/png")


@pytest.fixture(scope="module")
def loaded():
    return CATALOG.family("image/emoji-judge").load(CATALOG["image/emoji-judge"]).parts


@pytest.mark.parametrize("side", [64, 128, 40])
def test_its_probabilities_are_those_of_the_net(loaded, side):
    output = picture(side)
    shown = Image.open(io.BytesIO(output.data))
    with torch.inference_mode():
        given = loaded["processor"](shown, return_tensors="pt")["pixel_values"]
        odds = loaded["model"](given).logits[0].softmax(-1)
    labels = loaded["model"].config.id2label
    assert len(labels) == len(odds) == 1446
    for at in (*odds.topk(3).indices.tolist(), 0, 1445):
        assert judging.name_odds(output, labels[at], FOLDER) == pytest.approx(float(odds[at]), rel=1e-3, abs=1e-7)
        assert judging.name_rank(output, labels[at], FOLDER) == 1 + int((odds > odds[at]).sum())


def test_a_name_that_it_does_not_know_has_no_value(tmp_path):
    assert judging.name_odds(picture(), "a hen on a roof", FOLDER) is None
    assert judging.name_rank(picture(), "", FOLDER) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "id2label": {"0": "pizza"}}))
    assert judging.name_odds(picture(), "pizza", tmp_path) is None
    assert judging.name_rank(picture(), "pizza", tmp_path) is None


def test_it_needs_no_torch():
    code = (
        "import sys; from pathlib import Path\n"
        "from models.image.looking import judging; from models.types import Output\n"
        "import io; from PIL import Image; file = io.BytesIO(); Image.new('RGB', (64, 64)).save(file, 'PNG')\n"
        f"assert judging.name_odds(Output('image', data=file.getvalue()), 'pizza', Path({str(FOLDER)!r})) is not None\n"
        "assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
