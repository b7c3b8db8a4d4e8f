"""Which settings matter, in a shell: what it prints, what it finds again, what it refuses."""

import json

import pytest

from models.__main__ import main

ASKED = ("text/story-lstm", "--prompt", "A hen", "--param", "max_new_tokens=3", "--seed", "5")


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Return what runs the command and returns its exit code, its lines, the last as JSON, and what stderr said."""
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))

    def call(*arguments):
        code = main(["sensitivity", *arguments])
        out, said = capsys.readouterr()
        lines = out.strip().splitlines()
        return code, lines[:-1], json.loads(lines[-1]) if lines else None, said

    return call


def test_settings_are_ranked_by_what_they_move_and_nothing_is_made_twice(shell):
    code, lines, told, said = shell(*ASKED, "--budget-s", "600")
    assert (code, told["seeds"], told["failed"], told["cached"]) == (0, [5, 6, 7, 8], 0, 0)
    assert told["computed"] == told["runs"]
    assert f"{len(told['settings'])} settings × 4 seeds: {told['runs']} runs, about" in said
    assert told["measure"] == "changed_words"
    distances = [one["distance"] for one in told["settings"]]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0 == distances[-1]
    assert lines[: len(distances)] == [one["words"] for one in told["settings"]]
    assert "× seed noise (changed words" in lines[0]
    assert lines[len(distances) :] == told["said"]
    assert {"temperature", "do_sample"} <= {one["name"] for one in told["settings"]}
    code, again, found, said = shell(*ASKED, "--budget-s", "600")
    assert (code, found["computed"], found["cached"]) == (0, 0, told["runs"])
    assert "all here already" in said
    assert again == lines


def test_with_little_time_it_says_what_was_not_tried(shell):
    code, lines, told, _ = shell(*ASKED, "--budget-s", "0.000001")
    assert told["seeds"] == [5, 6]
    assert told["computed"] == 1  # the first, which loads the model
    assert code == 1
    assert any(line.startswith("Not tried yet: ") for line in lines)


def test_what_does_not_go_with_it_is_refused_before_anything_runs(shell, tmp_path):
    for given, sentence in (
        (("--out", str(tmp_path / "a.txt")), "--out does not go with sensitivity"),
        (("--budget-s", "-1"), "--budget-s is -1"),
        (("--budget-s", "nan"), "--budget-s is nan"),
        (("--param", "temperature=99"), "temperature is 99"),
    ):
        code, lines, told, said = shell(*ASKED, *given)
        assert (code, lines, told) == (2, [], None)
        assert sentence in said
