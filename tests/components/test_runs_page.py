"""The Runs page over a fake engine: what was made is found, opened, named, compared, deleted, taken back, exported."""

import io
import json
import time
import zipfile

import pytest

from components import library_page, presence, session, share_menu
from models import causes, retention
from models.catalog import load_catalog
from models.errors import PlaygroundError
from models.sweeps import cells
from models.sweeps.spec import Axis, Sweep
from models.types import Request
from tests.components.library_steps import OWNER, PAGE, rows, save, search
from tests.components.page_steps import messages, press, said, settle, widget
from tests.stored import make_run


@pytest.fixture(autouse=True)
def _me(monkeypatch):
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)
    monkeypatch.setattr(share_menu, "_is_open", lambda box: True)  # AppTest opens none


def test_an_empty_list_says_what_to_do(pages):
    page = pages.open("Home.py")  # the links to other pages need the navigation
    page.switch_page(PAGE).run()
    assert not page.exception, page.exception
    assert "Nothing here yet" in said(page)
    assert rows(page) == []


def test_what_was_run_on_its_page_is_found_by_a_word_of_its_prompt(pages):
    page = pages.open("pages/text.py")
    page.text_area[0].set_value("A whale in the harbour")
    press(page, "run")
    settle(pages, page)
    page = pages.open(PAGE)
    assert len(rows(page)) == 1
    assert rows(search(page, "whal harb")) != []
    assert rows(search(page, "elephant")) == []
    assert "Nothing fits" in said(page)
    press(page, "library-clear-all")
    assert len(rows(page)) == 1
    assert widget(page, "text_input", "library-text").value == ""


def test_a_row_says_what_made_it(pages):
    save(pages, "a", "A <b>dragon</b> *sang*", params={"temperature": 0.3}, seed=12, at=time.time() - 7300,
         stats={"in_effect": {"seed": 12, "temperature": 0.3}})  # fmt: skip
    page = pages.open(PAGE)
    assert "A <b>dragon</b> *sang*" in said(page)
    assert "\\*sang\\*" in " ".join(item.value for item in page.markdown)
    assert "seed 12 · Temperature 0.3 · 2 hours ago" in said(page)


def test_the_words_of_a_reader_are_data(pages):
    save(pages, "a", "dragon")
    page = pages.open(PAGE)
    for text in ('"', "dragon OR", "NEAR(", "*", "prompt:", "' OR 1=1 --", "\\", "(((", "{a}"):
        search(page, text)


def test_filters_narrow_and_are_cleared(pages):
    save(pages, "a", "dragon", seed=1)
    save(pages, "b", "dragon", seed=2, model="image/emoji-gan")
    pages.store.tag(OWNER, "a", ["talk"])
    page = pages.open(PAGE)
    widget(page, "number_input", "library-seed").set_value(2)
    assert rows(page.run()) == ["b"]
    press(page, "library-clear")
    widget(page, "multiselect", "library-tags").set_value(["talk"])
    assert rows(page.run()) == ["a"]
    press(page, "library-clear")
    widget(page, "multiselect", "library-models").set_value(["image/emoji-gan"])
    assert rows(page.run()) == ["b"]
    pages.store.delete(OWNER, ["b"])
    pages.store.drop_deleted(time.time() + 10_000)
    assert rows(page.run()) == ["a"]  # the model is no choice any more


def test_a_star_is_kept_and_filters(pages):
    save(pages, "a", "dragon")
    save(pages, "b", "boat")
    page = pages.open(PAGE)
    assert widget(page, "button", "found-star-a").label == "Star"
    press(page, "found-star-a")
    assert widget(page, "button", "found-star-a").label == "★ Starred"  # filled: no icon of the font's is
    widget(page, "toggle", "library-starred").set_value(True)
    assert rows(page.run()) == ["a"]
    press(page, "found-star-a")
    assert rows(page) == []


def test_pages_of_a_long_list(pages):
    for number in range(45):
        save(pages, f"run-{number:02}", f"dragon {number}", at=1000.0 + number)
    page = pages.open(PAGE)
    first = rows(page)
    second = rows(press(page, "library-older"))
    third = rows(press(page, "library-older"))
    assert [*first, *second, *third] == [f"run-{number:02}" for number in range(44, -1, -1)]
    assert rows(press(page, "library-newer")) == second
    assert rows(search(page, "dragon")) == first  # what is newly asked for begins at its first page


