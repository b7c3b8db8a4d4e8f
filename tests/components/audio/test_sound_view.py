"""The piano roll of a tune."""

from components.audio import sound_view

TUNE = "M:4/4 K:Cmaj c d e f | g a b c' |"


def test_notes_are_named_along_the_side_the_highest_on_top():
    chart = sound_view.piano_roll(TUNE).to_dict()
    axis = chart["encoding"]["y"]
    names = axis["scale"]["domain"]
    assert names.index("C6") < names.index("C5")
    assert {"C5", "D5", "E5"} <= set(axis["axis"]["values"])
    assert {row["note"] for row in chart["data"]["values"]} <= set(names)
    places = [names.index(name) for name in axis["axis"]["values"]]
    assert min(abs(one - other) for one in places for other in places if one != other) > 1  # no two names touch
