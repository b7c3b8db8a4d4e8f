"""Pictures that come in: what is refused, and in which words; what is turned, laid on white, converted."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import BadInput
from models.image import files


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(side=64, mode="RGB"):
    depth = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(0).integers(0, 255, (side, side, depth), np.uint8)
    return Image.fromarray(values if depth > 1 else values[:, :, 0], mode)


def bomb(side=30_000):
    """A PNG whose head claims a square of `side` and whose body is a few bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


BAD = {
    "empty": (lambda: b"", ["0 bytes", "Upload a PNG"]),
    "a text named .png": (lambda: b"hello, this is text\n" * 40, ["not an image file", "whatever its name says"]),
    "25 MB": (lambda: bytes(25_000_000), ["25 MB", "at most 20 MB", "smaller"]),
    "a bomb": (bomb, ["at most 25 million", "smaller"]),
    "a large one": (lambda: bomb(7_000), ["7,000 × 7,000", "at most 25 million"]),
    "cut off": (lambda: encoded(noise(200), "JPEG")[:3000], ["damaged or cut off"]),
    "a GIF": (lambda: encoded(noise(), "GIF"), ["not an image file", "PNG, JPEG, WebP, AVIF or HEIC"]),
    "tiny": (lambda: encoded(noise(4)), ["4 × 4", "at least 8 × 8"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_gets_a_sentence(name):
    make, words = BAD[name]
    with pytest.raises(BadInput) as caught:
        files.decode_upload(make(), "mask")
    assert all(word in caught.value.message for word in words), caught.value.message
    assert "mask" in caught.value.message


@pytest.mark.parametrize("name", ["25 MB", "a bomb", "a large one"])
def test_what_is_too_large_is_refused_before_a_pixel_is_decoded(name, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(BadInput):
        files.decode_upload(BAD[name][0]())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_put_upright(orientation):
    upright = Image.new("RGB", (32, 48), "white")
    upright.paste("red", (0, 0, 16, 16))  # the upper left corner
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    got = files.decode_upload(encoded(stored, exif=exif))
    assert got.size == (32, 48)
    assert got.getpixel((4, 4)) == (255, 0, 0)
    assert got.getpixel((28, 44)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_lies_on_white(kind):
    picture = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 128), (0, 0, 8, 16))
    got = files.decode_upload(encoded(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert got.mode == "RGB"
    assert got.getpixel((12, 8)) == (255, 255, 255)
    assert got.getpixel((4, 8)) == pytest.approx((127, 127, 255), abs=1)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "CMYK", "RGB"])
def test_every_mode_becomes_rgb_of_the_same_brightness(mode):
    grey = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (16, 1))
    plain = Image.fromarray(grey, "L")
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "CMYK":
        picture = plain.convert("RGB").convert("CMYK")
    else:
        picture = plain.convert(mode)
    got = files.decode_upload(encoded(picture, "JPEG" if mode == "CMYK" else "PNG"))
    assert got.mode == "RGB"
    values = np.asarray(got)[8, :, 0].astype(int)
    if mode == "1":
        assert set(values) == {0, 255}
    else:
        assert np.abs(values - grey[0]).max() < 12


def test_a_mask_is_black_or_white_and_in_size():
    halves = np.repeat([[100] * 8 + [150] * 8], 16, 0).astype(np.uint8)
    mask = files.decode_mask(encoded(Image.fromarray(halves)), (4, 4))
    assert mask.size == (4, 4)
    assert set(np.asarray(mask).flatten().tolist()) == {0, 255}
    with pytest.raises(BadInput, match="mask"):
        files.decode_mask(b"x", (4, 4))


def test_a_picture_is_fitted_by_its_middle():
    wide = Image.new("RGB", (90, 30), "red")
    wide.paste("blue", (30, 0, 60, 30))
    got = files.fit(wide, 16, 16)
    assert got.size == (16, 16)
    assert got.getpixel((8, 8)) == (0, 0, 255)
    assert got.getpixel((2, 8)) == pytest.approx((0, 0, 255), abs=4)


@pytest.mark.parametrize("coding", [(b"UNICODE\0", "utf-16-be"), (b"ASCII\0\0\0", "ascii")])
def test_settings_in_the_exif_of_a_jpeg_are_found(coding):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = coding[0] + "a cat, Steps: 20".encode(coding[1])
    assert files.file_text(encoded(noise(), "JPEG", exif=exif))["exif:UserComment"] == "a cat, Steps: 20"


def test_a_picture_without_texts_has_none():
    assert files.file_text(encoded(noise())) == {}
    with pytest.raises(BadInput, match="not an image file"):
        files.file_text(b"nothing of the kind")
