"""What is written here is decoded again by other libraries: sound by FFmpeg, tags by mutagen, notes by music21."""

import io
from fractions import Fraction

import av
import mutagen
import numpy as np
import pytest

from models.audio import scores, sounds, tunes

TUNES = (
    "M:6/8 K:Dmaj R:jig |: d | f2 d A B c | d2 e f2 d | e f g a g f | e3 d2 :|",
    "M:4/4 K:Gmaj R:hornpipe | G A B c d e f g | g f e d c B A G | B d g d B d g d | G8 |",
)


def music(seconds, channels, rate):
    """Return sound whose channels differ: two voices that rise and fall."""
    time = np.arange(int(seconds * rate)) / rate
    voices = [0.5 * np.sin(2 * np.pi * hertz * time + 2 * np.sin(3 * time)) for hertz in (440.0, 660.0)]
    sound = np.stack(voices[:channels], 1).astype(np.float32)
    return sound[:, 0] if channels == 1 else sound


def decoded(data):
    """Return frames × channels, float32, and the rate, by FFmpeg."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        blocks = []
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        for frame in container.decode(stream):
            blocks += [part.to_ndarray() for part in resampler.resample(frame)]
        return np.concatenate(blocks, 1).T, stream.rate


def likeness(a, b):
    """Return the correlation of two sounds where they lie best on one another, within 2,000 frames."""
    count = min(len(a), len(b))
    size = 1 << (2 * count).bit_length()
    cross = np.fft.irfft(np.fft.rfft(a[:count], size) * np.fft.rfft(b[:count], size).conj(), size)
    near = np.concatenate([cross[:2000], cross[-2000:]])
    return near.max() / np.sqrt((a[:count] ** 2).sum() * (b[:count] ** 2).sum())


@pytest.mark.parametrize("seconds", [0.3, 12.0])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_every_encoding_holds_the_sound(kind, channels, seconds):
    rate = 32_000
    sound = music(seconds, channels, rate)
    found, own = decoded(sounds.encode(sound, rate, kind, "settings é"))
    wanted = sound.reshape(-1, channels)
    assert own == rate
    assert found.shape[1] == channels
    if kind in ("WAV", "FLAC"):
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1 / 32_000
        return
    assert len(found) == pytest.approx(len(wanted), abs=4000)
    for channel in range(channels):
        assert likeness(found[:, channel], wanted[:, channel]) > 0.99
    if channels == 2:
        assert abs(likeness(found[:, 0], wanted[:, 1])) < 0.5  # left is left


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_the_tags_are_read_by_others(kind):
    stamp = {"request": {"model": "audio/x", "inputs": {"prompt": "né"}, "params": {}, "seed": 1}}
    comment = sounds.comment_of(stamp, 0)
    data = sounds.encode(music(1.0, 2, 32_000), 32_000, kind, comment)
    assert sounds.read_settings(data).inputs == {"prompt": "né"}
    if kind == "WAV":
        with av.open(io.BytesIO(data)) as container:
            said = container.metadata["comment"]
    else:
        tags = mutagen.File(io.BytesIO(data)).tags
        said = str(tags.getall("COMM")[0].text[0] if kind == "MP3" else tags["comment"][0])
    assert said == (comment if kind != "MP3" else comment.replace("é", "\\u00e9"))


def notes_of(score):
    """Return (start, length, pitch) in eighths of each note that music21 read."""
    return [
        (Fraction(note.offset * 2), Fraction(note.duration.quarterLength * 2), note.pitch.midi)
        for note in score.flatten().notes
    ]


@pytest.mark.parametrize("text", TUNES)
def test_abc_has_the_same_notes_for_another_reader(text):
    from music21 import converter

    read = converter.parse(tunes.to_abc(text, "A tune"), format="abc")
    wanted = [(note.length, note.pitch) for note in tunes.play(tunes.read(text), repeats=False)]
    assert [(length, pitch) for _, length, pitch in notes_of(read)] == wanted


@pytest.mark.parametrize("text", TUNES)
def test_midi_has_the_same_notes_for_another_reader(text):
    from music21 import converter

    read = converter.parse(scores.midi(text, 120, repeats=False), format="midi")
    wanted = [note.pitch for note in tunes.play(tunes.read(text), repeats=False)]
    assert [pitch for _, _, pitch in notes_of(read)] == wanted
