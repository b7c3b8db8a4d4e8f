"""Tunes as words: read, counted, played, written as ABC."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio import tunes

JIG = "M:6/8 K:Dmaj R:jig |: d | f2 d A B c | d2 e f2 d | e f g [1 a g :| [2 a3 || (3 d e f ^g3- g | g6 ||"


def pitches(text):
    return [note.pitch for note in tunes.play(tunes.read(text))]


def test_a_whole_tune_is_well_formed():
    tune = tunes.read("M:6/8 K:Dmaj R:slip_jig |: A2 B c2 d | e6 :| d6 ||")
    assert tune.problems == []
    assert (tune.metre, tune.key, tune.rhythm) == ("6/8", "Dmaj", "slip jig")
    assert [section.repeated for section in tune.sections] == [True, False]


@pytest.mark.parametrize(
    ("key", "letters", "expected"),
    [("Cmaj", "C D E F G A B c", [60, 62, 64, 65, 67, 69, 71, 72]), ("Dmaj", "F C c", [66, 61, 73]),
     ("Bbmaj", "B E", [70, 63]), ("Emin", "F", [66]), ("Ddor", "F B", [65, 71]),
     ("Amix", "G c", [67, 73]), ("Cmaj", "C, c' B,", [48, 84, 59])],
)  # fmt: skip
def test_a_key_raises_and_lowers_its_letters(key, letters, expected):
    assert pitches(f"M:4/4 K:{key} R:any {letters} ||") == expected


def test_a_sign_holds_for_its_octave_until_the_bar_line():
    assert pitches("M:4/4 K:Cmaj R:any ^c c C =c c | c _B ||") == [73, 73, 60, 72, 72, 72, 70]


def test_a_tie_joins_and_carries_its_sign_over_the_bar_line():
    notes = tunes.play(tunes.read("M:4/4 K:Cmaj R:any d4 ^f4- | f2 f2 ||"))
    assert [(note.pitch, note.length) for note in notes] == [(74, 4), (78, 6), (77, 2)]


def test_a_triplet_is_three_in_the_time_of_two():
    notes = tunes.play(tunes.read("M:2/4 K:Cmaj R:any (3 c d e f2 ||"))
    assert [note.length for note in notes] == [Fraction(2, 3)] * 3 + [2]
    assert notes[-1].start == 2


def test_repeats_and_endings_are_played_in_order():
    text = "M:2/4 K:Cmaj R:any |: c4 [1 d4 :| [2 e4 || |: f4 :| g4 ||"
    assert pitches(text) == [72, 74, 72, 76, 77, 77, 79]
    once = [note.pitch for note in tunes.play(tunes.read(text), repeats=False)]
    assert once == [72, 76, 77, 79]


def test_bars_that_do_not_fill_their_metre_are_counted():
    assert tunes.filled(tunes.read("M:6/8 K:Cmaj R:any |: c | d6 | e5 :| f6 | g4 | a6 ||")) == (5, 6)
    # what an upbeat takes, the last bar may lack; what it does not take, not
    assert tunes.filled(tunes.read("M:6/8 K:Cmaj R:any |: c | d6 | e4 :|")) == (2, 3)
    assert tunes.filled(tunes.read("M:4/4 K:Cmaj R:any c8 | d8 | e9 | f8 ||")) == (3, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [("K:Dmaj R:jig d6 ||", "M:"), ("M:7/8 K:Dmaj R:jig d6 ||", "M:"), ("M:6/8 K:Hmaj R:jig d6 ||", "K:"),
     ("M:6/8 K:Dmaj R:jig |: d6", "no end"), ("M:6/8 K:Dmaj R:jig d6 :|", "ends without having begun"),
     ("M:6/8 K:Dmaj R:jig |: d6 ||", "no end"), ("M:6/8 K:Dmaj R:jig d6 [2 e6 ||", "wrong place"),
     ("M:6/8 K:Dmaj R:jig d6 ?? ||", "no meaning"), ("M:6/8 K:Dmaj R:jig (3 d e | f6 ||", "triplet"),
     ("M:6/8 K:Dmaj R:jig d6 |: e6 :|", "before")],
)  # fmt: skip
def test_what_is_not_well_formed_is_named(text, said):
    assert any(said in problem for problem in tunes.read(text).problems), tunes.read(text).problems


words = st.sampled_from([*tunes.BARS, "(3", "d", "^c2", "z", "B,/2", "M:6/8", "K:Dmaj", "R:jig", "e3/2", "f-", "??"])


@given(st.lists(words, max_size=60))
def test_anything_is_read_without_an_error(row):
    tune = tunes.read(" ".join(row))
    good, total = tunes.filled(tune)
    assert 0 <= good <= total
    notes = tunes.play(tune)
    assert all(note.length > 0 for note in notes)
    assert all(a.start + a.length <= b.start for a, b in itertools.pairwise(notes))


@pytest.mark.parametrize("length", [Fraction(1), Fraction(3), Fraction(1, 2), Fraction(3, 2), Fraction(1, 4)])
def test_lengths_are_written_as_they_are_read(length):
    assert tunes.length_of(f"d{tunes.length_text(length)}") == length


def test_abc_has_four_bars_to_a_line_and_a_head():
    text = "M:6/8 K:Dmaj R:slip_jig " + "d6 | " * 6 + "d6 ||"
    lines = tunes.to_abc(text, "A title\nof two lines", tempo=112).splitlines()
    assert lines[:7] == ["X:1", "T:A title of two lines", "R:slip jig", "M:6/8", "L:1/8", "Q:3/8=112", "K:Dmaj"]
    assert [line.count("d6") for line in lines[7:]] == [4, 3]


@pytest.mark.parametrize(
    ("metre", "bar", "joined"),
    [("6/8", "d e f g2 a", "def g2a"), ("4/4", "d e f g a b c' d'", "defg abc'd'"), ("3/4", "d e f g a b", "de fg ab"),
     ("4/4", "(3 d e f g2 a4", "(3defg2 a4"), ("2/4", "d3/2 e/2 f2", "d3/2e/2 f2")],
)  # fmt: skip
def test_notes_of_a_beat_are_beamed(metre, bar, joined):
    assert tunes.to_abc(f"M:{metre} K:Cmaj R:any {bar} ||", "x").splitlines()[-1] == f"{joined} ||"


@pytest.mark.parametrize(
    "word", ["c0", "c/0", "c/", f"c{'9' * 5000}", f"z1/{'9' * 400}", "c1001", "c" + "'" * 9, "z/0"]
)
def test_a_note_of_no_length_that_there_is_has_no_meaning(word):
    tune = tunes.read(f"M:4/4 K:Cmaj R:any {word} d ||")
    assert [note.pitch for note in tunes.play(tune)] == [74]
    assert any("has no meaning" in problem and len(problem) < 90 for problem in tune.problems)
    assert word in tunes.to_abc(f"M:4/4 K:Cmaj R:any {word} d ||", "x")
