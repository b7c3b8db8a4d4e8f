"""The pictures of a session: a wall by job, one opened, two compared."""

import streamlit as st

from components.image import gallery
from models.types import Request
from tests.components.image.image_steps import ID, MODEL, PAGE, choose, components, pictures, run, wall
from tests.components.page_steps import messages, owner, press, settle, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


def test_earlier_results_are_a_wall_by_job_and_open_with_their_actions(pages):
    page = pages.open(PAGE)
    run(pages, page, "one")
    choose(page, "num_images", 3)
    run(pages, page, "two")
    choose(page, "num_images", 1)
    run(pages, page, "three")
    runs = {one.request.inputs["prompt"]: one.id for one in pages.store.runs(owner(pages))}
    assert wall(page) == [[runs["two"]] * 3, [runs["one"]]]
    assert len(pictures(page)) == 1
    page.session_state[gallery.open_key("image")] = runs["two"]
    page.run()
    assert len(pictures(page)) == 4
    press(page, f"restore-{runs['two']}")
    assert widget(page, "text_area", "image-prompt").value == "two"
    assert widget(page, "slider", f"{MODEL}.num_images").value == 3
    press(page, "image-open-close")
    assert len(pictures(page)) == 1


def test_a_caption_below_results_of_one_job_tells_what_differs_among_them(pages):
    page = pages.open(PAGE)
    run(pages, page, "another, with a long prompt")
    cells = [
        Request(model=ID, inputs={"prompt": "sunflower"}, seed=seed, params={"guidance_scale": guidance})
        for guidance in (2.5, 12.0) for seed in (1, 2)
    ]  # fmt: skip
    pages.jobs.submit(owner(pages), cells, "sweep")
    settle(pages, page)
    run(pages, page, "the newest")
    groups = components(page, "groups")[-1]["groups"]
    below = [cell["label"] for cell in groups[0]]
    assert below == [f"Guidance {guidance} · seed {seed}" for guidance in (2.5, 12) for seed in (1, 2)]
    assert all("sunflower" in cell["title"] for cell in groups[0])
    assert "another" in groups[1][0]["label"]


def test_a_walk_is_one_group_and_studies_are_not_shown(pages):
    page = pages.open(PAGE)
    run(pages, page)
    me = owner(pages)
    walk = [Request(model=ID, inputs={"prompt": "x"}, seed=seed) for seed in range(4)]
    pages.jobs.submit(me, walk, "walk")
    settle(pages, page)
    pages.jobs.submit(me, [walk[0].model_copy(update={"study": "words"})], "study")
    settle(pages, page)
    run(pages, page)
    assert [len(group) for group in wall(page)] == [4, 1]


def test_a_failed_run_without_pictures_has_its_place(pages, monkeypatch):
    from models.errors import BadInput

    def refuse(request, stop=None):
        raise BadInput("No such word.")
        yield

    page = pages.open(PAGE)
    with monkeypatch.context() as patch:
        patch.setattr(pages.engine, "generate", refuse)
        run(pages, page)
    run(pages, page)
    (group,) = components(page, "groups")[0]["groups"]
    assert (group[0]["label"], group[0]["url"]) == ("failed", "")
    page.session_state[gallery.open_key("image")] = group[0]["id"]
    page.run()
    assert any("No such word" in message for message in messages(page))


def test_two_pictures_are_compared_the_newest_with_the_one_before(pages):
    page = pages.open(PAGE)
    run(pages, page, "first")
    assert not any(item.label == "Compare two images" for item in page.expander)
    run(pages, page, "second")
    assert components(page, "labels") == []  # not before it is opened
    page.session_state["image-compare"] = True
    page.run()
    (pair,) = components(page, "labels")
    assert ["second" in pair["labels"][0], "first" in pair["labels"][1]] == [True, True]


def test_pictures_that_were_cleared_leave_the_page_standing(pages):
    page = pages.open(PAGE)
    run(pages, page, "one")
    run(pages, page, "two")
    for one in pages.store.runs(owner(pages)):
        for output in one.outputs:
            if output.kind == "image":
                pages.store.path(output.sha256).unlink(missing_ok=True)
    st.cache_data.clear()
    page.session_state["image-compare"] = True
    page.run()
    assert not page.exception
    page.session_state[gallery.open_key("image")] = wall(page)[0][0]
    page.run()
    assert not page.exception
    press(page, next(button.key for button in page.button if button.key.startswith("use-run-")))
    assert any("is empty" in message for message in messages(page))
