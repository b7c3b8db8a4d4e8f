"""The synthesiser and what it is given to play: in tune, in time, the same again; each setting is heard."""

import numpy as np
import pytest
from scipy import fft

from models.audio import arrangement, synth, tunes
from models.audio.synth import INSTRUMENTS, RATE, Sound

REEL = tunes.read("M:4/4 K:Gmaj R:reel |: G2 B d g2 f e | d2 B G A2 G2 :| c2 e g f2 d2 | g4 G4 ||")
JIG = tunes.read("M:6/8 K:Edor R:jig |: E | E2 B B A F | G2 F E2 D :|")


def loudness(sound):
    return float(np.sqrt((sound**2).mean()))


def pitch_of(sound, near):
    """Return the frequency (Hz) whose harmonics hold most of the sound, searched within a semitone."""
    mono = sound.mean(1)
    window = mono[int(0.1 * RATE) : int(0.9 * RATE)] * np.hanning(int(0.9 * RATE) - int(0.1 * RATE))
    spectrum = np.abs(np.fft.rfft(window, 1 << 18))
    hertz = near * 2 ** (np.linspace(-1, 1, 401) / 12)
    bins = (np.outer(np.arange(1, 6), hertz) * (1 << 18) / RATE).round().astype(int)
    return hertz[spectrum[bins].sum(0).argmax()]


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("pitch", [55, 69, 83])
def test_every_instrument_is_in_tune(instrument, pitch):
    expected = 440 * 2 ** ((pitch - 69) / 12) * (2 if instrument == "whistle" else 1)  # whistles sound an octave up
    sound = synth.mix([Sound(0, 1, pitch)], instrument, reverb=0)
    assert abs(1200 * np.log2(pitch_of(sound, expected) / expected)) < 12  # cents


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_notes_sound_when_they_should_and_end(instrument):
    sound = synth.mix([Sound(1.0, 0.5, 69)], instrument, reverb=0)
    assert loudness(sound[: int(0.95 * RATE)]) == 0
    assert loudness(sound[RATE : int(1.4 * RATE)]) > 0.02
    assert loudness(sound[int(2.0 * RATE) :]) < 1e-3


def test_the_same_notes_give_the_same_samples_and_a_fixed_peak():
    notes = arrangement.melody(JIG, 112)
    one, again = (synth.mix(notes, "fiddle", reverb=0.4) for _ in range(2))
    assert (one == again).all()
    assert np.abs(one).max() == pytest.approx(0.89, abs=1e-3)
    assert one.shape[1] == 2
    assert synth.mix([]).shape[1] == 2


def test_every_part_of_the_mix_is_heard():
    notes = arrangement.melody(REEL, 200)
    plain = synth.mix(notes, "whistle", reverb=0)

    def differs(**more):
        other = synth.mix(notes, "whistle", **{"reverb": 0, **more})
        return np.abs(other[: len(plain)] - plain).max() > 0.02

    assert differs(chords=arrangement.chords(REEL, 200), chord_level=0.6)
    assert differs(drone=arrangement.drone(REEL), drone_level=0.5)
    assert differs(reverb=0.5)
    assert not differs(chords=arrangement.chords(REEL, 200), chord_level=0.0, drone=(50,), drone_level=0.0)


def test_a_tempo_is_in_beats_a_minute():
    # 4/4: eight eighths are four beats; the reel's eight bars are 32 beats
    for tempo, seconds in ((120, 12.0), (240, 6.0)):
        notes = arrangement.melody(REEL, tempo)
        assert notes[-1].start_s + notes[-1].length_s == pytest.approx(seconds, abs=0.05)
    # 6/8: a beat is three eighths; the upbeat falls before the first bar line
    notes = arrangement.melody(JIG, 60, repeats=False)
    assert notes[1].start_s == pytest.approx(1 / 3)


def test_swing_holds_the_first_of_two_and_keeps_the_beat():
    even, lilt = arrangement.melody(REEL, 120), arrangement.melody(REEL, 120, 2 / 3)
    # G2 B d: the d is the second half of the second beat
    assert even[2].start_s == pytest.approx(0.75)
    assert lilt[2].start_s == pytest.approx(0.5 + 0.5 * 2 / 3)
    beats = [[one.start_s for one in notes if one.start_s % 0.5 == 0] for notes in (even, lilt)]
    assert beats[0] == beats[1]
    assert arrangement.melody(JIG, 120, 0.7) == arrangement.melody(JIG, 120, 0.5)


@pytest.mark.parametrize(
    ("key", "bar", "root"),
    [("Gmaj", "G2 B2 d2 g2", 7), ("Gmaj", "F2 A2 d2 f2", 2), ("Gmaj", "c2 e2 g2 c2", 0), ("Edor", "D2 F2 A2 d2", 2),
     ("Amin", "G2 B2 d2 g2", 7), ("Dmix", "C2 E2 G2 c2", 0)],
)  # fmt: skip
def test_a_bar_gets_the_chord_that_it_spells(key, bar, root):
    tune = tunes.read(f"M:4/4 K:{key} R:any {bar} ||")
    got, triad = arrangement.harmony(tune, tunes.play(tune))
    assert got % 12 == root
    assert triad[0] == got
    assert triad[1] - triad[0] in (3, 4)
    assert triad[2] - triad[0] in (6, 7)


def test_the_drone_is_tonic_and_fifth():
    low, high = arrangement.drone(JIG)
    assert (low % 12, high - low) == (4, 7)


def test_kinds_have_their_tempo():
    tempi = {kind: arrangement.tempo_of(tunes.read(f"M:4/4 K:Gmaj R:{kind} G8 ||")) for kind in ("reel", "air", "any")}
    assert tempi["reel"] > tempi["any"] > tempi["air"]


class _Sizes:
    """A backend of scipy's FFT that notes the sizes asked for, and leaves the work to the next one."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.seen = set()

    def __ua_function__(self, method, args, kwargs):
        self.seen.add(str((method.__name__, kwargs.get("s", args[1] if len(args) > 1 else None))))
        return NotImplemented


def test_the_room_of_sounds_of_any_length_takes_one_size_of_fft():
    sizes = _Sizes()
    chance = np.random.default_rng(0)
    with fft.set_backend(sizes):
        for seconds in (20.0, 20.5, 31.7):
            synth._room(chance.normal(size=(int(seconds * 16000), 2)).astype(np.float32), 16000)
    assert len(sizes.seen) == 2, sizes.seen  # there and back; the library keeps a plan, of the sound's size, for each
