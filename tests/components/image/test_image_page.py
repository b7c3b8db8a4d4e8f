"""The Image page as a reader meets it, over a fake engine that draws one colour per seed."""

import base64
import io
import json

import numpy as np
from PIL import Image

from components import example, owners
from components.image import gallery
from models.image.files import read_settings
from models.types import Request
from tests.components.image.image_steps import (
    ID,
    MODEL,
    PAGE,
    choose,
    components,
    drawn,
    kept,
    pictures,
    png,
    run,
    upload,
    waited,
    wall,
)
from tests.components.page_steps import links, messages, newest_job, owner, press, settle, widget
from tests.fake_pictures import FakePictures, pixels

ENGINE = FakePictures


def test_an_example_is_shown_before_the_first_run(pages):
    page = pages.open(PAGE)
    assert any("An example" in item.value for item in page.caption)
    assert len(pictures(page)) == 1


def test_the_share_of_seeds_that_come_out_as_asked_is_told_beside_the_example(pages):
    page = pages.open(PAGE, model="image/emoji-vae")
    assert any("An example** from this model. 86% of seeds" in item.value for item in page.caption)


def place_of(block, kind, label, at=()):
    """Return where on the page an element stands: the number in each block on the way to it."""
    for number, child in getattr(block, "children", {}).items():
        if child.type == kind and child.proto.label == label:
            return (*at, number)
        if found := place_of(child, kind, label, (*at, number)):
            return found
    return ()


def test_an_upload_stays_in_its_place_whatever_is_said_of_the_prompt(pages):
    page = pages.open(PAGE, **{f"{MODEL}.task": "image to image"})
    before = place_of(page.main, "file_uploader", "Image")
    assert before
    for prompt in ("prompt 7", "red heart", "cat fase", "zzz"):
        next(item for item in page.text_area if item.label == "Prompt").set_value(prompt)
        page.run()
        assert place_of(page.main, "file_uploader", "Image") == before, prompt


def test_an_example_whose_picture_is_missing_is_not_shown(pages, monkeypatch, tmp_path):
    stem = f"image-{MODEL}.json"
    (tmp_path / stem).write_text((example.EXAMPLES / stem).read_text())
    monkeypatch.setattr(example, "EXAMPLES", tmp_path)
    assert pictures(pages.open(PAGE)) == []


def test_run_draws_pictures_with_facts_and_never_the_kept_steps(pages):
    page = pages.open(PAGE, **{f"{MODEL}.num_images": "2", f"{MODEL}.seed": "7"})
    run(pages, page, "a *red* <b>heart</b>")
    request = pages.engine.ran[0]
    assert (request.inputs, request.seed) == ({"prompt": "a *red* <b>heart</b>"}, 7)
    assert len(pictures(page)) == 2
    assert [one["alt"] for one in components(page, "pictures")[0]["pictures"]] == ["a *red* <b>heart</b>"] * 2
    facts = next(item.value for item in page.caption if "In effect" in item.value)
    assert "seed 7 · 0.5 s · 3 steps, 10 per second" in facts
    assert "Guidance 4" in facts
    assert "Scheduler DPM\\+\\+ 2M" in facts
    downloads = [item for item in page.download_button if item.label.startswith("Download")]
    assert [item.label for item in downloads if "JSON" not in item.label] == ["Download"]


def test_a_result_of_the_model_before_says_whose_it_is(pages):
    page = pages.open(PAGE)
    run(pages, page, "heart")
    told = [item.value for item in page.caption if "In effect" in item.value]
    assert told
    assert not any("By Emoji Diffusion" in one for one in told)
    box = next(item for item in page.selectbox if item.label == "Model")
    box.set_value(next(one for one in box.options if "GAN" in one))
    page.run()
    told = [item.value for item in page.caption if "In effect" in item.value]
    assert told[0].startswith("By Emoji Diffusion · ")


def test_schedulers_go_by_the_names_people_know_and_the_address_keeps_the_class(pages):
    page = pages.open(PAGE, **{f"{MODEL}.scheduler": "EulerDiscreteScheduler"})
    box = widget(page, "selectbox", f"{MODEL}.scheduler")
    assert box.value == "EulerDiscreteScheduler"
    assert "Euler" in box.options
    assert "`EulerDiscreteScheduler`" in box.help
    choose(page, "scheduler", "EulerAncestralDiscreteScheduler", "selectbox")
    assert page.query_params[f"{MODEL}.scheduler"] == "EulerAncestralDiscreteScheduler"
    run(pages, page)
    assert pages.engine.ran[-1].params["scheduler"] == "EulerAncestralDiscreteScheduler"
    choose(page, "scheduler", "DPMSolverMultistepScheduler", "selectbox")
    assert f"{MODEL}.scheduler" not in page.query_params


