"""Weights of words in a prompt: how they are read, and that they act."""

import pytest
import torch

from models.image.sampling import pipelines, weights
from tests.tiny import final_of
from tests.tiny.pipelines import draw, pipelines_engine


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a (red:1.3) heart", [("a ", 1), ("red", 1.3), (" heart", 1)]),
        ("(a (b:2) c)", [("a ", 1.1), ("b", 2.2), (" c", 1.1)]),
        ("[a] b", [("a", 0.9091), (" b", 1)]),
        ("((x))", [("x", 1.21)]),
        ("(a: b: 1.5 )", [("a: b", 1.5)]),
        ("(x:.5)", [("x", 0.5)]),
        ("(x:99)", [("x", 10)]),
        ("a \\(b\\) c", [("a (b) c", 1)]),
        ("two\nlines  (x) \n", [("two\nlines  ", 1), ("x", 1.1), (" \n", 1)]),
        ("a:1.2 b", [("a:1.2 b", 1)]),
        ("(a", [("(a", 1)]),
        ("a)] b", [("a)] b", 1)]),
        ("(a) b [c", [("a", 1.1), (" b [c", 1)]),
        ("()", [("()", 1)]),
        ("a\\", [("a\\", 1)]),
        ("(" * 300 + "a" + ")" * 300, [("(" * 300 + "a" + ")" * 300, 1)]),
        ("", [("", 1)]),
    ],
)
def test_a_prompt_is_read_as_webui_writes_it(text, parts):
    assert weights.read(text).parts == tuple(parts)


def test_tags_of_add_on_weights_are_taken_out_and_named():
    found = weights.read("<lora:foo:0.8>a cat<hypernet:b:1>")
    assert (found.plain, found.tags) == ("a cat", ("<lora:foo:0.8>", "<hypernet:b:1>"))
    assert weights.read("a <b> c").plain == "a <b> c"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = pipelines_engine(tmp_path_factory.mktemp("pipelines"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pipeline(engine):
    final_of(engine, draw("sd"))
    with engine._registry.lease("image/sd") as loaded:
        yield loaded.parts["pipeline"]


def pixels(engine, prompt, kind="sd", **params):
    final = final_of(engine, draw(kind, prompt, **params))
    return [one.data for one in final.outputs if one.kind == "image"], final.stats["notes"]


def test_without_weights_the_embeddings_are_those_of_the_pipeline(engine, pipeline):
    params = engine.catalog.validate(draw("sd", "red cat", clip_skip=None))
    for skip in (None, 1):
        params = params.model_copy(update={"clip_skip": skip})
        ours = weights.embeddings(pipeline, weights.read("red cat"), weights.read(""), params)
        theirs = pipeline.encode_prompt("red cat", torch.device("cpu"), 1, True, clip_skip=skip)
        for left, right in zip(ours.values(), theirs, strict=True):
            assert torch.allclose(left, right, atol=1e-5)


def test_a_weight_acts_and_more_of_it_acts_more(engine, pipeline):
    params = engine.catalog.validate(draw("sd"))

    def apart(weight):
        found = weights.embeddings(pipeline, weights.read(f"(red:{weight}) cat"), weights.read(""), params)
        plain = weights.embeddings(pipeline, weights.read("red cat"), weights.read(""), params)
        return float((found["prompt_embeds"] - plain["prompt_embeds"]).norm())

    assert apart(1.0) < 1e-4 < apart(1.2) < apart(1.6)
    assert apart(0.9) < apart(0.4)


def test_pictures_change_by_weight_and_not_by_a_weight_of_one(engine):
    plain, _ = pixels(engine, "a cat")
    assert pixels(engine, "a (cat:1.0)")[0] != []
    assert pixels(engine, "a (cat:1.8)")[0] != plain
    assert pixels(engine, "a \\(cat\\)")[0] != plain  # brackets that are kept are read


def test_a_weight_in_the_negative_prompt_acts_too(engine):
    common = {"guidance_scale": 5.0}
    assert (
        pixels(engine, "a cat", negative_prompt="dog", **common)[0]
        != pixels(engine, "a cat", negative_prompt="(dog:2)", **common)[0]
    )


def test_weights_and_a_blend_of_prompts_go_together(engine):
    from_one = pixels(engine, "(cat:1.5)", prompt_to="dog", prompt_mix=0.3)[0]
    assert from_one != pixels(engine, "(cat:1.5)", prompt_to="dog", prompt_mix=0.6)[0]
    assert from_one != pixels(engine, "cat", prompt_to="dog", prompt_mix=0.3)[0]


def test_what_is_not_read_is_told(engine):
    tagged, notes = pixels(engine, "a cat<lora:foo:0.8>")
    assert tagged != []
    assert any("<lora:foo:0.8> was left out" in note for note in notes)
    _, notes = pixels(engine, "a (cat:1.5)", kind="flux")
    assert any("does not weigh words" in note for note in notes)
    _, notes = pixels(engine, "a cat (sitting)", kind="flux")
    assert notes == []


def test_a_tag_changes_nothing_else(pipeline, engine):
    params = engine.catalog.validate(draw("sd"))
    prompt, plain, embeds = pipelines.conditions(pipeline, "a cat<lora:foo:1>", params)
    assert (prompt, plain, embeds) == ("a cat", params, None)


@pytest.mark.parametrize(
    ("text", "same"),
    [(")" * 300 + "(" * 300, True), ("]" * 999 + "(a" * 999, True), ("(a) " * weights.MARKS_MAX, True),
     (")" * 30 + "(a)", False)],
)  # fmt: skip
def test_brackets_without_end_are_text(text, same):
    found = weights.read(text)
    assert (found.parts == ((text, 1.0),)) == same
    assert len(found.plain) >= len(text) - 2
