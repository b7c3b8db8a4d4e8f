"""Tokens as bytes: they join to what the tokenizer decodes, and a text is found whatever pieces it is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from models.text.sampling.spelling import Spelling
from tests.tiny import BOS, EOS, make_tokenizer

TOKENIZER = make_tokenizer()
WORDS = Spelling(TOKENIZER.backend_tokenizer)


@given(st.text(max_size=40))
def test_the_bytes_of_a_text_s_tokens_are_the_text(text):
    ids = TOKENIZER.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert b"".join(WORDS.texts[token] for token in ids) == text.encode("utf-8", "surrogatepass")
    assert WORDS.tail(ids, 3).endswith(text.encode()[-3:])


def test_special_tokens_have_no_text():
    for name in (BOS, EOS):
        assert WORDS.texts[TOKENIZER.convert_tokens_to_ids(name)] == b""


@given(st.text(alphabet="the ca🐉", max_size=12), st.text(alphabet="the ca🐉", min_size=1, max_size=5))
def test_a_token_completes_a_text_exactly_where_that_would_appear_with_it(said, text):
    wanted = text.encode()
    before = said.encode()
    found = set(WORDS.completing(wanted, before[-len(wanted) + 1 :] if len(wanted) > 1 else b"").tolist())
    for token, one in enumerate(WORDS.texts):
        # new in what was said: its last byte is the token's
        begin = max(0, len(before) - len(wanted) + 1)
        assert (token in found) == (bool(one) and wanted in (before + one)[begin:])


def test_sentence_pieces_are_read_too():
    names = ["<unk>", "\u2581the", "<0xF0>", "<0x9F>", "cat", "\u2581"]
    core = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, [], unk_token="<unk>", byte_fallback=True))
    core.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    words = Spelling(core)
    assert words.texts[1:] == [b" the", b"\xf0", b"\x9f", b"cat", b" "]


def test_spellings_are_those_of_the_tokenizer_each_once():
    assert WORDS.spellings("the") == [
        TOKENIZER.encode("the", add_special_tokens=False), TOKENIZER.encode(" the", add_special_tokens=False)
    ]  # fmt: skip
    assert len(WORDS.spellings("")) == 1  # a space


@pytest.mark.parametrize("character", ["\n", "e"])
def test_breakers_are_the_tokens_that_hold_a_character(character):
    found = WORDS.breakers(character)
    assert found.sum() >= 1
    assert all(found[at] == (character.encode() in text) for at, text in enumerate(WORDS.texts))
    assert WORDS.breakers(character) is found
