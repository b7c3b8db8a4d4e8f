"""`generate()` seen from outside: rows end by themselves, Stop ends all."""

import threading

import pytest
import torch

from models.tokens.streaming import TokenWatch, left_pad
from models.tokens.transcript import Transcript

END = 9


def letters(ids):
    return "".join("abcdefghi"[one] for one in ids)


def watched(count=2, stopped=lambda: False, stops=()):
    return TokenWatch([Transcript(letters, stops=stops) for _ in range(count)], {END}, stopped)


def step(watch, *tokens):
    """Show the watch one more token per row, behind a prompt; return which rows are done."""
    done = watch(torch.tensor([[0, 0, token] for token in tokens]), None)
    assert done.dtype == torch.bool
    return done.tolist()


def texts(watch):
    return [row.text for row in watch.rows]


def test_each_row_takes_its_own_newest_token():
    watch = watched()
    assert step(watch, 0, 1) == [False, False]
    assert step(watch, 2, 3) == [False, False]
    assert texts(watch) == ["ac", "bd"]
    assert watch.step == 2
    assert watch.changed.is_set()


def test_an_end_token_ends_its_row_alone_and_padding_is_not_text():
    watch = watched()
    step(watch, 0, 1)
    assert step(watch, END, 1) == [True, False]
    assert step(watch, 5, 1) == [True, False]
    assert texts(watch) == ["a", "bbb"]
    assert [(row.finish, row.tokens) for row in watch.rows] == [("eos", 2), ("", 3)]
    assert step(watch, 5, END) == [True, True]


def test_a_stop_string_ends_its_row_alone():
    watch = watched(stops=("ab",))
    step(watch, 0, 0)
    assert step(watch, 1, 2) == [True, False]
    assert [row.finish for row in watch.rows] == ["stop string", ""]


def test_a_step_may_bring_several_tokens():
    watch = TokenWatch([Transcript(letters, stops=("cd",))], {END}, lambda: False, length=3)
    assert watch(torch.tensor([[0, 0, 0, 1, 2]]), None).tolist() == [False]
    assert (texts(watch), watch.step) == (["b"], 2)  # “c” may begin the stop text
    assert watch(torch.tensor([[0, 0, 0, 1, 2, 4]]), None).tolist() == [False]
    assert watch(torch.tensor([[0, 0, 0, 1, 2, 4, 2, 3, 5]]), None).tolist() == [True]
    assert (texts(watch), watch.step) == (["bce"], 6)
    assert (watch.rows[0].finish, watch.rows[0].tokens) == ("stop string", 5)


def test_what_was_guessed_behind_an_end_token_is_no_text():
    watch = TokenWatch([Transcript(letters)], {END}, lambda: False, length=1)
    assert watch(torch.tensor([[0, 1, END, 2, 3]]), None).tolist() == [True]
    assert texts(watch) == ["b"]
    assert (watch.rows[0].finish, watch.rows[0].tokens) == ("eos", 2)


def test_without_end_tokens_any_token_is_text():
    watch = TokenWatch([Transcript(lambda ids: "x" * len(ids))], set(), lambda: False)
    assert step(watch, END) == [False]
    assert watch.rows[0].text == "x"


def test_stop_ends_every_row_with_the_token_that_was_drawn():
    pressed = threading.Event()
    watch = watched(stopped=pressed.is_set)
    step(watch, 0, END)
    pressed.set()
    assert step(watch, 1, 1) == [True, True]
    assert texts(watch) == ["ab", ""]
    assert [row.finish for row in watch.rows] == ["stopped", "eos"]


def test_a_cancelled_watch_ends_every_row_at_the_next_token():
    watch = watched()
    assert step(watch, 0, 0) == [False, False]
    watch.cancel()
    assert step(watch, 1, 1) == [True, True]
    assert [row.finish for row in watch.rows] == ["stopped", "stopped"]


def test_end_gives_its_reason_to_the_rows_that_still_grow():
    watch = watched()
    step(watch, END, 0)
    watch.end("length")
    assert [row.finish for row in watch.rows] == ["eos", "length"]


@pytest.mark.parametrize(
    ("rows", "ids", "mask"),
    [
        ([[1, 2, 3]], [[1, 2, 3]], [[1, 1, 1]]),
        ([[1, 2, 3], [4]], [[1, 2, 3], [7, 7, 4]], [[1, 1, 1], [0, 0, 1]]),
        ([[5], [1, 7], [6, 6]], [[7, 5], [1, 7], [6, 6]], [[0, 1], [1, 1], [1, 1]]),
    ],
)
def test_short_rows_are_padded_on_the_left_and_masked(rows, ids, mask):
    padded, seen = left_pad(rows, 7)
    assert padded.tolist() == ids
    assert seen.tolist() == mask
    assert padded.dtype == seen.dtype == torch.int64
    assert padded.shape == seen.shape == (len(rows), max(map(len, rows)))
