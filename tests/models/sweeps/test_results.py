"""What came of a sweep: its table, its page, and how its cells are run."""

import csv
import io
import json
import re

import pyarrow.parquet
import pytest

from models.catalog import load_catalog
from models.errors import BadInput
from models.runtime.engine import StopSignal
from models.runtime.sweeping import run
from models.settings import Settings
from models.sweeps import measured, results
from models.sweeps.cells import plan
from models.sweeps.order import middle_first
from models.sweeps.page import to_html
from models.sweeps.results import Result
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request
from tests.fakes import FakeWords
from tests.models.runtime.scripted import Clock

CATALOG = load_catalog(Settings(), strict=False)
STORY = "text/story-gpt"


def planned(*axes, prompt="Once"):
    request = Request(model=STORY, inputs={"prompt": prompt}, params={"max_new_tokens": 4})
    return plan(CATALOG, Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes)))


def ran(found, engine=None, **more):
    return {one.cell.number: one for one in run(engine or FakeWords(), middle_first(found), **more)}


def test_each_cell_that_differs_is_run_once_and_tells_its_row():
    found = planned(("do_sample", (False, True)), ("temperature", (0.5, 1.0)))
    engine = FakeWords()
    made = ran(found, engine)
    assert len(engine.ran) == 3
    table = results.rows(found, made, {0: {"words": 4.0}})
    assert [row["state"] for row in table] == ["computed", "same", "computed", "computed"]
    assert [row["words"] for row in table] == [4.0, 4.0, None, None]
    assert table[0]["output_sha256"] == table[1]["output_sha256"] == made[0].run.output_sha256 != ""
    assert [(row["do_sample"], row["temperature"]) for row in table] == [(a, b) for a in (False, True)
                                                                         for b in (0.5, 1.0)]  # fmt: skip


def test_what_is_kept_is_not_made_again():
    found = planned(("seed", (0, 1, 2)))
    first = ran(found)
    kept = {one.run.request.canonical(): one.run for one in first.values() if one.cell.number != 1}
    engine = FakeWords()
    again = ran(found, engine, find=lambda request: kept.get(request.canonical()))
    assert [request.seed for request in engine.ran] == [1]
    assert [again[at].state for at in range(3)] == ["cached", "computed", "cached"]


def test_a_cell_that_fails_says_why_in_its_place_and_the_rest_goes_on():
    class Failing(FakeWords):
        def generate(self, request, stop=None):
            if request.seed == 1:
                raise BadInput("No room for seed 1.")
            return super().generate(request, stop)

    found = planned(("seed", (0, 1, 2)))
    table = results.rows(found, ran(found, Failing()))
    assert [row["state"] for row in table] == ["computed", "failed", "computed"]
    assert table[1]["error"] == "No room for seed 1."
    assert table[1]["output_sha256"] == ""


def test_stop_keeps_what_is_done_and_makes_no_more():
    found, stop = planned(("seed", (0, 1, 2))), StopSignal()
    made = []
    for one in run(FakeWords(), middle_first(found), stop=stop):
        made.append(one.cell.number)
        stop.request()
    assert made == [1]
    table = results.rows(found, {1: Result(found.cells[1])})
    assert [row["state"] for row in table] == ["waiting"] * 3


def test_a_budget_begins_behind_the_first_cell_and_takes_what_is_there():
    found = planned(("seed", (0, 1, 2, 3, 4)))
    clock, kept = Clock(0.0), ran(found)[3].run

    class Slow(FakeWords):
        def generate(self, request, stop=None):
            clock.pass_s(6.0)
            return super().generate(request, stop)

    made = list(run(Slow(), found.distinct, find=lambda request: kept if request.seed == 3 else None,
                    budget_s=10, clock=lambda: clock.now))  # fmt: skip
    # the first one loads the model; of the 10 seconds behind it the second takes 6, and 4 are left for the third
    assert [(one.cell.number, one.cached) for one in made] == [(0, False), (1, False), (2, False), (3, True)]


