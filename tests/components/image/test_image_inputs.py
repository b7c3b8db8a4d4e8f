"""What the Image page takes beside its settings: prompts, uploads good and bad, masks."""

import io
from types import SimpleNamespace

import pytest
from PIL import Image

from components import inputs, state
from components.image import picture_input
from models.errors import BadInput
from models.family import InputField
from tests.components.image.image_steps import PAGE, choose, kept, pictures, png, run, upload, uploader
from tests.components.page_steps import messages, press, settle, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


@pytest.fixture
def desk(monkeypatch):
    """Return a desk that keeps what is painted, by the bytes themselves, and its slot of the mask."""
    kept = {}
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state=kept))

    def store(desk, item, data, said=""):
        if data == b"too large":
            raise BadInput("The mask is too large.")
        return picture_input._stored(data)

    monkeypatch.setattr(inputs, "stored_upload", store)
    return SimpleNamespace(place="image")


MASK = InputField("mask", "mask")


@pytest.mark.parametrize(
    ("painted", "uploaded_after", "then", "left"),
    [
        (b"one", None, None, ""),  # painted, wiped
        (b"one", None, b"two", "two"),
        (b"one", b"upload", b"one", "upload"),  # drawn again as it was: the upload stays
        (b"one", b"upload", None, "upload"),  # the paint is wiped, the upload is not
        (b"one", b"upload", b"two", "two"),  # painting replaces it
        (None, b"upload", None, "upload"),
        (b"one", None, b"too large", "one"),
    ],
)
def test_paint_and_an_uploaded_mask_are_apart(desk, painted, uploaded_after, then, left):
    mask = inputs.ref(desk, MASK)
    picture_input._keep_painted(desk, MASK, painted)
    if uploaded_after is not None:
        mask.set(picture_input._stored(uploaded_after))
    picture_input._keep_painted(desk, MASK, then)
    assert mask.get() == (picture_input._stored(left.encode()) if left else "")
    told = inputs.problem(desk, MASK).get()
    assert told == ("The mask is too large." if then == b"too large" else "")


def test_a_refused_upload_says_that_what_was_there_stays(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", b"no picture", "bad.png")
    assert any("bad.png: " in said and "stays" not in said for said in messages(page))
    upload(page, "Image", png())
    kept = page.session_state[inputs.ref_key("image", "image")]
    upload(page, "Image", b"no picture", "bad.png")
    assert any("bad.png: " in said and said.endswith("What was there before stays.") for said in messages(page))
    assert page.session_state[inputs.ref_key("image", "image")] == kept


def test_only_the_inputs_of_the_task_are_shown_and_sent(pages):
    page = pages.open(PAGE)
    assert uploader(page, "Image") is None
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    assert uploader(page, "Mask") is None
    run(pages, page)
    assert set(pages.engine.ran[-1].inputs) == {"prompt", "image"}
    choose(page, "task", "inpaint", "selectbox")
    assert uploader(page, "Mask")
    choose(page, "task", "text to image", "selectbox")
    assert uploader(page, "Image") is None
    run(pages, page)
    assert set(pages.engine.ran[-1].inputs) == {"prompt"}
    choose(page, "task", "image to image", "selectbox")
    assert kept(page, "image")  # put away, not lost


def test_a_second_prompt_is_asked_for_while_it_acts(pages):
    page = pages.open(PAGE)
    keys = lambda: {item.key for item in page.text_area}
    assert "image-input-prompt_to" not in keys()
    choose(page, "prompt_mix", 0.5)
    press(page, "run")
    assert any("no second prompt" in message for message in messages(page))
    widget(page, "text_area", "image-input-prompt_to").set_value("blue heart")
    run(pages, page, "red heart")
    assert pages.engine.ran[-1].inputs == {"prompt": "red heart", "prompt_to": "blue heart"}
    choose(page, "prompt_mix", 0.0)
    assert "image-input-prompt_to" not in keys()
    run(pages, page)
    assert pages.engine.ran[-1].inputs == {"prompt": "red heart"}


def test_a_model_that_rebuilds_pictures_takes_them_and_no_words(pages):
    page = pages.open(PAGE, model="image/emoji-vae")
    run(pages, page, "")
    assert pages.engine.ran[-1].inputs == {"prompt": ""}  # optional: anything
    choose(page, "task", "interpolate", "selectbox", "emoji-vae")
    assert "image-prompt" not in {item.key for item in page.text_area}
    upload(page, "Image", png(10))
    upload(page, "Second image", png(200))
    settle(pages, press(page, "run"))
    assert set(pages.engine.ran[-1].inputs) == {"image", "image_to"}
    assert len(set(pages.engine.ran[-1].inputs.values())) == 2


def test_a_task_without_its_picture_is_refused_with_a_sentence(pages):
    page = pages.open(PAGE)
    choose(page, "task", "inpaint", "selectbox")
    press(page, "run")
    assert any("needs an image to start from" in message for message in messages(page))
    upload(page, "Image", png())
    press(page, "run")
    assert any("needs a mask" in message for message in messages(page))
    upload(page, "Mask", png(255, mode="L"))
    run(pages, page)
    assert set(pages.engine.ran[0].inputs) == {"prompt", "image", "mask"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"I am no picture.", "not an image file this app can read"),
        (png(kind="JPEG", size=(300, 300), quality=100)[:700], "damaged or cut off"),
        (png() + b"\0" * 25_000_000, "at most 20 MB"),
        (png(size=(30_000, 2_000), mode="L"), "at most 25 million"),
        (png(size=(3, 3)), "at least 8 × 8"),
        (png(kind="GIF"), "not an image file this app can read"),
    ],
    ids=["empty", "text", "cut", "25 MB", "too many pixels", "tiny", "gif"],
)
def test_a_bad_upload_gets_a_sentence_and_nothing_is_lost(pages, data, words):
    page = pages.open(PAGE)
    run(pages, page)
    before = pictures(page)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    ref = kept(page, "image")
    upload(page, "Image", data)
    assert any(words in message for message in messages(page)), messages(page)
    assert kept(page, "image") == ref
    assert pictures(page) == before
    run(pages, page, "heart")
    assert pages.engine.ran[-1].inputs == {"prompt": "heart", "image": ref}


