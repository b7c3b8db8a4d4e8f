"""The token microscope under a finished text, over an engine whose texts are random and whose tool is the real one."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from components import presence, services
from components.owners import Owner
from components.session import Session
from components.text import microscope_view, token_map
from models import plain_text
from models.blobs import Blobs
from models.errors import BadInput
from models.text.kept import Kept, pack, unpack
from models.text.looking.microscope import look
from tests.components.image_desk import CATALOG, OWNER, components, widget
from tests.components.page_steps import said
from tests.components.text.text_desk import STORY, TextDesk
from tests.fake_texts import TENSORS, FakeTexts
from tests.fakes import view

IDS = (100, 300, 500, 700, 900, 1100)
LABELS = {"top_p": "Top-p", "top_k": "Top-k"}


class Scoped(FakeTexts):
    """Keep logits under which the tokens came with falling odds."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def texts(self, request):
        forced = json.loads(request.inputs.get("forced", "[]"))
        ids = np.array([*forced, *IDS[len(forced) :]], np.int32)
        logits = np.random.default_rng(1).normal(0, 1, (len(ids), 4096)).astype(np.float16)
        logits[:, 7] = 8
        logits[np.arange(len(ids)), ids] = np.linspace(9, 4, len(ids))
        yield plain_text.text_output("A *b*", {"ids": ids.tolist()}, 0, {"prompt_chars": 1, "finish": "eos"})
        meta = {"what": "logits", "ids": ids.tolist(), "forced": len(forced), "whole": True}
        yield view(pack(Kept(logits, ids, np.array([0], np.int32))), TENSORS, **meta)

    other = False  # the next texts are of another model

    def on_scores(self, request):
        for output in self.texts(request):
            if output.kind == "view":
                if self.other:
                    meta = {**output.meta, "ids": [one + 1 for one in IDS]}
                    output = replace(output, data=output.data + b" ", sha256="", meta=meta)
                yield output

    def tool_microscope(self, data):
        from tokenizers import Tokenizer

        return look(data, Blobs(self.folder), Tokenizer.from_file(str(CATALOG[STORY].folder() / "tokenizer.json")))


def DESK(folder):
    return TextDesk(folder, Scoped(folder))


def opened(desk, **params):
    desk.finished(**params)
    desk.open("Microscope")
    return desk.draw()


def shown(page):
    data = next(data for data in components(page) if "heat" in data)
    return {**data, "at": next(iter(data["at"]), None)}


def test_the_tokens_are_drawn_with_one_number_each_and_the_first_ones_odds(desk):
    data = shown(opened(desk, temperature=1.0, top_p=1.0))
    assert len(data["pieces"]) == len(data["heat"]) == len(data["told"]) == 6
    assert data["given"] == "A"
    assert data["heat"] == sorted(data["heat"])  # each came more against the odds than the one before
    assert data["at"]["at"] == 0
    assert data["at"]["drawn"] == IDS[0]
    assert "rank 1" in data["at"]["facts"]
    assert "None of 6 tokens" in said(desk.page)


@pytest.mark.parametrize("params", [{}, {"temperature": 1.0, "top_p": 1.0}, {"do_sample": False}, {"top_k": 7},
                                    {"dry_multiplier": 0.8, "dry_base": 2.0}])  # fmt: skip
def test_the_settings_begin_where_the_text_was_written(desk, params):
    page = opened(desk, **params)
    assert widget(page, "button", "-own").disabled
    asked = {"temperature": 0.8, **params}
    if asked.get("do_sample", True):
        assert widget(page, "slider", ".temperature").value == asked["temperature"]
    else:
        assert widget(page, "slider", ".temperature").value == 1.0  # chance had no part
    assert any(item.label == "More settings" for item in page.expander)
    # its title has a dot by a rule alone: nothing of it is read out as part of the name
    assert any("summary p::after" in item.proto.body and "more" in item.proto.body for item in page.get("html")) == (
        "top_k" in params or "dry_multiplier" in params
    )


def test_moving_a_setting_strikes_tokens_out_without_a_new_job(desk):
    page = opened(desk, temperature=1.0, top_p=1.0)
    ran = len(desk.engine.ran)
    widget(page, "slider", ".top_p").set_value(0.05)
    desk.draw()
    data = shown(desk.page)
    kept = unpack(desk.store.get_bytes(desk.kept().removeprefix("sha256:")))
    from models.text.looking.microscope import score

    gone = (score(kept, {"temperature": 1.0, "top_p": 0.05}).stage >= 0).sum()
    assert 0 < gone < 6
    assert sum(stage >= 0 for stage in data["stage"]) == gone
    assert f"{gone} of 6 tokens would have been removed: {gone} by top-p 0.05" in said(desk.page).replace("*", "")
    assert data["at"]["stages"] == ["Top-p"]
    assert len(desk.engine.ran) == ran
    widget(desk.page, "button", "-own").click()
    desk.draw()
    assert set(shown(desk.page)["stage"]) == {-1}


@pytest.mark.parametrize(("measure", "word"), [("probability", "%"), ("entropy", "entropy"), ("rank", "rank")])
def test_each_measure_has_its_words(desk, measure, word):
    page = opened(desk)
    widget(page, "button_group", "-measure").set_value(measure)
    desk.draw()
    data = shown(desk.page)
    assert all(word in told for told in data["told"])
    assert data["ends"] == list(token_map.ENDS[measure])


