"""Instructions made by rule: what an answer keeps, things swapped, conversations that say what their story does."""

from __future__ import annotations

import itertools
import random

import pytest

from training.text.chat_marks import passes, repeats, reward
from training.text.conversations import Conversations, held_out, rule
from training.text.instructions import (
    LONG,
    SHORT,
    THINGS,
    UNCOUNTED,
    Asked,
    first_place,
    mood_of,
    pairs,
    read,
    things,
    with_article,
)
from training.text.story_answers import turned
from training.text.word_swap import choose, kind, plural, swap

HAPPY = "Once there was a fox. Tim saw the fox and a key. The fox smiled. Tim was happy. They were best friends."
SAD = "Once there was a fox. Tim saw the fox and a key. The key was lost. Tim cried. He was sad and alone."
PLAIN = "One day Lily went to the lake. She had a boat and an apple. The boat went far away. Lily sat on a stone."


def test_mood_of_reads_the_last_three_sentences() -> None:
    assert mood_of(HAPPY) == "happy"
    assert mood_of(SAD) == "sad"
    assert mood_of(PLAIN) == ""
    assert mood_of("He cried. He was sad. " + HAPPY) == "happy"
    four = ["He was sad and cried alone.", "Tim smiled.", "He went home.", "He slept."]
    assert mood_of(" ".join(four)) == "happy"  # the fourth from the end counts no more
    assert mood_of(" ".join([four[0], *four[2:]])) == "sad"  # the third does


def test_kept_says_each_demand() -> None:
    assert Asked(("fox", "dog"), "happy").kept(HAPPY) == {"fox": True, "dog": False, "mood": True}
    assert Asked(("key",)).kept("Many keys.") == {"key": True}


def test_reward_orders_answers() -> None:
    asked = Asked(("fox", "key"), "happy")
    assert passes(asked, HAPPY, True)
    assert not passes(asked, HAPPY, False)
    assert not passes(asked, SAD, True)
    assert reward(asked, HAPPY, True) == pytest.approx(1.0)
    assert reward(asked, HAPPY, True) > reward(asked, SAD, True) > reward(asked, PLAIN, False)


def test_repeats_finds_a_run_of_six_words() -> None:
    assert repeats("the fox ran to the red house and the fox ran to the red house")
    assert not repeats("the fox ran to the red house and the fox ran to the blue house")


@pytest.mark.parametrize("word", THINGS)
def test_every_plural_is_read_as_its_thing(word: str) -> None:
    assert word in things(f"many {plural(word)}")


def test_swap_keeps_articles_capitals_and_number() -> None:
    text = "An owl saw foxes. Foxes fear the owl's house. A fox ran."
    assert swap(text, {"owl": "fish", "fox": "elephant"}) == (
        "A fish saw elephants. Elephants fear the fish's house. An elephant ran."
    )
    assert swap(text, {}) == text


def test_choose_stays_within_the_kind_and_off_what_is_taken() -> None:
    for seed in range(50):
        swaps = choose(["fox", "key", "water", "train", "apple"], random.Random(seed), {"wolf"})
        assert 1 <= len(swaps) <= 3
        for old, new in swaps.items():
            assert old not in ("water", "train")
            assert new in kind(old)
            assert new not in ("wolf", *UNCOUNTED)
        assert len(set(swaps.values())) == len(swaps)


def test_every_answer_keeps_what_its_instruction_asks_for() -> None:
    kept = {frozenset(("fox", "key")), frozenset(("wolf", "stone"))}
    made = [{"text": HAPPY, "words": ["fox", "key"], "sad": SAD}, {"text": PLAIN, "words": ["boat"]}]
    talks = Conversations([HAPPY, SAD, PLAIN], made=made, swapped=1.0, kept=kept)
    choice = random.Random(0)
    swapped = 0
    for _ in range(300):
        messages = [message for message in talks.draw(choice) if message["role"] != "system"]
        asked, told = messages[0]["content"], messages[1]["content"]
        named = things(asked)
        assert named <= things(told), asked
        if "happ" in asked or "sad" in asked:
            assert mood_of(told) == ("happy" if "happ" in asked else "sad")
        new = named - {"fox", "key", "boat", "apple", "lake", "stone"}
        swapped += bool(new)
        assert not new or not kept & set(pairs(sorted(named)))
    assert swapped > 200


