"""Where a picture's texts stand, and in which coding: all of them are read, and no pixel is decoded for it."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models import stamps
from models.errors import BadInput
from models.image import files
from models.image.files import read_settings
from tests.models.image.test_files import encoded, noise
from tests.models.image.test_webui import PIXELS, REQUEST

TEXT = ("a red kite, “wide”\nNegative prompt: dull, blurry\nSteps: 24, Sampler: Euler a, CFG scale: 6.5, Seed: 77, "
        "Size: 64x96")  # fmt: skip
PLAIN = TEXT.replace("“", "'").replace("”", "'")
USER_COMMENT = 0x9286


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks(png):
    at, found = 8, []
    while at < len(png):
        size = struct.unpack(">I", png[at : at + 4])[0]
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def behind(png):
    """Return a PNG with its texts and EXIF behind the pixels, as ImageMagick writes them."""
    every = chunks(png)
    late = [one for one in every if one[0] in (b"tEXt", b"zTXt", b"iTXt", b"eXIf")]
    first = [one for one in every if one not in late and one[0] != b"IEND"]
    return png[:8] + b"".join(chunk(*one) for one in [*first, *late, (b"IEND", b"")])


def exif_with(raw, order="<"):
    """Return EXIF in a byte order with a user comment of these bytes."""
    pack = lambda layout, *values: struct.pack(order + layout, *values)
    start = b"II" if order == "<" else b"MM"
    sub = pack("HHHIII", 1, USER_COMMENT, 7, len(raw), 44, 0)
    return b"Exif\0\0" + start + pack("HIHHHIII", 42, 8, 1, 0x8769, 4, 1, 26, 0) + sub + raw


def seen(found):
    assert found.seed == 77
    assert found.inputs["prompt"].startswith("a red kite")
    assert found.params["negative_prompt"] == "dull, blurry"
    assert (found.params["width"], found.params["height"]) == (64, 96)
    return found


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "packed iTXt"])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_a_png_s_text_is_read_from_every_kind_of_chunk_before_and_behind_the_pixels(kind, place):
    info = PngImagePlugin.PngInfo()
    if kind.endswith("iTXt"):
        info.add_itxt("parameters", TEXT, zip=kind != "iTXt")
    else:
        info.add_text("parameters", PLAIN, zip=kind == "zTXt")
    data = encoded(noise(), pnginfo=info)
    found = seen(read_settings(behind(data) if place == "behind" else data))
    assert found.inputs["prompt"] == (TEXT if kind.endswith("iTXt") else PLAIN).split("\n")[0]


def test_our_own_picture_keeps_its_settings_where_its_texts_were_moved_and_where_it_is_cut_off():
    data = files.image_output(PIXELS, {"request": REQUEST}, 0).data
    moved = behind(data)
    assert moved.index(b"IDAT") < moved.index(b"playground")
    assert read_settings(moved).params == REQUEST["params"]
    assert read_settings(data[:-20]).seed == REQUEST["seed"]


CODINGS = {
    "little endian": ("<", b"UNICODE\0", "utf-16-le", b""),
    "big endian": (">", b"UNICODE\0", "utf-16-be", b""),
    "big endian in a little-endian file": ("<", b"UNICODE\0", "utf-16-be", b""),
    "little endian in a big-endian file": (">", b"UNICODE\0", "utf-16-le", b""),
    "little endian with its mark": ("<", b"UNICODE\0", "utf-16-le", b"\xff\xfe"),
    "big endian with its mark": (">", b"UNICODE\0", "utf-16-be", b"\xfe\xff"),
    "UTF-8 called Unicode": ("<", b"UNICODE\0", "utf-8", b""),
    "undefined": ("<", b"\0" * 8, "utf-8", b""),
    "undefined and wide": (">", b"\0" * 8, "utf-16-be", b""),
    "ASCII that is UTF-8": ("<", b"ASCII\0\0\0", "utf-8", b""),
    "no code": ("<", b"", "utf-8", b""),
}


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "PNG behind", "AVIF"])
def test_a_user_comment_is_read_in_every_coding_and_format(name, kind):
    order, code, coding, mark = CODINGS[name]
    exif = exif_with(code + mark + TEXT.encode(coding), order)
    data = encoded(noise(), kind.split()[0], exif=exif)
    found = seen(read_settings(behind(data) if kind.endswith("behind") else data))
    assert found.inputs["prompt"] == "a red kite, “wide”"


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_a_prompt_in_another_script_is_read(coding):
    text = TEXT.replace("a red kite, “wide”", "赤い凧と海、空を飛ぶ")
    found = read_settings(encoded(noise(), "JPEG", exif=exif_with(b"UNICODE\0" + text.encode(coding))))
    assert found.inputs["prompt"] == "赤い凧と海、空を飛ぶ"


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 8, b"UNICODE\0", b"ASCII\0\0\0a holiday", b"UNICODE\0h\0i\0", b"\xff" * 30]
)
def test_the_comment_of_a_camera_is_no_settings(raw):
    assert read_settings(encoded(noise(), "JPEG", exif=exif_with(raw))) is None


def test_the_comment_and_the_description_of_a_jpeg_are_read():
    assert seen(read_settings(encoded(noise(), "JPEG", comment=TEXT.encode())))
    exif = Image.Exif()
    exif[0x010E] = PLAIN
    assert seen(read_settings(encoded(noise(), "JPEG", exif=exif)))


def test_settings_are_found_without_decoding_a_pixel(monkeypatch):
    head = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 6, 0, 0, 0)  # 676 MB of pixels
    pixels = zlib.compress(b"\0" * 1000)
    texts = [chunk(b"tEXt", b"parameters\0" + PLAIN.encode("latin-1"))]
    data = b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), chunk(b"IDAT", pixels), *texts, chunk(b"IEND", b"")])
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    seen(read_settings(data))


def test_a_text_that_unpacks_without_end_is_passed_over_and_the_others_are_read():
    bomb = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 50_000_000))
    good = chunk(b"tEXt", b"parameters\0" + PLAIN.encode("latin-1"))
    data = encoded(noise())
    cut = data.index(b"IDAT") - 4
    seen(read_settings(data[:cut] + bomb + good + data[cut:]))
    with pytest.raises(BadInput, match="damaged"):
        read_settings(data[:cut] + bomb + data[cut:])


@pytest.mark.parametrize("cut", [9, 20, 40])
def test_a_png_that_is_cut_off_early_is_a_sentence(cut):
    with pytest.raises(BadInput, match="damaged|not an image file"):
        read_settings(encoded(noise())[:cut])


def test_long_settings_behind_the_pixels_are_refused_too():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "x" * (stamps.TEXT_MAX_CHARS + 1))
    with pytest.raises(BadInput, match="too long"):
        read_settings(behind(encoded(noise(), pnginfo=info)))


def test_any_bytes_behind_the_start_of_a_png_are_a_sentence_or_nothing():
    random = np.random.default_rng(5)
    good = encoded(noise(), pnginfo=PngImagePlugin.PngInfo())
    for _ in range(200):
        data = bytearray(good)
        for at in random.integers(8, len(data), 6):
            data[at] = random.integers(0, 256)
        with suppress(BadInput):
            assert read_settings(bytes(data)) is None
