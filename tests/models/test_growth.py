"""Every parser of foreign text takes time in proportion to the text's length.

Each is given texts of one piece over and over, and of pairs that open and close, at one length and at eight times
that. What is compared is the processor's time of this thread, some turns if need be: in proportion it is 8 times as
much, in the square 64 times. The bound lies at 24, above which no busy machine brings the one, and below which none
the other.
"""

import io
import json
import re
import time
from contextlib import suppress

import pytest
from PIL import Image, PngImagePlugin

from components import escape, links, rooms
from components.audio import after
from models import given, known, labels, lists, outside, plain_text, readers, stamps
from models.catalog import load_catalog
from models.diffusion import samplers
from models.errors import PlaygroundError
from models.settings import Settings
from models.torchaudio_guard import guard

guard()

from models.audio import scores, tags, tunes  # noqa: E402
from models.audio.families import spectrogram_diffusion, text_to_speech, tune_lm  # noqa: E402
from models.image import comfy, foreign, makers, saved, webui  # noqa: E402
from models.image.nets import word_bag  # noqa: E402
from models.image.sampling import weights  # noqa: E402
from models.text import conversations, glossary, languages, layouts, looks, parts, prompts, sheets, subtitles  # noqa: E402
from models.text import saved as saved_texts  # noqa: E402
from models.text import settings as text_settings  # noqa: E402
from models.text.sampling import schema  # noqa: E402
from models.types import Request  # noqa: E402

SETTINGS = Settings()
CATALOG = load_catalog(SETTINGS, strict=False)
PAGE = rooms.room("text").page
TABLE = {item.name: item for item in CATALOG.family("text/story-gpt").fields(CATALOG["text/story-gpt"])}
NAMED = CATALOG["image/emoji-diffusion"]

SHORT, TIMES, MOST, FREE_S, TURNS = 4_000, 8, 24, 0.05, 3
PLACES = ("Dream", "Comment", "sd-metadata", "prompt", "workflow")  # of texts in a picture
PIECES = [
    *"a1 \t\n.,:-_()[]{}<|$\\\"'/", "a ", "a. ", "a: ", "a:b,", "Steps: 1, ", " Steps: 1",
    "Negative prompt: ", "\nNegative prompt:",
    "__a_", "__a__ ", "{a|", "{a|b}", "1$$", "(a:1", "(a:1.2)", ":1", "<lora:", "[a", '{"a":', '["a",', '"\\u', "---\n",
    "\n\n---\n{", "é", "c''", "z1/2 ", "|:", "-s ", "a’", "utm_", "![](", "&#", "1e4", "\ud800",
]  # fmt: skip
PAIRS = [("{", "}"), ("{a|", "}"), ("(", ")"), ("[", "]"), ("(a:", "1)"), ("<a", ">"), (")", "("), ("[[", "]"),
         ("1", " "), (" ", "1"), ('"', "\n"), ("__", "_a")]  # fmt: skip


def utf8(text):
    return text.encode("utf-8", "replace")


def chat(text):
    return json.dumps([{"role": "user", "content": text[at : at + 20]} for at in range(0, len(text), 20)]).encode()


