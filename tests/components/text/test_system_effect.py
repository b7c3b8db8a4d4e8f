"""What a system prompt does is told as it was measured, and not at all where nobody measured."""

from components.text.chat_tools import system_effect
from models import list_models

MARKS = {
    "system_answers": 100, "system_short": 0.61, "system_long": 0.58, "system_sad": 0.12, "system_sad_without": 0.11,
    "system_dragon": 0.03, "system_dragon_without": 0.02,
}  # fmt: skip


def chat_model(**marks):
    spec = next(spec for spec in list_models() if spec.facts.get("chat"))
    return spec.model_copy(update={"facts": {**spec.facts, "marks": marks}})


def test_each_number_stands_beside_what_it_was_without():
    words = system_effect(chat_model(**MARKS))
    assert "100 answers" in words
    assert "61% of them shorter" in words
    assert "12% did (11% without it)" in words
    assert words.endswith("3% had one (2% without it).")


def test_a_heros_name_is_told_where_it_was_measured():
    words = system_effect(chat_model(**MARKS, system_name=0.4, system_name_without=0.01))
    assert words.endswith("Told that the hero is Mia, 40% named her (1% without it).")


def test_nothing_is_claimed_where_nothing_was_measured():
    assert system_effect(chat_model(passed=0.5, instructions=300)) == ""