def test_with_a_budget_no_more_are_made_at_once_than_end_in_what_is_left_of_it():
    found = planned(("seed", tuple(range(12))))
    clock, batches = Clock(0.0), []

    class AtOnce(FakeWords):
        def generate(self, request, stop=None):
            batches.append(1)
            clock.pass_s(2.0)
            return super().generate(request, stop)

        def generate_together(self, requests, stop=None):
            batches.append(len(requests))
            clock.pass_s(2.0 * len(requests))
            for index, request in enumerate(requests):
                for event in FakeWords.generate(self, request, stop):
                    yield index, event

    asked = []

    def fitting(requests, left_s):
        asked.append(left_s)
        return max(1, min(len(requests), int(left_s // 2)))

    made = list(run(AtOnce(), found.distinct, budget_s=15, clock=lambda: clock.now, fitting=fitting,
                    group=lambda requests: min(4, len(requests))))  # fmt: skip
    assert (batches, asked) == ([1, 4, 3, 1], [15.0, 7.0, 1.0])
    assert len(made) == 9


def test_the_table_is_csv_and_parquet():
    found = planned(("stop", (["=1+1"], ["b"])), ("top_k", (None, 5)), ("temperature", (1, 0.5)))
    table = results.rows(found, ran(found), {0: {"length": 3}})
    read = list(csv.DictReader(io.StringIO(results.to_csv(table))))
    assert len(read) == 8
    assert (json.loads(read[0]["stop"]), read[0]["top_k"], read[1]["top_k"]) == (["=1+1"], "", "")
    assert [row["temperature"] for row in read[:2]] == ["1", "0.5"]
    assert (read[0]["length"], read[7]["length"]) == ("3", "")
    whole = pyarrow.parquet.read_table(io.BytesIO(results.to_parquet(table))).to_pylist()
    assert [row["cell"] for row in whole] == list(range(8))
    assert [row["temperature"] for row in whole[:2]] == [1.0, 0.5]
    assert [row["top_k"] for row in whole[:3:2]] == [None, 5]


def test_no_cell_of_a_table_is_a_formula():
    assert results.to_csv([{"a": "=HYPERLINK(1)", "b": -2}]).splitlines()[1] == "'=HYPERLINK(1),-2"


def test_the_page_holds_everything_and_nothing_in_it_runs():
    evil = "<script>alert(1)</script>{{7*7}}"
    found = planned(("inputs.prompt", (evil, "b")), ("seed", (0, 1)), ("temperature", (0.5, 1.0)), ("top_k", (3, 9)),
                    prompt="</pre><img src=x>")  # fmt: skip
    page = to_html(CATALOG, found, ran(found))
    assert "<script>alert" not in page
    assert "{{7*7}}" in page
    assert "<img src=x>" not in page
    assert page.count('role="tab"') == 2
    assert page.count('class="cell"') == 16
    assert not re.search(r"<[a-z]+[^>]* (src|href)=", page)  # nothing is fetched
    assert "16 of 16 cells" in page


def test_pictures_and_sounds_lie_in_the_page():
    found = planned(("seed", (0, 1)))
    made = ran(found)
    made[0].run.outputs[:] = [Output("image", data=b"\x89PNG", media_type="image/png", meta={"width": 512})]
    made[1].run.outputs[:] = [Output("audio", data=b"RIFF", media_type="audio/wav")]
    page = to_html(CATALOG, found, made)
    assert 'src="data:image/png;base64,iVBORw==" alt="seed 0" class="smooth"' in page
    assert 'src="data:audio/wav;base64,UklGRg==" aria-label="seed 1"' in page


@pytest.mark.parametrize("many", [1, 2])
def test_a_page_of_few_axes_has_no_tabs_and_no_strip(many):
    found = planned(*[("seed", (0, 1)), ("temperature", (0.5, 1.0))][:many])
    page = to_html(CATALOG, found, {})
    assert 'role="tab"' not in page
    assert 'type="range"' not in page
    assert page.count("Not made.") == len(found.cells)


def test_a_page_of_one_axis_has_no_empty_headings():
    page = to_html(CATALOG, planned(("temperature", (0.5, 1.0))), {})
    assert page.count("<th") == page.count('<th scope="row"') == 2
    both = to_html(CATALOG, planned(("temperature", (0.5, 1.0)), ("seed", (0, 1))), {})
    assert both.count('<th scope="col"') == both.count('<th scope="row"') == 2


def test_texts_have_no_size_of_a_file_to_measure_and_pictures_have():
    settings, found = Settings(), planned(("seed", (0, 1)))
    made = ran(found)
    names = {one.name for one in measured.of_sweep(CATALOG, settings, found, made)}
    assert "run_seconds" in names
    assert "file_kb" not in names
    made[0].run.outputs[:] = [Output("image", data=b"\x89PNG", media_type="image/png")]
    assert "file_kb" in {one.name for one in measured.of_sweep(CATALOG, settings, found, made)}


def test_the_page_speaks_in_labels_not_in_names_of_fields():
    page = to_html(CATALOG, planned(("inputs.prompt", ("A", "B")), ("seed", (0, 1)), ("max_new_tokens", (3, 4)),
                                    ("top_k", (3, 9))), {})  # fmt: skip
    assert re.search("<h1>(.*?)</h1>", page)[1] == "Story GPT: Prompt × Seed × Length × Top-k"
    assert 'aria-label="Length"' in page
    assert '<label for="strip">Top-k</label>' in page
    assert "inputs.prompt" not in page.split("<details>")[0]


def test_the_page_tells_what_is_alike_in_all_cells_alone():
    told = re.compile(r'<p class="told">(.*?)</p>')
    page = to_html(CATALOG, planned(("temperature", (0.5, 1.0)), prompt="</p><img src=x>"), {})
    assert told.search(page)[1].startswith("Story GPT · “&lt;/p&gt;&lt;img src=x&gt;” · seed ")
    varied = to_html(CATALOG, planned(("seed", (0, 1)), ("inputs.prompt", ("A", "B"))), {})
    assert told.search(varied)[1] == "Story GPT · 0 of 4 cells"
