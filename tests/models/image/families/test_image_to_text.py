"""Captions: what each decoder writes, by beams or by chance; probabilities, attention; Stop; what is missing."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from models.blobs import Blobs
from models.catalog import load_catalog
from models.errors import BadInput
from models.family import Context
from models.image.caption_settings import WRITERS, CaptionParams
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request
from tests.models.image.families.drawings import BLUE, RED

CAPTIONER = "image/emoji-caption"
CATALOG = load_catalog(Settings())


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = LocalEngine(Settings(data_dir=tmp_path_factory.mktemp("data")))
    yield engine
    engine.close()


def final(engine, data=RED, seed=0, **params):
    ref = Blobs(engine._settings.data_dir).put_bytes(data)
    *_, last = engine.generate(Request(model=CAPTIONER, inputs={"image": ref}, params=params, seed=seed))
    return last


def said(engine, data=RED, seed=0, **params):
    """Return the captions of each decoder."""
    meta = final(engine, data, seed, **params).outputs[0].meta
    return {one["decoder"]: one["captions"] for one in meta["captioned"]}


def texts(captions):
    return [one["text"] for one in captions]


def test_both_decoders_name_pairs_that_they_never_saw(engine):
    sheet = Image.open(CATALOG[CAPTIONER].folder() / "samples.png")  # of the card: held-out pairs first
    for at, caption in ((4, "yellow heart, twemoji"), (5, "green circle, 3d")):
        file = io.BytesIO()
        sheet.crop((64 * at, 0, 64 * at + 64, 64)).save(file, "PNG")
        found = said(engine, file.getvalue())
        assert {writer: captions[0]["text"] for writer, captions in found.items()} == dict.fromkeys(WRITERS, caption)
        assert all(captions[0]["probability"] > 0.3 for captions in found.values())


def test_a_line_stands_for_each_caption_the_likeliest_of_the_beams_first(engine):
    output = final(engine, captions=4, num_beams=5).outputs[0]
    assert output.kind == "text"
    lines = output.text.splitlines()
    assert len(lines) == 8
    assert [line.partition(":")[0] for line in lines] == ["LSTM"] * 4 + ["Transformer"] * 4
    for one in output.meta["captioned"]:
        odds = [caption["probability"] for caption in one["captions"]]
        assert odds == sorted(odds, reverse=True)
        assert len(set(texts(one["captions"]))) == 4
        assert sum(odds) <= 1
    best = max((one["captions"][0] for one in output.meta["captioned"]), key=lambda one: one["probability"])
    assert output.meta["aloud"] == best["text"]


def test_a_caption_s_probability_is_at_most_that_of_its_words_and_attention_is_whole(engine):
    for captions in said(engine).values():
        for one in captions:
            assert one["text"].replace(",", " ,").split() == [word for word, _ in one["words"]]
            assert one["probability"] <= math.prod(p for _, p in one["words"]) + 0.01  # and of its end
            assert len(one["attention"]) == len(one["words"])
            assert np.allclose(np.sum(one["attention"], 1), 1, atol=0.01)
            assert {len(row) for row in one["attention"]} == {64}


def test_what_the_model_saw_lies_beside_it(engine):
    meta = final(engine, BLUE).outputs[0].meta
    picture = Image.open(io.BytesIO(base64.b64decode(meta["picture"])))
    assert (picture.size, meta["grid"]) == ((64, 64), 8)
    assert np.abs(np.asarray(picture.convert("RGB"))[32, 32].astype(int) - (59, 136, 195)).max() <= 2


def test_one_decoder_says_what_it_says_beside_the_other(engine):
    for chance in ({}, {"do_sample": True, "temperature": 1.5}):
        whole = said(engine, seed=4, **chance)
        for writer in WRITERS:
            assert said(engine, seed=4, decoder=writer, **chance) == {writer: whole[writer]}


def test_without_the_style_a_caption_ends_with_its_name(engine):
    for with_style, without in zip(
        said(engine, BLUE).values(), said(engine, BLUE, with_style=False).values(), strict=True
    ):
        assert "," not in "".join(texts(without))
        assert without[0]["text"] == with_style[0]["text"].partition(",")[0]
        assert without[0]["probability"] >= with_style[0]["probability"]


def test_draws_follow_the_seed_and_equal_ones_are_one(engine):
    chance = {"do_sample": True, "temperature": 2.0, "captions": 5}
    first, again, other = (said(engine, seed=seed, **chance) for seed in (1, 1, 2))
    assert first == again != other
    for captions in first.values():
        assert sum(one["count"] for one in captions) == 5
        assert len(set(texts(captions))) == len(captions)
    calm = said(engine, captions=5, do_sample=True, temperature=0.05)
    line = final(engine, captions=5, do_sample=True, temperature=0.05).outputs[0].text.splitlines()[0]
    assert line == f"LSTM: {calm['lstm'][0]['text']} ({calm['lstm'][0]['probability']:.1%}, 5 times)"
    assert all(captions[0]["count"] == 5 for captions in calm.values())
    narrow = said(engine, captions=5, do_sample=True, temperature=3.0, top_k=1)
    assert narrow == calm


def test_greedy_writes_one_caption_and_says_why(engine):
    done = final(engine, num_beams=1)
    assert len(done.outputs[0].text.splitlines()) == 2
    assert done.stats["notes"] == ["1 caption of each decoder, not 3: no more than beams. Raise Beams."]
    assert final(engine, captions=1, num_beams=1).stats["notes"] == []


def test_stop_between_words_keeps_the_decoder_that_was_done():
    family, spec = CATALOG.family(CAPTIONER), CATALOG[CAPTIONER]
    loaded, asked = family.load(spec), []

    def run(most):
        asked.clear()
        context = Context(lambda: asked.append(1) or len(asked) > most, open_ref=lambda ref: RED, stamp={"a": 1})
        request = Request(model=CAPTIONER, inputs={"image": "sha256:" + "0" * 64})
        *_, last = family.generate(spec, request, CaptionParams(), loaded, context)
        return last

    whole = run(1000)
    assert not whole.stats["stopped"]
    steps = len(asked)
    assert steps > 6
    assert run(0).outputs == ()
    cut = run(steps - 1)
    assert cut.stats["stopped"]
    assert [one["decoder"] for one in cut.outputs[0].meta["captioned"]] == ["lstm"]


def test_without_an_image_it_says_what_to_do():
    engine = LocalEngine(Settings())
    with pytest.raises(BadInput, match=r"image is missing. Give Emoji Caption \(image/emoji-caption\) an image and"):
        list(engine.generate(Request(model=CAPTIONER)))
    engine.close()