def test_a_sweep_is_one_row_that_opens(pages):
    for number in range(12):
        save(pages, f"cell-{number:02}", "dragon", at=1000.0 + number, job="sweep", purpose="sweep", seed=number)
    save(pages, "single", "boat")
    page = pages.open(PAGE)
    assert rows(page) == ["single", "cell-11"]
    assert "Sweep of 12 cells: dragon" in said(page)
    press(page, "found-open-cell-11")
    assert len(rows(page)) == 12
    press(page, "found-open-cell-03")
    assert "seed 3" in said(page)
    press(page, "library-whole")
    press(page, "library-delete-job")
    assert rows(page) == ["single"]
    press(page, "library-undo")
    assert rows(page) == ["single", "cell-11"]


def test_a_sweep_that_took_several_jobs_is_one_row_its_grid_and_shared_as_a_sweep(pages):
    asked = Sweep(Request(model="text/story-gpt", inputs={"prompt": "A cat"}), (Axis("seed", (0, 1, 2, 3)),))
    catalog = load_catalog(pages.jobs.settings)
    plan = cells.plan(catalog, asked)
    for cell in plan.cells[:3]:
        job = "first" if cell.number < 2 else "second"
        pages.store.save_run(make_run(f"{cell.number}" * 32, "A cat", owner=OWNER, request=cell.request, job=job,
                                      purpose="sweep", created_at=1000.0 + cell.number,
                                      stats={"cause": causes.cause(catalog, cell.request)}))  # fmt: skip
        pages.store.note_sweep(OWNER, job, asked.to_json())
    save(pages, "single", "boat")
    page = pages.open(PAGE)
    assert rows(page) == ["single", "2" * 32]
    assert "Sweep of 3 cells: A cat" in said(page)
    press(page, f"found-open-{'2' * 32}")
    grid = next(data for item in page.get("bidi_component") if "states" in (data := json.loads(item.proto.json)))
    assert grid["states"] == "ccc."
    assert "1 of 4 cells is not made" in said(page)
    press(page, next(item.key for item in page.button if item.key.endswith("-share") and "grid" in item.key))
    press(page, next(item.key for item in page.button if item.key.endswith("-make")))
    (share,) = pages.store.shared(OWNER)
    assert (share.kind, share.cells, share.sweep) == ("sweep", (0, 1, 2), asked.to_json())
    page = pages.open("Home.py")
    page.query_params["run"] = "2" * 32
    page.query_params["whole"] = "yes"
    page.switch_page(PAGE).run()
    press(page, next(item.key for item in page.button if item.key.endswith("-use")))
    assert page.text_area[0].value == "A cat"
    assert any("Go on: 1 cell left" in item.label for item in page.button)


def test_its_own_page_has_a_large_sweep_of_several_jobs_as_one_row_too(pages):
    for number in range(26):
        job = "first" if number < 20 else "second"
        save(pages, f"cell-{number:02}", "dragon", at=1000.0 + number, job=job, purpose="sweep", seed=number)
    for job in ("first", "second"):
        pages.store.note_sweep(OWNER, job, "{}")
    save(pages, "single", "boat")
    page = pages.open("pages/text.py")
    assert [item.label.split(" · ")[0] for item in page.expander if "results" in item.label] == ["26 results"]


def test_the_list_as_a_table_has_a_row_for_each_run_and_stays_so(pages):
    save(pages, "a", "A [dragon] *sang*", params={"temperature": 0.3}, seed=12, at=time.time() - 60,
         stats={"in_effect": {"seed": 12, "temperature": 0.3}})  # fmt: skip
    for number in range(2):
        save(pages, f"cell-{number}", "boat", at=1000.0 + number, job="sweep", purpose="sweep", seed=number)
    page = pages.open(PAGE)
    tiles = len(page.get("bidi_component"))
    widget(page, "button_group", "library-look").set_value("Table").run()
    assert not page.exception, page.exception
    assert rows(page) == ["a", "cell-1"]
    words = said(page)
    assert "seed 12 · Temperature 0.3" in words
    assert "01 Jan 1970" in words
    buttons = {item.key: item.label for item in page.button}
    assert buttons["found-open-a"] == r"A \[dragon\] \*sang\*"
    assert buttons["found-open-cell-1"] == r"Sweep of 2 cells\: boat"
    assert len(page.get("bidi_component")) <= tiles
    press(page, "found-star-a")
    press(page, "found-mark-cell-1")
    assert widget(page, "button", "found-star-a").label == "★ Starred"
    assert widget(page, "button", "found-mark-cell-1").label == "Marked all 2"
    again = pages.open(PAGE)
    assert widget(again, "button_group", "library-look").value == "Table"
    press(again, "found-open-a")
    assert again.header[0].value == r"A \[dragon\] \*sang\*"


