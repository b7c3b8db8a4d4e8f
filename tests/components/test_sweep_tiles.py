"""What a grid shows of a result: words, what differs, why there is none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import rooms, sweep_tiles
from components.modality import Tile
from models.errors import PlaygroundError
from models.types import Output, Request, Run

REQUEST = Request(model="text/story-gpt", inputs={"prompt": "Once"})


def text(words, prompt="Once"):
    return Output("text", 0, text=prompt + words, meta={"prompt_chars": len(prompt)})


def run(*outputs, name="r", status="done", error=None):
    return Run(name, "me", "j", REQUEST, status, 0.0, list(outputs), {}, error)


def nothing(output):
    raise AssertionError("no bytes are needed")


def test_a_text_is_its_own_words_after_the_prompt():
    tile = sweep_tiles.tile(run(text(" upon a time")), nothing)
    assert (tile.kind, tile.text, tile.note, tile.version) == ("text", "upon a time", "", "r")
    assert len(sweep_tiles.tile(run(text(" word" * 500)), nothing).text) <= sweep_tiles.TEXT_CHARS


def test_a_cell_without_a_result_says_why():
    failed = run(status="failed", error={"message": "Too large.", "code": "x"})
    assert sweep_tiles.tile(failed, nothing).note == "Too large."
    assert sweep_tiles.tile(run(status="stopped"), nothing).note == "Stopped before there was anything."
    assert sweep_tiles.tile(run(text(" a"), status="stopped"), nothing).note == "Stopped before it was finished."


def test_beside_a_reference_it_says_what_differs():
    one, other = run(text(" the cat sat"), name="a"), run(text(" the dog sat"), name="b")
    tile = sweep_tiles.tile(other, nothing, one)
    assert tile.parts == (("=", "the "), ("-", "cat "), ("+", "dog "), ("=", "sat"))
    assert tile.version == "b/a"
    assert sweep_tiles.tile(replace(one, id="c"), nothing, one).note == "The same words."
    assert sweep_tiles.tile(one, nothing, one).parts == ()  # the reference itself is shown as it is


@given(st.text(), st.text())
def test_the_parts_of_a_difference_make_up_both_texts(before, after):
    tile = sweep_tiles.difference(text(before, ""), text(after, ""))
    kept = {how: "".join(part for one, part in tile.parts if one in ("=", how)) for how in "+-"}
    assert kept["+"] == sweep_tiles.words(text(after, "")).text
    assert "".join(kept["-"].split()) == "".join(sweep_tiles.words(text(before, "")).text.split())


@pytest.mark.parametrize(
    ("fault", "words"),
    [(PlaygroundError("Its file was cleared."), "Its file was cleared."), (ZeroDivisionError(), "ZeroDivisionError")],
)
def test_a_cell_that_cannot_be_drawn_says_so_and_takes_nothing_else_away(monkeypatch, fault, words):
    def cell(output, read):
        raise fault

    room = replace(rooms.of(REQUEST.model), cells={"text": cell})
    monkeypatch.setattr(rooms, "of", lambda model: room)
    assert words in sweep_tiles.tile(run(text(" a")), nothing).note


def test_a_room_draws_its_own_cells_and_differences(monkeypatch):
    room = replace(
        rooms.of(REQUEST.model), cells={"text": lambda output, read: Tile("seen", data=read(output))},
        differences={"text": lambda before, after, read: Tile("text", text=f"{before.text}>{after.text}")},
    )  # fmt: skip
    monkeypatch.setattr(rooms, "of", lambda model: room)
    tile = sweep_tiles.tile(run(text(" a")), lambda output: b"bytes")
    assert (tile.kind, tile.data) == ("seen", b"bytes")
    assert sweep_tiles.tile(run(text(" b"), name="b"), nothing, run(text(" a"), name="a")).text == "Once a>Once b"
