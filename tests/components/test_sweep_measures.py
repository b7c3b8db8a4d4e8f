"""What a page says of its sweep's measures: colours, curves, effects in words."""

import json
import re
import time
from functools import partial

import numpy as np
import pytest

from components import result, sweep_grid, sweep_measures
from models import measuring
from models.sweeps import cells, kept, whole
from models.sweeps.spec import Axis, Sweep
from models.text.kept import Kept, pack
from models.types import Request
from tests.components.page_steps import owner, press, said, settle, widget
from tests.fakes import FakeWords, catalog, view

PAGE = "pages/text.py"
MODEL = "text/story-gpt"


class WarmWords(FakeWords):
    """Write the more words the warmer it is, and one more for every second seed; the logits are kept."""

    def play(self, turn):
        self.steps = int(10 * turn.request.params.get("temperature", 0.8)) + turn.request.seed % 2
        yield from super().play(turn)
        ids = np.zeros(1, np.int32)
        kept = Kept(np.array([[self.steps, 0.0]], np.float16), ids, np.array([], np.int32))
        yield view(pack(kept), "application/octet-stream", what="logits", ids=[0], forced=[], whole=True)


ENGINE = WarmWords


@pytest.fixture
def grids(monkeypatch):
    """Return what each grid was last told to draw: AppTest draws no grid."""
    found = {}
    monkeypatch.setattr(sweep_grid, "draw", lambda key, **given: found.update(given))
    return found


def swept(pages, page, *axes):
    """Run a sweep on a page, as its form does, and draw the page again."""
    sweep = Sweep(Request(model=MODEL, inputs={"prompt": "A hen"}), tuple(Axis(*axis) for axis in axes))
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    settle(pages, press(page, "run"))
    me = owner(pages)
    pages.store.save_note(me, "text-sweep", {"spec": sweep.to_json(), "at": 4e9})
    pages.jobs.submit(me, [cell.request for cell in cells.plan(catalog(), sweep).distinct], "sweep")
    return settle(pages, pages.open(PAGE))


def choose(page, label, value):
    box = next(item for kind in ("selectbox", "multiselect") for item in getattr(page, kind) if item.label == label)
    box.set_value(value)
    page.run()
    assert not page.exception, page.exception
    return page


def measured(page):
    """Draw a page again until all that tells effects is measured, as its fragment does."""
    limit = time.monotonic() + 60
    while "Measuring: " in said(page) or "Comparing with what seeds alone do" in said(page):
        assert time.monotonic() < limit
        time.sleep(0.1)
        page.run()
    assert not page.exception, page.exception
    return page


def tables(page):
    """Return the tables of effects."""
    found = [item.value for item in page.markdown if item.value.startswith("| Step")]
    assert found
    return found


def curves(page):
    """Return the points of each chart."""
    charts = [json.loads(item.proto.spec) for item in page.get("vega_lite_chart")]
    return [chart["layer"][0]["data"]["values"] for chart in charts]


def encoded(chart):
    """Return what the last layer of a chart encodes, however deep it lies."""
    return chart["encoding"] if "encoding" in chart else encoded(chart["layer"][-1])


SEEDS = ("seed", (0, 1, 2, 3))


def test_a_measure_colours_the_grid_and_tells_its_effects(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 0.8, 1.2)), SEEDS)
    assert grids["heat"] is None
    page = choose(page, "Measure", "words")
    assert grids["heat"][:4] == [0, pytest.approx(1 / 9), 0, pytest.approx(1 / 9)]
    assert grids["heat"][-1] == 1
    assert "none at 4 words, full at 13 words" in said(page)
    page = measured(page)
    assert "Temperature 0.4 → 1.2 | words +8 words | **13.9 × seed noise**" in said(page)
    assert "corrected over all " in said(page)
    page = choose(page, "Show effects on", ["distinct_1"])
    assert "The same in all cells: Distinct-1." in said(page)


def rows(page):
    """Return the steps that are told, and their verdicts, by the words of a change's measure."""
    return {
        tuple(part.strip() for part in line.split("|")[1:4])
        for table in tables(page) for line in table.splitlines()[2:]
    }  # fmt: skip


