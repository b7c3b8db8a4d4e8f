"""Sound files: settings inside, the same bytes again; uploads that are refused, each with its reason."""

import io
import itertools

import numpy as np
import pytest
import soundfile

from models.audio import decoding, sounds, uploads
from models.blobs import Blobs
from models.errors import BadInput
from models.family import Context

RATE = 16_000


def tone(seconds=0.5, rate=RATE, hertz=440.0):
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def file(samples, rate=RATE, kind="WAV", **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


def test_a_result_holds_its_stamp_and_is_the_same_again():
    stamp = {"request": {"inputs": {"prompt": "é “quoted” " * 800}}, "model": "audio/x"}
    one, again = (sounds.sound_output(tone(), RATE, stamp, 2, "said") for _ in range(2))
    assert one.data == again.data
    assert one.meta == {"sample_rate": RATE, "seconds": 0.5, "channels": 1}
    assert sounds.read_comment(one.data) == sounds.comment_of(stamp, 2)
    assert len(sounds.read_comment(one.data)) > 8000  # beyond what the library itself reads back
    other = sounds.sound_output(tone(), RATE, {**stamp, "model": "audio/y"}, 2)
    assert other.sha256 != one.sha256


def test_loud_samples_are_clipped_and_not_wrapped():
    samples, _ = sounds.read_wav(sounds.encode(np.array([2.0, -2.0, 0.5], np.float32), RATE))
    assert samples[:, 0] == pytest.approx([1.0, -1.0, 0.5], abs=1e-4)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xffINFO", b"text", b"fLaC\0\0"])
def test_a_file_without_a_comment_has_none(data):
    assert sounds.read_comment(data) == ""


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_uploads_of_any_kind_rate_and_channels_become_one_voice(kind):
    rate = 44_100
    left, right = tone(1.0, rate), tone(1.0, rate, 700.0) / 2
    samples, own = sounds.decode_upload(file(np.stack([left, right], 1), rate, kind), 8000)
    assert own == 8000
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - 8000) < 500
    spectrum = np.abs(np.fft.rfft(samples[1000:7000]))
    assert abs(spectrum.argmax() * 8000 / 6000 - 440) < 3
    low, high = (spectrum[round(hertz * 6000 / 8000)] / len(samples[1000:7000]) * 2 for hertz in (440, 700))
    assert (low, high) == pytest.approx((0.2, 0.1), abs=0.02)  # half of each channel's 0.4 and 0.2


def test_what_a_lower_rate_cannot_hold_is_filtered_out():
    loud = sounds.decode_upload(file(tone(1.0, 44_100, 6000.0), 44_100), 8000)[0]
    assert np.sqrt((loud[500:-500] ** 2).mean()) < 0.01


