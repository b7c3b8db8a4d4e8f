"""Quizzes and votes in a shell: the link that the page opens, and what was voted."""

import csv
import io
import json

import pytest

import models
from models import whose
from models.__main__ import main
from models.settings import Settings
from models.store import Store
from models.sweeps import quiz
from models.sweeps.spec import Axis, Sweep
from models.types import Request

PAGE = "http://127.0.0.1:8501/text"


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))

    def call(*arguments):
        code = main([*map(str, arguments)])
        out, said = capsys.readouterr()
        return code, out, said

    return call


@pytest.fixture
def file(tmp_path):
    request = Request(model="text/story-gpt", inputs={"prompt": "A hen"}, params={"max_new_tokens": 3})
    axes = (Axis("seed", (0, 1)), Axis("temperature", (0.5, 1.0, 1.5)), Axis("model", ("text/story-gpt",
                                                                                      "text/story-lstm")))  # fmt: skip
    path = tmp_path / "sweep.json"
    path.write_text(Sweep(request, axes).to_json())
    return path


def test_a_quiz_is_made_of_a_sweep_s_file(shell, file):
    code, out, _ = shell("quiz", file, "--kind", "order", "--seed", 5, "--page", PAGE)
    told, link = out.strip().splitlines()
    assert (code, told) == (0, "Put in order: Temperature · 4 questions · 12 cells")
    made = quiz.from_link(link.split("quiz=")[1])
    assert (made.kind, made.axis, made.seed) == ("order", "temperature", 5)
    code, out, _ = shell("quiz", file, "--kind", "blind", "--axis", "model", "--json")
    said = json.loads(out)
    assert (code, said["questions"], said["link"]) == (0, 6, None)
    assert said["quiz"]["values"] == ["text/story-gpt", "text/story-lstm"]
    assert {tuple(sorted(one["places"])) for one in said["rounds"]} == {(0, 1)}


def test_the_values_of_a_blind_comparison_are_named(shell, file):
    asked = ("quiz", file, "--kind", "blind", "--axis", "temperature", "--json")
    assert json.loads(shell(*asked)[1])["quiz"]["values"] == [0.5, 1.5]
    assert json.loads(shell(*asked, "--value", "1", "--value", "0.50")[1])["quiz"]["values"] == [1.0, 0.5]


@pytest.mark.parametrize(("options", "words"), [
    (["--axis", "top_k"], "asks for 'top_k'"), (["--axis", "seed"], "a seed is chance"),
    (["--seed", "-1"], "--seed is -1"), (["--value", "3"], "--value goes with --kind blind"),
    (["--kind", "blind", "--axis", "temperature", "--value", "7", "--value", "1"], "--value 7 is not among the values"),
    (["--kind", "blind", "--axis", "temperature", "--value", "1"], "give two of"),
])  # fmt: skip
def test_what_cannot_be_asked_is_a_sentence(shell, file, options, words):
    code, out, said = shell("quiz", file, *options)
    assert (code, out) == (2, "")
    assert words in said
    assert said.count("\n") == 1


def test_a_file_that_is_none_is_a_sentence(shell, tmp_path):
    assert "cannot be read" in shell("quiz", tmp_path / "no.json")[2]


def vote(number, chosen):
    return {"model": "text/story-gpt", "axis": "temperature", "value_1": 0.5, "value_2": 1.5, "shown_as_a": 1.5,
            "vote": chosen, "preferred": {"A": 1.5, "B": 0.5}.get(chosen), "alike": {"seed": number},
            "causes": ["c", "d"]}  # fmt: skip


def test_votes_are_told_in_words_as_json_as_csv_and_by_the_package(shell, tmp_path):
    assert shell("votes")[1].startswith("There are no votes yet")
    assert shell("votes", "--csv")[1] == ("voted_at,sitting,pair,model,axis,value_1,value_2,shown_as_a,vote,preferred,"
                                          "alike,cause_of_a,cause_of_b\n")  # fmt: skip
    store = Store(Settings(data_dir=tmp_path / "data"))
    for number, chosen in enumerate(("A", "no difference")):
        store.save_vote(whose.machine_owner(), "s", number, vote(number, chosen))
    store.save_vote("somebody else", "t", 0, vote(0, "B"))
    code, out, _ = shell("votes")
    assert code == 0
    assert "temperature: 0.5 or 1.5  → 1.5" in out.splitlines()[0]
    assert "→ no difference" in out.splitlines()[1]
    rows = json.loads(shell("votes", "--json")[1])
    assert [(row["pair"], row["vote"], row["preferred"]) for row in rows] == [(0, "A", 1.5), (1, "no difference", None)]
    table = list(csv.DictReader(io.StringIO(shell("votes", "--csv")[1])))
    assert [(row["preferred"], row["alike"]) for row in table] == [("1.5", '{"seed": 0}'), ("", '{"seed": 1}')]
    assert models.votes() == rows
    assert "exclude each other" in shell("votes", "--json", "--csv")[2]


def test_votes_belong_to_their_owner(tmp_path):
    store = Store(Settings(data_dir=tmp_path))
    store.save_vote("me", "s", 0, vote(0, "A"))
    store.save_vote("me", "s", 0, vote(0, "B"))  # taken back, and voted again
    store.save_vote("me", "t", 0, vote(0, "A"))
    assert [(one["sitting"], one["content"]["vote"]) for one in store.votes("me")] == [("s", "B"), ("t", "A")]
    assert [one["sitting"] for one in store.votes("me", "t")] == ["t"]
    assert store.votes("you") == []
    store.move_owner("me", "you")
    assert (len(store.votes("me")), len(store.votes("you"))) == (0, 2)
    store.forget("you")
    assert store.votes("you") == []
    store.save_vote("cookie:x", "s", 0, vote(0, "A"))
    assert store.forget_idle("cookie:", before=0.0) == 0
    assert store.forget_idle("cookie:", before=1e12) == 1
    assert store.votes("cookie:x") == []
