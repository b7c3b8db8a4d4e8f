"""What a page's address may hold: settings, seeds that are new, values from before, and what other sites add."""

import base64
import json
import random
import zlib

import pytest

from components import links, rooms
from models import outside
from models.catalog import current_catalog
from models.errors import PlaygroundError
from models.settings import Settings
from models.types import SEED_MAX, Request

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


def body_of(link):
    return json.loads(base64.urlsafe_b64decode(link.split("?r=")[1] + "=="))


def test_a_link_holds_the_whole_request_but_no_upload_and_is_read_back():
    upload = f"sha256:{'a' * 64}"
    request = Request(
        model="text/story-gpt", inputs={"prompt": "Once é", "image": upload, "system": ""},
        params={"top_k": None, "stop": ["a"]}, seed=7,
    )  # fmt: skip
    link = links.link_to("http://here/text?model=x&r=old", request)
    assert link.startswith("http://here/text?r=")
    assert body_of(link) == {
        "v": 1, "model": "text/story-gpt", "inputs": {"prompt": "Once é", "system": ""},
        "params": {"top_k": None, "stop": ["a"]}, "seed": 7,
    }  # fmt: skip
    again = links.read_request(link.split("?r=")[1])
    assert again == request.model_copy(update={"inputs": {"prompt": "Once é", "system": ""}})


def test_a_link_may_be_so_long_and_no_longer():
    request = Request(model="text/story-gpt", inputs={"prompt": "x" * 1300})
    room = links.LINK_MAX_CHARS - len(links.link_to("", request))
    longest = links.link_to("h" * room, request)
    assert len(longest) == links.LINK_MAX_CHARS
    assert links.read_request(longest.split("?r=")[1]) == request
    squeezed = links.link_to("h" * (room + 1), request)  # the address before it counts
    assert len(squeezed) < len(longest)
    assert links.read_request(squeezed.split("?r=")[1]) == request
    assert links.link_to("h" * links.LINK_MAX_CHARS, request) is None


def test_a_text_that_is_too_long_for_a_plain_link_is_compressed_and_read_back():
    words = random.Random(7)
    told = " ".join(words.choice(("the", "a fox", "ran é", "over", "hills", "and 🐉")) for _ in range(900))
    request = Request(model="text/story-gpt", inputs={"prompt": told}, seed=7)
    link = links.link_to("http://here/text", request)
    assert len(told) > 4000
    assert len(link) <= links.LINK_MAX_CHARS
    assert links.read_request(link.split("?r=")[1]) == request
    chance = "".join(chr(words.randrange(0x4E00, 0x9FFF)) for _ in range(2000))
    assert links.link_to("", request.model_copy(update={"inputs": {"prompt": chance}})) is None


def squeezed(data):
    return "~" + base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    ["~", "~@@@", "~~", squeezed(b""), squeezed(b"no"), squeezed(zlib.compress(b"{}")[:-3]),
     squeezed(zlib.compress(b"{")), squeezed(zlib.compress(b"[" * 50_000)), squeezed(zlib.compress(b" " * 10_000_000))],
)  # fmt: skip
def test_a_damaged_compressed_link_is_a_sentence(text):
    with pytest.raises(PlaygroundError, match="This link is damaged and cannot be opened"):
        links.read_request(text[: links.LINK_MAX_CHARS])
    with pytest.raises(outside.Unreadable):
        outside.unpacked(text)


def packed(**changes):
    body = {"v": links.VERSION, "model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {}, "seed": 3}
    body = {name: value for name, value in {**body, **changes}.items() if value is not ...}
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5])
def test_a_link_of_another_version_says_so(version):
    with pytest.raises(PlaygroundError, match=f"link version {version}; this one reads 1"):
        links.read_request(packed(v=version))


@pytest.mark.parametrize(
    "text",
    ["", "@@@", "e30", packed(v=...), packed(model=...), packed(inputs=[]), packed(inputs={"prompt": 3}),
     packed(seed=-2), packed(seed=SEED_MAX + 1), packed(more=1), "A" * 2001],
)  # fmt: skip
def test_a_damaged_link_is_a_sentence(text):
    with pytest.raises(PlaygroundError, match="This link is damaged and cannot be opened"):
        links.read_request(text)


def test_a_text_in_a_link_is_checked_as_any_other_and_named():
    with pytest.raises(PlaygroundError, match="^The system has a null byte at position 2"):
        links.read_request(packed(inputs={"system": "a\0"}))
    assert links.read_request(packed(seed=SEED_MAX)).seed == SEED_MAX


TEXT = rooms.room("text").page


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("model", "text/story-gpt", ""),
        ("model", "image/emoji-diffusion", "The address asks for image/emoji-diffusion, which is not a model of this"),
        ("model", "text/nothing", "There is no model"),
        ("job", "A" * 24, ""),
        ("story-gpt.temperature", "0.5", ""),
        ("story-gpt.temperature", "9", "From the address: temperature is 9; it must be"),
        ("story-gpt.temperature", "hot", "From the address: temperature is 'hot'"),
        ("story-gpt.nothing", "1", "has no such setting"),
        ("story-gpt.seed", str(SEED_MAX), ""),
        ("story-gpt.seed", str(SEED_MAX + 1), f"it must be a whole number from 0 to {SEED_MAX}. The default was kept."),
        ("story-gpt.seed", "1.5", "seed is '1.5'; it must be a whole number"),
        ("story-gpt.seed", "x" * 41, f"seed is '{'x' * 39}…'; it must be"),
        ("story-gpt.typical_p.on", "true", ""),
        ("story-gpt.typical_p.on", "1", "typical_p.on is '1'; it must be true or false."),
        ("y" * 41, "1", f"an unknown setting '{'y' * 39}…'; it was ignored."),
        ("y" * 40, "1", f"an unknown setting '{'y' * 40}'; it was ignored."),
    ],
)
def test_what_cannot_be_used_is_named_with_what_is_allowed(name, text, said):
    found = links.problems(CATALOG, TEXT, {name: text})
    assert len(found) == (said != "")
    assert all(said in sentence for sentence in found)
    assert (name in links.unusable(CATALOG, {name: text})) == ("story-gpt" in name and bool(said))


def test_what_can_be_used_is_read_by_model_with_its_switches():
    given = {
        "story-gpt.temperature": "0.5", "story-gpt.do_sample": "false", "story-gpt.typical_p.on": "true",
        "story-lstm.top_k.on": "false", "story-gpt.top_p": "7", "emoji-diffusion.scheduler": "DDIMScheduler",
        "nobody.seed": "1", "utm_source": "x",
    }  # fmt: skip
    assert links.settings(CATALOG, given) == {
        "text/story-gpt": {"temperature": 0.5, "do_sample": False, "typical_p.on": True},
        "text/story-lstm": {"top_k.on": False},
        "image/emoji-diffusion": {"scheduler": "DDIMScheduler"},
    }
