"""Tunes on paper and as MIDI: engraved by verovio, written by mido."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

from models.audio import arrangement, tunes
from models.errors import PlaygroundError

log = logging.getLogger(__name__)

TIMEOUT_S = 20.0
_PROGRAMS = {"plucked string": 24, "whistle": 78, "accordion": 21, "organ": 19, "fiddle": 40}  # General MIDI, from 0
_TICKS = 480  # of a quarter


def engrave(abc: str, width: int = 1400) -> str:
    """Return the first page of a score as SVG, black on white, `width` units wide and as high as the music.

    It runs in a process of its own: on malformed notation, which a model may write, the library ends the whole process.
    Raises `PlaygroundError` where the notation cannot be engraved.
    """
    command = [sys.executable, "-m", "models.audio.scores", str(width)]
    root = Path(__file__).resolve().parent.parent.parent
    try:
        done = subprocess.run(
            command, input=abc.encode(), capture_output=True, timeout=TIMEOUT_S, cwd=root, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PlaygroundError("Drawing the score took too long and was stopped. The sound is unaffected.") from error
    svg = done.stdout.decode("utf-8", "replace").replace("<svg ", '<svg style="background: #fff" ', 1)
    if done.returncode != 0 or "<svg" not in svg:
        log.warning("engraving ended with %s: %s", done.returncode, done.stderr.decode("utf-8", "replace")[-500:])
        raise PlaygroundError(
            "This tune cannot be drawn as a score: its notation is incomplete. The sound is unaffected."
        )
    return svg


def _engrave_here(abc: str, width: int) -> str:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({
        "inputFrom": "abc", "pageWidth": width, "pageHeight": 6000, "adjustPageHeight": True, "scale": 50,
        "svgViewBox": True, "header": "none", "footer": "none", "breaks": "auto", "pageMarginLeft": 40,
        "pageMarginRight": 40, "pageMarginTop": 40, "pageMarginBottom": 40,
    })  # fmt: skip
    return str(toolkit.renderToSVG(1)) if toolkit.loadData(abc) and toolkit.getPageCount() else ""


def midi(
    text: str, tempo: int, instrument: str = "plucked string", chords: bool = False, repeats: bool = True,
    swing: float = 0.5,
) -> bytes:  # fmt: skip
    """Return a tune as a MIDI file: melody, and chords on a track of their own.

    `tempo` is in beats per minute; `swing` is that of `arrangement.melody`, so that it is played as the sound is.
    """
    import mido

    tune = tunes.read(text)
    beat = arrangement.BEATS[tune.metre]  # in eighths
    file = mido.MidiFile(ticks_per_beat=_TICKS)
    top, bottom = tune.metre.split("/")
    head = mido.MidiTrack([
        mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo / float(beat) * 2)),  # microseconds of a quarter
        mido.MetaMessage("time_signature", numerator=int(top), denominator=int(bottom)),
        mido.MetaMessage("track_name", name="tune"),
        mido.Message("program_change", program=_PROGRAMS.get(instrument, 0)),
    ])  # fmt: skip
    eighth = 60 / (tempo * float(beat))  # seconds
    head.extend(_messages(arrangement.melody(tune, tempo, swing, repeats), eighth, 0))
    file.tracks.append(head)
    if chords:
        track = mido.MidiTrack([mido.Message("program_change", channel=1, program=24)])
        track.extend(_messages(arrangement.chords(tune, tempo, repeats), eighth, 1))
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _messages(notes: list[Any], eighth_s: float, channel: int) -> list[Any]:
    import mido

    events = []
    for note in notes:
        loud = max(1, min(127, round(100 * note.loudness)))
        first = round(note.start_s / eighth_s * _TICKS / 2)
        last = max(first + 1, round((note.start_s + note.length_s) / eighth_s * _TICKS / 2))
        events += [(first, 1, note.pitch, loud), (last, 0, note.pitch, 0)]
    events.sort()
    found, now = [], 0
    for at, on, pitch, loud in events:
        kind = "note_on" if on else "note_off"
        found.append(mido.Message(kind, channel=channel, note=pitch, velocity=loud, time=at - now))
        now = at
    return found


if __name__ == "__main__":
    sys.stdout.write(_engrave_here(sys.stdin.buffer.read().decode("utf-8", "replace"), int(sys.argv[1])))