def test_a_run_is_opened_in_full_named_tagged_and_noted(pages):
    save(pages, "a", "dragon")
    page = press(pages.open(PAGE), "found-open-a")
    assert [item.key for item in page.button if item.key == "restore-a"]
    widget(page, "text_input", "library-title-a").set_value("My *best*")
    page.run()
    widget(page, "multiselect", "library-tags-a").set_value(["talk"])
    page.run()
    widget(page, "text_area", "library-note-a").set_value("for the slides")
    page.run()
    (found,) = pages.store.found(OWNER, ["a"])
    assert (found.title, found.tags, found.note) == ("My *best*", ("talk",), "for the slides")
    press(page, "library-back")
    assert rows(search(page, "slides best talk")) == ["a"]
    assert "My *best*" in said(page)


def test_use_these_settings_opens_the_page_with_all_filled(pages):
    save(pages, "a", "A dragon in the rain", params={"temperature": 0.4}, seed=99)
    page = pages.open("Home.py")
    page.switch_page(PAGE).run()
    press(page, "found-open-a")
    press(page, "restore-a")
    assert page.text_area[0].value == "A dragon in the rain"
    assert widget(page, "slider", "story-gpt.temperature").value == 0.4
    assert widget(page, "number_input", "story-gpt.seed").value == 99


def test_going_on_from_an_opened_run_opens_its_page(pages):
    save(pages, "a", "A dragon")
    page = pages.open("Home.py")
    page.switch_page(PAGE).run()
    press(page, "found-open-a")
    press(page, next(item.key for item in page.button if item.key.startswith("edit-")))
    assert page.text_area[0].value == "A dragon and more"


def test_no_address_shows_another_owners_run(pages):
    save(pages, "his", "SECRET", owner="somebody else")
    save(pages, "mine", "dragon")
    for query in ({"run": "his"}, {"run": "his", "whole": "yes"}, {"run": "nothing"}, {"run": "x" * 500}):
        page = pages.open(PAGE, **query)
        assert "There is no such result of yours" in said(page)
        assert "SECRET" not in said(page)
    assert rows(search(pages.open(PAGE), "secret")) == []
    page = pages.open(PAGE, run="mine")
    assert [item.key for item in page.button if item.key == "restore-mine"]


def test_delete_is_undone(pages):
    save(pages, "a", "dragon")
    save(pages, "b", "boat")
    page = press(pages.open(PAGE), "found-open-a")
    press(page, "detail-delete-a")
    assert rows(page) == ["b"]
    assert "1 result deleted" in said(page)
    press(page, "library-undo")
    assert sorted(rows(page)) == ["a", "b"]
    assert not [item for item in page.button if item.key == "library-undo"]


def test_an_undo_that_comes_too_late_is_told(pages):
    save(pages, "a", "dragon")
    save(pages, "b", "boat")
    page = press(pages.open(PAGE), "found-mark-a")
    press(page, "library-delete")
    pages.store.drop_deleted(time.time() + 10_000)
    press(page, "library-undo")
    assert "1 of 1 results are gone" in " ".join(messages(page))


def test_marked_runs_are_compared_with_only_what_differs(pages):
    save(pages, "a", "dragon", params={"temperature": 0.3, "top_p": 0.5})
    save(pages, "b", "dragon", params={"temperature": 1.2, "top_p": 0.5})
    save(pages, "c", "boat")
    page = press(press(pages.open(PAGE), "found-mark-a"), "found-mark-b")
    press(page, "library-compare")
    table = next(item.value for item in page.markdown if "What differs" in item.value)
    assert "Temperature" in table
    assert "Top" not in table
    assert "Seed" not in table
    press(page, "library-back")
    assert len(rows(page)) == 3
    press(page, "found-mark-b")
    assert widget(page, "button", "library-compare").disabled


