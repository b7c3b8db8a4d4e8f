"""From a written tune to what is played: tempo, swing, accents, chords and a drone. Pure values."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from models.audio import tunes
from models.audio.synth import Sound
from models.audio.tunes import Note, Tune

# how long a beat is, in eighths, and the tempo (beats per minute) that is usual for a kind
BEATS = {
    "4/4": Fraction(2),
    "2/2": Fraction(4),
    "2/4": Fraction(2),
    "3/4": Fraction(2),
    "6/8": Fraction(3),
    "9/8": Fraction(3),
}
_TEMPI = {"reel": 100, "jig": 112, "slip jig": 108, "hornpipe": 80, "strathspey": 60, "polka": 124, "waltz": 126,
          "march": 84, "air": 60}  # fmt: skip
_PLAIN_TEMPI = {"4/4": 120, "2/2": 92, "2/4": 96, "3/4": 116, "6/8": 108, "9/8": 108}
# triads on the steps of the scale that a player would take, by mode, most usual first
_CHORDS = {"maj": (0, 4, 3, 5, 1), "min": (0, 6, 5, 3, 2), "dor": (0, 6, 3, 2), "mix": (0, 6, 3, 4)}
_SCALES = {"maj": (0, 2, 4, 5, 7, 9, 11), "min": (0, 2, 3, 5, 7, 8, 10), "dor": (0, 2, 3, 5, 7, 9, 10),
           "mix": (0, 2, 4, 5, 7, 9, 10)}  # fmt: skip


def tempo_of(tune: Tune) -> int:
    """Return the beats per minute that suit a tune's kind."""
    usual = _TEMPI.get(tune.rhythm, _PLAIN_TEMPI[tune.metre])
    if tune.rhythm == "reel" and BEATS[tune.metre] == 2:
        return 2 * usual  # four beats are counted where two are felt
    return usual


def melody(tune: Tune, tempo: float, swing: float = 0.5, repeats: bool = True) -> list[Sound]:
    """Return the notes as played at `tempo` beats per minute.

    `swing` 0.5 … 0.75 is the share of a pair of eighths that the first one takes; metres of three eighths have none.
    """
    second = 60 / (tempo * float(BEATS[tune.metre]))  # of an eighth
    beat = BEATS[tune.metre]
    pairs = beat != 3
    upbeat = next((bar.length for bar in tunes.bars_of(tune)), Fraction(0)) % tune.bar_length
    shift = -upbeat % tune.bar_length  # so that a bar line lies on a whole number of bars
    found = []
    for note in tunes.play(tune, repeats):
        if note.pitch is None:
            continue
        places = (note.start + shift, note.start + note.length + shift)
        start, end = (_swung(at, swing) - float(shift) if pairs else float(at - shift) for at in places)
        loudness = 0.82 + 0.18 * (places[0] % beat == 0)
        # a short gap, so that two equal notes are heard as two
        found.append(Sound(start * second, max(0.03, (end - start) * second - 0.012), note.pitch, loudness))
    return found


def _swung(at: Fraction, swing: float) -> float:
    pair, rest = divmod(at, 2)
    place = float(rest)
    return 2 * float(pair) + (place * 2 * swing if place <= 1 else 2 * swing + (place - 1) * 2 * (1 - swing))


def chords(tune: Tune, tempo: float, repeats: bool = True) -> list[Sound]:
    """Return an accompaniment: for each bar the usual triad that its notes fit best, bass and chord in turn."""
    second = 60 / (tempo * float(BEATS[tune.metre]))
    beat = BEATS[tune.metre]
    found: list[Sound] = []
    for start, length, notes in _bars(tune, repeats):
        root, triad = harmony(tune, notes)
        for number in range(int(length / beat)):
            at = float(start + number * beat) * second
            held = float(beat) * second * 0.9
            if number == 0:
                found.append(Sound(at, held, 38 + (root - 38) % 12, 0.9))
            else:
                found += [Sound(at + 0.012 * turn, held * 0.7, 50 + (pitch - 50) % 12, 0.5)
                          for turn, pitch in enumerate(triad)]  # fmt: skip
    return found


def harmony(tune: Tune, notes: list[Note]) -> tuple[int, tuple[int, int, int]]:
    """Return the root and the three pitches of the chord that fits these notes best."""
    tonic = tonic_of(tune)
    scale = _SCALES[tune.key[-3:]]
    best: tuple[float, int, tuple[int, int, int]] = (-1.0, tonic, (tonic, tonic + 4, tonic + 7))
    for place, step in enumerate(_CHORDS[tune.key[-3:]]):
        triad = tuple(tonic + scale[(step + third) % 7] + 12 * ((step + third) // 7) for third in (0, 2, 4))
        inside = {pitch % 12 for pitch in triad}
        fit = sum(float(one.length) * (1.2 if one.start % 2 == 0 else 1.0) for one in notes
                  if one.pitch is not None and one.pitch % 12 in inside)  # fmt: skip
        fit -= 0.35 * place
        if fit > best[0]:
            best = (fit, triad[0], triad)  # type: ignore[assignment]
    return best[1], best[2]


def drone(tune: Tune) -> tuple[int, int]:
    """Return the pitches of a drone: the tonic, low, and its fifth."""
    low = 45 + (tonic_of(tune) - 45) % 12
    return low, low + 7


def tonic_of(tune: Tune) -> int:
    """Return the MIDI pitch of the key's tonic, from middle C up."""
    name = tune.key[:-3]
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    return 60 + (steps[name[0]] + name.count("#") - name.count("b")) % 12


def _bars(tune: Tune, repeats: bool) -> Iterator[tuple[Fraction, Fraction, list[Note]]]:
    """Yield each bar as it is played: start, length, and its notes."""
    start = Fraction(0)
    for bar in tunes.played(tune, repeats):
        yield start, bar.length, bar.notes
        start += bar.length
