"""Walks: exact ends, even steps, requests that every image model of the catalogue takes, wrong targets in words."""

import pytest

from models.catalog import load_catalog
from models.errors import BadRequest
from models.image import walks
from models.settings import Settings
from models.types import SEED_MAX, Request

CATALOG = load_catalog(Settings(), strict=False)
# those that draw: a classifier has neither prompt nor seed to walk along
IMAGES = [
    spec.id
    for spec in CATALOG.values()
    if spec.modality == "image" and spec.family not in ("image_classifier", "image_to_text")
]
DIFFUSION = next(model for model in IMAGES if CATALOG[model].family == "text_to_image")
TARGETS = {"seed": 9, "prompt": "blue 100 % heart", "guidance": 1.0}

each = pytest.mark.parametrize("model", IMAGES)


def fields(model=DIFFUSION):
    return CATALOG.family(model).fields(CATALOG[model])


def request(model=DIFFUSION, seed=7, prompt="red heart", inputs=None, **params):
    return Request(model=model, inputs={"prompt": prompt, **(inputs or {})}, params=params, seed=seed)


@each
def test_a_walk_of_every_kind_is_taken_by_the_catalogue(model):
    start = request(model)
    kinds = walks.kinds(fields(model), start)
    assert {"seed", "prompt"} <= set(kinds)
    for kind in kinds:
        for frames in (3, 8, 16):
            walk = walks.build_walk(fields(model), start, kind, TARGETS[kind], frames)
            assert len(walk) == frames
            assert len({one.canonical() for one in walk}) == frames
            for one in walk:
                CATALOG.validate(one)
            assert walks.kind_of(walk) == kind


@each
def test_the_first_frame_is_the_runs_own_request_of_one_picture(model):
    for kind in walks.kinds(fields(model), request(model)):
        assert walks.build_walk(fields(model), request(model), kind, TARGETS[kind], 4)[0] == request(model)
        many = request(model, num_images=3)
        assert walks.build_walk(fields(model), many, kind, TARGETS[kind], 4)[0] == request(model, num_images=1)


def test_a_seed_walk_ends_exactly_at_the_other_seeds_noise():
    walk = walks.build_walk(fields(), request(num_images=4), "seed", 9, 5)
    assert [one.params.get("variation_strength", 0.0) for one in walk] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert all(one.params["variation_seed"] == 9 for one in walk[1:])
    assert {one.seed for one in walk} == {7}
    assert {one.params["num_images"] for one in walk} == {1}


def test_a_prompt_walk_ends_exactly_at_the_second_prompt():
    walk = walks.build_walk(fields(), request(), "prompt", "blue heart", 4)
    assert [one.params.get("prompt_mix", 0.0) for one in walk] == [0.0, 0.333333, 0.666667, 1.0]
    assert all(one.inputs == {"prompt": "red heart", "prompt_to": "blue heart"} for one in walk[1:])


@pytest.mark.parametrize("target", [1.0, 12.3])
def test_a_guidance_walk_goes_from_the_runs_value_to_the_target(target):
    walk = walks.build_walk(fields(), request(guidance_scale=6.0), "guidance", target, 3)
    assert [one.params["guidance_scale"] for one in walk] == [6.0, round((6 + target) / 2, 6), target]


def test_nothing_but_what_is_walked_changes():
    start = request(num_inference_steps=12, negative_prompt="pale", inputs={"prompt_to": "old"})
    for kind, target in TARGETS.items():
        moved = {"seed": {"variation_seed", "variation_strength"}, "prompt": {"prompt_mix"},
                 "guidance": {"guidance_scale"}}[kind]  # fmt: skip
        for one in walks.build_walk(fields(), start, kind, target, 5):
            assert {name: value for name, value in one.params.items() if name not in moved} == start.params
            assert one.seed == start.seed