def graph(text):
    nodes = {str(at): {"class_type": "KSampler" if not at else text[:3], "inputs": {"positive": [str(at + 1), 0]}}
             for at in range(len(text) // 20)}  # fmt: skip
    return json.dumps(nodes)


def png(text):
    info = PngImagePlugin.PngInfo()
    for key in ("parameters", "Dream", "Comment", "prompt"):
        info.add_itxt(key, utf8(text).decode())
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


# what reads, and the length of the short text where it is not `SHORT`: what a library does for each mark takes longer
PARSERS = {
    "settings in webui's words": (webui.parse_parameters, SHORT),
    "a text beside a picture": (lambda text: saved.read_note(utf8(text)), SHORT),
    "settings of other programs": (
        lambda text: [makers.read({place: text}) for place in PLACES], SHORT // 2,
    ),
    "a graph of nodes": (lambda text: comfy.parse(graph(text), ""), SHORT),
    "a picture's texts": (lambda text: readers.read_settings(png(text), SETTINGS), SHORT // 2),
    "our own settings": (lambda text: stamps.own_settings(text, "file"), SHORT),
    "a text's settings": (lambda text: saved_texts.read_settings(b"---\n{" + utf8(text) + b"\n---"), SHORT),
    "a text saved here": (lambda text: plain_text.read_text_artifact(utf8(text)), SHORT),
    "a sound's tags": (lambda text: list(tags.comments(b"ID3\x04\0\0\0\0\x0f\x7f" + utf8(text))), SHORT),
    "a conversation of that text": (lambda text: conversations.read_conversations(utf8(text)), SHORT),
    "a conversation of many turns": (lambda text: conversations.read_conversations(chat(text)), SHORT),
    "a conversation's branches": (lambda text: layouts.lines_of(tree(len(text) // 20)), SHORT),
    "turns": (prompts.read_messages, SHORT),
    "lists in a prompt": (lambda text: lists.draw(text, 1, lists.folders(SETTINGS)), 400),
    "weights of words": (weights.read, 160),
    "counts of a list": (lambda text: lists.draw(f"{{a|{'1' * len(text)}}}", 1, lists.folders(SETTINGS)), SHORT),
    "a size": (lambda text: foreign.Gathered("x").take("size", "Size", f"64x96{text}a"), SHORT),
    "names that a model learnt": (lambda text: known.unseen(NAMED, text), SHORT),
    "words of a caption": (word_bag._WORD.findall, SHORT),
    "a sampler's name": (samplers.find, SHORT),
    "a link": (outside.unpacked, SHORT),
    "an address": (
        lambda text: links.problems(CATALOG, PAGE, {text: "x", "story-gpt.seed": text, f"story-gpt.{text}": text}),
        SHORT,
    ),
    "settings of a command": (lambda text: given.params([f"temperature={text}", f"stop={text}", text], TABLE), SHORT),
    "an entry of the catalogue": (outside.read_toml, SHORT),
    "a JSON schema": (schema.grammar.__wrapped__, SHORT),
    "a stop sequence": (text_settings.unescaped, SHORT),
    "biases of words": (lambda text: text_settings.read_bias([text, f"a={text}"]), SHORT),
    "a tune": (lambda text: (tunes.play(tunes.read(text)), tunes.filled(tunes.read(text))), SHORT),
    "a tune's notation": (lambda text: tunes.to_abc(text, "x"), SHORT),
    "a tune for other programs": (lambda text: scores.midi(text, 120), SHORT),
    "the opening of a tune": (tune_lm.opening, SHORT),
    "sentences": (text_to_speech.sentences, SHORT),
    "words to say": (lambda text: spectrogram_diffusion.parse_words(text, ("zero", "one")), SHORT),
    "words that were heard": (after.words_of, SHORT),
    "parts of a text": (lambda text: parts.cut(text, "sentences", lambda piece: True), SHORT),
    "subtitles": (lambda text: subtitles.cut(f"1\n00:00:01,000 --> 00:00:02,000\n{text}", "lines", lambda piece: True),
                  SHORT),
    "a text's language": (lambda text: languages.warnings(text, ["en", "fr"]), SHORT),
    "a glossary": (lambda text: glossary.places(text.split(), text[:20]), SHORT),
    "a table": (lambda text: sheets.read(utf8(text)), SHORT),
    "pairs to align": (lambda text: looks.check_pairs(Request(model="x/y", inputs={"pairs": text})), SHORT),
    "text in a widget": (escape.plain, SHORT),
    "a result's name": (lambda text: labels.shorten(text, 40), SHORT),
    "a file's name": (lambda text: stamps.file_name(text, 1), SHORT),
}  # fmt: skip


def tree(turns):
    """Return a conversation in Open WebUI's layout: one long line, which ends in many branches."""
    nodes = {str(at): {"parentId": str(at - 1), "role": "user", "content": "x"} for at in range(turns)}
    nodes |= {f"end{at}": {"parentId": str(turns - 1), "role": "user", "content": "x"} for at in range(20)}
    return {"chat": {"history": {"messages": nodes, "currentId": "0"}}}


def taken_s(read, text):
    """Return the seconds of this thread that reading takes; a sentence is an answer, any other error is not."""
    begun = time.thread_time()
    with suppress(PlaygroundError, outside.Unreadable, *((ValueError,) if read is outside.unpacked else ())):
        read(text)
    return time.thread_time() - begun


def grown(read, short, long):
    """Return whether the long text takes more time than in proportion; measured again where it seems so."""
    return all(taken_s(read, long) > FREE_S + MOST * taken_s(read, short) for _ in range(TURNS))


def repeated(piece, length):
    return (piece * (length // len(piece) + 1))[:length]


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_time_in_proportion_to_the_text(name):
    read, length = PARSERS[name]
    taken_s(read, "a {a|b} __animal__ (a:1.2)")  # what it imports is none of the text's
    for piece in PIECES:
        assert not grown(read, repeated(piece, length), repeated(piece, TIMES * length)), piece
    for one, other in PAIRS:
        short, long = (repeated(one, size // 2) + repeated(other, size // 2) for size in (length, TIMES * length))
        assert not grown(read, short, long), (one, other)


@pytest.mark.parametrize(
    "read",
    [lambda text: sum(text.count("a", at) for at in range(len(text))), re.compile(r"[ \t]*Negative prompt:").search],
    ids=["what reads the rest at each letter", "a pattern that begins with a run"],
)
def test_what_takes_the_square_of_the_length_is_found(read):
    assert grown(read, repeated(" ", SHORT), repeated(" ", TIMES * SHORT))