def test_the_export_holds_files_with_their_settings_and_a_line_each(pages, monkeypatch):
    save(pages, "a", "dragon", params={"temperature": 0.3})
    save(pages, "b", "boat")
    pages.store.rename(OWNER, "a", "Best")
    here = session.Session(pages.jobs, type("Known", (), {"id": OWNER})(), session.runtime.catalog())
    with zipfile.ZipFile(io.BytesIO(library_page._zipped(here, ["a", "b", "not mine"]))) as archive:
        lines = [json.loads(line) for line in archive.read("runs.jsonl").decode().splitlines()]
        assert [line["id"] for line in lines] == ["a", "b"]
        assert (lines[0]["title"], lines[0]["request"]["params"]) == ("Best", {"temperature": 0.3})
        names = [name for line in lines for name in line["files"]]
        assert sorted([*names, "runs.jsonl"]) == sorted(archive.namelist())
        assert b"dragon and more" in archive.read(names[0])
    monkeypatch.setattr(library_page, "MOST_BYTES", 1)
    with zipfile.ZipFile(io.BytesIO(library_page._zipped(here, ["a", "b"]))) as archive:
        assert len(archive.read("runs.jsonl").splitlines()) == 1


def test_a_run_of_a_model_that_is_gone_is_shown_all_the_same(pages):
    save(pages, "a", "dragon", model="text/gone")
    page = pages.open(PAGE)
    assert rows(page) == ["a"]
    press(page, "found-open-a")
    assert "not here any more" in " ".join(messages(page))


def test_a_session_without_a_cookie_is_told_how_long_results_stay(pages):
    save(pages, "a", "dragon")
    assert "until you close or reload this page" in said(pages.open(PAGE))


def test_a_link_that_was_copied_here_opens_its_page(pages):
    from components import links

    packed = links.link_to("http://x/runs", Request(model="text/story-gpt", inputs={"prompt": "By link"})).split("r=")[
        1
    ]
    page = pages.open("Home.py")
    page.query_params["r"] = packed
    page.switch_page(PAGE).run()
    assert page.text_area[0].value == "By link"


class TestKept:
    def open(self, pages):
        page = pages.open(PAGE)
        page.session_state["library-kept"] = True
        page.run()
        assert not page.exception, page.exception
        return said(page)

    def test_a_menu_says_what_is_kept_the_limits_and_what_goes_next(self, pages):
        for number in range(3):
            save(pages, f"run-{number}", f"A *whale* {number}", at=1_700_000_000.0 + number)
        pages.store.star(OWNER, ["run-0"])
        assert "You have" not in said(pages.open(PAGE))  # not before it is opened
        words = self.open(pages)
        assert "You have 3 results, 1 with a star." in words
        assert "At most 2 GB of results in all are kept. The oldest go first. Results with a star stay." in words
        assert "A *whale* 1 (14 November 2023)" in words
        assert "A *whale* 0 (" not in words

    def test_after_a_look_it_says_how_many_go_and_names_nobody_else(self, pages):
        save(pages, "mine", "A whale", at=1000.0)
        save(pages, "his", "A boat", at=1000.0, owner="somebody-else")
        limits = retention.Limits(max_bytes=1)
        pages.store.kept = pages.store.kept_at(limits, 60.0)
        pages.jobs.settings = pages.jobs.settings.model_copy(update={"keep_bytes": 1})
        words = self.open(pages)
        assert "2 results go next, in about" in words
        assert "s; 1 of them yours." in words
        assert "somebody-else" not in words


def test_a_store_out_of_reach_is_a_sentence_on_the_page(pages, monkeypatch):
    save(pages, "mine", "A whale")

    def lost(*given, **named):
        raise PlaygroundError("The run index in the PostgreSQL database “runs” on db cannot be reached (closed).")

    monkeypatch.setattr(pages.store, "kinds", lost)
    page = pages.open("Home.py")
    page.switch_page(PAGE).run()
    assert not page.exception, page.exception
    assert "cannot be reached" in said(page)
