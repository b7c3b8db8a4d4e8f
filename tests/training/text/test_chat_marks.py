"""Answers sampled batch by batch, each with its own random numbers; what counts as a repetition, to the word."""

import pytest
import torch

from training.text import chat_marks
from training.text.instructions import Asked

WORDS = "one two three four five six"


class Tokens:
    """Turn letters into numbers; 0 pads, 1 ends."""

    pad_token_id, eos_token_id = 0, 1

    def __init__(self):
        self.asked = []

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        self.asked.append([one["role"] for one in messages])
        return messages[-1]["content"]

    def __call__(self, prompts, **_):
        width = max(map(len, prompts))
        rows = [[0] * (width - len(one)) + [ord(letter) for letter in one] for one in prompts]
        return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(rows).gt(0).long()}

    def decode(self, tokens, skip_special_tokens):
        return "".join(map(chr, tokens))


class Drawing:
    """Answer with a letter drawn by chance, then the end, but for the last row of each batch, which goes on."""

    def __init__(self):
        self.given = []

    def generate(self, input_ids, attention_mask, **options):
        self.given.append((input_ids.shape[0], options["max_new_tokens"]))
        drawn = torch.randint(97, 123, (len(input_ids), 6))
        drawn[:-1, 3] = 1
        return torch.cat([input_ids, drawn], 1)


def told(count, rows, seed=5, system=""):
    model, tokenizer = Drawing(), Tokens()
    found = chat_marks.answers(model, tokenizer, ["ab" * (1 + at % 2) for at in range(count)], seed, rows, system)
    return found, model.given, tokenizer.asked


def test_every_batch_has_random_numbers_of_its_own_and_the_same_seed_gives_the_same():
    found, given, asked = told(5, 2)
    assert given == [(2, chat_marks.MAX_NEW_TOKENS), (2, chat_marks.MAX_NEW_TOKENS), (1, chat_marks.MAX_NEW_TOKENS)]
    assert [ended for _, ended in found] == [True, False, True, False, False]
    assert [len(text) for text, _ in found] == [3, 6, 3, 6, 6]
    assert found[0][0] != found[2][0]
    assert found[1][0] != found[3][0]
    assert told(5, 2)[0] == found
    assert told(5, 2, seed=6)[0] != found
    assert asked == [["user"]] * 5
    assert told(1, 2, system="Be short.")[2] == [["system", "user"]]


def test_a_batch_begins_where_its_seed_says():
    first, second = told(4, 2)[0][2:], told(2, 2, seed=7)[0]
    assert first == second  # the seed of a batch is the first one's and its place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{WORDS} {WORDS}", True),  # the run at the very end
        (f"x {WORDS} y {WORDS}", True),
        (f"{WORDS} y {WORDS} z", True),
        (f"{WORDS} {WORDS.upper()}", True),
        (f"{WORDS} {' '.join(WORDS.split()[:5])}", False),
        (f"{' '.join(WORDS.split()[:5])} x {' '.join(WORDS.split()[:5])}", False),
        (WORDS, False),
        ("a a a a a a a", True),  # six of seven, twice
        ("a a a a a a", False),
        ("", False),
    ],
)
def test_a_run_of_six_words_that_comes_twice_is_a_repetition(text, said):
    assert chat_marks.repeats(text) == said


STORY = "A fox ran. The fox found a key. He was happy."


def test_a_word_that_only_the_first_sentence_names_is_not_used_later():
    asked = Asked(("fox", "key", "owl"))
    assert chat_marks.used_later(asked, STORY) == [True, True, False]
    assert chat_marks.used_later(asked, "A fox and a key and an owl. The end.") == [False, False, False]


def test_stories_are_alike_by_their_first_six_words():
    shares = chat_marks.alike(
        ["Once upon a time, there was!", "once upon a time there WAS one", "One day a fox ran far"]
    )
    assert shares == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_what_is_used_later_is_worth_more():
    asked = Asked(("fox", "key"))
    named = "A fox and a key. He was happy."
    assert chat_marks.reward(asked, STORY, True) == pytest.approx(1)
    assert chat_marks.reward(asked, named, True) == pytest.approx(0.8)
    assert chat_marks.reward(asked, STORY, False) == pytest.approx(0.6)


def test_an_answer_that_begins_like_many_others_loses():
    asked = [Asked(("fox",))] * 40
    told = [(f"A fox {'x' * at} ran home by night. The fox sat. He was happy.", True) for at in range(40)]
    told[:20] = [(STORY, True)] * 20
    found = chat_marks.rewards(asked, told)
    assert found[0] == pytest.approx(1 - chat_marks.VARIETY)
    assert found[-1] == pytest.approx(1 - chat_marks.VARIETY * 0.25)


def test_a_pronoun_in_a_name_s_place_loses():
    asked = [Asked(("fox",))] * 40
    told = [(f"A fox {'x' * at} ran home by night. The fox sat. He was happy.", True) for at in range(40)]
    told[0] = (told[0][0].replace("He was happy", "Nothing was happy"), True)
    found = chat_marks.rewards(asked, told)
    assert found[0] == pytest.approx(found[1] - chat_marks.MISNAMED)
    assert chat_marks.rewards(asked, [*told[:-1], (told[-1][0] + " There was nothing.", True)])[-1] >= found[-1] - 0.01
