"""`python -m models runs` and `models.runs`: the same store, the same words as on the page."""

import json
import re
import zipfile

import pytest

import models
from models import whose
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.stored import make_run

OWNER = whose.machine_owner()
WHALE, BOAT = "a" * 32, "ab" + "b" * 30


@pytest.fixture
def filled():
    store = Store(Settings())
    for name, prompt, seed in ((WHALE, "A whale", 1), (BOAT, "A boat", 2)):
        request = Request(model="text/story-gpt", inputs={"prompt": prompt}, seed=seed)
        store.save_run(make_run(name, f"{prompt} sang", owner=OWNER, request=request, job=name, created_at=float(seed)))
    store.save_run(make_run("c" * 32, "SECRET", owner="cookie:else", created_at=9.0))
    yield store
    store.close()


def test_runs_are_listed_newest_first_and_found_by_words(command, filled):
    said = command("runs").stdout.splitlines()
    assert [line[:12] for line in said] == [BOAT[:12], WHALE[:12]]
    assert "A boat · seed 2" in said[0]
    assert command("runs", "--search", "whale sang").stdout.startswith(WHALE[:12])
    assert "Nothing fits" in command("runs", "--search", "secret").stdout
    (line,) = command("runs", "--json", "--seed", "2", "--model", "text/story-gpt").stdout.splitlines()
    assert json.loads(line)["request"]["inputs"] == {"prompt": "A boat"}
    assert command("runs", "--limit", "1", "--json").stdout.count("\n") == 1


def test_an_empty_store_says_so(command):
    assert command("runs").stdout.startswith("No runs are kept in ")
    assert "Nothing fits" in command("runs", "--starred").stdout


def test_what_is_said_of_a_run_by_the_beginning_of_its_id(command, filled):
    assert command("runs", "star", "ab").stdout == "1 run given a star.\n"
    command("runs", "name", "ab", "My", "best")
    command("runs", "tag", "ab", "talk", "sea")
    command("runs", "note", "ab", "for the slides")
    (found,) = models.runs(models.Filter(starred=True))
    assert (found.run.id, found.title, found.tags, found.note) == (BOAT, "My best", ("sea", "talk"), "for the slides")
    assert [one.run.id for one in models.runs(models.Filter(text="slides best sea"))] == [BOAT]
    assert "[sea] [talk]" in command("runs", "--starred").stdout
    assert json.loads(command("runs", "show", "ab").stdout)["title"] == "My best"
    command("runs", "unstar", "ab")
    assert models.runs(models.Filter(starred=True)) == []


@pytest.mark.parametrize("asked", [("code",), ("check",), ("tipping", "--setting", "top_p")])
def test_a_run_of_another_owner_is_none_in_a_shell(command, filled, asked):
    name, *rest = asked
    said = command(name, "c" * 32, *rest)
    assert said.returncode == 2
    assert "nor the id of a run of yours" in said.stderr
    assert "SECRET" not in said.stdout + said.stderr
    assert "Once" not in said.stdout  # its prompt


def test_an_id_as_it_is_listed_names_a_run_to_every_command(command, filled):
    filled.save_run(make_run("d" * 32, owner=OWNER, status="failed", job="d", created_at=5.0))
    short = command("runs", "--limit", "1").stdout[:12]
    assert short == "d" * 12
    assert "was stopped or failed" in command("check", short).stderr
    assert "A boat" in command("code", BOAT[:12]).stdout
    assert "2 runs of yours have an id that begins with 'a'" in command("code", "a").stderr
    command("runs", "delete", "ab")
    assert "nor the id of a run of yours" in command("code", BOAT).stderr


def test_runs_are_shared_listed_and_revoked(command, filled):
    said = command("runs", "share", "ab", "--days", "7", "--page", "http://host:8501/").stdout
    assert re.match(r"http://host:8501/shared\?s=[0-9a-f]{32}  open until \d", said)
    both = json.loads(command("runs", "share", WHALE, BOAT, "--json").stdout)
    assert (both["kind"], both["runs"], both["expires_at"]) == ("comparison", [WHALE, BOAT], None)
    assert both["link"] == f"/shared?s={both['token']}"
    lines = command("runs", "shared").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(f"comparison open until you revoke it  {WHALE[:12]} {BOAT[:12]}")
    assert [one.runs for one in filled.shared(OWNER)] == [(WHALE, BOAT), (BOAT,)]
    assert "told so" in command("runs", "revoke", both["link"]).stdout
    assert filled.open_share(both["token"]).state == "revoked"
    told = command("runs", "revoke", both["token"])
    assert "No open link of yours" in told.stderr
    command("runs", "revoke", said.split("s=")[1][:32])
    assert "No link is open" in command("runs", "shared").stdout


def test_what_is_somebody_elses_is_not_shared(command, filled):
    assert "No run of yours" in command("runs", "share", "c" * 32).stderr
    assert "more than 0 and at most 3,650 days" in command("runs", "share", "ab", "--days", "0").stderr
    assert filled.shared(OWNER) == []


def test_deleted_runs_come_back(command, filled):
    assert "runs restore takes it back" in command("runs", "delete", WHALE, BOAT).stdout
    assert models.runs() == []
    assert command("runs", "--deleted").stdout.count("deleted") == 2
    command("runs", "restore", WHALE)
    assert [one.run.id for one in models.runs()] == [WHALE]


def test_the_export_is_a_zip(command, filled, tmp_path):
    done = command("runs", "export", "--search", "boat", "--out", str(tmp_path / "runs.zip"))
    assert done.stdout.startswith("1 run in")
    with zipfile.ZipFile(tmp_path / "runs.zip") as archive:
        assert sorted(archive.namelist()) == ["0001-story-gpt-seed2.txt", "runs.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("star",), "needs an id"),
        (("star", "a"), "2 runs of yours have an id that begins with 'a'"),
        (("delete", "c"), "No run of yours has the id 'c'"),
        (("show", ""), "No run of yours"),
        (("dance", "ab"), "runs dance ab is not known"),
        (("export",), "needs --out"),
        (("--limit", "0"), "--limit is 0; it must be at least 1"),
        (("--search", "x" * 501), "--search has 501 characters; at most 500"),
        (("name", "ab", "x" * 201), "A name has at most 200 characters"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(command, filled, arguments, sentence):
    done = command("runs", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", ['"', "NEAR(", "\ud83d", "* OR", "-- ;"])
def test_odd_words_find_nothing_and_break_nothing(command, filled, words):
    assert command("runs", "--search", words).returncode == 0


def test_what_is_kept_and_what_goes_next_is_told(command, filled):
    told = command("runs", "kept")
    assert told.returncode == 0
    assert "At most 2 GB of results in all are kept. The oldest go first. Results with a star stay." in told.stdout
    assert "Yours that go first, unless they get a star (runs star ID): aaaaaaaaaaaa, abbbbbbbbbbb" in told.stdout
    assert "You have 2 results. 3 results take up" in told.stdout


def test_a_server_that_is_out_of_reach_is_a_sentence_without_its_password(command, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_DATABASE_URL", "postgresql://ann:hunter2@127.0.0.1:9/runs")
    told = command("runs")
    assert told.returncode != 0
    assert "database “runs” on 127.0.0.1:9 cannot be reached" in told.stderr
    assert "hunter2" not in told.stdout + told.stderr
