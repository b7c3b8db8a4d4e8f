"""What a sweep's downloads hold: the same table as its ZIP and a shell's folder, contact sheets where there are any."""

import csv
import io
import re
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from components import sweep_out
from models import measuring, sweep_folder
from models.catalog import load_catalog
from models.errors import PlaygroundError
from models.image.files import image_output
from models.settings import Settings
from models.store import Store
from models.sweeps import sheets, whole
from models.sweeps.cells import plan
from models.sweeps.results import Result
from models.sweeps.spec import Axis, Sweep
from models.types import Request, Run

SETTINGS = Settings()
CATALOG = load_catalog(SETTINGS, strict=False)
REQUEST = Request(model="image/emoji-diffusion", inputs={"prompt": "red heart"})


@pytest.fixture
def swept():
    """Return a plan of three cells of which one failed and one was there before, and what there is of it."""
    found = plan(CATALOG, Sweep(REQUEST, (Axis("guidance_scale", (1.0, 2.0, 4.0)),)))
    stamp = {"request": CATALOG.full(REQUEST).model_dump()}
    there = {}
    for cell in found.cells:
        output = image_output(np.full((32, 32, 3), 50 * cell.number, np.uint8), stamp)
        error = {"message": "No room.", "code": "x"} if cell.number == 1 else None
        run = Run(
            f"r{cell.number}",
            "me",
            "j",
            cell.request,
            "failed" if error else "done",
            0.0,
            [output],
            {"seconds": 1.5},
            error,
        )
        there[cell.number] = Result(cell, run, cached=cell.number == 2)
    return found, there


@pytest.fixture
def store(tmp_path):
    return Store(Settings(data_dir=tmp_path / "data"))


def downloads(monkeypatch, store, found, there, said=None):
    """Return what each download makes, by the name of its file; captions are added to `said`."""
    made, said = {}, [] if said is None else said
    menu = nullcontext()
    menu.open = True
    monkeypatch.setattr(sweep_out.st, "popover", lambda *given, **more: menu)
    monkeypatch.setattr(sweep_out.st, "fragment", lambda draw, **more: draw)
    monkeypatch.setattr(sweep_out.sweep_measures, "known", lambda desk, wanted: True)
    monkeypatch.setattr(sweep_out.st, "caption", said.append)
    monkeypatch.setattr(
        sweep_out.st, "download_button", lambda name, make, file, media_type, **more: made.update({file: make})
    )
    monkeypatch.setattr(sweep_out.services, "decoder", lambda: SimpleNamespace(call=measuring.here))
    jobs = SimpleNamespace(settings=SETTINGS, store=store)
    sweep_out.draw(SimpleNamespace(session=SimpleNamespace(jobs=jobs, catalog=CATALOG)), found, there, "key")
    return made


def test_a_few_small_results_are_not_rounded_to_nothing(monkeypatch, store, swept):
    downloads(monkeypatch, store, *swept, said := [])
    (words,) = said
    assert re.match(r"[1-9][\d.]* (bytes|kB) of results\.$", words)


def test_the_table_is_the_one_of_the_zip_and_names_its_files(monkeypatch, store, swept):
    made = downloads(monkeypatch, store, *swept)
    archive = zipfile.ZipFile(io.BytesIO(made["sweep.zip"]()))
    assert made["cells.csv"]() == archive.read("cells.csv")
    rows = list(csv.DictReader(io.StringIO(made["cells.csv"]().decode())))
    assert [row["state"] for row in rows] == ["computed", "failed", "computed"]
    assert rows[1]["error"] == "No room."
    named = [row["file"] for row in rows]
    assert named == ["cell-0000-guidance-scale-1.0.png", "", "cell-0002-guidance-scale-4.0.png"]
    assert {name for name in archive.namelist() if name.startswith("cell-")} == {*named} - {""}
    assert "sheet-1.png" in archive.namelist()
    assert b"No room." in made["sweep.html"]()


def test_a_shell_s_folder_has_the_same_tables_measures_and_effects(monkeypatch, store, swept, tmp_path):
    found, there = swept
    bare = {at: sweep_out._bare(one) if one.error else one for at, one in there.items()}
    saved = {at: sweep_folder.save_cell(one, CATALOG, found, tmp_path) for at, one in bare.items()}
    seen = whole.measure(CATALOG, SETTINGS, store, found, saved, lambda one: one.data, measuring.here)
    sweep_folder.save_tables(tmp_path, CATALOG, found, saved, seen.columns, seen.told)
    made = downloads(monkeypatch, store, found, there)
    archive = zipfile.ZipFile(io.BytesIO(made["sweep.zip"]()))
    for name in ("cells.csv", "cells.parquet", "effects.csv"):
        assert (tmp_path / name).read_bytes() == made[name]() == archive.read(name), name
    (head, *rows) = csv.reader(io.StringIO(made["cells.csv"]().decode()))
    assert head[:2] == ["cell", "guidance_scale"]
    assert {"brightness", "pixel_difference", "file_kb", "run_seconds", "recognised_emoji_judge"} < set(head)
    at = head.index("brightness")
    assert [row[at] for row in rows] == ["0.0", "", "0.39215686274509803"]
    assert "Is it real?" in made["sweep.html"]().decode()


