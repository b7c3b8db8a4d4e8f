"""Our settings in a sound, under every name that a comment gets when another program converts the file."""

import io
import struct

import numpy as np
import pytest
import soundfile

from models.audio import sounds, tags
from tests.models.image.test_webui import REQUEST

COMMENT = sounds.comment_of({"request": {**REQUEST, "inputs": {"prompt": "ä – “tune”"}}}, 0)
TONE = np.sin(np.arange(8000, dtype=np.float32) / 9)


def id3(*frames):
    """Return an ID3v2.4 tag of (name, body) frames."""
    size = lambda count: bytes((count >> shift) & 127 for shift in (21, 14, 7, 0))
    body = b"".join(name + size(len(text)) + b"\0\0" + text for name, text in frames)
    return b"ID3\x04\0\0" + size(len(body)) + body


def flac_with(name):
    """Return a FLAC whose comment block calls our comment `name`."""
    data = sounds.encode(TONE, 8000, "FLAC")
    at, rest = 4, []
    while True:
        head = data[at]
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if head & 127 != 4:
            rest.append((head & 127, data[at + 4 : at + 4 + size]))
        at += 4 + size
        if head & 128:
            break
    entry = f"{name}={COMMENT}".encode()
    rest.append((4, struct.pack("<I", 0) + struct.pack("<I", 1) + struct.pack("<I", len(entry)) + entry))
    blocks = b"".join(
        bytes([kind | (128 if number == len(rest) - 1 else 0)]) + len(body).to_bytes(3, "big") + body
        for number, (kind, body) in enumerate(rest)
    )
    return data[:4] + blocks + data[at:]


def m4a():
    """Return the boxes of an M4A that hold its comment, and no sound."""
    box = lambda name, body: struct.pack(">I", 8 + len(body)) + name + body
    text = box(b"data", struct.pack(">II", 1, 0) + COMMENT.encode())
    ilst = box(b"ilst", box(b"\xa9cmt", text))
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9)) + ilst)
    return box(b"ftyp", b"M4A \0\0\0\0M4A isom") + box(b"moov", box(b"udta", meta)) + box(b"mdat", bytes(64))


def mp3(*frames):
    return id3(*frames) + sounds.encode(TONE, 8000, "MP3")


def ogg():
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, format="OGG") as file:
        file.comment = COMMENT
        file.write(TONE)
    return buffer.getvalue()


KINDS = {
    "WAV": lambda: sounds.encode(TONE, 8000, "WAV", COMMENT),
    "WAV, long": lambda: sounds.encode(TONE, 8000, "WAV", COMMENT.replace("tune", "tune " * 9000)),
    "MP3 of ours": lambda: sounds.encode(TONE, 8000, "MP3", COMMENT),
    "MP3, TXXX:comment": lambda: mp3((b"TXXX", b"\3comment\0" + COMMENT.encode())),
    "MP3, COMM": lambda: mp3((b"COMM", b"\3eng\0" + COMMENT.encode())),
    "MP3, COMM in UTF-16": lambda: mp3((b"COMM", b"\1eng\xff\xfe\0\0\xff\xfe" + COMMENT.encode("utf-16-le"))),
    "FLAC, DESCRIPTION": lambda: flac_with("DESCRIPTION"),
    "FLAC, comment": lambda: flac_with("comment"),
    "OGG": ogg,
    "M4A": m4a,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_comment_is_found_under_whatever_name(kind):
    found = sounds.read_settings(KINDS[kind]())
    assert found.seed == REQUEST["seed"]
    assert found.params == REQUEST["params"]
    assert found.inputs["prompt"].startswith("ä – “tune")


def test_the_comment_of_someone_else_is_no_settings_and_ours_is_found_beside_it():
    assert sounds.read_settings(mp3((b"COMM", b"\3eng\0by me"))) is None
    both = mp3((b"COMM", b"\3eng\0by me"), (b"TXXX", b"\3description\0" + COMMENT.encode()))
    assert sounds.read_settings(both).seed == REQUEST["seed"]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_the_tags_is_a_sentence_or_nothing(kind):
    from models.errors import BadInput

    good, random = KINDS[kind](), np.random.default_rng(3)
    for _ in range(40):
        data = bytearray(good[: int(random.integers(8, len(good)))])
        for at in random.integers(4, len(data), 5):
            data[at] = random.integers(0, 256)
        try:
            found = sounds.read_settings(bytes(data))
        except BadInput:
            continue
        assert found is None or found.own


def test_a_picture_and_a_text_are_no_sound():
    assert not any(tags.is_sound(data) for data in (b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"hello", b""))
