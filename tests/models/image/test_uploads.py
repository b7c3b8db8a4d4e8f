"""What an upload of a picture may cost to read, in every format: a few times its pixels, none above the limit."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models import readers
from models.errors import BadInput
from models.image import files, uploads
from models.runtime.decoder import Decoder
from models.settings import Settings
from tests.decodings import peak_over
from tests.models.image.test_colours import wide_profile
from tests.models.image.test_files import encoded

MB = 1_000_000
SIDE = 2500


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    decoder = Decoder(Settings(data_dir=tmp_path_factory.mktemp("decoder"), decode_max_s=120))
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):  # its libraries are there
        decoder.call(uploads.check, encoded(Image.new("RGB", (16, 16)), kind), name="image")
    yield decoder
    decoder.close()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def large(mode, colour):
    return Image.new(mode, (SIDE, SIDE), colour)


LARGE = {  # and the bytes a pixel that reading it takes at most, where what is held is 4
    "PNG, transparent, turned, wide colours": (
        lambda: encoded(large("RGBA", (200, 30, 30, 128)), compress_level=1, exif=turned(),
                        icc_profile=wide_profile()), 12,
    ),
    "PNG, 16 bits": (lambda: encoded(large("I;16", 999), compress_level=1), 10),
    "PNG, grey and transparent": (lambda: encoded(large("LA", (9, 9)), compress_level=1), 12),
    "JPEG, progressive": (
        lambda: encoded(large("RGB", "red"), "JPEG", progressive=True, subsampling=0, icc_profile=wide_profile()), 16
    ),
    "JPEG, CMYK": (lambda: encoded(large("CMYK", (9, 9, 9, 0)), "JPEG"), 12),
    "WebP": (lambda: encoded(large("RGBA", (9, 9, 9, 9)), "WEBP", lossless=True, method=0), 20),
    "AVIF": (lambda: encoded(large("RGBA", (9, 9, 9, 9)), "AVIF", speed=10), 16),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_a_picture_takes_a_few_times_its_pixels(decoder, name):
    make, most = LARGE[name]
    given, grown = peak_over(decoder, uploads.check, make(), name="image")
    assert given is None
    assert grown < most * SIDE**2 + 10 * MB


def test_the_limit_of_pixels_is_one_of_what_is_held():
    assert files.UPLOAD_MAX_PIXELS * 4 == files.DECODED_MAX_BYTES == 100 * MB
    assert "25 million pixels" in files.LIMITS


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_head(width, height, interlaced=0):
    head = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, interlaced)
    body = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    exif = chunk(b"eXIf", b"Exif\0\0" + turned().tobytes()[6:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + exif + chunk(b"IEND", b"")


def webp_head(width, height):
    size = lambda value: (value - 1).to_bytes(3, "little")
    body = b"VP8X\n\0\0\0" + bytes(4) + size(width) + size(height)
    small = encoded(Image.new("RGB", (16, 16)), "WEBP")[12:]
    return b"RIFF" + (4 + len(body) + len(small)).to_bytes(4, "little") + b"WEBP" + body + small


def jpeg_head(width, height, **options):
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "JPEG", **options))
    at = data.index(b"\xff\xc2" if options else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def avif_head(width, height):
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


LYING = {
    "PNG": png_head(13_300, 13_300),
    "PNG, interlaced": png_head(13_300, 13_300, 1),
    "PNG, endless": png_head(2**31 - 1, 2**31 - 1),
    "PNG, of a size that is allowed": png_head(4_990, 4_990, 1),
    "JPEG": jpeg_head(65_500, 65_500),
    "JPEG, progressive": jpeg_head(65_500, 65_500, progressive=True),
    "JPEG, of a size that is allowed": jpeg_head(4_990, 4_990, progressive=True),
    "WebP": webp_head(16_383, 16_383),
    "WebP, wide": webp_head(16_383, 3_000),
    "AVIF": avif_head(16_000, 16_000),
    "AVIF, of a size that is allowed": avif_head(4_990, 4_990),
}


@pytest.mark.parametrize("name", LYING)
def test_a_header_that_lies_costs_no_more_than_what_is_allowed(decoder, name):
    given, grown = peak_over(decoder, uploads.check, LYING[name], name="image")
    if given is not None:  # a JPEG may break off: what is there is taken
        assert given.startswith("The image ")
        assert given.endswith(".")
    assert grown < (350 if "allowed" in name else 20) * MB


@pytest.mark.parametrize("name", LYING)
def test_no_pixel_is_decoded_for_a_files_settings(decoder, name):
    given, grown = peak_over(decoder, readers.read_plain, LYING[name], settings=Settings().model_dump(mode="json"))
    assert isinstance(given, str) or given[0] == "picture"
    assert grown < 20 * MB


def test_more_that_was_decoded_than_was_told_is_a_sentence(monkeypatch):
    class Lying(Image.Image):
        def load(self):
            self._size = (9_000, 9_000)

    picture = Image.new("RGB", (16, 16))
    picture.__class__ = Lying
    monkeypatch.setattr(files, "_open", lambda data, name: picture)
    with pytest.raises(BadInput, match=r"is 9,000 × 9,000 pixels; at most 25 million"):
        files.decode_upload(b"x")


def test_no_memory_is_a_sentence(monkeypatch):
    def nothing_left(self):
        raise MemoryError

    data = encoded(Image.new("RGB", (16, 16)))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", nothing_left)
    for read in (files.decode_upload, lambda one: files.decode_mask(one, (8, 8))):
        with pytest.raises(BadInput, match="needs more memory to be read than is allowed"):
            read(data)


def test_the_limit_of_pixels_is_pillows_own_again_afterwards():
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(BadInput):
        files.decode_upload(png_head(13_300, 13_300))
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_thumbnail_a_fitted_picture_and_a_mask_are_made_apart(decoder):
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("red", (50, 0, 100, 100))
    data = encoded(picture)
    with decoder.calling(uploads.check, data, name="image") as (_, made):
        assert Image.open(made[uploads.THUMBNAIL]).size == (96, 48)
    assert decoder.call(uploads.size_within, data, side=100) == [100, 50]
    with decoder.calling(uploads.fitted, data, size=[64, 64]) as (_, made):
        shown = np.asarray(Image.open(made[uploads.SHOWN]))
    assert np.array_equal(shown, np.asarray(files.fit(files.decode_upload(data), 64, 64)))
    mask = Image.new("L", (200, 100))
    mask.paste(255, (50, 0, 100, 100))
    with decoder.calling(uploads.masked, data, encoded(mask), size=[64, 64], side=256) as (share, made):
        assert share == pytest.approx(0.5, abs=0.02)
        over = np.asarray(Image.open(made[uploads.SHOWN]).convert("RGB")).astype(int)
        assert over[128, 192].tolist() == [255, 255, 255]  # the right half of the middle is kept as it is
        assert over[128, 64][2] > 60  # the left half, which is red below, is redrawn
        assert Image.open(made[uploads.SHOWN]).size == (256, 256)
