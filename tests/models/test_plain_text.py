import hashlib
import json
import random

import pytest

from models.errors import BadInput
from models.plain_text import (
    TEXT_ARTIFACT_MAX_BYTES,
    TEXT_MAX_BYTES,
    check_text,
    read_text_artifact,
    text_artifact,
    text_output,
)
from models.stamps import file_name

STAMP = {"model": "text/story-gpt", "seed": 7, "params": {"temperature": 0.8, "stop": ["\n\n"]}, "note": None}
NASTY = [
    "",
    "\n",
    "---",
    "---\n",
    "\n---\n",
    "---\n{}\n---\nanother file's text",
    "\r\nline\r\nline\r",
    "no newline at the end",
    "newlines at the end\n\n\n",
    "  spaces \t and tabs \t ",
    "\ufeffbyte order mark",
    "null \x00 bell \x07 escape \x1b delete \x7f next line \x85 separators \u2028\u2029",
    "e\u0301 is not \u00e9",
    "🐉 dragon, 👩‍👩‍👧 family, 𝔘𝔫𝔦𝔠𝔬𝔡𝔢, \uffff \U0010ffff",
    "עברית \u202e right to left",
    '"quotes" \\backslashes\\ {"json": true} # yaml: &a *a !!python/object',
]


def nasty_texts(count=300):
    rng = random.Random(5)
    atoms = [*NASTY, "a", " ", "-", "\n", "\r", "}", '"', "\\u0000"]
    return ["".join(rng.choices(atoms, k=rng.randrange(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("text", NASTY)
def test_text_comes_back_exactly(text):
    assert read_text_artifact(text_artifact(text, STAMP)) == (STAMP, text)


@pytest.mark.parametrize("text", NASTY)
def test_a_stamp_carries_any_prompt_exactly(text):
    stamp = {"inputs": {"prompt": text}, text: [text]}
    assert read_text_artifact(text_artifact("story", stamp)) == (stamp, "story")


def test_mixtures_of_nasty_texts_come_back_exactly():
    for text, prompt in zip(nasty_texts(), reversed(nasty_texts()), strict=True):
        stamp = {"inputs": {"prompt": prompt}}
        assert read_text_artifact(text_artifact(text, stamp)) == (stamp, text)


def test_the_file_is_the_text_verbatim_then_its_settings():
    data = text_artifact("Once 🐉\r\n---\n", {"seed": 7, "model": "m", "stamp": {}})
    assert data == 'Once 🐉\r\n---\n\n\n---\n{\n  "model": "m",\n  "seed": 7,\n  "stamp": {}\n}\n---\n'.encode()
    assert text_artifact("", {}) == b"\n\n---\n{}\n---\n"


@pytest.mark.parametrize("text", NASTY)
def test_a_file_from_when_the_settings_came_first_comes_back_exactly(text):
    old = b"---\n" + json.dumps(STAMP, ensure_ascii=False, indent=2).encode() + b"\n---\n" + text.encode()
    assert read_text_artifact(old) == (STAMP, text)


@pytest.mark.parametrize("prompt", NASTY)
def test_the_settings_are_yaml_for_other_readers(prompt):
    yaml = pytest.importorskip("yaml", reason="PyYAML is missing, a need of transformers")
    stamp = {"inputs": {"prompt": prompt}, "params": {"temperature": 0.8, "stop": [], "top_k": None, "do_sample": True}}
    text, block, end = text_artifact("text", stamp).decode().split("---\n")
    assert (text, yaml.safe_load(block), end) == ("text\n\n", stamp, "")


def test_same_stamp_gives_the_same_bytes_whatever_the_order_of_its_keys():
    other = {"note": None, "params": {"stop": ["\n\n"], "temperature": 0.8}, "seed": 7, "model": "text/story-gpt"}
    assert text_artifact("story", STAMP) == text_artifact("story", other)
    assert text_artifact("story", STAMP) != text_artifact("story", STAMP | {"seed": 8})


@pytest.mark.parametrize(
    ("text", "stamp"),
    [("half \ud83d", {}), ("story", {"inputs": {"prompt": "half \udc80"}}), ("story", {"\ud83d": 1})],
)
def test_lone_surrogates_are_refused_in_text_and_stamp(text, stamp):
    with pytest.raises(BadInput, match="half of a character"):
        text_artifact(text, stamp)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes"])
def test_a_stamp_that_is_not_plain_json_is_refused(value):
    with pytest.raises(BadInput, match="not plain JSON"):
        text_artifact("story", {"value": value})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"just text",
        b"---\n",
        b"---\n---\n",
        b"---\n{}",
        b"---\n{}\n---",
        b"---\ntitle: A Jekyll page\n---\ntext",
        b"---\n[1]\n---\ntext",
        b'---\n{"a": NaN}\n---\ntext',
        b'---\n{"a": "\\ud83d"}\n---\ntext',
        b"---\r\n{}\r\n---\r\ntext",
        b"\xef\xbb\xbf---\n{}\n---\ntext",
        b"---\n" + b"[" * 200_000 + b"\n---\n",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_files_of_another_form_are_named_as_such(data):
    with pytest.raises(BadInput, match="not a text file saved by this playground"):
        read_text_artifact(data)


@pytest.mark.parametrize("data", [b"---\n{}\n---\n\xff", b'---\n{"a": "\xe9"}\n---\ntext'])
def test_text_that_is_not_utf8_is_named_as_such(data):
    with pytest.raises(BadInput, match="not UTF-8"):
        read_text_artifact(data)


def test_files_that_are_too_large_are_refused_both_ways():
    empty = len(text_artifact("", {}))
    largest = "x" * (TEXT_ARTIFACT_MAX_BYTES - empty)
    assert read_text_artifact(text_artifact(largest, {})) == ({}, largest)
    with pytest.raises(BadInput, match=r"at most 8,000,000 bytes"):
        text_artifact(largest + "x", {})
    with pytest.raises(BadInput, match=r"at most 8,000,000 bytes"):
        read_text_artifact(text_artifact(largest, {}) + b"x")


def test_every_prompt_that_may_run_fits_into_an_artifact():
    prompt = check_text("\x01" * TEXT_MAX_BYTES)  # six bytes each as JSON
    assert read_text_artifact(text_artifact(prompt, {"prompt": prompt})) == ({"prompt": prompt}, prompt)


def test_text_output_is_final_and_hashes_its_file():
    meta = {"finish_reason": "eos"}
    output = text_output("Once 🐉", STAMP, 2, meta)
    assert (output.kind, output.index, output.text, output.media_type) == ("text", 2, "Once 🐉", "text/plain")
    assert output.sha256 == hashlib.sha256(output.data).hexdigest()
    assert read_text_artifact(output.data) == (STAMP, "Once 🐉")
    assert output.meta == meta
    assert output.meta is not meta
    json.dumps(output.to_header())


@pytest.mark.parametrize("text", [text for text in NASTY if "\0" not in text] + ["x" * TEXT_MAX_BYTES])
def test_good_text_passes_unchanged(text):
    assert check_text(text) is text


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("a\0b", r"The prompt has a null byte at position 2; text must not contain any\. Remove it"),
        ("ab\ud83d", r"The prompt has half of a character \(lone surrogate U\+D83D\) at position 3; only whole"),
        ("x" * (TEXT_MAX_BYTES + 1), r"The prompt is 1,000,001 bytes long; at most 1,000,000 bytes .* Shorten it\."),
        ("é" * 500_001, r"The prompt is 1,000,002 bytes long"),
        ("\ud83d" * 400_000, r"The prompt is 1,200,000 bytes long"),
        (b"bytes", r"The prompt is a bytes, not text"),
        (None, r"The prompt is a NoneType, not text"),
    ],
)
def test_bad_text_gets_a_sentence(value, sentence):
    with pytest.raises(BadInput, match=sentence) as caught:
        check_text(value)
    caught.value.message.encode()  # can be shown and sent
    with pytest.raises(BadInput, match="The stop string "):
        check_text(value, "stop string")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("text/story-gpt", 7), "story-gpt-seed7.txt"),
        (("text/story-gpt", 7, 1), "story-gpt-seed7-2.txt"),
        (("qwen2.5-0.5B", 4294967295, 0, "application/json"), "qwen2.5-0.5b-seed4294967295.json"),
        (("a/b", 0, 0, "application/x-unknown"), "b-seed0.bin"),
        (("../../etc/passwd", 1), "passwd-seed1.txt"),
        (("..", 1), "result-seed1.txt"),
        (("", 1), "result-seed1.txt"),
        (('a\\b:c*?"<>|\n\0\ud83d é', 1), "a-b-c-seed1.txt"),
    ],
)
def test_file_names_are_safe(arguments, name):
    assert file_name(*arguments) == name


def test_file_names_stay_short():
    assert len(file_name("text/" + "very-long-" * 50, 2**32 - 1, 99)) <= 110
