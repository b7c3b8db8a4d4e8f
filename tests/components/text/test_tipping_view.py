"""The strip of tipping points: over an engine whose text was drawn from random logits, with the tool itself."""

import time

import pytest

from components.text import tipping_strip, tipping_view
from models import plain_text
from models.blobs import Blobs
from models.params import describe
from models.text.kept import pack
from models.text.looking.tipping import tip
from models.text.settings import CausalLMParams
from models.torchaudio_guard import guard
from tests.components.image_desk import CATALOG, components, widget
from tests.components.page_steps import said
from tests.components.text.text_desk import STORY, TextDesk
from tests.fake_texts import TENSORS, FakeTexts
from tests.fakes import view

guard()  # torch is imported here, and not in the middle of a job

from tests.tiny.drawn_texts import made  # noqa: E402

SIZE = 300


class Drawn(FakeTexts):
    """Write texts of 12 tokens that the sampler drew, one for each variant."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def texts(self, request):
        params = CausalLMParams(**request.params)
        for row in range(params.num_variants):
            yield plain_text.text_output("A b", {"ids": row}, row, {"prompt_chars": 1, "finish": "eos"})
        for row in range(params.num_variants):
            kept = made(request.seed, params.model_dump(), 12, params.num_variants, row, SIZE)
            yield view(pack(kept), TENSORS, row, what="logits", ids=kept.ids.tolist(), forced=0, whole=True)

    def on_scores(self, request):
        return [one for one in self.texts(request) if one.kind == "view"]

    def tool_tipping(self, data):
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(CATALOG[STORY].folder() / "tokenizer.json"))
        return tip(data, Blobs(self.folder), tokenizer, describe(CausalLMParams), SIZE)


def DESK(folder):
    return TextDesk(folder, Drawn(folder))


def opened(desk, **params):
    desk.finished(**params)
    desk.open("Tipping points")
    return desk.draw()


def strip(desk):
    """Return what the strip shows, once the tool has answered."""
    limit = time.monotonic() + 20
    while True:
        found = [data for data in components(desk.page) if "cells" in data]
        if found:
            return found[0]
        assert time.monotonic() < limit
        time.sleep(0.02)
        desk.draw()


def test_a_strip_tells_what_becomes_of_the_text_along_the_whole_range(desk):
    page = opened(desk, temperature=0.8)
    data = strip(desk)
    cells = data["cells"]
    assert (data["label"], data["low"], data["high"], data["here"]) == ("Temperature", "0", "2", "0.8 (this text)")
    assert data["at"] == pytest.approx(0.4)
    assert cells[0]["left"] == 0
    assert sum(cell["width"] for cell in cells) == pytest.approx(1)
    own = cells[data["chosen"]]
    assert own["made"]
    assert own["same"]
    assert own["left"] <= 0.4 <= own["left"] + own["width"]
    assert "This text stays the same with temperature" in said(page)
    assert "Logits are saved at half precision" in said(page)
    assert desk.looks() == []  # nothing was written


def test_another_setting_has_its_own_strip_and_off_stands_before_it(desk):
    page = opened(desk, temperature=1.0, top_p=1.0)
    box = widget(page, "selectbox", next(one.key for one in page.selectbox if one.key.endswith("-setting")))
    assert "Temperature" in box.options
    assert "Length" not in box.options
    assert "DRY base" not in box.options  # it has no effect without DRY
    box.select("top_k")
    desk.draw()
    data = strip(desk)
    assert data["cells"][0]["range"] == "off"
    assert data["cells"][0]["made"]
    assert data["at"] is None
    assert data["here"] == "off (this text)"
    assert "This text was written with top-k off." in said(desk.page)


def test_greedy_text_offers_no_setting_of_chance(desk):
    page = opened(desk, do_sample=False)
    box = next(one for one in page.selectbox if one.key.endswith("-setting"))
    assert "Temperature" not in box.options
    assert "Repetition penalty" in box.options


def test_each_variant_has_its_own(desk):
    page = opened(desk, temperature=1.0, num_variants=2)
    first = strip(desk)
    next(one for one in page.get("button_group") if one.key.endswith("-variant")).set_value(1)
    desk.draw()
    assert strip(desk)["of"] != first["of"]


def test_logits_that_were_cleared_are_computed_again_when_asked_for(desk):
    desk.finished(temperature=0.9)
    desk.store.path(desk.kept()).unlink()
    desk.open("Tipping points")
    desk.draw()
    assert "The scores of this text were cleared to save room" in said(desk.page)
    assert not any("cells" in data for data in components(desk.page))
    widget(desk.page, "button", "-compute").click()
    desk.settle()
    assert desk.looks() == ["scores"]
    assert strip(desk)["cells"]


def answer(value=0.8, own=1, off=None):
    same, other = {"at": None, "words": "the same"}, {"at": 3, "words": "another"}
    segments = [{"from": 0.0, "to": 0.7, **other}, {"from": 0.71, "to": 0.9, **same}, {"from": 0.91, "to": 2, **other}]
    return {"low": 0.0, "high": 2.0, "segments": segments, "value": value, "own": own, "off": off, "tokens": 12,
            "label": "X", "unit": ""}  # fmt: skip


@pytest.mark.parametrize(("place", "value"), [(0, 0.7), (1, 0.8), (2, 0.91), (tipping_strip.OFF, None)])
def test_the_next_run_gets_the_value_of_a_stretch_that_is_nearest_to_the_texts_own(place, value):
    assert tipping_view.nearest(answer(), place) == value


def test_edges_lie_between_the_last_value_of_one_stretch_and_the_first_of_the_next():
    cells = tipping_strip.cells(answer())
    assert [round(cell["left"], 4) for cell in cells] == [0, 0.3525, 0.4525]
    assert [cell["early"] for cell in cells] == [0.46, 0, 0.46]
    assert [cell["made"] for cell in cells] == [False, True, False]


@pytest.mark.parametrize(("sent", "place"), [(2, 2), (-1, None), (3, None), (True, None), ("1", None), (None, None)])
def test_only_a_place_of_the_strip_is_taken_from_a_browser(monkeypatch, sent, place):
    from types import SimpleNamespace

    from components import state

    monkeypatch.setattr(state, "at", lambda key: SimpleNamespace(get=lambda: SimpleNamespace(pick=sent)))
    assert tipping_strip.chosen("x", answer()) == place


def test_a_chosen_stretch_is_copied_to_the_sidebar_with_the_texts_own_settings(desk):
    page = opened(desk, temperature=0.8, top_p=0.9)
    fields = CATALOG.family(STORY).fields(CATALOG[STORY])
    run = next(one for one in desk.store.runs("ann") if not one.request.study)
    held = {}

    def take(spec, table, values):
        held.update(values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.params_form.set_values", take)
        tipping_view._use(CATALOG[STORY], fields, run, "temperature", 0.91)
    assert held == {**run.request.params, "temperature": 0.91, "seed": 7}
    assert page is desk.page
