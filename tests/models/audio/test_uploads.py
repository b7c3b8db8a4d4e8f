"""What an upload of sound may cost to read: a block of it, whatever its file promises or unpacks to."""

import io
import struct

import numpy as np
import pytest
import soundfile

from models import readers
from models.audio import rates, sounds, tags, uploads
from models.errors import BadInput
from models.runtime.decoder import Decoder
from models.settings import Settings
from tests.decodings import peak_over

MB = 1_000_000


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    decoder = Decoder(Settings(data_dir=tmp_path_factory.mktemp("decoder"), decode_max_s=120))
    decoder.call(uploads.check, encoded(np.ones(8000, np.float32) / 2, 8000), name="recording")
    yield decoder
    decoder.close()


def encoded(samples, rate, kind="WAV", **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


def long(seconds, rate, channels, kind="FLAC"):
    """Return sound that is still but for its first second: a small file, however long it is."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, format=kind) as out:
        out.write(np.full((rate, channels), 0.25, np.float32))
        for _ in range(seconds - 1):
            out.write(np.zeros((rate, channels), np.int16))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("seconds", "rate", "channels", "kind"),
    [(590, 48_000, 2, "FLAC"), (70, 384_000, 8, "FLAC"), (590, 48_000, 1, "OGG")],
)
def test_a_long_recording_takes_the_memory_of_a_block(decoder, seconds, rate, channels, kind):
    data = long(seconds, rate, channels, kind)
    with decoder.calling(uploads.check, data, name="recording") as (_, files):
        about = soundfile.info(files[sounds.DECODED])
        assert (about.channels, about.samplerate) == (1, rate)
        assert about.duration == pytest.approx(seconds, abs=0.1)
    _, grown = peak_over(decoder, uploads.check, data, name="recording")
    assert grown < 60 * MB + 2 * len(data)


WAVE, EMPTY = b"RIFF\xff\xff\xff\x7fWAVE", b"junk\0\0\0\0"
FORMAT = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
HOSTILE = {
    "a WAV of empty chunks": WAVE + EMPTY * 2_000_000,
    "a WAV with a format and empty chunks": WAVE + FORMAT + EMPTY * 2_000_000,
    "a WAV of empty comments": WAVE + b"LIST" + (16 * MB).to_bytes(4, "little") + b"INFO" + b"ICMT\0\0\0\0" * 2_000_000,
    "an AIFF of empty chunks": b"FORM\x7f\xff\xff\xffAIFF" + EMPTY * 2_000_000,
    "a FLAC of empty blocks": b"fLaC" + b"\1\0\0\0" * 4_000_000,
    "a WAV that promises 65,535 channels": WAVE + b"fmt \x10\0\0\0"
    + struct.pack("<HHIIHH", 1, 65_535, 384_000, 0, 65_535, 16) + b"data\xff\xff\xff\x7f" + bytes(MB),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("settings", [False, True], ids=["heard", "for its settings"])
def test_a_file_that_is_made_to_cost_memory_is_a_sentence(decoder, name, settings):
    data = HOSTILE[name]
    if settings:
        given, grown = peak_over(decoder, readers.read_plain, data, settings=Settings().model_dump(mode="json"))
        assert given == ["sound", None]
    else:
        given, grown = peak_over(decoder, uploads.check, data, name="recording")
        assert given.startswith("The recording ")
        assert given.endswith(".")
    assert grown < 60 * MB + 3 * len(data)


def test_a_walk_over_chunks_ends(monkeypatch):
    seen = list(sounds._chunks(memoryview(EMPTY * 1_000_000)))
    assert len(seen) == sounds.CHUNKS_MAX
    reads = []
    read = tags._Bounded.read
    monkeypatch.setattr(tags._Bounded, "read", lambda self, *size: reads.append(1) or read(self, *size))
    assert list(tags.comments(HOSTILE["a WAV of empty chunks"])) == []
    assert len(reads) <= tags.READS_MAX + 1


def test_a_comment_behind_a_large_picture_is_read():
    """What is too large for a piece is passed over, and what follows stands where it stood."""
    wav = encoded(np.zeros(100), 8000)
    comment = b"INFOICMT" + (6).to_bytes(4, "little") + b"hello\0"
    picture = b"LIST" + (4 * MB).to_bytes(4, "little") + b"adtl" + bytes(4 * MB - 4)
    data = wav + picture + b"LIST" + len(comment).to_bytes(4, "little") + comment
    data = b"RIFF" + (len(data) - 8).to_bytes(4, "little") + data[8:]
    assert list(tags.comments(data)) == ["hello"]


@pytest.mark.parametrize("channels", [1, 2, 6, 32, 33, 200])
def test_as_many_channels_as_are_mixed_are_heard_and_more_are_a_sentence(channels):
    data = encoded(np.full((8000, channels), 0.25, np.float32), 8000, "WAV")
    if channels <= 32:
        assert sounds.decode_upload(data)[0] == pytest.approx(0.25, abs=1e-4)
        return
    with pytest.raises(BadInput, match=rf"has {channels} channels; at most 32 are allowed\. Save it as mono or stereo"):
        sounds.decode_upload(data)


def test_no_memory_is_a_sentence(monkeypatch):
    def nothing_left(*_):
        raise MemoryError

    monkeypatch.setattr("models.audio.decoding._Mono.take", nothing_left)
    with pytest.raises(BadInput, match="needs more memory to be read than is allowed"):
        sounds.decode_upload(encoded(np.ones(8000, np.float32) / 2, 8000))


@pytest.mark.parametrize(
    ("before", "after"), [(48_000, 16_000), (44_100, 16_000), (11_025, 48_000), (47_999, 16_000), (192_000, 44_100)]
)
def test_sound_brought_to_another_rate_in_blocks_is_that_of_the_whole_bit_for_bit(before, after):
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, 3 * before + 7).astype(np.float32)
    turned = rates.Resampler(before, after)
    found = []
    for block in np.split(samples, np.sort(random.integers(0, len(samples), 30))):
        found += turned.take(block)
    whole = rates.resample(samples, before, after)
    assert np.array_equal(np.concatenate([*found, turned.end()]), whole)


def test_a_strange_rate_has_a_filter_that_fits_into_memory():
    up, down = rates.ratio(383_999, 44_100)
    assert max(up, down) <= rates.RATIO_MAX
    assert up / down == pytest.approx(44_100 / 383_999, rel=1e-9)
    assert rates.ratio(44_100, 16_000) == (160, 441)