def test_one_bar_of_actions_is_for_the_chosen_picture(pages):
    page = pages.open(PAGE, **{f"{MODEL}.num_images": "3", f"{MODEL}.seed": "7"})
    run(pages, page)
    bar = next(item for item in page.get("button_group") if item.key.endswith("-chosen"))
    assert [option.content for option in bar.proto.options] == ["1 · seed 7", "2 · seed 8", "3 · seed 9"]
    bar.set_value(2)
    page.run()
    press(page, next(button.key for button in page.button if button.key.startswith("vary-")))
    settle(pages, page)
    assert pages.engine.ran[-1].seed == 9


def test_again_takes_the_next_seed(pages):
    page = pages.open(PAGE)
    run(pages, page)
    settle(pages, press(page, "again"))
    assert [request.seed for request in pages.engine.ran] == [0, 1]


def test_a_death_of_the_worker_is_told_with_what_there_was(pages):
    page = pages.open(PAGE)
    pages.engine.die()
    run(pages, page)
    assert any("worker process was ended" in message for message in messages(page))
    assert len(pictures(page)) == 1
    pages.engine.fail_with = None
    run(pages, page)
    assert newest_job(pages).state == "done"


def test_the_first_preview_and_the_result_take_the_place_that_was_kept_for_them(pages):
    page = pages.open(PAGE, **{f"{MODEL}.num_images": "3"})
    pages.engine.gate.clear()
    press(page, "run")
    waited(lambda: newest_job(pages).preview)
    page.run()
    shown = components(page, "pictures")[0]["pictures"]
    assert [bool(one["url"]) for one in shown] == [True, False, False]
    pages.engine.gate.set()
    settle(pages, page)
    after = components(page, "pictures")[0]["pictures"]
    assert [(one["width"], one["height"], one["label"]) for one in after] == [
        (one["width"], one["height"], one["label"]) for one in shown
    ]


def test_skip_keeps_what_is_finished_and_stop_what_there_is(pages):
    page = pages.open(PAGE, **{f"{MODEL}.num_images": "8"})
    pages.engine.gate.clear()
    press(page, "run")
    waited(lambda: newest_job(pages).preview)
    page.run()
    press(page, next(button.key for button in page.button if button.key.startswith("skip-")))
    waited(lambda: "image 2" in newest_job(pages).progress.note)
    page.run()
    press(page, next(button.key for button in page.button if button.key.startswith("stop-")))
    settle(pages, page)
    said = " ".join(item.value.replace("\\", "") for item in page.caption)
    assert "1 of 8 images were skipped." in said
    assert "stopped by you" in said
    assert len(pictures(page)) == 1


def test_one_picture_has_nothing_to_skip_to(pages):
    page = pages.open(PAGE)
    pages.engine.gate.clear()
    press(page, "run")
    waited(lambda: newest_job(pages).preview)
    page.run()
    assert not [button for button in page.button if button.key.startswith("skip-")]


def test_the_time_of_the_next_run_is_told_from_the_last_one(pages):
    page = pages.open(PAGE)
    run(pages, page)
    assert any("about 0.5 s" in item.value for item in page.caption)
    choose(page, "num_images", 4)
    assert any("about 2.0 s" in item.value for item in page.caption)
    choose(page, "num_inference_steps", 40)
    assert any("about 4.0 s" in item.value for item in page.caption)


def test_a_result_becomes_the_next_input(pages):
    page = pages.open(PAGE)
    run(pages, page)
    press(page, next(button.key for button in page.button if button.key.startswith("use-")))
    assert widget(page, "selectbox", f"{MODEL}.task").value == "image to image"
    assert pages.store.get_bytes(kept(page, "image")) == drawn(pages)[0].data
    run(pages, page)
    assert pages.engine.ran[-1].params["task"] == "image to image"
    assert set(pages.engine.ran[-1].inputs) == {"prompt", "image"}


def test_vary_runs_a_near_relative_of_that_picture(pages):
    page = pages.open(PAGE, **{f"{MODEL}.num_images": "2", f"{MODEL}.seed": "4"})
    run(pages, page)
    next(item for item in page.get("button_group") if item.key.endswith("-chosen")).set_value(1)
    page.run()
    settle(pages, press(page, next(button.key for button in page.button if button.key.startswith("vary-"))))
    request = pages.engine.ran[-1]
    assert (request.seed, request.params["num_images"], request.params["variation_strength"]) == (5, 1, 0.3)
    assert widget(page, "slider", f"{MODEL}.variation_strength").value == 0.3
    assert widget(page, "number_input", f"{MODEL}.seed").value == 5


def test_vary_waits_for_the_run_that_is_under_way(pages):
    page = pages.open(PAGE)
    run(pages, page)
    run(pages, page)
    page.session_state[gallery.open_key("image")] = wall(page)[0][0]
    page.run()
    pages.engine.gate.clear()
    press(page, "run")
    press(page, next(button.key for button in page.button if button.key.startswith("vary-")))
    assert any("One run at a time" in message for message in messages(page))
    assert len(pages.jobs.jobs_of(owner(pages))) == 2  # the finished one and the one under way
    assert widget(page, "slider", f"{MODEL}.variation_strength").value == 0


