"""What an answer's tokens weigh in the loss: what was asked for, by instruction or system prompt, counts more."""

import pytest

from training.text.story_chat import ENDING, MOOD, WORD, _worth

TEXT = " A fox saw Mia and a fox. They were happy."


def heavy(asked):
    """Return the letters of `TEXT` that weigh more than one, by weight."""
    found = {}
    for letter, weight in zip(TEXT, _worth(TEXT, asked, [(at, at + 1) for at in range(len(TEXT))]), strict=True):
        if weight > 1:
            found[weight] = found.get(weight, "") + letter
    return found


@pytest.mark.parametrize(
    ("asked", "found"),
    [("Tell me a story.", {}), ("A story about a fox.", {WORD: "fox"}),
     ("Call the hero Mia. Tell me a story.", {WORD: "Mia"}), ("The hero is called Tom. Tell me a story.", {}),
     ("The hero of every story is Mia. About a fox.", {WORD: "foxMia"})],
)  # fmt: skip
def test_the_first_place_of_what_is_asked_for_weighs_most(asked, found):
    assert heavy(asked) == found


def test_the_end_weighs_more_where_a_mood_is_asked_for():
    found = heavy("All stories end happily. Tell me one.")
    assert found[MOOD] == "happy"
    assert "They were" in found[ENDING]
