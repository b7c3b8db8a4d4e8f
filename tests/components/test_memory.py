"""What the process that draws the pages holds in memory: nothing that only the worker needs, nothing for tables."""

import json

import altair as alt
import pytest

from components import frontend
from components.widgets import charts
from tests.fresh import run_fresh

WORKERS = ("torch", "transformers", "diffusers", "torchaudio", "scipy", "soundfile", "verovio", "mido")
TABLES = ("pandas", "pyarrow")


def test_importing_everything_that_draws_imports_nothing_heavy():
    said = run_fresh(f"""
import importlib, json, logging, pkgutil, sys
logging.disable()
import components
from components import rooms
from models.catalog import load_catalog
from models.settings import Settings
found = [one.name for one in pkgutil.walk_packages(components.__path__, "components.")]
for name in found:
    importlib.import_module(name)
drawn = list(rooms.every())
load_catalog(Settings())  # and with it all families
tops = {{name.split(".")[0] for name in sys.modules}}
print(json.dumps([len(found), drawn, sorted(set({WORKERS + TABLES}) & tops)]))
""")
    modules, drawn, heavy = said
    assert modules > 40
    assert {"text", "image", "audio"} <= set(drawn)
    assert heavy == []


DRAWN = """
import json, logging, sys
logging.disable()
from streamlit.testing.v1 import AppTest
before = {name.split(".")[0] for name in sys.modules}
page = AppTest.from_string('''
import altair as alt
from components.text import story_view
from components.widgets import charts
from models.types import Output
story_view.draw([Output("text", text="Once upon a time")], "story", run="job")
rows = alt.Data(values=[{"x": 1, "y": 2}, {"x": 2, "y": 1}])
charts.draw(alt.Chart(rows).mark_line().encode(x="x:Q", y="y:Q"), "chart")
''', default_timeout=60).run()
assert not page.exception, page.exception
kinds = [len(page.get(kind)) for kind in ("bidi_component", "vega_lite_chart")]
tops = {name.split(".")[0] for name in sys.modules}
print(json.dumps([kinds, sorted({"pandas", "pyarrow"} & before), sorted({"pandas", "pyarrow"} & tops)]))
"""


def test_a_component_and_a_chart_load_nothing_for_tables():
    kinds, before, after = run_fresh(DRAWN)
    assert kinds == [1, 1]
    assert after == before == []


def test_lists_and_tuples_reach_the_browser_alike():
    data = {"rows": [[1, 2], [3]], "name": "é", "none": None, "of": {"a": [1]}, "yes": True}
    assert json.loads(json.dumps(frontend.unscanned(data))) == data
    assert not any(isinstance(value, list) for value in frontend.unscanned(data).values())


def chart(count, **more):
    rows = alt.Data(values=[{"x": at, "y": at % 7} for at in range(count)])
    return alt.Chart(rows).mark_point().encode(x="x:Q", y="y:Q").properties(height=150, description="Dots", **more)


def test_a_chart_keeps_its_rows_marks_and_words():
    spec = charts.layered(chart(3).interactive(bind_y=False))
    assert "data" not in spec
    assert "datasets" not in spec
    (layer,) = spec["layer"]
    assert layer["data"]["values"] == [{"x": 0, "y": 0}, {"x": 1, "y": 1}, {"x": 2, "y": 2}]
    assert layer["params"][0]["bind"] == "scales"
    assert (spec["height"], spec["description"]) == (150, "Dots")
    assert "usermeta" not in spec
    assert "config" not in spec


def test_the_layers_of_a_chart_stay_its_layers():
    both = charts.layered(alt.layer(chart(3), chart(2)).properties(height=180))
    assert [len(layer["data"]["values"]) for layer in both["layer"]] == [3, 2]
    assert both["height"] == 180
    rows = alt.Data(values=[{"x": 1}])
    shared = charts.layered(alt.layer(*(alt.Chart(rows).mark_point().encode(x="x:Q") for _ in range(2))))
    assert "data" not in shared  # which Altair moves to the top
    assert shared["layer"][0]["data"]["values"] == [{"x": 1}]
    assert len(shared["layer"][0]["layer"]) == 2


@pytest.mark.parametrize("count, canvas, silent", [(2000, False, False), (2001, True, False), (5001, True, True)])
def test_many_marks_are_drawn_on_a_canvas(count, canvas, silent):
    spec = charts.layered(chart(count))
    assert (spec.get("usermeta") == {"embedOptions": {"renderer": "canvas"}}) is canvas
    assert (spec.get("config") == {"mark": {"aria": False}}) is silent