def test_someone_named_like_a_thing_is_asked_for_by_the_new_name() -> None:
    named = "One day Mr. Duck met a fox. Then Mr. Duck ran. The fox saw Duck and Duck saw him. And so Duck slept."
    talks = Conversations([named], swapped=1.0)
    choice = random.Random(2)
    for _ in range(200):
        messages = [message["content"] for message in talks.draw(choice) if message["role"] != "system"]
        if len(messages) > 2 and messages[2].startswith("What happened"):
            name = messages[2].split()[3].rstrip("?")
            assert name in messages[1]
            assert name in messages[3]


def test_a_story_with_two_endings_is_told_again_with_the_other() -> None:
    made = [{"text": HAPPY, "words": ["fox", "key"], "sad": SAD}]
    talks = Conversations([PLAIN], made=made, swapped=0.0)
    choice = random.Random(1)
    again = 0
    for _ in range(400):
        messages = [message["content"] for message in talks.draw(choice) if message["role"] != "system"]
        if len(messages) > 2 and messages[1] in (HAPPY, SAD) and messages[2].startswith(("Tell", "Now")):
            assert messages[3] == (SAD if messages[1] == HAPPY else HAPPY)
            again += 1
    assert again > 10


def test_held_out_pairs_stand_together_in_no_story() -> None:
    common = [f"A {one} and a {other}." for one, other in itertools.pairwise(THINGS[:40])] * 30
    talks = Conversations(common)
    together = {pair for text in common for pair in pairs(sorted(things(text)))}
    for text, asked in held_out(talks, 40):
        assert not together & set(pairs(asked.words))
        assert set(asked.words) <= things(text)


def test_first_place_finds_any_form() -> None:
    assert first_place("mouse", "two mice") == (4, 8)
    assert first_place("fox", "no one") is None
    assert with_article("owl") == "an owl"
    assert with_article("snow") == "snow"


def test_turned_cuts_in_the_middle_and_names_what_is_there() -> None:
    for seed in range(20):
        text = turned({"text": HAPPY.replace("Tim", "Tom"), "words": ["fox"]}, random.Random(seed))
        assert text.startswith("Once there was a fox.")
        assert "best friends" not in text
        assert "{" not in text


def test_a_system_prompt_says_what_the_story_keeps_and_leaves_the_rest_to_the_instruction() -> None:
    story, asked = read(f"{HAPPY} The fox met Tim. They saw Tim."), Asked(("fox", "key"), "happy")
    ruled = [found for seed in range(200) if (found := rule(story, asked, random.Random(seed)))]
    assert len(ruled) == 200
    kinds = set()
    for system, left in ruled:
        if system == SHORT:
            kinds.add("short")
            assert left == asked
        elif "Tim" in system:
            kinds.add("name")
            assert left == asked
        elif "happ" in system:
            kinds.add("mood")
            assert left == Asked(("fox", "key"))
        else:
            kinds.add("thing")
            (word,) = things(system)
            assert set(left.words) | {word} == {"fox", "key"}
            assert word not in left.words
    assert kinds == {"short", "name", "mood", "thing"}


def test_long_stories_are_ruled_long_and_what_fits_nothing_has_no_rule() -> None:
    choice = random.Random(0)
    assert rule(read("The sea was wide. " * 60), Asked((), "happy"), choice) == (LONG, Asked((), "happy"))
    assert rule(read("The sea was wide. " * 40), Asked((), "happy"), choice) is None
