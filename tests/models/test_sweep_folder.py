"""A sweep's files: what is in the ZIP, and that each holds its settings."""

import io
import zipfile

from models import plain_text, readers, sweep_folder
from models.catalog import load_catalog
from models.settings import Settings
from models.sweeps.cells import plan
from models.sweeps.results import Result
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request, Run

CATALOG = load_catalog(Settings(), strict=False)


def swept():
    request = Request(model="text/story-gpt", inputs={"prompt": "Once"}, params={"top_p": 0.5}, seed=3)
    found = plan(CATALOG, Sweep(request, (Axis("temperature", (0.5, 1.0)),)))
    made = {}
    for cell in found.cells:
        output = Output("text", 0, text=f"Once {cell.number}", sha256=f"{cell.number}" * 64)
        made[cell.number] = Result(
            cell, Run("r", "me", "j", cell.request, "done", 0.0, [output], {"seconds": 1.0}, None)
        )
    return found, made


def test_the_zip_holds_each_result_with_its_settings_the_tables_the_page_and_the_sweep():
    found, made = swept()
    asked = []

    def read(output):
        asked.append(output.sha256[0])
        request = made[int(output.sha256[0])].cell.request
        stamp = {"request": CATALOG.full(request).model_dump()}
        return plain_text.text_artifact(output.text, stamp)

    archive = zipfile.ZipFile(io.BytesIO(sweep_folder.zipped(CATALOG, found, made, read, Settings())))
    assert archive.namelist() == [
        "cell-0000-temperature-0.5.txt", "cell-0001-temperature-1.0.txt", "cells.csv", "cells.parquet", "index.html",
        "sweep.json",
    ]  # fmt: skip
    assert asked == ["0", "1"]
    for number, temperature in ((0, 0.5), (1, 1.0)):
        recovered = readers.read_settings(archive.read(f"cell-000{number}-temperature-{temperature}.txt"), Settings())[
            1
        ]
        assert recovered.params["temperature"] == temperature
        assert (recovered.params["top_p"], recovered.seed) == (0.5, 3)
    assert b"cell-0001-temperature-1.0.txt" in archive.read("cells.csv")
    assert b"Once 1" in archive.read("index.html")
    assert archive.read("sweep.json").decode() == found.sweep.to_json()


def test_bytes_that_are_there_are_not_fetched_again():
    found, made = swept()
    del found
    result = sweep_folder.loaded(made[0], lambda output: b"bytes")
    assert [one.data for one in result.outputs] == [b"bytes"]
    assert sweep_folder.loaded(result, lambda output: 1 / 0) == result
    assert sweep_folder.loaded(Result(made[0].cell), lambda output: 1 / 0).run is None


def test_a_file_s_name_tells_its_cell_s_values_and_is_safe_on_every_disk():
    def stem(*axes):
        request = Request(model="text/story-gpt", inputs={"prompt": "Once"})
        found = plan(CATALOG, Sweep(request, tuple(Axis(name, values) for name, values in axes)))
        return sweep_folder.stem(found, found.cells[-1])

    assert stem(("top_k", (5, None)), ("seed", (0, 7))) == "cell-0003-top_k-off-seed-7".replace("_", "-")
    assert stem(("do_sample", (True, False))) == "cell-0001-do-sample-off"
    assert stem(("model", ("text/story-gpt", "text/story-lstm"))) == "cell-0001-model-story-lstm"
    assert stem(("inputs.prompt", ("a", '../C:\\"x|y" <?>* ж/z.'))) == "cell-0001-prompt-C-x-y-z"
    assert stem(("inputs.prompt", ("a", "ж"))) == "cell-0001-prompt"
    assert len(stem(("inputs.prompt", ("a", "word " * 99)))) <= sweep_folder.NAME_CHARS


def test_the_names_are_known_before_the_files_are_written(tmp_path):
    found, made = swept()
    named = sweep_folder.named(made, CATALOG, found)
    for number, result in made.items():
        whole = sweep_folder.loaded(result, lambda output: plain_text.text_artifact(output.text, {}))
        assert sweep_folder.save_cell(whole, CATALOG, found, tmp_path).file == named[number].file
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(one.file for one in named.values())
