"""Models side by side in a real browser: columns, and what one finds of the other's words."""

import re

from tests.browser.conftest import until


def test_models_write_beside_one_another_and_are_compared_token_by_token(session):
    reader = session().open(**{"story-gpt.seed": 3, "story-gpt.max_new_tokens": 30})
    page = reader.page
    reader.write("Once upon a time a small <b>dragon</b>")
    page.get_by_role("textbox", name="Prompt", exact=True).blur()
    page.get_by_role("button", name="Side by side").click()
    page.get_by_role("button", name="Run side by side").click()
    cards = page.locator("article")
    reader.sees(re.compile("How would Story GPT have predicted"))
    until(lambda: cards.count() >= 4)
    texts = page.locator("article p").all_inner_texts()
    assert all(text.startswith("Once upon a time a small <b>dragon</b>") for text in texts[:2])
    assert len(set(texts)) == len(texts)
    names = page.locator("article h2").all_inner_texts()
    assert names == ["Story GPT", "Story LSTM", "Story Chat", "Story Chat DPO"]

    page.get_by_text(re.compile("How would Story GPT have predicted")).first.click()
    reader.sees(re.compile(r"Mean KL divergence \d+\.\d\d bits per token"))
    tokens = page.locator(".map .text").first.get_by_role("option")
    until(lambda: tokens.count() > 0)
    assert "KL" in tokens.first.get_attribute("title")
    assert page.get_by_test_id("stException").count() == 0
