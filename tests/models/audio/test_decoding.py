"""Recordings of every kind are heard to their end, whatever their header says; what cannot be heard is a sentence."""

import io

import av
import numpy as np
import pytest
import soundfile

from models.audio import decoding, sounds
from models.errors import BadInput

RATE = 16_000


def tone(seconds=2.0, rate=RATE, hertz=440.0):
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def file(samples, rate=RATE, kind="WAV", **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


def written(samples, rate, container, codec, **options):
    """Return mono sound as FFmpeg writes it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        if codec == "libmp3lame":
            stream.codec_context.options = {"compression_level": "5"}
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.codec_context.format.name, "mono", rate, stream.codec_context.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def top(samples, rate):
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    return np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * rate / len(middle)


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp4", "aac", 44_100), ("ipod", "aac", 44_100), ("adts", "aac", 44_100), ("webm", "libopus", 48_000),
     ("ogg", "libopus", 48_000)],
)  # fmt: skip
def test_what_phones_and_browsers_record_is_heard(container, codec, rate):
    samples, own = sounds.decode_upload(written(tone(2.0, rate), rate, container, codec))
    assert own == rate
    assert len(samples) / rate == pytest.approx(2.0, abs=0.1)
    assert top(samples, rate) == pytest.approx(440, abs=2)


def test_an_mp3_whose_header_tells_no_length_is_heard_to_its_end():
    quiet = np.concatenate([tone(4.0, 44_100) * 1e-3, tone(8.0, 44_100, 880.0)])
    noise = np.random.default_rng(0).normal(0, 0.2, 8 * 44_100).astype(np.float32)
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", 44_100, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.9
    ) as out:
        out.write(np.concatenate([noise, quiet]))
    data = buffer.getvalue()
    at = data.index(b"Xing")
    bare = data[: at + 0] + b"\0\0\0\0" + data[at + 4 :]
    assert soundfile.info(io.BytesIO(bare)).duration < 19  # what the library takes it for
    samples, rate = sounds.decode_upload(bare)
    assert len(samples) / rate == pytest.approx(20.0, abs=0.2)
    assert top(samples[-4 * rate :], rate) == pytest.approx(880, abs=2)


def test_files_joined_into_one_are_heard_whole():
    one, two = (file(tone(3.0, 44_100, hertz), 44_100, "MP3") for hertz in (440.0, 880.0))
    samples, rate = sounds.decode_upload(one + two)
    assert len(samples) / rate == pytest.approx(6.0, abs=0.2)
    assert top(samples[: 2 * rate], rate) == pytest.approx(440, abs=2)
    assert top(samples[4 * rate :], rate) == pytest.approx(880, abs=2)


def test_a_part_at_another_rate_keeps_its_pitch_and_length():
    one, two = file(tone(2.0, 44_100), 44_100, "MP3"), file(tone(2.0, 32_000), 32_000, "MP3")
    samples, rate = sounds.decode_upload(one + two)
    assert rate == 44_100
    assert len(samples) / rate == pytest.approx(4.0, abs=0.2)
    assert top(samples[3 * rate :], rate) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "GSM610"), ("W64", "GSM610"), ("AIFF", "GSM610"), ("AU", "G721_32"), ("AU", "G723_24"), ("AU", "G723_40"),
     ("WAV", "G721_32"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "ULAW"), ("WAV", "PCM_24"),
     ("WAV", "PCM_U8"), ("WAV", "DOUBLE"), ("CAF", "ALAC_16"), ("VOC", "PCM_16"), ("RF64", "PCM_16"),
     ("SDS", "PCM_16"), ("XI", "DPCM_16")],
)  # fmt: skip
def test_every_coding_is_heard(kind, subtype):
    """Some of these libsndfile cannot seek in, some FFmpeg does not know."""
    data = file(tone(2.0, 8000), 8000, kind, subtype=subtype)
    samples, rate = sounds.decode_upload(data)
    assert len(samples) / rate == pytest.approx(16_000 / rate, rel=0.05)
    assert top(samples, rate) == pytest.approx(440 * rate / 8000, rel=0.02)


@pytest.mark.parametrize(("kind", "subtype"), [("AIFF", "DWVW_16"), ("WAV", "NMS_ADPCM_32"), ("PAF", "PCM_16")])
def test_a_rare_coding_is_heard_or_refused_in_a_sentence(kind, subtype):
    try:
        samples, rate = sounds.decode_upload(file(tone(2.0, 8000), 8000, kind, subtype=subtype))
    except BadInput as error:
        heard = error.message.endswith(".")
    else:
        heard = abs(top(samples, rate) - 440) < 5
    assert heard


def sized(data, size):
    """Return a WAV file whose RIFF and data chunks say `size` bytes."""
    at = data.index(b"data") + 4
    number = size.to_bytes(4, "little")
    return data[:4] + number + data[8:at] + number + data[at + 4 :]


@pytest.mark.parametrize("size", [0, 1000, 1001, 20_001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_of_a_recorder_that_was_killed_is_read_to_its_end(size):
    samples, _ = sounds.decode_upload(sized(file(tone()), size))
    assert len(samples) == pytest.approx(2 * RATE, abs=1)
    assert samples[1000:1100] == pytest.approx(tone()[1000:1100], abs=1e-4)


def test_chunks_behind_the_sound_are_not_heard():
    comment = sounds.encode(tone(), RATE, "WAV", "x" * 40_000)
    assert len(sounds.decode_upload(comment)[0]) == 2 * RATE


def endless_flac(samples):
    """Return a FLAC file whose header leaves the length open, as a live encoder writes it."""
    data = bytearray(file(samples, kind="FLAC"))
    data[21] &= 0xF0  # the lowest 36 bits of STREAMINFO's numbers
    data[22:26] = bytes(4)
    return bytes(data)


def test_a_flac_of_unknown_length_is_heard():
    assert len(sounds.decode_upload(endless_flac(tone()))[0]) == 2 * RATE


@pytest.mark.parametrize("make", [endless_flac, lambda samples: sized(file(samples), 0)])
def test_the_limit_of_length_is_checked_while_reading(monkeypatch, make):
    monkeypatch.setattr(sounds, "UPLOAD_MAX_S", 60.0)
    with pytest.raises(BadInput, match=r"longer than 60 s; at most 60 s are allowed"):
        sounds.decode_upload(make(tone(61.0)))
    assert len(sounds.decode_upload(make(tone(59.0)))[0]) == 59 * RATE


@pytest.mark.parametrize("share", [-1.0, -0.99, -1.01])
def test_where_channels_cancel_one_is_heard(share):
    left = tone()
    samples, _ = sounds.decode_upload(file(np.stack([left, share * left], 1), subtype="FLOAT"))
    assert np.abs(samples).max() == pytest.approx(0.4, abs=0.01)
    assert top(samples, RATE) == pytest.approx(440, abs=2)


def test_channels_that_do_not_cancel_are_averaged():
    both = np.stack([tone(), tone(hertz=700.0)], 1)
    samples, _ = sounds.decode_upload(file(both, subtype="FLOAT"))
    assert np.array_equal(samples, both.mean(1))


def test_a_recording_that_breaks_off_is_heard_as_far_as_it_goes():
    data = file(tone(10.0), kind="FLAC")
    samples, _ = sounds.decode_upload(data[: len(data) // 2])
    assert 3 * RATE < len(samples) < 7 * RATE


def test_many_channels_at_a_high_rate_take_the_memory_of_one():
    """The buffer that grows holds one voice; eight channels of it would be eight times as much."""
    voices = np.stack([tone(3.0, 192_000)] * 8, 1)
    samples, rate = decoding.decode(
        file(voices, 192_000, "FLAC"),
        decoding.Limits(600.0, sounds.RATE_MIN, sounds.RATE_MAX, sounds.UPLOAD_MAX_SAMPLES),
    )
    assert rate == 192_000
    assert samples.shape == (3 * 192_000,)
    assert samples.base is None


PLAYLIST = b"""#EXTM3U
#EXT-X-TARGETDURATION:10
#EXTINF:10,
file:///etc/passwd
#EXT-X-ENDLIST
"""


@pytest.mark.parametrize(
    "data", [PLAYLIST, b"ffconcat version 1.0\nfile '/etc/passwd'\n", b"\x89PNG\r\n\x1a\n" + bytes(200),
             b"GIF89a" + bytes(99)]
)  # fmt: skip
def test_what_names_other_files_is_no_recording(data):
    with pytest.raises(BadInput, match="not a sound file"):
        sounds.decode_upload(data)


def test_a_film_without_sound_is_no_recording():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    with pytest.raises(BadInput, match="not a sound file"):
        sounds.decode_upload(buffer.getvalue())


@pytest.mark.parametrize("kind", ["FLAC", "WAV"])
def test_a_rate_beyond_those_of_sound_cards_has_fewer_seconds(kind, monkeypatch):
    monkeypatch.setattr(sounds, "UPLOAD_MAX_SAMPLES", 480_000)
    with pytest.raises(BadInput, match=r"at most 5 s are allowed at its sampling rate\. Shorten it, or save it at"):
        sounds.decode_upload(file(np.zeros(6 * 96_000, np.float32) + 0.1, 96_000, kind))
    assert len(sounds.decode_upload(file(tone(6.0, 48_000), 48_000, kind))[0]) == 6 * 48_000
