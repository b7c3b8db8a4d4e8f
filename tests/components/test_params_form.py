"""No setting of any model, however its range is narrowed and whatever a session holds, takes the page away."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from components import params_form, state
from models.params import problem
from models.types import SEED_MAX
from tests.components.image.image_steps import ID, MODEL, PAGE, run
from tests.components.narrow import CATALOG, FAMILIES, narrowed
from tests.components.page_steps import messages, widget
from tests.fake_pictures import FakePictures

ENGINE = FakePictures


def draw_all(which):
    import streamlit as st

    from components import params_form
    from tests.components import narrow

    for item in narrow.table(which):
        for number, one in enumerate(narrow.narrowed(item)):
            for turn, value in enumerate((one.default, one.default if one.ge is None else one.ge)):
                got = params_form.draw_apart(one, value, f"{item.name}-{number}-{turn}")
                st.text(f"{item.name}: {got!r}")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_setting_of_every_family_narrowed_to_one_value_is_drawn(family):
    page = AppTest.from_function(draw_all, args=(family,), default_timeout=60).run()
    assert not page.exception, page.exception
    assert not page.warning, [item.value for item in page.warning]
    assert page.text


@pytest.mark.parametrize("model", list(CATALOG))
def test_every_setting_of_every_model_is_drawn_with_all_of_them_narrowed(pages, model, monkeypatch):
    spec, family = CATALOG[model], CATALOG.family(model)
    fields = tuple(next(iter([*narrowed(item)][::-1]), item) for item in family.fields(spec))
    assert not [said for item in fields if (said := problem(item, item.default))]
    monkeypatch.setattr(type(family), "fields", lambda self, spec: fields)
    switches = {f"{model.split('/')[1]}.{item.name}.on": "true" for item in fields if item.optional}
    page = pages.open(f"pages/{spec.modality}.py", model=model, **switches)
    assert not [said for said in messages(page) if "cannot be drawn" in said]
    assert "run" in {button.key for button in page.button} or spec.facts.get("chat") or not spec.here


@pytest.mark.parametrize("how", ["form", "address", "reload"])
def test_a_setting_of_one_value_can_be_switched_on(pages, how):
    given = {} if how == "form" else {f"{MODEL}.clip_skip.on": "true", f"{MODEL}.clip_skip": "1"}
    page = pages.open(PAGE, **given)
    if how == "form":
        widget(page, "toggle", f"{MODEL}.clip_skip.on").set_value(True)
        page.run()
    if how == "reload":
        page = pages.open(PAGE, **{name: "".join(found) for name, found in page.query_params.items()})
    assert not page.exception, page.exception
    assert widget(page, "number_input", f"{MODEL}.clip_skip").value == 1
    run(pages, page, "red heart")
    assert pages.engine.ran[-1].params["clip_skip"] == 1


@pytest.mark.parametrize("value", ["9" * 400, "-5", "true", "1e400", "x", "[1]"])
@pytest.mark.parametrize("name", ["seed", "guidance_scale", "num_inference_steps", "variation_seed", "width"])
def test_an_address_with_a_bad_number_keeps_the_page_and_the_number_goes(pages, name, value):
    page = pages.open(PAGE, **{f"{MODEL}.{name}": value})
    assert any(name in message for message in messages(page)), messages(page)
    assert f"{MODEL}.{name}" not in page.query_params
    run(pages, page, "red heart")
    assert len(pages.engine.ran) == 1


def test_a_value_from_before_a_range_was_narrowed_gives_way_to_the_default(pages):
    page = pages.open(PAGE)
    for name, value in (("width", 4096), ("guidance_scale", -1.0), ("num_inference_steps", 500), ("seed", -4)):
        page.session_state[f"{MODEL}.{name}"] = value
    page.run()
    assert not page.exception, page.exception
    run(pages, page, "red heart")
    params = pages.engine.ran[-1].params
    assert (params["width"], params["guidance_scale"], pages.engine.ran[-1].seed) == (64, 4.0, 0)


def test_a_widget_that_fails_is_a_sentence_and_the_prompt_and_run_stay(pages, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("no")

    monkeypatch.setitem(params_form._WIDGETS, "choice", broken)
    page = pages.open(PAGE)
    assert any("“Scheduler” cannot be drawn (RuntimeError)" in message for message in messages(page))
    run(pages, page, "red heart")
    assert pages.engine.ran[-1].model == ID


def test_a_value_between_two_steps_of_a_logarithmic_slider_stays_as_it_is():
    def draw():
        import streamlit as st

        from components import params_form
        from models.params import ParamField

        item = ParamField("rate", "Rate", "number", 0.01, "How fast.", ge=0.001, le=1.0, step=0.001, log=True)
        st.text(params_form.draw_apart(item, 0.0123456, "k"))

    page = AppTest.from_function(draw).run()
    assert not page.exception, page.exception
    assert page.text[0].value == "0.0123456"


@pytest.mark.parametrize(("now", "following"), [(0, 1), (7, 8), (SEED_MAX, 0)])
def test_again_takes_the_next_seed_and_after_the_last_the_first(monkeypatch, now, following):
    kept = {"story-gpt.seed": now}
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state=kept))
    params_form.next_seed(SimpleNamespace(id="text/story-gpt"), again=True)
    assert kept["story-gpt.seed"] == following
    params_form.next_seed(SimpleNamespace(id="text/story-gpt"), again=False)
    assert kept["story-gpt.seed"] == following  # it is kept, as it is from the start
