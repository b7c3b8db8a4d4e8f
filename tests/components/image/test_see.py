"""“What does it see?”: one press asks the recogniser and the captioner, of images made here and of uploads."""

from components import inputs
from components.escape import plain
from tests.components.image.image_steps import PAGE, choose, components, pictures, png, run, upload
from tests.components.image.seeing import CAPTIONER, JUDGE, Seeing
from tests.components.page_steps import messages, newest_job, press, settle, widget

ENGINE = Seeing


def see(page):
    return next(button for button in page.button if button.label == "What does it see?")


def bars(page):
    return [item.proto.text for item in page.get("progress") if "%" in item.proto.text]


def answered(pages, page):
    """Assert that both models were asked about one image, and that what they say stands side by side."""
    asked = pages.engine.ran[-2:]
    assert [one.model for one in asked] == [JUDGE, CAPTIONER]
    assert len({one.inputs["image"] for one in asked}) == 1
    assert any("#### red \\*heart\\*" in item.value for item in page.markdown)
    assert {plain("red *heart* 93.0%"), plain("red *heart*, 3d 81.0% · 2 times"), plain("red rose, 3d 92.0%")} <= set(
        bars(page)
    )
    maps = [data for data in components(page, "pictures") if data["pictures"][0]["alt"].startswith("Where")]
    assert [[one["label"].split()[0] for one in data["pictures"]] for data in maps] == [
        ["red", "*heart*", ",", "3d"], ["red", "rose", ",", "3d"]
    ]  # fmt: skip
    return asked[0].inputs["image"]


def test_an_image_made_here_is_named_and_described_by_one_press(pages):
    page = pages.open(PAGE)
    run(pages, page, "red heart")
    press(page, see(page).key)
    settle(pages, page)
    answered(pages, page)
    assert newest_job(pages).purpose == "see"


def test_what_stands_on_the_page_stays(pages):
    page = pages.open(PAGE)
    model = widget(page, "selectbox", "image-model").value
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    began = page.session_state[inputs.ref_key("image", "image")]
    run(pages, page, "red heart")
    settle(pages, press(page, see(page).key))
    assert pages.engine.ran[-1].model == CAPTIONER
    assert page.session_state[inputs.ref_key("image", "image")] == began
    assert widget(page, "selectbox", "image-model").value == model


def test_an_upload_is_asked_about_too_whatever_model_it_is_for(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    settle(pages, press(page, see(page).key))
    answered(pages, page)


def test_while_another_run_is_under_way_it_says_so_and_asks_nothing(pages):
    page = pages.open(PAGE)
    choose(page, "task", "image to image", "selectbox")
    upload(page, "Image", png())
    pages.engine.gate.clear()
    press(page, "run")
    press(page, see(page).key)
    assert any("again when it is done" in said for said in messages(page))
    pages.engine.gate.set()
    settle(pages, page)
    assert not {JUDGE, CAPTIONER} & {one.model for one in pages.engine.ran}
    settle(pages, press(page, see(page).key))
    assert [one.model for one in pages.engine.ran[-2:]] == [JUDGE, CAPTIONER]


def test_without_a_captioner_the_recogniser_alone_is_asked(pages, monkeypatch):
    from components.image import see as module

    monkeypatch.setattr(module, "_WIDTHS", {"sees": 1})
    page = pages.open(PAGE)
    run(pages, page, "red heart")
    settle(pages, press(page, see(page).key))
    assert pages.engine.ran[-1].model == JUDGE
    assert not page.exception
    assert len(pictures(page)) == 0