def test_an_upload_can_be_removed_and_a_good_one_clears_the_complaint(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", b"no")
    assert messages(page)
    upload(page, "Image", png(kind="WEBP"), "photo.webp")
    assert messages(page) == []
    press(page, "image-input-image-remove")
    assert kept(page, "image") is None


def test_an_upload_that_was_cleared_from_the_store_is_forgotten(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    pages.store.path(kept(page, "image")).unlink()
    page.run()
    assert not page.exception
    assert kept(page, "image") is None


def test_a_painted_mask_is_taken_until_another_one_is_given(pages, monkeypatch):
    painted = {"png": None}
    monkeypatch.setattr(picture_input.mask_painter, "draw", lambda picture, key, *, size: painted["png"])
    page = pages.open(PAGE)
    choose(page, "task", "inpaint", "selectbox")
    upload(page, "Image", png())
    painted["png"] = png(255, mode="L", size=(64, 64))
    page.run()
    first = kept(page, "mask")
    assert pages.store.get_bytes(first) == painted["png"]
    upload(page, "Mask", png(0, mode="L", size=(64, 64)))
    second = kept(page, "mask")
    page.run()
    assert kept(page, "mask") == second != first  # what is still painted does not take it away
    painted["png"] = png(100, mode="L", size=(64, 64))
    page.run()
    assert pages.store.get_bytes(kept(page, "mask")) == painted["png"]
    painted["png"] = None  # wiped clean
    page.run()
    assert kept(page, "mask") is None


def masks_shown(page):
    return [caption.value for caption in page.caption if "is redrawn" in caption.value]


def test_an_uploaded_mask_is_shown_as_it_is_taken(pages):
    page = pages.open(PAGE)
    choose(page, "task", "inpaint", "selectbox")
    upload(page, "Image", png(size=(200, 100)))
    assert masks_shown(page) == []
    mask = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    mask.paste((255, 0, 0, 255), (50, 0, 100, 100))  # the left half of the square in the middle
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    upload(page, "Mask", buffer.getvalue())
    assert masks_shown(page) == ["The mask that was given: violet is redrawn, 50% of the image. Painting replaces it."]
    upload(page, "Mask", png(0, mode="L"))
    assert masks_shown(page) == []
    assert any("This mask redraws nothing" in said for said in messages(page))
