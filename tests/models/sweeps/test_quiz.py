"""A sweep as a quiz: what is asked, in which order, what the answers are worth, and the link that carries it."""

import base64
import json
import math
from collections import Counter

import pytest
from scipy.stats import binomtest

from models.catalog import load_catalog
from models.errors import BadInput, PlaygroundError
from models.settings import Settings
from models.sweeps import quiz, votes
from models.sweeps.cells import plan
from models.sweeps.quiz import Quiz, Round
from models.sweeps.spec import Axis, Sweep
from models.types import Request

CATALOG = load_catalog(Settings(), strict=False)
MODEL = "text/story-gpt"
PAGE = "http://127.0.0.1:8501/text"


def sweep(*axes, **request):
    asked = {"model": MODEL, "inputs": {"prompt": "A hen"}, "params": {"max_new_tokens": 5}, "seed": 4, **request}
    return Sweep(Request(**asked), tuple(Axis(name, tuple(values)) for name, values in axes))


TEMPERATURES = ("temperature", (0.8, 0.2, 1.4))


def asked(of, kind, axis="temperature", values=(), seed=1):
    made = quiz.checked(Quiz(of, kind, axis, values, seed))
    return made, quiz.rounds(plan(CATALOG, of), made)


def test_the_cells_of_each_line_are_to_be_put_in_order_and_their_places_are_ranks():
    made, rounds = asked(sweep(TEMPERATURES, ("seed", (0, 1, 2, 3))), "order")
    assert len(rounds) == 4
    for one in rounds:
        values = [made.varied.values[cell // 4] for cell in one.cells]
        assert [sorted(values).index(value) for value in values] == list(one.places)
        assert [values[at] for at in one.right] == [0.2, 0.8, 1.4]
        assert len({cell % 4 for cell in one.cells}) == 1  # of one seed
    assert [made.varied.values[at] for at in quiz.values_in_order(made)] == [0.2, 0.8, 1.4]


def test_the_order_is_drawn_from_the_seed_and_is_the_same_everywhere():
    of = sweep(TEMPERATURES, ("seed", tuple(range(10))))
    first = asked(of, "guess", seed=1)[1]
    assert first == asked(of, "guess", seed=1)[1]
    assert first != asked(of, "guess", seed=2)[1]
    assert [one.cells[0] for one in first[:5]] == [24, 18, 11, 29, 23]  # of any machine, Python and process
    assert len(first) == quiz.ROUNDS_MOST["guess"]


def test_long_lines_are_asked_for_in_part():
    _, rounds = asked(sweep(("temperature", tuple(at / 10 for at in range(1, 15)))), "order")
    assert [len(one.cells) for one in rounds] == [quiz.ORDER_MOST]
    assert sorted(one.places for one in rounds) != [tuple(range(quiz.ORDER_MOST))]


def test_what_does_nothing_or_looks_alike_is_not_asked_for():
    of = sweep(("do_sample", (False, True)), ("temperature", (0.2, 0.9)), ("seed", (0, 1)))
    rounds = asked(of, "guess")[1]
    assert sorted(one.cells[0] for one in rounds) == [4, 5, 6, 7]  # where Sampling is on
    greedy = sweep(("temperature", (0.2, 0.9)), params={"do_sample": True, "top_k": 1, "max_new_tokens": 5})
    try:
        found = plan(CATALOG, greedy)
    except PlaygroundError:
        return
    assert all(len({*one.cells}) == len(one.cells) for one in quiz.rounds(found, Quiz(greedy, "guess", "temperature")))


def test_nothing_to_ask_is_a_sentence():
    of = sweep(("do_sample", (False, True)), ("seed", (0,)), params={"max_new_tokens": 5})
    assert len(asked(of, "guess", "do_sample")[1]) == 2
    alone = sweep(("temperature", (0.2, 0.9)), ("do_sample", (False, True)))
    found = plan(CATALOG, alone)
    sampled = Quiz(alone, "guess", "temperature")
    cells = tuple(cell for cell in found.cells if "temperature" in cell.idle)
    with pytest.raises(BadInput, match="nothing to ask"):
        quiz.rounds(type(found)(alone, cells), sampled)


def test_pairs_differ_in_the_two_values_alone_and_their_sides_are_shuffled():
    of = sweep(TEMPERATURES, ("seed", tuple(range(30))))
    made, rounds = asked(of, "blind", values=(1.4, 0.2))
    assert len(rounds) == 30
    assert all({cell // 30 for cell in one.cells} == {1, 2} and len({cell % 30 for cell in one.cells}) == 1
               for one in rounds)  # fmt: skip
    assert all([(2, 1)[at] for at in one.places] == [cell // 30 for cell in one.cells] for one in rounds)
    assert 5 < sum(one.places == (0, 1) for one in rounds) < 25
    assert [quiz.value_of(CATALOG, made, at) for at in (0, 1)] == ["Temperature 1.4", "Temperature 0.2"]


@pytest.mark.parametrize(("kind", "axis", "values", "words"), [
    ("guess", "top_k", (), "asks for 'top_k', which its sweep does not vary; it varies: temperature, seed, model"),
    ("guess", "seed", (), "a seed is chance"), ("order", "model", (), "only numbers have an order"),
    ("guess", "top_p", (), "it has one value alone"), ("blind", "temperature", (0.2,), "give two of: 0.8, 0.2, 1.4"),
    ("blind", "temperature", (0.2, 5.0), "give two of"), ("blind", "temperature", (0.2, 0.2), "with itself"),
])  # fmt: skip
def test_what_cannot_be_asked_for_says_why(kind, axis, values, words):
    of = sweep(TEMPERATURES, ("seed", (0, 1)), ("model", (MODEL, "text/story-lstm")), ("top_p", (0.5,)))
    with pytest.raises(BadInput) as caught:
        quiz.checked(Quiz(of, kind, axis, values))
    assert words in caught.value.message


def test_answers_are_counted_and_chance_is_told():
    order = [Round((7, 8, 9), (2, 0, 1)), Round((1, 2), (0, 1))]
    assert order[0].right == (1, 2, 0)
    assert quiz.score(order, [(1, 2, 0), (1, 0)]) == (3, 5)
    assert quiz.score(order, [(1, 0, 2), (0, 1)]) == (3, 5)
    assert quiz.by_chance(order, 9) == 2.0  # one cell of a shuffled row is in its place on the mean
    guess = [Round((7,), (2,)), Round((8,), (0,)), Round((9,), (1,))]
    assert quiz.score(guess, [(2,), (2,), (1,)]) == (2, 3)
    assert math.isclose(quiz.by_chance(guess, 3), 1.0)


def test_the_sign_test_is_scipy_s():
    for one in range(13):
        for other in range(13):
            want = binomtest(one, one + other).pvalue if one + other else 1.0
            assert math.isclose(quiz.sign_test(one, other), want, rel_tol=1e-9)
    assert quiz.sign_test(3000, 1000) < 1e-200 or quiz.sign_test(3000, 1000) == 0.0


def test_the_verdict_tells_counts_and_chance_in_words():
    real = quiz.verdict("Temperature 0.2", "Temperature 1.4", (1, 9, 2))
    assert real.startswith("Temperature 1.4 was preferred in 9 of 10 votes.")
    assert "2.1% of such series (two-sided sign test, p = 0.021): hardly by chance alone." in real
    assert "In 2 more no difference was seen" in real
    assert "may well be chance alone. Fewer than 6 votes can never show more." in quiz.verdict("A", "B", (3, 0, 0))
    assert quiz.verdict("A", "B", (2, 2, 0)).startswith("Both were preferred equally often, 2 times each.")
    assert quiz.verdict("A", "B", (0, 0, 3)) == "No vote was for either: in all 3 no difference was seen."
    assert quiz.verdict("A", "B", (0, 0, 0)) == "There is no vote."


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_link_brings_the_same_quiz():
    for made in (
        Quiz(sweep(TEMPERATURES, ("seed", (0, 1))), "order", "temperature", (), 9),
        Quiz(sweep(("inputs.prompt", ("Ж “é”", "b"))), "blind", "inputs.prompt", ("Ж “é”", "b"), 0),
    ):
        link = quiz.link_to(f"{PAGE}?story-gpt.seed=3", made)
        assert link.startswith(f"{PAGE}?quiz=")
        assert quiz.from_link(link.split("quiz=")[1]) == made


def test_a_link_that_cannot_carry_a_quiz_says_why():
    with pytest.raises(BadInput, match=r"makes a link of 1\d,\d{3} characters; at most 2,000"):
        quiz.link_to(PAGE, Quiz(sweep(("inputs.prompt", ("a" * 9000, "b"))), "guess", "inputs.prompt"))
    with pytest.raises(BadInput, match="starts from a file, which a link cannot carry"):
        quiz.link_to(PAGE, Quiz(sweep(TEMPERATURES, inputs={"audio": f"sha256:{'0' * 64}"}), "guess", "temperature"))


def link_of(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


GOOD = json.loads(Quiz(sweep(TEMPERATURES), "guess", "temperature").to_json())


@pytest.mark.parametrize("content", [
    None, 7, [], {}, {**GOOD, "v": 2}, {**GOOD, "v": True}, {**GOOD, "kind": "other"}, {**GOOD, "axis": 3},
    {**GOOD, "axis": "x" * 101}, {**GOOD, "seed": -1}, {**GOOD, "seed": 2**32}, {**GOOD, "seed": "a"},
    {**GOOD, "values": [1, 2, 3]}, {**GOOD, "more": 1}, {**GOOD, "sweep": []}, {**GOOD, "sweep": {"v": 1}},
    {**GOOD, "sweep": {**GOOD["sweep"], "axes": [{"name": "temperature", "values": [{}]}]}},
    {**GOOD, "sweep": {**GOOD["sweep"], "request": {"model": MODEL, "inputs": {"prompt": "a\0b"}, "seed": 0}}},
    {**GOOD, "sweep": {**GOOD["sweep"], "request": {"model": MODEL, "inputs": {"prompt": "\ud800"}, "seed": 0}}},
    {**GOOD, "sweep": {**GOOD["sweep"], "request": {"model": MODEL, "inputs": {"a": "sha256:" + "0" * 64}, "seed": 0}}},
])  # fmt: skip
def test_what_comes_in_a_link_is_checked(content):
    with pytest.raises(BadInput) as caught:
        quiz.from_link(link_of(content))
    assert len(caught.value.message) < 700
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("text", ["", "%%%", "é", "bm9uZQ", "A" * 2001, "W" * 2000])
def test_a_damaged_link_is_a_sentence(text):
    with pytest.raises(BadInput):
        quiz.from_link(text)


# -- votes -------------------------------------------------------------------------------------------------------------


def test_a_vote_tells_what_was_shown_where_and_which_was_preferred():
    of = sweep(TEMPERATURES, ("seed", tuple(range(8))))
    made, rounds = asked(of, "blind", values=(1.4, 0.2))
    found, kept = plan(CATALOG, of), []
    for number, one in enumerate(rounds):
        choice = ("A", "B", "no difference")[number % 3]
        content = votes.content(found, made, one, choice, {cell: f"c{cell}" for cell in range(24)})
        shown = [(0.8, 0.2, 1.4)[cell // 8] for cell in one.cells]
        assert content["shown_as_a"] == shown[0]
        assert content["preferred"] == {"A": shown[0], "B": shown[1]}.get(choice)
        assert content["alike"] == {"seed": one.cells[0] % 8}
        assert content["causes"] == [f"c{cell}" for cell in one.cells]
        kept.append({"sitting": "s", "pair": number, "voted_at": 0.0, "content": json.loads(json.dumps(content))})
    first, second, neither = votes.counts(kept)
    assert (first + second, neither) == (6, 2)
    preferred = Counter(one["content"]["preferred"] for one in kept)
    assert (first, second) == (preferred[1.4], preferred[0.2])
    rows = votes.rows(kept)
    assert tuple(rows[0]) == votes.COLUMNS
    assert rows[0]["voted_at"] == "1970-01-01T00:00:00+00:00"
    assert json.loads(rows[0]["alike"]) == {"seed": rounds[0].cells[0] % 8}
