"""What is varied from where it is set: the menu beside a setting and the one beside Run open the sweep with an axis."""

import streamlit

from components import setting_menu, sweep_axes
from tests.components.page_steps import messages, press, said, settle, widget

PAGE = "pages/text.py"
MODEL = "text/story-gpt"


def choose(page, monkeypatch, name, words="Vary in a sweep"):
    """Choose something in a setting's menu, within the script: AppTest draws no menus."""
    done = []

    def draw(model, item, ways):
        if item.name == name and not done:
            done.append(name)
            ways[words]()

    with monkeypatch.context() as patch:
        patch.setattr(setting_menu, "draw", draw)
        page.run()
    return page.run()


def beside_run(page, monkeypatch, chosen):
    """Choose something in the menu beside Run; return what it offers."""
    offered = []

    def menu(label, options, *, on_click, args, format_func, **more):
        if label == "Sweep" and not offered:
            offered.extend(map(format_func, options))
            streamlit.session_state["chosen-for-test"] = chosen
            on_click(args[0], "chosen-for-test")

    with monkeypatch.context() as patch:
        patch.setattr(streamlit, "menu_button", menu)
        page.run()
    page.run()
    return offered


def values(page, name):
    for kind in ("text_input", "text_area", "multiselect"):
        for item in getattr(page, kind):
            if item.key == f"{MODEL}-sweep-axis-{name}":
                return item.value
    return None


def test_a_menu_opens_the_box_with_the_values_that_the_box_itself_gives(pages, monkeypatch):
    page = pages.open(PAGE)
    assert values(page, "temperature") is None
    choose(page, monkeypatch, "temperature")
    assert not page.exception
    assert values(page, "temperature") == "0.4, 0.8, 1.4"
    assert any("varies Temperature" in one for one in messages(page))
    choose(page, monkeypatch, "do_sample")
    assert values(page, "do_sample") == [False, True]
    choose(page, monkeypatch, "seed")
    assert values(page, "seed") == ", ".join(map(str, sweep_axes.SEEDS))
    assert "24 cells" in said(page)
    settle(pages, press(page, "text-sweep-run"))
    assert {(one.params["do_sample"], one.seed) for one in pages.engine.ran} >= {(True, 0), (True, 3), (False, 0)}


def test_beside_run_are_the_prompt_the_seed_and_the_model(pages, monkeypatch):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A hen")
    page.run()
    assert beside_run(page, monkeypatch, "inputs.prompt") == ["Prompt", "Seed", "Model"]
    assert not page.exception
    assert values(page, "inputs.prompt") == "A hen"
    beside_run(page, monkeypatch, "model")
    assert MODEL in values(page, "model")
    beside_run(page, monkeypatch, "no_such")
    assert any("no_such cannot be varied here" in one for one in messages(page))


def test_a_fifth_axis_says_which_is_the_most(pages, monkeypatch):
    page = pages.open(PAGE)
    for name in ("temperature", "top_k", "top_p", "max_new_tokens"):
        choose(page, monkeypatch, name)
    choose(page, monkeypatch, "temperature")
    assert any("varies Temperature already" in one for one in messages(page))
    choose(page, monkeypatch, "do_sample")
    assert any("4 things already, which is the most. Take one out" in one for one in messages(page))
    assert values(page, "do_sample") is None


def test_where_chance_has_no_part_no_seed_is_offered(pages, monkeypatch):
    page = pages.open(PAGE, **{"story-gpt.do_sample": "false"})
    assert beside_run(page, monkeypatch, "inputs.prompt") == ["Prompt", "Model"]
