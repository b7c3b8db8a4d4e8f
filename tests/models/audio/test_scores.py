"""Tunes on paper and as MIDI, read back by other libraries."""

import io
from xml.etree import ElementTree

import mido
import pytest

from models.audio import arrangement, scores, tunes

TUNE = "M:6/8 K:Dmaj R:jig |: d | f2 d A B c | d2 e f2 d | e f g [1 a g :| [2 a3 ||"


def test_a_score_is_svg_with_every_note():
    svg = scores.engrave(tunes.to_abc(TUNE, "A jig"))
    root = ElementTree.fromstring(svg)
    notes = [one for one in root.iter() if "note" in one.get("class", "").split()]
    assert len(notes) == sum(bool(tunes.NOTE.match(word)) for word in TUNE.split())


@pytest.mark.parametrize("abc", ["", "no notation"])
def test_what_cannot_be_engraved_is_said(abc):
    with pytest.raises(scores.PlaygroundError, match="cannot be drawn as a score"):
        scores.engrave(abc)


def test_midi_has_the_notes_in_time():
    data = scores.midi(TUNE, 120, "fiddle", chords=True)
    file = mido.MidiFile(file=io.BytesIO(data))
    assert len(file.tracks) == 2
    played = [note for note in tunes.play(tunes.read(TUNE)) if note.pitch is not None]
    on = [one for one in file.tracks[0] if one.type == "note_on"]
    assert [one.note for one in on] == [note.pitch for note in played]
    assert next(one for one in file.tracks[0] if one.type == "program_change").program == 40
    eighths = float(played[-1].start + played[-1].length)
    assert file.length == pytest.approx(eighths / 3 * 0.5, abs=0.1)  # 120 beats of three eighths a minute
    assert [one.type for one in on] != []
    assert len(mido.MidiFile(file=io.BytesIO(scores.midi(TUNE, 120))).tracks) == 1


HORNPIPE = "M:4/4 K:Gmaj R:hornpipe | G A B c d e f g | g f e d c B A G |"


@pytest.mark.parametrize("swing", [0.5, 0.67, 0.75])
def test_midi_swings_as_the_sound_does(swing):
    file = mido.MidiFile(file=io.BytesIO(scores.midi(HORNPIPE, 120, swing=swing)))
    now, begun = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            begun.append(now)
    heard = [note.start_s for note in arrangement.melody(tunes.read(HORNPIPE), 120, swing)]
    assert begun == pytest.approx(heard, abs=0.002)
    assert begun[1] - begun[0] == pytest.approx(swing * 0.5, abs=0.002)
