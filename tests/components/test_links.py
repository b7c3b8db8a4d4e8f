"""What a page's address may hold: settings, seeds that are new, values from before, and what other sites add."""

import base64
import json

import pytest

from components import links, rooms
from models.catalog import current_catalog
from models.settings import Settings
from models.types import SEED_MAX

CATALOG = current_catalog(Settings())


@pytest.mark.parametrize("name", ["utm_source", "utm_campaign", "UTM_medium", "gclid", "fbclid", "msclkid", "mc_cid"])
def test_what_other_sites_add_is_not_spoken_of(name):
    assert links.problems(CATALOG, rooms.room("text").page, {name: "x"}) == []


@pytest.mark.parametrize("name", ["utm", "temperature", "story.temperature", "xgclid"])
def test_what_nobody_knows_still_is(name):
    assert len(links.problems(CATALOG, rooms.room("text").page, {name: "x"})) == 1


def test_seed_minus_1_is_drawn_and_values_from_before_are_todays():
    given = {"story-gpt.seed": "-1", "emoji-diffusion.guidance_scale": "0", "story-gpt.temperature": "0.5", "x": "-1"}
    new = links.current(CATALOG, given)
    assert sorted(new) == ["emoji-diffusion.guidance_scale", "story-gpt.seed"]
    assert 0 <= int(new["story-gpt.seed"]) <= SEED_MAX
    assert float(new["emoji-diffusion.guidance_scale"]) == 1
    assert len(links.problems(CATALOG, rooms.room("text").page, {**given, **new})) == 1  # x
    assert links.settings(CATALOG, {**given, **new})["text/story-gpt"]["seed"] == int(new["story-gpt.seed"])


def test_a_link_may_ask_for_a_new_seed():
    def packed(seed):
        body = {"v": links.VERSION, "model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {}, "seed": seed}
        return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")

    assert links.asks_for_a_new_seed(packed(-1))
    assert not links.asks_for_a_new_seed(packed(7))
    assert links.read_request(packed(7)).seed == 7
    assert len({links.read_request(packed(-1)).seed for _ in range(5)}) > 1
