"""The tree of conversations: whatever a session runs, nothing is lost and every answer can be walked to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.text.chat_files import as_json
from components.text.conversation import (
    Maker,
    grow,
    is_chat,
    messages_before,
    newest_leaf,
    next_seed,
    read,
    siblings,
    starts,
    way_of,
)
from models.text.conversations import Talk, read_conversations
from models.text.prompts import read_messages
from models.types import SEED_MAX, Output, Request, Run

WORDS = st.sampled_from(["a", "b", "c", ""])


def turn(way, answers, at=0, seed=0, system="", model="text/x", status="done", **params):
    """Return a run that answers the question that `way` ends in."""
    given = {"prompt": way[-1], "messages": json.dumps(messages_before(way, system))}
    outputs = [Output("text", index, text) for index, text in enumerate(answers)]
    request = Request(model=model, inputs=given, params=params, seed=seed)
    return Run(f"run{at}", "me", f"job{at}", request, status, float(at), outputs)


@st.composite
def sessions(draw):
    """Return the runs of a session: each goes on from, edits or repeats anything that was said before."""
    runs, known = [], [()]
    for at in range(draw(st.integers(1, 12))):
        way = (*draw(st.sampled_from(known)), draw(WORDS))
        answers = draw(st.lists(WORDS, max_size=2))
        runs.append(turn(way, answers, at, draw(st.integers(0, 3)), draw(st.sampled_from(["", "Be short."]))))
        known += [(*way, text) for text in answers or [""]]
    return runs


@given(sessions())
def test_every_answer_of_every_run_is_in_the_tree_with_its_maker(runs):
    tree = grow(runs)
    for run in runs:
        _, way = read(run.request)
        for text in [output.text for output in run.outputs] or [""]:
            assert text in tree.following[way]
            assert run in [maker.run for maker in tree.makers[(*way, text)]]
    assert sum(len(makers) for makers in tree.makers.values()) == sum(max(1, len(run.outputs)) for run in runs)


@given(sessions(), st.randoms())
def test_the_order_in_which_runs_are_read_does_not_matter(runs, chance):
    mixed = list(runs)
    chance.shuffle(mixed)
    assert grow(mixed) == grow(runs)


@given(sessions())
def test_later_runs_take_nothing_away_and_keep_the_order_of_siblings(runs):
    before, after = grow(runs[:-1]), grow(runs)
    for way, texts in before.following.items():
        assert after.following[way][: len(texts)] == texts
    for way, makers in before.makers.items():
        assert after.makers[way][: len(makers)] == makers


@given(sessions())
def test_walking_among_siblings_comes_by_each_of_them_once(runs):
    tree = grow(runs)
    for way in tree.born:
        ways, place = siblings(tree, way)
        assert ways[place] == way
        assert len(set(ways)) == len(ways) == len(tree.following[way[:-1]])
        assert all(siblings(tree, other) == (ways, at) for at, other in enumerate(ways))


@given(sessions())
def test_the_newest_leaf_is_an_answer_made_last_below(runs):
    tree = grow(runs)
    for way in [(), *tree.born]:
        leaf = newest_leaf(tree, way)
        assert leaf[: len(way)] == way
        assert leaf in tree.makers
        assert leaf not in tree.following
    assert newest_leaf(tree)[: len(read(runs[-1].request)[1])] == read(runs[-1].request)[1]


@given(sessions())
def test_the_next_seed_is_one_that_the_question_has_not_had(runs):
    tree = grow(runs)
    for makers in tree.makers.values():
        for maker in makers:
            seed = next_seed(tree, maker)
            same = maker.run.request.model_copy(update={"seed": seed})
            assert same not in [run.request for run in runs]


def test_the_next_seed_is_after_the_largest_and_begins_anew_after_the_last():
    runs = [turn(("q",), ["A"], 1, seed=3), turn(("q",), ["B"], 2, seed=9), turn(("q",), ["C"], 3, seed=50, top_k=2)]
    assert next_seed(grow(runs), Maker(runs[0], runs[0].outputs[0])) == 10
    last = turn(("q",), ["D"], 4, seed=SEED_MAX)
    assert next_seed(grow([*runs, last]), Maker(runs[0], runs[0].outputs[0])) == 0


@given(sessions())
def test_what_a_request_holds_is_read_back_and_is_a_valid_conversation(runs):
    for run in runs:
        system, way = read(run.request)
        messages = messages_before(way, system)
        assert json.loads(run.request.inputs["messages"]) == messages == read_messages(json.dumps(messages))
        assert len(way) % 2 == 1


def test_editing_a_question_makes_a_branch_beside_it():
    runs = [turn(("one",), ["A"], 1), turn(("one", "A", "two"), ["B"], 2), turn(("other",), ["C"], 3)]
    tree = grow(runs)
    assert siblings(tree, ("other",)) == ([("one",), ("other",)], 1)
    assert newest_leaf(tree, ("one",)) == ("one", "A", "two", "B")
    assert starts(tree) == [("other",), ("one",)]
    tree = grow([*runs, turn(("one", "A", "three"), ["D"], 4)])
    assert starts(tree) == [("one",), ("other",)]
    assert newest_leaf(tree, ("one",)) == ("one", "A", "three", "D")


def test_variants_of_a_run_and_answers_of_other_models_are_siblings():
    tree = grow([turn(("one",), ["A", "B"], 1), turn(("one",), ["C"], 2, model="text/y")])
    ways, _ = siblings(tree, ("one", "A"))
    assert ways == [("one", "A"), ("one", "B"), ("one", "C")]
    assert tree.makers["one", "C"][0].run.request.model == "text/y"


def test_the_same_words_twice_are_one_answer_with_two_makers():
    tree = grow([turn(("one",), ["A"], 1, seed=3), turn(("one",), ["A"], 2, seed=4)])
    assert siblings(tree, ("one", "A")) == ([("one", "A")], 0)
    assert [maker.run.request.seed for maker in tree.makers["one", "A"]] == [3, 4]


def test_a_system_prompt_is_a_setting_and_no_branch_of_its_own():
    tree = grow([turn(("one",), ["A"], 1), turn(("one",), ["B"], 2, system="Be short.")])
    assert tree.following[("one",)] == ["A", "B"]
    assert read(tree.makers["one", "B"][0].run.request)[0] == "Be short."


def test_a_way_from_a_link_stands_among_its_siblings_without_a_run():
    tree = grow([turn(("one",), ["A"], 1)])
    assert siblings(tree, ("one", "said elsewhere")) == ([("one", "A"), ("one", "said elsewhere")], 1)
    assert siblings(tree, ()) == ([()], 0)


def test_plain_runs_and_damaged_ones_are_no_conversations():
    plain = Run("p", "me", "j", Request(model="text/x", inputs={"prompt": "x"}), "done", 0.0, [Output("text", 0, "xy")])
    damaged = Run("d", "me", "j", Request(model="text/x", inputs={"prompt": "x", "messages": "{"}), "failed", 0.0)
    assert not is_chat(plain.request)
    assert grow([plain, damaged]).following == {}


@pytest.mark.parametrize(
    ("status", "output", "stopped"),
    [("stopped", None, True), ("failed", None, False), ("done", Output("text", meta={"finish": "eos"}), False),
     ("stopped", Output("text", meta={"finish": "eos"}), False), ("stopped", Output("text"), True),
     ("stopped", Output("text", meta={"finish": "stopped"}), True)],
)  # fmt: skip
def test_an_answer_that_was_cut_is_told_from_one_that_ended(status, output, stopped):
    assert Maker(turn(("one",), [], status=status), output).stopped is stopped


def test_an_opening_stands_before_the_first_question_and_names_no_question_of_its_own():
    way = ("", "Hello.", "one", "A", "two")
    assert messages_before(way, "")[0] == {"role": "assistant", "content": "Hello."}
    run = turn(way, ["B"], 1)
    assert read(run.request) == ("", way)
    tree = grow([run, turn(("", "Hello.", "other"), ["C"], 2), turn(("one",), ["D"], 3)])
    assert starts(tree) == [("one",), ("", "Hello.", "other"), ("", "Hello.", "one")]
    assert newest_leaf(tree, ("", "Hello.", "one")) == (*way, "B")


def test_all_branches_of_a_conversation_are_saved_and_opened_again_with_what_made_them():
    runs = [
        turn(("one",), ["A"], 1, seed=3, system="Be short.", temperature=0.5), turn(("one", "A", "two"), ["B"], 2),
        turn(("one",), ["C"], 3, model="text/y"), turn(("other",), ["D"], 4), turn(("one", "A", "fails"), [], 5),
    ]  # fmt: skip
    tree = grow(runs)
    (found,) = read_conversations(as_json(tree, ("one", "A", "two", "B"), "").encode())
    again = grow([], [(float(at), talk) for at, talk in enumerate(found.talks)])
    assert way_of(found.talks[0]) == ("one", "A", "two", "B")
    assert set(again.following) == {(), ("one",), ("one", "A"), ("one", "A", "two")}
    assert again.came == {
        (*read(run.request)[1], run.outputs[0].text): run.request for run in runs[:3]
    }  # fmt: skip


def test_what_a_file_held_stands_among_the_runs_in_time():
    talk = Talk(tuple(messages_before(("", "Hi", "one", "A", ""), "")), "next")
    tree = grow([turn(("b",), ["B"], 1), turn(("c",), ["C"], 3)], [(2.0, talk)])
    assert starts(tree) == [("c",), ("", "Hi", "one"), ("b",)]
