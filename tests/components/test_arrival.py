"""What the address of a page sets is set from its very first draw on."""

from tests.components.image.image_steps import MODEL, PAGE
from tests.components.page_steps import marked, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


def labels(page):
    return {item.key: item.label for kind in (page.slider, page.selectbox) for item in kind if item.key}


def test_settings_of_an_address_show_what_hangs_on_them_at_the_first_draw(pages):
    page = pages.open(PAGE, **{f"{MODEL}.task": "image to image", f"{MODEL}.strength": "0.1"})
    assert widget(page, "slider", f"{MODEL}.strength").value == 0.1
    assert marked(page, f"{MODEL}.task")
    assert marked(page, f"{MODEL}.strength")
    assert not marked(page, f"{MODEL}.num_inference_steps")
    assert not widget(page, "button", f"image/{MODEL}-reset").disabled


def test_a_setting_of_an_address_that_is_not_drawn_is_kept_too(pages):
    page = pages.open(PAGE, **{f"{MODEL}.strength": "0.1"})
    assert f"{MODEL}.strength" not in labels(page)
    widget(page, "selectbox", f"{MODEL}.task").set_value("image to image").run()
    assert widget(page, "slider", f"{MODEL}.strength").value == 0.1


def test_a_setting_that_is_out_of_range_is_named_and_the_default_drawn(pages):
    page = pages.open(PAGE, **{f"{MODEL}.task": "image to image", f"{MODEL}.strength": "7"})
    assert widget(page, "slider", f"{MODEL}.strength").value == 0.6
    assert any("strength" in item.value for item in page.warning)
