"""What an instruction in a system prompt shows in the answers, counted beside the answers without one."""

from training.text import system_marks


def test_shares_are_counted_with_and_without():
    told = {
        "": ["A long story about a fox.", "A dragon came. They cried and were sad."],
        "Keep every story short.": ["A fox.", "A dragon came. They cried and were very sad."],
        "Tell long stories.": ["A fox.", "A dragon came. They cried and were very sad."],
        "Every story must end sadly.": ["They cried.", "They were sad and lost."],
        "Put a dragon into every story.": ["A fox.", "Two dragons came."],
        "Name the hero of each story Mia.": ["Mia saw a fox.", "Mia's friend came."],
    }
    found = system_marks.marks(lambda system: told[system])
    assert found["system_answers"] == 2
    assert (found["system_short"], found["system_long"]) == (0.5, 0.5)
    assert (found["system_sad"], found["system_sad_without"]) == (1.0, 0.5)
    assert (found["system_name"], found["system_name_without"]) == (1.0, 0.0)
    assert (found["system_dragon"], found["system_dragon_without"]) == (0.5, 0.5)
