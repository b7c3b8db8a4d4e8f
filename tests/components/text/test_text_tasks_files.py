"""Files on the page "Text tasks": texts, subtitles and tables, good and bad, and what is drawn of a labelled table."""

import pytest

from components import runtime
from components.text import label_view
from models.runtime import forecasts
from tests.components.page_steps import press, said, settle_all, widget
from tests.components.text.task_steps import FEELINGS, TRANSLATE, opened, shown
from tests.components.toy_app import OWNER

SRT = "1\n00:00:01,000 --> 00:00:02,000\nthe cat sat\n"
CSV = "id;review;stars\n1;the cat sat on the mat;good\n2;a dog ran to the sea;bad\n3;;bad\n"


def upload(page, label, name, data):
    next(item for item in page.file_uploader if item.label == label).set_value((name, data, "text/plain"))
    page.run()
    assert not page.exception, page.exception
    return page


def by(page, value):
    page = opened(model="text/electra") if page is None else page
    next(item for item in page.selectbox if item.label == "Label by").set_value(value)
    page.run()
    assert not page.exception, page.exception
    return page


@pytest.mark.parametrize(
    ("name", "data", "text", "words"),
    [
        ("a.txt", "Où est la forêt près du château ?".encode("cp1252"), "Où est la forêt près du château ?", "cp1252"),
        ("film.srt", SRT.encode("utf-16"), SRT, "subtitles: numbers and times stay, encoding utf-16"),
    ],
)
def test_a_file_s_text_goes_into_the_prompt(jobs, name, data, text, words):
    page = upload(opened(model="text/marian"), "Text or subtitles", name, data)
    assert widget(page, "text_area", TRANSLATE).value == text
    assert words in said(page)


def test_subtitles_are_downloaded_as_subtitles(jobs):
    page = upload(opened(model="text/marian"), "Text or subtitles", "film.srt", SRT.encode())
    page = settle_all(jobs, OWNER, press(page, "run"))
    assert [item.label for item in page.get("download_button")][:1] == ["Plain .srt"]
    assert jobs.jobs_of(OWNER)[-1].runs[0].outputs[0].text.split("\n")[:2] == SRT.split("\n")[:2]


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "is empty"), (b"a\0b", "null bytes"), (b"\xff\xfea", "encoding of the file is unknown"),
     (b"a " * 600_000, "at most 1,000,000")],
)  # fmt: skip
def test_a_bad_file_is_a_sentence_and_the_prompt_stays(jobs, data, words):
    page = opened(model="text/marian")
    widget(page, "text_area", TRANSLATE).set_value("the dog")
    page.run()
    page = upload(page, "Text or subtitles", "a.txt", data)
    assert words in page.error[0].value.replace("\\", "")
    assert page.error[0].value.replace("\\", "").startswith("a.txt: ")
    assert widget(page, "text_area", TRANSLATE).value == "the dog"


def test_the_page_says_that_lines_and_tables_are_read_and_a_press_chooses_them(jobs):
    page = opened(model="text/electra")
    next(item for item in page.button if item.label == "A table (CSV)").click()
    page.run()
    assert not page.exception, page.exception
    assert next(item for item in page.selectbox if item.label == "Label by").value == "column"
    assert "Table" in [item.label for item in page.file_uploader]
    assert "A table (CSV)" not in [item.label for item in page.button]  # it is chosen


def test_each_line_gets_a_label_in_a_table(jobs):
    page = by(None, "lines")
    widget(page, "text_area", FEELINGS).set_value("the cat sat\n\na dog ran")
    page.run()
    page = settle_all(jobs, OWNER, press(page, "run"))
    [table] = shown(page, "rows")
    assert [row[-1] for row in table["rows"]] == ["the cat sat", "a dog ran"]
    assert "2 rows" in said(page)
    assert "Texts of" not in said(page)  # lines have no column
    assert "text/csv" in [output.media_type for output in jobs.jobs_of(OWNER)[-1].runs[0].outputs]


