"""A label for each line or each row of a table: the same as one by one, with Stop, a confusion matrix, bad tables."""

import io

import pandas as pd
import pytest

from models.errors import BadInput
from models.runtime.engine import StopSignal
from models.types import Request
from tests.models.text.families.test_classifiers import ask, scores
from tests.tiny import final_of

LINES = "the cat sat on the mat\n\n  is this good?\na dog ran to the sea\n" + "the rain fell " * 30


def table_of(output):
    return pd.read_csv(io.BytesIO(output.data), dtype=str, keep_default_na=False)


def on(tasks, data, model="electra", **inputs):
    """Return the request for a table's bytes."""
    reference = tasks._blobs.put_bytes(data)
    return Request(
        model=f"text/{model}", inputs={"table": reference, **inputs}, params={"by": "column", "threshold": 0.0}
    )


@pytest.mark.parametrize("model", ["electra", "both", "inference"])
def test_each_line_gets_the_label_that_it_gets_alone(tasks, model):
    final = final_of(tasks, ask(LINES, model, by="lines", threshold=0.0))
    output = final.outputs[0]
    assert (output.kind, output.media_type, final.stats["steps"]) == ("table", "text/csv", 4)
    found = table_of(output)
    for at, line in enumerate(line.strip() for line in LINES.splitlines() if line.strip()):
        assert found["text"][at] == line
        alone = scores(tasks, ask(line, model, threshold=0.0))
        for label, chance in alone.items():
            assert float(found[f"p({label.replace('_', ' ')})"][at]) == pytest.approx(chance, abs=2e-4)
    assert sum(output.meta["counts"].values()) == 4
    assert output.text.startswith("4 rows: ")


def test_a_column_is_labelled_and_the_others_stay(tasks):
    data = "id;review;label\n1;the cat sat;good\n2;;bad\n3;a dog ran;so so\n".encode("utf-16")
    final = final_of(tasks, on(tasks, data, column="review", label_column="label"))
    found, meta = table_of(final.outputs[0]), final.outputs[0].meta
    assert found.columns.tolist()[:5] == ["id", "review", "label", "label_", "probability"]
    assert found["label_"].tolist()[1] == ""
    assert meta["empty"] == 1
    said = [found["label_"][0], found["label_"][2]]
    right = sum(a == b for a, b in zip(said, ["good", "so so"], strict=True))
    assert (meta["confusion"]["right"], meta["confusion"]["of"]) == (right, 2)
    assert sum(map(sum, meta["confusion"]["counts"])) == 2
    assert set(meta["confusion"]["rows"]) == {"good", "so so"}


def test_without_a_column_that_with_the_longest_texts_is_read(tasks):
    final = final_of(tasks, on(tasks, b"id,what\n1,the cat sat on the mat\n"))
    assert final.outputs[0].meta["column"] == "what"


def test_below_the_threshold_a_row_says_that_it_is_not_sure(tasks):
    final = final_of(tasks, ask("the cat\na dog", by="lines", threshold=1.0))
    assert final.outputs[0].meta["counts"] == {"not sure": 2}
    found = table_of(final.outputs[0])
    for at, (_, said, _, likeliest, right) in enumerate(final.outputs[0].meta["first"]):
        assert (said, right) == ("not sure", "")
        assert found[f"p({likeliest})"][at] == found["probability"][at]


def test_rows_where_it_is_not_sure_are_counted_beside_those_that_are_alike(tasks):
    request = on(tasks, b"review,label\nthe cat sat,good\na dog ran,bad\n", column="review", label_column="label")
    meta = final_of(tasks, request.model_copy(update={"params": {"by": "column", "threshold": 1.0}})).outputs[0].meta
    assert (meta["confusion"]["right"], meta["confusion"]["of"], meta["confusion"]["unsure"]) == (0, 2, 2)
    assert [row[4] for row in meta["first"]] == ["good", "bad"]


def test_a_row_in_letters_that_the_model_does_not_read_gets_no_label(tasks):
    final = final_of(tasks, ask("the cat\n😀\nОчень хороший фильм", "bert", by="lines", threshold=0.0))
    assert table_of(final.outputs[0])["label"].tolist()[1:] == ["not sure", "not sure"]
    assert table_of(final.outputs[0])["label"][0] != "not sure"
    assert "2 rows without letters that this model reads" in " ".join(final.stats["notes"])


def test_a_hundred_thousand_rows_tell_how_far_they_are_and_stop_keeps_what_is_done(tasks):
    data = ("text\n" + "the cat sat\n" * 100_000).encode()
    stop, seen = StopSignal(), []
    for event in tasks.generate(on(tasks, data), stop):
        if event.kind == "progress" and event.unit == "rows":
            seen.append((event.step, event.total))
            if event.step > 500:
                stop.request()
        final = event
    assert seen[0] == (0, 100_000)
    done = final.stats["steps"]
    assert final.stats["stopped"]
    assert 500 < done < 5_000
    assert len(table_of(final.outputs[0])) == done
    assert f"Stopped after {done:,} of 100,000 rows" in final.stats["notes"][0]


@pytest.mark.parametrize(
    ("data", "inputs", "words"),
    [
        (b"", {}, "is empty"),
        (b"text\n", {}, "no rows"),
        (b"a,b\n1,2\n", {"column": "review"}, "has no column “review”; it has: a, b"),
        (b"a,b\n1,2\n", {"label_column": "gold"}, "has no column “gold”"),
        (b"text\nthe\0cat\n", {}, "null bytes"),
        (bytes(range(128, 256)) * 40, {}, "encoding|cannot be read|no rows"),
        (b'text\n"the cat\n', {}, "cannot be read as CSV"),
        (b"a,b\n1,2,3,4\n", {}, "cannot be read as CSV|column"),
    ],
)
def test_a_bad_table_is_a_sentence(tasks, data, inputs, words):
    with pytest.raises(BadInput, match=words):
        final_of(tasks, on(tasks, data, **inputs))


def test_a_table_that_is_missing_is_a_sentence(tasks):
    with pytest.raises(BadInput, match="The table is missing"):
        tasks.catalog.validate(Request(model="text/electra", params={"by": "column"}))
    with pytest.raises(BadInput, match="There is no text"):
        tasks.catalog.validate(ask(" ", by="lines"))


def test_one_text_s_whole_distribution_is_saved_as_csv(tasks):
    output = final_of(tasks, ask("the cat")).outputs[0]
    data = tasks.catalog.family("text/electra").save(ask("the cat"), output, "csv")
    found = pd.read_csv(io.BytesIO(data))
    assert dict(zip(found["label"], found["probability"], strict=True)) == pytest.approx(output.meta["scores"])
