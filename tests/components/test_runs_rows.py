"""Rows of the Runs page: what acts on all that a row stands for, what the address keeps, what a result is called."""

import pytest

from components import presence
from models import measures
from models.finding import Filter
from models.types import Request
from tests.components.library_steps import OWNER, PAGE, rows, save, search
from tests.components.page_steps import messages, press, said, widget
from tests.stored import make_run


@pytest.fixture(autouse=True)
def _me(monkeypatch):
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)


def test_a_cell_made_at_once_with_others_does_not_claim_their_seconds(pages):
    stats = {"seconds": 6.0, "tokens": 160, "tokens_per_s": 67.0}
    save(pages, "alone", "dragon", stats=stats)
    save(pages, "cell", "boat", stats={**stats, "together": 12})
    assert "6.0 s · 160 tokens, 67 per second" in said(pages.open(PAGE, run="alone"))
    told = said(pages.open(PAGE, run="cell"))
    assert "6.0 s at once with 11 others · 160 tokens" in told
    assert "per second" not in told
    share = next(one for one in measures.COMMON if one.name == "run_seconds")
    (cell,) = (run for run in pages.store.runs(OWNER) if run.id == "cell")
    assert share.of(cell) == 0.5


def test_star_mark_and_delete_of_a_sweeps_row_act_on_all_its_cells(pages):
    for number in range(3):
        save(pages, f"cell-{number}", "dragon", at=1000.0 + number, job="sweep", purpose="sweep", seed=number)
    save(pages, "single", "boat")
    page = pages.open(PAGE)
    cells = {f"cell-{number}" for number in range(3)}
    assert widget(page, "button", "found-star-cell-2").label == "Star all 3"
    press(page, "found-star-cell-2")
    assert set(pages.store.found_ids(OWNER, Filter(starred=True))) == cells
    pages.store.star(OWNER, ["cell-0"], False)
    page = pages.open(PAGE)
    press(page, "found-star-cell-2")  # not all have one: it gives, it does not take
    assert widget(page, "button", "found-star-cell-2").label == "★ Starred all 3"
    press(page, "found-star-cell-2")
    assert pages.store.found_ids(OWNER, Filter(starred=True)) == []
    press(page, "found-mark-cell-2")
    assert "Compare 3" in [item.label for item in page.button]
    press(page, "library-delete")
    assert "3 results deleted" in said(page)
    assert rows(page) == ["single"]


def test_a_name_of_compared_results_begins_with_a_word(pages):
    request = Request(model="text/story-gpt", inputs={"prompt": "Lily"}, seed=7)
    for name in ("a", "b"):
        run = make_run(name, f"Lily{'.!'[name == 'b']} She ran {name}", owner=OWNER, job=name, request=request)
        run.outputs[0].meta["prompt_chars"] = 4
        pages.store.save_run(run)
    told = said(pages.open(PAGE, marked="a,b", beside="yes"))
    assert "She ran a" in told
    assert ". She" not in told.replace("Lily. She", "")


def plain(value):
    """Return a value of the address: the testing tool gives it as it is, or in a list."""
    return value[0] if isinstance(value, list) else value


def test_a_reload_finds_search_marks_and_comparison_by_the_address(pages):
    for name in ("a", "b", "c"):
        save(pages, name, f"dragon {name}")
    save(pages, "hers", "dragon of hers", owner="else")
    page = search(pages.open(PAGE), "dragon")
    press(press(page, "found-mark-a"), "found-mark-b")
    press(page, "library-compare")
    address = {name: plain(value) for name, value in dict(page.query_params).items()}
    assert address == {"search": "dragon", "marked": "a,b", "beside": "yes"}
    there = pages.open(PAGE, **address)
    assert "What differs" in said(there)
    press(there, "library-back")
    assert widget(there, "text_input", "library-text").value == "dragon"
    assert "beside" not in dict(there.query_params)
    other = pages.open(PAGE, search="dragon b", marked="a,hers,nothing," + "x" * 999)
    assert rows(other) == ["b"]
    assert plain(dict(other.query_params)["marked"]) == "a"


def test_a_mark_of_a_run_that_another_tab_deleted_is_none(pages):
    for name in ("a", "b", "c"):
        save(pages, name, "dragon")
    page = pages.open(PAGE)
    for name in ("a", "b", "c"):
        press(page, f"found-mark-{name}")
    pages.store.delete(OWNER, ["b"])
    page.run()
    assert "Compare 2" in [item.label for item in page.button]
    press(page, "library-compare")
    pages.store.delete(OWNER, ["c"])
    page.run()
    assert "1 of the marked results is not there any more" in " ".join(messages(page))
    assert rows(page) == ["a"]
