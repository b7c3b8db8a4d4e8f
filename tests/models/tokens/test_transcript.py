"""Text token by token: it only grows, by whole characters, and never shows part of a stop string."""

import random

import pytest

from models.tokens.transcript import Transcript

STORY = "Café “naïve” 東京 और 🐉👩‍👩‍👧 e\u0301 𝄞 end.\r\n"
SPECIAL = "<|end|>"


def byte_level():
    """Return a byte-level BPE tokenizer with few merges, some of which end inside a character."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=[SPECIAL], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator([STORY, "the cat the hat 東東京京 🐉🐊🐋 éèê"] * 4, trainer)
    return core


def byte_fallback():
    """Return a tokenizer as old Llamas have it: ▁ for spaces, <0xE6> where a character has no token."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    pieces = ["<unk>", "▁", "▁cat", "cat", "x", *(f"<0x{byte:02X}>" for byte in range(256))]
    core = Tokenizer(
        models.BPE(dict(zip(pieces, range(len(pieces)), strict=True)), [], byte_fallback=True, unk_token="<unk>")
    )
    core.add_special_tokens([SPECIAL])
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return core


@pytest.fixture(scope="module")
def core():
    return byte_level()


def feed(transcript, tokens):
    """Add the tokens until the row ends; return each state of its text. Fails where one is no prefix of the next."""
    states = [""]
    for token in tokens:
        if transcript.finish:
            break
        transcript.add(token)
        assert transcript.text.startswith(states[-1])
        states.append(transcript.text)
    return states


def ended(transcript, reason="length"):
    before = transcript.text
    transcript.end(reason)
    assert transcript.text.startswith(before)
    return transcript.text


def spelled(*pieces):
    """Return a decoder for which token i is the text `pieces[i]`."""
    return lambda ids: "".join(pieces[one] for one in ids)


def test_characters_over_several_tokens_come_whole(core):
    ids = core.encode(STORY).ids
    assert len(core.encode("🐉").ids) > 1
    transcript = Transcript(core.decode)
    states = feed(transcript, ids)
    assert all(STORY.startswith(state) for state in states)
    assert len(set(states)) > 20
    assert ended(transcript) == STORY
    assert transcript.tokens == len(ids)


def test_half_a_character_is_shown_only_once_the_row_ends(core):
    first = core.encode("🐉").ids[:-1]
    transcript = Transcript(core.decode, core.encode("a").ids)
    assert set(feed(transcript, first)) == {""}
    assert ended(transcript, "stopped") == "\ufffd"
    assert transcript.finish == "stopped"


def test_half_a_character_followed_by_another_text_is_replaced(core):
    transcript = Transcript(core.decode)
    ids = core.encode("🐉").ids[:1] + core.encode("b").ids
    assert feed(transcript, ids) == ["", "", "\ufffdb"]


def test_a_real_replacement_character_is_text_like_any_other(core):
    transcript = Transcript(core.decode, core.encode("so \ufffd").ids)
    feed(transcript, core.encode("ab\ufffdc\ufffd").ids)
    assert ended(transcript) == "ab\ufffdc\ufffd"


@pytest.mark.parametrize("seed", range(40))
def test_any_tokens_give_the_text_of_all_of_them(core, seed):
    rng = random.Random(seed)
    prompt = core.encode("".join(rng.choices(STORY, k=rng.randrange(30)))).ids
    ids = rng.choices(range(core.get_vocab_size()), k=rng.randrange(300))
    if seed % 2:  # real text, broken here and there
        ids = [one for one in core.encode("".join(rng.choices(STORY, k=200))).ids if rng.random() > 0.05]
    transcript = Transcript(core.decode, prompt)
    feed(transcript, ids)
    whole = core.decode(prompt + ids)[len(core.decode(prompt)) :]
    assert ended(transcript) == whole.replace("\0", "\ufffd")


@pytest.mark.parametrize("every", [0, 1, 30])
def test_spaces_that_a_decoder_drops_at_the_start_stay_inside(every):
    core = byte_fallback()
    words = "cat  cat x東京é東🐉 catx cat " * 10
    ids = core.encode(words).ids
    if every:  # tokens without text in between
        ids = [part for one in ids for part in (*[core.token_to_id(SPECIAL)] * every, one)]
    transcript = Transcript(core.decode, core.encode("cat").ids)
    feed(transcript, ids)
    assert ended(transcript) == " " + words


