"""The token microscope in a real browser: on a story, and on a text of 2,000 tokens by a tiny random model."""

import re

import pytest

from models.device import import_libraries
from models.settings import Settings
from tests.browser.conftest import until
from tests.tiny import ENTRY, make_tokenizer

STORY = {"story-gpt.seed": 7, "story-gpt.max_new_tokens": 40, "story-gpt.temperature": 1.2, "story-gpt.top_p": 1.0}
LONG = 2000


def long_model(folder):
    """Write a tiny random model with a context of 4,096 tokens into a catalogue."""
    import_libraries(Settings())
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096, initializer_range=0.4, bos_token_id=0, eos_token_id=None,
        pad_token_id=2, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).half().save_pretrained(folder / "long")
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder / "long")
    entry = ENTRY.format(name="long", context=4096, vocabulary=len(tokenizer))
    (folder / "long.toml").write_text(entry.replace("[weights]", 'examples = ["the cat"]\n[weights]'), "utf-8")


@pytest.fixture
def reader(session):
    """Return a session with a short story under the microscope."""
    reader = session().open(**STORY)
    reader.write("Once upon a time a small dragon")
    reader.run()
    reader.done()
    look(reader)
    return reader


def look(reader):
    reader.page.get_by_role("radio", name="Microscope", exact=True).click()
    options(reader).first.wait_for()


def options(reader):
    return reader.page.locator(".map .text").get_by_role("option")


def sentence(reader):
    return reader.page.get_by_text(re.compile("would have been removed")).first.inner_text()


def test_a_setting_strikes_tokens_out_and_another_token_begins_a_branch(reader):
    page = reader.page
    first = reader.text()
    assert "".join(options(reader).all_inner_texts()) == first.removeprefix("Once upon a time a small dragon")
    assert sentence(reader).startswith("None of 40 tokens")

    slider = page.get_by_test_id("stMain").get_by_role("slider", name="Top-p")
    slider.focus()
    slider.press("Home")
    until(lambda: not sentence(reader).startswith("None"))
    count = int(re.match(r"(\d+) of 40 tokens", sentence(reader))[1])
    until(lambda: page.locator(".map .text span.gone").count() == count)
    assert page.get_by_role("button", name="Stop").count() == 0  # nothing was written again
    assert reader.text() == first

    options(reader).nth(5).click()
    until(lambda: "Token 6" in page.locator(".map h2").inner_text())
    options(reader).nth(5).press("ArrowRight")
    until(lambda: "Token 7" in page.locator(".map h2").inner_text())
    chosen = page.locator(".map tbody tr:not(.drawn) button:enabled").first
    token = chosen.inner_text()
    chosen.click()
    tree = page.get_by_role("navigation", name="Branches of this text").get_by_role("button")
    tree.nth(1).wait_for()
    assert tree.count() == 2
    options(reader).nth(6).wait_for()
    until(lambda: options(reader).nth(6).inner_text().strip() == token.strip())
    kept = "".join(options(reader).all_inner_texts()[:6])
    assert first.removeprefix("Once upon a time a small dragon").startswith(kept)
    tree.first.click()  # back to the text that it left
    until(lambda: "".join(options(reader).all_inner_texts()) == first.removeprefix("Once upon a time a small dragon"))


def test_the_table_of_candidates_fits_a_phone(reader):
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 844})
    options(reader).nth(5).click()
    until(lambda: "Token 6" in page.locator(".map h2").inner_text())
    table = page.locator(".map .scroll")
    until(lambda: table.evaluate("box => box.scrollWidth <= box.clientWidth"), 5)
    assert table.locator("td.cell").first.inner_text().strip().endswith("%")


def test_a_text_of_two_thousand_tokens_answers_at_once(browser, tmp_path, session):
    from tests.browser.conftest import App

    app = App(tmp_path, long_model)
    try:
        reader = session(app=app).open(model="text/long", **{"long.max_new_tokens": LONG, "long.temperature": 1.0})
        reader.write("the cat")
        reader.run()
        reader.done(150)
        look(reader)
        assert options(reader).count() == LONG
        options(reader).nth(LONG - 1).click()
        until(lambda: f"Token {LONG}" in reader.page.locator(".map h2").inner_text(), 10)
        slider = reader.page.get_by_test_id("stMain").get_by_role("slider", name="Top-p")
        slider.focus()
        slider.press("Home")
        until(lambda: reader.page.locator(".map .text span.gone").count() > LONG // 4, 10)
    finally:
        app.close()