def test_effects_are_a_row_for_each_step_and_measure(monkeypatch, store, swept):
    found, there = swept
    there = {at: replace(one, run=replace(one.run, error=None, status="done")) for at, one in there.items()}
    rows = list(csv.DictReader(io.StringIO(downloads(monkeypatch, store, found, there)["effects.csv"]().decode())))
    assert list(rows[0]) == ["measure", "unit", "axis", "from", "to", "difference", "noise", "ratio", "p", "verdict",
                             "words"]  # fmt: skip
    bright = [row for row in rows if row["measure"] == "brightness"]
    assert [(row["axis"], row["from"], row["to"]) for row in bright] == [
        ("guidance_scale", "1.0", "2.0"), ("guidance_scale", "2.0", "4.0"), ("guidance_scale", "1.0", "4.0")
    ]  # fmt: skip
    assert float(bright[-1]["difference"]) == pytest.approx(100 / 255)
    assert {row["verdict"] for row in rows} == {"few"}  # one seed
    assert not {row["measure"] for row in rows} & {"run_seconds", "peak_mb"}


def test_what_cannot_be_compared_leaves_the_tables(monkeypatch, store, swept):
    def call(work, *files, **given):
        if work.__name__ == "effects_apart":
            raise PlaygroundError("Other uploads are being read.")
        return measuring.here(work, *files, **given)

    made = downloads(monkeypatch, store, *swept)
    monkeypatch.setattr(sweep_out.services, "decoder", lambda: SimpleNamespace(call=call))
    assert b"brightness" in made["cells.csv"]()
    assert made["effects.csv"]() == b"measure,unit,axis,from,to,difference,noise,ratio,p,verdict,words\r\n"
    assert "effects.csv" not in zipfile.ZipFile(io.BytesIO(made["sweep.zip"]())).namelist()


def test_contact_sheets_are_one_file_or_a_zip_of_several(monkeypatch, store, swept):
    made = downloads(monkeypatch, store, *swept)
    assert made["sheet-1.png"]().startswith(b"\x89PNG")
    assert made["sheet-1.jpg"]().startswith(b"\xff\xd8")
    monkeypatch.setattr(sheets, "PIXELS_MOST", 40_000)
    made = downloads(monkeypatch, store, *swept)
    names = zipfile.ZipFile(io.BytesIO(made["sheets-png.zip"]())).namelist()
    assert names == ["sheet-1.png", "sheet-2.png", "sheet-3.png"]


def test_what_holds_measures_waits_for_them_and_says_how_far_they_are(monkeypatch, store, swept):
    said, off, looks = [], {}, []
    found, there = swept
    wanted = whole.wanted(CATALOG, SETTINGS, found, there)
    menu = nullcontext()
    menu.open = True
    monkeypatch.setattr(sweep_out.st, "popover", lambda *given, **more: menu)
    monkeypatch.setattr(sweep_out.st, "fragment", lambda draw, run_every: looks.append(run_every) or draw)
    monkeypatch.setattr(sweep_out.st, "caption", lambda *given: None)
    monkeypatch.setattr(sweep_out.st, "progress", lambda share, text: said.append((share, text)))
    monkeypatch.setattr(
        sweep_out.st, "download_button", lambda name, *given, disabled, **more: off.update({name: disabled})
    )
    monkeypatch.setattr(sweep_out.sweep_measures, "known", lambda desk, every: False)
    monkeypatch.setattr(sweep_out.sweep_measures, "values", lambda desk: {wanted[0].key: 1.0})
    jobs = SimpleNamespace(settings=SETTINGS, store=store)
    sweep_out.draw(SimpleNamespace(session=SimpleNamespace(jobs=jobs, catalog=CATALOG)), found, there, "key")
    assert said == [(1 / len(wanted), f"Measuring for the tables: 1 of {len(wanted)} values")]
    assert looks == [sweep_out.LOOK_S]
    assert {name for name, waits in off.items() if not waits} == {
        "Sweep (JSON)", "Contact sheet (PNG)", "Contact sheet (JPEG)",
    }  # fmt: skip


def test_nothing_is_measured_before_the_menu_is_open(monkeypatch, store, swept):
    menu = nullcontext()
    menu.open = False
    monkeypatch.setattr(sweep_out.st, "popover", lambda *given, **more: menu)
    monkeypatch.setattr(sweep_out.st, "caption", lambda *given: None)
    monkeypatch.setattr(sweep_out.sweep_measures, "known", lambda desk, wanted: pytest.fail("measured"))
    jobs = SimpleNamespace(settings=SETTINGS, store=store)
    sweep_out.draw(SimpleNamespace(session=SimpleNamespace(jobs=jobs, catalog=CATALOG)), *swept, "key")
