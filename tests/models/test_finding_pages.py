"""Runs come in pages, the newest first: none twice, none left out, those of one job or one sweep as one row."""

import time

import pytest
import sqlalchemy as sa

from models import finding, fulltext
from models.finding import Filter
from models.shelf import UNDO_S
from models.types import Request
from tests.models.shelf_steps import counted, names, save
from tests.stored import make_run


class TestPages:
    def test_pages_go_on_behind_the_last_row_whatever_comes_meanwhile(self, store):
        for number in range(25):
            save(store, f"run-{number:02}", at=1000.0 + number // 3)  # several at the same moment
        first = store.find("ann", Filter(), limit=10)
        save(store, "newer", at=9999.0)
        store.delete("ann", [first.rows[-1].run.id])
        second = store.find("ann", Filter(), first.next, 10)
        third = store.find("ann", Filter(), second.next, 10)
        found = [one.run.id for page in (first, second, third) for one in page.rows]
        assert found == [f"run-{number:02}" for number in range(24, -1, -1)]
        assert third.next is None

    def test_a_page_that_is_just_full_has_no_next(self, store):
        for number in range(4):
            save(store, str(number), at=float(number))
        assert store.find("ann", Filter(), limit=4).next is None
        assert store.find("ann", Filter(), limit=3).next == (1.0, "1")

    def test_the_runs_of_a_job_are_one_row(self, store):
        save(store, "before", at=1.0)
        for number in range(12):
            save(store, f"cell-{number:02}", f"temperature {number}", at=2.0 + number, job="sweep", seed=number % 2)
        save(store, "between", at=5.5)
        save(store, "after", at=99.0)
        rows = store.find("ann", Filter()).rows
        assert [(found.run.id, found.count) for found in rows] == [
            ("after", 1), ("cell-11", 12), ("between", 1), ("before", 1),
        ]  # fmt: skip
        rows = store.find("ann", Filter(seed=0)).rows
        assert [(found.run.id, found.count) for found in rows] == [("cell-10", 6)]
        assert names(store, text="temperature 3") == ["cell-03"]
        assert store.found_ids("ann", Filter(seed=1), job="sweep") == [f"cell-{n:02}" for n in (11, 9, 7, 5, 3, 1)]
        page = store.find("ann", Filter(), limit=2)
        assert [found.run.id for found in store.find("ann", Filter(), page.next).rows] == ["between", "before"]

    def test_a_look_into_a_result_is_no_row(self, store):
        store.save_run(make_run("study", request=Request(model="text/m", study="steps")))
        assert names(store) == []

    # few runs have the words; many have, and more than two looks are needed; the first looks are enough
    @pytest.mark.parametrize(("few", "first"), [(2000, 0), (0, 2), (0, 99)])
    def test_a_search_finds_the_same_whichever_way_it_goes(self, store, monkeypatch, few, first):
        monkeypatch.setattr(finding, "FEW", few)
        monkeypatch.setattr(finding, "LOOKED_FIRST", first)
        monkeypatch.setattr(finding, "AT_ONCE", 2)
        for number in range(30):
            words = "a dragon sleeps" if number % 3 else "a boat"
            save(store, f"run-{number:02}", words, at=1000.0 + number // 4, job=f"job-{number // 5}", seed=number % 2)
        save(store, "old-of-job-5", "a dragonfly", at=1.0, job="job-5")
        save(store, "his", "a dragon", at=5000.0, job="job-5", owner="bob")
        store.delete("ann", ["run-29"])
        asked = Filter(text="drag")
        whole = store.find("ann", asked).rows
        assert [(found.run.id, found.count) for found in whole] == [
            ("run-28", 4), ("run-23", 3), ("run-19", 3), ("run-14", 4), ("run-08", 3), ("run-04", 3),
        ]  # fmt: skip
        place, found = None, []
        while True:
            page = store.find("ann", asked, place, 1)
            found += [one.run.id for one in page.rows]
            if page.next is None:
                break
            place = page.next
        assert found == [one.run.id for one in whole]
        assert store.count("ann", asked, 100) == len(store.found_ids("ann", asked)) == 20
        assert store.count("ann", Filter(text="drag", seed=1), 100) == 9
        assert names(store, text="drag", seed=1)[:2] == ["run-25", "run-23"]
        assert names(store, text="drag elephant") == names(store, text="!") == []
        assert store.count("ann", Filter(text="!"), 100) == store.count("ann", Filter(text="elephant"), 100) == 0

    @pytest.mark.parametrize("spelled", [0, 24])
    @pytest.mark.parametrize("at_once", [1, 2, 64])
    def test_what_one_second_made_is_in_order_on_pages_of_any_size(self, store, monkeypatch, at_once, spelled):
        monkeypatch.setattr(finding, "AT_ONCE", at_once)
        monkeypatch.setattr(fulltext, "SPELLED_MOST", spelled)
        order = [7, 2, 9, 4, 0, 5, 1, 8, 3, 6]
        for number in order:  # two in each tenth of a second, saved as they end
            save(store, f"run-{number}", f"dragons and dragon{number}", at=1000.0 + number // 2 / 10)
        save(store, "later", "a dragon", at=1001.0)
        save(store, "before", "a dragon", at=999.0)
        place, found = None, []
        while True:
            page = store.find("ann", Filter(text="dragon"), place, 3)
            found += [one.run.id for one in page.rows]
            if (place := page.next) is None:
                break
        assert found == ["later", *(f"run-{number}" for number in range(9, -1, -1)), "before"]

    def test_a_run_that_is_saved_again_with_another_time_moves(self, store):
        for number in range(3):
            save(store, f"run-{number}", "a dragon", at=1000.0 + number)
        store.rename("ann", "run-0", "Best")
        save(store, "run-0", "a dragon", at=5000.0)
        assert names(store, text="dragon") == ["run-0", "run-2", "run-1"]
        assert names(store, text="best") == ["run-0"]
        assert counted(store, "words") == [3]

    @pytest.mark.parametrize("at", [-5.0, float("inf"), 1e300, 0.0])
    def test_a_run_of_any_time_is_kept_and_found(self, store, at):
        save(store, "odd", "a dragon", at=at)
        save(store, "one", "a dragon", at=1000.0)
        assert set(names(store, text="dragon")) == {"odd", "one"}

    @pytest.mark.sqlite
    def test_a_search_walks_the_words_of_one_owner_and_no_further_than_a_page(self, store):
        for number in range(40):
            save(store, f"run-{number}", "a dragon dragonfly", at=1000.0 + number, owner="ann" if number % 4 else "bob")
        said = []
        sa.event.listen(store._engine, "before_cursor_execute", lambda *given: said.append((given[2], given[3])))
        assert len(names(store, "bob", text="dragon")) == 10
        walks = [(query, values) for query, values in said if " MATCH " in query]
        assert len(walks) == 1
        assert walks[0][1][0].startswith("keys : ")
        assert '"dragonfly"' in walks[0][1][0]
        assert "*" not in walks[0][1][0]  # whole words alone are walked
        with store._read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {walks[0][0]}", walks[0][1]).all()
        assert not any("TEMP B-TREE" in row[3] for row in plan), plan

    @pytest.mark.sqlite
    def test_the_first_page_reads_an_index_and_sorts_nothing(self, store):
        for number in range(50):
            save(store, str(number), at=float(number))
        with store._read() as connection:
            said = []

            def note(conn, cursor, statement, parameters, context, many):
                said.append((statement, parameters))

            sa.event.listen(store._engine, "before_cursor_execute", note)
            finding.rows(connection, "ann", Filter(), None, 20)
            sa.event.remove(store._engine, "before_cursor_execute", note)
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said[-1][0]}", said[-1][1]).all()
        steps = [row[3] for row in plan]
        assert any("library_by_owner" in step for step in steps), steps
        assert any("library_by_job" in step for step in steps), steps
        assert not any("TEMP B-TREE" in step for step in steps), steps


class TestSweeps:
    @pytest.fixture(autouse=True)
    def _fill(self, store):
        for number in range(6):
            save(
                store, f"cell-{number}", f"dragon {number}", at=10.0 + number, job=f"job-{number // 2}", purpose="sweep"
            )
        save(store, "single", "a dragon", at=12.5)
        save(store, "his", "a dragon", at=1.0, owner="bob", job="job-0", purpose="sweep")
        for job in ("job-0", "job-1"):
            store.note_sweep("ann", job, '{"a": 1}')

    def rows(self, store, owner="ann", **wanted):
        return [(found.run.id, found.count) for found in store.find(owner, Filter(**wanted)).rows]

    @pytest.mark.parametrize("text", ["", "dragon"])
    def test_all_jobs_of_a_sweep_are_one_row(self, store, text):
        assert self.rows(store, text=text) == [("cell-5", 2), ("cell-3", 4), ("single", 1)]
        store.note_sweep("ann", "job-2", '{"a": 1}')
        assert self.rows(store, text=text) == [("cell-5", 6), ("single", 1)]
        save(store, "cell-6", "dragon", at=20.0, job="job-1", purpose="sweep")
        assert self.rows(store, text=text)[0] == ("cell-6", 7)
        (found,) = store.found("ann", ["cell-0"])
        assert len(store.found_ids("ann", Filter(text=text), job=found.job)) == 7

    def test_its_file_is_the_owners_and_goes_with_its_last_run(self, store):
        assert store.sweep_of("ann", "cell-0") == store.sweep_of("ann", "cell-3") == '{"a": 1}'
        assert store.sweep_of("ann", "cell-5") == store.sweep_of("bob", "his") == store.sweep_of("bob", "cell-0") == ""
        now = time.time()
        store.delete("ann", [f"cell-{number}" for number in range(3)], now)
        store.drop_deleted(now + UNDO_S)
        assert counted(store, "sweeps") == [2]
        store.delete("ann", ["cell-3"], now)
        store.drop_deleted(now + UNDO_S)
        assert counted(store, "sweeps") == [0]

    def test_it_moves_with_its_owner_and_is_forgotten(self, store):
        store.move_owner("ann", "user:ann")
        assert self.rows(store, "user:ann", text="dragon") == [("cell-5", 2), ("cell-3", 4), ("single", 1)]
        assert store.sweep_of("user:ann", "cell-0") == '{"a": 1}'
        store.forget("user:ann")
        assert counted(store, "sweeps") == [0]
        assert self.rows(store, "bob") == [("his", 1)]
