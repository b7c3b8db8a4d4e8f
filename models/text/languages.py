"""Tell in which script a text is written, and roughly in which language, before a translator reads it. No torch.

Languages are told by their commonest small words, which is enough to see that a text is of another one; a short text
is left alone.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

NAMES: Mapping[str, str] = {
    "en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "ru": "Russian", "uk": "Ukrainian", "el": "Greek", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi",
    "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "pl": "Polish", "sv": "Swedish", "da": "Danish", "fi": "Finnish",
}  # fmt: skip
# the script of each language that is not written in Latin letters, as Unicode names its letters
_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "ru": ("CYRILLIC",), "uk": ("CYRILLIC",), "el": ("GREEK",), "ar": ("ARABIC",), "he": ("HEBREW",),
    "hi": ("DEVANAGARI",), "zh": ("CJK",), "ja": ("CJK", "HIRAGANA", "KATAKANA"), "ko": ("HANGUL",),
}  # fmt: skip
_SMALL: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "en": "the and of to in is was that it for you with are this have not be he she they what my we",
        "fr": "le la les et des est une un que qui pas dans pour vous je il elle nous ce cette sur avec au",
        "de": "der die das und ist nicht ein eine ich zu mit den von auf sie wir für es dem auch wie im",
        "es": "el la los y de que es en un una no por con para las se lo su del como más pero muy",
        "it": "il lo la e di che è un una non per con sono gli le del della mi si come più ma anche",
        "pt": "o a os as e de que é um uma não por com para se do da em no na mais mas como",
        "nl": "de het een en van is dat niet ik te in op met zijn voor je er maar ook we die aan",
    }.items()
}
_SAMPLE = 20_000  # characters that are looked at
_LEAST_WORDS = 4
_LEAST_HITS = 2


def name_of(code: str) -> str:
    """Return a language's name in English; its code where it has none here."""
    return NAMES.get(code, code)


def script_of(text: str) -> str:
    """Return the script of most letters of a text, as Unicode names it ("LATIN", "CYRILLIC"); "" without letters."""
    found = Counter(
        unicodedata.name(one, "?").split()[0].split("-")[0] for one in text[:_SAMPLE] if one.isalpha()
    )  # fmt: skip
    return found.most_common(1)[0][0] if found else ""


def language_of(text: str) -> str:
    """Return the code of the language whose small words a text has most, "" where they do not tell.

    It needs four words, and two more small words of that language than of any other.
    """
    words = [word.strip(".,;:!?«»“”\"()[]…’'").lower() for word in text[:_SAMPLE].split()]
    if len(words) < _LEAST_WORDS:
        return ""
    hits = sorted(((sum(word in small for word in words), code) for code, small in _SMALL.items()), reverse=True)
    (most, code), (second, _) = hits[:2]
    return code if most >= second + _LEAST_HITS else ""


def warnings(text: str, languages: Sequence[str]) -> list[str]:
    """Return a sentence for a text in a script or language that a translator (`languages`: reads, writes) cannot read.

    Nothing where it reads more than one language, or tells none.
    """
    if len(languages) != 2:
        return []
    reads = languages[0]
    script = script_of(text)
    if not script:
        return ["There is not a letter in this text: nothing of it can be translated."] if text.strip() else []
    if script not in _scripts(reads):
        return [f"Most letters of this text are {script.capitalize()}; this model reads {name_of(reads)} alone. What "
                "it makes of other letters means nothing."]  # fmt: skip
    found = language_of(text)
    if found and found != reads:
        return [f"This text looks like {name_of(found)}; this model reads {name_of(reads)} alone."]
    return []


def unreadable(text: str, reads: Sequence[str]) -> str:
    """Return why no model of these languages can read a text, by its letters; "" where one might.

    A model that names no language may read any letters.
    """
    if not text.strip():
        return ""
    script = script_of(text)
    if not script:
        return "There is not a letter in this text"
    if not reads:
        return ""
    named = " or ".join(name_of(one) for one in reads)
    if script not in {one for code in reads for one in _scripts(code)}:
        return f"Most letters of this text are {script.capitalize()}; this model reads {named} alone"
    return ""


def unread(text: str, reads: Sequence[str]) -> list[str]:
    """Return a sentence before a model labels a text that it cannot read, or that looks like another language's."""
    if said := unreadable(text, reads):
        return [f"{said}: it gets no label." if reads else f"{said}: what it says of it means nothing."]
    found = language_of(text) if reads else ""
    if found in ("", *reads):
        return []
    named = " or ".join(name_of(one) for one in reads)
    return [f"This text looks like {name_of(found)}; this model reads {named} alone. Its label means little."]


def _scripts(code: str) -> tuple[str, ...]:
    return _SCRIPTS.get(code, ("LATIN",))
