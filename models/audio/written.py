"""A finished sound as other kinds of file: FLAC and MP3 with its settings, a tune's notes as MIDI and ABC."""

from __future__ import annotations

from models.audio import scores, sounds, tunes
from models.types import Output, Request

SOUND_ENDINGS = ("wav", "flac", "mp3", "ogg")
NOTE_ENDINGS = ("mid", "abc")


def write(request: Request, output: Output, ending: str) -> bytes:
    """Return a sound as a file of one of the endings; `output.data` is its WAV, `output.text` a tune's notation."""
    if ending == "mid":
        params = request.params
        return scores.midi(
            output.text, int(output.meta.get("tempo", 120)), str(params.get("instrument", "plucked string")),
            chords=float(str(params.get("chords", 0.5))) > 0, repeats=bool(params.get("repeats", True)),
            swing=float(str(params.get("swing", 0.5))),
        )  # fmt: skip
    if ending == "abc":
        seed = output.meta.get("seed", request.seed)
        return tunes.to_abc(output.text, f"{request.model}, seed {seed}", int(output.meta.get("tempo", 0))).encode()
    if ending == "wav":
        return output.data
    samples, rate = sounds.read_wav(output.data)
    return sounds.encode(samples, rate, ending.upper(), sounds.read_comment(output.data))