def test_a_table_s_column_is_chosen_labelled_and_compared_with_right_labels(jobs):
    page = by(None, "column")
    assert FEELINGS not in [item.key for item in page.text_area]
    press(page, "run")
    assert "The table is missing" in said(page)
    page = upload(page, "Table", "reviews.csv", CSV.encode())
    assert "reviews.csv: 3 rows, 3 columns, encoding utf-8" in said(page).replace("\\", "")
    columns = {item.label: item for item in page.selectbox if "Column" in item.label}
    assert columns["Column with the texts"].value == "review"
    assert columns["Column with the right labels"].value == ""
    columns["Column with the right labels"].set_value("stars")
    page.run()
    page = settle_all(jobs, OWNER, press(page, "run"))
    request = jobs.jobs_of(OWNER)[-1].requests[0]
    assert (request.inputs["column"], request.inputs["label_column"]) == ("review", "stars")
    assert "1 of them empty, without a label" in said(page)
    assert "Right label and the model's" in said(page)
    assert len(page.get("vega_lite_chart")) == 2  # labels counted, and the confusion matrix
    table = next(one for one in shown(page, "rows") if "Right label" in one["columns"])
    assert [row[3][-4:].strip("✓✗ ") for row in table["rows"]] == ["good", "bad", "bad"]
    assert all(row[3].startswith(("✓ ", "✗ ")) for row in table["rows"] if row[1] != "—")


def test_the_forecast_before_run_follows_the_rows_of_the_table(jobs, monkeypatch):
    monkeypatch.setattr(jobs, "_weigh", lambda request: forecasts.work_of(runtime.catalog(), request))
    jobs.rates._note("text/electra", 1.0, 2.0)  # a row in two seconds
    page = upload(by(None, "column"), "Table", "reviews.csv", CSV.encode())
    assert "about 6.0 s" in said(page)
    page = upload(page, "Table", "long.csv", b"text\n" + b"the cat sat\n" * 9000)
    assert "about 5 hours" in said(page)


def test_a_column_called_label_is_taken_for_the_right_labels_and_can_be_left_out(jobs):
    page = upload(by(None, "column"), "Table", "reviews.csv", b"text,label\nthe cat sat on the mat,good\n")
    column = next(item for item in page.selectbox if item.label == "Column with the right labels")
    assert column.value == "label"
    column.set_value("")
    page.run()
    assert next(item for item in page.selectbox if item.label == "Column with the right labels").value == ""


def test_no_more_labels_are_drawn_than_are_listed_and_the_threshold_is_told():
    scores = {f"label_{at}": 1 / (at + 2) for at in range(150)}
    chart = label_view._bars(scores, 0.5, 5).to_dict()
    names = [row["label"] for row in chart["layer"][0]["data"]["values"]]
    assert names == [*(f"label {at}" for at in range(5)), "145 others"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"text\n", "no rows"),
        (b"text\na\0b\n", "null bytes"),
        (
            b'a,b\n"1,2\n',
            "bad.csv: The table cannot be read as CSV: a quotation mark that opens in line 2 is never closed",
        ),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells"),
        (b"a,b\n1,2,3\n", "as CSV"),
    ],
)
def test_a_bad_table_is_a_sentence_and_the_one_before_stays(jobs, data, words):
    page = upload(by(None, "column"), "Table", "reviews.csv", CSV.encode())
    page = upload(page, "Table", "bad.csv", data)
    assert words in page.error[0].value.replace("\\", "")
    assert "3 rows, 3 columns" in said(page)


def test_a_link_that_names_a_column_which_is_not_there_falls_back(jobs):
    page = upload(by(None, "column"), "Table", "reviews.csv", CSV.encode())
    page = upload(page, "Table", "other.csv", b"a,b\n1,the cat sat\n")
    columns = {item.label: item for item in page.selectbox if "Column" in item.label}
    assert columns["Column with the texts"].value == "b"
