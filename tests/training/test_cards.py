"""The shipped cards say what a newly written card says, and the numbers in them are those of their training."""

import json
import re
import string
from pathlib import Path

import pytest

from models.torchaudio_guard import guard

guard()

from training.audio import sound_cards  # noqa: E402
from training.image import caption_card, emoji_cards, judge_card, style_card  # noqa: E402
from training.text import chat_cards, story_card, task_cards  # noqa: E402

EMBEDDED = Path(__file__).parents[2] / "models/embedded"
TEMPLATES = {
    "story-gpt": story_card.CARD, "story-lstm": story_card.CARD, "story-chat": chat_cards.SUPERVISED,
    "story-chat-pref": chat_cards.PREFERENCE, "emoji-gan": emoji_cards.GAN, "emoji-vae": emoji_cards.VAE,
    "emoji-diffusion": style_card.CARD, "folk-gpt": sound_cards.TUNES_BY_KIND, "folk-lstm": sound_cards.TUNES,
    "digits-diffusion": sound_cards.DIGITS, "digit-recogniser": sound_cards.RECOGNISER,
    "emoji-judge": judge_card.CARD, "emoji-caption": caption_card.CARD, "translate-en-fr": task_cards.TRANSLATOR,
    "translate-fr-en": task_cards.TRANSLATOR,
    "translate-lstm-en-fr": task_cards.TRANSLATOR,
    "intent": task_cards.CLASSIFIER, "sentiment": task_cards.CLASSIFIER,
}  # fmt: skip


def parts(template):
    """Return the fixed texts of a format string, and its fields between them."""
    found = list(string.Formatter().parse(template))
    return [text for text, *_ in found], [field for _, field, *_ in found if field]


def shipped(name):
    return (EMBEDDED / name / "README.md").read_text("utf-8")


def fields(name):
    """Return a card's value of each field of its template; fail where the card is not the template filled in."""
    texts, names = parts(TEMPLATES[name])
    texts = [*texts, ""] if len(texts) == len(names) else texts
    pattern = "(.*?)".join(re.escape(text.rstrip("\n") if text is texts[-1] else text) for text in texts)
    found = re.fullmatch(pattern + r"\n*", shipped(name), re.DOTALL)
    assert found, f"{name}: card and template differ"
    return dict(zip(names, found.groups(), strict=True))


def test_every_embedded_model_has_a_template():
    assert set(TEMPLATES) == {folder.name for folder in EMBEDDED.iterdir() if folder.is_dir()}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_shipped_card_is_its_template_filled_in(name):
    assert all(fields(name).values())


@pytest.mark.parametrize("name", [name for name in TEMPLATES if (EMBEDDED / name / "training.json").exists()])
def test_steps_and_minutes_are_those_of_the_training(name):
    facts = json.loads((EMBEDDED / name / "training.json").read_text("utf-8"))
    told = fields(name)
    steps = "steps_trained" if "steps_trained" in told else "steps"
    assert int(told[steps].replace(",", "")) == facts["steps"]
    assert float(told["minutes"]) == facts["minutes"]


@pytest.mark.parametrize("kind", [story_card.GPT, story_card.LSTM])
def test_the_two_story_models_differ_by_their_kind(kind):
    told = fields(kind.name)
    assert (told["kind.note"], told["kind.script"]) == (kind.note, kind.script)


def test_a_card_speaks_of_one_thread_and_of_two(monkeypatch):
    monkeypatch.setattr(story_card.torch, "get_num_threads", lambda: 1)
    assert story_card.hardware("cpu").startswith("1 CPU thread (")
    monkeypatch.setattr(story_card.torch, "get_num_threads", lambda: 2)
    assert story_card.hardware("cpu").startswith("2 CPU threads (")


def test_divergence_is_told_in_bits(tmp_path):
    names = ("passed", "words", "mood", "ended", "no_repetition", "used_later", "alike")
    marks = dict.fromkeys(names, 0.5)
    facts = {
        "kl": 0.6931472, "kl_answer": 6.931472, "marks": marks, "chat_marks": marks, "base_marks": marks,
        "bits_per_character": 0.7, "base_bits_per_character": 0.6, "prompts": 1, "takes": 2, "pairs": 3, "steps": 4,
        "batch": 5, "beta": 0.1, "rate": 0.01, "rounds": 1, "minutes": 1.0, "device": "cpu", "seed": 0,
        "likelihood": 0.2, "own_parameters": 6, "variety": 0.3, "misnamed": 0.4, "share": 0.8,
    }  # fmt: skip
    chat_cards.write_preference(tmp_path, facts, [[5, 0.8, 0.1, 0.5]], [("Why?", "So.")])
    written = (tmp_path / "README.md").read_text("utf-8")
    assert "KL divergence from story-chat: 1.000 bits per token**, 10.0" in written
    assert "| **story-chat-pref** | 50.0% |" in written


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("retired", ["critic", "odds", "anew", "words of ABC", "bits per word", "Llama-shaped", " %"])
def test_no_retired_word_stands_in_a_card(name, retired):
    assert retired not in "".join(parts(TEMPLATES[name])[0])
