"""The code under a result: styles to choose from, what each holds, and why one is not offered."""

import json

from models import coding
from models.errors import BadInput
from tests.components.image_desk import CATALOG, choices
from tests.components.page_steps import said
from tests.components.text.text_desk import TextDesk

DESK = TextDesk


def styles(page):
    return next(item for item in page.get("button_group") if item.label == "Style")


def code(page):
    return page.get("code")[0]


def test_a_result_shows_its_code_in_every_style(desk):
    page = desk.finished(temperature=0.5)
    assert "Show the code" in choices(page)
    assert not page.get("code")
    desk.open("Show the code")
    page = desk.draw()
    request = desk.newest().runs[0].request
    assert [option.content for option in styles(page).proto.options] == [
        "Public libraries", "Playground", "Shell", "Notebook",
    ]  # fmt: skip
    assert "AutoModelForCausalLM.from_pretrained" in code(page).value
    assert code(page).language == "python"
    for style, holds in (("models", "models.Request("), ("cli", "python -m models run"), ("notebook", '"cells"')):
        styles(page).set_value(style).run()
        assert holds in code(page).value
        assert coding.STYLES[style] in said(page)
        assert page.get("download_button")[-1].proto.label == "Download code"
    assert json.loads(code(page).value)["nbformat"] == 4
    assert coding.code_name(request, "notebook") == "story-gpt-seed7.ipynb"


def test_a_family_without_a_script_says_why_and_offers_the_rest(desk, monkeypatch):
    def refuses(self, spec, request, params):
        raise BadInput("This net *stays* here. Choose the style “models” or “cli”.")

    monkeypatch.setattr(type(CATALOG.family("text/story-gpt")), "script", refuses)
    desk.finished()
    desk.open("Show the code")
    page = desk.draw()
    assert [option.content for option in styles(page).proto.options] == ["Playground", "Shell"]
    assert "models.Request(" in code(page).value
    assert "This net *stays* here." in said(page)
    assert any("\\*stays\\*" in item.value for item in page.caption)  # escaped, as it is markdown
