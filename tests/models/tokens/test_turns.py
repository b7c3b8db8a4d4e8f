import threading

import pytest

from models.tokens.turns import take_turns


def words():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(WordLevel({"<pad>": 0, "a": 1, "b": 2, "<unk>": 3}, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")


def between(tokenizer):
    """Read “a b” padded to 6 while another thread reads “a” without padding, in the middle; return both lengths."""
    lengths, middle, read = {}, threading.Event(), threading.Event()
    prepare = tokenizer.set_truncation_and_padding

    def waits(**kwargs):
        prepare(**kwargs)
        if threading.current_thread() is first:
            middle.set()
            read.wait(0.5)  # the other one cannot come to its end here where turns are taken

    tokenizer.set_truncation_and_padding = waits

    def padded():
        lengths["padded"] = len(tokenizer("a b", padding="max_length", max_length=6).input_ids)

    def plain():
        assert middle.wait(10)
        lengths["plain"] = len(tokenizer("a").input_ids)
        read.set()

    first = threading.Thread(target=padded)
    second = threading.Thread(target=plain)
    for one in (first, second):
        one.start()
    for one in (first, second):
        one.join()
    return lengths


def test_two_runs_read_their_prompts_one_after_the_other():
    tokenizer = words()
    take_turns(tokenizer)
    assert between(tokenizer) == {"padded": 6, "plain": 1}


def test_without_turns_the_other_run_takes_the_padding_away():
    assert between(words()) == {"padded": 2, "plain": 1}  # what the turns are for; fails once the library mends it


def test_the_tokenizer_keeps_its_name_and_what_it_reads():
    tokenizer, plain = words(), words()
    take_turns(tokenizer)
    assert type(tokenizer).__name__ == type(plain).__name__
    assert type(tokenizer).__module__ == type(plain).__module__
    assert isinstance(tokenizer, type(plain))
    for text in ("a b", ["a", "b a"]):
        assert tokenizer(text).input_ids == plain(text).input_ids
    assert tokenizer.encode("a b b") == plain.encode("a b b")


@pytest.mark.parametrize("one", [None, object(), "text"])
def test_what_keeps_no_state_is_left_as_it_is(one):
    kind = type(one)
    take_turns(one)
    assert type(one) is kind