def long_flac():
    """Three hours of silence in a small file."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, subtype="PCM_16", format="FLAC") as out:
        block = np.zeros(8000 * 60, np.int16)
        for _ in range(180):
            out.write(block)
    return buffer.getvalue()


BAD = {
    "empty": (lambda: b"", ["0 bytes"]),
    "text": (lambda: b"this is no sound at all, it is text", ["not a sound file", "WAV"]),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(200), ["not a sound file"]),
    "too large": (lambda: bytes(sounds.UPLOAD_MAX_BYTES + 1), ["is 50 MB", "at most 50 MB"]),
    "three hours": (long_flac, ["180 minutes", "at most 10"]),
    "no samples": (lambda: file(np.zeros(0, np.float32)), ["0 samples"]),
    "too short": (lambda: file(tone(0.01)), ["less than 0.05"]),
    "silent": (lambda: file(np.zeros(RATE, np.float32)), ["silent"]),
    "strange rate": (lambda: file(tone(), 500), ["500 samples per second"]),
    "cut off flac": (lambda: file(tone(5.0), kind="FLAC")[:60], ["not a sound file"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_gets_a_sentence(name):
    make, words = BAD[name]
    with pytest.raises(BadInput) as caught:
        sounds.decode_upload(make())
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.message.endswith(".")


def test_a_length_that_is_exact_is_checked_before_anything_is_decoded(monkeypatch):
    data = long_flac()
    monkeypatch.setattr(decoding, "_by_ffmpeg", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(BadInput, match="minutes"):
        sounds.decode_upload(data)


def refuse(*_, **__):
    raise AssertionError("decoded once more")


@pytest.mark.parametrize("rate", [0, 8000, RATE])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_recording_is_decoded_once_and_stays_the_same_to_the_sample(tmp_path, monkeypatch, kind, rate):
    blobs = Blobs(tmp_path)
    data = file(np.stack([1.5 * tone(1.0, 44_100), tone(1.0, 44_100, 700.0)], 1), 44_100, kind)
    ref = blobs.put_bytes(data)
    context = Context(open_ref=blobs.get_bytes, open_beside=blobs.get_beside)
    from_cli, own = sounds.open_recording(context, ref, rate)
    uploads.check(tmp_path, data, "recording")
    blobs.keep_beside(ref, sounds.DECODED, tmp_path / sounds.DECODED)
    monkeypatch.setattr(sounds, "decode_upload", refuse)
    again, same = sounds.open_recording(context, ref, rate)
    assert own == same == (rate or 44_100)
    assert again.dtype == from_cli.dtype == np.float32
    assert np.array_equal(again, from_cli)
    assert blobs.get_bytes(ref) == data  # the player and the settings inside


def test_values_that_are_no_numbers_do_no_harm():
    samples = tone()
    samples[5], samples[6] = np.nan, np.inf
    got, _ = sounds.decode_upload(file(samples, subtype="FLOAT"))
    assert np.isfinite(got).all()


@pytest.mark.parametrize("prompt", ["4 0 7", "é", "Größe “漢字” 😀 " * 40, "long " * 15_000, "漢字 " * 5000])
def test_settings_of_any_length_and_letters_are_read_back_from_every_kind_of_file(prompt):
    request = {"model": "audio/x", "inputs": {"prompt": prompt}, "params": {"speaker": "theo"}, "seed": 5}
    output = sounds.sound_output(tone(), RATE, {"request": request})
    comment = sounds.read_comment(output.data)
    for data in (output.data, *(sounds.encode(tone(), RATE, kind, comment) for kind in ("FLAC", "MP3", "OGG"))):
        found = sounds.read_settings(data)
        assert (found.model, found.inputs, found.params, found.seed) == tuple(request.values())


def test_a_foreign_or_damaged_file_gives_no_settings():
    assert sounds.read_settings(sounds.encode(tone(), RATE)) is None
    assert sounds.read_settings(sounds.encode(tone(), RATE, comment="by me")) is None
    with pytest.raises(BadInput, match="not a sound file"):
        sounds.read_settings(b"nothing of the kind")
    with pytest.raises(BadInput, match="damaged"):
        sounds.read_settings(sounds.encode(tone(), RATE, comment='{"index":0,"stamp":{}}'))


def test_peaks_enclose_the_wave():
    samples = tone(1.0)
    found = sounds.peaks(samples, 100)
    assert len(found) == 100
    assert min(low for low, _ in found) == pytest.approx(samples.min(), abs=1e-3)
    assert max(high for _, high in found) == pytest.approx(samples.max(), abs=1e-3)
    assert sounds.peaks(np.zeros(0, np.float32)) == []
    assert len(sounds.peaks(np.ones((3, 2), np.float32), 100)) == 3


def test_a_long_recording_is_cut_in_its_pauses():
    samples = np.concatenate([tone(22.0), np.zeros(RATE // 2, np.float32), tone(40.0), tone(3.0)])
    parts = sounds.pieces(samples, RATE)
    assert parts[0][0] == 0 and parts[-1][1] == len(samples)
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(parts))
    assert all((end - start) / RATE <= 30 for start, end in parts)
    assert 22.0 <= parts[0][1] / RATE <= 22.5
    assert sounds.pieces(tone(5.0), RATE) == [(0, 5 * RATE)]


@pytest.mark.parametrize("value", [1e30, -1e30, 3e38, 1e10, np.nan, np.inf])
def test_samples_that_are_no_loudness_are_a_sentence(value):
    with pytest.raises(BadInput, match="not a number, or far beyond full scale"):
        sounds.decode_upload(file(np.full(RATE, value, np.float32), subtype="FLOAT"))
    samples = tone()
    samples[5] = value  # one of them is not heard
    got, _ = sounds.decode_upload(file(samples, subtype="FLOAT"))
    assert np.abs(got).max() <= 1


def test_whole_numbers_kept_as_floats_are_heard():
    got, _ = sounds.decode_upload(file(32_000 * tone(), subtype="FLOAT"))
    assert np.abs(got).max() > 1000


def test_of_channels_that_cancel_one_another_the_loudest_is_heard_and_else_their_mean():
    one = tone(1.0)
    got, _ = sounds.decode_upload(file(np.stack([0.5 * one, -0.5 * one, 0.1 * tone(1.0, hertz=900.0)], 1)))
    assert np.abs(got).max() == pytest.approx(0.4 * 0.1 / 3, abs=2e-3)  # the mean: the third channel is left
    got, _ = sounds.decode_upload(file(np.stack([0.5 * one, -one], 1)))
    assert np.allclose(got, -one / 4, atol=1e-3)  # half as loud as the second is no cancelling
    got, _ = sounds.decode_upload(file(np.stack([0.98 * one, -one], 1)))
    assert np.allclose(got, -one, atol=1e-3)
