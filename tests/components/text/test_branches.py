"""Texts that branched from one another, as a tree."""

from hypothesis import given, settings
from hypothesis import strategies as st

from components.text.branches import root, tree, written_from
from models.types import Output, Request, Run


def text(name, ids, forced=0, at=0.0, prompt="A", index=0):
    """Return a run whose text says its ids."""
    request = Request(model="text/m", inputs={"prompt": prompt})
    said = "A" + "".join(f" {one}" for one in ids)
    return Run(name, "ann", "job", request, "done", at, [
        Output("text", index, said, meta={"prompt_chars": 1}),
        Output("view", index, meta={"what": "logits", "ids": list(ids), "forced": forced}),
    ])  # fmt: skip


def drawn(runs):
    return [(node.written.run.id, node.depth, node.written.output.text[node.start :])
            for node in tree(written_from(runs, runs[0].request))]  # fmt: skip


def test_a_branch_stands_under_the_text_that_it_left():
    runs = [
        text("first", [1, 2, 3, 4], at=1),
        text("again", [9, 8], at=2),
        text("branch", [1, 2, 7, 5], forced=3, at=3),
        text("of the branch", [1, 2, 7, 6, 1], forced=4, at=4),
        text("of the first", [5, 5], forced=1, at=5),
    ]
    assert drawn(runs) == [
        ("first", 0, " 1 2 3 4"), ("branch", 1, "7 5"), ("of the branch", 2, "6 1"),
        ("again", 0, " 9 8"), ("of the first", 1, "5 5"),
    ]  # fmt: skip


def test_texts_of_another_prompt_and_studies_are_left_out():
    other = text("other", [1], prompt="B")
    study = text("study", [1])
    study.request = study.request.model_copy(update={"study": "attention"})
    first = text("first", [1, 2])
    assert [one.run.id for one in written_from([other, study, first], first.request)] == ["first"]
    assert root(first.request) != root(other.request)


def test_every_variant_of_a_run_is_a_text_of_its_own():
    run = text("both", [1, 2])
    run.outputs += text("x", [3, 4], index=1).outputs
    assert [(one.index, one.ids) for one in written_from([run], run.request)] == [(0, (1, 2)), (1, (3, 4))]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 6)), min_size=1,
                max_size=8))  # fmt: skip
def test_no_text_is_lost_and_each_shares_with_its_parent_what_it_was_given(given):
    runs = [text(str(at), ids, min(forced, len(ids)), at) for at, (ids, forced) in enumerate(given)]
    nodes = tree(written_from(runs, runs[0].request))
    assert sorted(node.written.run.id for node in nodes) == sorted(run.id for run in runs)
    above = []
    for node in nodes:
        above = above[: node.depth]
        if node.depth:
            parent, shared = above[-1].written, node.written.forced - 1
            assert parent.run.created_at < node.written.run.created_at
            assert parent.ids[:shared] == node.written.ids[:shared]
            assert len(parent.ids) > shared
        above.append(node)