def test_a_run_on_its_way_is_walked_on_from_where_it_is():
    varied = request(variation_seed=9, variation_strength=0.4)
    walk = walks.build_walk(fields(), varied, "seed", 9, 3)
    assert [one.params["variation_strength"] for one in walk] == [0.4, 0.7, 1.0]
    assert walk[0] == varied
    assert walks.start_target(fields(), varied, "seed") == 9
    mixed = request(prompt_mix=0.5, inputs={"prompt_to": "blue heart"})
    walk = walks.build_walk(fields(), mixed, "prompt", "blue heart", 3)
    assert [one.params["prompt_mix"] for one in walk] == [0.5, 0.75, 1.0]
    assert walks.start_target(fields(), mixed, "prompt") == "blue heart"


@pytest.mark.parametrize(
    "start, kind, target, words",
    [
        (request(), "seed", 7, "at seed 7 already"),
        (request(), "seed", -1, "whole number from 0"),
        (request(), "seed", SEED_MAX + 1, "whole number from 0"),
        (request(), "seed", 1.5, "whole number from 0"),
        (request(), "seed", True, "whole number from 0"),
        (request(variation_seed=3, variation_strength=0.2), "seed", 4, "already blends seeds 7 and 3"),
        (request(variation_seed=3, variation_strength=1.0), "seed", 3, "already"),
        (request(), "prompt", "  ", "no second prompt"),
        (request(), "prompt", "red heart", "already"),
        (request(), "prompt", "a\0b", "null byte"),
        (request(prompt_mix=0.2, inputs={"prompt_to": "sun"}), "prompt", "moon", "already blends towards “sun”"),
        (request(guidance_scale=4.0), "guidance", 4, "already"),
        (request(), "guidance", 99.0, "it must be 1 to"),
        (request(), "guidance", "4", "it must be 1 to"),
        (request(prompt=" "), "prompt", "sun", "walk by prompt is not possible"),
        (request(), "sideways", 1, "walk by sideways is not possible"),
    ],
)
def test_what_cannot_be_walked_is_told_in_a_sentence(start, kind, target, words):
    with pytest.raises(BadRequest, match=words):
        walks.build_walk(fields(), start, kind, target, 5)


@pytest.mark.parametrize("frames", [-1, 0, 2, 17])
def test_a_walk_has_three_to_sixteen_frames(frames):
    with pytest.raises(BadRequest, match="3 to 16"):
        walks.build_walk(fields(), request(), "seed", 9, frames)


def test_only_kinds_whose_settings_act_are_offered():
    assert walks.kinds(fields(), request()) == ("seed", "prompt", "guidance")
    ref = {"image": "sha256:" + "0" * 64}
    assert "seed" not in walks.kinds(fields(), request(task="image to image", inputs=ref))  # noise is not drawn alone
    kept = tuple(item for item in fields() if item.name not in ("variation_seed", "guidance_scale"))
    assert walks.kinds(kept, request()) == ("prompt",)
    story = "text/story-gpt"
    assert walks.kinds(fields(story), request(story)) == ()


@each
def test_what_is_proposed_can_be_walked_to(model):
    for kind in walks.kinds(fields(model), request(model)):
        target = walks.start_target(fields(model), request(model), kind) or "sun"
        assert len(walks.build_walk(fields(model), request(model), kind, target, 3)) == 3


def test_the_proposed_seed_wraps_around():
    assert walks.start_target(fields(), request(seed=SEED_MAX), "seed") == 0


def test_picture_k_of_a_batch_is_the_next_seeds_picture():
    assert walks.single(fields(), request(num_images=4), 2) == request(seed=9, num_images=1)
    assert walks.single(fields(), request()) == request()
    assert walks.single(fields(), request(seed=SEED_MAX), 1).seed == 0


def test_captions_say_where_each_frame_is():
    def lines(kind, **params):
        return walks.captions(walks.build_walk(fields(), request(**params), kind, TARGETS[kind], 3))

    assert lines("seed") == ["seed 7", "50% seed 7, 50% seed 9", "seed 9"]
    assert lines("prompt") == ["“red heart”", "50% “red heart”, 50% “blue 100 % heart”", "“blue 100 % heart”"]
    assert lines("guidance", guidance_scale=4.0) == ["guidance 4", "guidance 2.5", "guidance 1"]
    assert walks.captions([request(), request()]) == ["frame 1", "frame 2"]
    assert walks.kind_of([request(), request()]) is None