def test_what_is_real_does_not_depend_on_what_is_shown_and_the_downloads_say_the_same(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 0.8, 1.2)), SEEDS)
    alone = rows(measured(choose(page, "Measure", "words")))
    assert len(alone) == 3
    others = ["characters", "bits_per_token", "changed_words"]
    together = rows(measured(choose(page, "Show effects on", others)))
    assert alone < together
    again = rows(measured(choose(page, "Measure", "characters")))
    assert {row for row in again if row[1].startswith("characters")} == {
        row for row in together if row[1].startswith("characters")
    }
    me = owner(pages)
    sweep = cells.plan(catalog(), Sweep(pages.engine.ran[-1].model_copy(update={"params": {}, "seed": 0}),
                                        (Axis("temperature", (0.4, 0.8, 1.2)), Axis(*SEEDS))))  # fmt: skip
    there = kept.found(sweep, kept.causes_of(catalog(), sweep), partial(pages.store.made, me))
    assert len(there) == 12
    read = partial(result.stored, pages.jobs)
    told = whole.measure(catalog(), pages.jobs.settings, pages.store, sweep, there, read, measuring.here,
                         size=lambda one: pages.store.path(f"sha256:{one.sha256}").stat().st_size).told  # fmt: skip
    in_file = {(one.step, one.change, f"**{one.verdict}**" if one.effect.verdict == "real" else one.verdict)
               for one in told}  # fmt: skip
    assert together <= {tuple(map(sweep_measures._part, row[:2])) + row[2:] for row in in_file}


def test_a_measure_of_pairs_takes_the_first_cell_of_the_same_seed_and_says_so(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 0.8, 1.2)), SEEDS)
    page = measured(choose(page, "Measure", "changed_words"))
    assert "Each cell is compared with Temperature 0.4 at the same seed." in said(page)
    assert {row[0].replace("\\", "") for row in rows(page)} == {"Temperature 0.8 → 1.2"}
    assert not any("no value" in table for table in tables(page))
    assert "steps from the reference itself are left out" in said(page)


def test_where_only_seeds_are_varied_a_measure_of_pairs_says_what_to_do(pages, grids):
    page = swept(pages, pages.open(PAGE), SEEDS)
    page = measured(choose(page, "Measure", "changed_words"))
    assert "Only seeds are varied, so no cell" in said(page)
    assert "vary a setting or a text, too" in said(page)


def test_with_fewer_seeds_nothing_is_said_to_be_real(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 1.2)), ("seed", (0, 1, 2)))
    page = measured(choose(page, "Measure", "words"))
    assert "too few seeds to tell (at least 6 needed)" in said(page)
    assert not any("**" in table for table in tables(page))


def test_of_times_no_effect_is_told(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 1.2)), SEEDS)
    page = measured(choose(page, "Measure", "run_seconds"))
    assert "no effects are shown" in said(page)
    assert grids["heat"] == [None] * 8  # all alike: no shade
    alike = re.search(r"All the same: ([\d.]+) s\.", said(page))
    assert alike
    (chart,) = [json.loads(item.proto.spec) for item in page.get("vega_lite_chart")]
    y = encoded(chart)["y"]
    (tick,) = y["axis"]["values"]  # else Vega writes "0.000000"
    assert f"{tick:{y['axis']['format']}}" == alike[1]
    low, high = y["scale"]["domain"]
    assert low < tick < high
    assert y["title"] == "Time, s"


def test_curves_have_a_point_for_each_value_and_a_band_for_the_seeds(pages, grids):
    page = choose(swept(pages, pages.open(PAGE), ("temperature", (0.4, 0.8, 1.2)), SEEDS), "Measure", "words")
    (points,) = curves(page)
    assert [(point["at"], point["low"], point["mean"], point["high"]) for point in points] == [
        (0.4, 4, 4.5, 5), (0.8, 8, 8.5, 9), (1.2, 12, 12.5, 13)
    ]  # fmt: skip
    (chart,) = [json.loads(item.proto.spec) for item in page.get("vega_lite_chart")]
    assert encoded(chart)["x"]["axis"]["format"] == ".6~g"  # else 0.35 stands as 0.3
    assert encoded(chart)["y"]["title"] == "Words"  # not "Words, words"
    assert "The band runs from the lowest seed to the highest." in said(page)
    (points,) = curves(choose(page, "A line for each", 1))
    assert sorted({point["line"] for point in points}) == ["seed 0", "seed 1", "seed 2", "seed 3"]


def test_a_heavy_measure_comes_from_another_process_and_is_kept(pages, grids):
    page = swept(pages, pages.open(PAGE), ("temperature", (0.4, 1.2)), ("seed", (0, 1)))
    page = choose(page, "Measure", "bits_per_token")
    limit = time.monotonic() + 60
    while None in grids["heat"]:
        assert time.monotonic() < limit
        time.sleep(0.1)
        page.run()
    assert (grids["heat"][0], grids["heat"][-1]) == (1, 0)  # the warmer, the surer: as the logits say
    runs = [run.id for run in pages.store.runs(owner(pages)) if run.purpose == "sweep"]
    assert "bits_per_token/1" in {name for _, name in pages.store.measured(runs)}