def test_another_token_begins_a_branch_which_stands_in_the_tree(desk, monkeypatch):
    page = opened(desk, temperature=0.7, num_variants=1)
    run = next(one for one in desk.store.runs(OWNER))
    text = microscope_view.written_from([run], run.request)[0]
    other = next(token["id"] for token in shown(page)["at"]["tokens"] if token["id"] != IDS[0])
    answer = {"at": {"at": 0, "tokens": [{"id": other}, {"id": IDS[0]}]}}
    session = SimpleNamespace(session_state={})
    monkeypatch.setattr(microscope_view, "st", session)
    monkeypatch.setattr(microscope_view.state, "st", session)
    where = Session(desk.jobs, Owner(OWNER, "session"), CATALOG)
    asked = microscope_view._Asked(where, CATALOG[STORY], text, {"temperature": 0.3}, answer, "map", "position")
    for wrong in (None, {"at": 1, "id": other}, {"at": 0, "id": 4095}, {"at": 0}):
        monkeypatch.setattr(token_map, "chosen", lambda key, what, wrong=wrong: wrong)
        asked.branch()
    assert len(desk.engine.ran) == 1
    monkeypatch.setattr(token_map, "chosen", lambda key, what: {"at": 0, "id": other})
    asked.branch()
    desk.wait()
    request = desk.engine.ran[-1]
    assert json.loads(request.inputs["forced"]) == [other]
    assert request.params["temperature"] == 0.3
    assert request.seed == 7
    monkeypatch.undo()
    monkeypatch.setattr(services, "jobs", lambda: desk.jobs)
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)
    page = desk.draw()
    nodes = next(data for data in components(page) if "nodes" in data)["nodes"]
    assert [node["depth"] for node in nodes] == [0, 1]
    assert [node["current"] for node in nodes] == [False, True]
    assert shown(page)["forced"] == 1


def test_what_the_tool_refuses_is_said_and_nothing_else_is_lost(desk):
    desk.engine.tool_error = BadInput("The text was *cleared*.")
    assert "The text was *cleared*." in said(opened(desk))


def test_the_settings_can_be_taken_for_the_next_run(desk):
    page = opened(desk, temperature=1.0, top_p=1.0)
    widget(page, "slider", ".top_p").set_value(0.5)
    desk.draw()
    widget(desk.page, "button", "-use").click()
    desk.draw()
    assert desk.page.session_state["story-gpt.top_p"] == 0.5
    assert desk.page.session_state["story-gpt.seed"] == 7


def test_the_sentence_counts_by_setting():
    answer = {"tokens": 120, "bits": 2.0, "forbidden": {"top_k": 4, "top_p": 30}}
    said = microscope_view.sentence(answer, {"top_k": 20, "top_p": 0.8}, LABELS).replace("\\", "")
    assert said.startswith("**34 of 120 tokens** would have been removed: 4 by top-k 20, 30 by top-p 0.8.")
    assert "4 equally likely tokens" in said
    assert microscope_view.sentence({**answer, "forbidden": {}}, {}, LABELS).startswith("**None of 120 tokens**")


def test_strength_grows_with_surprise():
    assert microscope_view.strengths([1.0, 0.5, 0.0], "probability") == [0.0, 0.125, 1.0]
    assert microscope_view.strengths([0.2], "entropy") == [0.2]


def clear_logits(desk):
    """Do what a prune does: the run stays, what was kept of its making goes."""
    path = desk.store.path(desk.kept())
    path.unlink()
    return path


def test_scores_that_were_cleared_are_computed_again_when_asked_for(desk):
    desk.finished(temperature=1.0, top_p=1.0)
    path = clear_logits(desk)
    desk.open("Microscope")
    desk.draw()
    assert "The scores of this text were cleared to save room" in said(desk.page)
    assert desk.looks() == []  # not before someone asks
    widget(desk.page, "button", "-compute").click()
    desk.settle()
    assert desk.looks() == ["scores"]
    assert path.exists()
    assert len(shown(desk.page)["heat"]) == 6


def test_scores_of_another_text_are_not_shown_for_this_one(desk):
    desk.finished(temperature=1.0, top_p=1.0)
    clear_logits(desk)
    desk.engine.other = True
    desk.open("Microscope")
    desk.draw()
    widget(desk.page, "button", "-compute").click()
    desk.settle()
    assert "These settings now write another text" in said(desk.page)
    assert not any("heat" in data for data in components(desk.page))


@pytest.mark.parametrize(("status", "asked"), [("done", None), ("stopped", 4), ("failed", 4)])
def test_a_text_that_was_stopped_is_computed_again_as_far_as_it_got(desk, status, asked):
    desk.finished(temperature=1.0)
    run = next(one for one in desk.store.runs(OWNER))
    run.status = status
    kept = next(one for one in run.outputs if microscope_view.is_view(one))
    kept.meta["forced"] = 2
    request = microscope_view.again(run)
    assert request.study == "scores"
    assert request.params.get("max_new_tokens") == asked
    assert request.inputs == run.request.inputs
    assert request.seed == run.request.seed
