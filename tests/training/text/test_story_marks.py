"""What bits do not see in a story: the hero's name, pronouns, sentences said twice, an ending."""

import pytest

from training.text import story_marks
from training.text.story_marks import known_names, name_kept, openings, pronouns_agree, repeats_a_sentence, told

NAMES = {"Mia", "Lily", "Tom", "Tim"}
BEGUN = "Once there was a girl named Mia."


def test_names_and_whose_they_are_come_from_the_stories():
    stories = ["A girl named Mia met a boy named Tom.", "A girl called Lily.", "A girl named Mia. A dog named Rex.",
               "A boy named Sam. A girl named Sam.", "A man named Tim.",
               "A boy named Tom.", "A boy named Tim.", "A boy named Bob."]  # fmt: skip
    girls, boys, every = known_names(stories, 2)
    assert girls == ["Mia", "Lily"]
    assert boys == ["Tom", "Tim"]  # Sam is either
    assert every == {"Mia", "Tom", "Lily", "Rex", "Sam", "Tim", "Bob"}


def test_two_hundred_openings_name_girls_and_boys_alike_and_none_is_twice_the_same():
    girls, boys = ([f"{kind}{number}" for number in range(25)] for kind in ("Ann", "Bob"))
    begun = openings(girls, boys)
    assert len(begun) == len({opening for opening, _, _ in begun}) == 200
    assert sum(kind == "girl" for _, _, kind in begun) == 100
    assert all(name in opening and kind in opening for opening, name, kind in begun)


@pytest.mark.parametrize(
    ("rest", "kept"),
    [(" Mia ran. Mia's mom called Mia.", True), (" Lily ran. Lily fell.", False), (" She ran. Lily fell.", None),
     (" Lily ran. Mia ran. Lily fell. Mia laughed.", True), (" Lily ran. Lily fell. Mia laughed.", False), ("", None)],
)  # fmt: skip
def test_the_name_that_comes_back_is_the_heros(rest, kept):
    assert name_kept(BEGUN + rest, BEGUN, "Mia", NAMES) is kept


@pytest.mark.parametrize(
    ("rest", "agrees"),
    [(" Mia took her ball.", True), (" Mia took his ball.", False), (" Mia saw Tom and his ball.", None),
     (" Mia gave the dog his bone.", None), (" He ran.", None), (" Mia took her ball. Mia lost himself.", False)],
)  # fmt: skip
def test_pronouns_are_the_heros_where_nobody_else_is_meant(rest, agrees):
    assert pronouns_agree(BEGUN + rest, "Mia", "girl", NAMES) is agrees


def test_a_boy_is_he():
    assert pronouns_agree("Tom lost his hat.", "Tom", "boy", NAMES) is True
    assert pronouns_agree("Tom lost her hat.", "Tom", "boy", NAMES) is False


@pytest.mark.parametrize(
    ("story", "twice"),
    [("The dog ran to it. He sat. The dog ran to it!", True), ("He sat. He sat.", False),
     ("The dog ran to it. The dog ran to her.", False), ("", False)],
)  # fmt: skip
def test_a_sentence_said_twice_is_found(story, twice):
    assert repeats_a_sentence(story) is twice


def test_shares_are_of_the_stories_that_count():
    begun = [(BEGUN, "Mia", "girl")] * 4
    rests = (" Mia sat. Mia took her hat.", " Lily sat. Lily ran.", " She sat.", " Mia took his hat. Mia ran. Mia ran to it now. Mia ran to it now.")  # fmt: skip # noqa: E501
    found = told([(BEGUN + rest, place < 3) for place, rest in enumerate(rests)], begun, NAMES)
    assert found == {
        "name_kept": 0.667, "name_counted": 3, "pronouns_agree": 0.5, "pronouns_counted": 2,
        "no_sentence_repeated": 0.75, "ended": 0.75, "stories": 4,
    }  # fmt: skip


def test_a_model_writes_from_each_opening_by_its_seed():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = "models/embedded/story-gpt"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    prompts = ["Tom had a red ball.", "Mia had a cat."]
    written = story_marks.write(model, tokenizer, prompts, 8)
    assert written == story_marks.write(model, tokenizer, prompts, 8)
    assert [story.startswith(prompt) for (story, _), prompt in zip(written, prompts, strict=True)] == [True, True]
    assert [ended for _, ended in written] == [False, False]
