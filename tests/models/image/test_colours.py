"""Colours and transparency of what comes in: embedded profiles, 16 bits, transparency by alpha, palette and key."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from models.errors import BadInput
from models.image import colours, files
from tests.models.image.test_files import encoded


def wide_profile():
    """Return an ICC profile with the primaries of Display P3 and the curve of sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    tags = {bytes(data[at : at + 4]): struct.unpack(">II", data[at + 4 : at + 12])
            for at in range(132, 132 + 12 * count, 12)}  # fmt: skip
    for name, xyz in ((b"rXYZ", (0.51512, 0.2412, -0.00105)), (b"gXYZ", (0.29198, 0.69225, 0.04189)),
                      (b"bXYZ", (0.1571, 0.06657, 0.78407))):  # fmt: skip
        at = tags[name][0] + 8
        data[at : at + 12] = struct.pack(">iii", *(round(value * 65536) for value in xyz))
    return bytes(data)


def png16(values, key=None, colour=0, depth=16):
    """Return a PNG of unsigned samples (height × width, or × 3) that Pillow does not write, with a tRNS key."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = values.shape[:2]
    if depth == 16:
        rows = [b"\0" + row.astype(">u2").tobytes() for row in values]
    else:
        bits = [np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -depth:].reshape(-1) for row in values]
        rows = [b"\0" + np.packbits(row).tobytes() for row in bits]
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    trns = chunk(b"tRNS", b"".join(struct.pack(">H", one) for one in key)) if key is not None else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + trns + chunk(b"IDAT", zlib.compress(b"".join(rows)))
            + chunk(b"IEND", b""))  # fmt: skip


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_wide_profile_is_turned_to_srgb_in_every_format(kind):
    picture = Image.new("RGB", (32, 32), (200, 80, 60))
    more = {"lossless": True} if kind == "WEBP" else {"quality": 100}
    plain = files.decode_upload(encoded(picture, kind, **more)).getpixel((5, 5))
    turned = files.decode_upload(encoded(picture, kind, icc_profile=wide_profile(), **more)).getpixel((5, 5))
    assert plain == pytest.approx((200, 80, 60), abs=3)
    assert turned[0] > plain[0] + 8  # the same numbers mean a stronger red there
    assert turned[1] < plain[1]


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L", "CMYK"])
def test_every_mode_keeps_its_colours_with_the_profile_of_srgb(mode):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (24, 24, 3), np.uint8)).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    without, given = encoded(noise, kind), encoded(noise, kind, icc_profile=srgb)
    assert files.decode_upload(given).tobytes() == files.decode_upload(without).tobytes()


def test_a_wide_profile_acts_below_transparency_and_in_a_palette():
    clear = Image.new("RGBA", (16, 16), (200, 80, 60, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 8, 16))
    solid = files.decode_upload(encoded(Image.new("RGB", (16, 16), (200, 80, 60)), icc_profile=wide_profile()))
    got = files.decode_upload(encoded(clear, icc_profile=wide_profile()))
    assert got.getpixel((12, 8)) == solid.getpixel((0, 0)) != (200, 80, 60)
    assert got.getpixel((2, 8)) == (255, 255, 255)
    palette = Image.new("RGB", (16, 16), (200, 80, 60)).quantize(4)
    assert files.decode_upload(encoded(palette, icc_profile=wide_profile())).getpixel((0, 0)) == solid.getpixel((0, 0))


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200, wide_profile()[:150]])
def test_a_damaged_profile_is_passed_over(profile):
    assert files.decode_upload(encoded(Image.new("RGB", (9, 9), "red"), icc_profile=profile)).getpixel((1, 1)) == (
        255, 0, 0,
    )  # fmt: skip


CASES = {
    "16-bit grey": (np.array([[0, 30_000] * 8] * 16), (0,), 0, 16, (116, 116, 116)),
    "16-bit grey, another key": (np.array([[30_000, 0] * 8] * 16), (30_000,), 0, 16, (0, 0, 0)),
    "2-bit grey": (np.array([[1, 2] * 8] * 16), (1,), 0, 2, (170, 170, 170)),
    "4-bit grey": (np.array([[5, 8] * 8] * 16), (5,), 0, 4, (136, 136, 136)),
    "1-bit": (np.array([[1, 0] * 8] * 16), (1,), 0, 1, (0, 0, 0)),
    "8-bit grey": (np.array([[9, 200] * 8] * 16), (9,), 0, 8, (200, 200, 200)),
    "16-bit colour": (np.array([[[513, 0, 0], [40_000, 0, 257]] * 8] * 16), (513, 0, 0), 2, 16, (156, 0, 1)),
    "8-bit colour": (np.array([[[2, 3, 4], [90, 0, 7]] * 8] * 16), (2, 3, 4), 2, 8, (90, 0, 7)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_one_transparent_colour_is_white_in_every_depth(name):
    values, key, colour, depth, other = CASES[name]
    if colour == 2 and depth == 8:
        picture = Image.fromarray(values.astype(np.uint8))
        data = encoded(picture, transparency=key)
    else:
        data = png16(values, key, colour, depth)
    got = files.decode_upload(data)
    assert got.getpixel((0, 5)) == (255, 255, 255)
    assert got.getpixel((1, 5)) == other


def test_a_large_transparent_picture_is_flattened_band_by_band_to_the_same_pixels():
    values = np.random.default_rng(2).integers(0, 255, (600, 40, 4), np.uint8)
    picture = Image.fromarray(values)
    whole = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    assert colours.flat(picture).tobytes() == whole.tobytes()


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_pictures_of_phones_are_taken_and_their_damage_is_a_sentence(kind):
    import pillow_heif

    pillow_heif.register_heif_opener()
    picture = Image.new("RGB", (64, 48), "red")
    picture.paste("blue", (0, 0, 32, 48))
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=95)
    got = files.decode_upload(buffer.getvalue())
    assert got.size == (64, 48)
    assert got.getpixel((8, 20)) == pytest.approx((0, 0, 255), abs=12)
    assert got.getpixel((56, 20)) == pytest.approx((255, 0, 0), abs=12)
    with pytest.raises(BadInput, match="damaged|not an image file"):
        files.decode_upload(buffer.getvalue()[: len(buffer.getvalue()) // 2])


def test_the_endings_that_browsers_and_phones_write_are_offered():
    assert {"jfif", "jpe", "heic", "heif", "avif", "png", "jpg", "jpeg", "webp"} <= set(files.ENDINGS)