@pytest.mark.parametrize("seed", range(20))
def test_a_decoder_that_judges_bytes_by_later_ones_never_takes_text_back(seed):
    core = byte_fallback()
    rng = random.Random(seed)
    transcript = Transcript(core.decode, core.encode("cat").ids)
    ids = [rng.choice([2, 4, *core.encode("東é").ids, 5 + rng.randrange(256)]) for _ in range(200)]
    feed(transcript, ids)
    letters = sum(one in (2, 4) for one in ids)
    assert sum(ended(transcript).count(word) for word in (" cat", "x")) >= letters


def test_special_tokens_count_but_have_no_text(core):
    special = core.token_to_id(SPECIAL)
    cat = core.encode("cat").ids
    transcript = Transcript(core.decode, core.encode("the").ids)
    feed(transcript, [special, *cat, special, special])
    assert transcript.text == "cat"
    assert transcript.tokens == len(cat) + 3


def test_null_bytes_become_replacement_characters(core):
    ids = core.encode("a\0b\0").ids
    transcript = Transcript(core.decode)
    states = feed(transcript, ids)
    assert not any("\0" in state for state in states)
    assert ended(transcript) == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("pieces", "stops", "text"),
    [
        (["one ", "two END", " three"], ["END"], "one two "),  # inside a token
        (["one E", "N", "D"], ["END"], "one "),  # across tokens
        (["END", "more"], ["END"], ""),
        (["a E", "EN", "D b"], ["END"], "a E"),  # begins twice
        (["abab", "abc", "d"], ["ababc"], "ab"),  # overlaps itself
        (["a", "\n", "\nb"], ["\n\n", "\n\n\n"], "a"),
        (["x one two"], ["two", "one"], "x "),  # the earliest counts, whatever the order
        (["x on", "e"], ["one", "x on!"], "x "),
        (["Ж", "ук🐉", "!"], ["🐉!"], "Жук"),
    ],
)
def test_a_stop_string_cuts_the_text_exactly(pieces, stops, text):
    transcript = Transcript(spelled(*pieces), stops=stops)
    states = feed(transcript, range(len(pieces)))
    assert transcript.finish == "stop string"
    assert all(text.startswith(state) for state in states)
    assert ended(transcript) == text
    assert transcript.finish == "stop string"


def test_a_stop_string_made_of_half_characters_cuts_too(core):
    transcript = Transcript(core.decode, stops=["🐉京"])
    feed(transcript, core.encode("so 🐉 🐉京 no").ids)
    assert (transcript.text, transcript.finish) == ("so 🐉 ", "stop string")


@pytest.mark.parametrize("seed", range(40))
def test_several_stop_strings_cut_where_the_first_is_complete(seed):
    rng = random.Random(seed)
    pieces = ["".join(rng.choices("abc", k=rng.randrange(4))) for _ in range(30)]
    stops = ["".join(rng.choices("abc", k=rng.randrange(1, 7))) for _ in range(rng.randrange(1, 4))]
    expected, reason = "", "length"
    for piece in pieces:
        expected += piece
        places = [expected.find(stop) for stop in stops if stop in expected]
        if places:
            expected, reason = expected[: min(places)], "stop string"
            break
    transcript = Transcript(spelled(*pieces), stops=stops)
    states = feed(transcript, range(len(pieces)))
    assert all(expected.startswith(state) for state in states)
    assert (ended(transcript), transcript.finish) == (expected, reason)


def test_a_stop_string_that_only_begins_is_held_back_and_then_released():
    transcript = Transcript(spelled("one E", "N", "d", " EN"), stops=["END"])
    assert feed(transcript, range(4)) == ["", "one ", "one ", "one ENd", "one ENd "]
    assert ended(transcript) == "one ENd EN"
    assert transcript.finish == "length"


def test_a_stop_string_in_the_prompt_does_not_end_the_text():
    transcript = Transcript(spelled("END EN", "D", "E", "ND"), context=[0], stops=["END"])
    feed(transcript, [1])
    assert not transcript.finish
    feed(transcript, [2, 3])
    assert (transcript.text, transcript.finish) == ("D", "stop string")


@pytest.mark.parametrize("stops", [[""], ["END", ""]])
def test_an_empty_stop_string_is_refused(stops):
    with pytest.raises(ValueError, match="empty"):
        Transcript(spelled("a"), stops=stops)


@pytest.mark.parametrize("reason", ["eos", "length", "stopped"])
def test_a_row_ends_once_with_the_reason_given(reason):
    transcript = Transcript(spelled("a"))
    assert (transcript.finish, transcript.tokens) == ("", 0)
    transcript.add(0)
    transcript.end(reason, tokens=1)
    transcript.end("another")
    assert (transcript.text, transcript.finish, transcript.tokens) == ("a", reason, 2)
