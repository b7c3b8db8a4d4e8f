"""An engine that sees and describes every image alike, and what it says."""

import base64

import numpy as np

from models.image import files
from models.plain_text import text_output
from tests.fake_pictures import FakePictures, flat

JUDGE, CAPTIONER = "image/emoji-judge", "image/emoji-caption"
SEEN = {
    "seen": [{"label": "red *heart*", "probability": 0.93}, {"label": "rose", "probability": 0.021}],
    "styles": [{"label": "noto", "probability": 0.04}, {"label": "3d", "probability": 0.955},
               {"label": "flat", "probability": 0.005}],
}  # fmt: skip


def caption(text, probability, count=1):
    """Return a caption as the family tells it; word n attends to place n of 64 most."""
    words = text.replace(",", " ,").split()
    weights = np.full((len(words), 64), 0.01)
    weights[np.arange(len(words)), np.arange(len(words))] = 0.37
    return {"text": text, "probability": probability, "count": count,
            "words": [[word, round(probability ** (1 / len(words)), 4)] for word in words],
            "attention": weights.tolist()}  # fmt: skip


CAPTIONED = {
    "captioned": [
        {"decoder": "lstm", "captions": [caption("red *heart*, 3d", 0.81, 2), caption("rose, 3d", 0.05)]},
        {"decoder": "transformer", "captions": [caption("red rose, 3d", 0.92)]},
    ],
    "grid": 8, "picture": base64.b64encode(files.preview_output(flat(90)).data).decode(),
}  # fmt: skip


class Seeing(FakePictures):
    """Draw, and say of every upload what stands above."""

    def play(self, turn):
        if turn.request.model == JUDGE:
            yield text_output("red *heart*: 93.0%", turn.stamp, 0, SEEN)
        elif turn.request.model == CAPTIONER:
            yield text_output("LSTM: red *heart*, 3d (81.0%)", turn.stamp, 0, CAPTIONED)
        else:
            yield from super().play(turn)