def test_a_link_carries_words_and_says_that_pictures_are_left_out(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    run(pages, page, "blue heart")
    link = links(page)[0]
    told = next(data["said"] for data in components(page, "link"))
    assert "It carries no files" in told
    other = pages.open(PAGE, r=link.split("?r=")[1])
    assert widget(other, "text_area", "image-prompt").value == "blue heart"
    assert widget(other, "selectbox", f"{MODEL}.task").value == "image to image"
    assert any("Please add the" in message and "the image" in message for message in messages(other))


def test_a_link_that_names_no_picture_where_one_belongs_is_harmless(pages):
    from components.links import link_to

    for bad in ("../../etc/passwd", "x", "sha256:" + "0" * 64):
        request = Request(model=ID, inputs={"prompt": "x", "steps": bad}, params={"task": "image to image"})
        packed = link_to(
            "", request.model_copy(update={"inputs": {"prompt": "x", "image": bad.removeprefix("sha256:")}})
        )
        page = pages.open(PAGE, r=packed.split("?r=")[1])
        press(page, "run")
        assert any("needs an image to start from" in message for message in messages(page))
    assert pages.engine.ran == []


def test_a_link_that_names_somebody_else_s_picture_gets_nothing_of_it(pages):
    page = pages.open(PAGE)
    theirs = pages.jobs.store.take("cookie:other", png())
    given = {"prompt": "x", "image": theirs}
    body = {"v": 1, "model": ID, "inputs": given, "params": {"task": "image to image"}, "seed": 1}
    packed = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
    page = pages.open(PAGE, r=packed)
    assert widget(page, "selectbox", f"{MODEL}.task").value == "image to image"  # the link was read
    assert kept(page, "image") is None
    press(page, "run")
    assert any("needs an image to start from" in message for message in messages(page))
    assert pages.engine.ran == []


def test_another_page_keeps_pictures_and_prompt(pages):
    page = pages.open("Home.py")
    page.switch_page("pages/image.py").run()
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    widget(page, "text_area", "image-prompt").set_value("kept")
    page.run()
    ref = kept(page, "image")
    page.switch_page("pages/text.py").run()
    page.switch_page("pages/image.py").run()
    assert kept(page, "image") == ref
    assert widget(page, "text_area", "image-prompt").value == "kept"


def test_the_download_holds_the_settings(pages):
    page = pages.open(PAGE, **{f"{MODEL}.seed": "5"})
    run(pages, page, "pizza")
    data = drawn(pages)[0].data
    found = read_settings(data)
    assert (found.model, found.seed, found.inputs) == (ID, 5, {"prompt": "pizza"})
    assert (np.asarray(Image.open(io.BytesIO(data))) == pixels(pages.engine.ran[0])).all()


def test_lists_in_the_prompt_are_drawn_by_the_seed_and_stay_in_the_box(pages):
    page = pages.open(PAGE, **{f"{MODEL}.seed": "7"})
    run(pages, page, "a {red|blue} __nobody__ heart")
    (request,) = pages.engine.ran
    assert request.inputs["prompt"] in ("a red __nobody__ heart", "a blue __nobody__ heart")
    assert widget(page, "text_area", "image-prompt").value == "a {red|blue} __nobody__ heart"
    assert any("No list is named __nobody__" in said for said in messages(page))
    run(pages, page, "a {red|blue} __nobody__ heart")
    assert pages.engine.ran[1].inputs == request.inputs


def test_a_run_above_the_budget_asks_for_patience_before_run(pages, monkeypatch):
    page = pages.open(PAGE)
    assert not any("Be patient" in text for text in captions(page))  # nothing was measured yet
    monkeypatch.setattr("tests.fakes.SECONDS", 8.0)
    run(pages, page)
    assert not any("Be patient" in text for text in captions(page))
    choose(page, "num_images", 8)
    assert any("about 64 s" in text for text in captions(page))
    asked = next(text for text in captions(page) if "Be patient" in text)
    assert "This run takes about 64 s; where others share the machine, a run should take at most 60 s." in asked
    assert asked.endswith("Be patient, or lower Steps, Images, Width or Height.")
    choose(page, "width", 32)  # a side counts with its root
    assert not any("Be patient" in text for text in captions(page))


def test_alone_on_a_machine_nobody_is_asked_for_patience(pages, monkeypatch):
    page = pages.open(PAGE)
    monkeypatch.setattr("tests.fakes.SECONDS", 100.0)
    run(pages, page)
    monkeypatch.setattr("components.owners._known", lambda jobs: owners.Owner(owner(pages), "machine"))
    page.run()
    assert any("about 100 s" in text for text in captions(page))
    assert not any("Be patient" in text for text in captions(page))


def captions(page):
    return [item.value.replace("\\", "") for item in page.caption]
