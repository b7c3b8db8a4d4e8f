"""Files that a command is given for inputs: their endings are those that the page's box takes."""

from types import SimpleNamespace

import pytest

from models import given
from models.errors import BadInput
from models.family import InputField
from models.settings import Settings

FAMILY = SimpleNamespace(inputs=(InputField("table", "table", accept=("csv", "TSV")), InputField("floor", "floor")))


@pytest.fixture
def read(tmp_path):
    def read(name, file):
        (tmp_path / file).write_bytes(b"a,b")
        return given.inputs(None, [f"{name}={tmp_path / file}"], FAMILY, set(), Settings(data_dir=tmp_path / "data"))

    return read


@pytest.mark.parametrize("file", ["a.csv", "a.b.CSV", "a.tsv", "a"])
def test_an_ending_that_an_input_takes_and_none_at_all_are_read(read, file):
    assert read("table", file)["table"].startswith("sha256:")


def test_an_ending_that_it_does_not_take_is_a_sentence_and_nothing_is_kept(read, tmp_path):
    with pytest.raises(BadInput) as caught:
        read("table", "a.xls")
    assert caught.value.message == (
        f"--input table: the file {tmp_path / 'a.xls'} ends in .xls; it must end in .csv or .tsv. Give such a file."
    )
    assert not (tmp_path / "data").exists()


def test_an_input_that_names_no_endings_takes_any(read):
    assert read("floor", "a.xls")["floor"].startswith("sha256:")


def test_a_file_that_is_larger_than_anything_that_is_taken_is_not_read(read, tmp_path):
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(3_000_000_000_000)  # a hole: more than there is memory
    with pytest.raises(BadInput) as caught:
        given.inputs(None, [f"floor={huge}"], FAMILY, set(), Settings(data_dir=tmp_path / "data"))
    assert caught.value.message == (
        f"--input floor: the file {huge} is 3000 GB; at most 100 MB are read. Choose a smaller one."
    )
    with pytest.raises(BadInput, match="at most 100 MB are read"):
        given.file_bytes("/dev/zero")


def test_what_is_given_twice_is_refused(tmp_path):
    assert given.texts(["note=b"], {"prompt": "a"}) == {"note": "b"}
    for pairs, already in ((["prompt=b"], {"prompt": "a"}), (["prompt=a", "prompt=b"], {})):
        with pytest.raises(BadInput, match="the prompt is given twice"):
            given.texts(pairs, already)
    (tmp_path / "a.csv").write_bytes(b"a,b")
    pairs = [f"table={tmp_path / 'a.csv'}"] * 2
    with pytest.raises(BadInput, match="the table is given twice"):
        given.inputs(None, pairs, FAMILY, set(), Settings(data_dir=tmp_path / "data"))


WRITER = SimpleNamespace(
    title="Writer",
    inputs=(
        InputField("prompt", shown_if={"by": ("text", "lines")}),
        InputField("table", "table", accept=("csv",), shown_if={"by": ("column",)}),
    ),
)


def test_a_file_is_taken_by_the_input_of_its_ending_else_as_the_main_text(tmp_path, capsys):
    settings = Settings(data_dir=tmp_path / "data")
    for name, data in (("a.csv", b"a,b"), ("a.txt", "Où est la forêt près du château ?".encode("cp1252"))):
        (tmp_path / name).write_bytes(data)
    assert given.whole_file(str(tmp_path / "a.csv"), WRITER, settings)["table"].startswith("sha256:")
    assert given.whole_file(str(tmp_path / "a.txt"), WRITER, settings) == {
        "prompt": "Où est la forêt près du château ?"
    }
    assert "was read as cp1252" in capsys.readouterr().err
    with pytest.raises(BadInput, match="--in: the file .* cannot be read"):
        given.whole_file(str(tmp_path / "b.txt"), WRITER, settings)
    with pytest.raises(BadInput, match="takes no file"):
        given.whole_file("a.txt", SimpleNamespace(title="Dice", inputs=()), settings)


def test_a_file_is_taken_by_the_one_upload_where_there_is_no_text(tmp_path):
    seer = SimpleNamespace(title="Seer", inputs=(InputField("view", "file", False), InputField("image", "image")))
    (tmp_path / "a.png").write_bytes(b"picture")
    assert given.whole_file(str(tmp_path / "a.png"), seer, Settings(data_dir=tmp_path))["image"].startswith("sha256:")


def test_the_settings_under_which_a_file_acts_are_set_unless_they_are_given():
    prompt, table = WRITER.inputs
    assert given.params_for(table, {}) == {"by": "column"}
    assert given.params_for(table, {"by": "text"}) == {}
    assert given.params_for(prompt, {}) == {"by": "text"}


def test_a_few_words_are_an_input_too():
    assert given.texts(["column=my review", "label=a=b"], {}) == {"column": "my review", "label": "a=b"}
    with pytest.raises(BadInput, match="write it as name=text"):
        given.texts(["column"], {})
