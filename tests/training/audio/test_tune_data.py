"""ABC of the wild read into our words: repeats made explicit, rhythms written out, keys moved."""

import pytest

from models.audio import tunes
from training.audio import tune_data as training_tunes
from training.audio.folk_marks import windows
from training.audio.tune_data import Source, load_tunes, read_tune, transpose

HEAD = "X:1\nT:The Test\nR:jig\nM:6/8\nL:1/8\nK:D\n"
FULL = "d2e f2g|a2g f2e|d2e f2g|a2g f2e|d2e f2g|a2g f2e"


def words(body, head=HEAD):
    return " ".join(read_tune(head + body + "\n").words)


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [(f"{FULL}:|", "|: d2 e", ":|"), (f"|:{FULL}:|", "|: d2 e", ":|"), (f"{FULL}|]", "d2 e", "||"),
     (f"{FULL}||{FULL}|]", "d2 e", "||")],
)  # fmt: skip
def test_every_section_gets_its_bounds(body, start, end):
    found = words(body)
    assert found.startswith(start)
    assert found.endswith(end)
    assert not tunes.read(f"M:6/8 K:Dmaj R:jig {found}").problems


def test_endings_are_kept():
    found = words(f"|:{FULL}|1 d6:|2 e6|]")
    assert "[1 d6 :| [2 e6 ||" in found


def test_a_broken_rhythm_is_written_out_and_units_are_eighths():
    head = "X:1\nT:x\nM:2/4\nL:1/16\nK:G\n"
    found = words("G>ABc d2e2|" * 7 + "G8|]", head)
    assert found.startswith("G3/4 A/4 B/2 c/2 d e |")


def test_ornaments_chords_names_and_slurs_are_left_out():
    found = words(f'"D"~d2{{ef}}e (f2g)|[DFA]2g !trill!f2e|{FULL}|]')
    assert found.startswith("d2 e f2 g | A2 g f2 e |")


@pytest.mark.parametrize(
    ("block", "reason"),
    [("X:1\nM:5/4\nK:D\nd5|", "another metre"), (f"{HEAD}K:G\n{FULL}|]", "changes its key"),
     (f"{HEAD}{FULL}|(5abcde|]", "another tuplet"), (f"X:1\nM:6/8\nL:1/8\nK:Hp\n{FULL}|]", "no key"),
     (f"X:1\nC:copyright me\nM:6/8\nK:D\n{FULL}|]", "claim"), (f"{HEAD}d2e|f2|g|a|b|c|]", "fill"),
     (f"X:1\nV:1\nM:6/8\nK:D\n{FULL}|]", "voices")],
)  # fmt: skip
def test_what_cannot_be_said_is_left_out_with_its_reason(block, reason):
    with pytest.raises(ValueError, match=reason):
        read_tune(block)


@pytest.mark.parametrize("tonic", tunes.TONICS)
def test_another_key_keeps_every_interval(tonic):
    tune = read_tune(HEAD + f"{FULL}|^g2=c _B2A|{FULL}|]\n")
    moved = transpose(tune, tonic)
    before, after = (
        [
            note.pitch
            for note in tunes.play(tunes.read(" ".join([*tunes.header("6/8", one.tonic, "maj", "jig"), *one.words])))
        ]
        for one in (tune, moved)
    )
    assert len({b - a for a, b in zip(before, after, strict=True)}) == 1
    assert windows(tune) == windows(moved)


def test_a_copy_is_known_in_any_key_and_another_tune_is_not():
    tune = read_tune(HEAD + f"{FULL}|{FULL}|]\n")
    other = read_tune(HEAD + f"{FULL.replace('g', 'b')}|{FULL.replace('g', 'b')}|]\n")
    assert windows(tune) & windows(transpose(tune, "Bb"))
    assert not windows(tune) & windows(other)
    assert windows(Source("", "6/8", "D", "maj", "jig", ["d6", "||"])) == set()


def test_two_settings_of_a_tune_fall_on_one_side(tmp_path, monkeypatch):
    monkeypatch.setattr(training_tunes, "COLLECTIONS", ("airdsAirs",))  # a quarter of the real ones, beside toys
    (tmp_path / "tunes").mkdir()
    blocks = []
    for number in range(120):
        letters = "ABcdefga"
        melody = "|".join(f"{letters[(number + at) % 8]}2{letters[(number * 3 + at) % 8]} f2g" for at in range(8))
        for key in ("D", "G"):
            blocks.append(f"X:{len(blocks)}\nT:Tune {number}\nM:6/8\nL:1/8\nK:{key}\n{melody}|]\n")
    (tmp_path / "tunes" / "all.abc").write_text("\n".join(blocks))
    found = load_tunes(tmp_path)
    sides = [{one.title for one in side} for side in (found.train, found.held_out)]
    assert not sides[0] & sides[1]
    assert sides[0]
